//! Validates the probabilities and the sweep of a request, and converts robustness to messages.
//!
//! A red line binds if a crossing would in fact undo the deal. Robustness is the probability that a deal (a proposal,
//! or the best package of terms) crosses no red line that binds. It takes the counted red lines into account: those of
//! the parties and firmnesses that the request asks for. A sweep computes robustness once for each combination of
//! values of some circumstances. Must not know which probability takes precedence, or how probabilities are combined.

use crate::convert::analysis::{from_package, lines, mention};
use crate::convert::red_line::to_firmness;
use crate::convert::term::{InputKind, from_answer, to_input};
use crate::error::{Violations, quoted};
use crate::schema::names::{self, RedLineName};
use crate::schema::proto::v1;
use crate::schema::proto::v1::binding_probability::Of;
use detente_analysis::{
    BestPackage, BindingProbability, MAX_SWEEP, Probability, ProbabilityOrigin, ProbabilityRange, Problem, Robustness,
    SearchQuestion, StatedProbabilities, SweptCase, UnstatedProbabilitiesError,
};
use detente_condition::{InputIndex, did_you_mean};
use detente_core::scenario::index::RedLineIndex;
use std::collections::HashMap;

/// Maximum number of probabilities in a request.
const MAX_PROBABILITIES: usize = 20_000;

/// Validates the probabilities that a request states. Each is the probability that one red line binds, or that each red
/// line of one firmness binds.
pub fn to_stated(
    question: &SearchQuestion,
    given: &[v1::BindingProbability],
    violations: &mut Violations,
) -> StatedProbabilities {
    let mut stated = StatedProbabilities::default();
    let lines = &question.compiled.scenario().red_lines;
    let known: HashMap<&str, RedLineIndex> = lines.indexed().map(|(at, line)| (line.id.as_str(), at)).collect();
    if given.len() > MAX_PROBABILITIES {
        let text = format!("the list has {} probabilities; at most {MAX_PROBABILITIES} are allowed", given.len());
        violations.over("probabilities", "probabilities", text);
        return stated;
    }
    for (at, entry) in given.iter().enumerate() {
        let field = format!("probabilities[{at}]");
        let probability = Probability::new(entry.probability).unwrap_or_else(|| {
            let text = format!("{} is not within 0 to 1", entry.probability);
            violations.add(format!("{field}.probability"), text);
            Probability::ZERO
        });
        let before = match &entry.of {
            None => {
                violations.add(field, "give a `red_line` or a `firmness`");
                None
            }
            Some(Of::RedLine(name)) => to_red_line((question, &known), name, &format!("{field}.red_line"), violations)
                .and_then(|line| stated.state_for_line(line, probability)),
            Some(Of::Firmness(number)) => match v1::Firmness::try_from(*number).ok().and_then(to_firmness) {
                Some(firmness) => stated.state_for_firmness(firmness, probability),
                None => {
                    let text = format!("{number} is not a firmness; expected 1 (tentative) to 4 (absolute)");
                    violations.add(format!("{field}.firmness"), text);
                    None
                }
            },
        };
        if before.is_some() {
            violations.add(
                format!("probabilities[{at}]"),
                "the list already gives a probability for this red line or firmness",
            );
        }
    }
    stated
}

/// Finds a red line by its name or id, among those of the scenario and those that hypotheses add.
///
/// `known` are the scenario's red lines by id.
fn to_red_line(
    (question, known): (&SearchQuestion, &HashMap<&str, RedLineIndex>),
    name: &str,
    field: &str,
    violations: &mut Violations,
) -> Option<RedLineIndex> {
    let scenario = question.compiled.scenario();
    let id = match names::parse_red_line(name) {
        Some(named) if named.scenario == scenario.id.as_str() => named.red_line,
        Some(RedLineName { scenario: other, .. }) => {
            let text =
                format!("this is a red line of `scenarios/{}`, not of `scenarios/{}`", quoted(other), scenario.id);
            violations.add(field, text);
            return None;
        }
        None => name,
    };
    let supposed = || {
        let added = question.supposed.as_ref()?;
        let mut indices =
            (scenario.red_lines.len()..).map(RedLineIndex).map_while(|at| Some((at, added.red_line(scenario, at)?)));
        indices.find(|(_, line)| line.id.as_str() == id).map(|(at, _)| at)
    };
    let found = known.get(id).copied().or_else(supposed);
    if found.is_none() {
        let nearest = violations.nearest(id, scenario.red_lines.iter().map(|red_line| red_line.id.as_str()));
        let hint = did_you_mean(nearest);
        violations.add(field, format!("there is no red line `{}`{hint}", quoted(id)));
    }
    found
}

/// Validates the ids of the circumstances of a sweep.
pub fn to_sweep(question: &SearchQuestion, sweep: &[String], violations: &mut Violations) -> Vec<InputIndex> {
    let scenario = question.compiled.scenario();
    let mut inputs = Vec::new();
    if sweep.len() > MAX_SWEEP {
        violations.over(
            "sweep",
            "sweep",
            format!("the list has {} circumstances; at most {MAX_SWEEP} are allowed", sweep.len()),
        );
    }
    for (at, name) in sweep.iter().take(MAX_SWEEP).enumerate() {
        let field = format!("sweep[{at}]");
        let Some(input) = to_input(scenario, name, InputKind::Circumstances, &field, violations) else { continue };
        if inputs.contains(&input) {
            violations.add(field, format!("`{name}` is already in the list"));
        }
        inputs.push(input);
    }
    inputs
}

/// Returns one fault for each counted red line for which neither the request nor the scenario states a probability.
pub fn unstated(problem: &Problem, UnstatedProbabilitiesError { lines }: &UnstatedProbabilitiesError) -> Violations {
    let mut violations = Violations::default();
    for line in lines.iter().filter_map(|line| problem.lines.get(*line)) {
        let Some(red_line) = problem.red_line(line) else { continue };
        let (id, firmness) = (&red_line.id, line.firmness.word());
        let text =
            format!("neither the request nor the scenario states the probability that `{id}` ({firmness}) binds");
        violations.add("probabilities", text);
    }
    violations
}

/// Converts a range of probabilities.
pub fn from_range(range: ProbabilityRange) -> v1::ProbabilityRange {
    v1::ProbabilityRange { low: range.low, high: range.high }
}

/// Converts the best package: the one with the greatest probability of crossing no red line that binds.
pub fn from_best(problem: &Problem, best: &BestPackage) -> v1::BestPackage {
    v1::BestPackage {
        package: Some(from_package(&problem.question, &best.package)),
        probability: Some(from_range(best.probability)),
        could_cross: lines(problem, &best.could_cross),
    }
}

/// Converts one case of a sweep. `problem` is the question before the values of the case are set.
pub fn from_case(problem: &Problem, case: &SweptCase) -> v1::RobustnessCase {
    let scenario = problem.question.compiled.scenario();
    let terms =
        case.circumstances.iter().filter_map(|(input, answer)| Some(from_answer(scenario.inputs.get(*input)?, answer)));
    v1::RobustnessCase {
        circumstances: terms.collect(),
        proposal: case.robustness.proposal.map(from_range),
        best: case.robustness.best.as_ref().map(|best| from_best(problem, best)),
    }
}

/// Converts, for each counted red line, the robustness if the red line certainly binds and if it certainly does not.
pub fn from_importance(problem: &Problem, found: &Robustness) -> Vec<v1::RedLineImportance> {
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

/// Converts the probability that each counted red line binds, and where this probability is stated.
pub fn from_used(problem: &Problem, used: &[BindingProbability]) -> Vec<v1::UsedProbability> {
    let each = problem.lines.iter().zip(used);
    each.map(|(line, used)| v1::UsedProbability {
        red_line: mention(&problem.question, line.index, line.firmness),
        probability: used.probability,
        origin: from_origin(used.origin).into(),
    })
    .collect()
}

fn from_origin(origin: ProbabilityOrigin) -> v1::ProbabilityOrigin {
    match origin {
        ProbabilityOrigin::Request => v1::ProbabilityOrigin::Request,
        ProbabilityOrigin::Scenario => v1::ProbabilityOrigin::Scenario,
        ProbabilityOrigin::RequestByFirmness => v1::ProbabilityOrigin::RequestByFirmness,
    }
}
