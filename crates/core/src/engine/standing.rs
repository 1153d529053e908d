//! When a red line stands: from its spans, and those of its waivers, to what holds on each day.

use crate::scenario::model::{RedLine, Span};
use jiff::civil::Date;
use std::collections::BTreeSet;

/// What a red line is on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing<Waivers> {
    /// Held, with these waivers.
    Held(Waivers),
    /// Not held, and nothing says since when it was: the record only begins later.
    NotRecorded,
    /// Not held.
    NotHeld,
}

/// The standing of a red line from each day on at which it changes, ascending. Before the first: as at the first.
pub(super) fn standings(red_line: &RedLine) -> Vec<(Date, Standing<Vec<usize>>)> {
    let waiver_spans = red_line.waivers.iter().flat_map(|waiver| &waiver.held);
    let mut days = BTreeSet::from([Date::MIN]);
    for span in red_line.held.iter().chain(waiver_spans) {
        days.insert(span.from);
        days.extend(span.until);
    }
    let mut standings: Vec<(Date, Standing<Vec<usize>>)> = Vec::new();
    for day in days {
        let standing = standing_on(red_line, day);
        if standings.last().is_none_or(|(_, last)| *last != standing) {
            standings.push((day, standing));
        }
    }
    standings
}

fn standing_on(red_line: &RedLine, day: Date) -> Standing<Vec<usize>> {
    if holds(&red_line.held, day) {
        let standing = red_line.waivers.iter().enumerate();
        return Standing::Held(
            standing
                .filter(|(_, waiver)| waiver.held.is_empty() || holds(&waiver.held, day))
                .map(|(position, _)| position)
                .collect(),
        );
    }
    match red_line.held.iter().find(|span| span.from > day) {
        Some(next) if !next.from_is_stated => Standing::NotRecorded,
        _ => Standing::NotHeld,
    }
}

fn holds(spans: &[Span], day: Date) -> bool {
    spans.iter().any(|span| span.contains(day))
}
