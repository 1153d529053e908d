//! `detente import`: converts other formats into scenario files.
//!
//! Owns reading and writing the files. Must not know how the formats are parsed.

use crate::cli::args::parsers::date;
use crate::cli::render::text::{count, thousands};
use crate::cli::report::{Report, UsageError};
use anyhow::{Context, Result, anyhow};
use clap::{Args, Subcommand};
use detente_core::scenario::limits::MAX_FILE_BYTES as MAX_SCENARIO_BYTES;
use detente_core::scenario::{self, Scenario, is_scenario_id};
use detente_import::genius::{self, Convention, MAX_FILE_BYTES, XmlFile};
use jiff::civil::Date;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

const GENIUS_EXAMPLES: &str = "\
Examples:
  detente import genius laptop_domain.xml laptop_buyer_utility.xml laptop_seller_utility.xml
  detente import genius domain.xml a.xml b.xml --normalized --id laptop --output laptop.yaml";

/// The formats that can be imported.
#[derive(Debug, Subcommand)]
pub(super) enum Format {
    /// Convert a negotiation domain with additive utilities from GENIUS, the platform of the ANAC competitions.
    #[command(after_help = GENIUS_EXAMPLES)]
    Genius(GeniusOptions),
}

/// The options of `detente import genius`.
#[derive(Args, Debug)]
pub(super) struct GeniusOptions {
    /// Domain: an XML file with issues and options.
    #[arg(value_name = "DOMAIN")]
    domain: PathBuf,

    /// Profiles of the parties: one XML file each, with weights and evaluations. The name of the file becomes the name
    /// of the party.
    #[arg(value_name = "PROFILE", required = true)]
    profiles: Vec<PathBuf>,

    /// File to write the scenario to. [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Replace the output file if it exists.
    #[arg(long, requires = "output")]
    force: bool,

    /// Id of the scenario, in kebab-case. [default: derived from the name of the domain file]
    #[arg(long, value_name = "ID", value_parser = scenario_id)]
    id: Option<String>,

    /// Divide the evaluations of each discrete issue by its highest evaluation, as GENIUS does.
    #[arg(long)]
    normalized: bool,

    /// Day that the scenario covers. A scenario needs a day, and the XML files state none.
    #[arg(long, value_name = "DATE", value_parser = date, default_value = "2010-01-01")]
    date: Date,
}

fn scenario_id(text: &str) -> Result<String, String> {
    let error = || "expected lower-case letters, digits and `-`, a letter first, up to 63 characters".to_owned();
    is_scenario_id(text).then(|| text.to_owned()).ok_or_else(error)
}

pub(super) fn run(format: &Format) -> Result<Report> {
    let Format::Genius(options) = format;
    import_genius(options)
}

fn import_genius(options: &GeniusOptions) -> Result<Report> {
    let paths: Vec<(String, &Path)> = std::iter::once(&options.domain)
        .chain(&options.profiles)
        .map(|path| (path.display().to_string(), path.as_path()))
        .collect();
    let texts = paths.iter().map(|(_, path)| read(path)).collect::<Result<Vec<String>>>()?;
    let files: Vec<XmlFile> = paths.iter().zip(&texts).map(|((path, _), text)| XmlFile { path, text }).collect();
    let (domain, profiles) = files.split_first().ok_or_else(|| anyhow!("no domain file is given"))?;
    let convention = if options.normalized { Convention::Normalized } else { Convention::AsPublished };
    let yaml =
        genius::import(*domain, profiles, &genius::Options { id: options.id.clone(), date: options.date, convention })?;
    // The converted scenario is loaded before it is written, so that the command never writes a file that does not
    // load.
    let loaded = scenario::load_up_to("the converted scenario", &yaml, MAX_SCENARIO_BYTES)?;
    let Some(output) = &options.output else { return Ok(Report::of(yaml)) };
    write(output, &yaml, options.force)?;
    Ok(Report::of(summary(output, &loaded)))
}

/// The result in words, like "laptop.yaml: 3 issues, 2 parties, 27 possible deals".
fn summary(output: &Path, scenario: &Scenario) -> String {
    let issues = scenario.issues();
    let deals = issues.iter().try_fold(1u64, |deals, issue| deals.checked_mul(issue.domain.entries().len() as u64));
    let deals = match deals {
        Some(deals) => format!("{} possible deals", thousands(deals)),
        None => "more than 10^19 possible deals".to_owned(),
    };
    let parties = count(scenario.parties.len(), "party", "parties");
    format!("{}: {}, {parties}, {deals}\n", output.display(), count(issues.len(), "issue", "issues"))
}

/// Reads the text of a file, up to one byte more than the importer accepts.
fn read(path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    // One byte more than the limit, so that the importer can report a file that is too large.
    let limit = MAX_FILE_BYTES as u64 + 1;
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    let read = read.and_then(|_| match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        // The limit may have cut a character in two.
        Err(error) if error.as_bytes().len() as u64 == limit => Ok(String::from_utf8_lossy(error.as_bytes()).into()),
        Err(error) => Err(io::Error::new(ErrorKind::InvalidData, format!("not UTF-8: {}", error.utf8_error()))),
    });
    read.with_context(|| format!("{} cannot be read", path.display()))
}

fn write(path: &Path, text: &str, force: bool) -> Result<()> {
    let opened = if force { File::create(path) } else { OpenOptions::new().write(true).create_new(true).open(path) };
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(UsageError(format!("{} already exists; --force replaces it", path.display())).into())
        }
        written => written.with_context(|| format!("{} cannot be written", path.display())),
    }
}
