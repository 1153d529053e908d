//! The scenario model, the scenario file format with its checks, revisions (hashes of a scenario's content), and the
//! diff of two scenarios.
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
mod red_line_places;
pub(crate) mod resolve;
mod revision;
pub mod yaml;

pub use date_range::DateRange;
pub use diagnostics::{Diagnostic, Diagnostics};
pub use format::schema;
pub use model::Scenario;
pub use proposal::{load_answers, load_proposal};
pub use record::{is_scenario_id, is_word_of_answers, is_word_of_the_language};
pub use red_line_places::RedLinePlaces;

use diagnostics::Faults;

/// Reads and checks a scenario file. `file` is its name, for messages.
///
/// # Errors
/// Returns every fault of the file, each with its place.
pub fn load(file: &str, text: &str) -> Result<Scenario, Diagnostics> {
    load_with_places(file, text).map(|(scenario, _)| scenario)
}

/// Reads and checks a scenario file, as [`load`] does, and also returns the places of its red lines.
///
/// # Errors
/// Returns every fault of the file, each with its place.
pub fn load_with_places(file: &str, text: &str) -> Result<(Scenario, RedLinePlaces), Diagnostics> {
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

#[cfg(test)]
mod tests;
