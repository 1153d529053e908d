//! A proposal in a file of its own: the format's `terms`, in YAML or JSON.

use super::diagnostics::{Diagnostics, Faults, Place};
use super::document::{Node, parse};
use super::model::{Scenario, Term};
use super::record::{At, Kebab, Line, Read, Text, record};
use super::resolve::values::answers_of_map;

record! {
    /// A proposal in a file of its own.
    ProposalFile, "a proposal" {
        /// Its id.
        optional id: At<Kebab>,
        /// A line of text.
        optional title: Line,
        /// What it is.
        optional description: Text,
        /// A map from issue to answer.
        required terms: Node,
        /// Rows of the author's own register.
        optional rows: Vec<Line>,
    }
}

/// Reads a proposal against a scenario.
///
/// # Errors
/// Every fault of the file, each with its place.
pub fn load_proposal(file: &str, text: &str, scenario: &Scenario) -> Result<Vec<Term>, Diagnostics> {
    let mut faults = Faults::default();
    let entry = parse(text, &mut faults).and_then(|root| ProposalFile::read(&root, &mut faults));
    let terms =
        entry.and_then(|entry| entry.terms).map(|terms| answers_of_map(scenario.issues(), 0, &terms, &mut faults));
    if terms.is_none() && faults.is_empty() {
        faults.add(Place::START, "the file is empty");
    }
    let terms = terms.map(|terms| terms.into_iter().map(|(issue, answer)| Term { issue, answer }).collect());
    faults.finish(file, text, terms)
}
