//! Why no package passes: minimal conflicts and minimal concessions.
//!
//! The two are each other's minimal hitting sets (Reiter 1987, "A theory of diagnosis from first principles"): a
//! concession takes a line out of every conflict. So a line is in every conflict if it is a concession by itself, and in
//! none if it is in no concession.

use super::budget::{Budget, CutShort};
use super::concessions::Softening;
use super::conflicts::conflicts;
use super::problem::Problem;

/// The most conflicts, and the most concessions, of one answer.
pub const MAX_IMPASSE_RESULTS: usize = 1_000;

/// Why no package passes. Sets of lines are places among [`Problem::lines`], ascending.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Impasse {
    /// Whether there is no passing package; `None` if that was not found out.
    pub is_impasse: Option<bool>,
    /// Whether pins, goal and constraints have no package by themselves.
    pub is_contradiction: bool,
    /// The minimal sets of lines that cannot be honoured together, by size, then in the scenario's order.
    pub conflicts: Vec<Vec<usize>>,
    /// The minimal sets of lines whose softening opens a package, by their firmest member, size, and the scenario's order.
    pub concessions: Vec<Vec<usize>>,
    /// The lines that are in every conflict; `None` if that was not found out.
    pub in_every: Option<Vec<usize>>,
    /// The lines that are in no conflict; `None` if that was not found out.
    pub in_none: Option<Vec<usize>>,
    /// Why there may be more.
    pub cut_short: Option<CutShort>,
}

impl Problem {
    /// All minimal conflicts and concessions, or the first `most` of each.
    pub fn impasse(&self, most: usize, budget: &Budget<'_>) -> Impasse {
        let mut impasse = Impasse::default();
        if let Err(cut) = self.explain(most.min(MAX_IMPASSE_RESULTS), budget, &mut impasse) {
            impasse.cut_short = Some(cut);
        }
        impasse
    }

    fn explain(&self, most: usize, budget: &Budget<'_>, impasse: &mut Impasse) -> Result<(), CutShort> {
        let mut softening = Softening::new(self, budget);
        impasse.is_impasse = Some(!softening.opens(|_| false)?);
        if impasse.is_impasse == Some(false) {
            (impasse.in_every, impasse.in_none) = (Some(Vec::new()), Some((0..self.lines.len()).collect()));
            return Ok(());
        }
        if !softening.opens(|_| true)? {
            impasse.is_contradiction = true;
            (impasse.in_every, impasse.in_none) = (Some(Vec::new()), Some((0..self.lines.len()).collect()));
            return Ok(());
        }
        let mut every = Vec::new();
        for line in 0..self.lines.len() {
            if softening.opens(|softened| softened == line)? {
                every.push(line);
            }
        }
        impasse.in_every = Some(every);
        // Too many concessions do not stand in the way of a few conflicts.
        let (all_conceded, cut) = match softening.concessions(most, &mut impasse.concessions) {
            Ok(all) => (all, None),
            Err(CutShort::Work) => (false, Some(CutShort::Work)),
            Err(cut) => return Err(cut),
        };
        let known = impasse.concessions.clone();
        let all_conflicts = conflicts(self, &mut softening, known, all_conceded, most, &mut impasse.conflicts, budget)?;
        let whole = if all_conceded { Some(&impasse.concessions) } else { None };
        if let Some(sets) = whole.or(all_conflicts.then_some(&impasse.conflicts)) {
            let in_some: std::collections::BTreeSet<usize> = sets.iter().flatten().copied().collect();
            impasse.in_none = Some((0..self.lines.len()).filter(|line| !in_some.contains(line)).collect());
        }
        if !(all_conceded && all_conflicts) {
            impasse.cut_short = Some(cut.unwrap_or(CutShort::Results));
        }
        Ok(())
    }
}
