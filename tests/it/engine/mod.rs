//! The engine against a naive oracle that enumerates all completions.

mod exactness;
mod hypotheses;
