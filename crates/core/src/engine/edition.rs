//! Editions: ranges of days on which nothing in the scenario changes.
//!
//! Must not know of proposals or findings.

use super::watcher::WatcherSet;
use crate::scenario::Scenario;
use crate::scenario::model::Input;
use detente_condition::{Answer, Space};
use jiff::civil::Date;
use std::collections::BTreeSet;

/// The state of a scenario from one day until the next edition begins.
#[derive(Clone, Debug)]
pub(super) struct Edition {
    /// The first day of the edition.
    pub(super) from: Date,
    /// The answer to each input (issue or circumstance) if the request says nothing about it.
    pub(super) defaults: Box<[Answer]>,
    /// For each input, a mask of the values that its default answer allows; the scenario's space says what the bits
    /// mean.
    pub(super) state: Box<[u128]>,
    /// The number of red lines that are not yet recorded.
    pub(super) unrecorded: usize,
    /// The watchers (red lines, constraints and cautions) that apply or may apply to a request without answers: red
    /// lines that are crossed, constraints that are broken, cautions that are shown.
    pub(super) not_clear: WatcherSet,
}

impl Edition {
    pub(super) fn new(scenario: &Scenario, from: Date) -> Self {
        let defaults: Box<[Answer]> = scenario.inputs.iter().map(|input| default_on(input, from)).collect();
        let state = state_of(&defaults, &scenario.space);
        Self { from, defaults, state, unrecorded: 0, not_clear: WatcherSet::default() }
    }
}

fn state_of(defaults: &[Answer], space: &Space) -> Box<[u128]> {
    defaults.iter().zip(space.axes()).map(|(answer, axis)| axis.possible(answer)).collect()
}

fn default_on(input: &Input, day: Date) -> Answer {
    let standing = input.defaults.iter().rev().find(|dated| dated.from.is_none_or(|from| from <= day));
    standing.map_or(Answer::Unsettled, |dated| Answer::Exact(dated.value))
}

/// Returns the first days of all editions: the first day covered, and every later day on which something changes.
pub(super) fn first_days(scenario: &Scenario) -> BTreeSet<Date> {
    let covers = scenario.covers;
    let spans = scenario
        .red_lines
        .iter()
        .flat_map(|red_line| red_line.held.iter().chain(red_line.waivers.iter().flat_map(|waiver| &waiver.held)));
    let changes = spans.flat_map(|span| [Some(span.from), span.until]);
    let defaults = scenario.inputs.iter().flat_map(|input| input.defaults.iter().map(|dated| dated.from));
    let mut days: BTreeSet<Date> = changes.chain(defaults).flatten().filter(|day| covers.contains(*day)).collect();
    days.insert(covers.first());
    days
}
