//! The work budget of reading and compiling conditions, and the error when a condition exceeds it.

use super::nearest::MAX_PAIRS;
use thiserror::Error;

/// A condition outgrew a limit while it was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ComplexityError {
    /// Too many cubes.
    #[error("the condition has more than {limit} cases; split it or say it more simply")]
    Cubes {
        /// The limit.
        limit: usize,
    },
    /// Too much work to find them.
    #[error("finding the condition's cases takes more than {limit} steps; split it or say it more simply")]
    Work {
        /// The limit.
        limit: u64,
    },
}

/// What reading and compiling may cost. Steps are literals compared, or what takes as long (one or two nanoseconds),
/// so that a budget means the same on every machine. Writing a literal costs several steps, which bounds memory, too.
#[derive(Clone, Debug)]
pub struct WorkBudget {
    max_cubes: usize,
    max_steps: u64,
    steps_left: u64,
    /// Pairs of characters that may still be compared to find what a name was meant to be.
    pairs_left: usize,
}

impl WorkBudget {
    /// The most cubes that a condition's truth, or its falsehood, may have at any stage.
    pub const MAX_CUBES: usize = 1_024;
    /// The most steps for reading one condition, and for compiling it: some tens of milliseconds.
    pub const MAX_STEPS: u64 = 32_000_000;

    /// The most cubes of a condition that comes with a call.
    pub const MAX_CUBES_OF_CALL: usize = 512;
    /// The most steps for all conditions of a call together.
    pub const MAX_STEPS_OF_CALL: u64 = 16_000_000;

    /// A budget of one's own.
    pub fn new(max_cubes: usize, max_steps: u64) -> Self {
        Self { max_cubes, max_steps, steps_left: max_steps, pairs_left: MAX_PAIRS }
    }

    /// What the conditions of one call may cost together.
    pub fn for_call() -> Self {
        Self::new(Self::MAX_CUBES_OF_CALL, Self::MAX_STEPS_OF_CALL)
    }

    /// The steps spent so far.
    pub fn spent(&self) -> u64 {
        self.max_steps - self.steps_left
    }

    pub(super) fn spend(&mut self, steps: u64) -> Result<(), ComplexityError> {
        let left = self.steps_left.checked_sub(steps);
        // What is spent once stays spent: nothing smaller slips through behind it.
        self.steps_left = left.unwrap_or(0);
        if left.is_some() { Ok(()) } else { Err(ComplexityError::Work { limit: self.max_steps }) }
    }

    pub(super) fn measuring(&mut self) -> &mut usize {
        &mut self.pairs_left
    }

    pub(super) fn admit(&self, cubes: usize) -> Result<(), ComplexityError> {
        if cubes > self.max_cubes { Err(ComplexityError::Cubes { limit: self.max_cubes }) } else { Ok(()) }
    }
}

impl Default for WorkBudget {
    fn default() -> Self {
        Self::new(Self::MAX_CUBES, Self::MAX_STEPS)
    }
}
