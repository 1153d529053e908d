//! Reads red lines, waivers, constraints and cautions into drafts, whose conditions are not compiled yet.
//!
//! Must not know of the compiled form of a condition.

use super::resolver::{Resolver, line, prose};
use crate::scenario::budget::Owner;
use crate::scenario::condition_text::Cel;
use crate::scenario::diagnostics::Place;
use crate::scenario::format::{CautionEntry, ConstraintEntry, RedLineEntry, WaiverEntry};
use crate::scenario::ids::{CautionId, ConstraintId, ProposalId, RedLineId, WaiverId};
use crate::scenario::index::PartyIndex;
use crate::scenario::limits;
use crate::scenario::model::{Evidence, Firmness, Polarity, Span};
use crate::scenario::record::{At, Kebab, Probability};
use detente_condition::Formula;
use std::collections::HashMap;
use std::sync::Arc;

/// A condition that is read but not compiled, with its place in the file.
pub(super) struct DraftCondition {
    pub(super) text: String,
    pub(super) place: Place,
    pub(super) formula: Formula,
    /// The part to which the condition belongs.
    pub(super) owner: Owner,
}

/// A red line whose condition is not compiled yet. Fields that could not be read are `None`.
pub(super) struct DraftLine {
    pub(super) id: RedLineId,
    pub(super) party: Option<PartyIndex>,
    pub(super) title: String,
    pub(super) polarity: Polarity,
    pub(super) condition: Option<DraftCondition>,
    pub(super) firmness: Option<Firmness>,
    pub(super) held: Vec<Span>,
    pub(super) held_place: Option<Place>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) waivers: Vec<DraftWaiver>,
    pub(super) binding_probability: Option<f64>,
}

pub(super) struct DraftWaiver {
    pub(super) id: WaiverId,
    /// The place of the waiver's own spans, readable or not; `None` if it has none.
    pub(super) held_place: Option<Place>,
    pub(super) place: Place,
    pub(super) title: String,
    pub(super) when: Option<DraftCondition>,
    pub(super) firmness: Option<Firmness>,
    pub(super) held: Vec<Span>,
    pub(super) evidence: Vec<Evidence>,
}

pub(super) struct DraftConstraint {
    pub(super) id: ConstraintId,
    pub(super) title: String,
    pub(super) forbids: Option<DraftCondition>,
}

pub(super) struct DraftCaution {
    pub(super) id: CautionId,
    pub(super) text: String,
    pub(super) when: Option<DraftCondition>,
    pub(super) evidence: Vec<Evidence>,
}

/// The ids of one list, with the place of the first use of each.
struct Unique {
    what: &'static str,
    seen: HashMap<String, Place>,
}

impl Unique {
    fn new(what: &'static str) -> Self {
        Self { what, seen: HashMap::new() }
    }
}

impl Resolver<'_> {
    /// Returns the text of an id, and reports an id that the same list uses already.
    fn unique(&mut self, id: Option<At<Kebab>>, unique: &mut Unique) -> Arc<str> {
        let Some(At { place, value: Kebab(id) }) = id else { return "".into() };
        match unique.seen.get(&id) {
            Some(first) => {
                let message = format!("the id `{id}` is already used by another {}", unique.what);
                self.faults.add_with_other(place, message, *first, "first used here");
            }
            None => {
                unique.seen.insert(id.clone(), place);
            }
        }
        id.into()
    }

    fn draft(&mut self, cel: Option<Cel>, owner: Owner) -> Option<DraftCondition> {
        let cel = cel?;
        let formula = self.formula(&cel, &owner)?;
        Some(DraftCondition { text: on_one_line(cel.text()), place: cel.node.place, formula, owner })
    }

    pub(super) fn red_lines(&mut self, entries: Vec<RedLineEntry>) -> Vec<DraftLine> {
        let mut unique = Unique::new("red line");
        entries.into_iter().map(|entry| self.red_line(entry, &mut unique)).collect()
    }

    fn red_line(&mut self, entry: RedLineEntry, unique: &mut Unique) -> DraftLine {
        let start = Place { start: entry.place.start, end: entry.place.start + 1 };
        match (&entry.rejects, &entry.requires) {
            (Some(_), Some(requires)) => {
                let message = "a red line has either `rejects` or `requires`, not both";
                self.faults.add(requires.node.place, message);
            }
            // A condition that could not be read has been reported already.
            (None, None) if entry.unread.iter().any(|key| matches!(*key, "rejects" | "requires")) => {}
            (None, None) => self.faults.add(start, "a red line needs a condition: `rejects` or `requires`"),
            _ => {}
        }
        let id = RedLineId::new(self.unique(entry.id, unique));
        let polarity = if entry.requires.is_some() { Polarity::Requires } else { Polarity::Rejects };
        let owner = Owner::red_line(id.as_str());
        let condition = match (entry.rejects, entry.requires) {
            // It is unknown which of the two is meant, but each is still checked for faults.
            (rejects @ Some(_), requires @ Some(_)) => {
                let _ = (self.draft(rejects, owner.clone()), self.draft(requires, owner.clone()));
                None
            }
            (rejects, requires) => self.draft(rejects.or(requires), owner.clone()),
        };
        let held_place = entry.held.as_ref().map(|held| held.place);
        let held = self.spans(entry.held, "a red line");
        let firmness = entry.firmness.map(|firmness| firmness.value);
        let mut unique = Unique::new("waiver");
        let waivers = self.list(entry.waivers, "waivers", limits::MAX_WAIVERS);
        let of_line = (&*held, held_place, &owner);
        let waivers = waivers.into_iter().map(|waiver| self.waiver(waiver, firmness, of_line, &mut unique));
        let waivers = waivers.collect();
        DraftLine {
            id,
            party: entry.party.and_then(|party| self.party(&party)),
            title: line(entry.title),
            polarity,
            condition,
            firmness,
            evidence: self.evidence(entry.evidence, "a red line"),
            held,
            held_place,
            waivers,
            binding_probability: entry.binding_probability.map(|Probability(probability)| probability),
        }
    }

    fn waiver(
        &mut self,
        entry: WaiverEntry,
        unwaived: Option<Firmness>,
        (line_held, line_held_place, owner): (&[Span], Option<Place>, &Owner),
        unique: &mut Unique,
    ) -> DraftWaiver {
        if let (Some(firmness), Some(unwaived)) = (&entry.firmness, unwaived)
            && firmness.value >= unwaived
        {
            let (waived, unwaived) = (firmness.value.word(), unwaived.word());
            let message = format!(
                "the waiver lowers nothing: its firmness, {waived}, is not lower than the red line's, {unwaived}"
            );
            self.faults.add(firmness.place, message);
        }
        let unreadable = entry.unread.contains(&"held").then_some(entry.place);
        let held_place = entry.held.as_ref().map(|held| held.place).or(unreadable);
        let held = self.spans(entry.held, "a waiver");
        let meets = |span: &Span| line_held.iter().any(|line| overlap(line, span));
        if let Some(place) = held_place
            && !held.is_empty()
            && !line_held.is_empty()
            && !held.iter().any(meets)
            // Spans that could not be read may be the ones that overlap.
            && !self.faults.any_within_some([held_place, line_held_place])
        {
            self.faults.add(place, "the waiver is never in force while the red line is held");
        }
        DraftWaiver {
            id: WaiverId::new(self.unique(entry.id, unique)),
            held_place,
            place: entry.place,
            title: line(entry.title),
            when: self.draft(entry.when, owner.clone()),
            firmness: entry.firmness.map(|firmness| firmness.value),
            held,
            evidence: self.evidence(entry.evidence, "a waiver"),
        }
    }

    pub(super) fn constraints(&mut self, entries: Vec<ConstraintEntry>) -> Vec<DraftConstraint> {
        let mut unique = Unique::new("constraint");
        let drafts = entries.into_iter().map(|entry| {
            let id = ConstraintId::new(self.unique(entry.id, &mut unique));
            let forbids = self.draft(entry.forbids, Owner::new("constraint", id.as_str()));
            DraftConstraint { id, title: line(entry.title), forbids }
        });
        drafts.collect()
    }

    pub(super) fn cautions(&mut self, entries: Vec<CautionEntry>) -> Vec<DraftCaution> {
        let mut unique = Unique::new("caution");
        let drafts = entries.into_iter().map(|entry| {
            let id = CautionId::new(self.unique(entry.id, &mut unique));
            let when = self.draft(entry.when, Owner::new("caution", id.as_str()));
            let evidence = self.evidence(entry.evidence, "a caution");
            DraftCaution { id, text: prose(entry.text), when, evidence }
        });
        drafts.collect()
    }

    /// Returns the ids of proposals, and reports ids that are used twice.
    pub(super) fn proposal_ids(&mut self, ids: Vec<Option<At<Kebab>>>) -> Vec<ProposalId> {
        let mut unique = Unique::new("proposal");
        ids.into_iter().map(|id| ProposalId::new(self.unique(id, &mut unique))).collect()
    }
}

/// Removes line breaks and indentation from the text of a condition, so that reformatting a file keeps its revision.
///
/// Each run of white space becomes one blank, except within quotes. A text with a comment (`//`) is only trimmed,
/// because the end of the line ends the comment.
fn on_one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quote = None;
    let mut characters = text.trim().chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(_), '\\') => {
                out.push(character);
                out.extend(characters.next());
                continue;
            }
            (Some(open), _) if open == character => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '/') if characters.peek() == Some(&'/') => return text.trim().to_owned(),
            (None, _) if character.is_whitespace() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
                continue;
            }
            _ => {}
        }
        out.push(character);
    }
    out
}

/// Whether two spans share a day.
pub(super) fn overlap(a: &Span, b: &Span) -> bool {
    a.until.is_none_or(|until| b.from < until) && b.until.is_none_or(|until| a.from < until)
}
