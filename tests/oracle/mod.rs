//! A naive oracle: it enumerates all completions and shares only the file format with the engine. Only `agreement` and
//! `case` know both; the checks of the analyses use the intervals of the engine's space, which `search` verifies.

#![allow(dead_code, unreachable_pub, reason = "the fuzz target uses a part of it")]

pub mod agreement;
pub mod case;
pub mod expression;
pub mod generate;
pub mod nearest;
pub mod search;
pub mod world;
