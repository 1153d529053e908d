//! A scenario made ready: standings, ladders, editions, and the index from an input to what watches it.

use super::edition::{Edition, first_days};
use super::ladder::{Ladder, certain};
use super::standing::{Standing, standings};
use super::supposed::Supposed;
use crate::scenario::Scenario;
use crate::scenario::model::{Firmness, RedLine};
use detente_condition::{ComplexityError, Cubes, InputId, Space, Vocabulary};
use jiff::civil::Date;
use std::sync::{Arc, OnceLock};
use thiserror::Error;

/// A red line whose waivers make it too complex.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("red line `{red_line}` with its waivers: {cause}")]
pub struct CompileError {
    /// The red line's id.
    pub red_line: String,
    /// The limit.
    pub cause: ComplexityError,
}

/// A scenario that can be evaluated. Immutable; shared by reference count.
#[derive(Debug)]
pub struct Compiled {
    scenario: Arc<Scenario>,
    standings: Box<[Standings]>,
    ladders: Box<[Ladder]>,
    editions: Box<[Edition]>,
    /// For each input, the watched things that test it.
    watchers: Lists<u32>,
    /// For each red line, the inputs that decide it.
    deciding: Lists<InputId>,
    /// For conditions that come with calls; most scenarios never see any.
    vocabulary: OnceLock<Vocabulary>,
    /// About how many bytes all this takes.
    pub(super) bytes: usize,
}

/// A red line whose crossings count with at least some firmness, waivers considered.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// Its position; hypothetical ones follow those of the scenario.
    pub position: usize,
    /// The red line.
    pub red_line: &'a RedLine,
    /// How firmly it is held, without its waivers.
    pub firmness: Firmness,
    /// The prime implicants of "crossed, and no waiver lowers it below the firmness asked for".
    pub crossed: &'a Cubes,
    /// The space of these.
    pub space: &'a Space,
}

/// From each day on: what the red line is. A ladder only where waivers stand.
type Standings = Box<[(Date, Standing<Option<u32>>)]>;

type Lists<T> = Box<[Box<[T]>]>;

/// Something that watches inputs: numbered in this order, red lines first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    RedLine(usize),
    Constraint(usize),
    Caution(usize),
}

impl Compiled {
    /// Makes a scenario ready.
    ///
    /// # Errors
    /// The red lines whose waivers, taken together with the line, outgrow a limit.
    pub fn new(scenario: Arc<Scenario>) -> Result<Self, Vec<CompileError>> {
        let mut ladders = Vec::new();
        let mut faults = Vec::new();
        let mut all_standings = Vec::with_capacity(scenario.red_lines.len());
        for red_line in &scenario.red_lines {
            let mut built: Vec<(Vec<usize>, u32)> = Vec::new();
            let mut ladder_for = |waivers: Vec<usize>| {
                if waivers.is_empty() {
                    return None;
                }
                if let Some((_, ladder)) = built.iter().find(|(standing, _)| *standing == waivers) {
                    return Some(*ladder);
                }
                match Ladder::compile(red_line, &waivers, &scenario.space) {
                    Ok(ladder) => ladders.push(ladder),
                    Err(cause) => {
                        faults.push(CompileError { red_line: red_line.id.to_string(), cause });
                        return None;
                    }
                }
                let position = u32::try_from(ladders.len() - 1).ok()?;
                built.push((waivers, position));
                Some(position)
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
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut compiled = Self {
            standings: all_standings.into(),
            ladders: ladders.into(),
            editions: Box::default(),
            watchers: Box::default(),
            deciding: Box::default(),
            vocabulary: OnceLock::new(),
            bytes: 0,
            scenario,
        };
        (compiled.watchers, compiled.deciding) = compiled.index();
        let days = first_days(&compiled.scenario);
        compiled.editions = days.into_iter().map(|day| compiled.edition_from(day)).collect();
        compiled.bytes = compiled.count_bytes();
        Ok(compiled)
    }

    /// The scenario.
    pub fn scenario(&self) -> &Arc<Scenario> {
        &self.scenario
    }

    /// The names that conditions of calls may use.
    pub fn vocabulary(&self) -> &Vocabulary {
        self.vocabulary.get_or_init(|| self.scenario.vocabulary())
    }

    /// From inputs to what watches them, and from red lines to the inputs that decide them.
    fn index(&self) -> (Lists<u32>, Lists<InputId>) {
        let mut watchers = vec![Vec::new(); self.scenario.inputs.len()];
        let mut deciding = Vec::with_capacity(self.scenario.red_lines.len());
        for ordinal in 0..self.watched_count() {
            let Some((sides, extra)) = self.watched(ordinal).and_then(|watched| self.tested_by(watched)) else {
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
                if let (Some(list), Ok(ordinal)) = (watchers.get_mut(input.index()), u32::try_from(ordinal)) {
                    list.push(ordinal);
                }
            }
            if deciding.len() < self.scenario.red_lines.len() {
                deciding.push(inputs.into_boxed_slice());
            }
        }
        (watchers.into_iter().map(Vec::into_boxed_slice).collect(), deciding.into())
    }

    /// The inputs on which a red line's status or firmness depends, in input order.
    pub fn deciding_inputs(&self, red_line: usize) -> &[InputId] {
        self.deciding.get(red_line).map_or(&[], |inputs| inputs)
    }

    /// Its condition's two sides, and what else its findings depend on: the conditions of all its waivers.
    fn tested_by(&self, watched: Watched) -> Option<((&Cubes, &Cubes), Vec<&Cubes>)> {
        let extra = match watched {
            Watched::RedLine(position) => {
                let red_line = self.scenario.red_lines.get(position)?;
                red_line
                    .waivers
                    .iter()
                    .flat_map(|waiver| [&waiver.when.decision.holds, &waiver.when.decision.fails])
                    .collect()
            }
            Watched::Constraint(_) | Watched::Caution(_) => Vec::new(),
        };
        Some((self.sides(watched)?, extra))
    }

    fn edition_from(&self, day: Date) -> Edition {
        let mut edition = Edition::new(&self.scenario, day);
        let mut astir = vec![0u64; self.watched_count().div_ceil(64)];
        for ordinal in 0..self.watched_count() {
            let Some(watched) = self.watched(ordinal) else { continue };
            let held = match watched {
                Watched::RedLine(position) => matches!(self.standing(position, day), Standing::Held(_)),
                Watched::Constraint(_) | Watched::Caution(_) => true,
            };
            let clear = self.sides(watched).is_some_and(|(_, clear)| certain(clear, &edition.state));
            if held
                && !clear
                && let Some(word) = astir.get_mut(ordinal / 64)
            {
                *word |= 1 << (ordinal % 64);
            }
        }
        let lines = 0..self.scenario.red_lines.len();
        edition.unrecorded = lines.filter(|line| *self.standing(*line, day) == Standing::NotRecorded).count();
        edition.astir = astir.into();
        edition
    }

    /// The first days of the editions, ascending.
    pub fn edition_days(&self) -> impl Iterator<Item = Date> {
        self.editions.iter().map(|edition| edition.from)
    }

    /// The stretches of days between two days, ends included, on each of which one edition holds. None if the days are
    /// not covered or in the wrong order.
    pub fn editions_between(&self, from: Date, to: Date) -> impl Iterator<Item = (Date, Date)> {
        let starts = self.editions.iter().map(|edition| edition.from);
        let ends = starts.clone().skip(1).map(Some).chain([None]);
        starts.zip(ends).filter_map(move |(start, next)| {
            let end = next.and_then(|next| next.yesterday().ok()).map_or(to, |last| last.min(to));
            let start = start.max(from);
            (start <= end).then_some((start, end))
        })
    }

    /// The edition that a day belongs to; `None` before the first.
    pub(super) fn edition(&self, day: Date) -> Option<&Edition> {
        let after = self.editions.partition_point(|edition| edition.from <= day);
        self.editions.get(after.checked_sub(1)?)
    }

    pub(super) fn standing(&self, red_line: usize, day: Date) -> &Standing<Option<u32>> {
        let standings = self.standings.get(red_line).map_or(&[][..], |standings| standings);
        let after = standings.partition_point(|(from, _)| *from <= day);
        after.checked_sub(1).and_then(|at| standings.get(at)).map_or(&Standing::NotHeld, |(_, standing)| standing)
    }

    pub(super) fn ladder_cubes(&self) -> impl Iterator<Item = &Cubes> {
        self.ladders.iter().flat_map(Ladder::cubes)
    }

    /// Whether a red line is held on one of the days, ends included.
    pub fn is_held(&self, red_line: usize, (from, to): (Date, Date)) -> bool {
        let red_line = self.scenario.red_lines.get(red_line);
        red_line.is_some_and(|red_line| {
            red_line.held.iter().any(|span| span.from <= to && span.until.is_none_or(|until| from < until))
        })
    }

    /// The red lines held on a day whose crossings can count with at least some firmness, hypotheses included: each with
    /// its position (hypothetical ones follow those of the scenario), where such a crossing is, and the space of this.
    pub fn counted<'a>(
        &'a self,
        day: Date,
        supposed: Option<&'a Supposed>,
        at_least: Firmness,
    ) -> impl Iterator<Item = Counted<'a>> {
        let scenario = &*self.scenario;
        let recorded = scenario.red_lines.iter().enumerate().filter_map(move |(position, red_line)| {
            let Standing::Held(ladder) = self.standing(position, day) else { return None };
            if supposed.is_some_and(|supposed| supposed.drops(position)) {
                return None;
            }
            let firmness = supposed.and_then(|supposed| supposed.firmness(position)).unwrap_or(red_line.firmness);
            let lowered = self.ladder(*ladder).and_then(|ladder| ladder.crossed_at_least(at_least));
            let crossed = lowered.unwrap_or(red_line.sides().0);
            Some(Counted { position, red_line, firmness, crossed, space: &scenario.space })
        });
        let added = supposed.into_iter().flat_map(move |supposed| {
            supposed.added(scenario).map(|(position, red_line)| Counted {
                position,
                red_line,
                firmness: red_line.firmness,
                crossed: red_line.sides().0,
                space: &supposed.space,
            })
        });
        recorded.chain(added).filter(move |counted| counted.firmness >= at_least)
    }

    /// The red lines not yet recorded on a day, by position; those that a hypothesis drops apart.
    pub fn not_recorded<'a>(&'a self, day: Date, supposed: Option<&'a Supposed>) -> impl Iterator<Item = usize> + 'a {
        let lines = 0..self.scenario.red_lines.len();
        lines
            .filter(move |line| *self.standing(*line, day) == Standing::NotRecorded)
            .filter(move |line| !supposed.is_some_and(|supposed| supposed.drops(*line)))
    }

    pub(super) fn ladder(&self, position: Option<u32>) -> Option<&Ladder> {
        self.ladders.get(position? as usize)
    }

    pub(super) fn watchers(&self, input: usize) -> &[u32] {
        self.watchers.get(input).map_or(&[], |list| list)
    }

    pub(super) fn watched_count(&self) -> usize {
        self.scenario.red_lines.len() + self.scenario.constraints.len() + self.scenario.cautions.len()
    }

    pub(super) fn watched(&self, ordinal: usize) -> Option<Watched> {
        let (red_lines, constraints) = (self.scenario.red_lines.len(), self.scenario.constraints.len());
        if ordinal < red_lines {
            Some(Watched::RedLine(ordinal))
        } else if ordinal < red_lines + constraints {
            Some(Watched::Constraint(ordinal - red_lines))
        } else if ordinal < self.watched_count() {
            Some(Watched::Caution(ordinal - red_lines - constraints))
        } else {
            None
        }
    }

    /// The prime implicants of "crossed" (or broken, or applies) and of its opposite.
    pub(super) fn sides(&self, watched: Watched) -> Option<(&Cubes, &Cubes)> {
        let decision = match watched {
            Watched::RedLine(position) => return Some(self.scenario.red_lines.get(position)?.sides()),
            Watched::Constraint(position) => &self.scenario.constraints.get(position)?.forbids.decision,
            Watched::Caution(position) => &self.scenario.cautions.get(position)?.when.decision,
        };
        Some((&decision.holds, &decision.fails))
    }
}
