//! What the analyses answer, against brute force over all assignments: each scenario is made from a seed, and a failure
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
