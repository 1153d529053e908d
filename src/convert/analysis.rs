//! Converts the results of searches to messages.
//!
//! A search looks for packages: possible deals, each with an answer to every issue that matters. A package passes if it
//! meets the request's aim and crosses no counted red line. A red line counts if its party and its firmness are among
//! those that the request asks for. Must not know how a result is computed, or what the request contained besides the
//! question.

use crate::convert::red_line::from_firmness;
use crate::convert::term::{entry_id, from_answer};
use crate::convert::wording;
use crate::schema::names;
use crate::schema::proto::v1::{self, amendment_change};
use detente_analysis::{
    Amendment, AmendmentDistance, AmendmentStep, AmendmentStepKind, CountedLineIndex, EfficientPackage, Impasse,
    Obstacle, Package, Problem, SearchLimit, SearchProgress, SearchQuestion,
};
use detente_condition::{Answer, InputIndex};
use detente_core::engine::Given;
use detente_core::scenario::Scenario;
use detente_core::scenario::index::{PartyIndex, RedLineIndex};
use detente_core::scenario::model::Firmness;
use std::collections::BTreeSet;

/// Converts the reason why an answer is incomplete.
pub fn from_cut(cut: Option<SearchLimit>) -> v1::CutShort {
    match cut {
        None => v1::CutShort::Unspecified,
        Some(SearchLimit::Deadline) => v1::CutShort::Deadline,
        Some(SearchLimit::Work) => v1::CutShort::Work,
        Some(SearchLimit::Results) => v1::CutShort::Results,
    }
}

/// Converts a report of progress.
pub fn from_progress(progress: SearchProgress) -> v1::SearchProgress {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let phase = wording::search::phase(progress.phase).to_owned();
    v1::SearchProgress { phase, done: number(progress.done), total: number(progress.total) }
}

/// Converts the red line at `position` to its brief form, in which its firmness is `firmness`.
pub fn mention(question: &SearchQuestion, position: RedLineIndex, firmness: Firmness) -> Option<v1::RedLineMention> {
    let scenario = question.compiled.scenario();
    let red_line = question.red_line(position)?;
    Some(v1::RedLineMention {
        red_line: names::red_line(&scenario.id, &red_line.id),
        party: scenario.parties.get(red_line.party).map_or_else(String::new, |party| party.id.to_string()),
        firmness: from_firmness(firmness).into(),
        title: red_line.title.clone(),
    })
}

/// Converts counted red lines to their brief form.
pub fn lines(problem: &Problem, lines: &[CountedLineIndex]) -> Vec<v1::RedLineMention> {
    let found = lines.iter().filter_map(|line| problem.lines.get(*line));
    found.filter_map(|line| mention(&problem.question, line.index, line.firmness)).collect()
}

/// Converts the red lines that would count but are not yet recorded on the day.
pub fn not_recorded(question: &SearchQuestion) -> Vec<v1::RedLineMention> {
    crossed(question, &question.not_recorded())
}

/// Converts red lines to their brief form. Each has the firmness with which its crossing counts, or would count.
fn crossed(question: &SearchQuestion, crossed: &[(RedLineIndex, Firmness)]) -> Vec<v1::RedLineMention> {
    crossed.iter().filter_map(|(position, firmness)| mention(question, *position, *firmness)).collect()
}

/// Returns the ids of the parties that hold the given counted red lines, in the scenario's order.
fn parties(problem: &Problem, lines: &[CountedLineIndex]) -> Vec<String> {
    let of: BTreeSet<PartyIndex> =
        lines.iter().filter_map(|line| problem.lines.get(*line)).map(|line| line.party).collect();
    let scenario = problem.question.compiled.scenario();
    of.into_iter().filter_map(|party| scenario.parties.get(party)).map(|party| party.id.to_string()).collect()
}

fn terms_of(scenario: &Scenario, answers: &[(InputIndex, Answer)]) -> Vec<v1::Term> {
    let found = answers.iter().filter_map(|(input, answer)| Some((scenario.inputs.get(*input)?, answer)));
    found.map(|(input, answer)| from_answer(input, answer)).collect()
}

/// Converts a package.
pub fn from_package(question: &SearchQuestion, package: &Package) -> v1::Package {
    v1::Package {
        terms: terms_of(question.compiled.scenario(), &package.answers),
        crosses: crossed(question, &package.crosses),
    }
}

/// Converts an efficient package: a passing package that no other one dominates by the parties' preferences.
pub fn from_efficient(question: &SearchQuestion, efficient: &EfficientPackage) -> v1::EfficientPackage {
    let scenario = question.compiled.scenario();
    let ranks = efficient.places.iter().filter_map(|(party, issue, place)| {
        Some(v1::IssueRank {
            party: scenario.parties.get(*party)?.id.to_string(),
            issue: scenario.inputs.get(*issue)?.id.to_string(),
            rank: i32::try_from(*place).unwrap_or(i32::MAX),
        })
    });
    v1::EfficientPackage {
        package: Some(from_package(question, &efficient.package)),
        utilities: from_utilities(scenario, &efficient.utilities),
        ranks: ranks.collect(),
        packages: efficient.packages.to_string(),
    }
}

/// Converts utilities: for each party, the sum of the numbers that its preferences give to a package's answers.
pub fn from_utilities(scenario: &Scenario, utilities: &[(PartyIndex, f64)]) -> Vec<v1::PartyUtility> {
    let found = utilities.iter().filter_map(|(party, utility)| {
        Some(v1::PartyUtility { party: scenario.parties.get(*party)?.id.to_string(), utility: *utility })
    });
    found.collect()
}

fn from_distance(distance: &AmendmentDistance) -> v1::AmendmentDistance {
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    v1::AmendmentDistance {
        terms_changed: number(distance.terms_changed),
        terms_settled: number(distance.terms_settled),
        members_toggled: number(distance.members_toggled),
        cuts_moved: number(distance.cuts_moved),
    }
}

/// Converts an amendment: changes after which a proposal passes. `terms` are the proposal's terms before the changes.
pub fn from_amended(problem: &Problem, terms: &[Given], amended: &Amendment) -> v1::Amendment {
    let question = &problem.question;
    let scenario = question.compiled.scenario();
    let mut all: Vec<(InputIndex, Answer)> = terms
        .iter()
        .filter(|term| amended.answers.iter().all(|(input, _)| *input != term.input))
        .map(|term| (term.input, term.answer))
        .chain(amended.answers.iter().copied())
        .collect();
    all.sort_by_key(|(input, _)| *input);
    let changes: Vec<v1::AmendmentChange> = amended.steps.iter().filter_map(|step| from_step(problem, step)).collect();
    let texts: Vec<&str> = changes.iter().map(|change| &*change.text).collect();
    let summary = wording::amendments::amendment(&texts);
    v1::Amendment {
        distance: Some(from_distance(&amended.distance)),
        changes,
        terms: terms_of(scenario, &all),
        summary,
        crosses: crossed(question, &amended.crosses),
    }
}

fn from_step(problem: &Problem, step: &AmendmentStep) -> Option<v1::AmendmentChange> {
    let question = &problem.question;
    let scenario = question.compiled.scenario();
    let input = scenario.inputs.get(step.input)?;
    let kind = match step.kind {
        AmendmentStepKind::Member { member, inside: true } => {
            amendment_change::Step::AddMember(entry_id(&input.domain, member))
        }
        AmendmentStepKind::Member { member, inside: false } => {
            amendment_change::Step::DropMember(entry_id(&input.domain, member))
        }
        AmendmentStepKind::Set(answer) => amendment_change::Step::Set(from_answer(input, &answer)),
    };
    let needed_for: Vec<CountedLineIndex> = step
        .needed_for
        .iter()
        .filter_map(|blame| if let Obstacle::Line(line) = blame { Some(*line) } else { None })
        .collect();
    let constraints = step.needed_for.iter().filter_map(|blame| match blame {
        Obstacle::Constraint(position) => Some(scenario.constraints.get(*position)?.id.to_string()),
        _ => None,
    });
    Some(v1::AmendmentChange {
        issue: input.id.to_string(),
        step: Some(kind),
        before: Some(from_answer(input, &step.before)),
        settles_open_term: step.settles_open,
        settles: lines(problem, &needed_for),
        mends_constraints: constraints.collect(),
        meets_goal: step.needed_for.contains(&Obstacle::Goal),
        meets_pin: step.needed_for.contains(&Obstacle::Pins),
        newly_crosses: crossed(question, &step.newly_crosses),
        text: wording::amendments::step(input, step),
    })
}

/// Converts the explanation of an impasse, in which no package passes.
///
/// A conflict is a set of red lines of which every package crosses at least one. A concession is also a set of red
/// lines: if they are softened, so that a package may cross them, some package passes.
pub fn from_impasse(problem: &Problem, impasse: &Impasse) -> v1::Impasse {
    let conflicts = impasse
        .conflicts
        .iter()
        .map(|set| v1::Conflict { red_lines: lines(problem, set), parties: parties(problem, set) });
    let firmest = |set: &[CountedLineIndex]| {
        set.iter().filter_map(|line| problem.lines.get(*line)).map(|line| line.firmness).max()
    };
    let concessions = impasse.concessions.iter().map(|set| v1::Concession {
        red_lines: lines(problem, set),
        parties: parties(problem, set),
        firmest: firmest(set).map_or(v1::Firmness::Unspecified, from_firmness).into(),
    });
    v1::Impasse {
        is_impasse: impasse.is_impasse,
        not_recorded: not_recorded(&problem.question),
        is_contradiction: impasse.is_contradiction,
        conflicts: conflicts.collect(),
        concessions: concessions.collect(),
        in_every_conflict: lines(problem, impasse.in_every.as_deref().unwrap_or_default()),
        in_no_conflict: lines(problem, impasse.in_none.as_deref().unwrap_or_default()),
        complete: impasse.cut_short.is_none(),
        cut_short: from_cut(impasse.cut_short).into(),
        summary: wording::impasse::summary(problem, impasse),
    }
}
