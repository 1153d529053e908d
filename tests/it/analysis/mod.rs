//! The analyses compared with brute force over all assignments of values to issues. Each scenario is generated from a
//! seed, and a failure shows the scenario, the question and the seed. Only `bounds` and `record` use fixed scenarios.
//!
//! A package is a deal that answers every issue that matters. It passes if it has the terms that the question pins,
//! meets the goal of the question, breaks no constraint, and crosses no red line that counts: one of a principal or of
//! a third party that the question names, at least as firm as the question's floor.

mod amendments;
mod bounds;
mod budgets;
mod efficient;
mod impasses;
mod packages;
mod record;
mod robustness;
mod widest;
