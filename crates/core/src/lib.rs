//! The pure core of Détente: reads scenario files and evaluates proposals against their red lines.
//!
//! [`scenario`] reads and checks scenario files, [`engine`] evaluates proposals, [`cases`] reads scenario test files.
//! Must not know of gRPC, async runtimes, clocks or the file system: callers pass the contents of files, and dates, as
//! arguments.

#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::too_many_lines,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

pub mod cases;
pub mod engine;
pub mod scenario;
