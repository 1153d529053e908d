//! A scenario prepared for evaluation.
//!
//! Words of this file:
//! - An input is an issue or a circumstance. A watcher is a red line, a constraint or a caution: its condition tests
//!   inputs.
//! - The standing of a red line on a day says whether it is held (and with which waivers), not yet recorded, or not
//!   held.
//! - A ladder is the compiled form of a red line's waivers: it says with which firmness a crossing counts.
//! - An edition is a range of days on which nothing in the scenario changes.
//! - The prime implicants of a statement are all minimal conjunctions of tests on inputs that make it true. They are
//!   stored as [`Cubes`], whose tests are masks of values; a [`Space`] says what the bits of the masks mean.
//!
//! Owns the standings, the ladders, the editions, and the index from an input to the watchers that test it. Must not
//! know of proposals or findings.

use super::edition::{Edition, first_days};
use super::ladder::{Ladder, LadderError, certain};
use super::standing::{Standing, standings, steps_of_standings};
use super::supposed::Supposed;
use super::watcher::{Watcher, WatcherIndex, WatcherSet};
use crate::scenario::budget::{LoadBudget, Owner};
use crate::scenario::ids::RedLineId;
use crate::scenario::index::{CautionIndex, ConstraintIndex, IndexVec, RedLineIndex, WaiverIndex};
use crate::scenario::limits::{MAX_FILE_BYTES, MAX_STEPS};
use crate::scenario::model::{Firmness, RedLine};
use crate::scenario::{DateRange, Scenario};
use detente_condition::{Answer, ComplexityError, Cubes, InputIndex, Space};
use jiff::civil::Date;
use std::sync::Arc;
use thiserror::Error;

/// A red line is too complex in combination with its waivers.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("red line `{red_line}` is too complex in combination with its waivers: {cause}")]
pub struct CompileError {
    /// The id of the red line.
    pub red_line: RedLineId,
    /// The limit that the red line exceeds.
    pub cause: ComplexityError,
}

/// A scenario prepared for evaluation. Immutable, and meant to be shared by reference count.
#[derive(Debug)]
pub struct Compiled {
    scenario: Arc<Scenario>,
    standings: IndexVec<RedLineIndex, Standings>,
    ladders: Box<[Ladder]>,
    editions: Box<[Edition]>,
    /// For each input, the watchers that test it.
    watchers: BoxedLists<InputIndex, WatcherIndex>,
    /// For each red line, the inputs that decide its status or firmness.
    deciding: BoxedLists<RedLineIndex, InputIndex>,
    /// The estimated memory of the compiled scenario, in bytes.
    pub(super) bytes: usize,
}

/// A red line of at least a given firmness, with the cases in which a crossing counts with at least that firmness.
///
/// In all other cases with a crossing, a waiver lowers the crossing below the given firmness.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// The position of the red line in the scenario; hypothetical red lines come after the scenario's own.
    pub index: RedLineIndex,
    /// The red line.
    pub red_line: &'a RedLine,
    /// The firmness of the red line without its waivers.
    pub firmness: Firmness,
    /// The prime implicants of "crossed, and no waiver lowers the crossing below the given firmness".
    pub crossed: &'a Cubes,
    /// The space that says which values the masks in `crossed` stand for.
    pub space: &'a Space,
}

/// The standings of one red line: each day on which its standing changes, ascending, with the standing from that day
/// on.
///
/// A held red line has a ladder only if waivers are in force.
type Standings = Box<[(Date, Standing<Option<LadderIndex>>)]>;

type BoxedLists<I, T> = IndexVec<I, Box<[T]>>;

/// The position of a ladder in the list of all ladders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LadderIndex(u32);

/// The error of a scenario that exceeds its budget; the budget itself says why.
fn exceeded(scenario: &Scenario) -> Vec<CompileError> {
    let red_line = scenario.red_lines.iter().next().map_or_else(|| RedLineId::new(""), |line| line.id.clone());
    vec![CompileError { red_line, cause: ComplexityError::Work { limit: MAX_STEPS } }]
}

impl Compiled {
    /// Prepares a scenario for evaluation.
    ///
    /// # Errors
    /// Returns every red line that exceeds a limit in combination with its waivers.
    pub fn new(scenario: Arc<Scenario>) -> Result<Self, Vec<CompileError>> {
        Self::within(scenario, &mut LoadBudget::of_file(MAX_FILE_BYTES))
    }

    /// Prepares a scenario for evaluation, within the rest of the budget with which it was read.
    ///
    /// # Errors
    /// Returns every red line that exceeds a limit in combination with its waivers; only one if the budget is exceeded.
    pub(super) fn within(scenario: Arc<Scenario>, budget: &mut LoadBudget) -> Result<Self, Vec<CompileError>> {
        let mut ladders = Vec::new();
        let mut faults = Vec::new();
        let mut all_standings = Vec::with_capacity(scenario.red_lines.len());
        for red_line in &scenario.red_lines {
            let owner = Owner::red_line(red_line.id.as_str());
            if budget.spend(Some(&owner), steps_of_standings(red_line)).is_none() {
                return Err(exceeded(&scenario));
            }
            let mut built: Vec<(Vec<WaiverIndex>, LadderIndex)> = Vec::new();
            let mut ladder_for = |waivers: Vec<WaiverIndex>| {
                if waivers.is_empty() {
                    return None;
                }
                if let Some((_, ladder)) = built.iter().find(|(in_force, _)| *in_force == waivers) {
                    return Some(*ladder);
                }
                match Ladder::compile(red_line, &waivers, &scenario.space, budget) {
                    Ok(ladder) => ladders.push(ladder),
                    Err(LadderError::Budget) => return None,
                    Err(LadderError::TooComplex(cause)) => {
                        faults.push(CompileError { red_line: red_line.id.clone(), cause });
                        return None;
                    }
                }
                let ladder = LadderIndex(u32::try_from(ladders.len() - 1).ok()?);
                built.push((waivers, ladder));
                Some(ladder)
            };
            let standings: Standings = standings(red_line)
                .into_iter()
                .map(|(day, standing)| {
                    let standing = match standing {
                        Standing::Held(waivers) => Standing::Held(ladder_for(waivers)),
                        Standing::NotRecorded => Standing::NotRecorded,
                        Standing::NotHeld => Standing::NotHeld,
                    };
                    (day, standing)
                })
                .collect();
            all_standings.push(standings);
        }
        if budget.is_exceeded() {
            return Err(exceeded(&scenario));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut compiled = Self {
            standings: all_standings.into(),
            ladders: ladders.into(),
            editions: Box::default(),
            watchers: IndexVec::default(),
            deciding: IndexVec::default(),
            bytes: 0,
            scenario,
        };
        (compiled.watchers, compiled.deciding) = compiled.index();
        let days = first_days(&compiled.scenario);
        if compiled.take_editions(days.len(), budget).is_none() {
            return Err(exceeded(&compiled.scenario));
        }
        compiled.editions = days.into_iter().map(|day| compiled.edition_from(day)).collect();
        compiled.bytes = compiled.count_bytes();
        Ok(compiled)
    }

    /// Takes the work and the memory of the editions from the budget. Returns `None` if the budget is exceeded.
    fn take_editions(&self, editions: usize, budget: &mut LoadBudget) -> Option<()> {
        const STEPS_OF_AN_INPUT: usize = 8;
        const STEPS_OF_A_WATCHER: usize = 8;
        let clear = |watcher| self.watcher(watcher).and_then(|watcher| self.sides(watcher)).map(|(_, clear)| clear);
        let literals = self.all_watchers().filter_map(clear).map(Cubes::literal_count).sum::<usize>();
        let (inputs, watchers) = (self.scenario.inputs.len(), self.watcher_count());
        let steps = literals + STEPS_OF_AN_INPUT * inputs + STEPS_OF_A_WATCHER * watchers;
        let bytes = inputs * (size_of::<Answer>() + size_of::<u128>()) + watchers / 8 + size_of::<Edition>();
        budget.take_editions(editions, steps as u64, bytes)
    }

    /// Returns the scenario that is prepared here.
    pub fn scenario(&self) -> &Arc<Scenario> {
        &self.scenario
    }

    /// Builds two indexes: from each input to the watchers that test it, and from each red line to the inputs that
    /// decide it.
    fn index(&self) -> (BoxedLists<InputIndex, WatcherIndex>, BoxedLists<RedLineIndex, InputIndex>) {
        let mut watchers: IndexVec<InputIndex, Vec<WatcherIndex>> = vec![Vec::new(); self.scenario.inputs.len()].into();
        let mut deciding = Vec::with_capacity(self.scenario.red_lines.len());
        for index in self.all_watchers() {
            let Some((sides, extra)) = self.watcher(index).and_then(|watcher| self.tested_by(watcher)) else {
                continue;
            };
            let mut inputs: Vec<_> = [sides.0, sides.1]
                .into_iter()
                .chain(extra)
                .flat_map(|cubes| cubes.literals().iter().map(|literal| literal.input))
                .collect();
            inputs.sort_unstable();
            inputs.dedup();
            for input in &inputs {
                if let Some(list) = watchers.get_mut(*input) {
                    list.push(index);
                }
            }
            if deciding.len() < self.scenario.red_lines.len() {
                deciding.push(inputs.into_boxed_slice());
            }
        }
        (watchers.into_iter().map(Vec::into_boxed_slice).collect(), deciding.into())
    }

    /// Returns the inputs on which the status or firmness of a red line depends, in input order.
    pub fn deciding_inputs(&self, red_line: RedLineIndex) -> &[InputIndex] {
        self.deciding.get(red_line).map_or(&[], |inputs| inputs)
    }

    /// Returns the prime implicants of a watcher's condition and of the opposite. For a red line, also returns those of
    /// the condition of each waiver and of its opposite.
    fn tested_by(&self, watcher: Watcher) -> Option<((&Cubes, &Cubes), Vec<&Cubes>)> {
        let extra = match watcher {
            Watcher::RedLine(index) => {
                let red_line = self.scenario.red_lines.get(index)?;
                red_line
                    .waivers
                    .iter()
                    .flat_map(|waiver| [&waiver.when.decision.holds, &waiver.when.decision.fails])
                    .collect()
            }
            Watcher::Constraint(_) | Watcher::Caution(_) => Vec::new(),
        };
        Some((self.sides(watcher)?, extra))
    }

    fn edition_from(&self, day: Date) -> Edition {
        let mut edition = Edition::new(&self.scenario, day);
        let mut not_clear = WatcherSet::with_capacity(self.watcher_count());
        for index in self.all_watchers() {
            let Some(watcher) = self.watcher(index) else { continue };
            let held = match watcher {
                Watcher::RedLine(line) => matches!(self.standing(line, day), Standing::Held(_)),
                Watcher::Constraint(_) | Watcher::Caution(_) => true,
            };
            let clear = self.sides(watcher).is_some_and(|(_, clear)| certain(clear, &edition.state));
            if held && !clear {
                not_clear.insert(index);
            }
        }
        let lines = self.scenario.red_lines.indices();
        edition.unrecorded = lines.filter(|line| *self.standing(*line, day) == Standing::NotRecorded).count();
        edition.not_clear = not_clear;
        edition
    }

    /// Iterates over the first days of the editions, ascending.
    pub fn edition_days(&self) -> impl Iterator<Item = Date> {
        self.editions.iter().map(|edition| edition.from)
    }

    /// Splits a range of days into parts, ascending, each of which is within one edition.
    ///
    /// Days before the first edition are left out.
    pub fn editions_within(&self, days: DateRange) -> impl Iterator<Item = DateRange> {
        let starts = self.editions.iter().map(|edition| edition.from);
        let ends = starts.clone().skip(1).map(Some).chain([None]);
        starts.zip(ends).filter_map(move |(start, next)| {
            let end = next.and_then(|next| next.yesterday().ok()).map_or(days.last(), |end| end.min(days.last()));
            DateRange::new(start.max(days.first()), end)
        })
    }

    /// Returns the edition of a day; `None` before the first edition.
    pub(super) fn edition(&self, day: Date) -> Option<&Edition> {
        let after = self.editions.partition_point(|edition| edition.from <= day);
        self.editions.get(after.checked_sub(1)?)
    }

    /// Returns the standing of a red line on a day.
    pub(super) fn standing(&self, red_line: RedLineIndex, day: Date) -> &Standing<Option<LadderIndex>> {
        let standings = self.standings.get(red_line).map_or(&[][..], |standings| standings);
        let after = standings.partition_point(|(from, _)| *from <= day);
        after.checked_sub(1).and_then(|at| standings.get(at)).map_or(&Standing::NotHeld, |(_, standing)| standing)
    }

    pub(super) fn ladder_cubes(&self) -> impl Iterator<Item = &Cubes> {
        self.ladders.iter().flat_map(Ladder::cubes)
    }

    /// Whether a red line is held on at least one day of a range.
    pub fn is_held(&self, red_line: RedLineIndex, days: DateRange) -> bool {
        let red_line = self.scenario.red_lines.get(red_line);
        red_line.is_some_and(|red_line| red_line.held.iter().any(|span| span.meets(days)))
    }

    /// Iterates over the red lines that are held on a day and have at least a given firmness without their waivers.
    ///
    /// [`Counted::crossed`] takes the waivers into account. Hypotheses apply: dropped red lines are left out, and added
    /// red lines follow those of the scenario.
    pub fn counted<'a>(
        &'a self,
        day: Date,
        supposed: Option<&'a Supposed>,
        at_least: Firmness,
    ) -> impl Iterator<Item = Counted<'a>> {
        let scenario = &*self.scenario;
        let recorded = scenario.red_lines.indexed().filter_map(move |(index, red_line)| {
            let Standing::Held(ladder) = self.standing(index, day) else { return None };
            if supposed.is_some_and(|supposed| supposed.drops(index)) {
                return None;
            }
            let firmness = supposed.and_then(|supposed| supposed.firmness(index)).unwrap_or(red_line.firmness);
            let lowered = self.ladder(*ladder).and_then(|ladder| ladder.crossed_at_least(at_least));
            let crossed = lowered.unwrap_or(red_line.sides().0);
            Some(Counted { index, red_line, firmness, crossed, space: &scenario.space })
        });
        let added = supposed.into_iter().flat_map(move |supposed| {
            supposed.added(scenario).map(|(index, red_line)| Counted {
                index,
                red_line,
                firmness: red_line.firmness,
                crossed: red_line.sides().0,
                space: &supposed.space,
            })
        });
        recorded.chain(added).filter(move |counted| counted.firmness >= at_least)
    }

    /// Iterates over the red lines that are not yet recorded on a day.
    ///
    /// Red lines that a hypothesis drops are left out.
    pub fn not_recorded<'a>(
        &'a self,
        day: Date,
        supposed: Option<&'a Supposed>,
    ) -> impl Iterator<Item = RedLineIndex> + 'a {
        let lines = self.scenario.red_lines.indices();
        lines
            .filter(move |line| *self.standing(*line, day) == Standing::NotRecorded)
            .filter(move |line| !supposed.is_some_and(|supposed| supposed.drops(*line)))
    }

    pub(super) fn ladder(&self, ladder: Option<LadderIndex>) -> Option<&Ladder> {
        self.ladders.get(ladder?.0 as usize)
    }

    pub(super) fn watchers(&self, input: InputIndex) -> &[WatcherIndex] {
        self.watchers.get(input).map_or(&[], |list| list)
    }

    pub(super) fn watcher_count(&self) -> usize {
        self.scenario.red_lines.len() + self.scenario.constraints.len() + self.scenario.cautions.len()
    }

    pub(super) fn all_watchers(&self) -> impl Iterator<Item = WatcherIndex> + use<> {
        // INVARIANT: the limits on red lines, constraints and cautions are far below `u32::MAX`.
        (0..u32::try_from(self.watcher_count()).unwrap_or(u32::MAX)).map(WatcherIndex)
    }

    pub(super) fn watcher(&self, index: WatcherIndex) -> Option<Watcher> {
        let (red_lines, constraints) = (self.scenario.red_lines.len(), self.scenario.constraints.len());
        let at = index.index();
        if at < red_lines {
            Some(Watcher::RedLine(RedLineIndex(at)))
        } else if at < red_lines + constraints {
            Some(Watcher::Constraint(ConstraintIndex(at - red_lines)))
        } else if at < self.watcher_count() {
            Some(Watcher::Caution(CautionIndex(at - red_lines - constraints)))
        } else {
            None
        }
    }

    /// Returns the prime implicants of a watcher's condition and of its opposite.
    ///
    /// For a red line, the condition is "crossed"; for a constraint, "broken"; for a caution, "applies".
    pub(super) fn sides(&self, watcher: Watcher) -> Option<(&Cubes, &Cubes)> {
        let decision = match watcher {
            Watcher::RedLine(index) => return Some(self.scenario.red_lines.get(index)?.sides()),
            Watcher::Constraint(index) => &self.scenario.constraints.get(index)?.forbids.decision,
            Watcher::Caution(index) => &self.scenario.cautions.get(index)?.when.decision,
        };
        Some((&decision.holds, &decision.fails))
    }
}
