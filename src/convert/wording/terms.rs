//! Phrases for inputs and their answers, and for terms.
//!
//! An input is an issue or a circumstance. Must not know of findings or verdicts.

use super::grammar::list;
use crate::convert::term::{entry_id, ids};
use crate::schema::proto::v1::{self, term};
use detente_condition::{Answer, InputIndex, Value};
use detente_core::scenario::Scenario;
use detente_core::scenario::model::Input;

/// Puts the answer of an input into words: "troops is 500 soldiers".
pub fn answer(input: &Input, answer: &Answer) -> String {
    format!("{} is {}", input.id, answer_alone(input, answer))
}

/// Puts an answer into words without its input: "500 soldiers".
pub fn answer_alone(input: &Input, answer: &Answer) -> String {
    let unit =
        |number: &i64| if input.unit.is_empty() { number.to_string() } else { format!("{number} {}", input.unit) };
    match answer {
        Answer::Exact(Value::Flag(flag)) => flag.to_string(),
        Answer::Exact(Value::Choice(option)) => entry_id(&input.domain, *option),
        Answer::Exact(Value::Quantity(number)) => unit(number),
        Answer::Exact(Value::Members(members)) if *members == 0 => "empty".to_owned(),
        Answer::Exact(Value::Members(members)) => list(&ids(&input.domain, *members)),
        Answer::AnyOf(options) => format!("one of {}", ids(&input.domain, *options).join(", ")),
        Answer::Range { min, max } => format!("{min} to {}", unit(max)),
        Answer::Partial { .. } => "partly settled".to_owned(),
        Answer::Unsettled => "unsettled".to_owned(),
    }
}

/// Puts into words the further answers that would cross or clear a red line.
///
/// Adjacent terms on the same issue are alternatives.
pub fn settlement(terms: &[v1::Term]) -> String {
    let mut phrases: Vec<String> = Vec::new();
    let mut rest = terms;
    while let Some(first) = rest.first() {
        let same = rest.iter().take_while(|term| term.issue == first.issue).count();
        let (group, after) = rest.split_at(same);
        rest = after;
        let alternatives: Vec<String> = group.iter().map(further_answer).collect();
        phrases.push(alternatives.join(" or "));
    }
    phrases.join(", and ")
}

/// Puts terms into words, separated by semicolons.
pub fn settled_terms(terms: &[v1::Term]) -> String {
    let one = |term: &v1::Term| match &term.value {
        Some(term::Value::Members(members)) if members.values.is_empty() => format!("{} is empty", term.issue),
        Some(term::Value::Members(members)) => format!("{} is {}", term.issue, list(&members.values)),
        _ => further_answer(term),
    };
    terms.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn further_answer(term: &v1::Term) -> String {
    let id = &term.issue;
    match &term.value {
        Some(term::Value::Flag(flag)) => format!("{id} is {flag}"),
        Some(term::Value::Choice(option)) => format!("{id} is {option}"),
        Some(term::Value::Quantity(number)) => format!("{id} is {number}"),
        Some(term::Value::AnyOf(any)) => format!("{id} is one of {}", any.values.join(", ")),
        Some(term::Value::Range(v1::Range { min: Some(min), max: Some(max) })) => format!("{id} is {min} to {max}"),
        Some(term::Value::Partial(partial)) => {
            let verb = |members: &[String], verb: &str| {
                let is = if members.len() == 1 { "is" } else { "are" };
                (!members.is_empty()).then(|| format!("{} {is} {verb} {id}", list(members)))
            };
            let phrases = [verb(&partial.includes, "in"), verb(&partial.excludes, "not in")];
            phrases.into_iter().flatten().collect::<Vec<_>>().join(", and ")
        }
        _ => format!("{id} is settled"),
    }
}

/// Returns the id of an input, as requests write it.
pub fn input_id(scenario: &Scenario, input: InputIndex) -> String {
    scenario.inputs.get(input).map_or_else(String::new, |input| input.id.to_string())
}
