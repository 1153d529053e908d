//! Other people's formats, turned into scenario files.
//!
//! Owns what another format says and how that is said in ours: text in, a scenario file's text out. Must not know of
//! evaluation, of the wire, of clocks or of the file system.

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

pub mod genius;
