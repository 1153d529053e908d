//! Connections: TLS, HTTP/2 with its limits, write buffering, and clients that stop reading.
//!
//! Must not know about RPC methods or messages.

pub(crate) mod call;
pub(crate) mod client_certificate;
pub mod config;
pub mod connection;
pub(crate) mod http2;
mod incoming_frames;
mod keepalive;
pub(crate) mod preface;
pub mod request_body;
mod reset_budget;
pub mod tls;
pub(crate) mod write_buffer;
