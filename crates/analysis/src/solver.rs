//! The SAT solver behind a small interface: clauses, cardinality bounds, models, and a budget.
//!
//! Owns the use of `rustsat` and `batsat`. Must not know of issues or red lines.

use super::budget::{Budget, Held, SearchLimit};
use batsat::{Callbacks, ClauseKind};
use rustsat::encodings::card::{BoundUpper, BoundUpperIncremental, Totalizer};
use rustsat::instances::{BasicVarManager, Cnf, ManageVars};
use rustsat::solvers::{Solve, SolveIncremental, SolverResult};
use rustsat::types::{Assignment, Clause, Lit, TernaryVal, Var};

/// The memory that `batsat` allocates for clauses when a solver is created, in bytes.
const BYTES_PER_SOLVER: usize = 4 * 1024 * 1024;
/// The memory of a clause besides its literals, in bytes: its header, its two watches, and the references to it.
///
/// The numbers allow for vectors that have grown by doubling. They exceed the size of the clause itself, which has its
/// place in the memory that the solver begins with, as far as this reaches; so they also cover the copy of all clauses
/// that the solver makes when it frees the space of deleted ones.
const BYTES_PER_CLAUSE: usize = 72;
/// The memory of a literal in a clause, in bytes.
const BYTES_PER_LITERAL: usize = 8;
/// The memory of a variable, in bytes: its state, its two lists of watches, and its place in the solver's queue.
const BYTES_PER_VARIABLE: usize = 256;
/// The memory of a clause of the encoding of a count, in bytes, with its share of the encoding's own variables.
const BYTES_PER_COUNTING_CLAUSE: usize = 256;

fn bytes_of(literals: usize) -> usize {
    literals.saturating_mul(BYTES_PER_LITERAL).saturating_add(BYTES_PER_CLAUSE)
}

/// A SAT solver with the clauses of one search.
pub(super) struct Solver<'a> {
    inner: rustsat_batsat::Solver<BudgetCallbacks<'a>>,
    variables: BasicVarManager,
    model: Assignment,
    budget: &'a Budget<'a>,
    /// Whether the solver rejected a clause, or lacks one for which there was no room; no later result would be
    /// reliable.
    has_failed: bool,
}

/// Stops the solver when the budget is exhausted, and counts the solver's conflicts and memory.
#[derive(Default)]
struct BudgetCallbacks<'a> {
    budget: Option<&'a Budget<'a>>,
    held: Option<Held<'a>>,
}

impl Callbacks for BudgetCallbacks<'_> {
    fn on_new_clause(&mut self, clause: &[batsat::Lit], source: ClauseKind) {
        if let (Some(budget), Some(held), ClauseKind::Learnt) = (self.budget, &self.held, source) {
            budget.conflicts.set(budget.conflicts.get().saturating_sub(1));
            held.add_anyway(bytes_of(clause.len()));
        }
    }

    fn on_delete_clause(&mut self, clause: &[batsat::Lit]) {
        self.held.iter().for_each(|held| held.release(bytes_of(clause.len())));
    }

    fn stop(&self) -> bool {
        self.budget.is_some_and(|budget| budget.conflicts.get() == 0 || budget.is_full() || budget.is_over())
    }
}

impl<'a> Solver<'a> {
    pub(super) fn new(budget: &'a Budget<'a>) -> Self {
        let mut inner = rustsat_batsat::Solver::<BudgetCallbacks<'a>>::default();
        *inner.batsat_mut().cb_mut() = BudgetCallbacks { budget: Some(budget), held: Some(budget.hold_nothing()) };
        let (variables, model) = (BasicVarManager::default(), Assignment::default());
        let mut solver = Self { inner, variables, model, budget, has_failed: false };
        solver.hold(BYTES_PER_SOLVER);
        solver
    }

    pub(super) fn literal(&mut self) -> Lit {
        self.hold(BYTES_PER_VARIABLE);
        self.variables.new_var().pos_lit()
    }

    pub(super) fn add(&mut self, clause: &[Lit]) {
        if self.hold(bytes_of(clause.len())) {
            self.has_failed |= self.inner.add_clause(clause.iter().copied().collect::<Clause>()).is_err();
        }
    }

    /// Counts memory. Returns false if there is no room, after which the solver returns no results.
    fn hold(&mut self, bytes: usize) -> bool {
        let held = self.inner.batsat_mut().cb_mut().held.as_ref();
        let fits = held.is_some_and(|held| held.add(bytes).is_ok());
        self.has_failed |= !fits;
        fits
    }

    /// Adds clauses that let at most one of the literals hold.
    ///
    /// Up to `FEW` literals exclude each other pair by pair; for more literals, a chain of auxiliary literals needs
    /// fewer clauses.
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
        // `seen` holds if one of the literals so far holds.
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

    /// Returns whether all clauses are satisfiable together with these literals, and keeps the model.
    pub(super) fn solve(&mut self, assumptions: &[Lit]) -> Result<bool, SearchLimit> {
        self.budget.check()?;
        if self.has_failed {
            return Err(SearchLimit::Work);
        }
        match self.inner.solve_assumps(assumptions) {
            Ok(SolverResult::Sat) => {
                let last = self.variables.max_var().unwrap_or(Var::new(0));
                self.model = self.inner.solution(last).map_err(|_| SearchLimit::Work)?;
                Ok(true)
            }
            Ok(SolverResult::Unsat) => Ok(false),
            Ok(SolverResult::Interrupted) => {
                let is_used_up = self.budget.conflicts.get() == 0 || self.budget.is_full();
                Err(if is_used_up { SearchLimit::Work } else { SearchLimit::Deadline })
            }
            Err(_) => Err(SearchLimit::Work),
        }
    }

    /// Returns whether a literal holds in the last model; a literal without a value does not hold.
    pub(super) fn held(&self, literal: Lit) -> bool {
        self.model.lit_value(literal) == TernaryVal::True
    }

    /// Replaces the model by the first model in the order that `groups` define.
    ///
    /// In every model, exactly one literal of each group holds. In group after group, the method fixes the first
    /// literal that can hold. The literals in `held` hold in the last model and must still hold.
    pub(super) fn prefer(&mut self, groups: &[Vec<Lit>], mut held: Vec<Lit>) -> Result<(), SearchLimit> {
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

    /// Returns the assumptions under which at most `bound` of the counted literals hold.
    ///
    /// # Errors
    /// Returns [`SearchLimit::Work`] if the count would need too many clauses.
    pub(super) fn at_most(&mut self, counted: &mut CountedLiterals, bound: usize) -> Result<Vec<Lit>, SearchLimit> {
        if bound >= counted.literals {
            return Ok(Vec::new());
        }
        // A totalizer adds about as many clauses as the number of literals times the bound.
        let size = counted.literals.saturating_mul(bound);
        let added = size.saturating_sub(counted.size).saturating_mul(BYTES_PER_COUNTING_CLAUSE);
        if size > self.budget.bounds.counting || !self.hold(added) {
            return Err(SearchLimit::Work);
        }
        counted.size = counted.size.max(size);
        let mut clauses = Cnf::new();
        counted
            .totalizer
            .encode_ub_change(..=bound, &mut clauses, &mut self.variables)
            .map_err(|_| SearchLimit::Work)?;
        for clause in clauses {
            self.has_failed |= self.inner.add_clause(clause).is_err();
        }
        counted.totalizer.enforce_ub(bound).map_err(|_| SearchLimit::Work)
    }
}

/// Literals with an encoding that bounds how many of them hold.
pub(super) struct CountedLiterals {
    totalizer: Totalizer,
    literals: usize,
    /// The size of the encoding so far, in the unit of [`Bounds::counting`](super::budget::Bounds::counting).
    size: usize,
}

impl FromIterator<Lit> for CountedLiterals {
    fn from_iter<T: IntoIterator<Item = Lit>>(literals: T) -> Self {
        let literals: Vec<Lit> = literals.into_iter().collect();
        Self { literals: literals.len(), totalizer: literals.into_iter().collect(), size: 0 }
    }
}
