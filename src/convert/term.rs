//! Converts terms: answers to issues, and values of circumstances.
//!
//! Must not know where in a request a term is.

use crate::error::{Violations, quoted};
use crate::schema::proto::v1::{self, term};
use detente_condition::{Answer, Domain, EntryIndex, InputIndex, Value, did_you_mean};
use detente_core::scenario::Scenario;
use detente_core::scenario::model::Input;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The kind of inputs that a list of terms may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// Only issues.
    Issues,
    /// Only circumstances.
    Circumstances,
}

impl InputKind {
    fn word(self) -> &'static str {
        match self {
            InputKind::Issues => "issue",
            InputKind::Circumstances => "circumstance",
        }
    }
}

/// Finds an input by its id; adds a fault if it does not exist or is of the other kind.
pub fn to_input(
    scenario: &Scenario,
    name: &str,
    names: InputKind,
    field: &str,
    violations: &mut Violations,
) -> Option<InputIndex> {
    let found = scenario.input(name);
    match found {
        Some((input, _)) if scenario.is_issue(input) == (names == InputKind::Issues) => return Some(input),
        Some((_, _)) => {
            let (other, place) = match names {
                InputKind::Issues => ("a circumstance, not an issue", "`circumstances`"),
                InputKind::Circumstances => ("an issue, not a circumstance", "a proposal's terms or `overrides`"),
            };
            violations.add(field, format!("`{}` is {other}; put it into {place}", quoted(name)));
        }
        None if name.is_empty() => violations.add(field, format!("name the {}", names.word())),
        None => {
            let known = match names {
                InputKind::Issues => scenario.issues(),
                InputKind::Circumstances => scenario.circumstances(),
            };
            let hint = did_you_mean(violations.nearest(name, known.iter().map(|input| input.id.as_str())));
            violations.add(field, format!("there is no {} `{}`{hint}", names.word(), quoted(name)));
        }
    }
    None
}

/// Validates a list of terms, at most one for each input. Terms with a fault are left out of the result.
pub fn to_answers(
    scenario: &Scenario,
    terms: &[v1::Term],
    names: InputKind,
    field: &str,
    violations: &mut Violations,
) -> Vec<(InputIndex, Answer)> {
    let most = detente_core::scenario::limits::MAX_ISSUES;
    if terms.len() > most {
        violations.over("terms", field, format!("the list has {} terms; at most {most} are allowed", terms.len()));
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    let mut answers = Vec::with_capacity(terms.len());
    for (at, term) in terms.iter().enumerate() {
        let field = format!("{field}[{at}]");
        let input = to_input(scenario, &term.issue, names, &format!("{field}.issue"), violations);
        let Some(input) = input else {
            if term.value.is_none() {
                violations.add(field, "give the term a value");
            }
            continue;
        };
        if !seen.insert(input) {
            violations.add(
                format!("{field}.issue"),
                format!("`{}` already has a term; give at most one for each {}", term.issue, names.word()),
            );
        }
        let Some(domain) = scenario.inputs.get(input).map(|input| &input.domain) else { continue };
        if let Some(answer) = to_answer(domain, term, &field, violations) {
            answers.push((input, answer));
        }
    }
    answers
}

fn to_answer(domain: &Domain, term: &v1::Term, field: &str, violations: &mut Violations) -> Option<Answer> {
    let Some(value) = &term.value else {
        violations.add(field, format!("give the term a value; {}", expected(domain, &term.issue)));
        return None;
    };
    let mut entries = |ids: &[String], kind: &str, path: &str| {
        entries(domain, &term.issue, ids, &format!("{field}.{kind}.{path}"), violations)
    };
    let answer = match (domain, value) {
        (_, term::Value::Unsettled(v1::Unsettled {})) => Answer::Unsettled,
        (Domain::Flag, term::Value::Flag(flag)) => Answer::Exact(Value::Flag(*flag)),
        (Domain::Choice(_), term::Value::Choice(option)) => match domain.entry(option) {
            Some(option) => Answer::Exact(Value::Choice(option)),
            None => {
                let text = unknown(domain, &term.issue, option, violations);
                violations.add(format!("{field}.choice"), text);
                return None;
            }
        },
        (Domain::Choice(_), term::Value::AnyOf(v1::AnyOf { values })) => {
            if values.is_empty() {
                violations.add(format!("{field}.any_of.values"), "name at least one option");
                return None;
            }
            Answer::AnyOf(entries(values, "any_of", "values")?)
        }
        (Domain::Members(_), term::Value::Members(v1::Members { values })) => {
            Answer::Exact(Value::Members(entries(values, "members", "values")?))
        }
        (Domain::Members(_), term::Value::Partial(v1::Partial { includes, excludes })) => {
            let (inside, outside) =
                (entries(includes, "partial", "includes"), entries(excludes, "partial", "excludes"));
            let (includes, excludes) = (inside?, outside?);
            if includes & excludes != 0 {
                let both = (0u8..).zip(domain.entries()).filter(|(at, _)| (includes & excludes) >> at & 1 == 1);
                for (_, member) in both {
                    violations
                        .add(format!("{field}.partial"), format!("`{member}` cannot be both included and excluded"));
                }
                return None;
            }
            Answer::Partial { includes, excludes }
        }
        (Domain::Quantity { min, max }, term::Value::Quantity(number)) => {
            if !(min..=max).contains(&number) {
                let text = format!("{number} is outside the range of `{}`, {min} to {max}", term.issue);
                violations.add(format!("{field}.quantity"), text);
                return None;
            }
            Answer::Exact(Value::Quantity(*number))
        }
        (Domain::Quantity { min, max }, term::Value::Range(range)) => {
            let (low, high) = (range.min.unwrap_or(*min), range.max.unwrap_or(*max));
            let field = format!("{field}.range");
            if low > high {
                violations.add(field, format!("the range is inverted: {low} is above {high}"));
                return None;
            }
            if low < *min || high > *max {
                let text = format!("{low} to {high} is not within the range of `{}`, {min} to {max}", term.issue);
                violations.add(field, text);
                return None;
            }
            Answer::Range { min: low, max: high }
        }
        _ => {
            violations.add(format!("{field}.{}", field_name(value)), expected(domain, &term.issue));
            return None;
        }
    };
    Some(answer)
}

/// Returns a mask of the named options or members. Every unknown or repeated id is a fault.
fn entries(domain: &Domain, issue: &str, ids: &[String], field: &str, violations: &mut Violations) -> Option<u64> {
    if ids.len() > detente_condition::MAX_ENTRIES {
        violations
            .add(field, format!("the list has {} ids, but `{issue}` has only {}", ids.len(), domain.entries().len()));
        return None;
    }
    let (mut mask, mut whole) = (0u64, true);
    for (at, id) in ids.iter().enumerate() {
        match domain.entry(id) {
            Some(entry) if entry.is_in(mask) => {
                violations.add(format!("{field}[{at}]"), format!("`{id}` is already in the list"));
                whole = false;
            }
            Some(entry) => mask |= entry.bit(),
            None => {
                let text = unknown(domain, issue, id, violations);
                violations.add(format!("{field}[{at}]"), text);
                whole = false;
            }
        }
    }
    whole.then_some(mask)
}

fn unknown(domain: &Domain, issue: &str, id: &str, violations: &mut Violations) -> String {
    let what = if matches!(domain, Domain::Members(_)) { "member" } else { "option" };
    let hint = violations
        .nearest(id, domain.entries().iter().map(|entry| &**entry))
        .map_or_else(|| format!("; it has {}", listed(domain.entries())), |nearest| did_you_mean(Some(nearest)));
    format!("`{issue}` has no {what} `{}`{hint}", quoted(id))
}

/// Lists up to eight ids for a message, and counts the rest.
fn listed(entries: &[Arc<str>]) -> String {
    const MOST: usize = 8;
    let shown: Vec<String> = entries.iter().take(MOST).map(|entry| format!("`{entry}`")).collect();
    let more = entries.len().saturating_sub(MOST);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

fn expected(domain: &Domain, issue: &str) -> String {
    let forms = match domain {
        Domain::Flag => "a flag: answer with `flag`",
        Domain::Choice(_) => "a choice: answer with `choice` or `any_of`",
        Domain::Members(_) => "a set of members: answer with `members` or `partial`",
        Domain::Quantity { .. } => "a quantity: answer with `quantity` or `range`",
    };
    format!("`{issue}` is {forms}, or with `unsettled`")
}

fn field_name(value: &term::Value) -> &'static str {
    match value {
        term::Value::Flag(_) => "flag",
        term::Value::Choice(_) => "choice",
        term::Value::Members(_) => "members",
        term::Value::Quantity(_) => "quantity",
        term::Value::AnyOf(_) => "any_of",
        term::Value::Range(_) => "range",
        term::Value::Partial(_) => "partial",
        term::Value::Unsettled(_) => "unsettled",
    }
}

/// Converts an answer to a term.
pub fn from_answer(input: &Input, answer: &Answer) -> v1::Term {
    let value = match answer {
        Answer::Exact(value) => return from_value(input, value),
        Answer::AnyOf(options) => term::Value::AnyOf(v1::AnyOf { values: ids(&input.domain, *options) }),
        Answer::Range { min, max } => term::Value::Range(v1::Range { min: Some(*min), max: Some(*max) }),
        Answer::Partial { includes, excludes } => term::Value::Partial(v1::Partial {
            includes: ids(&input.domain, *includes),
            excludes: ids(&input.domain, *excludes),
        }),
        Answer::Unsettled => term::Value::Unsettled(v1::Unsettled {}),
    };
    v1::Term { issue: input.id.to_string(), value: Some(value) }
}

/// Converts an exact value to a term.
pub fn from_value(input: &Input, value: &Value) -> v1::Term {
    let value = match value {
        Value::Flag(flag) => term::Value::Flag(*flag),
        Value::Choice(option) => term::Value::Choice(entry_id(&input.domain, *option)),
        Value::Members(members) => term::Value::Members(v1::Members { values: ids(&input.domain, *members) }),
        Value::Quantity(number) => term::Value::Quantity(*number),
    };
    v1::Term { issue: input.id.to_string(), value: Some(value) }
}

/// Returns the ids of the options or members whose bits are set in `mask`.
pub fn ids(domain: &Domain, mask: u64) -> Vec<String> {
    let entries = (0u32..).zip(domain.entries());
    entries.filter(|(at, _)| mask.checked_shr(*at).unwrap_or(0) & 1 == 1).map(|(_, id)| id.to_string()).collect()
}

/// Returns the id of an option or member; empty if the domain does not have it.
pub fn entry_id(domain: &Domain, entry: EntryIndex) -> String {
    domain.entries().get(entry.index()).map_or_else(String::new, |id| id.to_string())
}
