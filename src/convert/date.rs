//! Civil dates.

use crate::error::Violations;
use crate::schema::proto::Date as ProtoDate;
use jiff::civil::Date;

/// A date out.
pub fn from_date(date: Date) -> ProtoDate {
    ProtoDate { year: i32::from(date.year()), month: i32::from(date.month()), day: i32::from(date.day()) }
}

/// A date in. Half a date (a year, say) and a day that no calendar has are faults.
pub fn to_date(date: Option<&ProtoDate>, field: &str, violations: &mut Violations) -> Option<Date> {
    let date = date?;
    let parts = (i16::try_from(date.year), i8::try_from(date.month), i8::try_from(date.day));
    if date.year == 0 || date.month == 0 || date.day == 0 {
        violations.add(field, "year, month and day are all needed");
        return None;
    }
    let whole = match parts {
        (Ok(year), Ok(month), Ok(day)) if year > 0 => Date::new(year, month, day).ok(),
        _ => None,
    };
    if whole.is_none() {
        violations.add(field, format!("there is no day {}-{}-{}", date.year, date.month, date.day));
    }
    whole
}
