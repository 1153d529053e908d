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
    clippy::unimplemented,
    clippy::unwrap_used
)]

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
