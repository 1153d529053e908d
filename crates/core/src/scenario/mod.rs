//! The data: what a scenario is, the file format, its checks, the revision, and what changed between two.
//!
//! Owns the [`Scenario`] model and everything about reading one from text. Must not know of evaluation, of the wire,
//! of clocks or of the file system: a file enters as its name and its text.

pub(crate) mod deferred;
pub(crate) mod diagnostics;
pub mod diff;
pub(crate) mod document;
mod format;
pub mod limits;
pub mod model;
mod proposal;
pub(crate) mod record;
pub(crate) mod resolve;
mod revision;
pub mod yaml;

pub use diagnostics::{Diagnostic, Diagnostics};
pub use format::schema;
pub use model::Scenario;
pub use proposal::{load_answers, load_proposal};
pub use record::{is_scenario_id, is_word_of_answers, is_word_of_the_language};

use diagnostics::Faults;
use std::collections::HashMap;

/// Reads a scenario file. `file` is its name, for messages.
///
/// # Errors
/// Every fault of the file, each with its place.
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

/// Faults of red lines that were found once the file was read, each placed at its line's id. `faults` are pairs of id
/// and message.
pub fn red_line_faults(file: &str, text: &str, faults: &[(String, String)]) -> Diagnostics {
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
