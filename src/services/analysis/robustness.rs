//! `AssessRobustness`: how probable it is that no binding red line is crossed.
//!
//! Owns which probability each red line gets. Must not know how probabilities are combined.

use crate::convert::aim::{ValidatedRequest, to_validated};
use crate::convert::analysis::{cut_text, from_cut, from_package, lines, mention, not_recorded, not_recorded_text};
use crate::convert::date::from_date;
use crate::convert::red_line::to_firmness;
use crate::convert::term::{InputKind, from_answer, to_input};
use crate::convert::wording::probability_range;
use crate::error::{ApiError, Violations, quoted};
use crate::schema::names;
use crate::schema::proto::v1;
use crate::schema::proto::v1::binding_probability::Of;
use crate::services::analysis::AnalysisRequest;
use detente_analysis::{Best, Budget, CutShort, Problem, Question, Range, Robustness};
use detente_condition::{Answer, Axis, EntryIndex, InputIndex, Value, did_you_mean};
use detente_core::engine::{Compiled, Given, Origin};
use detente_core::scenario::index::RedLineIndex;
use detente_core::scenario::model::Firmness;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Combinations of values that a sweep may have.
pub const MAX_SWEEP: usize = 64;
/// Probabilities that a request may state.
const MAX_PROBABILITIES: usize = 20_000;

/// Computes how probable it is that no binding red line is crossed, for the proposal and for the best package.
///
/// # Errors
/// The errors that `ErrorReason` in the schema documents.
pub(super) fn assess_robustness(
    compiled: &Arc<Compiled>,
    request: &v1::AssessRobustnessRequest,
    budget: &Budget<'_>,
) -> Result<v1::AssessRobustnessResponse, ApiError> {
    let mut violations = Violations::default();
    let validated = to_validated(compiled, request.fields(), &mut violations)?;
    let stated = StatedProbabilities::read(&validated.question, &request.probabilities, &mut violations);
    let sweep = to_sweep(&validated.question, &request.sweep, &mut violations);
    violations.into_result()?;
    let problem = validated.problem()?;
    let used = stated.of(&problem)?;
    let cases = combinations(&problem, &sweep)?;
    let probabilities: Vec<f64> = used.iter().map(|(probability, _)| *probability).collect();
    let not_covered = |cause| ApiError::DateNotCovered { field: "as_of", cause };
    let terms = validated.terms.as_deref();
    let found = problem.robustness(terms, &probabilities, true, budget).map_err(not_covered)?;
    let mut cut_short = found.cut_short;
    let mut swept = Vec::with_capacity(cases.len());
    for case in &cases {
        if cut_short.is_some() {
            break;
        }
        let under =
            Question { circumstances: with(&validated.question.circumstances, case), ..validated.question.clone() };
        let under = ValidatedRequest { question: under, terms: None, suppositions: Vec::new() }.problem()?;
        // Only circumstances differ, so `under` has the same red lines in the same order as `probabilities`.
        let found = under.robustness(terms, &probabilities, false, budget).map_err(not_covered)?;
        cut_short = found.cut_short;
        if cut_short.is_none() {
            swept.push(from_case(&under, case, &found));
        }
    }
    let scenario = compiled.scenario();
    Ok(v1::AssessRobustnessResponse {
        scenario: names::scenario(&scenario.id),
        revision: scenario.revision.to_string(),
        as_of: Some(from_date(validated.question.day)),
        proposal: found.proposal.map(from_range),
        best: found.best.as_ref().map(|best| from_best(&problem, best)),
        importance: importance(&problem, &found),
        sweep: swept,
        probabilities: from_used(&problem, &used),
        assumptions: assumptions(&used),
        complete: cut_short.is_none(),
        cut_short: from_cut(cut_short).into(),
        suppositions: validated.suppositions,
        summary: summary(&found, &not_recorded_text(&problem.question), cut_short),
        not_recorded: not_recorded(&problem.question),
    })
}

/// The probability of one counted red line, and who states it.
type SourcedProbability = (f64, v1::ProbabilityOrigin);

/// The probabilities that the request states: by position of a red line, and by firmness.
#[derive(Default)]
struct StatedProbabilities {
    by_line: BTreeMap<RedLineIndex, f64>,
    by_firmness: BTreeMap<Firmness, f64>,
}

impl StatedProbabilities {
    fn read(question: &Question, given: &[v1::BindingProbability], violations: &mut Violations) -> Self {
        let mut stated = Self::default();
        let lines = &question.compiled.scenario().red_lines;
        let known: HashMap<&str, RedLineIndex> = lines.indexed().map(|(at, line)| (&*line.id, at)).collect();
        if given.len() > MAX_PROBABILITIES {
            let text = format!("{} are given; at most {MAX_PROBABILITIES} are read", given.len());
            violations.over("probabilities", "probabilities", text);
            return stated;
        }
        for (at, entry) in given.iter().enumerate() {
            let field = format!("probabilities[{at}]");
            let probability = entry.probability;
            if !(0.0..=1.0).contains(&probability) {
                violations.add(format!("{field}.probability"), format!("{probability} is not within 0 to 1"));
            }
            let before = match &entry.of {
                None => {
                    violations.add(field, "give a `red_line` or a `firmness`");
                    None
                }
                Some(Of::RedLine(name)) => {
                    to_position((question, &known), name, &format!("{field}.red_line"), violations)
                        .and_then(|position| stated.by_line.insert(position, probability))
                }
                Some(Of::Firmness(number)) => match v1::Firmness::try_from(*number).ok().and_then(to_firmness) {
                    Some(firmness) => stated.by_firmness.insert(firmness, probability),
                    None => {
                        let text = format!("{number} is no firmness; give one from 1 (tentative) to 4 (absolute)");
                        violations.add(format!("{field}.firmness"), text);
                        None
                    }
                },
            };
            if before.is_some() {
                violations.add(format!("probabilities[{at}]"), "its probability is given already");
            }
        }
        stated
    }

    /// Returns the probability of each counted red line, in order.
    ///
    /// The request's probability for the line takes precedence over the scenario's, which takes precedence over the
    /// request's probability for the firmness.
    ///
    /// # Errors
    /// If nobody states a probability for a counted red line.
    fn of(&self, problem: &Problem) -> Result<Vec<SourcedProbability>, ApiError> {
        use v1::ProbabilityOrigin as By;
        let mut violations = Violations::default();
        let mut used = Vec::with_capacity(problem.lines.len());
        for line in &problem.lines {
            let Some(red_line) = problem.red_line(line) else { continue };
            let by_line = self.by_line.get(&line.index).map(|stated| (*stated, By::Request));
            let by_author = red_line.binding_probability.map(|stated| (stated, By::Scenario));
            let by_firmness = self.by_firmness.get(&line.firmness);
            let by_firmness = by_firmness.map(|stated| (*stated, By::RequestByFirmness));
            match by_line.or(by_author).or(by_firmness) {
                Some(stated) => used.push(stated),
                None => violations.add(
                    "probabilities",
                    format!(
                        "`{}` ({}) counts, and nobody states how probable it is that it binds",
                        red_line.id,
                        line.firmness.word()
                    ),
                ),
            }
        }
        violations.into_result()?;
        Ok(used)
    }
}

/// Returns the position of a red line by its name or id, those that hypotheses add included.
fn to_position(
    (question, known): (&Question, &HashMap<&str, RedLineIndex>),
    name: &str,
    field: &str,
    violations: &mut Violations,
) -> Option<RedLineIndex> {
    let scenario = question.compiled.scenario();
    let id = match names::parse_red_line(name) {
        Some((of, id)) if of == &*scenario.id => id,
        Some((of, _)) => {
            let text = format!("this is a red line of `scenarios/{}`, not of `scenarios/{}`", quoted(of), scenario.id);
            violations.add(field, text);
            return None;
        }
        None => name,
    };
    let supposed = || {
        let added = question.supposed.as_ref()?;
        let mut positions =
            (scenario.red_lines.len()..).map(RedLineIndex).map_while(|at| Some((at, added.red_line(scenario, at)?)));
        positions.find(|(_, line)| &*line.id == id).map(|(at, _)| at)
    };
    let found = known.get(id).copied().or_else(supposed);
    if found.is_none() {
        let nearest = violations.nearest(id, scenario.red_lines.iter().map(|red_line| &*red_line.id));
        let hint = did_you_mean(nearest);
        violations.add(field, format!("there is no red line `{}`{hint}", quoted(id)));
    }
    found
}

/// Validates the ids of the circumstances of a sweep.
fn to_sweep(question: &Question, sweep: &[String], violations: &mut Violations) -> Vec<InputIndex> {
    let scenario = question.compiled.scenario();
    let mut inputs = Vec::new();
    if sweep.len() > MAX_SWEEP {
        violations.over(
            "sweep",
            "sweep",
            format!("{} circumstances are named; at most {MAX_SWEEP} are read", sweep.len()),
        );
    }
    for (at, name) in sweep.iter().take(MAX_SWEEP).enumerate() {
        let field = format!("sweep[{at}]");
        let Some(input) = to_input(scenario, name, InputKind::Circumstances, &field, violations) else { continue };
        if inputs.contains(&input) {
            violations.add(field, format!("`{name}` is named already"));
        }
        inputs.push(input);
    }
    inputs
}

type Case = Vec<(InputIndex, Answer)>;

/// Returns all combinations of the possible values of a sweep's circumstances.
///
/// # Errors
/// If there are more than 64 combinations.
fn combinations(problem: &Problem, sweep: &[InputIndex]) -> Result<Vec<Case>, ApiError> {
    let mut cases: Vec<Case> = if sweep.is_empty() { Vec::new() } else { vec![Vec::new()] };
    for input in sweep {
        let answers: Vec<Answer> =
            answers(problem, *input).into_iter().filter(|answer| problem.leaves_possible(*input, answer)).collect();
        if answers.len().saturating_mul(cases.len()) > MAX_SWEEP {
            let text =
                format!("there are more than {MAX_SWEEP} combinations of values: sweep over fewer circumstances");
            return Err(ApiError::InvalidRequest(Violations::one("sweep", text)));
        }
        cases = cases
            .iter()
            .flat_map(|case| answers.iter().map(|answer| [case.as_slice(), &[(*input, *answer)]].concat()))
            .collect();
    }
    Ok(cases)
}

/// Returns the values of a circumstance that conditions can distinguish.
///
/// A list of sets of members is cut at 65, one more than a sweep may have.
fn answers(problem: &Problem, input: InputIndex) -> Vec<Answer> {
    let scenario = problem.question.compiled.scenario();
    let is_flag = scenario.inputs.get(input).is_some_and(|input| input.domain.kind() == "flag");
    match problem.space.axis(input) {
        None => Vec::new(),
        Some(Axis::Members { count }) => {
            let sets = 1u64.checked_shl(u32::from(*count)).unwrap_or(u64::MAX);
            (0..sets).take(MAX_SWEEP + 1).map(|set| Answer::Exact(Value::Members(set))).collect()
        }
        Some(Axis::Options { .. }) if is_flag => [false, true].map(|flag| Answer::Exact(Value::Flag(flag))).to_vec(),
        Some(Axis::Options { count }) => {
            (0..*count).map(|option| Answer::Exact(Value::Choice(EntryIndex(option)))).collect()
        }
        Some(axis @ Axis::Intervals { starts, .. }) => (0..starts.len())
            .filter_map(|at| axis.interval(at))
            .map(|(min, max)| match min == max {
                true => Answer::Exact(Value::Quantity(min)),
                false => Answer::Range { min, max },
            })
            .collect(),
    }
}

fn with(circumstances: &[Given], case: &Case) -> Vec<Given> {
    let kept = circumstances.iter().filter(|given| case.iter().all(|(input, _)| *input != given.input)).copied();
    let swept =
        case.iter().map(|(input, answer)| Given { input: *input, answer: *answer, origin: Origin::Circumstance });
    kept.chain(swept).collect()
}

fn from_range(range: Range) -> v1::ProbabilityRange {
    v1::ProbabilityRange { low: range.low, high: range.high }
}

fn from_best(problem: &Problem, best: &Best) -> v1::BestPackage {
    v1::BestPackage {
        package: Some(from_package(&problem.question, &best.package)),
        probability: Some(from_range(best.probability)),
        could_cross: lines(problem, &best.could_cross),
    }
}

fn from_case(problem: &Problem, case: &Case, found: &Robustness) -> v1::RobustnessCase {
    let scenario = problem.question.compiled.scenario();
    let terms = case.iter().filter_map(|(input, answer)| Some(from_answer(scenario.inputs.get(*input)?, answer)));
    v1::RobustnessCase {
        circumstances: terms.collect(),
        proposal: found.proposal.map(from_range),
        best: found.best.as_ref().map(|best| from_best(problem, best)),
    }
}

fn importance(problem: &Problem, found: &Robustness) -> Vec<v1::RedLineImportance> {
    let listed = found.importance.iter().filter_map(|importance| {
        let line = problem.lines.get(importance.line)?;
        let (if_binding, if_not_binding) = importance.proposal.unzip();
        let (best_if_binding, best_if_not_binding) = importance.best.unzip();
        Some(v1::RedLineImportance {
            red_line: mention(&problem.question, line.index, line.firmness),
            if_binding: if_binding.map(from_range),
            if_not_binding: if_not_binding.map(from_range),
            best_if_binding: best_if_binding.map(from_range),
            best_if_not_binding: best_if_not_binding.map(from_range),
        })
    });
    listed.collect()
}

fn from_used(problem: &Problem, used: &[SourcedProbability]) -> Vec<v1::UsedProbability> {
    let each = problem.lines.iter().zip(used);
    each.map(|(line, (probability, origin))| v1::UsedProbability {
        red_line: mention(&problem.question, line.index, line.firmness),
        probability: *probability,
        origin: (*origin).into(),
    })
    .collect()
}

fn assumptions(used: &[SourcedProbability]) -> Vec<String> {
    let by = |origin| used.iter().filter(|(_, by)| *by == origin).count();
    let (request, firmness, author) = (
        by(v1::ProbabilityOrigin::Request),
        by(v1::ProbabilityOrigin::RequestByFirmness),
        by(v1::ProbabilityOrigin::Scenario),
    );
    vec![
        "Red lines are taken to bind independently of each other.".to_owned(),
        format!(
            "The probabilities are not this service's: {request} stated by the request for a red line, {firmness} by \
             the request for a firmness, {author} by the scenario's author."
        ),
        "What is open (terms, circumstances) has no probability: it gives a least and a greatest value.".to_owned(),
    ]
}

fn summary(found: &Robustness, unrecorded: &str, cut: Option<CutShort>) -> String {
    let mut sentences = Vec::new();
    let in_words = |range: Range| probability_range(range.low, range.high);
    let lead = |of: &str, range: Range| {
        let range = in_words(range);
        format!("By the probabilities stated, the probability that {of} crosses no binding red line is {range}.")
    };
    sentences.extend(found.proposal.map(|range| lead("the proposal", range)));
    match &found.best {
        Some(best) if sentences.is_empty() => sentences.push(lead("the best package", best.probability)),
        Some(best) => sentences.push(format!("That of the best package is {}.", in_words(best.probability))),
        None if found.cut_short.is_none() => {
            sentences.push("No package meets pins, goal and constraints.".to_owned());
        }
        None => {}
    }
    let text = sentences.join(" ") + unrecorded + cut_text(cut);
    text.trim_start().to_owned()
}
