//! The command line, with one file per command.
//!
//! Owns options and the rendering of answers for people. Must not know how answers are computed: each command that asks
//! a question sends a request to the service, in this process or on a server, and renders the response.

pub(crate) mod args;
mod backend;
mod call_error_text;
mod client;
mod commands;
mod exit;
mod line_reader;
mod progress;
mod progress_counter;
mod render;
mod report;
mod variables;

pub use commands::Cli;
