//! The engine compared with a naive oracle that enumerates all completions.

mod exactness;
mod hypotheses;
