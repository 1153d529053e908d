//! Reads preferences and proposals, and looks up the ids in them.
//!
//! Must not know of conditions.

use super::inputs::Drafts;
use super::resolver::{InputOrGroup, Resolver, line, prose};
use super::values::{InputNames, answers, value};
use crate::scenario::diagnostics::Faults;
use crate::scenario::document::{Content, Key, Node};
use crate::scenario::format::{PreferenceEntry, ProposalEntry};
use crate::scenario::model::{Input, Preference, Proposal, Ranking, Term};
use crate::scenario::record::{At, Snake};
use detente_condition::{Domain, EntryIndex, InputIndex, Value};
use std::collections::HashSet;

/// The maximum number of values of a quantity to which a preference can give numbers (`values`).
const MAX_NUMBERS: i64 = 1_000;

impl Resolver<'_> {
    pub(super) fn preferences(&mut self, entries: Vec<PreferenceEntry>, drafts: &Drafts) -> Vec<Preference> {
        let mut preferences = Vec::with_capacity(entries.len());
        for entry in entries {
            let party = entry.party.as_ref().and_then(|id| self.party(id));
            let issue = entry.issue.as_ref().and_then(|id| self.issue(id, drafts));
            let evidence = self.evidence(entry.evidence, "a preference");
            if let (Some(_), Some(values)) = (&entry.order, &entry.values) {
                self.faults.add(values.0.place, "a preference has either `order` or `values`, not both");
                continue;
            }
            let Some((issue, input)) = issue else { continue };
            let ranking = match (&entry.order, &entry.values) {
                (Some(order), _) => self.ordinal(input, &order.0),
                (_, Some(values)) => self.cardinal(input, &values.0),
                (None, None) => self.fault(entry.place, "a preference needs either `order` or `values`"),
            };
            if let (Some(party), Some(_)) = (party, &ranking)
                && preferences.iter().any(|given: &Preference| given.party == party && given.issue == issue)
            {
                self.faults.add(entry.place, format!("this party already has a preference on `{}`", input.id));
                continue;
            }
            if let (Some(party), Some(ranking)) = (party, ranking) {
                preferences.push(Preference { party, issue, ranking, evidence });
            }
        }
        preferences
    }

    /// Resolves the id of an issue; `None` if the id is unknown or the issue could not be read.
    fn issue<'a>(&mut self, id: &At<Snake>, drafts: &'a Drafts) -> Option<(InputIndex, &'a Input)> {
        let At { place, value: Snake(name) } = id;
        let found = self.inputs.find("issue", name, *place, self.faults)?;
        if self.inputs.unread.is_unread(name) {
            return None;
        }
        let what = match found {
            InputOrGroup::Input(input) if input.index() < drafts.issue_count => {
                return Some((input, drafts.inputs.get(input.index())?));
            }
            InputOrGroup::Input(_) => "circumstance",
            InputOrGroup::Group => "group",
        };
        self.fault(*place, format!("`{name}` is a {what}, not an issue"))
    }

    fn ordinal(&mut self, input: &Input, node: &Node) -> Option<Ranking> {
        let Content::Sequence(items) = &node.content else {
            return self.fault(node.place, format!("expected a list of values, found {}", node.describe()));
        };
        let all = match &input.domain {
            Domain::Flag | Domain::Choice(_) => all_values(&input.domain),
            Domain::Members(_) | Domain::Quantity { .. } => {
                let message = format!(
                    "`order` applies to flags and choices; `{}` is of the kind `{}`",
                    input.id,
                    input.domain.kind()
                );
                return self.fault(node.place, message);
            }
        };
        let (mut order, mut complete) = (Vec::new(), true);
        for item in items {
            match value(input, item, self.faults) {
                Some(value) if order.contains(&value) => {
                    self.faults.add(item.place, "this value is listed twice");
                    complete = false;
                }
                Some(value) => order.push(value),
                None => complete = false,
            }
        }
        let missing = all.iter().find(|value| !order.contains(value));
        if let Some(missing) = missing.filter(|_| complete) {
            let message =
                format!("`order` must list every value of `{}`; `{}` is missing", input.id, word(input, missing));
            return self.fault(node.place, message);
        }
        complete.then_some(Ranking::Ordinal(order))
    }

    fn cardinal(&mut self, input: &Input, node: &Node) -> Option<Ranking> {
        let Content::Mapping(entries) = &node.content else {
            let message = format!("expected a map from values to numbers, found {}", node.describe());
            return self.fault(node.place, message);
        };
        let many = matches!(&input.domain, Domain::Quantity { min, max } if max.saturating_sub(*min) >= MAX_NUMBERS);
        if many || matches!(input.domain, Domain::Members(_)) {
            let message = format!(
                "`values` applies to flags, choices and quantities of at most {MAX_NUMBERS} values, not to `{}`",
                input.id
            );
            return self.fault(node.place, message);
        }
        let (mut values, mut complete) = (Vec::with_capacity(entries.len()), true);
        for (key, number) in entries {
            let named = named_value(input, key, self.faults);
            if number.as_number().is_none() {
                let message = format!("expected a number like 0.5, found {}", number.found());
                self.faults.add(number.place, message);
            }
            match (named, number.as_number()) {
                (Some(named), Some(number)) => values.push((named, number)),
                _ => complete = false,
            }
        }
        let given: HashSet<Value> = values.iter().map(|(value, _)| *value).collect();
        let missing = all_values(&input.domain).into_iter().find(|value| !given.contains(value));
        if let Some(missing) = missing.filter(|_| complete) {
            let message = format!("every value of `{}` needs a number; `{}` has none", input.id, word(input, &missing));
            return self.fault(node.place, message);
        }
        complete.then_some(Ranking::Cardinal(values))
    }

    pub(super) fn proposals(&mut self, entries: Vec<ProposalEntry>, drafts: &Drafts) -> Vec<Proposal> {
        let mut proposals = Vec::with_capacity(entries.len());
        let issues = drafts.inputs.get(..drafts.issue_count).unwrap_or_default();
        let names = InputNames::of(issues);
        let ids: Vec<_> = entries.iter().map(|entry| entry.id.clone()).collect();
        let ids = self.proposal_ids(ids);
        for (entry, id) in entries.into_iter().zip(ids) {
            let terms = entry.terms.as_ref();
            let terms = terms.map(|terms| answers(issues, 0, &names, &self.inputs.unread, &terms.0, self.faults));
            let terms = terms.unwrap_or_default().into_iter().map(|(issue, answer)| Term { issue, answer });
            let rows = self.strings(entry.rows, entry.place);
            proposals.push(Proposal {
                id,
                title: line(entry.title),
                description: prose(entry.description),
                terms: terms.collect(),
                rows,
            });
        }
        proposals
    }
}

/// Lists every value of a flag, choice or quantity; empty for a set of members.
fn all_values(domain: &Domain) -> Vec<Value> {
    match domain {
        Domain::Flag => vec![Value::Flag(false), Value::Flag(true)],
        Domain::Choice(options) => {
            (0..).map(EntryIndex).zip(&**options).map(|(option, _)| Value::Choice(option)).collect()
        }
        Domain::Quantity { min, max } => (*min..=*max).map(Value::Quantity).collect(),
        Domain::Members(_) => Vec::new(),
    }
}

/// Returns a value as it is written in a file.
fn word(input: &Input, value: &Value) -> String {
    match value {
        Value::Flag(flag) => flag.to_string(),
        Value::Choice(option) => {
            input.domain.entries().get(option.index()).map_or_else(String::new, |option| option.to_string())
        }
        Value::Quantity(number) => number.to_string(),
        Value::Members(members) => format!("{members:b}"),
    }
}

/// Reads the value that a key of `values` names.
fn named_value(input: &Input, key: &Key, faults: &mut Faults) -> Option<Value> {
    let found = match &input.domain {
        Domain::Flag => match &*key.text {
            "true" => Some(Value::Flag(true)),
            "false" => Some(Value::Flag(false)),
            _ => None,
        },
        // Only the canonical notation of a number is accepted, so that two keys never name the same value.
        Domain::Quantity { min, max } => {
            let number: Option<i64> = key.text.parse().ok().filter(|number: &i64| number.to_string() == *key.text);
            number.filter(|number| (min..=max).contains(&number)).map(Value::Quantity)
        }
        Domain::Choice(_) | Domain::Members(_) => input.domain.entry(&key.text).map(Value::Choice),
    };
    if found.is_none() {
        let hint = faults.hint(&key.text, input.domain.entries().iter().map(|entry| &**entry));
        faults.add(key.place, format!("`{}` has no value `{}`{hint}", input.id, key.text));
    }
    found
}
