//! Scenario test files: cases with a proposal and the expected results of its evaluation.

pub mod file;
