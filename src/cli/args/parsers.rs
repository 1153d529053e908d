//! Parsers of option values that several commands share.
//!
//! clap prints the value and the flag before the error of a parser, so the errors repeat neither. Must not know the
//! commands.

use detente_core::scenario::limits::MAX_FILE_BYTES;
use detente_core::scenario::model::Firmness;
use jiff::SignedDuration;
use jiff::civil::Date;
use std::time::Duration;

/// Parses the name of a firmness.
pub(crate) fn firmness(text: &str) -> Result<Firmness, String> {
    let found = Firmness::ALL.into_iter().find(|firmness| firmness.word() == text);
    found.ok_or_else(|| "expected one of absolute, firm, negotiable, tentative".to_owned())
}

/// Parses a date of exactly the form YYYY-MM-DD.
pub(crate) fn date(text: &str) -> Result<Date, String> {
    let is_full_length = text.len() == 10;
    text.parse().ok().filter(|_| is_full_length).ok_or_else(|| "expected a date like 2025-03-14".to_owned())
}

/// Checks that a text is a single line of the form NAME=VALUE, and returns it.
pub(crate) fn assignment(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() && !text.contains('\n') => {
            Ok(text.to_owned())
        }
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// Checks that a text has no line breaks, and returns it.
pub(crate) fn one_line(text: &str) -> Result<String, String> {
    if text.contains('\n') { Err("expected a single line".to_owned()) } else { Ok(text.to_owned()) }
}

/// Parses a duration of up to a day.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let signed: SignedDuration = text.parse().map_err(|_| "expected a duration like `10s` or `500ms`".to_owned())?;
    let duration = Duration::try_from(signed).map_err(|_| "a duration cannot be negative".to_owned())?;
    if duration > Duration::from_secs(24 * 3_600) {
        Err("expected a duration of at most a day".to_owned())
    } else {
        Ok(duration)
    }
}

/// Parses a duration of at least a second and up to a day.
pub(crate) fn long_duration(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration < Duration::from_secs(1) {
        Err("expected a duration of at least a second".to_owned())
    } else {
        Ok(duration)
    }
}

/// Parses a number of bytes up to 64 GiB, with or without a unit.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];
    let unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (number, bytes) = unit.unwrap_or((text, 1));
    let number: Option<u64> = number.trim_end().parse().ok();
    let size = number.and_then(|number| number.checked_mul(bytes));
    match size {
        Some(size) if size <= 64 << 30 => Ok(size),
        Some(_) => Err("expected a size of at most 64GiB".to_owned()),
        None => Err("expected a size like `32MiB`, `512KiB` or `0`".to_owned()),
    }
}

/// Parses the maximum size of a scenario file.
pub(crate) fn scenario_size(text: &str) -> Result<usize, String> {
    match usize::try_from(size(text)?) {
        Ok(bytes) if (64 * 1024..=MAX_FILE_BYTES).contains(&bytes) => Ok(bytes),
        _ => Err("expected a size from 64KiB to 16MiB".to_owned()),
    }
}
