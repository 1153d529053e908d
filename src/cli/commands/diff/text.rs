//! The result of `detente diff` as text for people.

use crate::cli::commands::diff::difference::Difference;
use crate::cli::commands::diff::verdicts::{Finding, Outlook, Pair, Proposal, Verdicts};
use crate::cli::commands::diff::version::Version;
use crate::cli::render::text::{BAD, DIM, GOOD, HEAD, OPEN, count, table, wrapped};
use crate::cli::render::words::{stance_words, verdict_words};
use crate::schema::proto::v1;
use anstyle::Style;
use detente_core::scenario::diff::{Change, Content, Field, Meaning, Part, Place, Section, Stated, What};
use std::collections::HashMap;
use std::fmt::Write;

/// Number of unchanged words that are shown on either side of a change in a text.
const CONTEXT: usize = 6;
/// The text shown in place of a field that a version does not have.
const NOT_GIVEN: &str = "(not given)";

/// The differences between two versions, and their effect on the reference proposals, as a text of up to 100 columns.
pub(super) fn of(difference: &Difference) -> String {
    let Difference { before, after, changes, verdicts } = difference;
    if changes.is_empty() {
        return format!("No difference: both are {}, revision {}.\n", name(before), revision(before));
    }
    let mut out = format!("{HEAD}{}{HEAD:#}\n", count(changes.len(), "difference", "differences"));
    for (word, version) in [("before:", before), ("after: ", after)] {
        let _ = writeln!(out, "{DIM}{word} {}, revision {}{DIM:#}", name(version), revision(version));
    }
    let mut section = None;
    for change in changes {
        if section != Some(change.place.section) {
            section = Some(change.place.section);
            let _ = writeln!(out, "\n{HEAD}{}{HEAD:#}", heading(change.place.section));
        }
        self::change(&mut out, change);
    }
    out + &consequences(before, after, verdicts)
}

fn name(version: &Version) -> String {
    format!("scenarios/{}", version.scenario.id)
}

fn revision(version: &Version) -> String {
    version.scenario.revision.as_str().chars().take(12).collect()
}

fn heading(section: Section) -> &'static str {
    match section {
        Section::Scenario => "Scenario",
        Section::Sources => "Sources",
        Section::Parties => "Parties",
        Section::Groups => "Groups",
        Section::Issues => "Issues",
        Section::Circumstances => "Circumstances",
        Section::RedLines => "Red lines",
        Section::Constraints => "Constraints",
        Section::Cautions => "Cautions",
        Section::Preferences => "Preferences",
        Section::Proposals => "Reference proposals",
    }
}

#[derive(Clone, Copy)]
enum Mark {
    Added,
    Removed,
    Changed,
}

/// A wrapped text after its mark: `+`, `-` or `~`.
fn marked(mark: Mark, text: &str, indent: usize) -> String {
    let (sign, style): (char, Style) = match mark {
        Mark::Added => ('+', GOOD),
        Mark::Removed => ('-', BAD),
        Mark::Changed => ('~', OPEN),
    };
    wrapped(&format!("{sign} {text}"), indent).replacen(sign, &format!("{style}{sign}{style:#}"), 1)
}

/// The place of a part in words, like "down-forty, waiver in-drought, evidence P1".
fn path(place: &Place) -> String {
    let mut steps = place.path.iter();
    let mut text = steps.next().map_or_else(String::new, |part| part.id.clone());
    for step in steps {
        let list = match step.list {
            "waivers" => "waiver",
            "options" => "option",
            "members" => "member",
            "terms" => "term on",
            list => list,
        };
        text += &format!(", {list} {}", step.id);
    }
    text
}

/// A key of the file format in words.
fn word(key: &str) -> String {
    key.replace('_', " ")
}

fn change(out: &mut String, change: &Change) {
    let Place { path: steps, field, .. } = &change.place;
    let path = path(&change.place);
    let about = |text: &str| match path.as_str() {
        "" => text.to_owned(),
        path => format!("{path}: {text}"),
    };
    let field = field.map(word).unwrap_or_default();
    let mut say = |mark, text: &str, indent| *out += &marked(mark, text, indent);
    match &change.what {
        What::Added(part) | What::Removed(part) => {
            let mark = if matches!(change.what, What::Added(_)) { Mark::Added } else { Mark::Removed };
            let list = steps.last().map_or("", |step| step.list);
            let headline = if list == "evidence" { evidence(part) } else { headline(part).to_owned() };
            say(mark, if headline.is_empty() { path } else { about(&headline) }.as_str(), 2);
            if list != "evidence" {
                outline(out, part, 6);
            }
        }
        What::Word { before, after } => {
            let shown = |text: &str| if text.is_empty() { NOT_GIVEN.to_owned() } else { text.to_owned() };
            // A term has no field but its answer, so the name of the field would say nothing.
            let field = if field == "answer" { String::new() } else { field + " " };
            say(Mark::Changed, &about(&format!("{field}{} -> {}", shown(before), shown(after))), 2);
        }
        What::Text { before, after } => {
            let (old, new) = excerpts(before, after);
            let same_words = before.split_whitespace().eq(after.split_whitespace());
            let white_space = if same_words { ", white space only" } else { "" };
            say(Mark::Changed, &about(&format!("{field}{white_space}")), 2);
            for (mark, text) in [(Mark::Removed, old), (Mark::Added, new)] {
                if !text.is_empty() && white_space.is_empty() {
                    say(mark, &text, 6);
                }
            }
        }
        What::Entries { removed, added } => {
            let text = match (removed.as_slice(), added.as_slice()) {
                ([before], [after]) => format!("{field} {before} -> {after}"),
                (removed, []) => format!("{field}: removed {}", removed.join("; ")),
                ([], added) => format!("{field}: added {}", added.join("; ")),
                (removed, added) => format!("{field}: removed {}; added {}", removed.join("; "), added.join("; ")),
            };
            say(Mark::Changed, &about(&text), 2);
        }
        What::Reordered { .. } if steps.is_empty() => {
            say(Mark::Changed, "reordered; answers use the new order, and no verdict changes", 2);
        }
        What::Reordered { .. } => say(Mark::Changed, &about(&format!("{field} reordered")), 2),
        What::Condition { before, after, meaning } => {
            say(Mark::Changed, &about(&meaning_text(before, after, *meaning)), 2);
            if before != after {
                say(Mark::Removed, &format!("{}: {}", before.key, before.text), 6);
                say(Mark::Added, &format!("{}: {}", after.key, after.text), 6);
            }
        }
    }
}

/// The change in the meaning of a condition, in words.
fn meaning_text(before: &Stated, after: &Stated, meaning: Option<Meaning>) -> String {
    let happens = match after.key {
        "rejects" | "requires" => "crossed",
        "forbids" => "broken",
        _ => "applies",
    };
    let cases = match meaning {
        Some(Meaning::Same) => return "rewritten with the same meaning".to_owned(),
        None => return "rewritten; the meanings are not compared".to_owned(),
        Some(Meaning::More) => "in more cases",
        Some(Meaning::Fewer) => "in fewer cases",
        Some(Meaning::Other) => "in different cases",
    };
    let same_words =
        if before == after { ", though the text is the same: the definition of a name in it has changed" } else { "" };
    format!("{happens} {cases}{same_words}")
}

/// Both texts; of long texts only the words that differ, and a few words around them.
fn excerpts(before: &str, after: &str) -> (String, String) {
    let (before, after): (Vec<&str>, Vec<&str>) =
        (before.split_whitespace().collect(), after.split_whitespace().collect());
    let shorter = before.len().min(after.len());
    let start = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let end = before.iter().rev().zip(after.iter().rev()).take_while(|(a, b)| a == b).count().min(shorter - start);
    let excerpt = |words: &[&str]| {
        let from = if start > 2 * CONTEXT { start - CONTEXT } else { 0 };
        let to = if end > 2 * CONTEXT { words.len() - end + CONTEXT } else { words.len() };
        let shown = words.get(from..to).unwrap_or_default().join(" ");
        let (lead, trail) = (if from > 0 { "... " } else { "" }, if to < words.len() { " ..." } else { "" });
        format!("{lead}{shown}{trail}")
    };
    (excerpt(&before), excerpt(&after))
}

/// The title, name, text or answer of a part, or an empty text.
fn headline(part: &Part) -> &str {
    let named = part.fields.iter().find(|field| HEADLINES.contains(&field.key));
    match named.map(|field| &field.content) {
        Some(Content::Word(text) | Content::Text(text)) => text,
        _ => "",
    }
}

const HEADLINES: [&str; 4] = ["title", "name", "text", "answer"];

/// All fields of a part except the headline.
fn outline(out: &mut String, part: &Part, indent: usize) {
    let fields = part.fields.iter().filter(|field| !field.content.is_empty() && !HEADLINES.contains(&field.key));
    for Field { key, content } in fields {
        let name = word(key);
        match content {
            Content::Word(text) | Content::Text(text) => *out += &wrapped(&format!("{name}: {text}"), indent),
            Content::List(entries) => *out += &wrapped(&format!("{name}: {}", entries.join("; ")), indent),
            Content::Condition { stated, .. } => *out += &wrapped(&format!("{}: {}", stated.key, stated.text), indent),
            Content::Parts(parts) if *key == "evidence" => {
                parts.iter().for_each(|piece| *out += &wrapped(&format!("evidence: {}", evidence(piece)), indent));
            }
            Content::Parts(parts) if *key == "waivers" => {
                for waiver in parts {
                    *out += &wrapped(&format!("waiver {}: {}", waiver.id, headline(waiver)), indent);
                    outline(out, waiver, indent + 2);
                }
            }
            Content::Parts(parts) => {
                let each = parts.iter().map(|part| match headline(part) {
                    "" => part.id.clone(),
                    headline => format!("{}: {headline}", part.id),
                });
                *out += &wrapped(&format!("{name}: {}", each.collect::<Vec<_>>().join("; ")), indent);
            }
        }
    }
}

/// A piece of evidence as answers show it: the statement, then the speaker and the source.
fn evidence(piece: &Part) -> String {
    let text_of = |key: &str| {
        let field = piece.fields.iter().find(|field| field.key == key).map(|field| &field.content);
        if let Some(Content::Word(text) | Content::Text(text)) = field { text.as_str() } else { "" }
    };
    let with = |lead: &str, text: &str, end: &str| match text {
        "" => String::new(),
        text => format!("{lead}{text}{end}"),
    };
    let against = if text_of("speaks") == "against" { "against: " } else { "" };
    let (quote, date, row) =
        (with(" \"", text_of("quote"), "\""), with(", ", text_of("date"), ""), with(", ", text_of("row"), ""));
    let (statement, speaker, kind, source) =
        (text_of("statement"), text_of("speaker"), word(text_of("kind")), text_of("source"));
    format!("{against}{statement}{quote} -- {speaker} ({kind}{date}; {source}{row})")
}

/// The changes in the verdicts, stances and red lines of the reference proposals.
fn consequences(before: &Version, after: &Version, verdicts: &Verdicts) -> String {
    let Verdicts { unchanged, proposals } = verdicts;
    if proposals.is_empty() && *unchanged == 0 {
        return String::new();
    }
    let days = match (before.scenario.as_of, after.scenario.as_of) {
        (day, same) if day == same => format!("on {day}"),
        (day, other) => format!("(before: on {day}, after: on {other})"),
    };
    let mut out = format!("\n{HEAD}Reference proposals {days}{HEAD:#}\n");
    let verdicts: Vec<Vec<String>> = proposals
        .iter()
        .filter(|proposal| proposal.before != proposal.after)
        .map(|Proposal { id, before, after, .. }| vec![id.clone(), outlook(before.as_ref()), outlook(after.as_ref())])
        .collect();
    if !verdicts.is_empty() {
        out += &table(&["PROPOSAL", "VERDICT BEFORE", "AFTER"], &verdicts);
    }
    let details = details(proposals);
    if !details.is_empty() {
        let gap = if verdicts.is_empty() { "" } else { "\n" };
        out += &format!("{gap}{}", table(&["PARTY OR RED LINE", "BEFORE", "AFTER", "PROPOSAL"], &details));
    }
    if *unchanged > 0 {
        let others = count(*unchanged, "proposal", "proposals");
        let _ = writeln!(out, "Unchanged in verdict, stances, and crossed or undetermined red lines: {others}.");
    }
    if verdicts.iter().chain(&details).flatten().any(|cell| SILENT.iter().any(|silent| cell.starts_with(silent))) {
        out += "Where nobody has stated an objection, that is not consent.\n";
    }
    out
}

/// The words for verdicts and stances that a reader must not take for consent.
const SILENT: [&str; 2] = [verdict_words(v1::Verdict::Unopposed), stance_words(v1::Stance::NoStatedObjection)];

/// The table of changed stances and red lines: one row per change, with the proposals in whose evaluation it occurs.
fn details(proposals: &[Proposal]) -> Vec<Vec<String>> {
    let mut rows: Vec<(Vec<String>, Vec<&str>)> = Vec::new();
    let mut known: HashMap<Vec<String>, usize> = HashMap::new();
    let mut add = |row: Vec<String>, proposal| match known.get(&row).and_then(|at| rows.get_mut(*at)) {
        Some((_, proposals)) => proposals.push(proposal),
        None => {
            known.insert(row.clone(), rows.len());
            rows.push((row, vec![proposal]));
        }
    };
    for Proposal { id: proposal, stances, .. } in proposals {
        for Pair { id, before, after } in stances {
            add(vec![id.clone(), outlook(before.as_ref()), outlook(after.as_ref())], proposal.as_str());
        }
    }
    for Proposal { id: proposal, red_lines, .. } in proposals {
        for Pair { id, before, after } in red_lines {
            add(vec![id.clone(), finding(before.as_ref()), finding(after.as_ref())], proposal.as_str());
        }
    }
    let named = |(mut row, proposals): (Vec<String>, Vec<&str>)| {
        let names = match proposals.len() {
            0..=MOST_NAMED => proposals.join(", "),
            many => format!("{many} proposals"),
        };
        row.push(names);
        row
    };
    rows.into_iter().map(named).collect()
}

/// Maximum number of proposals that a row names; a row with more proposals shows their number instead.
const MOST_NAMED: usize = 2;

/// The table cell for a version that does not have the party, red line or proposal.
const NOT_THERE: &str = "(absent)";

fn outlook(outlook: Option<&Outlook>) -> String {
    match outlook {
        None => NOT_THERE.to_owned(),
        Some(Outlook { is, could_become }) if is == could_become => (*is).to_owned(),
        Some(Outlook { is, could_become }) => format!("{is} (could become {could_become})"),
    }
}

fn finding(finding: Option<&Finding>) -> String {
    match finding {
        None => NOT_THERE.to_owned(),
        Some(Finding { status, firmness: "", .. }) => (*status).to_owned(),
        Some(Finding { status, firmness, firmness_at_worst }) if firmness == firmness_at_worst => {
            format!("{status} ({firmness})")
        }
        Some(Finding { status, firmness, firmness_at_worst }) => {
            format!("{status} ({firmness}, {firmness_at_worst} at worst)")
        }
    }
}
