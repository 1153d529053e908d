//! The commands of the real binary.

mod answers;
mod commands;
mod diff;
mod import;
mod progress;
mod questions;
mod remote;
mod replay;
mod sweep;
