//! Détente says which red lines a proposal in a negotiation crosses, whose they are, why, and who says so.
//!
//! This crate is the gRPC service and the command line; the engine is in the crates under `crates/`. A module uses only
//! the modules of lower ranks, here from the highest to the lowest: `cli`; `server`; `services`, `transport`;
//! `convert`, `middleware`; `access`, `serving`, `error`; `schema`, `shutdown`, `telemetry`, `locks`.

// These lints reject code that can panic, because a panic in a handler fails the caller's request.
#![warn(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::todo,
    clippy::too_many_lines,
    clippy::unimplemented,
    clippy::unwrap_used
)]
// `Debug` output changes if a type or variant is renamed, or another crate is updated. Therefore no text that leaves
// the program contains it. This lint finds it in `write!`; a test in tests/it/contracts finds it in `format!` and log
// events.
#![cfg_attr(not(test), warn(clippy::use_debug))]

pub mod access;
pub mod cli;
pub mod convert;
pub mod error;
mod locks;
pub mod middleware;
pub mod schema;
pub mod server;
pub mod services;
pub mod serving;
pub mod shutdown;
pub mod telemetry;
pub mod transport;
