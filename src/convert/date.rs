//! Converts civil dates between `google.type.Date` and `jiff::civil::Date`, which the core crates use.

use crate::error::Violations;
use crate::schema::proto::Date as ProtoDate;
use jiff::civil::Date;

/// Converts a date to a message.
pub fn from_date(date: Date) -> ProtoDate {
    ProtoDate { year: i32::from(date.year()), month: i32::from(date.month()), day: i32::from(date.day()) }
}

/// Validates a date; `None` if it is absent or has a fault.
///
/// A date without year, month or day, and a day that is not in the calendar, are faults.
pub fn to_date(date: Option<&ProtoDate>, field: &str, violations: &mut Violations) -> Option<Date> {
    let date = date?;
    let parts = (i16::try_from(date.year), i8::try_from(date.month), i8::try_from(date.day));
    if date.year == 0 || date.month == 0 || date.day == 0 {
        violations.add(field, "year, month and day are all required");
        return None;
    }
    let whole = match parts {
        (Ok(year), Ok(month), Ok(day)) if year > 0 => Date::new(year, month, day).ok(),
        _ => None,
    };
    if whole.is_none() {
        violations.add(field, format!("{}-{}-{} is not a day of the calendar", date.year, date.month, date.day));
    }
    whole
}
