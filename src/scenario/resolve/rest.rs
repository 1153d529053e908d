//! Preferences and proposals.

use super::inputs::Drafts;
use super::values::{Names, answers, unknown_entry, value};
use super::{Resolver, line, prose};
use crate::condition::{Domain, InputId, Value};
use crate::scenario::diagnostics::Faults;
use crate::scenario::document::{Content, Key, Node};
use crate::scenario::format::{PreferenceEntry, ProposalEntry};
use crate::scenario::model::{Input, Preference, Proposal, Ranking, Term};

impl Resolver<'_> {
    pub(super) fn preferences(&mut self, entries: Vec<PreferenceEntry>, inputs: &[Input]) -> Vec<Preference> {
        let mut preferences = Vec::with_capacity(entries.len());
        for entry in entries {
            let party = entry.party.as_ref().and_then(|id| self.party(id));
            let issue = entry.issue.as_ref().and_then(|id| {
                let found = self.inputs.find("issue", &id.value.0, id.place, self.faults)?;
                if inputs.get(found).is_none() {
                    return self.fault(id.place, format!("`{}` is a group, not an issue", id.value.0));
                }
                Some((u16::try_from(found).ok()?, id))
            });
            let evidence = self.evidence(entry.evidence, "a preference");
            let Some((at, id)) = issue else { continue };
            let Some(input) = inputs.get(usize::from(at)).filter(|_| !self.unreadable.contains(&id.value.0)) else {
                continue;
            };
            let ranking = match (&entry.order, &entry.values) {
                (Some(order), None) => self.ordinal(input, order),
                (None, Some(values)) => self.cardinal(input, values),
                (Some(_), Some(values)) => {
                    self.fault(values.place, "a preference gives an `order` or `values`, not both")
                }
                (None, None) => self.fault(entry.place, "a preference needs an `order` or `values`"),
            };
            if let (Some(party), Some(ranking)) = (party, ranking) {
                preferences.push(Preference { party, issue: InputId(at), ranking, evidence });
            }
        }
        preferences
    }

    fn ordinal(&mut self, input: &Input, node: &Node) -> Option<Ranking> {
        let Content::Sequence(items) = &node.content else {
            return self.fault(node.place, format!("a list of values is expected here, not {}", node.describe()));
        };
        let expected = match &input.domain {
            Domain::Flag => 2,
            Domain::Choice(options) => options.len(),
            Domain::Members(_) | Domain::Quantity { .. } => {
                return self.fault(
                    node.place,
                    format!("an order is for flags and choices; `{}` is {}", input.id, input.domain.kind()),
                );
            }
        };
        let mut order: Vec<Value> = Vec::new();
        for item in items {
            let value = value(input, item, self.faults)?;
            if order.contains(&value) {
                return self.fault(item.place, "this is named already");
            }
            order.push(value);
        }
        if order.len() != expected {
            let message =
                format!("the order names {} of the {expected} values of `{}`; name all", order.len(), input.id);
            return self.fault(node.place, message);
        }
        Some(Ranking::Ordinal(order))
    }

    fn cardinal(&mut self, input: &Input, node: &Node) -> Option<Ranking> {
        let Content::Mapping(entries) = &node.content else {
            return self
                .fault(node.place, format!("a map from values to numbers is expected here, not {}", node.describe()));
        };
        let all: Vec<Value> = match &input.domain {
            Domain::Flag => vec![Value::Flag(false), Value::Flag(true)],
            Domain::Choice(options) => (0u8..).zip(options).map(|(at, _)| Value::Choice(at)).collect(),
            Domain::Quantity { min, max } if max.saturating_sub(*min) < 1_000 => {
                (*min..=*max).map(Value::Quantity).collect()
            }
            Domain::Quantity { .. } | Domain::Members(_) => {
                let message = format!(
                    "numbers are for flags, choices and quantities of at most 1,000 values, not for `{}`",
                    input.id
                );
                return self.fault(node.place, message);
            }
        };
        let mut values = Vec::new();
        for (key, number) in entries {
            let named = named_value(input, key, self.faults)?;
            let Some(number) = number.as_number() else {
                return self.fault(number.place, format!("a number is expected here, not {}", number.describe()));
            };
            values.push((named, number));
        }
        if let Some(missing) = all.iter().find(|value| !values.iter().any(|(named, _)| named == *value)) {
            return self.fault(
                node.place,
                format!("a number for every value of `{}` is needed; {missing:?} has none", input.id),
            );
        }
        Some(Ranking::Cardinal(values))
    }

    pub(super) fn proposals(&mut self, entries: Vec<ProposalEntry>, drafts: &Drafts) -> Vec<Proposal> {
        let mut proposals = Vec::with_capacity(entries.len());
        let issues = drafts.inputs.get(..drafts.issue_count).unwrap_or_default();
        let names = Names::of(issues);
        let ids: Vec<_> = entries.iter().map(|entry| entry.id.clone()).collect();
        let ids = self.proposal_ids(ids);
        for (entry, id) in entries.into_iter().zip(ids) {
            let terms = entry.terms.as_ref();
            let terms = terms.map(|node| answers(issues, 0, &names, &self.unreadable, node, self.faults));
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

fn named_value(input: &Input, key: &Key, faults: &mut Faults) -> Option<Value> {
    let found = match &input.domain {
        Domain::Flag => match key.text.as_str() {
            "true" => Some(Value::Flag(true)),
            "false" => Some(Value::Flag(false)),
            _ => None,
        },
        Domain::Quantity { min, max } => {
            key.text.parse().ok().filter(|number| (min..=max).contains(&number)).map(Value::Quantity)
        }
        _ => input.domain.entry(&key.text).map(Value::Choice),
    };
    if found.is_none() {
        faults.add(key.place, unknown_entry(input, "value", &key.text));
    }
    found
}
