//! The analyses compared with brute force over all assignments. Each scenario is generated from a seed, and a failure
//! shows the scenario, the question and the seed.

mod amendments;
mod bounds;
mod budgets;
mod efficient;
mod impasses;
mod packages;
mod record;
mod robustness;
mod widest;
