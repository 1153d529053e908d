//! Compares the descriptions of two scenarios, part by part.
//!
//! A part is, for example, a party, a red line or a piece of evidence. Its partner is the part of the other scenario
//! with which it is compared. Must not know of the scenario model except for the meanings of conditions.

use super::change::{Change, Meaning, Place, Step, What};
use super::describe;
use super::meaning::{self, ScenarioFormula};
use super::part::{Content, Field, Part, Section, Stated};
use crate::scenario::model::Scenario;
use detente_condition::Formula;
use std::collections::HashMap;

/// The fields that can name a piece of evidence, which has no id.
const ROW: &str = "row";
const SPEAKER: &str = "speaker";
const SOURCE: &str = "source";

pub(super) fn scenarios(before: &Scenario, after: &Scenario) -> Vec<Change> {
    let mut comparison =
        Comparison { before, after, section: Section::Scenario, path: Vec::new(), changes: Vec::new() };
    for ((section, ours), (_, theirs)) in describe::sections(before).iter().zip(&describe::sections(after)) {
        comparison.section = section.to_owned();
        comparison.parts(section.key(), None, ours, theirs);
    }
    comparison.changes
}

struct Comparison<'a> {
    before: &'a Scenario,
    after: &'a Scenario,
    section: Section,
    path: Vec<Step>,
    changes: Vec<Change>,
}

impl Comparison<'_> {
    fn add(&mut self, field: Option<&'static str>, what: What) {
        let place = Place { section: self.section, path: self.path.clone(), field };
        self.changes.push(Change { place, what });
    }

    /// Runs a comparison with the path extended by one step.
    fn within(&mut self, list: &'static str, id: String, then: impl FnOnce(&mut Self)) {
        // The fields of the scenario itself are not an entry of a list.
        let is_entry = self.section != Section::Scenario;
        if is_entry {
            self.path.push(Step { list, id });
        }
        then(self);
        if is_entry {
            self.path.pop();
        }
    }

    /// Compares two lists of parts. `field` is the key of the list if the list is a field of a part.
    fn parts(&mut self, list: &'static str, field: Option<&'static str>, before: &[Part], after: &[Part]) {
        let partners = if list == "evidence" { by_similarity(before, after) } else { by_id(before, after) };
        for (theirs, partner) in after.iter().zip(&partners) {
            match partner.and_then(|ours| before.get(ours)) {
                Some(ours) => {
                    self.within(list, common_name(ours, theirs), |this| this.fields(&ours.fields, &theirs.fields))
                }
                None => self.within(list, name(theirs), |this| this.add(None, What::Added(theirs.clone()))),
            }
        }
        let mut matched = vec![false; before.len()];
        for ours in partners.iter().flatten() {
            if let Some(matched) = matched.get_mut(*ours) {
                *matched = true;
            }
        }
        for (ours, _) in before.iter().zip(&matched).filter(|(_, matched)| !**matched) {
            self.within(list, name(ours), |this| this.add(None, What::Removed(ours.clone())));
        }
        let order: Vec<usize> = partners.into_iter().flatten().collect();
        if !order.is_sorted() {
            let named = |order: &[usize]| order.iter().filter_map(|at| before.get(*at)).map(name).collect();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            self.add(field, What::Reordered { before: named(&sorted), after: named(&order) });
        }
    }

    /// Compares two descriptions of one part. A field that one description lacks counts as empty.
    fn fields(&mut self, before: &[Field], after: &[Field]) {
        for theirs in after {
            let ours = before.iter().find(|ours| ours.key == theirs.key);
            self.contents(theirs.key, ours.map(|ours| &ours.content), Some(&theirs.content));
        }
        for ours in before.iter().filter(|ours| after.iter().all(|theirs| theirs.key != ours.key)) {
            self.contents(ours.key, Some(&ours.content), None);
        }
    }

    fn contents(&mut self, key: &'static str, before: Option<&Content>, after: Option<&Content>) {
        use Content::{Condition, List, Parts, Text, Word};
        match (before, after) {
            (Some(Word(_)), _) | (_, Some(Word(_))) => {
                let (before, after) = (text_of(before), text_of(after));
                if before != after {
                    self.add(Some(key), What::Word { before, after });
                }
            }
            (Some(Text(_)), _) | (_, Some(Text(_))) => {
                let (before, after) = (text_of(before), text_of(after));
                if before != after {
                    self.add(Some(key), What::Text { before, after });
                }
            }
            (Some(List(_)), _) | (_, Some(List(_))) => self.entries(key, entries(before), entries(after)),
            (Some(Parts(_)), _) | (_, Some(Parts(_))) => self.parts(key, Some(key), parts(before), parts(after)),
            (
                Some(Condition { stated: before, formula: meant_before }),
                Some(Condition { stated: after, formula: meant_after }),
            ) => self.condition(key, (before, meant_before), (after, meant_after)),
            // INVARIANT: parts of one kind have the same conditions, so that neither description lacks one.
            (Some(Condition { .. }), None) | (None, Some(Condition { .. }) | None) => {}
        }
    }

    fn entries(&mut self, key: &'static str, before: &[String], after: &[String]) {
        let (removed, kept_before) = split(before, after);
        let (added, kept_after) = split(after, before);
        if !removed.is_empty() || !added.is_empty() {
            self.add(Some(key), What::Entries { removed, added });
        }
        if kept_before != kept_after {
            self.add(Some(key), What::Reordered { before: kept_before, after: kept_after });
        }
    }

    fn condition(&mut self, key: &'static str, before: (&Stated, &Formula), after: (&Stated, &Formula)) {
        let ((before, meant_before), (after, meant_after)) = (before, after);
        let meaning = meaning::compare(
            ScenarioFormula { scenario: self.before, formula: meant_before },
            ScenarioFormula { scenario: self.after, formula: meant_after },
        );
        // An unchanged text changes its meaning if the members of a group change. If the options of an issue change,
        // the meanings cannot be compared (`None`), and the change is reported at the issue.
        let same_text = before == after;
        if same_text && matches!(meaning, None | Some(Meaning::Same)) {
            return;
        }
        self.add(Some(key), What::Condition { before: before.clone(), after: after.clone(), meaning });
    }
}

/// Returns the content of a word or text; empty for any other content.
fn text_of(content: Option<&Content>) -> String {
    match content {
        Some(Content::Word(text) | Content::Text(text)) => text.clone(),
        _ => String::new(),
    }
}

fn entries(content: Option<&Content>) -> &[String] {
    if let Some(Content::List(entries)) = content { entries } else { &[] }
}

fn parts(content: Option<&Content>) -> &[Part] {
    if let Some(Content::Parts(parts)) = content { parts } else { &[] }
}

/// Splits entries into those that `others` lacks and those that both lists have. Both results keep the order.
///
/// Duplicates count separately.
fn split(entries: &[String], others: &[String]) -> (Vec<String>, Vec<String>) {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    others.iter().for_each(|other| *counts.entry(other).or_default() += 1);
    let (mut only, mut both) = (Vec::new(), Vec::new());
    for entry in entries {
        match counts.get_mut(entry.as_str()).filter(|count| **count > 0) {
            Some(count) => {
                *count -= 1;
                both.push(entry.clone());
            }
            None => only.push(entry.clone()),
        }
    }
    (only, both)
}

/// Returns, for each part of `after`, the position of its partner in `before`: the part with the same id.
///
/// Parts that share an id are paired in their order.
fn by_id(before: &[Part], after: &[Part]) -> Vec<Option<usize>> {
    let mut positions: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, part) in before.iter().enumerate().rev() {
        positions.entry(&part.id).or_default().push(at);
    }
    after.iter().map(|part| positions.get_mut(part.id.as_str())?.pop()).collect()
}

/// Returns, for each piece of evidence of `after`, the position of its partner in `before`.
///
/// Evidence has no ids. The most similar pieces are paired first, and pieces that are too different are not paired. The
/// pairs do not depend on which scenario is called `before`.
fn by_similarity(before: &[Part], after: &[Part]) -> Vec<Option<usize>> {
    let mut candidates = Vec::new();
    for (ours, piece) in before.iter().enumerate() {
        for (theirs, other) in after.iter().enumerate() {
            let similarity = similarity(piece, other);
            if similarity >= MIN_SIMILARITY {
                // Among equally similar pairs, the pair that moved less comes first; the sum makes the order symmetric.
                candidates.push((std::cmp::Reverse(similarity), ours.abs_diff(theirs), ours + theirs, ours, theirs));
            }
        }
    }
    candidates.sort_unstable();
    let mut taken = vec![false; before.len()];
    let mut partners = vec![None; after.len()];
    for (_, _, _, ours, theirs) in candidates {
        if let (Some(taken @ false), Some(partner @ None)) = (taken.get_mut(ours), partners.get_mut(theirs)) {
            (*taken, *partner) = (true, Some(ours));
        }
    }
    partners
}

/// The least similarity at which two pieces of evidence are paired: that of an equal speaker and an equal source.
const MIN_SIMILARITY: u32 = 3;

/// Returns the total weight of the fields on which two pieces of evidence agree; the maximum if they are equal.
fn similarity(one: &Part, other: &Part) -> u32 {
    if one == other {
        return u32::MAX;
    }
    let weights = [(ROW, 4), ("statement", 4), ("quote", 3), (SPEAKER, 2), (SOURCE, 1), ("date", 1)];
    let agree = |key: &str| field(one, key).is_some_and(|said| field(other, key) == Some(said));
    weights.into_iter().filter(|(key, _)| agree(key)).map(|(_, weight)| weight).sum()
}

/// Returns the content of a field that is a word or text and not empty.
fn field<'a>(part: &'a Part, key: &str) -> Option<&'a str> {
    part.fields.iter().find(|field| field.key == key).and_then(|field| match &field.content {
        Content::Word(text) | Content::Text(text) => Some(text.as_str()).filter(|text| !text.is_empty()),
        _ => None,
    })
}

/// Returns the name of a part: its id or, for evidence, its row, speaker or source.
fn name(part: &Part) -> String {
    common_name(part, part)
}

/// Returns the name of a part: its id or, for evidence, the row, speaker or source on which both versions agree.
fn common_name(before: &Part, after: &Part) -> String {
    if !after.id.is_empty() {
        return after.id.clone();
    }
    let agreed = |key: &&str| field(before, key).is_some_and(|said| field(after, key) == Some(said));
    let key = [ROW, SPEAKER, SOURCE].into_iter().find(|key| agreed(key));
    key.and_then(|key| field(after, key)).unwrap_or_default().to_owned()
}
