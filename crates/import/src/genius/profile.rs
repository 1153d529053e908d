//! A profile: what a party makes of each option, by the weight of the issue and the option's evaluation.

use super::decimal::Decimal;
use super::domain::{self, Issue, Kind};
use super::fault::{Cause, ImportError};
use super::xml::{Element, Xml, beginning};
use super::{Convention, file_name, file_stem};
use std::collections::HashMap;

/// A party's profile.
pub(super) struct Profile {
    pub(super) file: String,
    /// The file's name without its extension.
    pub(super) name: String,
    /// What it gets without a deal.
    pub(super) reservation: Option<Decimal>,
    /// By which GENIUS lowers utilities as time goes by.
    pub(super) discount: Option<Decimal>,
    /// Whether there are similarity functions, which say nothing of utilities.
    pub(super) has_similarities: bool,
    /// One for each issue of the domain, in its order.
    pub(super) worths: Vec<Worth>,
}

/// What an issue is worth to a party.
pub(super) struct Worth {
    pub(super) weight: Decimal,
    /// The evaluation by which all were divided, if they were.
    pub(super) divisor: Option<Decimal>,
    /// One for each option, in the domain's order.
    pub(super) utilities: Vec<Decimal>,
}

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
            return Err(objective.fault(Cause::IssueMissing { issue, index, at }));
        };
        let Some((weight, _)) = weights.get(&index) else {
            let (issue, at) = (issue.name.clone(), issue.element.place());
            return Err(objective.fault(Cause::WeightMissing { issue, index, at }));
        };
        has_similarities |= element.all("similarity_function").next().is_some();
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

/// A number in an attribute.
fn number(element: Element, attribute: &'static str) -> Result<Decimal, ImportError> {
    Decimal::read(element.required(attribute)?).map_err(|cause| element.fault(cause))
}

/// The profile's issues by their indices: each one of the domain's, of the same name.
fn issue_elements<'a>(objective: Element<'a>, issues: &[Issue]) -> Result<HashMap<u32, Element<'a>>, ImportError> {
    let known: HashMap<u32, &Issue> = issues.iter().map(|issue| (issue.index, issue)).collect();
    let mut elements: HashMap<u32, Element> = HashMap::new();
    for element in objective.all("issue") {
        let index = element.index()?;
        let Some(issue) = known.get(&index) else { return Err(element.fault(Cause::UnknownIssue { index })) };
        let name = element.title("name")?;
        if name != issue.name {
            let (found, expected, at) = (name.to_owned(), issue.name.clone(), issue.element.place());
            return Err(element.fault(Cause::OtherName { index, found, expected, at }));
        }
        if let Some(first) = elements.insert(index, element) {
            return Err(element.fault(Cause::IssueTwice { index, first: first.place() }));
        }
    }
    Ok(elements)
}

/// The weights by the indices of their issues.
fn weights<'a>(objective: Element<'a>, issues: &[Issue]) -> Result<HashMap<u32, (Decimal, Element<'a>)>, ImportError> {
    let mut weights: HashMap<u32, (Decimal, Element)> = HashMap::new();
    for element in objective.all("weight") {
        let index = element.index()?;
        if !issues.iter().any(|issue| issue.index == index) {
            return Err(element.fault(Cause::UnknownIssue { index }));
        }
        let weight = (number(element, "value")?, element);
        if let Some((_, first)) = weights.insert(index, weight) {
            return Err(element.fault(Cause::WeightTwice { index, first: first.place() }));
        }
    }
    Ok(weights)
}

fn worth(element: Element, issue: &Issue, weight: &Decimal, convention: Convention) -> Result<Worth, ImportError> {
    let kind = domain::kind(element)?;
    if kind != issue.kind {
        let (found, expected) = (words(kind), words(issue.kind));
        let cause = Cause::OtherKind { issue: issue.name.clone(), found, expected, at: issue.element.place() };
        return Err(element.fault(cause));
    }
    let (evaluations, divisor) = match kind {
        Kind::Discrete => {
            let evaluations = listed(element, issue)?;
            let divisor = match convention {
                Convention::AsPublished => None,
                Convention::Normalized => divisor(element, issue, &evaluations)?,
            };
            (evaluations, divisor)
        }
        // GENIUS holds these between 0 and 1 to begin with.
        Kind::Integer { low, high } => (linear(element, low, high)?, None),
    };
    let utilities = evaluations.iter().map(|evaluation| {
        let product = weight.times(evaluation);
        // INVARIANT: a divisor is above zero.
        divisor.as_ref().and_then(|divisor| product.over(divisor)).unwrap_or(product)
    });
    Ok(Worth { weight: weight.clone(), utilities: utilities.collect(), divisor })
}

fn words(kind: Kind) -> String {
    match kind {
        Kind::Discrete => "discrete".to_owned(),
        Kind::Integer { low, high } => format!("an integer from {low} to {high}"),
    }
}

/// The evaluations that items state, in the order of the domain's options, which are known by their values.
fn listed(element: Element, issue: &Issue) -> Result<Vec<Decimal>, ImportError> {
    let mut items: HashMap<&str, Element> = HashMap::new();
    for item in element.all("item") {
        let name = item.title("value")?;
        if !issue.options.iter().any(|option| option.name == name) {
            let (issue, option, at) = (issue.name.clone(), name.to_owned(), issue.element.place());
            return Err(item.fault(Cause::UnknownOption { issue, option, at }));
        }
        if let Some(first) = items.insert(name, item) {
            return Err(item.fault(Cause::OptionTwice { option: name.to_owned(), first: first.place() }));
        }
    }
    let evaluations = issue.options.iter().map(|option| match items.get(option.name.as_str()) {
        Some(item) => number(*item, "evaluation"),
        None => {
            let (issue, option, at) = (issue.name.clone(), option.name.clone(), option.element.place());
            Err(element.fault(Cause::OptionMissing { issue, option, at }))
        }
    });
    evaluations.collect()
}

/// What the evaluations of an issue are divided by. `None`: all are zero, and stay so, as in GENIUS.
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
    Err(element.fault(Cause::NothingToDivideBy { issue, highest }))
}

/// The evaluations of whole numbers: offset + slope x (number - the least one). GENIUS cuts them to 0 and 1; those that
/// it would have to cut are refused.
fn linear(element: Element, low: i64, high: i64) -> Result<Vec<Decimal>, ImportError> {
    let evaluator = element.only_child("issue", "evaluator")?;
    if let Some(found) = evaluator.attribute("ftype").filter(|ftype| *ftype != "linear") {
        return Err(evaluator.fault(Cause::NotLinear { found: beginning(found) }));
    }
    let (slope, offset) = (number(evaluator, "slope")?, number(evaluator, "offset")?);
    let evaluations = (low..=high).enumerate().map(|(steps, value)| {
        let steps = Decimal::whole(i64::try_from(steps).unwrap_or(i64::MAX));
        let evaluation = offset.plus(&slope.times(&steps));
        if evaluation < Decimal::whole(0) || evaluation > Decimal::whole(1) {
            let evaluation = evaluation.to_string();
            return Err(evaluator.fault(Cause::OutsideOfUnit { value, evaluation }));
        }
        Ok(evaluation)
    });
    evaluations.collect()
}
