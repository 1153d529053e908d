//! Converts files of other negotiation formats to scenario files.
//!
//! Owns the reading of other formats and their translation: text in, the text of a scenario file out. Must not know how
//! proposals are evaluated, and must not use the network, clocks or the file system.

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
