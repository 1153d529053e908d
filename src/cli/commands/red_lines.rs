//! `detente red-lines`: lists red lines, or shows one in full.
//!
//! Owns the rendering of red lines. Must not know how the service filters and orders them.

use crate::cli::args::parsers::date;
use crate::cli::backend::{Backend, Target};
use crate::cli::render::evaluation::evidence;
use crate::cli::render::text::{HEAD, count, table, wrapped};
use crate::cli::render::words::{firmness_word, iso, last_segment};
use crate::cli::report::{OutputFormat, Report, pretty};
use crate::convert::date::from_date;
use crate::schema::json::to_json;
use crate::schema::proto::v1;
use crate::schema::proto::v1::red_line::Condition;
use anyhow::Result;
use clap::{Args, ValueEnum};
use jiff::civil::Date;
use std::fmt::Write;

pub(super) const EXAMPLES: &str = "\
Examples:
  detente red-lines --party russia --firmness-at-least firm
  detente red-lines --held-on 2023-01-01 --order-by 'firmness desc, id'
  detente red-lines ru-no-nato-forces";

/// The options of `detente red-lines`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// Id of a red line, to show it in full with its evidence. [default: a list of red lines]
    #[arg(value_name = "ID")]
    id: Option<String>,

    #[command(flatten)]
    target: Target,

    /// List only the red lines of this party.
    #[arg(long, value_name = "PARTY")]
    party: Option<String>,

    /// List only the red lines that depend on this issue or circumstance.
    #[arg(long, value_name = "ISSUE")]
    issue: Option<String>,

    /// List only red lines of at least this firmness, without regard to waivers.
    #[arg(long, value_enum, value_name = "FIRMNESS")]
    firmness_at_least: Option<Firmness>,

    /// List only the red lines that are held on this day.
    #[arg(long, value_name = "DATE", value_parser = date)]
    held_on: Option<Date>,

    /// List only the red lines with this text in their id, title, statements, quotes or speakers.
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,

    /// Order by these fields: id, party, firmness, separated by commas, each with an optional ` desc`. [default: the
    /// order of the scenario]
    #[arg(long, value_name = "FIELDS")]
    order_by: Option<String>,

    /// Format of the answer.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Firmness {
    Tentative,
    Negotiable,
    Firm,
    Absolute,
}

pub(super) fn run(options: &Options) -> Result<Report> {
    let backend = options.target.open()?;
    match &options.id {
        Some(id) => show_one(options, &backend, id),
        None => list(options, &backend),
    }
}

fn show_one(options: &Options, backend: &Backend, id: &str) -> Result<Report> {
    let name = if id.starts_with("scenarios/") {
        id.to_owned()
    } else {
        let scenario = backend.get_scenario(options.target.scenario_name())?;
        format!("{}/redLines/{id}", scenario.name)
    };
    let red_line = backend.get_red_line(v1::GetRedLineRequest { name, revision: String::new() })?;
    Ok(Report::of(match options.output {
        OutputFormat::Json => pretty(&to_json("RedLine", &red_line)?)?,
        OutputFormat::Table => details(&red_line),
    }))
}

fn list(options: &Options, backend: &Backend) -> Result<Report> {
    let firmness = options.firmness_at_least.map_or(v1::Firmness::Unspecified, |firmness| match firmness {
        Firmness::Tentative => v1::Firmness::Tentative,
        Firmness::Negotiable => v1::Firmness::Negotiable,
        Firmness::Firm => v1::Firmness::Firm,
        Firmness::Absolute => v1::Firmness::Absolute,
    });
    let filter = v1::RedLineFilter {
        party: options.party.clone().unwrap_or_default(),
        issue: options.issue.clone().unwrap_or_default(),
        firmness_at_least: firmness.into(),
        held_on: options.held_on.map(from_date),
        text: options.text.clone().unwrap_or_default(),
    };
    let all = backend.all_red_lines(v1::ListRedLinesRequest {
        parent: options.target.scenario_name(),
        filter: Some(filter),
        order_by: options.order_by.clone().unwrap_or_default(),
        ..v1::ListRedLinesRequest::default()
    })?;
    Ok(Report::of(match options.output {
        OutputFormat::Json => pretty(&to_json("ListRedLinesResponse", &all)?)?,
        OutputFormat::Table if all.red_lines.is_empty() => "No red line matches the filter.\n".to_owned(),
        OutputFormat::Table => {
            let rows: Vec<Vec<String>> = all.red_lines.iter().map(row).collect();
            table(&["RED LINE", "PARTY", "FIRMNESS", "HELD"], &rows)
                + &format!(
                    "\n{}; `detente red-lines ID` shows one in full.\n",
                    count(rows.len(), "red line", "red lines")
                )
        }
    }))
}

fn row(red_line: &v1::RedLine) -> Vec<String> {
    let waived = if red_line.waivers.is_empty() { "" } else { " (waiver)" };
    let spans: Vec<String> = red_line.held.iter().map(span).collect();
    vec![
        last_segment(&red_line.name).to_owned(),
        red_line.party.clone(),
        format!("{}{waived}", firmness_word(red_line.firmness())),
        spans.join(", "),
    ]
}

/// A period in words, like "from 2022-02-24 until 2024-02-24" or "recorded from 2025-03-06".
fn span(span: &v1::Span) -> String {
    let from = span.from.as_ref().map(iso).unwrap_or_default();
    let lead = if span.first_recorded { "recorded from" } else { "from" };
    let until = span.until.as_ref().map_or_else(String::new, |until| format!(" until {}", iso(until)));
    format!("{lead} {from}{until}")
}

fn details(red_line: &v1::RedLine) -> String {
    let mut out = String::new();
    let id = last_segment(&red_line.name);
    let _ = writeln!(out, "{HEAD}{id}{HEAD:#}, {} ({})", red_line.party, firmness_word(red_line.firmness()));
    out += &wrapped(&red_line.title, 2);
    let spans: Vec<String> = red_line.held.iter().map(span).collect();
    out += &wrapped(&format!("held: {}", spans.join(", ")), 2);
    match &red_line.condition {
        Some(Condition::Rejects(condition)) => out += &wrapped(&format!("rejects: {condition}"), 2),
        Some(Condition::Requires(condition)) => out += &wrapped(&format!("requires: {condition}"), 2),
        None => {}
    }
    red_line.evidence.iter().for_each(|piece| evidence(&mut out, piece, 4));
    for waiver in &red_line.waivers {
        let firmness = firmness_word(waiver.firmness());
        let _ = writeln!(out, "  {HEAD}waiver {}{HEAD:#}: counts as {firmness} at most", waiver.id);
        out += &wrapped(&waiver.title, 4);
        out += &wrapped(&format!("when {}", waiver.when), 4);
        waiver.evidence.iter().for_each(|piece| evidence(&mut out, piece, 4));
    }
    out
}
