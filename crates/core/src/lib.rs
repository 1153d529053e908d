//! The pure core: what a scenario is, and what a proposal does to its red lines.
//!
//! [`scenario`] reads and checks scenario files, [`engine`] evaluates proposals, [`cases`] checks test files. No module
//! knows of the wire, async runtimes, clocks or the file system: texts, days and budgets come in as arguments.

#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

pub mod cases;
pub mod engine;
pub mod scenario;
