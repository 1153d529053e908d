//! `detente history`: evaluates one proposal on every day of a period.
//!
//! Owns the rendering of spans (days in a row with equal evaluations) and of the changes between them. Must not know
//! how spans are found.

use crate::cli::args::parsers::date;
use crate::cli::args::question::Question;
use crate::cli::render::evaluation::{answer, origin, particulars, verdict_style};
use crate::cli::render::text::{DIM, HEAD, wrapped};
use crate::cli::render::words::{iso, last_segment, outline_words, stance_words, supposing, verdict_words};
use crate::cli::report::{OutputFormat, Report, pretty};
use crate::convert::date::from_date;
use crate::schema::json::to_json;
use crate::schema::proto::v1;
use anyhow::Result;
use clap::Args;
use jiff::civil::Date;
use std::fmt::Write;

pub(super) const EXAMPLES: &str = "\
Examples:
  detente history jeddah-ceasefire
  detente history jeddah-ceasefire --from 2025-01-01 --full
  detente history european-force --suppose 'drop ru-no-nato-forces' --output json";

/// The options of `detente history`.
#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(flatten)]
    question: Question,

    /// First day. [default: the first day that the scenario covers]
    #[arg(long, value_name = "DATE", value_parser = date)]
    from: Option<Date>,

    /// Last day. [default: the day of the scenario]
    #[arg(long, value_name = "DATE", value_parser = date)]
    to: Option<Date>,

    /// Also show reasons, evidence, and changes in inputs and in red lines that are clear or not recorded.
    #[arg(long)]
    full: bool,

    /// Format of the answer.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
}

pub(super) fn run(options: &Options) -> Result<Report> {
    let question = options.question.prepare()?;
    let view = if options.full { v1::EvaluationView::Full } else { v1::EvaluationView::Basic };
    let response = question.backend.history(v1::EvaluateHistoryRequest {
        scenario: question.scenario.name.clone(),
        subject: Some(question.proposal.unwrap_or_default().into()),
        overrides: question.overrides,
        cleared_issues: question.cleared_issues,
        from: options.from.map(from_date),
        circumstances: question.circumstances,
        hypotheses: question.hypotheses,
        view: view.into(),
        revision: String::new(),
        to: options.to.map(from_date),
    })?;
    Ok(Report::of(match options.output {
        OutputFormat::Json => pretty(&to_json("EvaluateHistoryResponse", &response)?)?,
        OutputFormat::Table => history_text(options.question.name(), &response, options.full),
    }))
}

/// A history as a text of up to 100 columns, with one line per span of days and the changes below it.
fn history_text(name: &str, response: &v1::EvaluateHistoryResponse, full: bool) -> String {
    let day = |date: Option<&_>| date.map(iso).unwrap_or_default();
    let spans = &response.spans;
    let first = day(spans.first().and_then(|span| span.from.as_ref()));
    let last = day(spans.last().and_then(|span| span.to.as_ref()));
    let revision: String = response.revision.chars().take(12).collect();
    let mut out = format!("{HEAD}{name}{HEAD:#} from {first} to {last}\n");
    let suppositions = spans.iter().find_map(|span| supposing(&span.evaluation.as_ref()?.suppositions));
    out += &suppositions.map_or_else(String::new, |supposing| wrapped(&supposing, 0));
    let _ = writeln!(out, "{DIM}{}, revision {revision}{DIM:#}\n", response.scenario);
    // The column has the width of the longest verdict, so that all histories have the same columns.
    let _ = writeln!(out, "{HEAD}FROM        TO          VERDICT        COULD BECOME{HEAD:#}");
    let mut before: Option<&v1::Evaluation> = None;
    for span in spans {
        let Some(evaluation) = &span.evaluation else { continue };
        let (verdict, worst) = (evaluation.verdict(), evaluation.could_become());
        let style = verdict_style(verdict);
        let (verdict, worst) = (verdict_words(verdict), if worst == verdict { "" } else { verdict_words(worst) });
        let gap = if worst.is_empty() { 0 } else { 15_usize.saturating_sub(verdict.len()) };
        let (from, to) = (day(span.from.as_ref()), day(span.to.as_ref()));
        let _ = writeln!(out, "{from}  {to}  {style}{verdict}{style:#}{}{worst}", " ".repeat(gap));
        if let Some(before) = before {
            out += &changed(before, evaluation, &span.changes, full);
        }
        before = Some(evaluation);
    }
    out
}

/// The differences from the span before: stances, then red lines, then everything else.
fn changed(before: &v1::Evaluation, after: &v1::Evaluation, changes: &[v1::FindingChange], full: bool) -> String {
    let mut out = String::new();
    for (was, is) in before.stances.iter().zip(&after.stances) {
        if was.stance != is.stance || was.could_become != is.could_become {
            let (was, now) = (stance(was), stance(is));
            out += &wrapped(&format!("{}: {was} -> {now}", is.party), 2);
        }
    }
    for change in changes {
        let (was, is) = (change.before.unwrap_or_default(), change.after.unwrap_or_default());
        let difference = match (was == is, is.status()) {
            (false, _) => format!("{} -> {}", outline_words(&was), outline_words(&is)),
            (true, v1::RedLineStatus::Undetermined) => {
                format!("still {}, but different answers would settle it", outline_words(&is))
            }
            (true, _) => format!("still {}, but for different reasons", outline_words(&is)),
        };
        out += &wrapped(&format!("{}, {}: {difference}", last_segment(&change.red_line), change.party), 2);
        let found = after.findings.iter().find(|finding| finding.red_line == change.red_line);
        match found {
            Some(finding) if full => particulars(&mut out, finding, 4),
            None if full => out += &wrapped(&change.title, 4),
            _ => {}
        }
    }
    for (differ, part) in [
        (before.warnings != after.warnings, "contradictions in the proposal"),
        (before.cautions != after.cautions, "cautions"),
    ] {
        if differ {
            let _ = writeln!(out, "  changed: {part}");
        }
    }
    for (was, is) in before.inputs.iter().zip(&after.inputs).filter(|(was, is)| was != is) {
        out += &wrapped(&format!("{}: {} -> {}", id(is), effective(was), effective(is)), 2);
    }
    out
}

fn stance(party: &v1::PartyStance) -> String {
    let (is, worst) = (stance_words(party.stance()), stance_words(party.could_become()));
    if is == worst { is.to_owned() } else { format!("{is} (could become {worst})") }
}

fn id(input: &v1::EffectiveInput) -> &str {
    input.term.as_ref().map_or("", |term| &term.issue)
}

fn effective(input: &v1::EffectiveInput) -> String {
    let answer = input.term.as_ref().map_or_else(String::new, answer);
    format!("{answer} (from {})", origin(input.origin()))
}
