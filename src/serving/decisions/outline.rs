//! What an evaluation found, in brief: for the decision log and for spans.

use detente_core::engine::Verdict;
use detente_core::scenario::model::Firmness;

/// An evaluation in brief.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// The scenario's resource name.
    pub scenario: String,
    /// Its revision.
    pub revision: String,
    /// The day, as ISO 8601 writes it.
    pub as_of: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What the verdict could become.
    pub could_become: Verdict,
    /// The resource names of the crossed red lines, each with the lowest firmness with which its crossing counts.
    pub crossed: Vec<(String, Firmness)>,
}

impl Outline {
    /// The size in bytes, estimated.
    pub fn bytes(&self) -> usize {
        let texts = self.scenario.len() + self.revision.len() + self.as_of.len();
        let crossed = self.crossed.iter().map(|(name, _)| name.len() + size_of::<(String, Firmness)>());
        size_of::<Self>() + texts + crossed.sum::<usize>()
    }
}
