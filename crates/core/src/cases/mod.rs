//! Test files: what a scenario must answer, and whether it does.

mod check;
mod file;
mod words;

pub use check::differences;
pub use file::{Case, CaseFile, Expect, ExpectFinding, load_cases};
pub use words::ExpectedStatus;
