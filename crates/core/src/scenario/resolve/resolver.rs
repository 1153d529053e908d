//! The state of turning a scenario file into the model, and the reading of texts, lists and references in all parts.
//!
//! Must not know of any kind of part.

use super::names::Names;
use crate::scenario::budget::LoadBudget;
use crate::scenario::characters::Characters;
use crate::scenario::date_range::DateRange;
use crate::scenario::diagnostics::{Faults, Place};
use crate::scenario::index::{PartyIndex, SourceIndex};
use crate::scenario::limits;
use crate::scenario::record::{At, SingleLine, Snake, Text};
use detente_condition::{InputIndex, Vocabulary};
use jiff::civil::Date;

/// The meaning of a name, in the namespace that issues, circumstances (both are inputs) and groups share.
#[derive(Clone, Copy)]
pub(super) enum InputOrGroup {
    Input(InputIndex),
    Group,
}

/// The state of turning one scenario file into the model.
pub(super) struct Resolver<'a> {
    pub(super) faults: &'a mut Faults,
    pub(super) characters: &'a Characters<&'a str>,
    pub(super) budget: &'a mut LoadBudget,
    pub(super) covers: Option<DateRange>,
    pub(super) as_of: Option<Date>,
    pub(super) sources: Names<SourceIndex>,
    pub(super) parties: Names<PartyIndex>,
    pub(super) inputs: Names<InputOrGroup>,
    pub(super) vocabulary: Vocabulary,
}

impl Resolver<'_> {
    pub(super) fn fault<T>(&mut self, place: Place, message: impl Into<String>) -> Option<T> {
        self.faults.add(place, message);
        None
    }

    /// Returns the entries of a list up to its limit, and reports a list that exceeds the limit.
    pub(super) fn list<T>(&mut self, list: Option<At<Vec<T>>>, what: &str, most: usize) -> Vec<T> {
        let mut list = self.whole_list(list, what, most);
        list.truncate(most);
        list
    }

    /// Returns all entries of a list, and reports a list that exceeds its limit.
    pub(super) fn whole_list<T>(&mut self, list: Option<At<Vec<T>>>, what: &str, most: usize) -> Vec<T> {
        let Some(list) = list else { return Vec::new() };
        if list.value.len() > most {
            let place = Place { start: list.place.start, end: list.place.start + 1 };
            self.faults.add(place, format!("there are {} {what}; the limit is {most}", list.value.len()));
        }
        list.value
    }

    /// Returns the entries of a list of short texts, up to the limit of such lists.
    pub(super) fn strings(&mut self, lines: Option<Vec<SingleLine>>, place: Place) -> Vec<String> {
        let list = lines.map(|lines| At { place, value: lines.into_iter().map(|line| line.0).collect() });
        self.list(list, "entries", limits::MAX_ENTRIES)
    }

    pub(super) fn party(&mut self, id: &At<Snake>) -> Option<PartyIndex> {
        self.parties.find("party", &id.value.0, id.place, self.faults)
    }
}

pub(super) fn line(line: Option<SingleLine>) -> String {
    line.map_or_else(String::new, |line| line.0)
}

pub(super) fn prose(text: Option<Text>) -> String {
    text.map_or_else(String::new, |text| text.0)
}

/// Returns the text of an id; empty if it could not be read.
pub(super) fn snake(id: Option<At<Snake>>) -> String {
    id.map_or_else(String::new, |id| id.value.0)
}
