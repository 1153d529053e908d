//! The reasons for which no package passes: minimal conflicts and minimal concessions.
//!
//! The lines are the red lines that the question takes into account, by their party and their firmness. A conflict is a
//! set of lines that no package can honour together: every package crosses one of them. A concession is a set of lines
//! such that a package passes if they are softened, which means that it may cross them.
//!
//! Owns the combination of both searches. The minimal conflicts and the minimal concessions are each other's minimal
//! hitting sets (Reiter 1987, "A theory of diagnosis from first principles"): a concession takes a line out of every
//! conflict. So a line is in every conflict if it is a concession by itself, and in no conflict if it is in no
//! concession. Must not know of solvers.

use super::budget::{Budget, SearchLimit};
use super::concessions::Softening;
use super::conflicts::conflicts;
use super::index::CountedLineIndex;
use super::problem::Problem;

/// The maximum number of conflicts, and of concessions, in one result.
pub const MAX_IMPASSE_RESULTS: usize = 1_000;

/// The reasons for which no package passes.
///
/// The lines of each conflict and of each concession are in ascending order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Impasse {
    /// Whether no package passes; `None` if the search stopped before it found out.
    pub is_impasse: Option<bool>,
    /// Whether no package meets the pins, the goal and the constraints, even without red lines.
    pub is_contradiction: bool,
    /// The minimal sets of lines that cannot be honoured together, by size, then in the scenario's order.
    pub conflicts: Vec<Vec<CountedLineIndex>>,
    /// The minimal sets of lines whose softening lets a package pass.
    ///
    /// They are ordered by their firmest line, then by size, then in the scenario's order.
    pub concessions: Vec<Vec<CountedLineIndex>>,
    /// The lines that are in every conflict; `None` if the search stopped before it found them.
    pub in_every: Option<Vec<CountedLineIndex>>,
    /// The lines that are in no conflict; `None` if the search stopped before it found them.
    pub in_none: Option<Vec<CountedLineIndex>>,
    /// The reason for which there may be more conflicts or concessions; `None` if these are all.
    pub cut_short: Option<SearchLimit>,
}

impl Problem {
    /// Finds the first `most` minimal conflicts and concessions, at most [`MAX_IMPASSE_RESULTS`] of each.
    pub fn impasse(&self, most: usize, budget: &Budget<'_>) -> Impasse {
        let mut impasse = Impasse::default();
        if let Err(cut) = self.explain(most.min(MAX_IMPASSE_RESULTS), budget, &mut impasse) {
            impasse.cut_short = Some(cut);
        }
        impasse
    }

    fn explain(&self, most: usize, budget: &Budget<'_>, impasse: &mut Impasse) -> Result<(), SearchLimit> {
        let _held = self.hold(budget)?;
        let mut softening = Softening::new(self, budget);
        impasse.is_impasse = Some(!softening.opens(|_| false)?);
        if impasse.is_impasse == Some(false) {
            (impasse.in_every, impasse.in_none) = (Some(Vec::new()), Some(self.lines.indices().collect()));
            return Ok(());
        }
        if !softening.opens(|_| true)? {
            impasse.is_contradiction = true;
            (impasse.in_every, impasse.in_none) = (Some(Vec::new()), Some(self.lines.indices().collect()));
            return Ok(());
        }
        let mut every = Vec::new();
        for line in self.lines.indices() {
            if softening.opens(|softened| softened == line)? {
                every.push(line);
            }
        }
        impasse.in_every = Some(every);
        // Too many concessions end only the search for concessions: there may still be few conflicts.
        let (all_conceded, cut) = match softening.concessions(most, &mut impasse.concessions) {
            Ok(all) => (all, None),
            Err(SearchLimit::Work) => (false, Some(SearchLimit::Work)),
            Err(cut) => return Err(cut),
        };
        let known = impasse.concessions.clone();
        let all_conflicts = conflicts(self, &mut softening, known, all_conceded, most, &mut impasse.conflicts, budget)?;
        let whole = if all_conceded { Some(&impasse.concessions) } else { None };
        if let Some(sets) = whole.or(all_conflicts.then_some(&impasse.conflicts)) {
            let in_some: std::collections::BTreeSet<CountedLineIndex> = sets.iter().flatten().copied().collect();
            impasse.in_none = Some(self.lines.indices().filter(|line| !in_some.contains(line)).collect());
        }
        if !(all_conceded && all_conflicts) {
            impasse.cut_short = Some(cut.unwrap_or(SearchLimit::Results));
        }
        Ok(())
    }
}
