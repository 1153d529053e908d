//! What an evaluation found, in brief: for the decision log, for spans, for counting.

/// An evaluation in brief, in the API's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// The scenario's id.
    pub scenario: String,
    /// Its revision.
    pub revision: String,
    /// The day, as ISO 8601 writes it.
    pub as_of: String,
    /// The verdict.
    pub verdict: &'static str,
    /// What it could become.
    pub could_become: &'static str,
    /// The red lines that are crossed, by name, each with the firmness with which that counts.
    pub crossed: Vec<(String, &'static str)>,
}

impl Outline {
    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let texts = self.scenario.len() + self.revision.len() + self.as_of.len();
        let crossed = self.crossed.iter().map(|(name, _)| name.len() + size_of::<(String, &str)>());
        size_of::<Self>() + texts + crossed.sum::<usize>()
    }
}
