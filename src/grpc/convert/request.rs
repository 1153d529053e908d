//! Evaluating requests in.

use super::date::to_date;
use super::term::{Names, to_answers, to_input};
use crate::engine::{Compiled, Detail, Given, Origin};
use crate::grpc::error::{ApiError, Violations, quoted};
use crate::grpc::names;
use crate::grpc::proto::v1::{self, evaluate_proposal_request::Subject};
use crate::scenario::Scenario;
use jiff::civil::Date;

/// What an evaluating request asks, validated.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// What is given of each input, at most once an input.
    pub given: Vec<Given>,
    /// The day, if one is asked for.
    pub day: Option<Date>,
    /// How much to answer.
    pub detail: Detail,
}

/// Reads a request against the scenario that it names.
///
/// # Errors
/// All faults at once; or the one thing that is not there.
pub fn to_question(compiled: &Compiled, request: &v1::EvaluateProposalRequest) -> Result<Question, ApiError> {
    let scenario = &**compiled.scenario();
    let mut violations = Violations::default();
    let terms = match &request.subject {
        None => {
            violations.add("subject", "give a `proposal` of your own, or a reference proposal's `proposal_name`");
            Vec::new()
        }
        Some(Subject::Proposal(proposal)) => {
            own_name(scenario, &proposal.name, &mut violations);
            to_answers(scenario, &proposal.terms, Names::Issues, "proposal.terms", &mut violations)
        }
        Some(Subject::ProposalName(name)) => {
            let found = reference(scenario, name, &mut violations)?;
            found.into_iter().flatten().map(|term| (term.issue, term.answer)).collect()
        }
    };
    let overrides = to_answers(scenario, &request.overrides, Names::Issues, "overrides", &mut violations);
    let mut cleared = Vec::new();
    let most = crate::scenario::limits::MAX_ISSUES;
    if request.cleared_issues.len() > most {
        let count = request.cleared_issues.len();
        violations.add("cleared_issues", format!("{count} issues are named; at most {most} are read"));
    }
    for (at, name) in request.cleared_issues.iter().take(most).enumerate() {
        let field = format!("cleared_issues[{at}]");
        let Some(input) = to_input(scenario, name, Names::Issues, &field, &mut violations) else { continue };
        if cleared.contains(&input) {
            violations.add(field, format!("`{name}` is named already"));
        } else if overrides.iter().any(|(overridden, _)| *overridden == input) {
            violations.add(field, format!("`{name}` cannot be both cleared and overridden"));
        }
        cleared.push(input);
    }
    let circumstances =
        to_answers(scenario, &request.circumstances, Names::Circumstances, "circumstances", &mut violations);
    let day = to_date(request.as_of.as_ref(), "as_of", &mut violations);
    let detail = match v1::EvaluationView::try_from(request.view) {
        Ok(v1::EvaluationView::Unspecified | v1::EvaluationView::Basic) => Detail::Basic,
        Ok(v1::EvaluationView::Full) => Detail::Full,
        Err(_) => {
            violations.add("view", format!("there is no view {}; 1 is basic, 2 is full", request.view));
            Detail::Basic
        }
    };
    violations.into_result()?;

    let replaced = |input| cleared.contains(&input) || overrides.iter().any(|(overridden, _)| *overridden == input);
    let of = |origin| move |(input, answer)| Given { input, answer, origin };
    let kept = terms.into_iter().filter(|(input, _)| !replaced(*input)).map(of(Origin::Proposal)).collect::<Vec<_>>();
    let given = kept
        .into_iter()
        .chain(overrides.into_iter().map(of(Origin::Override)))
        .chain(circumstances.into_iter().map(of(Origin::Circumstance)));
    Ok(Question { given: given.collect(), day, detail })
}

/// The name of a proposal of the caller's own: none, or one in this scenario.
fn own_name(scenario: &Scenario, name: &str, violations: &mut Violations) {
    if name.is_empty() {
        return;
    }
    match names::parse_proposal(name) {
        None => violations.add("proposal.name", "leave it empty, or write `scenarios/{scenario}/proposals/{proposal}`"),
        Some((other, _)) if other != &*scenario.id => violations.add("proposal.name", elsewhere(scenario, other)),
        Some(_) => {}
    }
}

fn elsewhere(scenario: &Scenario, other: &str) -> String {
    format!("this is a proposal of `scenarios/{}`; the request is about `scenarios/{}`", quoted(other), scenario.id)
}

type Terms<'a> = &'a [crate::scenario::model::Term];

fn reference<'a>(
    scenario: &'a Scenario,
    name: &str,
    violations: &mut Violations,
) -> Result<Option<Terms<'a>>, ApiError> {
    match names::parse_proposal(name) {
        None => violations.add("proposal_name", "write `scenarios/{scenario}/proposals/{proposal}`"),
        Some((other, _)) if other != &*scenario.id => violations.add("proposal_name", elsewhere(scenario, other)),
        Some((_, id)) => match scenario.proposal(id) {
            Some(proposal) => return Ok(Some(&proposal.terms)),
            None => return Err(super::missing_proposal(scenario, id)),
        },
    }
    Ok(None)
}
