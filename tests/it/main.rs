//! The integration tests, one module per behaviour, in one program.
//!
//! The tests run in parallel in one process. A test that would disturb others, or be disturbed by them (global
//! allocator, environment variables, process-wide subscribers, measured CPU time or memory), belongs in `tests/alone`.

mod access;
mod analysis;
mod architecture;
mod cli;
mod contracts;
mod engine;
mod import;
#[path = "../oracle/mod.rs"]
mod oracle;
mod regressions;
mod reload;
mod scenario;
mod serve;
mod server;
mod service;
#[path = "../support/mod.rs"]
mod support;
