//! The standing of a red line on each day: held, and with which waivers; not yet recorded; or not held.
//!
//! The standing follows from the spans of days on which the red line is held and its waivers are in force. Must not
//! know of conditions.

use crate::scenario::index::WaiverIndex;
use crate::scenario::model::{Beginning, RedLine, Span};
use jiff::civil::Date;
use std::collections::BTreeSet;

/// The standing of a red line on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing<Waivers> {
    /// The red line is held, with these waivers in force.
    Held(Waivers),
    /// The record of the red line begins only later, and does not state when the red line was first held.
    NotRecorded,
    /// The red line is not held.
    NotHeld,
}

/// Returns each day on which the standing of a red line changes, ascending, with the standing from that day on.
///
/// The first entry is [`Date::MIN`]. Waivers are given by their positions in the red line.
pub(super) fn standings(red_line: &RedLine) -> Vec<(Date, Standing<Vec<WaiverIndex>>)> {
    let waiver_spans = red_line.waivers.iter().flat_map(|waiver| &waiver.held);
    let mut days = BTreeSet::from([Date::MIN]);
    for span in red_line.held.iter().chain(waiver_spans) {
        days.insert(span.from);
        days.extend(span.until);
    }
    let mut standings: Vec<(Date, Standing<Vec<WaiverIndex>>)> = Vec::new();
    for day in days {
        let standing = standing_on(red_line, day);
        if standings.last().is_none_or(|(_, last)| *last != standing) {
            standings.push((day, standing));
        }
    }
    standings
}

/// Returns the steps, in the unit of work budgets, that [`standings`] takes: each day on which a span begins or ends is
/// looked up in all spans.
pub(super) fn steps_of_standings(red_line: &RedLine) -> u64 {
    const STEPS_OF_A_SPAN: usize = 4;
    let spans = red_line.held.len() + red_line.waivers.iter().map(|waiver| 1 + waiver.held.len()).sum::<usize>();
    (2 * spans * spans * STEPS_OF_A_SPAN) as u64
}

fn standing_on(red_line: &RedLine, day: Date) -> Standing<Vec<WaiverIndex>> {
    if contain(&red_line.held, day) {
        let waivers = red_line.waivers.indexed();
        return Standing::Held(
            waivers
                .filter(|(_, waiver)| waiver.held.is_empty() || contain(&waiver.held, day))
                .map(|(index, _)| index)
                .collect(),
        );
    }
    match red_line.held.iter().find(|span| span.from > day) {
        Some(Span { beginning: Beginning::FirstRecorded, .. }) => Standing::NotRecorded,
        _ => Standing::NotHeld,
    }
}

fn contain(spans: &[Span], day: Date) -> bool {
    spans.iter().any(|span| span.contains(day))
}
