//! Validates requests for evaluations: proposal, overrides, circumstances, day, hypotheses and view.
//!
//! Must not know how an evaluation is computed.

use crate::convert::date::to_date;
use crate::convert::hypotheses::{Supposition, to_supposition};
use crate::convert::term::{InputKind, to_answers, to_input};
use crate::error::{ApiError, Violations, quoted};
use crate::schema::names::{self, ProposalName};
use crate::schema::proto::v1;
use detente_core::engine::{Compiled, Detail, Given, Origin};
use detente_core::scenario::{DateRange, Scenario};
use jiff::civil::Date;

/// A validated request for an evaluation.
#[derive(Clone, Debug)]
pub struct Question {
    /// Values of inputs (issues and circumstances), at most one for each input.
    pub given: Vec<Given>,
    /// The day; `None` for the scenario's default day.
    pub day: Option<Date>,
    /// How much the answer contains.
    pub detail: Detail,
    /// The hypotheses.
    pub supposition: Supposition,
}

/// The proposal that a request is about.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A proposal written in the request.
    Own(&'a v1::Proposal),
    /// A reference proposal, which is one that the scenario contains.
    ///
    /// `None` if the text in the request is not the name of a proposal.
    Named(Option<ProposalName<'a>>),
}

/// Implements the conversion to a `Subject` from the `oneof` of each request type.
macro_rules! subjects {
    ($($oneof:path),+) => {$(
        impl<'a> From<&'a $oneof> for Subject<'a> {
            fn from(subject: &'a $oneof) -> Self {
                use $oneof as Oneof;
                match subject {
                    Oneof::Proposal(proposal) => Subject::Own(proposal),
                    Oneof::ProposalName(name) => Subject::Named(names::parse_proposal(name)),
                }
            }
        }
    )+};
}

subjects!(
    v1::evaluate_proposal_request::Subject,
    v1::evaluate_history_request::Subject,
    v1::compared_proposal::Subject,
    v1::suggest_amendments_request::Subject,
    v1::explain_impasse_request::Subject,
    v1::assess_robustness_request::Subject
);

/// Validates a request against the scenario that it names. `subject` is the proposal that the request is about.
///
/// # Errors
/// All faults at once, including those already in `violations`; or the error for a reference proposal that does not
/// exist or a day that the scenario does not cover.
pub fn to_question(
    compiled: &Compiled,
    request: &v1::EvaluateProposalRequest,
    subject: Option<Subject<'_>>,
    mut violations: Violations,
) -> Result<Question, ApiError> {
    let scenario = &**compiled.scenario();
    let terms = to_given(scenario, subject, (&request.overrides, &request.cleared_issues), "", &mut violations)?;
    let circumstances = to_circumstances(scenario, &request.circumstances, &mut violations);
    let day = to_date(request.as_of.as_ref(), "as_of", &mut violations);
    let detail = to_detail(request.view, &mut violations);
    let on = day.unwrap_or(scenario.as_of);
    // Hypotheses name red lines, and which red lines are held depends on the day.
    let covered = compiled.check_covered(on).map_err(|cause| ApiError::DateNotCovered { field: "as_of", cause });
    let supposition = match covered {
        Ok(()) => to_supposition(compiled, &request.hypotheses, DateRange::of_day(on), &mut violations),
        Err(_) => Supposition::default(),
    };
    violations.into_result()?;
    covered?;
    Ok(Question { given: supposition.given_over(terms, circumstances), day, detail, supposition })
}

/// Converts a view to the level of detail of the answer.
pub fn to_detail(view: i32, violations: &mut Violations) -> Detail {
    match v1::EvaluationView::try_from(view) {
        Ok(v1::EvaluationView::Unspecified | v1::EvaluationView::Basic) => Detail::Basic,
        Ok(v1::EvaluationView::Full) => Detail::Full,
        Err(_) => {
            violations.add("view", format!("{view} is not a view; expected 1 (basic) or 2 (full)"));
            Detail::Basic
        }
    }
}

/// Validates the circumstances of a request.
pub fn to_circumstances(scenario: &Scenario, terms: &[v1::Term], violations: &mut Violations) -> Vec<Given> {
    let answers = to_answers(scenario, terms, InputKind::Circumstances, "circumstances", violations);
    answers.into_iter().map(|(input, answer)| Given { input, answer, origin: Origin::Circumstance }).collect()
}

/// Returns the values of issues: the subject's terms except on overridden or cleared issues, then the overrides.
///
/// `prefix` is the path of the message that contains these fields, with a dot at its end; empty for the request itself.
///
/// # Errors
/// If the reference proposal does not exist.
pub fn to_given(
    scenario: &Scenario,
    subject: Option<Subject<'_>>,
    (overrides, cleared_issues): (&[v1::Term], &[String]),
    prefix: &str,
    violations: &mut Violations,
) -> Result<Vec<Given>, ApiError> {
    let terms = match subject {
        None => {
            let field = format!("{prefix}subject");
            violations.add(field, "give a `proposal` of your own, or a reference proposal's `proposal_name`");
            Vec::new()
        }
        Some(Subject::Own(proposal)) => {
            own_name(scenario, &proposal.name, prefix, violations);
            let field = format!("{prefix}proposal.terms");
            to_answers(scenario, &proposal.terms, InputKind::Issues, &field, violations)
        }
        Some(Subject::Named(name)) => {
            let found = reference(scenario, name, prefix, violations)?;
            found.into_iter().flatten().map(|term| (term.issue, term.answer)).collect()
        }
    };
    let overrides = to_answers(scenario, overrides, InputKind::Issues, &format!("{prefix}overrides"), violations);
    let mut cleared = Vec::new();
    let most = detente_core::scenario::limits::MAX_ISSUES;
    if cleared_issues.len() > most {
        let count = cleared_issues.len();
        let field = format!("{prefix}cleared_issues");
        violations.over("cleared_issues", field, format!("the list has {count} issues; at most {most} are allowed"));
    }
    for (at, name) in cleared_issues.iter().take(most).enumerate() {
        let field = format!("{prefix}cleared_issues[{at}]");
        let Some(input) = to_input(scenario, name, InputKind::Issues, &field, violations) else { continue };
        if cleared.contains(&input) {
            violations.add(field, format!("`{name}` is already in the list"));
        } else if overrides.iter().any(|(overridden, _)| *overridden == input) {
            violations.add(field, format!("`{name}` cannot be both cleared and overridden"));
        }
        cleared.push(input);
    }
    let replaced = |input| cleared.contains(&input) || overrides.iter().any(|(overridden, _)| *overridden == input);
    let of = |origin| move |(input, answer)| Given { input, answer, origin };
    let mut given: Vec<Given> =
        terms.into_iter().filter(|(input, _)| !replaced(*input)).map(of(Origin::Proposal)).collect();
    given.extend(overrides.into_iter().map(of(Origin::Override)));
    Ok(given)
}

/// Validates the name of a proposal that is written in the request: empty, or a name within this scenario.
fn own_name(scenario: &Scenario, name: &str, prefix: &str, violations: &mut Violations) {
    if name.is_empty() {
        return;
    }
    let field = format!("{prefix}proposal.name");
    match names::parse_proposal(name) {
        None => violations.add(field, "leave the name empty, or write `scenarios/{scenario}/proposals/{proposal}`"),
        Some(named) if named.scenario != scenario.id.as_str() => {
            violations.add(field, elsewhere(scenario, named.scenario));
        }
        Some(_) => {}
    }
}

fn elsewhere(scenario: &Scenario, other: &str) -> String {
    format!("this is a proposal of `scenarios/{}`; the request is about `scenarios/{}`", quoted(other), scenario.id)
}

type Terms<'a> = &'a [detente_core::scenario::model::Term];

fn reference<'a>(
    scenario: &'a Scenario,
    name: Option<ProposalName<'_>>,
    prefix: &str,
    violations: &mut Violations,
) -> Result<Option<Terms<'a>>, ApiError> {
    let field = format!("{prefix}proposal_name");
    match name {
        None => violations.add(field, "write `scenarios/{scenario}/proposals/{proposal}`"),
        Some(named) if named.scenario != scenario.id.as_str() => {
            violations.add(field, elsewhere(scenario, named.scenario));
        }
        Some(named) => match scenario.proposal(named.proposal) {
            Some(proposal) => return Ok(Some(&proposal.terms)),
            None => return Err(crate::convert::missing_proposal(scenario, named.proposal)),
        },
    }
    Ok(None)
}
