//! Negotiation domains of GENIUS, the platform of the automated negotiation competitions (ANAC): a domain file with the
//! issues, and a profile for each party with a weight for every issue and an evaluation for every option.
//!
//! A party's utility of a deal is the sum over the issues of weight times evaluation (Lin et al., "Genius: an
//! integrated environment for supporting the design of generic automated negotiators", Computational Intelligence 30,
//! 2014). The products become the numbers of its cardinal preferences; they are computed exactly. What is not additive,
//! or not over options that can be listed, is refused; nothing is guessed.

mod decimal;
mod domain;
mod fault;
mod ids;
mod markup;
mod profile;
mod scenario_file;
mod xml;

pub use fault::{Cause, ImportError, Place};

use detente_core::scenario::limits::MAX_PREFERENCES;
use jiff::civil::Date;
use xml::Xml;

/// The most bytes of an XML file.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// The deepest nesting of elements.
pub const MAX_DEPTH: usize = 16;
/// The most elements and texts of a file.
pub const MAX_NODES: u32 = 500_000;
/// The most bytes of a tag, with its attributes.
pub const MAX_TAG_BYTES: usize = 8 * 1024;
/// The most characters of the name of an issue or an option.
pub const MAX_NAME: usize = 200;
/// The most options of an issue.
pub const MAX_OPTIONS: usize = detente_condition::MAX_ENTRIES;
/// The most profiles of a domain.
pub const MAX_PROFILES: usize = 64;
/// The most digits of a number before its point, and behind it.
pub const MAX_DIGITS: usize = 40;

/// An XML file.
#[derive(Clone, Copy, Debug)]
pub struct XmlFile<'a> {
    /// Its path, for messages; its last part names the party, and the scenario.
    pub path: &'a str,
    /// Its content.
    pub text: &'a str,
}

/// How a party's number for an option follows from its weight and evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Convention {
    /// Weight times evaluation, both as published.
    #[default]
    AsPublished,
    /// Weight times evaluation, where the evaluations of a discrete issue are first divided by the highest of them: so
    /// does GENIUS itself.
    Normalized,
}

/// What the files do not say.
#[derive(Clone, Debug)]
pub struct Options {
    /// The scenario's id; `None`: from the name of the domain's file.
    pub id: Option<String>,
    /// The day that the scenario covers.
    pub date: Date,
    /// How utilities are counted.
    pub convention: Convention,
}

/// Turns a domain and the profiles of its parties, in that order, into the text of a scenario file.
///
/// # Errors
/// The first thing in the files that cannot be had in a scenario, with its place.
pub fn import(domain: XmlFile, profiles: &[XmlFile], options: &Options) -> Result<String, ImportError> {
    let domain_xml = Xml::parse(domain)?;
    let issues = domain::read(&domain_xml)?;
    let beyond = |cause| ImportError::new(Place::start_of(domain.path), cause);
    if profiles.len() > MAX_PROFILES {
        return Err(beyond(Cause::TooManyProfiles { found: profiles.len() }));
    }
    if profiles.len() * issues.len() > MAX_PREFERENCES {
        return Err(beyond(Cause::TooManyPreferences { found: profiles.len() * issues.len() }));
    }
    let mut parties = Vec::with_capacity(profiles.len());
    for file in profiles {
        parties.push(profile::read(&Xml::parse(*file)?, &issues, options.convention)?);
    }
    Ok(scenario_file::write(&scenario_file::Content {
        domain: file_stem(domain.path)?,
        domain_file: file_name(domain.path)?,
        issues: &issues,
        parties: &parties,
        options,
    }))
}

/// The last part of a path.
fn file_name(path: &str) -> Result<&str, ImportError> {
    printable(path, path.rsplit(['/', '\\']).next().unwrap_or(path))
}

/// The last part of a path, without the extension.
fn file_stem(path: &str) -> Result<&str, ImportError> {
    let name = file_name(path)?;
    Ok(name.rsplit_once('.').map_or(name, |(stem, _)| stem))
}

fn printable<'a>(path: &str, name: &'a str) -> Result<&'a str, ImportError> {
    let is_fit = !name.trim().is_empty() && name.chars().count() <= MAX_NAME && !name.chars().any(char::is_control);
    is_fit.then_some(name).ok_or_else(|| ImportError::new(Place::start_of(path), Cause::FileName))
}
