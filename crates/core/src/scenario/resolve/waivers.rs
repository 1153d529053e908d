//! Whether every waiver makes a difference on some day that the scenario covers.
//!
//! Must not know of anything but one red line and its waivers.

use super::Resolver;
use super::lines::{Draft, DraftLine, DraftWaiver};
use crate::scenario::diagnostics::Place;
use crate::scenario::model::{Firmness, Span};
use detente_condition::{Decision, Formula, Space, WorkBudget};
use jiff::civil::Date;
use std::collections::BTreeSet;

/// A waiver that could be read as far as it takes to compare it with others.
struct Readable<'a> {
    draft: &'a DraftWaiver,
    when: &'a Draft,
    firmness: Firmness,
}

impl Readable<'_> {
    /// Whether it stands on a day on which its red line is held.
    fn stands(&self, day: Date) -> bool {
        let held = &self.draft.held;
        // Without spans of its own a waiver stands whenever the red line is held; with spans that could not be read,
        // it is not known when.
        held.is_empty() && self.draft.held_place.is_none() || held.iter().any(|span| span.contains(day))
    }
}

impl Resolver<'_> {
    /// Every waiver lowers some crossing, on some day, that no other waiver standing then lowers at least as far.
    pub(super) fn check_waivers(&mut self, line: &DraftLine, space: &Space) {
        let (Some(condition), Some(unwaived)) = (&line.condition, line.firmness) else { return };
        let crossed = if line.requires { condition.formula.clone().negated() } else { condition.formula.clone() };
        let readable = line
            .waivers
            .iter()
            .filter_map(|draft| Some(Readable { draft, when: draft.when.as_ref()?, firmness: draft.firmness? }));
        let readable: Vec<Readable> = readable.collect();
        for (position, waiver) in readable.iter().enumerate().filter(|(_, waiver)| waiver.firmness < unwaived) {
            let place = waiver.draft.place;
            let lowered = Formula::All(vec![crossed.clone(), waiver.when.formula.clone()]);
            match self.satisfiable(&lowered, place, space) {
                Some(true) => {}
                // What is never in force is told as that.
                Some(false) if self.satisfiable(&waiver.when.formula, place, space) == Some(false) => continue,
                Some(false) => {
                    let message = "the waiver lowers nothing: its condition never holds where the red line is crossed";
                    self.faults.add(place, message);
                    continue;
                }
                None => continue,
            }
            let rivals = self.rivals(position, &readable, &line.held);
            if rivals.is_empty() || rivals.iter().any(Vec::is_empty) {
                continue;
            }
            let mut redundant = true;
            for rivals in rivals {
                let others = rivals.into_iter().filter_map(|at| Some(readable.get(at)?.when.formula.clone()));
                let alone = Formula::All(vec![lowered.clone(), Formula::Any(others.collect()).negated()]);
                if self.satisfiable(&alone, place, space) != Some(false) {
                    redundant = false;
                    break;
                }
            }
            // On the days of a span that could not be read, it may well lower something.
            if redundant && !self.faults.any_within_some([waiver.draft.held_place, line.held_place]) {
                let message = "the waiver lowers nothing: wherever it applies, others lower at least as far";
                self.faults.add(place, message);
            }
        }
    }

    /// For each stretch of days on which a waiver can apply, the others that stand then and lower at least as far;
    /// each set once, the smallest first.
    fn rivals(&self, position: usize, waivers: &[Readable], line: &[Span]) -> Vec<Vec<usize>> {
        let Some(waiver) = waivers.get(position) else { return Vec::new() };
        let spans = line.iter().chain(waivers.iter().flat_map(|waiver| &waiver.draft.held));
        let changes = spans.flat_map(|span| [Some(span.from), span.until]).flatten();
        let days: BTreeSet<Date> = match self.covers {
            Some((first, last)) => changes.filter(|day| (first..=last).contains(day)).chain([first]).collect(),
            None => changes.collect(),
        };
        let applies = |day: &Date| line.iter().any(|span| span.contains(*day)) && waiver.stands(*day);
        let sets = days.into_iter().filter(applies).map(|day| {
            let others = waivers.iter().enumerate();
            let others =
                others.filter(|(at, other)| *at != position && other.firmness <= waiver.firmness && other.stands(day));
            others.map(|(at, _)| at).collect()
        });
        let distinct: BTreeSet<Vec<usize>> = sets.collect();
        let mut distinct: Vec<Vec<usize>> = distinct.into_iter().collect();
        distinct.sort_by_key(Vec::len);
        distinct
    }

    fn satisfiable(&mut self, formula: &Formula, place: Place, space: &Space) -> Option<bool> {
        match Decision::compile(formula, space, WorkBudget::default()) {
            Ok(decision) => Some(!decision.holds.is_empty()),
            Err(cause) => self.fault(place, format!("the waiver together with its red line: {cause}")),
        }
    }
}
