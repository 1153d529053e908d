//! Reads a scenario file and prepares the scenario for evaluation, within one budget for both.
//!
//! Must not know of the file system.

use super::compiled::Compiled;
use crate::scenario::{Diagnostics, LoadBudget, load_within};
use std::sync::Arc;

/// Reads a scenario file of at most `max_bytes`, and prepares the scenario for evaluation. `file` is the name of the
/// file, for messages.
///
/// Takes at most [`load_peak_bytes`](crate::scenario::limits::load_peak_bytes) of memory.
///
/// # Errors
/// Returns every fault of the file, each with its place.
pub fn load_compiled(file: &str, text: &str, max_bytes: usize) -> Result<Compiled, Diagnostics> {
    let mut budget = LoadBudget::of_file(text.len());
    let (scenario, places) = load_within(file, text, max_bytes, &mut budget)?;
    Compiled::within(Arc::new(scenario), &mut budget).map_err(|faults| match budget.fault() {
        Some((place, message)) => Diagnostics::of_place(file, text, place, message),
        None => {
            let faults: Vec<_> = faults.into_iter().map(|fault| (fault.red_line.clone(), fault.to_string())).collect();
            places.diagnostics(file, text, &faults)
        }
    })
}
