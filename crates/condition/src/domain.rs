//! The finite domains of inputs, and the values and answers that lie in them.

use std::sync::Arc;

/// The most options a choice, or members a members input, may have: each is a bit.
pub const MAX_ENTRIES: usize = 64;

/// The position of an input (an issue or a circumstance) in its scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputId(pub u16);

impl InputId {
    /// The position, for looking things up in lists.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// What an input ranges over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Domain {
    /// `true` or `false`.
    Flag,
    /// One of 2 to 64 options.
    Choice(Vec<Arc<str>>),
    /// A subset of 1 to 64 members.
    Members(Vec<Arc<str>>),
    /// An integer, both ends included.
    Quantity {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
}

impl Domain {
    /// The options or members; none for flags and quantities.
    pub fn entries(&self) -> &[Arc<str>] {
        match self {
            Domain::Choice(entries) | Domain::Members(entries) => entries,
            Domain::Flag | Domain::Quantity { .. } => &[],
        }
    }

    /// The position of an option or member by its id.
    pub fn entry(&self, id: &str) -> Option<u8> {
        let position = self.entries().iter().position(|entry| &**entry == id)?;
        u8::try_from(position).ok()
    }

    /// The mask of all options, members, or (bit 0 false, bit 1 true) flag values.
    pub fn all_entries(&self) -> u64 {
        match self {
            Domain::Flag => 0b11,
            Domain::Choice(entries) | Domain::Members(entries) => low_bits(entries.len()),
            Domain::Quantity { .. } => 0,
        }
    }

    /// The kind's name in the scenario format.
    pub fn kind(&self) -> &'static str {
        match self {
            Domain::Flag => "flag",
            Domain::Choice(_) => "choice",
            Domain::Members(_) => "members",
            Domain::Quantity { .. } => "quantity",
        }
    }
}

/// The lowest `count` bits.
pub(super) fn low_bits(count: usize) -> u64 {
    match count {
        0 => 0,
        1..=63 => (1 << count) - 1,
        _ => u64::MAX,
    }
}

/// One value of a domain. Options and members are positions in the domain; a set of members is a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// A flag's.
    Flag(bool),
    /// A choice's: the option's position.
    Choice(u8),
    /// The members that are in, as a mask.
    Members(u64),
    /// A quantity's.
    Quantity(i64),
}

/// What is known of an input: one value, several possible ones, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Exactly this value.
    Exact(Value),
    /// A choice among these options, as a mask.
    AnyOf(u64),
    /// A quantity within these ends, both included.
    Range {
        /// The least possible value.
        min: i64,
        /// The greatest possible value.
        max: i64,
    },
    /// A set of members of which some are certainly in, some certainly out, the rest open.
    Partial {
        /// The members certainly in, as a mask.
        includes: u64,
        /// The members certainly out, as a mask.
        excludes: u64,
    },
    /// Anything in the domain.
    Unsettled,
}
