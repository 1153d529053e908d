//! A naive oracle: it enumerates all completions and shares nothing with the engine but the file format. `agreement`
//! and `case` alone know both; the analyses are told apart by the intervals of the engine's space, which `search` checks.

#![allow(dead_code, unreachable_pub, reason = "the fuzz target uses a part of it")]

pub mod agreement;
pub mod case;
pub mod expression;
pub mod generate;
pub mod nearest;
pub mod search;
pub mod world;
