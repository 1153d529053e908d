//! A naive oracle: it enumerates all completions and shares nothing with the engine but the file format. `agreement`
//! alone knows both.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

pub mod agreement;
pub mod expression;
pub mod generate;
pub mod world;
