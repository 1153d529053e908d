//! The commands of the program, run as processes.

mod answers;
mod commands;
mod diff;
mod import;
mod progress;
mod questions;
mod remote;
mod replay;
mod sweep;
