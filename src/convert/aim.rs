//! Validates the requests of the analysis service: the proposal, the circumstances and the aim.
//!
//! The analysis service searches for packages: possible deals, each with an answer to every issue that matters. The aim
//! says what a package must achieve: pins, which are terms that it must have, and the goal, a condition that it must
//! meet. The aim also says which red lines count: those of all principals and of the listed third parties, if they are
//! at least as firm as the floor. Must not know how packages are searched for.

use crate::convert::date::to_date;
use crate::convert::hypotheses::to_supposition;
use crate::convert::red_line::to_firmness;
use crate::convert::request::{Subject, to_circumstances, to_given};
use crate::convert::term::{InputKind, to_answers};
use crate::error::{ApiError, Violations, quoted};
use crate::schema::proto::Date as ProtoDate;
use crate::schema::proto::v1;
use detente_analysis::{Aim, Goal, Problem, ProblemError, SearchQuestion};
use detente_condition::{Answer, InputIndex, compile_for_call, did_you_mean};
use detente_core::engine::{Compiled, Given};
use detente_core::scenario::index::{IndexVec, PartyIndex, RedLineIndex};
use detente_core::scenario::model::{Firmness, Role};
use detente_core::scenario::{DateRange, Scenario};
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The fields that the requests of the analysis service have in common.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommonFields<'a> {
    /// The proposal, if the request gives one.
    pub subject: Option<Subject<'a>>,
    /// Terms that replace the proposal's terms on their issues.
    pub overrides: &'a [v1::Term],
    /// Ids of issues whose terms are removed from the proposal.
    pub cleared_issues: &'a [String],
    /// The day; `None` for the scenario's default day.
    pub as_of: Option<&'a ProtoDate>,
    /// Values of circumstances.
    pub circumstances: &'a [v1::Term],
    /// Hypotheses, in the order in which they apply.
    pub hypotheses: &'a [v1::Hypothesis],
    /// The aim. `None` means that there are no pins and no goal, that the floor is `firm`, and that the red lines of
    /// all parties count.
    pub aim: Option<&'a v1::Aim>,
}

/// A validated request of the analysis service.
#[derive(Clone, Debug)]
pub struct ValidatedRequest {
    /// What to search for, and in which scenario. Does not contain the proposal.
    pub question: SearchQuestion,
    /// The text of the goal's condition; empty without a goal.
    goal: String,
    /// The proposal's terms, if the request gives a proposal, in the scenario's order.
    pub terms: Option<Vec<Given>>,
    /// The hypotheses in words, in the order given.
    pub suppositions: Vec<String>,
}

impl ValidatedRequest {
    /// Returns all values on which the answer depends: requests with equal identities have equal answers.
    fn identity(&self) -> impl Eq + Hash + '_ {
        let Self { question, goal, terms, suppositions } = self;
        let SearchQuestion { compiled, day, supposed, circumstances, aim } = question;
        // The text of the goal is compared in place of its compiled condition.
        let Aim { pins, goal: _, floor, counts } = aim;
        let scenario = compiled.scenario();
        // The suppositions mention every hypothesis, but shorten the conditions of added red lines and leave out their
        // titles. Both are part of the answer, so they are compared here.
        let added = supposed.iter().flat_map(|supposed| {
            let lines = (scenario.red_lines.len()..).map(RedLineIndex).map_while(|at| supposed.red_line(scenario, at));
            lines.map(|line| (&*line.title, &*line.condition.text))
        });
        let added: Vec<(&str, &str)> = added.collect();
        (
            (&scenario.id, &scenario.revision, day),
            (circumstances, terms),
            (pins, goal, floor, counts),
            (suppositions, added),
        )
    }

    /// Prepares the question to be solved.
    ///
    /// # Errors
    /// If the numbers in conditions and pins divide a quantity into too many intervals, or if the scenario does not
    /// cover the day.
    pub fn problem(&self) -> Result<Problem, ApiError> {
        Problem::new(self.question.clone()).map_err(|cause| self.not_ready(cause))
    }

    /// Prepares the question for comparing packages by the parties' preferences.
    ///
    /// The numbers at which a party's utility changes divide quantities into further intervals.
    ///
    /// # Errors
    /// The errors of [`ValidatedRequest::problem`].
    pub fn comparing(&self) -> Result<Problem, ApiError> {
        Problem::comparing(self.question.clone()).map_err(|cause| self.not_ready(cause))
    }

    /// Returns the error of a question that cannot be prepared.
    pub fn not_ready(&self, cause: ProblemError) -> ApiError {
        match cause {
            ProblemError::Cuts(cuts) => {
                let mut violations = Violations::default();
                for cut in cuts {
                    let scenario = self.question.compiled.scenario();
                    let name = scenario.inputs.get(cut.input).map_or("", |input| input.id.as_str());
                    let most = detente_condition::MAX_INTERVALS;
                    let text = format!(
                        "conditions, pins and preferences divide `{name}` into {} intervals; the limit is {most}",
                        cut.intervals
                    );
                    violations.over("intervals", "aim", text);
                }
                ApiError::InvalidRequest(violations)
            }
            ProblemError::Day(cause) => ApiError::DateNotCovered { field: "as_of", cause },
        }
    }
}

impl PartialEq for ValidatedRequest {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for ValidatedRequest {}

impl Hash for ValidatedRequest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// Whether a request may contain conditions, in its hypotheses or as its goal. Compiling them takes milliseconds.
pub fn have_conditions(hypotheses: &[v1::Hypothesis], aim: Option<&v1::Aim>) -> bool {
    !hypotheses.is_empty() || aim.is_some_and(|aim| !aim.goal.is_empty())
}

/// Validates the fields that the requests of the analysis service have in common.
///
/// Faults are added to `violations`. The calling function adds its own and returns all of them as one error.
///
/// # Errors
/// If the reference proposal does not exist, or the scenario does not cover the day.
pub fn to_validated(
    compiled: &Arc<Compiled>,
    fields: CommonFields<'_>,
    violations: &mut Violations,
) -> Result<ValidatedRequest, ApiError> {
    let scenario = &**compiled.scenario();
    let changes = (fields.overrides, fields.cleared_issues);
    let terms = match fields.subject {
        None => {
            if !fields.overrides.is_empty() {
                let text = "these replace terms of a proposal, but none is given; give a proposal, or use pins";
                violations.add("overrides", text);
            }
            if !fields.cleared_issues.is_empty() {
                let text = "these remove terms of a proposal, but none is given; give a proposal";
                violations.add("cleared_issues", text);
            }
            None
        }
        subject => Some(in_order(to_given(scenario, subject, changes, "", violations)?)),
    };
    let circumstances = to_circumstances(scenario, fields.circumstances, violations);
    let day = to_date(fields.as_of, "as_of", violations).unwrap_or(scenario.as_of);
    compiled.check_covered(day).map_err(|cause| ApiError::DateNotCovered { field: "as_of", cause })?;
    let supposition = to_supposition(compiled, fields.hypotheses, DateRange::of_day(day), violations);
    let aim = to_aim(compiled, fields.aim, violations);
    Ok(ValidatedRequest {
        question: SearchQuestion {
            compiled: compiled.clone(),
            day,
            supposed: supposition.supposed.clone(),
            circumstances: in_order(supposition.given_over(Vec::new(), circumstances)),
            aim,
        },
        goal: fields.aim.map_or_else(String::new, |aim| aim.goal.clone()),
        terms,
        suppositions: supposition.texts,
    })
}

/// Sorts values by input, so that requests that differ only in their order are equal.
fn in_order(mut given: Vec<Given>) -> Vec<Given> {
    given.sort_by_key(|given| given.input);
    given
}

fn to_aim(compiled: &Compiled, aim: Option<&v1::Aim>, violations: &mut Violations) -> Aim {
    let scenario = &**compiled.scenario();
    let default = v1::Aim::default();
    let aim = aim.unwrap_or(&default);
    let floor = match v1::Firmness::try_from(aim.floor) {
        Ok(v1::Firmness::Unspecified) => Some(Firmness::Firm),
        Ok(floor) => to_firmness(floor),
        Err(_) => None,
    };
    if floor.is_none() {
        let text = format!("{} is not a firmness; expected 1 (tentative) to 4 (absolute)", aim.floor);
        violations.add("aim.floor", text);
    }
    let mut pins = to_answers(scenario, &aim.pins, InputKind::Issues, "aim.pins", violations);
    for (at, pin) in aim.pins.iter().enumerate() {
        if matches!(pin.value, Some(v1::term::Value::Unsettled(_))) {
            violations.add(format!("aim.pins[{at}].unsettled"), "a pin cannot be `unsettled`; give it a value");
        }
    }
    pins.sort_by_key(|(input, _)| *input);
    Aim {
        pins,
        goal: to_goal(scenario, &aim.goal, violations),
        floor: floor.unwrap_or(Firmness::Firm),
        counts: to_counts(scenario, aim.third_parties.as_ref(), violations),
    }
}

fn to_goal(scenario: &Scenario, goal: &str, violations: &mut Violations) -> Option<Goal> {
    if goal.is_empty() {
        return None;
    }
    let domains = scenario.inputs.iter().map(|input| &input.domain);
    match compile_for_call(&[goal], &scenario.vocabulary, domains) {
        Ok(mut conditions) => {
            let (_, decision) = conditions.conditions.pop()?;
            Some(Goal { space: conditions.space, decision })
        }
        Err(faults) => {
            for fault in faults {
                let place = goal.get(..fault.at).unwrap_or_default().chars().count() + 1;
                let text = format!("at character {place}: {}", fault.message);
                if fault.is_limit {
                    violations.over("conditions", "aim.goal", text);
                } else {
                    violations.add("aim.goal", text);
                }
            }
            None
        }
    }
}

/// Returns for each party, in the scenario's order, whether its red lines count.
///
/// `named` lists the third parties whose red lines count. If it is `None`, the red lines of all third parties count.
fn to_counts(
    scenario: &Scenario,
    named: Option<&v1::PartyList>,
    violations: &mut Violations,
) -> IndexVec<PartyIndex, bool> {
    let Some(named) = named else { return vec![true; scenario.parties.len()].into() };
    let mut counts: IndexVec<PartyIndex, bool> =
        scenario.parties.iter().map(|party| party.role == Role::Principal).collect();
    let mut seen = BTreeSet::new();
    if named.parties.len() > scenario.parties.len() {
        let text = format!("{} ids are given; there are {} parties", named.parties.len(), scenario.parties.len());
        violations.add("aim.third_parties.parties", text);
        return counts;
    }
    for (at, id) in named.parties.iter().enumerate() {
        let field = format!("aim.third_parties.parties[{at}]");
        let Some(position) = to_party(scenario, id, &field, violations) else { continue };
        let role = scenario.parties.get(position).map(|party| party.role);
        if !seen.insert(position) {
            violations.add(field, format!("`{id}` is already in the list"));
        } else if role == Some(Role::Principal) {
            violations.add(field, format!("`{id}` is a principal: its red lines always count"));
        } else if let Some(counts) = counts.get_mut(position) {
            *counts = true;
        }
    }
    counts
}

/// Returns the position of a party by its id; adds a fault if the scenario has no such party.
pub fn to_party(scenario: &Scenario, id: &str, field: &str, violations: &mut Violations) -> Option<PartyIndex> {
    let found = scenario.party(id);
    if found.is_none() {
        let nearest = violations.nearest(id, scenario.parties.iter().map(|party| party.id.as_str()));
        let hint = did_you_mean(nearest);
        violations.add(field, format!("there is no party `{}`{hint}", quoted(id)));
    }
    found
}

/// Validates how many results a request asks for: from 0 to `most`, where 0 stands for `default`.
pub fn to_most(asked: i32, default: usize, most: usize, field: &str, violations: &mut Violations) -> usize {
    match usize::try_from(asked) {
        Ok(0) => default,
        Ok(asked) if asked <= most => asked,
        _ => {
            violations.add(field, format!("{asked} is not within 0 (the default, {default}) to {most}"));
            default
        }
    }
}

/// Adds the proposal's terms to the aim's pins. An issue that has both a term and a pin is a fault.
pub fn pin_terms(validated: &mut ValidatedRequest, violations: &mut Violations) {
    let pins = &mut validated.question.aim.pins;
    for given in validated.terms.iter().flatten() {
        if matches!(given.answer, Answer::Unsettled) {
            continue;
        }
        let pinned = |(input, _): &(InputIndex, Answer)| *input == given.input;
        if pins.iter().any(pinned) {
            let scenario = validated.question.compiled.scenario();
            let name = scenario.inputs.get(given.input).map_or("", |input| input.id.as_str());
            violations.add("aim.pins", format!("`{name}` is pinned, and a term of the proposal fixes it, too"));
            continue;
        }
        pins.push((given.input, given.answer));
    }
}
