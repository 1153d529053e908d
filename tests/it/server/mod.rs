//! The server over real sockets, started within the test process.

mod access;
mod admin;
mod analysis;
mod answers;
mod compression;
mod connections;
mod garbage;
mod health;
mod limits;
mod memory;
mod middleware;
mod red_lines;
mod reflection;
mod refusals;
mod shutdown;
mod stream;
mod tls;
mod transport;
mod turns;
