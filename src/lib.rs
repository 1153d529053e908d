//! Détente: which red lines a proposal crosses, whose, why, and who says so.
//!
//! A pure engine in the middle, a thin typed skin around it. Each module may use those below it, never those above:
//! `cli`, `grpc`, `serving`, `access`, `analysis`, `engine`, `import`, `scenario`, `condition`.

// A panic in a handler is an outage for its caller: every index and every option is answered for.
#![warn(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::todo,
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
pub mod middleware;
pub mod schema;
pub mod server;
pub mod services;
pub mod serving;
pub mod shutdown;
pub mod telemetry;
pub mod transport;
