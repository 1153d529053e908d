//! What the analyses answer, against brute force over all assignments: each scenario is made from a seed, and a failure
//! shows the scenario, the question and the seed.

#[path = "analysis/amendments.rs"]
mod amendments;
#[path = "analysis/budgets.rs"]
mod budgets;
#[path = "analysis/efficient.rs"]
mod efficient;
#[path = "analysis/impasses.rs"]
mod impasses;
mod oracle;
#[path = "analysis/packages.rs"]
mod packages;
#[path = "analysis/robustness.rs"]
mod robustness;
#[path = "analysis/widest.rs"]
mod widest;
