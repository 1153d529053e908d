//! The places of red lines in a scenario file, for faults that are found after the file was read.
//!
//! Must not know how such faults are found.

use super::diagnostics::{Diagnostics, Faults, Place};
use super::ids::RedLineId;
use std::collections::HashMap;

/// The place of each red line's id in the scenario file.
#[derive(Debug)]
pub(crate) struct RedLinePlaces(Vec<(RedLineId, Place)>);

impl RedLinePlaces {
    /// Pairs the ids of red lines with their places, both in the order of the file.
    pub(super) fn new(ids: impl Iterator<Item = RedLineId>, places: Vec<Place>) -> Self {
        Self(ids.zip(places).collect())
    }

    /// Builds diagnostics for faults of red lines. `file` and `text` are those from which the places were read.
    ///
    /// `faults` are pairs of a red line's id and a message. Each fault is placed at the id of its red line.
    pub(crate) fn diagnostics(&self, file: &str, text: &str, faults: &[(RedLineId, String)]) -> Diagnostics {
        let mut found = Faults::default();
        let places: HashMap<&str, Place> = self.0.iter().map(|(id, place)| (id.as_str(), *place)).collect();
        for (id, message) in faults {
            let place = places.get(id.as_str()).copied().unwrap_or(Place::START);
            found.add(place, message);
        }
        match found.finish::<()>(file, text, None) {
            Err(diagnostics) => diagnostics,
            Ok(()) => Diagnostics::of_file(file, text, "the file cannot be used"),
        }
    }
}
