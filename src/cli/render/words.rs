//! The values of the API in words for people, in one place so that all commands use the same words.

use crate::schema::proto::{Date, v1};

/// A verdict in words.
pub(crate) const fn verdict_words(verdict: v1::Verdict) -> &'static str {
    match verdict {
        v1::Verdict::Unspecified => "no verdict",
        v1::Verdict::Blocked => "blocked",
        v1::Verdict::Undeliverable => "undeliverable",
        v1::Verdict::Contested => "contested",
        v1::Verdict::Undetermined => "undetermined",
        v1::Verdict::Unopposed => "unopposed",
    }
}

/// A stance in words.
pub(crate) const fn stance_words(stance: v1::Stance) -> &'static str {
    match stance {
        v1::Stance::Unspecified => "",
        v1::Stance::Rejects => "rejects",
        v1::Stance::Resists => "resists",
        v1::Stance::MayResist => "may resist",
        v1::Stance::Undecided => "undecided",
        v1::Stance::NoStatedObjection => "no stated objection",
    }
}

/// The status of a red line in words.
pub(crate) const fn status_words(status: v1::RedLineStatus) -> &'static str {
    match status {
        v1::RedLineStatus::Unspecified => "",
        v1::RedLineStatus::Crossed => "crossed",
        v1::RedLineStatus::Undetermined => "undetermined",
        v1::RedLineStatus::Clear => "clear",
        v1::RedLineStatus::NotRecorded => "not recorded",
        v1::RedLineStatus::NotHeld => "not held",
    }
}

/// A firmness as a word; empty for a finding without a crossing, which has no firmness.
pub(crate) const fn firmness_word(firmness: v1::Firmness) -> &'static str {
    match firmness {
        v1::Firmness::Unspecified => "",
        v1::Firmness::Tentative => "tentative",
        v1::Firmness::Negotiable => "negotiable",
        v1::Firmness::Firm => "firm",
        v1::Firmness::Absolute => "absolute",
    }
}

/// A certainty as a word: certain if something is so whatever answers the open issues and circumstances get, possible
/// if it is so with some answers only.
pub(crate) const fn certainty_word(certainty: v1::Certainty) -> &'static str {
    match certainty {
        v1::Certainty::Unspecified => "",
        v1::Certainty::Certain => "certain",
        v1::Certainty::Possible => "possible",
    }
}

/// The firmness of a crossing in brackets, like " (negotiable, firm at worst)"; empty if there is no crossing.
pub(crate) fn in_brackets(lowest: v1::Firmness, highest: v1::Firmness) -> String {
    match (firmness_word(lowest), firmness_word(highest)) {
        ("", _) => String::new(),
        (lowest, highest) if lowest == highest => format!(" ({lowest})"),
        (lowest, highest) => format!(" ({lowest}, {highest} at worst)"),
    }
}

/// A status with its firmness, like "crossed (negotiable, firm at worst)".
pub(crate) fn outline_words(outline: &v1::FindingOutline) -> String {
    status_words(outline.status()).to_owned() + &in_brackets(outline.firmness(), outline.firmness_at_worst())
}

/// The hypotheses of an answer in one sentence; `None` if there are none.
pub(crate) fn supposing(suppositions: &[String]) -> Option<String> {
    (!suppositions.is_empty()).then(|| format!("Supposing (nobody has stated this): {}", suppositions.join("; ")))
}

/// The id at the end of a resource name.
pub(crate) fn last_segment(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

/// A date in the form YYYY-MM-DD.
pub(crate) fn iso(date: &Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}
