//! Imports of negotiation domains of GENIUS, the platform of the automated negotiation competitions (ANAC).
//!
//! Owns the translation of a domain file with the issues, and of one profile for each party. A profile has a weight for
//! every issue and an evaluation for every option.
//!
//! A party's utility of a deal is the sum over the issues of weight times evaluation (Lin et al., "Genius: an
//! integrated environment for supporting the design of generic automated negotiators", Computational Intelligence 30,
//! 2014). The products, computed exactly, become the numbers of the party's cardinal preferences. The import rejects
//! utilities that are not additive, and issues whose options cannot be listed; it guesses nothing. Must not know of
//! files: the caller reads them.

mod decimal;
mod domain;
mod fault;
mod ids;
mod markup;
mod profile;
mod scenario_file;
mod xml;

pub use fault::{GeniusError, ImportError, Place};

use detente_core::scenario::limits::MAX_PREFERENCES;
use jiff::civil::Date;
use xml::Xml;

/// The maximum size of an XML file, in bytes.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// The maximum nesting depth of elements.
pub const MAX_DEPTH: usize = 16;
/// The maximum number of elements and texts in a file.
pub const MAX_NODES: u32 = 500_000;
/// The maximum size of a tag with its attributes, in bytes.
pub const MAX_TAG_BYTES: usize = 8 * 1024;
/// The maximum length of the name of an issue, an option or a file, in characters.
pub const MAX_NAME: usize = 200;
/// The maximum number of options of an issue.
pub const MAX_OPTIONS: usize = detente_condition::MAX_ENTRIES;
/// The maximum number of profiles of a domain.
pub const MAX_PROFILES: usize = 64;
/// The maximum number of digits of a number before its decimal point, and after it.
pub const MAX_DIGITS: usize = 40;

/// The path and the text of an XML file.
#[derive(Clone, Copy, Debug)]
pub struct XmlFile<'a> {
    /// The path, for error messages; its last part names the party or the scenario.
    pub path: &'a str,
    /// The content of the file.
    pub text: &'a str,
}

/// The rule by which weight and evaluation make a party's number for an option.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Convention {
    /// Weight times evaluation, both as published.
    #[default]
    AsPublished,
    /// Weight times evaluation, divided by the highest evaluation of the issue if the issue is discrete.
    ///
    /// GENIUS itself uses this rule.
    Normalized,
}

/// The parts of a scenario that the GENIUS files do not state.
#[derive(Clone, Debug)]
pub struct Options {
    /// The id of the scenario; `None` derives it from the name of the domain file.
    pub id: Option<String>,
    /// The one day that the scenario covers.
    pub date: Date,
    /// The rule for the numbers of preferences.
    pub convention: Convention,
}

/// Converts a domain and the profiles of its parties to the text of a scenario file.
///
/// The parties of the scenario have the order of `profiles`.
///
/// # Errors
/// Returns the first fault in the files that prevents the import, with its place.
pub fn import(domain: XmlFile, profiles: &[XmlFile], options: &Options) -> Result<String, ImportError> {
    let domain_xml = Xml::parse(domain)?;
    let issues = domain::read(&domain_xml)?;
    let too_many = |cause| ImportError::new(Place::start_of(domain.path), cause);
    if profiles.len() > MAX_PROFILES {
        return Err(too_many(GeniusError::TooManyProfiles { found: profiles.len() }));
    }
    if profiles.len() * issues.len() > MAX_PREFERENCES {
        return Err(too_many(GeniusError::TooManyPreferences { found: profiles.len() * issues.len() }));
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

/// Returns the last part of a path.
fn file_name(path: &str) -> Result<&str, ImportError> {
    printable(path, path.rsplit(['/', '\\']).next().unwrap_or(path))
}

/// Returns the last part of a path, without the extension.
fn file_stem(path: &str) -> Result<&str, ImportError> {
    let name = file_name(path)?;
    Ok(name.rsplit_once('.').map_or(name, |(stem, _)| stem))
}

/// Returns a file name if it can be a title: not empty, not too long, without control characters.
fn printable<'a>(path: &str, name: &'a str) -> Result<&'a str, ImportError> {
    let is_printable =
        !name.trim().is_empty() && name.chars().count() <= MAX_NAME && !name.chars().any(char::is_control);
    is_printable.then_some(name).ok_or_else(|| ImportError::new(Place::start_of(path), GeniusError::FileName))
}
