//! The scenario model, the scenario file format with its checks, revisions (hashes of a scenario's content), and the
//! diff of two scenarios.
//!
//! Owns the [`Scenario`] model and reading it from text. Must not know of evaluation, gRPC, clocks or the file system:
//! a file is passed as its name and its text.

pub(crate) mod budget;
mod characters;
mod condition_text;
mod date_range;
pub(crate) mod deferred;
pub(crate) mod diagnostics;
pub mod diff;
pub(crate) mod document;
mod format;
pub mod ids;
pub mod index;
pub mod limits;
mod measured_input;
pub mod model;
mod proposal;
pub(crate) mod record;
mod red_line_places;
pub(crate) mod resolve;
mod revision;
pub mod yaml;

pub(crate) use budget::LoadBudget;
pub use date_range::DateRange;
pub use diagnostics::{Diagnostic, Diagnostics};
pub use format::schema;
pub use model::Scenario;
pub use proposal::{load_answers, load_proposal};
pub use record::{is_scenario_id, is_word_of_answers, is_word_of_the_language};
pub(crate) use red_line_places::RedLinePlaces;

use diagnostics::Faults;

/// Reads and checks a scenario file of at most [`limits::DEFAULT_FILE_BYTES`]. `file` is its name, for messages.
///
/// # Errors
/// Returns every fault of the file, each with its place.
pub fn load(file: &str, text: &str) -> Result<Scenario, Diagnostics> {
    load_up_to(file, text, limits::DEFAULT_FILE_BYTES)
}

/// Reads and checks a scenario file of at most `max_bytes`. `file` is its name, for messages.
///
/// # Errors
/// Returns every fault of the file, each with its place.
pub fn load_up_to(file: &str, text: &str, max_bytes: usize) -> Result<Scenario, Diagnostics> {
    let mut budget = LoadBudget::of_file(text.len());
    load_within(file, text, max_bytes, &mut budget).map(|(scenario, _)| scenario)
}

/// Reads and checks a scenario file of at most `max_bytes`, within a budget that preparing the scenario for evaluation
/// shares. Also returns the places of its red lines.
///
/// # Errors
/// Returns every fault of the file, each with its place.
pub(crate) fn load_within(
    file: &str,
    text: &str,
    max_bytes: usize,
    budget: &mut LoadBudget,
) -> Result<(Scenario, RedLinePlaces), Diagnostics> {
    let mut faults = Faults::default();
    let root = document::parse_file(text, max_bytes, &mut faults);
    let scenario = match root {
        Some(root) => resolve::scenario(root, text, budget, &mut faults),
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
