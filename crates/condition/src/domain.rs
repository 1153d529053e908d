//! The finite domains of inputs, their values, and answers (partial knowledge of a value).
//!
//! Must not know of conditions or of the meaning of an input.

use std::sync::Arc;

/// The maximum number of options of a choice or members of a set, because each is one bit of a 64-bit mask.
pub const MAX_ENTRIES: usize = 64;

/// The position of an input (an issue or a circumstance) in its scenario, from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputIndex(pub u16);

impl InputIndex {
    /// Returns the position as an index into lists of inputs.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// The position of an option or member in its [`Domain`], from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryIndex(pub u8);

impl EntryIndex {
    /// Returns the position as an index into lists of options or members.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Returns the mask of this option or member; zero beyond the last bit of a mask.
    pub fn bit(self) -> u64 {
        1u64.checked_shl(u32::from(self.0)).unwrap_or(0)
    }

    /// Whether a mask of options or members contains this one.
    pub fn is_in(self, mask: u64) -> bool {
        mask & self.bit() != 0
    }
}

/// The set of values that an input can take. Clones share the list of options or members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Domain {
    /// `true` or `false`.
    Flag,
    /// One of 2 to 64 options, given by their ids.
    Choice(Arc<[Arc<str>]>),
    /// A subset of 1 to 64 members, given by their ids.
    Members(Arc<[Arc<str>]>),
    /// An integer from `min` to `max`, both included.
    Quantity {
        /// The least value.
        min: i64,
        /// The greatest value, above `min`.
        max: i64,
    },
}

impl Domain {
    /// Returns the ids of the options or members; empty for flags and quantities.
    pub fn entries(&self) -> &[Arc<str>] {
        match self {
            Domain::Choice(entries) | Domain::Members(entries) => entries,
            Domain::Flag | Domain::Quantity { .. } => &[],
        }
    }

    /// Returns the position of the option or member with this id; `None` if the domain has no such entry.
    pub fn entry(&self, id: &str) -> Option<EntryIndex> {
        let position = self.entries().iter().position(|entry| &**entry == id)?;
        u8::try_from(position).ok().map(EntryIndex)
    }

    /// Returns the mask of all options, members or flag values (bit 0 false, bit 1 true); zero for quantities.
    pub fn all_entries(&self) -> u64 {
        match self {
            Domain::Flag => 0b11,
            Domain::Choice(entries) | Domain::Members(entries) => low_bits(entries.len()),
            Domain::Quantity { .. } => 0,
        }
    }

    /// Returns the name of the domain's kind in the scenario format.
    pub fn kind(&self) -> &'static str {
        match self {
            Domain::Flag => "flag",
            Domain::Choice(_) => "choice",
            Domain::Members(_) => "members",
            Domain::Quantity { .. } => "quantity",
        }
    }
}

/// Returns a mask of the lowest `count` bits.
pub(super) fn low_bits(count: usize) -> u64 {
    match count {
        0 => 0,
        1..=63 => (1 << count) - 1,
        _ => u64::MAX,
    }
}

/// One value of a domain. Options and members are given by their positions in the domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// The value of a flag.
    Flag(bool),
    /// The value of a choice: the option's position.
    Choice(EntryIndex),
    /// The value of a set: the included members, as a mask.
    Members(u64),
    /// The value of a quantity.
    Quantity(i64),
}

/// Knowledge about the value of an input: one value, several possible values, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The input has exactly this value.
    Exact(Value),
    /// The value of a choice is one of these options, as a mask.
    AnyOf(u64),
    /// The value of a quantity is between `min` and `max`, both included.
    Range {
        /// The least possible value.
        min: i64,
        /// The greatest possible value.
        max: i64,
    },
    /// Some members of a set are certainly included, some are certainly excluded, and the rest are open.
    Partial {
        /// The members that are certainly included, as a mask.
        includes: u64,
        /// The members that are certainly excluded, as a mask.
        excludes: u64,
    },
    /// The input can have any value of its domain.
    Unsettled,
}
