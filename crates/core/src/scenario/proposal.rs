//! Reads answers from a file or text of their own, in YAML or JSON: a proposal, or a map from ids to answers.
//!
//! Must not know of the rest of a scenario: its issues or circumstances are an argument.

use super::deferred::AnswersNode;
use super::diagnostics::{Diagnostics, Faults, Place};
use super::document::{Node, parse_file};
use super::limits::MAX_PROPOSAL_FILE_BYTES;
use super::model::Input;
use super::record::{At, Kebab, Read, SingleLine, Text, record};
use super::resolve::values::answers_of_map;
use detente_condition::{Answer, InputIndex};

record! {
    /// A proposal in a file of its own.
    ProposalFile, "a proposal" {
        /// The id of the proposal.
        optional id: At<Kebab>,
        /// The title of the proposal, in one line.
        optional title: SingleLine,
        /// A description of the proposal.
        optional description: Text,
        /// A map from the id of an issue to the answer.
        required terms: AnswersNode,
        /// The labels (such as `P51`) of rows in a table of statements that the author keeps.
        optional rows: Vec<SingleLine>,
    }
}

/// Reads the terms of a proposal file.
///
/// `issues` are those of the scenario, and `file` is the name of the file, for messages.
///
/// # Errors
/// Returns every fault of the file, each with its place.
pub fn load_proposal(file: &str, text: &str, issues: &[Input]) -> Result<Vec<(InputIndex, Answer)>, Diagnostics> {
    let mut faults = Faults::default();
    let entry =
        parse_file(text, MAX_PROPOSAL_FILE_BYTES, &mut faults).and_then(|root| ProposalFile::read(&root, &mut faults));
    let terms = entry.and_then(|entry| entry.terms);
    let terms = terms.map(|terms| answers_of_map(issues, 0, &terms.0, &mut faults));
    if terms.is_none() && faults.is_empty() {
        faults.add(Place::START, "the file is empty");
    }
    faults.finish(file, text, terms)
}

/// Reads a map from the ids of issues, or of circumstances, to answers. `file` is the name of the text, for messages.
///
/// `inputs` are either the issues of the scenario or its circumstances. `first` is the position of the first of them in
/// the scenario's list of inputs, which has all issues, then all circumstances.
///
/// # Errors
/// Returns every fault of the text, each with its place.
pub fn load_answers(
    file: &str,
    text: &str,
    inputs: &[Input],
    first: usize,
) -> Result<Vec<(InputIndex, Answer)>, Diagnostics> {
    let mut faults = Faults::default();
    let root = parse_file(text, MAX_PROPOSAL_FILE_BYTES, &mut faults);
    let answers = root.map(|root| answers_of_map(inputs, first, &root, &mut faults));
    if answers.is_none() && faults.is_empty() {
        faults.add(Place::START, "the text is empty; expected a map of answers");
    }
    faults.finish(file, text, answers)
}
