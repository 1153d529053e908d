//! The integration tests, one module per behaviour, in one program.
//!
//! Tests run beside each other in one process. A test that disturbs its neighbours, or that they would disturb (global
//! allocator, environment variables, process-wide subscribers, measured CPU time or memory), belongs to `tests/alone`.

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
