//! A domain file: the issues and their options.

use super::MAX_OPTIONS;
use super::fault::{Cause, ImportError};
use super::ids::Ids;
use super::xml::{Element, Xml, beginning};
use detente_core::scenario::limits::MAX_ISSUES;
use detente_core::scenario::{is_word_of_answers, is_word_of_the_language};
use std::collections::HashMap;

/// An issue of a domain.
pub(super) struct Issue<'a> {
    /// By which profiles find it.
    pub(super) index: u32,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) options: Vec<IssueOption<'a>>,
    /// Where it is. Places are looked for only when something is wrong: that reads the file from its beginning.
    pub(super) element: Element<'a>,
}

/// What an issue's options are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Listed.
    Discrete,
    /// The whole numbers from one to another, both included.
    Integer { low: i64, high: i64 },
}

/// An option of an issue.
pub(super) struct IssueOption<'a> {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) element: Element<'a>,
}

/// The issues of a domain, in the order of the file.
pub(super) fn read<'a>(xml: &'a Xml<'a>) -> Result<Vec<Issue<'a>>, ImportError> {
    let (_, objective) = xml.objective()?;
    let count = objective.all("issue").count();
    if count > MAX_ISSUES {
        return Err(objective.fault(Cause::TooManyIssues { found: count }));
    }
    let mut ids = Ids::new("issue", '_', is_word_of_the_language);
    let mut found: HashMap<u32, Element> = HashMap::new();
    let mut issues = Vec::new();
    for element in objective.all("issue") {
        let index = element.index()?;
        if let Some(first) = found.insert(index, element) {
            return Err(element.fault(Cause::IssueTwice { index, first: first.place() }));
        }
        issues.push(issue(element, index, &mut ids)?);
    }
    if issues.is_empty() { Err(objective.fault(Cause::NoIssues)) } else { Ok(issues) }
}

fn issue<'a>(element: Element<'a>, index: u32, ids: &mut Ids) -> Result<Issue<'a>, ImportError> {
    let name = element.title("name")?;
    let kind = kind(element)?;
    let options = match kind {
        Kind::Discrete => listed(element, name)?,
        Kind::Integer { low, high } => counted(element, name, low, high)?,
    };
    Ok(Issue { index, id: ids.of(name), name: name.to_owned(), kind, options, element })
}

/// The kind that an issue has, in a domain as in a profile; with it go the elements that it may have.
pub(super) fn kind(issue: Element) -> Result<Kind, ImportError> {
    let mut said = ["type", "vtype", "etype"].into_iter().filter_map(|attribute| issue.attribute(attribute));
    let Some(word) = said.next() else { return Err(issue.fault(Cause::NoKind)) };
    if let Some(other) = said.find(|other| *other != word) {
        return Err(issue.fault(Cause::TwoKinds { one: beginning(word), other: beginning(other) }));
    }
    let (kind, known): (_, &[&str]) = match word {
        "discrete" => (Kind::Discrete, &["item", "similarity_function"]),
        "integer" => (bounds(issue)?, &["range", "evaluator"]),
        other => return Err(issue.fault(Cause::UnreadKind { found: beginning(other) })),
    };
    match issue.children().find(|child| !known.contains(&child.name())) {
        Some(child) => Err(child.unknown(issue)),
        None => Ok(kind),
    }
}

/// The bounds of an integer issue: its own attributes, or those of a `range` within.
fn bounds(issue: Element) -> Result<Kind, ImportError> {
    let range = issue.child("issue", "range")?;
    let holder = range.filter(|_| issue.attribute("lowerbound").is_none()).unwrap_or(issue);
    let bound = |name| {
        let text = holder.required(name)?;
        text.trim().parse::<i64>().map_err(|_| holder.fault(Cause::Bound { found: beginning(text) }))
    };
    let (low, high) = (bound("lowerbound")?, bound("upperbound")?);
    if low > high {
        return Err(holder.fault(Cause::Bounds { low, high }));
    }
    Ok(Kind::Integer { low, high })
}

fn hold_count(element: Element, name: &str, found: u128) -> Result<(), ImportError> {
    if (2..=MAX_OPTIONS as u128).contains(&found) {
        return Ok(());
    }
    Err(element.fault(Cause::OptionCount { issue: name.to_owned(), found }))
}

fn listed<'a>(element: Element<'a>, name: &str) -> Result<Vec<IssueOption<'a>>, ImportError> {
    hold_count(element, name, element.all("item").count() as u128)?;
    let mut ids = Ids::new("option", '_', is_word_of_answers);
    let mut options: Vec<IssueOption> = Vec::new();
    for item in element.all("item") {
        let name = item.title("value")?;
        if let Some(first) = options.iter().find(|option| option.name == name) {
            return Err(item.fault(Cause::OptionTwice { option: name.to_owned(), first: first.element.place() }));
        }
        options.push(IssueOption { id: ids.of(name), name: name.to_owned(), element: item });
    }
    Ok(options)
}

fn counted<'a>(element: Element<'a>, name: &str, low: i64, high: i64) -> Result<Vec<IssueOption<'a>>, ImportError> {
    hold_count(element, name, u128::from(low.abs_diff(high)) + 1)?;
    let mut ids = Ids::new("option", '_', is_word_of_answers);
    let options = (low..=high).map(|number| {
        // In an id the sign is a word: else -1 and 1 would be told apart by their order alone.
        let name = if number < 0 { format!("minus {}", number.unsigned_abs()) } else { number.to_string() };
        IssueOption { id: ids.of(&name), name: number.to_string(), element }
    });
    Ok(options.collect())
}
