//! Checks that every waiver has an effect on at least one day that the scenario covers.
//!
//! Must not know of anything except one red line and its waivers.

use super::lines::{DraftCondition, DraftLine, DraftWaiver};
use super::resolver::Resolver;
use crate::scenario::budget::Owner;
use crate::scenario::diagnostics::Place;
use crate::scenario::model::{Firmness, Span};
use detente_condition::{Decision, Formula, Space};
use jiff::civil::Date;
use std::collections::BTreeSet;

/// A waiver of which enough could be read to compare it with others.
struct ReadableWaiver<'a> {
    draft: &'a DraftWaiver,
    when: &'a DraftCondition,
    firmness: Firmness,
}

impl ReadableWaiver<'_> {
    /// Whether the waiver is in force on a day on which its red line is held.
    fn is_in_force(&self, day: Date) -> bool {
        let held = &self.draft.held;
        // Without spans of its own, a waiver is in force whenever the red line is held. The days of a span that could
        // not be read are unknown, and the waiver counts as not in force on them.
        held.is_empty() && self.draft.held_place.is_none() || held.iter().any(|span| span.contains(day))
    }
}

/// A waiver that is checked: the red line to which it belongs, its place, and the space of the conditions.
#[derive(Clone, Copy)]
struct Check<'a> {
    owner: &'a Owner,
    place: Place,
    space: &'a Space,
}

/// Returns the steps that finding the rivals of one waiver takes: each day on which a span begins or ends is looked up
/// in all spans.
fn steps_of_rivals(waivers: &[ReadableWaiver], line: &[Span]) -> u64 {
    const STEPS_OF_A_SPAN: usize = 4;
    let spans = line.len() + waivers.iter().map(|waiver| 1 + waiver.draft.held.len()).sum::<usize>();
    (2 * spans * spans * STEPS_OF_A_SPAN) as u64
}

impl Resolver<'_> {
    /// Reports every waiver that has no effect.
    ///
    /// A waiver has an effect if, on some day, it lowers a crossing that no other waiver in force lowers at least as
    /// far.
    pub(super) fn check_waivers(&mut self, line: &DraftLine, space: &Space) {
        let (Some(condition), Some(unwaived)) = (&line.condition, line.firmness) else { return };
        let crossed = line.polarity.crossed(condition.formula.clone());
        let readable = line
            .waivers
            .iter()
            .filter_map(|draft| Some(ReadableWaiver { draft, when: draft.when.as_ref()?, firmness: draft.firmness? }));
        let readable: Vec<ReadableWaiver> = readable.collect();
        for (position, waiver) in readable.iter().enumerate().filter(|(_, waiver)| waiver.firmness < unwaived) {
            let place = waiver.draft.place;
            let lowered = Formula::All(vec![crossed.clone(), waiver.when.formula.clone()]);
            let check = Check { owner: &condition.owner, place, space };
            match self.satisfiable(&lowered, check) {
                Some(true) => {}
                // A condition that is never true is reported elsewhere.
                Some(false) if self.satisfiable(&waiver.when.formula, check) == Some(false) => continue,
                Some(false) => {
                    let message =
                        "the waiver lowers nothing: its condition is never true where the red line is crossed";
                    self.faults.add(place, message);
                    continue;
                }
                None => continue,
            }
            if self.budget.spend(Some(&condition.owner), steps_of_rivals(&readable, &line.held)).is_none() {
                return;
            }
            let rivals = self.rivals(position, &readable, &line.held);
            if rivals.is_empty() || rivals.iter().any(Vec::is_empty) {
                continue;
            }
            let mut redundant = true;
            for rivals in rivals {
                let others = rivals.into_iter().filter_map(|at| Some(readable.get(at)?.when.formula.clone()));
                let alone = Formula::All(vec![lowered.clone(), Formula::Any(others.collect()).negated()]);
                if self.satisfiable(&alone, check) != Some(false) {
                    redundant = false;
                    break;
                }
            }
            // The waiver may have an effect on the days of a span that could not be read.
            if redundant && !self.faults.any_within_some([waiver.draft.held_place, line.held_place]) {
                let message =
                    "the waiver lowers nothing: wherever it applies, other waivers lower the firmness at least as far";
                self.faults.add(place, message);
            }
        }
    }

    /// Returns sets of other waivers that are in force together with a waiver and lower a crossing at least as far.
    ///
    /// There is one set for each range of days on which the waiver can apply. Equal sets are returned once, and smaller
    /// sets come first.
    fn rivals(&self, position: usize, waivers: &[ReadableWaiver], line: &[Span]) -> Vec<Vec<usize>> {
        let Some(waiver) = waivers.get(position) else { return Vec::new() };
        let spans = line.iter().chain(waivers.iter().flat_map(|waiver| &waiver.draft.held));
        let changes = spans.flat_map(|span| [Some(span.from), span.until]).flatten();
        let days: BTreeSet<Date> = match self.covers {
            Some(covers) => changes.filter(|day| covers.contains(*day)).chain([covers.first()]).collect(),
            None => changes.collect(),
        };
        let applies = |day: &Date| line.iter().any(|span| span.contains(*day)) && waiver.is_in_force(*day);
        let sets = days.into_iter().filter(applies).map(|day| {
            let others = waivers.iter().enumerate();
            let others = others
                .filter(|(at, other)| *at != position && other.firmness <= waiver.firmness && other.is_in_force(day));
            others.map(|(at, _)| at).collect()
        });
        let distinct: BTreeSet<Vec<usize>> = sets.collect();
        let mut distinct: Vec<Vec<usize>> = distinct.into_iter().collect();
        distinct.sort_by_key(Vec::len);
        distinct
    }

    /// Whether a formula is true for some values; `None`, with a fault, if it is too complex.
    fn satisfiable(&mut self, formula: &Formula, check: Check) -> Option<bool> {
        let compile = |work: &mut _| Decision::compile_within(formula, check.space, work);
        match self.budget.run(check.owner, check.place, compile)? {
            Ok(decision) => Some(!decision.holds.is_empty()),
            Err(cause) => {
                self.fault(check.place, format!("the waiver is too complex in combination with its red line: {cause}"))
            }
        }
    }
}
