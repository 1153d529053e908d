//! The options of an import.
//!
//! GENIUS files give each issue a weight and each option an evaluation, for each party. Must not know how the files are
//! read.

use jiff::civil::Date;

/// The rule that turns the weight of an issue and the evaluation of an option into a party's number for the option.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Convention {
    /// Weight times evaluation, both as published.
    #[default]
    AsPublished,
    /// Weight times evaluation, divided by the highest evaluation of the issue if the issue is discrete.
    ///
    /// GENIUS itself uses this rule.
    Normalized,
}

/// The parts of a scenario that the GENIUS files do not state.
#[derive(Clone, Debug)]
pub struct Options {
    /// The id of the scenario; `None` derives it from the name of the domain file.
    pub id: Option<String>,
    /// The one day that the scenario covers.
    pub date: Date,
    /// The rule by which weights and evaluations become the numbers of preferences.
    pub convention: Convention,
}
