//! Scenario test files, with which authors of scenarios check that their red lines have the intended effect.
//!
//! A test file has cases: each is a proposal and the expected results of its evaluation.

mod check;
mod file;
mod words;

pub use check::differences;
pub use file::{Case, CaseFile, Expect, ExpectFinding, load_cases};
pub use words::ExpectedStatus;
