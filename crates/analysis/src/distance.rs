//! The distance between a proposal and a package, as literals that a solver counts.

use super::encoding::{IssueLiterals, OpenIssue};
use super::problem::Problem;
use super::solver::Solver;
use detente_condition::{Axis, InputIndex};
use rustsat::types::Lit;

/// The literals of an [`AmendmentDistance`](super::AmendmentDistance).
///
/// Each of its four numbers counts the true literals of one list. In addition, `touched` says which issues change.
#[derive(Default)]
pub(super) struct DistanceLiterals {
    pub(super) touched: Vec<Lit>,
    pub(super) changed: Vec<Lit>,
    pub(super) settled: Vec<Lit>,
    pub(super) toggled: Vec<Lit>,
    pub(super) moved: Vec<Lit>,
}

impl DistanceLiterals {
    /// Adds the literals and clauses of one issue; `possible` is the mask of the values that the proposal allows.
    pub(super) fn add_issue(
        &mut self,
        solver: &mut Solver<'_>,
        problem: &Problem,
        (input, literals, open): (InputIndex, &IssueLiterals, Option<&OpenIssue>),
        possible: u128,
    ) {
        let changed = solver.literal();
        match literals {
            IssueLiterals::Values(values) => {
                let stay: Vec<Lit> = values
                    .iter()
                    .enumerate()
                    .filter(|(value, _)| possible >> value & 1 == 1)
                    .map(|(_, literal)| *literal)
                    .collect();
                let is_within = |literal: &Lit| stay.contains(literal);
                for literal in values {
                    // The clauses work in both directions. `changed` must hold if the proposal does not allow the
                    // value, because changes are counted. It must not hold otherwise, because amendments are
                    // distinguished by the issues that they change.
                    solver.add(&if is_within(literal) { [!*literal, !changed] } else { [!*literal, changed] });
                }
                if let Some(Axis::Intervals { .. }) = problem.space.axis(input) {
                    self.add_cuts(solver, values, possible);
                }
            }
            IssueLiterals::Members { inside, outside } => {
                let mut toggles = Vec::new();
                for (member, (inside, outside)) in inside.iter().zip(outside).enumerate() {
                    let (may_be_in, may_be_out) = (possible >> member & 1 == 1, possible >> (64 + member) & 1 == 1);
                    toggles.extend((!may_be_in).then_some(*inside));
                    toggles.extend((!may_be_out).then_some(*outside));
                }
                for toggle in &toggles {
                    solver.add(&[!*toggle, changed]);
                }
                let mut some = toggles.clone();
                some.push(!changed);
                solver.add(&some);
                self.toggled.extend(toggles);
            }
        }
        self.changed.push(changed);
        let Some(OpenIssue { stays, .. }) = open else {
            self.touched.push(changed);
            return;
        };
        solver.add(&[!*stays, !changed]);
        let settled = solver.literal();
        solver.add(&[*stays, changed, settled]);
        solver.add(&[!settled, !*stays]);
        solver.add(&[!settled, !changed]);
        self.settled.push(settled);
        self.touched.push(!*stays);
    }

    /// Adds a literal for each cut (a boundary between two intervals) that may lie between the possible intervals and
    /// the chosen one.
    fn add_cuts(&mut self, solver: &mut Solver<'_>, values: &[Lit], possible: u128) {
        let (first, last) =
            (possible.trailing_zeros() as usize, 127usize.saturating_sub(possible.leading_zeros() as usize));
        // On each side, the literal of a cut holds if the chosen interval is beyond the cut. It implies the literal of
        // the next cut towards the possible intervals.
        let above: Vec<Lit> = values.iter().skip(last + 1).copied().collect();
        let below: Vec<Lit> = values.iter().take(first).rev().copied().collect();
        for side in [above, below] {
            let mut nearer: Option<Lit> = None;
            for value in side {
                let reached = solver.literal();
                solver.add(&[!value, reached]);
                if let Some(nearer) = nearer {
                    solver.add(&[!reached, nearer]);
                }
                nearer = Some(reached);
                self.moved.push(reached);
            }
        }
    }
}
