//! Answers in a file or a text of their own, in YAML or JSON: a proposal, or a map from issue to answer.

use super::deferred::AnswersNode;
use super::diagnostics::{Diagnostics, Faults, Place};
use super::document::{Node, parse};
use super::model::Input;
use super::record::{At, Kebab, Read, SingleLine, Text, record};
use super::resolve::values::answers_of_map;
use detente_condition::{Answer, InputId};

record! {
    /// A proposal in a file of its own.
    ProposalFile, "a proposal" {
        /// Its id.
        optional id: At<Kebab>,
        /// A line of text.
        optional title: SingleLine,
        /// What it is.
        optional description: Text,
        /// A map from issue to answer.
        required terms: AnswersNode,
        /// Rows of the author's own register.
        optional rows: Vec<SingleLine>,
    }
}

/// Reads a proposal's terms. `issues` are those of the scenario.
///
/// # Errors
/// Every fault of the file, each with its place.
pub fn load_proposal(file: &str, text: &str, issues: &[Input]) -> Result<Vec<(InputId, Answer)>, Diagnostics> {
    let mut faults = Faults::default();
    let entry = parse(text, &mut faults).and_then(|root| ProposalFile::read(&root, &mut faults));
    let terms = entry.and_then(|entry| entry.terms);
    let terms = terms.map(|terms| answers_of_map(issues, 0, &terms.0, &mut faults));
    if terms.is_none() && faults.is_empty() {
        faults.add(Place::START, "the file is empty");
    }
    faults.finish(file, text, terms)
}

/// Reads a map from issue (or circumstance) to answer. `inputs` begin at position `first` of the scenario, circumstances
/// after issues.
///
/// # Errors
/// Every fault of the text, each with its place. `file` names it.
pub fn load_answers(
    file: &str,
    text: &str,
    inputs: &[Input],
    first: usize,
) -> Result<Vec<(InputId, Answer)>, Diagnostics> {
    let mut faults = Faults::default();
    let root = parse(text, &mut faults);
    let answers = root.map(|root| answers_of_map(inputs, first, &root, &mut faults));
    if answers.is_none() && faults.is_empty() {
        faults.add(Place::START, "an answer is expected here");
    }
    faults.finish(file, text, answers)
}
