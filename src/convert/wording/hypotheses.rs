//! Hypotheses in words. An answer lists them, so that its reader knows what it rests on.
//!
//! Must not know how a hypothesis is validated or what it changes.

use detente_core::scenario::model::{Firmness, Polarity};

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

/// An added red line. `condition` is one line.
pub fn added_red_line(id: &str, party: &str, polarity: Polarity, condition: &str, firmness: Firmness) -> String {
    format!("{party} {} {condition} ({}), as {id}", polarity.word(), firmness.word())
}
