//! Parsers of option values that several commands share.

use detente_core::scenario::model::Firmness;
use jiff::SignedDuration;
use jiff::civil::Date;
use std::time::Duration;

pub(crate) fn firmness(text: &str) -> Result<Firmness, String> {
    let found = Firmness::ALL.into_iter().find(|firmness| firmness.word() == text);
    found.ok_or_else(|| "write absolute, firm, negotiable or tentative".to_owned())
}

/// A date on the command line.
pub(crate) fn date(text: &str) -> Result<Date, String> {
    let looks_right = text.len() == 10;
    text.parse().ok().filter(|_| looks_right).ok_or_else(|| "write a date like 2025-03-14".to_owned())
}

pub(crate) fn assignment(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() && !text.contains('\n') => {
            Ok(text.to_owned())
        }
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

pub(crate) fn one_line(text: &str) -> Result<String, String> {
    if text.contains('\n') { Err("write it on one line".to_owned()) } else { Ok(text.to_owned()) }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let signed: SignedDuration = text.parse().map_err(|_| "write a duration like `10s` or `500ms`".to_owned())?;
    let duration = Duration::try_from(signed).map_err(|_| "a duration can't be negative".to_owned())?;
    if duration > Duration::from_secs(24 * 3_600) { Err("at most a day".to_owned()) } else { Ok(duration) }
}

pub(crate) fn patience(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration < Duration::from_secs(1) { Err("at least a second".to_owned()) } else { Ok(duration) }
}
