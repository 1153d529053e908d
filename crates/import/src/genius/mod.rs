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
mod file_name;
mod ids;
mod limits;
mod markup;
mod options;
mod profile;
mod scenario_file;
mod xml;

pub use fault::{GeniusError, ImportError, Place};
pub use limits::{
    MAX_DEPTH, MAX_DIGITS, MAX_FILE_BYTES, MAX_NAME, MAX_NODES, MAX_OPTIONS, MAX_PROFILES, MAX_TAG_BYTES,
};
pub use options::{Convention, Options};
pub use xml::XmlFile;

use detente_core::scenario::limits::MAX_PREFERENCES;
use file_name::{file_name, file_stem};
use xml::Xml;

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
