//! How settings are written: durations, sizes, shares, addresses.

use crate::telemetry::check_filter;
use clap::builder::RangedU64ValueParser;

/// A number within bounds.
pub(super) fn count(least: u64, most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(least..=most)
}

/// The same of 32 bits.
pub(super) fn small_count(least: u64, most: u64) -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(least..=most)
}

/// A part of one.
pub(super) fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("write a share from 0 to 1, like `0.1`".to_owned()),
    }
}

/// A collector's URL.
pub(super) fn endpoint(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("http://").unwrap_or_default();
    match text.parse::<http::Uri>() {
        // A port that is none is no port to the parser.
        Ok(uri)
            if uri.host().is_some()
                && uri.authority().is_some_and(|all| all.port_u16().is_some() || !all.as_str().contains(':'))
                && !host.is_empty() =>
        {
            if cfg!(feature = "otlp") {
                Ok(text.to_owned())
            } else {
                Err("this build has no OTLP support; build with `--features otlp`".to_owned())
            }
        }
        _ => Err("write a collector's URL like `http://127.0.0.1:4317` (gRPC, in plaintext)".to_owned()),
    }
}

/// The size of headers: HTTP/2 counts it in 32 bits.
pub(super) fn header_size(text: &str) -> Result<u32, String> {
    match u32::try_from(size(text)?) {
        Ok(bytes) if (1024..=1024 * 1024).contains(&bytes) => Ok(bytes),
        _ => Err("1KiB to 1MiB".to_owned()),
    }
}

/// The size of a message.
pub(super) fn message_size(text: &str) -> Result<usize, String> {
    match usize::try_from(size(text)?) {
        Ok(bytes) if (1024..=64 * 1024 * 1024).contains(&bytes) => Ok(bytes),
        _ => Err("1KiB to 64MiB".to_owned()),
    }
}

/// The size of a file that is written.
pub(super) fn file_size(text: &str) -> Result<u64, String> {
    let bytes = size(text)?;
    if bytes < 64 * 1024 { Err("at least 64KiB".to_owned()) } else { Ok(bytes) }
}

/// A number of bytes, with or without a unit.
pub(super) fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];
    let unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (number, bytes) = unit.unwrap_or((text, 1));
    let number: Option<u64> = number.trim_end().parse().ok();
    let size = number.and_then(|number| number.checked_mul(bytes));
    match size {
        Some(size) if size <= 64 << 30 => Ok(size),
        Some(_) => Err("at most 64GiB".to_owned()),
        None => Err("write a size like `32MiB`, `512KiB` or `0`".to_owned()),
    }
}

pub(super) fn filter(text: &str) -> Result<String, String> {
    check_filter(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}
