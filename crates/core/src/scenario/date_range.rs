//! Ranges of days.
//!
//! Must not know of scenarios.

use jiff::civil::Date;
use std::fmt;

/// A range of days, both ends included; at least one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateRange {
    first: Date,
    last: Date,
}

impl DateRange {
    /// Creates the range from the first to the last day; `None` if the last day is before the first.
    pub fn new(first: Date, last: Date) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// Creates the range of one day.
    pub fn of_day(day: Date) -> Self {
        Self { first: day, last: day }
    }

    /// Returns the first day of the range.
    pub fn first(self) -> Date {
        self.first
    }

    /// Returns the last day of the range.
    pub fn last(self) -> Date {
        self.last
    }

    /// Whether the range contains a day.
    pub fn contains(self, day: Date) -> bool {
        self.first <= day && day <= self.last
    }

    /// Returns the shortest range that contains both ranges.
    pub fn joined(self, other: Self) -> Self {
        Self { first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

/// Writes the range as "2025-01-01 to 2025-12-31".
impl fmt::Display for DateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::DateRange;
    use jiff::civil::date;

    #[test]
    fn both_ends_are_in_the_range() {
        let (first, last) = (date(2025, 1, 1), date(2025, 1, 3));
        let days = DateRange::new(first, last).unwrap();
        let within =
            [date(2024, 12, 31), first, date(2025, 1, 2), last, date(2025, 1, 4)].map(|day| days.contains(day));
        assert_eq!(within, [false, true, true, true, false]);
    }

    #[test]
    fn a_range_has_at_least_one_day() {
        let (first, last) = (date(2025, 1, 1), date(2025, 1, 3));
        assert_eq!(DateRange::new(last, first), None);
        assert_eq!(DateRange::new(first, first), Some(DateRange::of_day(first)));
    }

    #[test]
    fn joined_ranges_include_the_days_between_them() {
        let (early, late) = (DateRange::of_day(date(2025, 1, 1)), DateRange::of_day(date(2025, 1, 9)));
        assert_eq!(late.joined(early), early.joined(late));
        assert_eq!(early.joined(late).to_string(), "2025-01-01 to 2025-01-09");
    }
}
