//! Evaluates a proposal against a compiled scenario.
//!
//! An input is an issue or a circumstance. The state of an evaluation has one mask for each input: the values that its
//! answer allows. A [`Space`] says which values the bits of the masks stand for. A watcher is a red line, a constraint
//! or a caution. With basic detail, an evaluation skips every watcher that is clear without any answer, unless the
//! request's answers change one of its inputs.
//!
//! Must not know of how a finding is presented.

use super::compiled::Compiled;
use super::edition::Edition;
use super::evaluation::{Certainty, Evaluation, Finding, PartyStance, Sighting, Status, WaiverFinding};
use super::input::{Detail, EffectiveInput, Given, NotCoveredError, Origin};
use super::ladder::{Ladder, certain};
use super::reasons::{Lists, minimal_reasons, openings};
use super::standing::Standing;
use super::supposed::Supposed;
use super::verdict::{Stance, Verdict};
use super::watcher::{Watcher, WatcherIndex};
use crate::scenario::index::{IndexVec, PartyIndex, RedLineIndex};
use crate::scenario::model::{Firmness, RedLine};
use detente_condition::{Answer, Cubes, InputIndex, Space};
use jiff::civil::Date;
use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

impl Compiled {
    /// Evaluates a proposal, given as the answers of a request, on a day.
    ///
    /// If an input is given several times, the last answer counts. Without a day, the scenario's `as_of` is used.
    ///
    /// # Errors
    /// Returns an error if the scenario does not cover the day.
    pub fn evaluate(&self, given: &[Given], day: Option<Date>, detail: Detail) -> Result<Evaluation, NotCoveredError> {
        self.evaluate_supposing(given, day, detail, None)
    }

    /// Evaluates the given answers on a day, as [`Self::evaluate`] does, under hypotheses about red lines.
    ///
    /// The hypotheses must have been made for this scenario, because they refer to red lines by position.
    ///
    /// # Errors
    /// Returns an error if the scenario does not cover the day.
    pub fn evaluate_supposing(
        &self,
        given: &[Given],
        day: Option<Date>,
        detail: Detail,
        supposed: Option<&Arc<Supposed>>,
    ) -> Result<Evaluation, NotCoveredError> {
        let (day, edition) = self.day(day)?;
        let mut state = edition.state.to_vec();
        let mut to_evaluate = edition.not_clear.clone();
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
            for watcher in self.watchers(given.input) {
                to_evaluate.insert(*watcher);
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
            Detail::Basic => to_evaluate.iter().for_each(|watcher| run.evaluate_watcher(watcher)),
            Detail::Full => self.all_watchers().for_each(|watcher| run.evaluate_watcher(watcher)),
        }
        if let Some(supposed) = supposed {
            let state = supposed.state(&run.found.inputs);
            for (index, red_line) in supposed.added(self.scenario()) {
                run.red_line(index, red_line, None, (&supposed.space, &state));
            }
            let unrecorded = |line: &RedLineIndex| *self.standing(*line, day) == Standing::NotRecorded;
            run.found.unrecorded -= supposed.dropped().filter(unrecorded).count().min(run.found.unrecorded);
            run.found.supposed = Some(supposed.clone());
        }
        Ok(run.conclude())
    }

    /// Returns the answer that an evaluation uses for each input, with its origin, in input order.
    ///
    /// # Errors
    /// Returns an error if the scenario does not cover the day.
    pub fn effective_inputs(
        &self,
        given: &[Given],
        day: Option<Date>,
    ) -> Result<IndexVec<InputIndex, EffectiveInput>, NotCoveredError> {
        Ok(self.inputs_in(self.day(day)?.1, given))
    }

    /// Returns the answer and origin of each input in an edition, which is a range of days without a change of the
    /// scenario.
    ///
    /// `given` are the answers of the request.
    fn inputs_in(&self, edition: &Edition, given: &[Given]) -> IndexVec<InputIndex, EffectiveInput> {
        let inputs = (0u16..).zip(&edition.defaults).map(|(input, default)| {
            let input = InputIndex(input);
            let origin = match (default, self.scenario().is_issue(input)) {
                (Answer::Unsettled, true) => Origin::Silence,
                (Answer::Unsettled, false) => Origin::Unknown,
                (_, true) => Origin::StatusQuo,
                (_, false) => Origin::Assumed,
            };
            EffectiveInput { input, answer: *default, origin }
        });
        let mut inputs: IndexVec<InputIndex, EffectiveInput> = inputs.collect();
        for given in given {
            if let Some(input) = inputs.get_mut(given.input) {
                (input.answer, input.origin) = (given.answer, given.origin);
            }
        }
        inputs
    }

    /// Checks that the scenario covers a day.
    ///
    /// # Errors
    /// Returns an error if the scenario does not cover the day.
    pub fn check_covered(&self, day: Date) -> Result<(), NotCoveredError> {
        self.day(Some(day)).map(|_| ())
    }

    fn day(&self, day: Option<Date>) -> Result<(Date, &Edition), NotCoveredError> {
        let covers = self.scenario().covers;
        let day = day.unwrap_or(self.scenario().as_of);
        let edition = self.edition(day).filter(|_| day <= covers.last());
        edition.map(|edition| (day, edition)).ok_or(NotCoveredError { day, covers })
    }
}

impl Evaluation {
    fn empty(day: Date, unrecorded: usize, inputs: IndexVec<InputIndex, EffectiveInput>) -> Self {
        Self {
            day,
            verdict: Verdict::Unopposed,
            could_become: Verdict::Unopposed,
            stances: IndexVec::default(),
            // Capacity for a typical evaluation, because growing the lists costs more than evaluating.
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

/// One evaluation in progress: its arguments, and the results found so far.
struct Run<'a> {
    compiled: &'a Compiled,
    day: Date,
    detail: Detail,
    state: &'a [u128],
    supposed: Option<&'a Supposed>,
    found: Evaluation,
}

impl Run<'_> {
    fn evaluate_watcher(&mut self, index: WatcherIndex) {
        let compiled = self.compiled;
        let Some(watcher) = compiled.watcher(index) else { return };
        match watcher {
            Watcher::RedLine(index) => match compiled.standing(index, self.day) {
                _ if self.supposed.is_some_and(|supposed| supposed.drops(index)) => {}
                Standing::Held(ladder) => {
                    let Some(red_line) = compiled.scenario().red_lines.get(index) else { return };
                    let at = (&compiled.scenario().space, self.state);
                    self.red_line(index, red_line, compiled.ladder(*ladder), at);
                }
                Standing::NotRecorded if self.detail == Detail::Full => {
                    self.found.findings.push(Finding::bare(index, Status::NotRecorded));
                }
                Standing::NotRecorded | Standing::NotHeld => {}
            },
            Watcher::Constraint(index) => {
                let sighting = compiled.sides(watcher).and_then(|(yes, no)| self.sighting(index, yes, no));
                self.found.warnings.extend(sighting);
            }
            Watcher::Caution(index) => {
                let sighting = compiled.sides(watcher).and_then(|(yes, no)| self.sighting(index, yes, no));
                self.found.cautions.extend(sighting);
            }
        }
    }

    /// Adds the finding on a red line that is held.
    ///
    /// `at` consists of the space of the red line's condition, and the state as masks of this space. `ladder` is `None`
    /// if no waivers are in force.
    fn red_line(&mut self, index: RedLineIndex, red_line: &RedLine, ladder: Option<&Ladder>, at: (&Space, &[u128])) {
        let (crossed, clear) = red_line.sides();
        let (space, state) = at;
        let mut finding = Finding::bare(index, Status::Undetermined);
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
        let unwaived = self.supposed.and_then(|supposed| supposed.firmness(index)).unwrap_or(red_line.firmness);
        finding.firmness = Some(match ladder {
            None => (unwaived, unwaived),
            Some(ladder) => {
                finding.waivers = self.waivers(red_line, ladder, unwaived);
                ladder.firmness(unwaived, state)
            }
        });
        self.found.findings.push(finding);
    }

    /// Adds the waivers that lower or may lower a crossing, and returns their range in the list of all waivers found.
    ///
    /// `unwaived` is the firmness of the red line without waivers.
    fn waivers(&mut self, red_line: &RedLine, ladder: &Ladder, unwaived: Firmness) -> Range<u32> {
        let space = &self.compiled.scenario().space;
        let count = |waivers: &Vec<WaiverFinding>| u32::try_from(waivers.len()).unwrap_or(u32::MAX);
        let start = count(&self.found.waivers);
        for in_force in &ladder.waivers {
            if certain(&in_force.never_applies, self.state) {
                continue;
            }
            let waiver = red_line.waivers.get(in_force.index).filter(|waiver| waiver.firmness < unwaived);
            let Some(waiver) = waiver else { continue };
            let holds = &waiver.when.decision.holds;
            let certainty =
                if certain(&in_force.never_misses, self.state) { Certainty::Certain } else { Certainty::Possible };
            let reasons = minimal_reasons(holds, self.state, space, &mut self.found.reasons);
            self.found.waivers.push(WaiverFinding { waiver: in_force.index, certainty, reasons });
        }
        start..count(&self.found.waivers)
    }

    /// Returns whether a constraint or caution certainly or possibly applies; `None` if it certainly does not.
    ///
    /// `yes` and `no` are the prime implicants of its condition and of the opposite. Prime implicants are all minimal
    /// conjunctions of tests on inputs that make a statement true.
    fn sighting<I>(&mut self, index: I, yes: &Cubes, no: &Cubes) -> Option<Sighting<I>> {
        if certain(no, self.state) {
            return None;
        }
        let space = &self.compiled.scenario().space;
        let reasons = minimal_reasons(yes, self.state, space, &mut self.found.reasons);
        let certainty = if reasons.is_empty() { Certainty::Possible } else { Certainty::Certain };
        Some(Sighting { index, certainty, reasons })
    }

    /// Derives the stances and verdicts from the findings, and sorts the findings.
    fn conclude(mut self) -> Evaluation {
        let scenario = self.compiled.scenario();
        let no_objection = PartyStance { stance: Stance::NoStatedObjection, could_become: Stance::NoStatedObjection };
        let mut stances: IndexVec<PartyIndex, PartyStance> = vec![no_objection; scenario.parties.len()].into();
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
    fn bare(red_line: RedLineIndex, status: Status) -> Self {
        Self { red_line, status, firmness: None, reasons: 0..0, would_cross: 0..0, would_clear: 0..0, waivers: 0..0 }
    }
}
