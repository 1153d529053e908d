//! The budget for loading one file: the work and the memory of all its conditions together.
//!
//! Each condition has limits of its own, but a file may have thousands of conditions. The budget adds up what each red
//! line, constraint and caution costs, so that the error of a file that exceeds the budget names the costliest one.
//! Must not know how conditions are compiled.

use super::diagnostics::Place;
use super::limits::{MAX_STEPS, max_compiled_bytes};
use detente_condition::WorkBudget;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The part of a scenario to which a condition belongs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owner {
    kind: &'static str,
    id: Arc<str>,
}

impl Owner {
    pub(crate) fn new(kind: &'static str, id: &str) -> Self {
        Self { kind, id: id.into() }
    }

    pub(crate) fn red_line(id: &str) -> Self {
        Self::new("red line", id)
    }
}

/// The kind of the owner of all editions, which has no id.
const EDITIONS: &str = "the editions";

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == EDITIONS {
            return f.write_str("the editions (ranges of days without changes)");
        }
        write!(f, "{} `{}`", self.kind, self.id)
    }
}

/// What the conditions of one part of a scenario have cost so far.
#[derive(Clone, Copy, Debug)]
struct Cost {
    place: Place,
    steps: u64,
    bytes: usize,
}

/// The limit that a file exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exceeded {
    Steps,
    Bytes,
}

/// The work and the memory that the conditions of one file may still take.
#[derive(Clone, Debug)]
pub(crate) struct LoadBudget {
    max_steps: u64,
    steps_left: u64,
    max_bytes: usize,
    bytes_left: usize,
    costs: BTreeMap<Owner, Cost>,
    exceeded: Option<Exceeded>,
}

impl LoadBudget {
    /// Creates the budget of a file of `bytes` bytes.
    pub(crate) fn of_file(bytes: usize) -> Self {
        let max_bytes = max_compiled_bytes(bytes);
        Self {
            max_steps: MAX_STEPS,
            steps_left: MAX_STEPS,
            max_bytes,
            bytes_left: max_bytes,
            costs: BTreeMap::new(),
            exceeded: None,
        }
    }

    /// Whether the file exceeds the budget. What could not be read or compiled has then no fault of its own.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.exceeded.is_some()
    }

    /// Does work for the conditions of a part, within the limits of one condition and the rest of the budget.
    ///
    /// Returns `None` if the budget is exceeded. `place` is the place of the condition.
    pub(crate) fn run<T>(&mut self, owner: &Owner, place: Place, work: impl FnOnce(&mut WorkBudget) -> T) -> Option<T> {
        if self.is_exceeded() {
            return None;
        }
        let mut part = WorkBudget::new(WorkBudget::MAX_CUBES, self.steps_left.min(WorkBudget::MAX_STEPS));
        let result = work(&mut part);
        let is_short = self.steps_left < WorkBudget::MAX_STEPS;
        self.cost(owner, place).steps += part.spent();
        self.steps_left -= part.spent();
        if is_short && part.is_exhausted() {
            self.exceeded = Some(Exceeded::Steps);
            return None;
        }
        Some(result)
    }

    /// Takes steps for work that has no limits of its own. Returns `None` if the budget is exceeded.
    pub(crate) fn spend(&mut self, owner: Option<&Owner>, steps: u64) -> Option<()> {
        if let Some(cost) = owner.and_then(|owner| self.costs.get_mut(owner)) {
            cost.steps += steps;
        }
        match self.steps_left.checked_sub(steps) {
            Some(left) => self.steps_left = left,
            None => self.exceeded = Some(Exceeded::Steps),
        }
        (!self.is_exceeded()).then_some(())
    }

    /// Takes memory for what belongs to a part. Returns `None` if the budget is exceeded.
    pub(crate) fn hold(&mut self, owner: Option<&Owner>, bytes: usize) -> Option<()> {
        if let Some(cost) = owner.and_then(|owner| self.costs.get_mut(owner)) {
            cost.bytes += bytes;
        }
        match self.bytes_left.checked_sub(bytes) {
            Some(left) => self.bytes_left = left,
            None => self.exceeded = self.exceeded.or(Some(Exceeded::Bytes)),
        }
        (!self.is_exceeded()).then_some(())
    }

    /// Takes the work and the memory of editions, for each of them. Returns `None` if the budget is exceeded.
    pub(crate) fn take_editions(&mut self, editions: usize, steps: u64, bytes: usize) -> Option<()> {
        let owner = Owner::new(EDITIONS, "");
        self.cost(&owner, Place::START);
        self.spend(Some(&owner), steps.saturating_mul(editions as u64))?;
        self.hold(Some(&owner), bytes.saturating_mul(editions))
    }

    fn cost(&mut self, owner: &Owner, place: Place) -> &mut Cost {
        self.costs.entry(owner.clone()).or_insert(Cost { place, steps: 0, bytes: 0 })
    }

    /// Returns the fault of a file that exceeds the budget, at the place of the costliest condition.
    pub(crate) fn fault(&self) -> Option<(Place, String)> {
        let exceeded = self.exceeded?;
        let costliest = match exceeded {
            Exceeded::Steps => self.costs.iter().max_by_key(|(_, cost)| cost.steps),
            Exceeded::Bytes => self.costs.iter().max_by_key(|(_, cost)| cost.bytes),
        };
        let what = "the conditions and editions of the file";
        let limit = match exceeded {
            Exceeded::Steps => format!("take more than {} steps to read and compile", self.max_steps),
            Exceeded::Bytes => format!("take more than {} bytes of memory once compiled", self.max_bytes),
        };
        let Some((owner, cost)) = costliest else {
            return Some((Place::START, format!("{what} {limit}; split the file")));
        };
        let own = match exceeded {
            Exceeded::Steps => format!("{} steps", cost.steps),
            Exceeded::Bytes => format!("{} bytes", cost.bytes),
        };
        let advice = match owner.kind {
            EDITIONS => "use fewer different dates",
            _ => "simplify its conditions, or divide it into several with simpler conditions",
        };
        let message =
            format!("{what} {limit}; of those reached, {owner} takes most, {own}: {advice}, or split the file");
        Some((cost.place, message))
    }
}
