//! `detente packages`: counts the packages that pass, and shows some of them and the efficient ones.
//!
//! A package is a possible deal that meets the goal (a condition) and the pins (terms that it must have) of the
//! options. It passes if it crosses no red line that counts. A red line counts if a chosen party holds it, with at
//! least the firmness of `--floor`. A passing package is efficient if no other passing package is at least as good by
//! all preferences of the parties and better by one. Packages that are equal by all preferences form one point. Must
//! not know how packages are found.

use crate::cli::args::aim::AimOptions;
use crate::cli::args::inputs::Inputs;
use crate::cli::args::parsers::date;
use crate::cli::args::question::Assumptions;
use crate::cli::backend::Target;
use crate::cli::render::analysis::{head, mentions};
use crate::cli::render::text::{HEAD, table, wrapped};
use crate::cli::report::{OutputFormat, Report, UsageError, pretty};
use crate::convert::date::from_date;
use crate::convert::wording::settled_terms;
use crate::schema::json::to_json;
use crate::schema::proto::v1;
use crate::schema::proto::v1::find_packages_response::Part;
use anyhow::{Result, anyhow};
use clap::Args;
use jiff::civil::Date;
use serde_json::{Value, json};

pub(super) const EXAMPLES: &str = "\
Examples:
  detente packages --goal 'ceasefire_scope == \"all_fronts\"'
  detente packages --pin nato_path=open --max 3 --diverse
  detente packages --scenario laptop.yaml --efficient --disagreement buyer=0 --disagreement seller=0";

/// The value of `--disagreement` that stands for the reservation values of all parties, which the scenario states: the
/// utility of each without a deal.
const RESERVATION: &str = "reservation";

/// The options of `detente packages`.
#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(flatten)]
    target: Target,

    /// Day to evaluate. [default: the day of the scenario]
    #[arg(long, value_name = "DATE", value_parser = date)]
    as_of: Option<Date>,

    #[command(flatten)]
    assumptions: Assumptions,

    #[command(flatten)]
    aim: AimOptions,

    /// Maximum number of packages to show, 0 to 1,000. All packages are counted.
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(i32).range(0..=1000))]
    max: i32,

    /// Show packages that differ from each other, in place of the first ones in a stable order.
    #[arg(long)]
    diverse: bool,

    /// Show the efficient packages: no other package dominates them (Pareto) by the preferences of the scenario.
    #[arg(long)]
    efficient: bool,

    /// Utility of a party without a deal, or `reservation` for the reservation values of all parties. Repeatable.
    ///
    /// The utility is in the units of the party's preferences. If it is given for all parties with numeric preferences,
    /// the bargaining solutions of Nash and of Kalai and Smorodinsky are shown.
    #[arg(long = "disagreement", value_name = "PARTY=NUMBER or reservation")]
    disagreement: Vec<String>,

    /// Format of the answer.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
}

pub(super) fn run(options: &Options) -> Result<Report> {
    let stated = options.disagreement.iter().filter(|text| *text != RESERVATION);
    let mut disagreement = stated.map(|text| utility(text)).collect::<Result<Vec<_>, _>>()?;
    let backend = options.target.open()?;
    let scenario = backend.get_scenario(options.target.scenario_name())?;
    if options.disagreement.iter().any(|text| text == RESERVATION) {
        let reserved = scenario.parties.iter().filter_map(|party| Some((&party.id, party.reservation_value?)));
        for (party, utility) in reserved {
            if disagreement.iter().all(|other| other.party != *party) {
                disagreement.push(v1::PartyUtility { party: party.clone(), utility });
            }
        }
    }
    let inputs = Inputs::of(&scenario);
    let (circumstances, hypotheses) = options.assumptions.read(&backend, &scenario, &inputs)?;
    let order = if options.diverse { v1::PackageOrder::Diverse } else { v1::PackageOrder::Stable };
    let request = v1::FindPackagesRequest {
        scenario: scenario.name.clone(),
        as_of: options.as_of.map(from_date),
        circumstances,
        hypotheses,
        aim: Some(options.aim.read(&inputs)?),
        max_packages: Some(options.max),
        order: order.into(),
        efficient: options.efficient,
        disagreement: (!disagreement.is_empty()).then_some(v1::DisagreementPoint { utilities: disagreement }),
        revision: String::new(),
    };
    let parts = backend.find_packages(request, options.aim.timeout)?;
    let mut found = SearchResult::default();
    for part in parts.into_iter().filter_map(|response| response.part) {
        match part {
            Part::Progress(_) => {}
            Part::Package(package) => found.packages.push(package),
            Part::EfficientPackage(package) => found.efficient.push(package),
            Part::Summary(summary) => found.summary = Some(summary),
        }
    }
    Ok(Report::of(match options.output {
        OutputFormat::Json => pretty(&found.json()?)?,
        OutputFormat::Table => found.text(options, &scenario)?,
    }))
}

fn utility(text: &str) -> Result<v1::PartyUtility, UsageError> {
    let read = text.split_once('=').and_then(|(party, number)| Some((party.trim(), number.trim().parse().ok()?)));
    let (party, utility) = read.ok_or_else(|| {
        UsageError(format!(
            "`{text}` is not a value of --disagreement; expected PARTY=NUMBER, like buyer=0.5, or `reservation`"
        ))
    })?;
    Ok(v1::PartyUtility { party: party.to_owned(), utility })
}

/// All parts of the response except progress.
#[derive(Default)]
struct SearchResult {
    packages: Vec<v1::Package>,
    efficient: Vec<v1::EfficientPackage>,
    summary: Option<v1::PackagesSummary>,
}

impl SearchResult {
    fn json(&self) -> Result<Value> {
        let packages = self.packages.iter().map(|package| to_json("Package", package));
        let efficient = self.efficient.iter().map(|package| to_json("EfficientPackage", package));
        Ok(json!({
            "packages": packages.collect::<Result<Vec<_>, _>>()?,
            "efficientPackages": efficient.collect::<Result<Vec<_>, _>>()?,
            "summary": self.summary.as_ref().map(|summary| to_json("PackagesSummary", summary)).transpose()?,
        }))
    }

    fn text(&self, options: &Options, scenario: &v1::Scenario) -> Result<String> {
        let summary = self.summary.as_ref().ok_or_else(|| anyhow!("the response ended before its summary"))?;
        let of = (summary.scenario.as_str(), summary.revision.as_str());
        let mut out = head("Packages", &options.aim, summary.as_of.as_ref(), of, &summary.suppositions);
        out += &wrapped(&summary.summary, 0);
        if summary.packages != summary.packages_by_integer {
            out += &wrapped(
                &format!(
                    "Number of packages if every integer counts as a package of its own: {}.",
                    summary.packages_by_integer
                ),
                0,
            );
        }
        if !summary.left_out.is_empty() {
            let left_out = format!("Issues left out because nothing depends on them: {}.", summary.left_out.join(", "));
            out += &wrapped(&left_out, 0);
        }
        for (at, package) in self.packages.iter().enumerate() {
            out += &format!("\n{HEAD}Package {}{HEAD:#}\n", at + 1);
            out += &package_text(package);
        }
        out += &self.efficient_text(summary, scenario);
        Ok(out)
    }

    fn efficient_text(&self, summary: &v1::PackagesSummary, scenario: &v1::Scenario) -> String {
        let mut out = String::new();
        if !summary.efficient_points.is_empty() {
            let text = format!(
                "Efficient: {} at {} by the scenario's preferences; packages that are equal by all of them form one \
                 point. No package dominates any of these, and the preferences do not say which of them is better.",
                packages_word(&summary.efficient_packages),
                points_word(&summary.efficient_points)
            );
            out.push('\n');
            out += &wrapped(&text, 0);
        }
        if !self.efficient.is_empty() {
            out.push('\n');
            out += &efficient_table(&self.efficient, scenario);
        }
        if let Some(bargaining) = &summary.bargaining {
            out.push('\n');
            for (name, solutions) in [("Nash", &bargaining.nash), ("Kalai-Smorodinsky", &bargaining.kalai_smorodinsky)]
            {
                if solutions.is_empty() {
                    out += &wrapped(
                        &format!("{name}: no package gives every party at least what that party has without a deal."),
                        0,
                    );
                    continue;
                }
                out += &format!("{HEAD}{name}{HEAD:#}\n");
                out += &efficient_table(solutions, scenario);
            }
        }
        out
    }
}

fn packages_word(count: &str) -> String {
    if count == "1" { "1 package".to_owned() } else { format!("{count} packages") }
}

fn points_word(count: &str) -> String {
    if count == "1" { "1 point".to_owned() } else { format!("{count} points") }
}

pub(super) fn package_text(package: &v1::Package) -> String {
    let mut out = wrapped(&settled_terms(&package.terms), 2);
    if !package.crosses.is_empty() {
        out += &wrapped(
            &format!("crossed, but below the floor or of a party that does not count: {}", mentions(&package.crosses)),
            2,
        );
    }
    out
}

/// A table with a row for each point: the utilities and ranks of its packages, their number, and the first of them.
fn efficient_table(efficient: &[v1::EfficientPackage], scenario: &v1::Scenario) -> String {
    let Some(first) = efficient.first() else { return String::new() };
    let parties: Vec<&str> = first.utilities.iter().map(|utility| utility.party.as_str()).collect();
    let ranks: Vec<String> = first.ranks.iter().map(|rank| format!("{}: {}", rank.party, rank.issue)).collect();
    let ranked: Vec<&str> = ranks.iter().map(String::as_str).collect();
    let issues: Vec<&str> =
        scenario.preferences.iter().map(|preference| preference.issue.as_str()).fold(Vec::new(), |mut seen, issue| {
            if !seen.contains(&issue) {
                seen.push(issue);
            }
            seen
        });
    let head: Vec<&str> = parties.into_iter().chain(ranked).chain(["PACKAGES", "FIRST PACKAGE"]).collect();
    let rows: Vec<Vec<String>> = efficient
        .iter()
        .map(|point| {
            let terms = point.package.iter().flat_map(|package| &package.terms);
            let shown: Vec<v1::Term> = terms.filter(|term| issues.contains(&term.issue.as_str())).cloned().collect();
            let utilities = point.utilities.iter().map(|utility| utility.utility.to_string());
            let ranks = point.ranks.iter().map(|rank| (rank.rank + 1).to_string());
            utilities.chain(ranks).chain([point.packages.clone(), settled_terms(&shown)]).collect()
        })
        .collect();
    table(&head, &rows)
}
