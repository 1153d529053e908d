//! Scenario test files: cases with a proposal and the expected results of its evaluation.

mod check;
mod file;
mod words;

pub use check::differences;
pub use file::{Case, CaseFile, Expect, ExpectFinding, load_cases};
pub use words::ExpectedStatus;
