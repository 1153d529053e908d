//! Reads the profile of a party: the utility of each option, from the weight of its issue and the option's evaluation.
//!
//! Owns the reading of a profile, and the check that it has the issues and options of its domain. Must not know of
//! scenario files.

use super::decimal::Decimal;
use super::domain::{self, Issue, Kind};
use super::fault::{GeniusError, ImportError};
use super::file_name::{file_name, file_stem};
use super::options::Convention;
use super::xml::{Element, Xml, excerpt};
use std::collections::HashMap;

/// The profile of a party.
pub(super) struct Profile {
    /// The name of the file.
    pub(super) file: String,
    /// The name of the file without its extension.
    pub(super) name: String,
    /// The utility of the party without a deal; `None` if the file does not state it.
    pub(super) reservation: Option<Decimal>,
    /// The factor by which GENIUS lowers utilities over time; `None` if the file does not state it.
    pub(super) discount: Option<Decimal>,
    /// Whether the profile has similarity functions. They are not imported, because they do not affect utilities.
    pub(super) has_similarities: bool,
    /// The worth of each issue, in the order of the domain.
    pub(super) worths: Vec<Worth>,
}

/// The worth of one issue to a party.
pub(super) struct Worth {
    /// The weight of the issue, as published.
    pub(super) weight: Decimal,
    /// The highest evaluation, by which all evaluations were divided; `None` if they were not divided.
    pub(super) divisor: Option<Decimal>,
    /// The utility of each option, in the order of the domain.
    pub(super) utilities: Vec<Decimal>,
}

/// Reads the profile of a party.
///
/// # Errors
/// Returns the first fault of the file, including a mismatch with the issues of the domain.
pub(super) fn read(xml: &Xml, issues: &[Issue], convention: Convention) -> Result<Profile, ImportError> {
    let (space, objective) = xml.objective()?;
    let elements = issue_elements(objective, issues)?;
    let weights = weights(objective, issues)?;
    let mut worths = Vec::with_capacity(issues.len());
    let mut has_similarities = false;
    for issue in issues {
        let index = issue.index;
        let Some(element) = elements.get(&index) else {
            let (issue, at) = (issue.name.clone(), issue.element.place());
            return Err(objective.fault(GeniusError::MissingIssue { issue, index, at }));
        };
        let Some((weight, _)) = weights.get(&index) else {
            let (issue, at) = (issue.name.clone(), issue.element.place());
            return Err(objective.fault(GeniusError::MissingWeight { issue, index, at }));
        };
        has_similarities |= element.children_named("similarity_function").next().is_some();
        worths.push(worth(*element, issue, weight, convention)?);
    }
    let value = |name| space.child("utility_space", name)?.map(|element| number(element, "value")).transpose();
    Ok(Profile {
        file: file_name(xml.path)?.to_owned(),
        name: file_stem(xml.path)?.to_owned(),
        reservation: value("reservation")?,
        discount: value("discount_factor")?,
        has_similarities,
        worths,
    })
}

/// Reads a number from an attribute.
fn number(element: Element, attribute: &'static str) -> Result<Decimal, ImportError> {
    Decimal::read(element.required(attribute)?).map_err(|cause| element.fault(cause))
}

/// Reads the issues of the profile, by index; each must have the name of its issue in the domain.
fn issue_elements<'a>(objective: Element<'a>, issues: &[Issue]) -> Result<HashMap<u32, Element<'a>>, ImportError> {
    let known: HashMap<u32, &Issue> = issues.iter().map(|issue| (issue.index, issue)).collect();
    let mut elements: HashMap<u32, Element> = HashMap::new();
    for element in objective.children_named("issue") {
        let index = element.index()?;
        let Some(issue) = known.get(&index) else { return Err(element.fault(GeniusError::UnknownIssue { index })) };
        let name = element.title("name")?;
        if name != issue.name {
            let (found, expected, at) = (name.to_owned(), issue.name.clone(), issue.element.place());
            return Err(element.fault(GeniusError::NameMismatch { index, found, expected, at }));
        }
        if let Some(first) = elements.insert(index, element) {
            return Err(element.fault(GeniusError::DuplicateIndex { index, first: first.place() }));
        }
    }
    Ok(elements)
}

/// Reads the weights, by the index of their issue.
fn weights<'a>(objective: Element<'a>, issues: &[Issue]) -> Result<HashMap<u32, (Decimal, Element<'a>)>, ImportError> {
    let mut weights: HashMap<u32, (Decimal, Element)> = HashMap::new();
    for element in objective.children_named("weight") {
        let index = element.index()?;
        if !issues.iter().any(|issue| issue.index == index) {
            return Err(element.fault(GeniusError::UnknownIssue { index }));
        }
        let weight = (number(element, "value")?, element);
        if let Some((_, first)) = weights.insert(index, weight) {
            return Err(element.fault(GeniusError::DuplicateWeight { index, first: first.place() }));
        }
    }
    Ok(weights)
}

fn worth(element: Element, issue: &Issue, weight: &Decimal, convention: Convention) -> Result<Worth, ImportError> {
    let kind = domain::kind(element)?;
    if kind != issue.kind {
        let (found, expected) = (describe(kind), describe(issue.kind));
        let cause = GeniusError::KindMismatch { issue: issue.name.clone(), found, expected, at: issue.element.place() };
        return Err(element.fault(cause));
    }
    let (evaluations, divisor) = match kind {
        Kind::Discrete => {
            let evaluations = discrete_evaluations(element, issue)?;
            let divisor = match convention {
                Convention::AsPublished => None,
                Convention::Normalized => divisor(element, issue, &evaluations)?,
            };
            (evaluations, divisor)
        }
        // The evaluations of integers are already between 0 and 1, so GENIUS does not divide them.
        Kind::Integer { low, high } => (integer_evaluations(element, low, high)?, None),
    };
    let utilities = evaluations.iter().map(|evaluation| {
        let product = weight.times(evaluation);
        // INVARIANT: a divisor is above zero, so the quotient exists.
        divisor.as_ref().and_then(|divisor| product.over(divisor)).unwrap_or(product)
    });
    Ok(Worth { weight: weight.clone(), utilities: utilities.collect(), divisor })
}

fn describe(kind: Kind) -> String {
    match kind {
        Kind::Discrete => "discrete".to_owned(),
        Kind::Integer { low, high } => format!("an integer from {low} to {high}"),
    }
}

/// Reads the evaluations of the items, in the order of the options of the domain.
fn discrete_evaluations(element: Element, issue: &Issue) -> Result<Vec<Decimal>, ImportError> {
    let mut items: HashMap<&str, Element> = HashMap::new();
    for item in element.children_named("item") {
        let name = item.title("value")?;
        if !issue.options.iter().any(|option| option.name == name) {
            let (issue, option, at) = (issue.name.clone(), name.to_owned(), issue.element.place());
            return Err(item.fault(GeniusError::UnknownOption { issue, option, at }));
        }
        if let Some(first) = items.insert(name, item) {
            return Err(item.fault(GeniusError::DuplicateOption { option: name.to_owned(), first: first.place() }));
        }
    }
    let evaluations = issue.options.iter().map(|option| match items.get(option.name.as_str()) {
        Some(item) => number(*item, "evaluation"),
        None => {
            let (issue, option, at) = (issue.name.clone(), option.name.clone(), option.element.place());
            Err(element.fault(GeniusError::MissingEvaluation { issue, option, at }))
        }
    });
    evaluations.collect()
}

/// Returns the number by which the evaluations of an issue are divided.
///
/// `None` if all evaluations are zero: they stay zero, as in GENIUS.
fn divisor(element: Element, issue: &Issue, evaluations: &[Decimal]) -> Result<Option<Decimal>, ImportError> {
    let zero = Decimal::whole(0);
    let Some(highest) = evaluations.iter().max() else { return Ok(None) };
    if *highest > zero {
        return Ok(Some(highest.clone()));
    }
    if evaluations.iter().all(|evaluation| *evaluation == zero) {
        return Ok(None);
    }
    let (issue, highest) = (issue.name.clone(), highest.to_string());
    Err(element.fault(GeniusError::NoPositiveEvaluation { issue, highest }))
}

/// Computes the evaluations of integers: offset + slope x (number - lowest number).
///
/// GENIUS limits evaluations to the range from 0 to 1; this function rejects evaluations outside of that range.
fn integer_evaluations(element: Element, low: i64, high: i64) -> Result<Vec<Decimal>, ImportError> {
    let evaluator = element.only_child("issue", "evaluator")?;
    if let Some(found) = evaluator.attribute("ftype").filter(|ftype| *ftype != "linear") {
        return Err(evaluator.fault(GeniusError::NotLinear { found: excerpt(found) }));
    }
    let (slope, offset) = (number(evaluator, "slope")?, number(evaluator, "offset")?);
    let evaluations = (low..=high).enumerate().map(|(steps, value)| {
        let steps = Decimal::whole(i64::try_from(steps).unwrap_or(i64::MAX));
        let evaluation = offset.plus(&slope.times(&steps));
        if evaluation < Decimal::whole(0) || evaluation > Decimal::whole(1) {
            let evaluation = evaluation.to_string();
            return Err(evaluator.fault(GeniusError::EvaluationOutOfRange { value, evaluation }));
        }
        Ok(evaluation)
    });
    evaluations.collect()
}
