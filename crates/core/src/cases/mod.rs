//! Test files: what a scenario must answer, and whether it does.

pub mod file;
