//! Reads a domain file of GENIUS, which contains the issues of a negotiation and their options.
//!
//! Owns the kinds of issues, and the ids of issues and options. Must not know of parties, or of their profiles.

use super::fault::{GeniusError, ImportError};
use super::ids::Ids;
use super::limits::MAX_OPTIONS;
use super::xml::{Element, Xml, excerpt};
use detente_core::scenario::limits::MAX_ISSUES;
use detente_core::scenario::{is_word_of_answers, is_word_of_the_language};
use std::collections::HashMap;

/// An issue of a domain.
pub(super) struct Issue<'a> {
    /// The index by which profiles refer to the issue.
    pub(super) index: u32,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) options: Vec<IssueOption<'a>>,
    /// The XML element of the issue, for error messages that name its place.
    ///
    /// The place itself is computed only for an error, because computing it reads the file from the start.
    pub(super) element: Element<'a>,
}

/// The kind of an issue, which determines its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Options that the file lists.
    Discrete,
    /// The integers from `low` to `high`, both included.
    Integer { low: i64, high: i64 },
}

/// An option of an issue.
pub(super) struct IssueOption<'a> {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) element: Element<'a>,
}

/// Reads the issues of a domain, in the order of the file.
///
/// # Errors
/// Returns the first fault of the file.
pub(super) fn read<'a>(xml: &'a Xml<'a>) -> Result<Vec<Issue<'a>>, ImportError> {
    let (_, objective) = xml.objective()?;
    let count = objective.children_named("issue").count();
    if count > MAX_ISSUES {
        return Err(objective.fault(GeniusError::TooManyIssues { found: count }));
    }
    let mut ids = Ids::new("issue", '_', is_word_of_the_language);
    let mut found: HashMap<u32, Element> = HashMap::new();
    let mut issues = Vec::new();
    for element in objective.children_named("issue") {
        let index = element.index()?;
        if let Some(first) = found.insert(index, element) {
            return Err(element.fault(GeniusError::DuplicateIndex { index, first: first.place() }));
        }
        issues.push(issue(element, index, &mut ids)?);
    }
    if issues.is_empty() { Err(objective.fault(GeniusError::NoIssues)) } else { Ok(issues) }
}

fn issue<'a>(element: Element<'a>, index: u32, ids: &mut Ids) -> Result<Issue<'a>, ImportError> {
    let name = element.title("name")?;
    let kind = kind(element)?;
    let options = match kind {
        Kind::Discrete => discrete_options(element, name)?,
        Kind::Integer { low, high } => integer_options(element, name, low, high)?,
    };
    Ok(Issue { index, id: ids.assign(name), name: name.to_owned(), kind, options, element })
}

/// Reads the kind of an issue element of a domain or a profile.
///
/// # Errors
/// Returns an error for an unknown kind, and for a child element that the kind does not allow.
pub(super) fn kind(issue: Element) -> Result<Kind, ImportError> {
    let mut stated = ["type", "vtype", "etype"].into_iter().filter_map(|attribute| issue.attribute(attribute));
    let Some(word) = stated.next() else { return Err(issue.fault(GeniusError::MissingKind)) };
    if let Some(other) = stated.find(|other| *other != word) {
        return Err(issue.fault(GeniusError::ConflictingKinds { one: excerpt(word), other: excerpt(other) }));
    }
    let (kind, known): (_, &[&str]) = match word {
        "discrete" => (Kind::Discrete, &["item", "similarity_function"]),
        "integer" => (bounds(issue)?, &["range", "evaluator"]),
        other => return Err(issue.fault(GeniusError::UnsupportedKind { found: excerpt(other) })),
    };
    match issue.children().find(|child| !known.contains(&child.name())) {
        Some(child) => Err(child.unknown(issue)),
        None => Ok(kind),
    }
}

/// Reads the bounds of an integer issue from its own attributes, or from those of its `range` child.
fn bounds(issue: Element) -> Result<Kind, ImportError> {
    let range = issue.child("issue", "range")?;
    let holder = range.filter(|_| issue.attribute("lowerbound").is_none()).unwrap_or(issue);
    let bound = |name| {
        let text = holder.required(name)?;
        text.trim().parse::<i64>().map_err(|_| holder.fault(GeniusError::InvalidBound { found: excerpt(text) }))
    };
    let (low, high) = (bound("lowerbound")?, bound("upperbound")?);
    if low > high {
        return Err(holder.fault(GeniusError::InvertedBounds { low, high }));
    }
    Ok(Kind::Integer { low, high })
}

fn check_option_count(element: Element, name: &str, found: u128) -> Result<(), ImportError> {
    if (2..=MAX_OPTIONS as u128).contains(&found) {
        return Ok(());
    }
    Err(element.fault(GeniusError::OptionCount { issue: name.to_owned(), found }))
}

fn discrete_options<'a>(element: Element<'a>, name: &str) -> Result<Vec<IssueOption<'a>>, ImportError> {
    check_option_count(element, name, element.children_named("item").count() as u128)?;
    let mut ids = Ids::new("option", '_', is_word_of_answers);
    let mut options: Vec<IssueOption> = Vec::new();
    for item in element.children_named("item") {
        let name = item.title("value")?;
        if let Some(first) = options.iter().find(|option| option.name == name) {
            return Err(
                item.fault(GeniusError::DuplicateOption { option: name.to_owned(), first: first.element.place() })
            );
        }
        options.push(IssueOption { id: ids.assign(name), name: name.to_owned(), element: item });
    }
    Ok(options)
}

fn integer_options<'a>(
    element: Element<'a>,
    name: &str,
    low: i64,
    high: i64,
) -> Result<Vec<IssueOption<'a>>, ImportError> {
    check_option_count(element, name, u128::from(low.abs_diff(high)) + 1)?;
    let mut ids = Ids::new("option", '_', is_word_of_answers);
    let options = (low..=high).map(|number| {
        // The sign becomes a word: ids drop the character `-`, so only a number would distinguish -1 from 1.
        let name = if number < 0 { format!("minus {}", number.unsigned_abs()) } else { number.to_string() };
        IssueOption { id: ids.assign(&name), name: number.to_string(), element }
    });
    Ok(options.collect())
}
