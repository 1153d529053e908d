//! Answers to issues and values of circumstances, as options and proposal files write them.
//!
//! Reads them with the domains (the possible answers) that the service returns, so that options work the same with a
//! file and with a server. Must not know the commands.

use crate::convert::term::from_answer;
use crate::schema::proto::v1::{self, domain};
use detente_condition::{Domain, InputIndex};
use detente_core::scenario::ids::InputId;
use detente_core::scenario::model::Input;
use detente_core::scenario::{Diagnostics, load_answers, load_proposal};
use std::sync::Arc;

/// The issues and circumstances of a scenario, reduced to the fields that are needed to read answers.
pub(crate) struct Inputs {
    issues: Vec<Input>,
    circumstances: Vec<Input>,
}

impl Inputs {
    pub(crate) fn of(scenario: &v1::Scenario) -> Self {
        let issues = scenario.issues.iter().map(|issue| input(&issue.id, issue.domain.as_ref()));
        let circumstances = scenario.circumstances.iter().map(|fact| input(&fact.id, fact.domain.as_ref()));
        Self { issues: issues.collect(), circumstances: circumstances.collect() }
    }

    /// The terms of a proposal file.
    pub(crate) fn proposal(&self, file: &str, text: &str) -> Result<Vec<v1::Term>, Diagnostics> {
        let answers = load_proposal(file, text, &self.issues)?;
        Ok(terms(&self.issues, 0, answers))
    }

    /// The terms of the options `--set ISSUE=ANSWER`.
    pub(crate) fn set(&self, options: &[String]) -> Result<Vec<v1::Term>, Diagnostics> {
        read("--set", options, &self.issues, 0)
    }

    /// The terms of the options `--pin ISSUE=ANSWER`.
    pub(crate) fn pins(&self, options: &[String]) -> Result<Vec<v1::Term>, Diagnostics> {
        read("--pin", options, &self.issues, 0)
    }

    /// The values of the options `--given CIRCUMSTANCE=VALUE`.
    pub(crate) fn given(&self, options: &[String]) -> Result<Vec<v1::Term>, Diagnostics> {
        read("--given", options, &self.circumstances, self.issues.len())
    }

    /// The value that `text` states in the form `CIRCUMSTANCE=VALUE`. Faults name `option`, from which `text` comes.
    pub(crate) fn supposed(&self, option: &str, text: &str) -> Result<Vec<v1::Term>, Diagnostics> {
        read(option, &[text.to_owned()], &self.circumstances, self.issues.len())
    }
}

/// Reads the values of an option, each in the form `ID=VALUE`.
///
/// `first` is the position of the first of `inputs` among all inputs of the scenario, where issues come first.
fn read(option: &str, texts: &[String], inputs: &[Input], first: usize) -> Result<Vec<v1::Term>, Diagnostics> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    // The options become a YAML document with one line each, so that they are read like scenario files.
    let lines: Vec<String> = texts.iter().map(|text| text.replacen('=', ": ", 1)).collect();
    let answers = load_answers(option, &lines.join("\n"), inputs, first)?;
    Ok(terms(inputs, first, answers))
}

fn terms(inputs: &[Input], first: usize, answers: Vec<(InputIndex, detente_condition::Answer)>) -> Vec<v1::Term> {
    let terms = answers.into_iter().filter_map(|(id, answer)| {
        let input = inputs.get(id.index().checked_sub(first)?)?;
        Some(from_answer(input, &answer))
    });
    terms.collect()
}

fn input(id: &str, domain: Option<&v1::Domain>) -> Input {
    let ids = |entries: &[v1::Entry]| entries.iter().map(|entry| Arc::from(entry.id.as_str())).collect();
    let domain = match domain.and_then(|domain| domain.kind.as_ref()) {
        Some(domain::Kind::Choice(choice)) => Domain::Choice(ids(&choice.options)),
        Some(domain::Kind::Members(members)) => Domain::Members(ids(&members.members)),
        Some(domain::Kind::Quantity(quantity)) => Domain::Quantity { min: quantity.min, max: quantity.max },
        Some(domain::Kind::Flag(_)) | None => Domain::Flag,
    };
    Input {
        id: InputId::new(id),
        title: String::new(),
        question: String::new(),
        domain,
        entry_titles: Vec::new(),
        unit: String::new(),
        defaults: Vec::new(),
        taxonomy: Vec::new(),
        rows: Vec::new(),
        note: String::new(),
        evidence: Vec::new(),
    }
}
