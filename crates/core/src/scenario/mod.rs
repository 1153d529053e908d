//! The scenario model, the scenario file format with its checks, revisions, and the diff of two scenarios.
//!
//! Owns the [`Scenario`] model and reading it from text. Must not know of evaluation, gRPC, clocks or the file system:
//! a file is passed as its name and its text.

mod date_range;
pub(crate) mod deferred;
pub(crate) mod diagnostics;
pub mod diff;
pub(crate) mod document;
mod format;
pub mod ids;
pub mod index;
pub mod limits;
pub mod model;
mod proposal;
pub(crate) mod record;
pub(crate) mod resolve;
mod revision;
pub mod yaml;

pub use date_range::DateRange;
pub use diagnostics::{Diagnostic, Diagnostics};
pub use format::schema;
pub use model::Scenario;
pub use proposal::{load_answers, load_proposal};
pub use record::{is_scenario_id, is_word_of_answers, is_word_of_the_language};

use diagnostics::Faults;
use ids::RedLineId;
use std::collections::HashMap;

/// Reads and checks a scenario file. `file` is its name, for messages.
///
/// # Errors
/// Returns every fault of the file, each with its place.
pub fn load(file: &str, text: &str) -> Result<Scenario, Diagnostics> {
    let mut faults = Faults::default();
    let root = document::parse(text, &mut faults);
    let scenario = match root {
        Some(root) => resolve::scenario(&root, text, &mut faults),
        None => {
            if faults.is_empty() {
                faults.add(diagnostics::Place::START, "the file is empty");
            }
            None
        }
    };
    faults.finish(file, text, scenario)
}

/// Builds diagnostics for faults of red lines that were found after the file was read.
///
/// `faults` are pairs of a red line's id and a message. Each fault is placed at the id of its red line in the file.
pub fn red_line_faults(file: &str, text: &str, faults: &[(RedLineId, String)]) -> Diagnostics {
    let mut found = Faults::default();
    let root = document::parse(text, &mut Faults::default());
    let places: HashMap<&str, diagnostics::Place> = root.iter().flat_map(|root| root.ids_within("red_lines")).collect();
    for (id, message) in faults {
        let place = places.get(id.as_str()).copied().unwrap_or(diagnostics::Place::START);
        found.add(place, message);
    }
    match found.finish::<()>(file, text, None) {
        Err(diagnostics) => diagnostics,
        Ok(()) => Diagnostics::of_file(file, text, "the file cannot be used"),
    }
}

#[cfg(test)]
mod tests;
