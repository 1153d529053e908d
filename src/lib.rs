//! Détente: which red lines a proposal crosses, whose, why, and who says so.
//!
//! This crate is the gRPC service and the command line; the engine is in the crates under `crates/`. A module uses only
//! the modules of lower ranks, here from the highest to the lowest: `cli`; `server`; `services`, `transport`;
//! `convert`, `middleware`; `access`, `serving`, `error`; `schema`, `shutdown`, `telemetry`, `locks`.

// A panic in a handler fails the caller's request, so every index and every `Option` is handled explicitly.
#![warn(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::todo,
    clippy::too_many_lines,
    clippy::unimplemented,
    clippy::unwrap_used
)]
// What Debug writes changes with names of types and variants, and with other crates: no text that leaves the program
// is made of it. The lint finds it in `write!`; for `format!` and events there is a test among tests/contracts.
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
