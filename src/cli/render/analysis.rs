//! The parts that the printed answers of all analyses (amendments, packages, impasses, robustness) share: the head, and
//! mentions of red lines.

use crate::cli::args::aim::AimOptions;
use crate::cli::render::text::{DIM, HEAD, wrapped};
use crate::cli::render::words::{firmness_word, iso, last_segment, supposing};
use crate::schema::proto::{Date, v1};

/// The head of an answer: title, day, aim (what a deal must achieve), hypotheses, scenario and revision.
pub(crate) fn head(
    title: &str,
    aim: &AimOptions,
    day: Option<&Date>,
    (scenario, revision): (&str, &str),
    suppositions: &[String],
) -> String {
    let day = day.map_or_else(String::new, |day| format!(" on {}", iso(day)));
    let revision: String = revision.chars().take(12).collect();
    let mut out = format!("{HEAD}{title}{HEAD:#}{day}\n");
    out += &wrapped(&aim.words(), 0);
    out += &supposing(suppositions).map_or_else(String::new, |supposing| wrapped(&supposing, 0));
    out + &format!("{DIM}{scenario}, revision {revision}{DIM:#}\n\n")
}

/// A red line with its firmness, like "ru-four-regions (negotiable)".
pub(crate) fn mention(line: &v1::RedLineMention) -> String {
    format!("{} ({})", last_segment(&line.red_line), firmness_word(line.firmness()))
}

/// Mentions of several red lines, separated by commas.
pub(crate) fn mentions(lines: &[v1::RedLineMention]) -> String {
    lines.iter().map(mention).collect::<Vec<_>>().join(", ")
}
