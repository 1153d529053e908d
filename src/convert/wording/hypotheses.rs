//! Hypotheses in words. An answer lists them, so that its reader knows what the answer rests on.
//!
//! Must not know how a hypothesis is validated or what it changes.

use detente_core::scenario::model::{Firmness, Polarity};

/// Puts into words the hypothesis that the value of a circumstance is unknown.
pub fn unknown_circumstance(id: &str) -> String {
    format!("{id} is unknown")
}

/// Puts into words the hypothesis that a red line is dropped.
pub fn dropped_red_line(id: &str) -> String {
    format!("{id} is not held")
}

/// Puts into words the hypothesis that a red line has another firmness.
pub fn changed_firmness(id: &str, firmness: Firmness) -> String {
    format!("{id} is held as {}", firmness.word())
}

/// Puts into words the hypothesis that a party has a further red line. `condition` is one line of text.
pub fn added_red_line(id: &str, party: &str, polarity: Polarity, condition: &str, firmness: Firmness) -> String {
    format!("{party} {} {condition} ({}), as {id}", polarity.word(), firmness.word())
}
