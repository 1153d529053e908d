//! `detente robustness`: how probable it is that a deal crosses no binding red line.
//!
//! A red line binds if a crossing of it would in fact undo the deal. Owns the rendering of the answer. Must not know
//! how probabilities are computed.

use crate::cli::args::aim::AimOptions;
use crate::cli::args::parsers::date;
use crate::cli::args::parsers::firmness;
use crate::cli::args::question::Question;
use crate::cli::commands::packages::package_text;
use crate::cli::render::analysis::{head, mention, mentions};
use crate::cli::render::text::{HEAD, table, wrapped};
use crate::cli::report::{OutputFormat, Report, UsageError, pretty};
use crate::convert::date::from_date;
use crate::convert::red_line::from_firmness;
use crate::convert::wording::{probability_range, settled_terms};
use crate::schema::json::to_json;
use crate::schema::proto::v1;
use crate::schema::proto::v1::binding_probability::Of;
use anyhow::Result;
use clap::Args;
use jiff::civil::Date;

pub(super) const EXAMPLES: &str = "\
Examples:
  detente robustness jeddah-ceasefire --probability absolute=1 --probability firm=0.9
  detente robustness guarantors-2022 --sweep guarantors_willing \\
      --probability firm=0.8 --probability absolute=1
  detente robustness --probability firm=0.9 --probability absolute=1 \\
      --probability ru-no-nato-forces=0.99";

/// The options of `detente robustness`.
#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(flatten)]
    question: Question,

    /// Day to evaluate. [default: the day of the scenario]
    #[arg(long, value_name = "DATE", value_parser = date)]
    as_of: Option<Date>,

    #[command(flatten)]
    aim: AimOptions,

    /// Probability from 0 to 1, in your judgement, that a red line binds: that crossing it would undo the deal.
    /// Repeatable.
    ///
    /// FIRMNESS=P applies to red lines of that firmness that have no probability of their own, neither from this option
    /// nor from the scenario. Every red line that counts (see --floor and --third-party) needs a probability.
    #[arg(long = "probability", value_name = "RED_LINE=P or FIRMNESS=P")]
    probabilities: Vec<String>,

    /// Circumstance whose values are all assessed, one after the other. Repeatable.
    #[arg(long, value_name = "CIRCUMSTANCE")]
    sweep: Vec<String>,

    /// Format of the answer.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
}

pub(super) fn run(options: &Options) -> Result<Report> {
    let probabilities = options.probabilities.iter().map(|text| probability(text)).collect::<Result<Vec<_>, _>>()?;
    let question = options.question.prepare()?;
    let request = v1::AssessRobustnessRequest {
        scenario: question.scenario.name.clone(),
        subject: question.proposal.map(Into::into),
        overrides: question.overrides,
        cleared_issues: question.cleared_issues,
        as_of: options.as_of.map(from_date),
        circumstances: question.circumstances,
        hypotheses: question.hypotheses,
        aim: Some(options.aim.read(&question.inputs)?),
        probabilities,
        sweep: options.sweep.clone(),
        revision: String::new(),
    };
    let response = question.backend.assess_robustness(request, options.aim.timeout)?;
    Ok(Report::of(match options.output {
        OutputFormat::Json => pretty(&to_json("AssessRobustnessResponse", &response)?)?,
        OutputFormat::Table => robustness_text(options, &response),
    }))
}

fn probability(text: &str) -> Result<v1::BindingProbability, UsageError> {
    let read = text.split_once('=').and_then(|(of, number)| Some((of.trim(), number.trim().parse().ok()?)));
    let error = || {
        UsageError(format!(
            "`{text}` is not a value of --probability; expected RED_LINE=P or FIRMNESS=P, with P from 0 to 1"
        ))
    };
    let (of, probability) = read.ok_or_else(error)?;
    let of = match firmness(of) {
        Ok(firmness) => Of::Firmness(from_firmness(firmness).into()),
        Err(_) => Of::RedLine(of.to_owned()),
    };
    Ok(v1::BindingProbability { of: Some(of), probability })
}

fn robustness_text(options: &Options, response: &v1::AssessRobustnessResponse) -> String {
    let title = if response.proposal.is_some() {
        format!("Robustness of {}", options.question.name())
    } else {
        "Robustness of the best package".to_owned()
    };
    let of = (response.scenario.as_str(), response.revision.as_str());
    let mut out = head(&title, &options.aim, response.as_of.as_ref(), of, &response.suppositions);
    out += &wrapped(&response.summary, 0);
    for assumption in &response.assumptions {
        out += &wrapped(assumption, 2);
    }
    if let Some(package) = response.best.as_ref().and_then(|best| best.package.as_ref()) {
        out += &format!(
            "\n{HEAD}Best package{HEAD:#}: {}\n",
            range_words(response.best.as_ref().and_then(|best| best.probability.as_ref()))
        );
        out += &package_text(package);
        let could_cross = response.best.as_ref().map_or(&[][..], |best| &best.could_cross);
        if !could_cross.is_empty() {
            out += &wrapped(&format!("crosses or could cross red lines that count: {}", mentions(could_cross)), 2);
        }
    }
    if !response.importance.is_empty() {
        let of_proposal = response.proposal.is_some();
        out += &format!(
            "\n{} if one red line were certain to bind, or certain not to:\n",
            if of_proposal { "The proposal's probability" } else { "The best package's probability" }
        );
        let rows: Vec<Vec<String>> = response
            .importance
            .iter()
            .map(|importance| {
                let (binding, not) = if of_proposal {
                    (&importance.if_binding, &importance.if_not_binding)
                } else {
                    (&importance.best_if_binding, &importance.best_if_not_binding)
                };
                let line = importance.red_line.as_ref();
                let used = response
                    .probabilities
                    .iter()
                    .find(|used| used.red_line.as_ref().map(|of| &of.red_line) == line.map(|line| &line.red_line));
                vec![
                    line.map_or_else(String::new, mention),
                    used.map_or_else(String::new, |used| used.probability.to_string()),
                    range_words(binding.as_ref()),
                    range_words(not.as_ref()),
                ]
            })
            .collect();
        out += &table(&["RED LINE", "STATED", "IF IT BINDS", "IF NOT"], &rows);
    }
    if !response.sweep.is_empty() {
        out += "\nBy circumstance:\n";
        let rows: Vec<Vec<String>> = response
            .sweep
            .iter()
            .map(|case| {
                vec![
                    settled_terms(&case.circumstances),
                    range_words(case.proposal.as_ref()),
                    range_words(case.best.as_ref().and_then(|best| best.probability.as_ref())),
                ]
            })
            .collect();
        out += &table(&["CIRCUMSTANCES", "PROPOSAL", "BEST PACKAGE"], &rows);
    }
    out
}

/// A probability in words, like "0.4305" or "0.2 to 0.4305"; a dash for `None`.
fn range_words(range: Option<&v1::ProbabilityRange>) -> String {
    match range {
        None => "-".to_owned(),
        Some(range) => probability_range(range.low, range.high),
    }
}
