//! The result of `detente diff` as JSON. `detente diff --help` documents the keys, and programs rely on them.

use crate::cli::commands::diff::difference::Difference;
use crate::cli::commands::diff::verdicts::{Finding, Outlook, Pair, Proposal};
use crate::cli::commands::diff::version::Version;
use detente_core::scenario::diff::{Change, Content, Meaning, Part, Stated, What};
use serde_json::{Map, Value, json};

/// The differences between two versions as JSON, with their effect on the reference proposals.
pub(super) fn of(difference: &Difference) -> Value {
    let Difference { before, after, changes, verdicts } = difference;
    json!({
        "before": version(before),
        "after": version(after),
        "changes": changes.iter().map(change).collect::<Vec<_>>(),
        "verdicts": {
            "unchanged": verdicts.unchanged,
            "proposals": verdicts.proposals.iter().map(proposal).collect::<Vec<_>>(),
        },
    })
}

fn version(version: &Version) -> Value {
    let scenario = &version.scenario;
    json!({
        "scenario": format!("scenarios/{}", scenario.id),
        "revision": scenario.revision.as_str(),
        "asOf": scenario.as_of.to_string(),
    })
}

fn change(change: &Change) -> Value {
    let place = &change.place;
    let path: Vec<Value> = place.path.iter().map(|step| json!({ "list": step.list, "id": step.id })).collect();
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("section", json!(place.section.key()));
    put("path", json!(path));
    put("field", json!(place.field));
    match &change.what {
        What::Added(added) => {
            put("change", json!("added"));
            put("part", part(added));
        }
        What::Removed(removed) => {
            put("change", json!("removed"));
            put("part", part(removed));
        }
        What::Word { before, after } | What::Text { before, after } => {
            put("change", json!("changed"));
            put("before", json!(before));
            put("after", json!(after));
        }
        What::Entries { removed, added } => {
            put("change", json!("entries"));
            put("removed", json!(removed));
            put("added", json!(added));
        }
        What::Reordered { before, after } => {
            put("change", json!("reordered"));
            put("before", json!(before));
            put("after", json!(after));
        }
        What::Condition { before, after, meaning } => {
            put("change", json!("condition"));
            put("before", stated(before));
            put("after", stated(after));
            put("meaning", json!(meaning.map(meaning_word)));
        }
    }
    Value::Object(object)
}

fn meaning_word(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::Same => "same",
        Meaning::More => "more",
        Meaning::Fewer => "fewer",
        Meaning::Other => "other",
    }
}

fn stated(stated: &Stated) -> Value {
    json!({ stated.key: stated.text })
}

/// A part as an object with the keys of the file format, without empty fields.
fn part(part: &Part) -> Value {
    let mut object = Map::new();
    if !part.id.is_empty() {
        object.insert("id".to_owned(), json!(part.id));
    }
    for field in part.fields.iter().filter(|field| !field.content.is_empty()) {
        let (key, value) = match &field.content {
            Content::Word(text) | Content::Text(text) => (field.key, json!(text)),
            Content::List(entries) => (field.key, json!(entries)),
            Content::Condition { stated, .. } => (stated.key, json!(stated.text)),
            Content::Parts(parts) => (field.key, parts.iter().map(self::part).collect()),
        };
        object.insert(key.to_owned(), value);
    }
    Value::Object(object)
}

fn proposal(proposal: &Proposal) -> Value {
    let verdict = |verdict: &Outlook| json!({ "verdict": key(verdict.is), "couldBecome": key(verdict.could_become) });
    json!({
        "proposal": proposal.id,
        "before": proposal.before.as_ref().map(verdict),
        "after": proposal.after.as_ref().map(verdict),
        "stances": proposal.stances.iter().map(|pair| both("party", pair, stance)).collect::<Vec<_>>(),
        "redLines": proposal.red_lines.iter().map(|pair| both("redLine", pair, finding)).collect::<Vec<_>>(),
    })
}

fn both<T>(key: &str, pair: &Pair<T>, text: impl Fn(&T) -> Value) -> Value {
    json!({ key: pair.id, "before": pair.before.as_ref().map(&text), "after": pair.after.as_ref().map(&text) })
}

/// Converts the words of a verdict, stance or status to the form that the JSON uses, like `may_resist`.
fn key(words: &str) -> String {
    words.replace(' ', "_")
}

fn stance(stance: &Outlook) -> Value {
    json!({ "stance": key(stance.is), "couldBecome": key(stance.could_become) })
}

fn finding(finding: &Finding) -> Value {
    match finding.firmness {
        "" => json!({ "status": key(finding.status) }),
        firmness => json!({
            "status": key(finding.status),
            "firmness": firmness,
            "firmnessAtWorst": finding.firmness_at_worst,
        }),
    }
}
