//! An oracle: simple code that finds by trial what the engine and the analyses should find, so that tests can compare
//! the results. It works on worlds, which are small scenarios generated from bytes.
//!
//! The oracle tries all completions, the ways to settle everything that a proposal leaves open. It shares no
//! computation with the engine, only the file format and some types. Only `agreement` and `case` run the engine. The
//! engine divides each quantity into intervals between whose numbers no condition distinguishes. The checks of the
//! analyses use these intervals, and `search` verifies them.

#![allow(dead_code, unreachable_pub, reason = "the fuzz target uses a part of it")]

pub mod agreement;
pub mod case;
pub mod expression;
pub mod generate;
pub mod nearest;
pub mod search;
pub mod world;
