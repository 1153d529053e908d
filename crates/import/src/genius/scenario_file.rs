//! Writes the text of the scenario file for a GENIUS domain and the profiles of its parties.
//!
//! Owns the wording and the YAML form of an imported scenario. Must not know of XML.

use super::decimal::Decimal;
use super::domain::Issue;
use super::ids::Ids;
use super::options::{Convention, Options};
use super::profile::{Profile, Worth};
use detente_core::scenario::is_word_of_the_language;
use std::fmt::Write;

/// The data from which a scenario file is written.
pub(super) struct Content<'a> {
    /// The name of the domain file without its extension.
    pub(super) domain: &'a str,
    /// The name of the domain file.
    pub(super) domain_file: &'a str,
    pub(super) issues: &'a [Issue<'a>],
    pub(super) parties: &'a [Profile],
    pub(super) options: &'a Options,
}

/// Returns the YAML text of a scenario file.
pub(super) fn write(content: &Content) -> String {
    let Content { domain, domain_file, issues, parties, options } = content;
    let mut source_ids = Ids::new("source", '-', |_| false);
    let domain_source = source_ids.assign(domain);
    let mut party_ids = Ids::new("party", '_', is_word_of_the_language);
    let parties: Vec<Party> = parties
        .iter()
        .map(|profile| Party { profile, id: party_ids.assign(&profile.name), source: source_ids.assign(&profile.name) })
        .collect();
    let id = options.id.clone().unwrap_or_else(|| Ids::new("scenario", '-', |_| false).assign(domain));
    let date = options.date;
    let mut out = String::from("# Written by `detente import genius`: docs/genius.md describes the conversion.\n");
    // INVARIANT: writing to a string does not fail.
    let _ = writeln!(out, "scenario: {}", plain(&id));
    let _ = writeln!(out, "title: {}", quoted(&format!("{domain}, a negotiation domain of GENIUS")));
    let _ = writeln!(out, "description: {}", quoted(&description(domain_file, options)));
    let _ = writeln!(out, "covers: {{from: {date}, to: {date}}}\nas_of: {date}\nsources:");
    source(&mut out, &domain_source, domain_file, "The issues and their options.");
    for Party { profile, source: id, .. } in &parties {
        source(&mut out, id, &profile.file, "The party's weights of the issues and evaluations of the options.");
    }
    out += "parties:\n";
    for party in &parties {
        party.write(&mut out, options.convention);
    }
    out += "issues:\n";
    issues.iter().for_each(|item| issue(&mut out, item));
    // A scenario file must have `red_lines`, even if the list is empty.
    out += "red_lines: []\npreferences:\n";
    for party in &parties {
        for (item, worth) in issues.iter().zip(&party.profile.worths) {
            preference(&mut out, party, item, worth);
        }
    }
    out
}

fn description(domain_file: &str, options: &Options) -> String {
    let number = match options.convention {
        Convention::AsPublished => "the weight of the issue times the evaluation of the option, both as published",
        Convention::Normalized => {
            "the weight of the issue, as published, times the evaluation of the option; as in GENIUS, the evaluation \
             is divided by the highest evaluation of the issue if the issue is discrete"
        }
    };
    format!(
        "The issues of {domain_file}, a negotiation domain of GENIUS, and the parties' preferences, from the profiles. \
         A party's number for an option is {number}. The party's utility of a deal is the sum of its numbers over the \
         issues. The files state neither dates nor red lines; the scenario covers only {}. Discount factors are not \
         modelled.",
        options.date
    )
}

fn source(out: &mut String, id: &str, file: &str, note: &str) {
    let (id, file) = (plain(id), quoted(file));
    let _ = writeln!(out, "  - id: {id}\n    title: {file}\n    publisher: not stated in the file\n    note: {note}");
}

/// A party with its id, and the id of the source that stands for its profile in the scenario.
struct Party<'a> {
    profile: &'a Profile,
    id: String,
    source: String,
}

impl Party<'_> {
    fn write(&self, out: &mut String, convention: Convention) {
        let Profile { name, reservation, discount, has_similarities, .. } = self.profile;
        let _ = writeln!(out, "  - id: {}\n    name: {}\n    role: principal", plain(&self.id), quoted(name));
        let mut remarks = Vec::new();
        if let Some(discount) = discount.as_ref().filter(|discount| **discount != Decimal::whole(1)) {
            remarks.push(format!("The discount factor of the profile, {discount}, is not modelled."));
        }
        if let Some(reservation) = reservation.as_ref().filter(|reservation| **reservation != Decimal::whole(0))
            && convention == Convention::AsPublished
        {
            remarks.push(format!(
                "The reservation value, {reservation}, is as published; GENIUS compares it with utilities in which \
                 each evaluation is divided by the highest evaluation of its issue."
            ));
        }
        if *has_similarities {
            remarks.push(
                "The similarity functions of the profile are left out, because they do not affect utilities."
                    .to_owned(),
            );
        }
        if !remarks.is_empty() {
            let _ = writeln!(out, "    description: {}", quoted(&remarks.join(" ")));
        }
        if let Some(reservation) = reservation {
            let _ = writeln!(out, "    reservation_value: {reservation}");
        }
    }
}

fn issue(out: &mut String, issue: &Issue) {
    let _ = writeln!(out, "  - id: {}\n    title: {}", plain(&issue.id), quoted(&issue.name));
    out.push_str("    question: On which option do the parties agree?\n    kind: choice\n    options:\n");
    for option in &issue.options {
        let _ = writeln!(out, "      - {{id: {}, title: {}}}", plain(&option.id), quoted(&option.name));
    }
}

fn preference(out: &mut String, party: &Party, issue: &Issue, worth: &Worth) {
    let _ = writeln!(out, "  - party: {}\n    issue: {}\n    values:", plain(&party.id), plain(&issue.id));
    for (option, utility) in issue.options.iter().zip(&worth.utilities) {
        let _ = writeln!(out, "      {}: {utility}", plain(&option.id));
    }
    let weight = &worth.weight;
    let statement = match &worth.divisor {
        None => format!(
            "The weight of the issue is {weight}. Each number is the weight times the evaluation of the option."
        ),
        Some(highest) => format!(
            "The weight of the issue is {weight}, and its highest evaluation is {highest}. Each number is the weight \
             times the evaluation of the option, divided by the highest evaluation."
        ),
    };
    // The authors of a domain assign the numbers, so the evidence is an assessment and not a statement of the party.
    let _ = writeln!(
        out,
        "    evidence:\n      - {{source: {}, kind: assessed, speaker: The authors of the domain, statement: {}}}",
        plain(&party.source),
        quoted(&statement)
    );
}

/// Returns an id as YAML text; quotes it if YAML 1.1 parsers would read it as a boolean or null.
fn plain(id: &str) -> String {
    if matches!(id, "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null") {
        quoted(id)
    } else {
        id.to_owned()
    }
}

/// Returns a text in double quotes, with YAML escapes.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            // U+2028 and U+2029 are line separators, and U+FEFF is invisible.
            '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                let _ = write!(out, "\\u{:04X}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}
