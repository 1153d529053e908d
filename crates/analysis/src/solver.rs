//! The SAT solver behind one small interface: clauses, cardinalities, answers, and a budget that is asked while it
//! searches.

use super::budget::{Budget, CutShort};
use batsat::{Callbacks, ClauseKind};
use rustsat::encodings::card::{BoundUpper, BoundUpperIncremental, Totalizer};
use rustsat::instances::{BasicVarManager, Cnf, ManageVars};
use rustsat::solvers::{Solve, SolveIncremental, SolverResult};
use rustsat::types::{Assignment, Clause, Lit, TernaryVal, Var};

/// A solver for one question.
pub(super) struct Solver<'a> {
    inner: rustsat_batsat::Solver<Watch<'a>>,
    variables: BasicVarManager,
    model: Assignment,
    budget: &'a Budget<'a>,
    /// A clause could not be taken: nothing can be concluded any more.
    broken: bool,
}

/// Asks the budget while the solver searches.
#[derive(Default)]
struct Watch<'a> {
    budget: Option<&'a Budget<'a>>,
}

impl Callbacks for Watch<'_> {
    fn on_new_clause(&mut self, _: &[batsat::Lit], source: ClauseKind) {
        if let (Some(budget), ClauseKind::Learnt) = (self.budget, source) {
            budget.conflicts.set(budget.conflicts.get().saturating_sub(1));
        }
    }

    fn stop(&self) -> bool {
        self.budget.is_some_and(|budget| budget.conflicts.get() == 0 || budget.is_over())
    }
}

impl<'a> Solver<'a> {
    pub(super) fn new(budget: &'a Budget<'a>) -> Self {
        let mut inner = rustsat_batsat::Solver::<Watch<'a>>::default();
        inner.batsat_mut().cb_mut().budget = Some(budget);
        Self { inner, variables: BasicVarManager::default(), model: Assignment::default(), budget, broken: false }
    }

    pub(super) fn literal(&mut self) -> Lit {
        self.variables.new_var().pos_lit()
    }

    pub(super) fn add(&mut self, clause: &[Lit]) {
        self.broken |= self.inner.add_clause(clause.iter().copied().collect::<Clause>()).is_err();
    }

    /// At most one of them holds: pair by pair while they are few, else by a ladder of further literals.
    pub(super) fn at_most_one(&mut self, literals: &[Lit]) {
        const FEW: usize = 8;
        if literals.len() <= FEW {
            for (at, one) in literals.iter().enumerate() {
                for other in literals.iter().skip(at + 1) {
                    self.add(&[!*one, !*other]);
                }
            }
            return;
        }
        // `seen`: one of those so far holds.
        let mut seen: Option<Lit> = None;
        for literal in literals {
            let next = self.literal();
            self.add(&[!*literal, next]);
            if let Some(seen) = seen {
                self.add(&[!seen, next]);
                self.add(&[!seen, !*literal]);
            }
            seen = Some(next);
        }
    }

    /// Whether all clauses can be met together with these literals.
    pub(super) fn solve(&mut self, assumptions: &[Lit]) -> Result<bool, CutShort> {
        self.budget.check()?;
        if self.broken {
            return Err(CutShort::Work);
        }
        match self.inner.solve_assumps(assumptions) {
            Ok(SolverResult::Sat) => {
                let last = self.variables.max_var().unwrap_or(Var::new(0));
                self.model = self.inner.solution(last).map_err(|_| CutShort::Work)?;
                Ok(true)
            }
            Ok(SolverResult::Unsat) => Ok(false),
            Ok(SolverResult::Interrupted) => {
                Err(if self.budget.conflicts.get() == 0 { CutShort::Work } else { CutShort::Deadline })
            }
            Err(_) => Err(CutShort::Work),
        }
    }

    /// Whether a literal held when all could last be met. One on which nothing hung did not.
    pub(super) fn held(&self, literal: Lit) -> bool {
        self.model.lit_value(literal) == TernaryVal::True
    }

    /// Makes the model the first in an order, under literals with which all clauses can be met, as the last model did: in
    /// group after group, of which one holds each, the first literal that can.
    pub(super) fn prefer(&mut self, groups: &[Vec<Lit>], mut held: Vec<Lit>) -> Result<(), CutShort> {
        for literal_group in groups {
            for literal in literal_group {
                let holds_already = self.held(*literal);
                held.push(*literal);
                if holds_already || self.solve(&held)? {
                    break;
                }
                held.pop();
            }
        }
        self.solve(&held).map(|_| ())
    }

    /// The literals under which at most so many of those counted hold.
    pub(super) fn at_most(&mut self, counted: &mut Counted, bound: usize) -> Result<Vec<Lit>, CutShort> {
        if bound >= counted.literals {
            return Ok(Vec::new());
        }
        // A totalizer has about as many clauses as literals times the bound.
        if counted.literals.saturating_mul(bound) > self.budget.bounds.counting {
            return Err(CutShort::Work);
        }
        let mut clauses = Cnf::new();
        counted.totalizer.encode_ub_change(..=bound, &mut clauses, &mut self.variables).map_err(|_| CutShort::Work)?;
        for clause in clauses {
            self.broken |= self.inner.add_clause(clause).is_err();
        }
        counted.totalizer.enforce_ub(bound).map_err(|_| CutShort::Work)
    }
}

/// Literals of which one may ask how many hold.
pub(super) struct Counted {
    totalizer: Totalizer,
    literals: usize,
}

impl FromIterator<Lit> for Counted {
    fn from_iter<T: IntoIterator<Item = Lit>>(literals: T) -> Self {
        let literals: Vec<Lit> = literals.into_iter().collect();
        Self { literals: literals.len(), totalizer: literals.into_iter().collect() }
    }
}
