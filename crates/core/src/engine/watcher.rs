//! Watchers, the common name of red lines, constraints and cautions: their numbering, and sets of their numbers.
//!
//! The condition of a watcher tests inputs, which are issues and circumstances. A change of an input can change only
//! the results of the watchers that test it. Must not know of conditions or proposals.

use crate::scenario::index::{CautionIndex, ConstraintIndex, RedLineIndex};

/// The position of a watcher among all watchers: the red lines, then the constraints, then the cautions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WatcherIndex(pub(super) u32);

impl WatcherIndex {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A red line, constraint or caution, whose condition tests inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watcher {
    RedLine(RedLineIndex),
    Constraint(ConstraintIndex),
    Caution(CautionIndex),
}

/// A set of watchers: one bit for each.
#[derive(Clone, Debug, Default)]
pub(super) struct WatcherSet(Box<[u64]>);

impl WatcherSet {
    /// Creates an empty set for the watchers of a scenario.
    pub(super) fn with_capacity(watchers: usize) -> Self {
        Self(vec![0; watchers.div_ceil(64)].into())
    }

    pub(super) fn insert(&mut self, watcher: WatcherIndex) {
        if let Some(word) = self.0.get_mut(watcher.index() / 64) {
            *word |= 1 << (watcher.0 % 64);
        }
    }

    /// Iterates over the watchers of the set, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = WatcherIndex> {
        (0u32..).zip(&self.0).flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros();
                left &= left.wrapping_sub(1);
                (bit < 64).then_some(WatcherIndex(at * 64 + bit))
            })
        })
    }
}
