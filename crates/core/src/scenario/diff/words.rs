//! Writes values, answers and spans in the words of the file format, with ids in place of positions.
//!
//! Must not know of parts or changes.

use crate::scenario::model::{Beginning, Dated, EvidenceKind, Ranking, Role, Span};
use detente_condition::{Answer, Domain, EntryIndex, Value};
use jiff::civil::Date;

pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Principal => "principal",
        Role::ThirdParty => "third_party",
    }
}

pub(super) fn evidence_kind(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::OnRecord => "on_record",
        EvidenceKind::Attributed => "attributed",
        EvidenceKind::Reported => "reported",
        EvidenceKind::Assessed => "assessed",
    }
}

pub(super) fn date(date: Option<Date>) -> String {
    date.map_or_else(String::new, |date| date.to_string())
}

pub(super) fn number(number: Option<f64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

/// Writes a span, such as "from 2025-03-06 (first recorded) until 2025-03-14".
pub(super) fn span(span: &Span) -> String {
    let Span { from, beginning, until } = span;
    let how = match beginning {
        Beginning::Stated => "stated",
        Beginning::FirstRecorded => "first recorded",
    };
    let until = until.map_or_else(String::new, |until| format!(" until {until}"));
    format!("from {from} ({how}){until}")
}

pub(super) fn dated(domain: &Domain, dated: &Dated) -> String {
    let Dated { from, value: held } = dated;
    let from = from.map_or_else(String::new, |from| format!(" from {from}"));
    format!("{}{from}", value(domain, held))
}

pub(super) fn value(domain: &Domain, value: &Value) -> String {
    match value {
        Value::Flag(flag) => flag.to_string(),
        Value::Choice(option) => entry(domain, *option),
        Value::Members(members) => entries(domain, *members),
        Value::Quantity(number) => number.to_string(),
    }
}

pub(super) fn answer(domain: &Domain, answer: &Answer) -> String {
    match answer {
        Answer::Exact(exact) => value(domain, exact),
        Answer::AnyOf(options) => format!("one of {}", entries(domain, *options)),
        Answer::Range { min, max } => format!("{min} to {max}"),
        Answer::Partial { includes, excludes } => {
            format!("in: {}; out: {}", entries(domain, *includes), entries(domain, *excludes))
        }
        Answer::Unsettled => "unsettled".to_owned(),
    }
}

/// Writes a ranking as its key, `order` or `values`, and a list of entries.
///
/// An order is written as a single entry, because it is one statement. For `values`, each number is an entry.
pub(super) fn ranking(domain: &Domain, ranking: &Ranking) -> (&'static str, Vec<String>) {
    match ranking {
        Ranking::Ordinal(order) => {
            let order: Vec<String> = order.iter().map(|item| value(domain, item)).collect();
            ("order", vec![order.join(" > ")])
        }
        Ranking::Cardinal(values) => {
            ("values", values.iter().map(|(item, number)| format!("{}: {number}", value(domain, item))).collect())
        }
    }
}

/// Writes the id of an option or member.
fn entry(domain: &Domain, entry: EntryIndex) -> String {
    domain.entries().get(entry.index()).map_or_else(String::new, |id| id.to_string())
}

/// Writes options or members in the order of their ids, because the order of the domain may change.
fn entries(domain: &Domain, mask: u64) -> String {
    let all = (0..).map(EntryIndex).zip(domain.entries());
    let mut ids: Vec<&str> = all.filter(|(entry, _)| entry.is_in(mask)).map(|(_, id)| &**id).collect();
    ids.sort_unstable();
    if ids.is_empty() { "(none)".to_owned() } else { ids.join(", ") }
}
