//! Evaluating a proposal.

use super::compiled::{Compiled, Watched};
use super::edition::Edition;
use super::evaluation::{Certainty, Evaluation, Finding, PartyStance, Sighting, Status, WaiverFinding};
use super::input::{Detail, EffectiveInput, Given, NotCoveredError, Origin};
use super::ladder::{Ladder, certain};
use super::reasons::{Lists, minimal_reasons, openings};
use super::standing::Standing;
use super::supposed::Supposed;
use super::verdict::{Stance, Verdict};
use crate::scenario::model::{Firmness, RedLine};
use detente_condition::{Answer, Cubes, InputId, Space};
use jiff::civil::Date;
use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

impl Compiled {
    /// Evaluates what is given (at most one answer an input; of several, the last) on a day (default: the scenario's).
    ///
    /// # Errors
    /// A day outside of what the scenario covers.
    pub fn evaluate(&self, given: &[Given], day: Option<Date>, detail: Detail) -> Result<Evaluation, NotCoveredError> {
        self.evaluate_supposing(given, day, detail, None)
    }

    /// The same, with hypotheses about red lines. They must fit this scenario.
    ///
    /// # Errors
    /// A day outside of what the scenario covers.
    pub fn evaluate_supposing(
        &self,
        given: &[Given],
        day: Option<Date>,
        detail: Detail,
        supposed: Option<&Arc<Supposed>>,
    ) -> Result<Evaluation, NotCoveredError> {
        let (day, edition) = self.day(day)?;
        let mut state = edition.state.to_vec();
        let mut astir = edition.astir.to_vec();
        for given in given {
            let (Some(axis), Some(possible)) =
                (self.scenario().space.axis(given.input), state.get_mut(given.input.index()))
            else {
                continue;
            };
            let answered = axis.possible(&given.answer);
            if answered == *possible {
                continue;
            }
            *possible = answered;
            for watcher in self.watchers(given.input.index()) {
                if let Some(word) = astir.get_mut(*watcher as usize / 64) {
                    *word |= 1 << (watcher % 64);
                }
            }
        }
        let mut run = Run {
            compiled: self,
            day,
            detail,
            state: &state,
            supposed: supposed.map(Arc::as_ref),
            found: Evaluation::empty(day, edition.unrecorded, self.inputs_in(edition, given)),
        };
        match detail {
            Detail::Basic => bits(&astir).for_each(|ordinal| run.look_at(ordinal)),
            Detail::Full => (0..self.watched_count()).for_each(|ordinal| run.look_at(ordinal)),
        }
        if let Some(supposed) = supposed {
            let state = supposed.state(&run.found.inputs);
            for (position, red_line) in supposed.added(self.scenario()) {
                run.line(position, red_line, None, (&supposed.space, &state));
            }
            let unrecorded = |line: &usize| *self.standing(*line, day) == Standing::NotRecorded;
            run.found.unrecorded -= supposed.dropped().filter(unrecorded).count().min(run.found.unrecorded);
            run.found.supposed = Some(supposed.clone());
        }
        Ok(run.conclude())
    }

    /// What an evaluation takes each input to be.
    ///
    /// # Errors
    /// A day outside of what the scenario covers.
    pub fn effective_inputs(&self, given: &[Given], day: Option<Date>) -> Result<Vec<EffectiveInput>, NotCoveredError> {
        Ok(self.inputs_in(self.day(day)?.1, given))
    }

    fn inputs_in(&self, edition: &Edition, given: &[Given]) -> Vec<EffectiveInput> {
        let inputs = (0u16..).zip(&edition.defaults).map(|(input, default)| {
            let input = InputId(input);
            let origin = match (default, self.scenario().is_issue(input)) {
                (Answer::Unsettled, true) => Origin::Silence,
                (Answer::Unsettled, false) => Origin::Unknown,
                (_, true) => Origin::StatusQuo,
                (_, false) => Origin::Assumed,
            };
            EffectiveInput { input, answer: *default, origin }
        });
        let mut inputs: Vec<EffectiveInput> = inputs.collect();
        for given in given {
            if let Some(input) = inputs.get_mut(given.input.index()) {
                (input.answer, input.origin) = (given.answer, given.origin);
            }
        }
        inputs
    }

    /// Whether the scenario covers a day.
    ///
    /// # Errors
    /// If it does not.
    pub fn check_covered(&self, day: Date) -> Result<(), NotCoveredError> {
        self.day(Some(day)).map(|_| ())
    }

    fn day(&self, day: Option<Date>) -> Result<(Date, &Edition), NotCoveredError> {
        let (from, to) = self.scenario().covers;
        let day = day.unwrap_or(self.scenario().as_of);
        let edition = self.edition(day).filter(|_| day <= to);
        edition.map(|edition| (day, edition)).ok_or(NotCoveredError { day, from, to })
    }
}

/// The positions of the set bits.
fn bits(words: &[u64]) -> impl Iterator<Item = usize> {
    words.iter().enumerate().flat_map(|(at, word)| {
        let mut left = *word;
        std::iter::from_fn(move || {
            let bit = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            (bit < 64).then_some(at * 64 + bit)
        })
    })
}

impl Evaluation {
    fn empty(day: Date, unrecorded: usize, inputs: Vec<EffectiveInput>) -> Self {
        Self {
            day,
            verdict: Verdict::Unopposed,
            could_become: Verdict::Unopposed,
            stances: Vec::new(),
            // Room for a usual answer: growing step by step costs more than the evaluating does.
            findings: Vec::with_capacity(16),
            inputs,
            supposed: None,
            unrecorded,
            warnings: Vec::new(),
            cautions: Vec::new(),
            waivers: Vec::new(),
            reasons: Lists::with_capacity(64, 32),
            openings: Lists::with_capacity(16, 16),
        }
    }
}

struct Run<'a> {
    compiled: &'a Compiled,
    day: Date,
    detail: Detail,
    state: &'a [u128],
    supposed: Option<&'a Supposed>,
    found: Evaluation,
}

impl Run<'_> {
    fn look_at(&mut self, ordinal: usize) {
        let compiled = self.compiled;
        let Some(watched) = compiled.watched(ordinal) else { return };
        match watched {
            Watched::RedLine(position) => match compiled.standing(position, self.day) {
                _ if self.supposed.is_some_and(|supposed| supposed.drops(position)) => {}
                Standing::Held(ladder) => {
                    let Some(red_line) = compiled.scenario().red_lines.get(position) else { return };
                    let at = (&compiled.scenario().space, self.state);
                    self.line(position, red_line, compiled.ladder(*ladder), at);
                }
                Standing::NotRecorded if self.detail == Detail::Full => {
                    self.found.findings.push(Finding::bare(position, Status::NotRecorded));
                }
                Standing::NotRecorded | Standing::NotHeld => {}
            },
            Watched::Constraint(position) => {
                let sighting = compiled.sides(watched).and_then(|(yes, no)| self.sighting(position, yes, no));
                self.found.warnings.extend(sighting);
            }
            Watched::Caution(position) => {
                let sighting = compiled.sides(watched).and_then(|(yes, no)| self.sighting(position, yes, no));
                self.found.cautions.extend(sighting);
            }
        }
    }

    /// One red line that is held, in its space.
    fn line(&mut self, position: usize, red_line: &RedLine, ladder: Option<&Ladder>, at: (&Space, &[u128])) {
        let (crossed, clear) = red_line.sides();
        let (space, state) = at;
        let mut finding = Finding::bare(position, Status::Undetermined);
        if certain(clear, state) {
            if self.detail == Detail::Basic {
                return;
            }
            finding.status = Status::Clear;
            finding.reasons = minimal_reasons(clear, state, space, &mut self.found.reasons);
            self.found.findings.push(finding);
            return;
        }
        finding.reasons = minimal_reasons(crossed, state, space, &mut self.found.reasons);
        if finding.reasons.is_empty() {
            finding.would_cross = openings(crossed, state, space, &mut self.found.openings);
            finding.would_clear = openings(clear, state, space, &mut self.found.openings);
        } else {
            finding.status = Status::Crossed;
        }
        let unwaived = self.supposed.and_then(|supposed| supposed.firmness(position)).unwrap_or(red_line.firmness);
        finding.firmness = Some(match ladder {
            None => (unwaived, unwaived),
            Some(ladder) => {
                finding.waivers = self.waivers(red_line, ladder, unwaived);
                ladder.firmness(unwaived, state)
            }
        });
        self.found.findings.push(finding);
    }

    /// The waivers that lower crossings, of a line that without them is held this firmly.
    fn waivers(&mut self, red_line: &RedLine, ladder: &Ladder, unwaived: Firmness) -> Range<u32> {
        let space = &self.compiled.scenario().space;
        let count = |waivers: &Vec<WaiverFinding>| u32::try_from(waivers.len()).unwrap_or(u32::MAX);
        let start = count(&self.found.waivers);
        for standing in &ladder.waivers {
            if certain(&standing.never_applies, self.state) {
                continue;
            }
            let waiver = red_line.waivers.get(standing.position).filter(|waiver| waiver.firmness < unwaived);
            let Some(waiver) = waiver else { continue };
            let holds = &waiver.when.decision.holds;
            let certainty =
                if certain(&standing.never_misses, self.state) { Certainty::Certain } else { Certainty::Possible };
            let reasons = minimal_reasons(holds, self.state, space, &mut self.found.reasons);
            self.found.waivers.push(WaiverFinding { waiver: standing.position, certainty, reasons });
        }
        start..count(&self.found.waivers)
    }

    fn sighting(&mut self, position: usize, yes: &Cubes, no: &Cubes) -> Option<Sighting> {
        if certain(no, self.state) {
            return None;
        }
        let space = &self.compiled.scenario().space;
        let reasons = minimal_reasons(yes, self.state, space, &mut self.found.reasons);
        let certainty = if reasons.is_empty() { Certainty::Possible } else { Certainty::Certain };
        Some(Sighting { position, certainty, reasons })
    }

    fn conclude(mut self) -> Evaluation {
        let scenario = self.compiled.scenario();
        let calm = PartyStance { stance: Stance::NoStatedObjection, could_become: Stance::NoStatedObjection };
        let mut stances = vec![calm; scenario.parties.len()];
        for finding in &self.found.findings {
            let Some((lowest, highest)) = finding.firmness else { continue };
            let red_line = self.found.red_line(scenario, finding);
            let Some(party) = red_line.and_then(|red_line| stances.get_mut(red_line.party)) else { continue };
            let stance =
                if finding.status == Status::Crossed { Stance::of_crossing(lowest) } else { Stance::Undecided };
            party.stance = party.stance.max(stance);
            party.could_become = party.could_become.max(Stance::of_crossing(highest));
        }
        let verdict = |pick: fn(&PartyStance) -> Stance| {
            let each = scenario.parties.iter().zip(&stances);
            each.map(|(party, stance)| Verdict::of_stance(pick(stance), party.role)).max().unwrap_or(Verdict::Unopposed)
        };
        self.found.verdict = verdict(|party| party.stance);
        self.found.could_become = verdict(|party| party.could_become);
        self.found.stances = stances;
        self.found.findings.sort_unstable_by_key(|finding| {
            let falling = finding
                .firmness
                .map_or((Reverse(Firmness::Tentative), Reverse(Firmness::Tentative)), |(lowest, highest)| {
                    (Reverse(lowest), Reverse(highest))
                });
            (finding.status, falling, finding.red_line)
        });
        self.found
    }
}

impl Finding {
    fn bare(red_line: usize, status: Status) -> Self {
        Self { red_line, status, firmness: None, reasons: 0..0, would_cross: 0..0, would_clear: 0..0, waivers: 0..0 }
    }
}
