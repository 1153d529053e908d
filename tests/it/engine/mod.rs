//! The engine compared with a naive oracle that enumerates all completions.

mod equivalence;
mod exactness;
mod hypotheses;
