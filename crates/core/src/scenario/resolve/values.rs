//! Reads values and answers, and checks them against their domains.
//!
//! Must not know of red lines or conditions.

use super::names::Unread;
use crate::scenario::diagnostics::Faults;
use crate::scenario::document::{Content, Key, Node};
use crate::scenario::model::Input;
use crate::scenario::record::Fields;
use detente_condition::{Answer, Domain, EntryIndex, InputIndex, Value};
use std::collections::BTreeMap;

/// Reads a value of the domain of an input, which is an issue or a circumstance.
pub(crate) fn value(input: &Input, node: &Node, faults: &mut Faults) -> Option<Value> {
    let (id, domain) = (&input.id, &input.domain);
    match domain {
        Domain::Flag => node.as_bool().map(Value::Flag).or_else(|| {
            faults.add(node.place, format!("`{id}` is a flag: expected true or false, found {}", node.found()));
            None
        }),
        Domain::Choice(_) => entry(input, node, "option", faults).map(Value::Choice),
        Domain::Members(_) => members(input, node, faults).map(Value::Members),
        Domain::Quantity { min, max } => {
            let Some(number) = node.as_integer() else {
                let found = node.found();
                faults.add(node.place, format!("`{id}` is a quantity: expected an integer, found {found}"));
                return None;
            };
            if !(min..=max).contains(&&number) {
                faults.add(node.place, format!("{number} is outside the range of `{id}`, {min} to {max}"));
                return None;
            }
            Some(Value::Quantity(number))
        }
    }
}

/// Reads an answer: a value, a partial answer such as `{any_of: [...]}`, or `unsettled`.
pub(crate) fn answer(input: &Input, node: &Node, faults: &mut Faults) -> Option<Answer> {
    if node.as_text() == Some("unsettled") {
        return Some(Answer::Unsettled);
    }
    let Content::Mapping(entries) = &node.content else { return value(input, node, faults).map(Answer::Exact) };
    let id = &input.id;
    match &input.domain {
        Domain::Flag => {
            faults.add(node.place, format!("`{id}` is a flag: expected true, false or `unsettled`, found a map"));
            None
        }
        Domain::Choice(_) => {
            let mut fields = Fields::open(node, "an answer to a choice", &["any_of"], faults)?;
            let options: Node = fields.required("any_of", faults)?;
            match entries_mask(input, &options, "option", faults)? {
                0 => {
                    faults.add(options.place, "`any_of` needs at least one option");
                    None
                }
                mask => Some(Answer::AnyOf(mask)),
            }
        }
        Domain::Members(_) => {
            let known = ["includes", "excludes"];
            let mut fields = Fields::open(node, "an answer to a set of members", &known, faults)?;
            let parts = known.map(|key| {
                let list: Option<Node> = fields.optional(key, faults);
                list.map_or(Some(0), |list| entries_mask(input, &list, "member", faults))
            });
            let [Some(includes), Some(excludes)] = parts else { return None };
            let entries = (0..).map(EntryIndex).zip(input.domain.entries());
            let mut in_both = entries.filter(|(entry, _)| entry.is_in(includes & excludes));
            if let Some((_, member)) = in_both.next() {
                faults.add(node.place, format!("`{member}` is both in `includes` and in `excludes`"));
                return None;
            }
            Some(Answer::Partial { includes, excludes })
        }
        Domain::Quantity { min, max } => {
            let mut fields = Fields::open(node, "an answer to a quantity", &["min", "max"], faults)?;
            let (low, high): (Option<i64>, Option<i64>) =
                (fields.optional("min", faults), fields.optional("max", faults));
            if entries.iter().any(|(key, value)| matches!(&*key.text, "min" | "max") && value.as_integer().is_none()) {
                return None;
            }
            let (low, high) = (low.unwrap_or(*min), high.unwrap_or(*max));
            if low > high {
                faults.add(node.place, format!("the range is inverted: {low} is above {high}"));
                return None;
            }
            if low < *min || high > *max {
                faults.add(node.place, format!("{low} to {high} is outside the range of `{id}`, {min} to {max}"));
                return None;
            }
            Some(Answer::Range { min: low, max: high })
        }
    }
}

fn entry(input: &Input, node: &Node, what: &str, faults: &mut Faults) -> Option<EntryIndex> {
    let Some(id) = node.as_text() else {
        let article = if what.starts_with('o') { "an" } else { "a" };
        faults.add(
            node.place,
            format!("expected the id of {article} {what} of `{}`, found {}", input.id, node.describe()),
        );
        return None;
    };
    input.domain.entry(id).or_else(|| {
        let hint = faults.hint(id, input.domain.entries().iter().map(|entry| &**entry));
        faults.add(node.place, format!("`{}` has no {what} `{id}`{hint}", input.id));
        None
    })
}

fn members(input: &Input, node: &Node, faults: &mut Faults) -> Option<u64> {
    if !matches!(node.content, Content::Sequence(_)) {
        let found = node.describe();
        let message = format!("`{}` is a set of members: expected a list (`[]` for none), found {found}", input.id);
        faults.add(node.place, message);
        return None;
    }
    entries_mask(input, node, "member", faults)
}

fn entries_mask(input: &Input, node: &Node, what: &str, faults: &mut Faults) -> Option<u64> {
    let Content::Sequence(items) = &node.content else {
        faults.add(node.place, format!("expected a list of ids, found {}", node.describe()));
        return None;
    };
    let (mut mask, mut complete) = (0u64, true);
    for item in items {
        match entry(input, item, what, faults) {
            Some(entry) if entry.is_in(mask) => {
                faults.add(item.place, format!("this {what} is listed twice"));
                complete = false;
            }
            Some(entry) => mask |= entry.bit(),
            None => complete = false,
        }
    }
    complete.then_some(mask)
}

/// Maps the ids of inputs to their positions in a list.
pub(crate) struct InputNames<'a>(BTreeMap<&'a str, usize>);

impl<'a> InputNames<'a> {
    pub(crate) fn of(inputs: &'a [Input]) -> Self {
        let named = inputs.iter().enumerate().filter(|(_, input)| !input.id.as_str().is_empty());
        Self(named.map(|(at, input)| (input.id.as_str(), at)).collect())
    }

    /// Returns the position of the input that a key names, and reports an unknown one.
    pub(crate) fn find(&self, key: &Key, what: &str, faults: &mut Faults) -> Option<usize> {
        let found = self.0.get(&*key.text).copied();
        if found.is_none() {
            let hint = faults.hint(&key.text, self.0.keys().copied());
            faults.add(key.place, format!("there is no {what} `{}`{hint}", key.text));
        }
        found
    }
}

/// Reads a map from the ids of issues, or of circumstances, to answers.
///
/// `first` is the position of the first of `inputs` in the scenario, in which circumstances follow issues.
pub(crate) fn answers_of_map(
    inputs: &[Input],
    first: usize,
    node: &Node,
    faults: &mut Faults,
) -> Vec<(InputIndex, Answer)> {
    answers(inputs, first, &InputNames::of(inputs), &Unread::default(), node, faults)
}

/// Reads a map from the ids of issues, or of circumstances, to answers.
///
/// Adds no fault for an id in `unread`: its part could not be read, and that has already been reported.
pub(crate) fn answers(
    inputs: &[Input],
    first: usize,
    names: &InputNames,
    unread: &Unread,
    node: &Node,
    faults: &mut Faults,
) -> Vec<(InputIndex, Answer)> {
    let what = if first == 0 { "issue" } else { "circumstance" };
    let Content::Mapping(entries) = &node.content else {
        faults.add(node.place, format!("expected a map from {what} to answer, found {}", node.describe()));
        return Vec::new();
    };
    let mut found = Vec::with_capacity(entries.len());
    for (key, node) in entries {
        let known = names.0.contains_key(&*key.text);
        if if known { unread.is_unread(&key.text) } else { unread.may_mean(&key.text) } {
            continue;
        }
        let Some(at) = names.find(key, what, faults) else { continue };
        let answer = inputs.get(at).and_then(|input| answer(input, node, faults));
        if let (Some(answer), Ok(position)) = (answer, u16::try_from(first + at)) {
            found.push((InputIndex(position), answer));
        }
    }
    found
}
