//! Hypotheses in words. An answer lists them, so that its reader knows what it rests on.
//!
//! Must not know how a hypothesis is validated or what it changes.

use detente_core::scenario::model::Firmness;

/// A circumstance without a value.
pub fn unknown_circumstance(id: &str) -> String {
    format!("{id} is unknown")
}

/// A red line that is dropped.
pub fn dropped_red_line(id: &str) -> String {
    format!("{id} is not held")
}

/// A red line with another firmness.
pub fn changed_firmness(id: &str, firmness: Firmness) -> String {
    format!("{id} is held as {}", firmness.word())
}

/// An added red line. `condition` is one line, and `requires` tells whether its falsehood crosses the red line.
pub fn added_red_line(id: &str, party: &str, requires: bool, condition: &str, firmness: Firmness) -> String {
    let verb = if requires { "requires" } else { "rejects" };
    format!("{party} {verb} {condition} ({}), as {id}", firmness.word())
}
