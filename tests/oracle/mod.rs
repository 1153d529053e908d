//! A naive oracle: it enumerates all completions and shares nothing with the engine but the file format.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

pub mod expression;
pub mod generate;
pub mod world;
