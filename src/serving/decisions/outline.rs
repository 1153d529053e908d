//! Summaries of evaluations, for the decision log and the cache of answers.
//!
//! Must not know how the lines of the decision log are written.

use detente_core::engine::Verdict;
use detente_core::scenario::model::Firmness;

/// The summary of an evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Resource name of the scenario.
    pub scenario: String,
    /// Revision of the scenario.
    pub revision: String,
    /// Date of the evaluation, in ISO 8601.
    pub as_of: String,
    /// Verdict of the evaluation.
    pub verdict: Verdict,
    /// Verdict if every undetermined red line counts as crossed, with the highest firmness that is possible.
    pub could_become: Verdict,
    /// Crossed red lines by resource name, each with the lowest firmness with which its crossing counts.
    pub crossed: Vec<(String, Firmness)>,
}

impl Outline {
    /// Estimates the memory that the summary takes, in bytes.
    pub fn bytes(&self) -> usize {
        let texts = self.scenario.len() + self.revision.len() + self.as_of.len();
        let crossed = self.crossed.iter().map(|(name, _)| name.len() + size_of::<(String, Firmness)>());
        size_of::<Self>() + texts + crossed.sum::<usize>()
    }
}
