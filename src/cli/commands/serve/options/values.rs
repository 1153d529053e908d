//! Parsers of the values of settings: counts, sizes, shares, URLs and log filters.
//!
//! clap prints the value and the flag before the error of a parser, so the errors repeat neither.

use crate::cli::args::parsers::size;
use crate::schema::json::JsonForm;
use crate::serving::Mask;
use crate::telemetry::check_filter;
use clap::builder::RangedU64ValueParser;

/// Creates a parser of numbers from `least` to `most`.
pub(super) fn count(least: u64, most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(least..=most)
}

/// Creates a parser of 32-bit numbers from `least` to `most`.
pub(super) fn small_count(least: u64, most: u64) -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(least..=most)
}

/// Parses a share, a number from 0 to 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a share from 0 to 1, like `0.1`".to_owned()),
    }
}

/// Checks that a text is the URL of an OpenTelemetry collector (http, with a host), and returns it.
pub(super) fn endpoint(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("http://").unwrap_or_default();
    match text.parse::<http::Uri>() {
        // `http::Uri` accepts a port that is not a number or too large, and then reports that there is no port.
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
        _ => Err("expected the URL of a collector like `http://127.0.0.1:4317` (gRPC, in plaintext)".to_owned()),
    }
}

/// Parses a size of headers from 1 KiB to 1 MiB. HTTP/2 states the size in 32 bits.
pub(super) fn header_size(text: &str) -> Result<u32, String> {
    match u32::try_from(size(text)?) {
        Ok(bytes) if (1024..=1024 * 1024).contains(&bytes) => Ok(bytes),
        _ => Err("expected a size from 1KiB to 1MiB".to_owned()),
    }
}

/// Parses the size of a message, from 1 KiB to 64 MiB.
pub(super) fn message_size(text: &str) -> Result<usize, String> {
    match usize::try_from(size(text)?) {
        Ok(bytes) if (1024..=64 * 1024 * 1024).contains(&bytes) => Ok(bytes),
        _ => Err("expected a size from 1KiB to 64MiB".to_owned()),
    }
}

/// Parses the size of a file, at least 64 KiB.
pub(super) fn file_size(text: &str) -> Result<u64, String> {
    let bytes = size(text)?;
    if bytes < 64 * 1024 { Err("expected a size of at least 64KiB".to_owned()) } else { Ok(bytes) }
}

/// Parses the path of a field of the decision log.
pub(super) fn mask(text: &str) -> Result<Mask, String> {
    let request = JsonForm::of("EvaluateProposalRequest").map_err(|error| error.to_string())?.paths();
    Mask::parse(text, &request).map_err(|error| error.to_string())
}

/// Checks that a text is a filter of log lines, like `info,detente::call=debug`, and returns it.
pub(super) fn filter(text: &str) -> Result<String, String> {
    check_filter(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}
