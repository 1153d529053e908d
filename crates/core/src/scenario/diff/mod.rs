//! The differences between two scenarios.
//!
//! Each scenario is described as parts with ids, in which a reference is the id of its target instead of a position;
//! then the descriptions are compared. A part that only moves within its list is therefore not reported as changed; the
//! list is reported as reordered.
//!
//! Owns the comparison. Must not know of verdicts, or of how a change is presented.

mod change;
mod compare;
mod describe;
mod meaning;
mod part;
mod words;

pub use change::{Change, Meaning, Place, Step, What};
pub use part::{Content, Field, Part, Section, Stated};

use super::model::Scenario;

/// Returns all differences between two scenarios, in the order of the file format.
///
/// The result is empty exactly if both scenarios have the same revision. Formatting therefore makes no difference.
pub fn diff(before: &Scenario, after: &Scenario) -> Vec<Change> {
    compare::scenarios(before, after)
}
