//! An evaluation as text for people.

use crate::cli::render::text::{BAD, DIM, HEAD, OPEN, count, table, wrapped};
use crate::cli::render::words::{
    certainty_word, firmness_word, in_brackets, iso, last_segment, stance_words, supposing, verdict_words,
};
use crate::convert::wording::list;
use crate::schema::proto::v1;
use anstyle::Style;
use std::fmt::Write;

/// An evaluation as a text of up to 100 columns.
pub(crate) fn evaluation_text(scenario: &v1::Scenario, evaluation: &v1::Evaluation) -> String {
    let mut out = String::new();
    let style = verdict_style(evaluation.verdict());
    let verdict = verdict_words(evaluation.verdict()).to_uppercase();
    let worst = evaluation.could_become();
    let bound = match worst == evaluation.verdict() {
        true => String::new(),
        false => format!(" (could become {})", verdict_words(worst)),
    };
    let day = evaluation.as_of.as_ref().map_or_else(String::new, |day| format!(" on {}", iso(day)));
    let revision: String = evaluation.revision.chars().take(12).collect();
    let _ = writeln!(out, "{style}{verdict}{style:#}{bound}{day}");
    out += &supposing(&evaluation.suppositions).map_or_else(String::new, |supposing| wrapped(&supposing, 0));
    let _ = writeln!(out, "{DIM}{}, revision {revision}{DIM:#}\n", evaluation.scenario);
    out += &wrapped(&evaluation.summary, 0);
    out.push('\n');
    out += &stances(scenario, evaluation);
    for (status, heading, style) in [
        (v1::RedLineStatus::Crossed, "Crossed", BAD),
        (v1::RedLineStatus::Undetermined, "Undetermined", OPEN),
        (v1::RedLineStatus::Clear, "Clear", HEAD),
        (v1::RedLineStatus::NotRecorded, "Not yet recorded on that day (which is not the same as clear)", DIM),
    ] {
        let found: Vec<&v1::Finding> =
            evaluation.findings.iter().filter(|finding| finding.status() == status).collect();
        if !found.is_empty() {
            let _ = writeln!(out, "\n{style}{heading}{style:#}");
        }
        found.iter().for_each(|found| finding(&mut out, found));
    }
    if !evaluation.warnings.is_empty() {
        let _ = writeln!(out, "\n{OPEN}Contradictions in the proposal{OPEN:#}");
    }
    for warning in &evaluation.warnings {
        out += &wrapped(
            &format!("{} ({}): {}", warning.constraint, certainty_word(warning.certainty()), warning.title),
            2,
        );
        reasons(&mut out, &warning.reasons, 4);
    }
    if !evaluation.cautions.is_empty() {
        let _ = writeln!(out, "\n{HEAD}Cautions{HEAD:#}");
    }
    for caution in &evaluation.cautions {
        let possible = if caution.certainty() == v1::Certainty::Possible { " (possible)" } else { "" };
        out += &wrapped(&format!("{}{possible}", caution.text), 2);
        caution.evidence.iter().for_each(|piece| evidence(&mut out, piece, 4));
    }
    if !evaluation.inputs.is_empty() {
        out.push('\n');
        let rows: Vec<Vec<String>> = evaluation
            .inputs
            .iter()
            .filter_map(|input| {
                let term = input.term.as_ref()?;
                Some(vec![term.issue.clone(), answer(term), origin(input.origin()).to_owned()])
            })
            .collect();
        out += &table(&["INPUT", "VALUE", "SOURCE"], &rows);
    }
    out
}

/// The style of a verdict.
pub(crate) fn verdict_style(verdict: v1::Verdict) -> Style {
    match verdict {
        v1::Verdict::Blocked | v1::Verdict::Undeliverable => BAD,
        // Not green, because unopposed is not an approval.
        v1::Verdict::Unopposed => HEAD,
        _ => OPEN,
    }
}

fn stances(scenario: &v1::Scenario, evaluation: &v1::Evaluation) -> String {
    let no_objection = v1::Stance::NoStatedObjection;
    let (objecting, silent): (Vec<_>, Vec<_>) = evaluation
        .stances
        .iter()
        .partition(|party| party.stance() != no_objection || party.could_become() != no_objection);
    let rows: Vec<Vec<String>> = objecting
        .iter()
        .map(|party| {
            let worst = if party.could_become() == party.stance() { "" } else { stance_words(party.could_become()) };
            let role = scenario.parties.iter().find(|known| known.id == party.party).map(v1::Party::role);
            let role = match role {
                Some(v1::PartyRole::Principal) => "principal",
                Some(v1::PartyRole::ThirdParty) => "third party",
                _ => "",
            };
            vec![party.party.clone(), role.to_owned(), stance_words(party.stance()).to_owned(), worst.to_owned()]
        })
        .collect();
    let mut out = String::new();
    // The last column is left out if no stance could become worse.
    let changes = rows.iter().any(|row| row.last().is_some_and(|worst| !worst.is_empty()));
    let head = if changes { &["PARTY", "ROLE", "STANCE", "COULD BECOME"][..] } else { &["PARTY", "ROLE", "STANCE"] };
    if !rows.is_empty() {
        out += &table(head, &rows);
    }
    if !silent.is_empty() {
        let parties: Vec<String> = silent.iter().map(|party| party.party.clone()).collect();
        out += &wrapped(&format!("No stated objection, which is not consent: {}.", list(&parties)), 0);
    }
    out
}

fn finding(out: &mut String, finding: &v1::Finding) {
    let firmness = in_brackets(finding.firmness(), finding.firmness_at_worst());
    let hypothetical = if finding.hypothetical { " (hypothetical)" } else { "" };
    let id = last_segment(&finding.red_line);
    let _ = writeln!(out, "  {HEAD}{id}{HEAD:#}, {}{firmness}{hypothetical}", finding.party);
    particulars(out, finding, 4);
}

/// The reasons, waivers, open inputs and evidence of a finding.
pub(crate) fn particulars(out: &mut String, finding: &v1::Finding, indent: usize) {
    out.push_str(&wrapped(&finding.title, indent));
    reasons(out, &finding.reasons, indent);
    for waiver in &finding.waivers {
        let how = match waiver.certainty() {
            v1::Certainty::Possible => "may count as",
            _ => "counts as",
        };
        let text =
            format!("{how} {} by the waiver {}: {}", firmness_word(waiver.firmness()), waiver.waiver, waiver.title);
        out.push_str(&wrapped(&text, indent));
        reasons(out, &waiver.reasons, indent + 2);
        waiver.evidence.iter().for_each(|piece| evidence(out, piece, indent + 2));
    }
    if !finding.hangs_on.is_empty() {
        out.push_str(&wrapped(&format!("hangs on {}", list(&finding.hangs_on)), indent));
    }
    alternatives(out, "crossed if", &finding.would_cross, indent);
    alternatives(out, "clear if", &finding.would_clear, indent);
    finding.evidence.iter().for_each(|piece| evidence(out, piece, indent));
}

/// Maximum number of reasons, and of alternatives, that are shown for one finding.
const MOST_SHOWN: usize = 5;

fn reasons(out: &mut String, reasons: &[v1::Reason], indent: usize) {
    let shown = reasons.iter().take(MOST_SHOWN).enumerate();
    for (at, reason) in shown {
        let lead = if at == 0 { "because" } else { "and because" };
        out.push_str(&wrapped(&format!("{lead} {}", reason.text), indent));
    }
    more(out, reasons.len(), ("reason", "reasons"), indent);
}

fn alternatives(out: &mut String, lead: &str, settlements: &[v1::Settlement], indent: usize) {
    for (at, settlement) in settlements.iter().take(MOST_SHOWN).enumerate() {
        let lead = if at == 0 { lead } else { "or if" };
        out.push_str(&wrapped(&format!("{lead} {}", settlement.text), indent));
    }
    more(out, settlements.len(), ("way", "ways"), indent);
}

fn more(out: &mut String, all: usize, (singular, plural): (&str, &str), indent: usize) {
    if all > MOST_SHOWN {
        let left = count(all - MOST_SHOWN, singular, plural);
        out.push_str(&wrapped(&format!("and {left} more (--output json shows all)"), indent));
    }
}

/// One piece of evidence as a paragraph: the statement, then the speaker and the source.
pub(crate) fn evidence(out: &mut String, evidence: &v1::Evidence, indent: usize) {
    let kind = match evidence.kind() {
        v1::EvidenceKind::OnRecord => "on record",
        v1::EvidenceKind::Attributed => "unnamed source",
        v1::EvidenceKind::Reported => "reported",
        v1::EvidenceKind::Assessed => "assessment",
        v1::EvidenceKind::Unspecified => "",
    };
    let against = if evidence.direction() == v1::EvidenceDirection::Against { "against: " } else { "" };
    let quote = if evidence.quote.is_empty() { String::new() } else { format!(" \"{}\"", evidence.quote) };
    let day = evidence.date.as_ref().map_or_else(String::new, |day| format!(", {}", iso(day)));
    let row = if evidence.row.is_empty() { String::new() } else { format!(", {}", evidence.row) };
    let speaker = format!("{} ({kind}{day}; {}{row})", evidence.speaker, evidence.source);
    out.push_str(&wrapped(&format!("- {against}{}{quote} -- {speaker}", evidence.statement), indent));
}

/// The answer that a term gives to its issue, as text, like "one of ease, lift".
pub(crate) fn answer(term: &v1::Term) -> String {
    use v1::term::Value;
    let none = |values: &[String]| if values.is_empty() { "(none)".to_owned() } else { values.join(", ") };
    match &term.value {
        Some(Value::Flag(flag)) => flag.to_string(),
        Some(Value::Choice(option)) => option.clone(),
        Some(Value::Members(members)) => none(&members.values),
        Some(Value::Quantity(number)) => number.to_string(),
        Some(Value::AnyOf(any)) => format!("one of {}", any.values.join(", ")),
        Some(Value::Range(range)) => {
            let end = |end: Option<i64>| end.map_or_else(String::new, |end| end.to_string());
            format!("{} to {}", end(range.min), end(range.max))
        }
        Some(Value::Partial(partial)) => format!("in: {}; out: {}", none(&partial.includes), none(&partial.excludes)),
        Some(Value::Unsettled(_)) | None => "unsettled".to_owned(),
    }
}

/// Where the value of an input comes from; for a value from the command line, the flag that set it.
pub(crate) fn origin(origin: v1::InputOrigin) -> &'static str {
    match origin {
        v1::InputOrigin::Unspecified => "",
        v1::InputOrigin::Proposal => "the proposal",
        v1::InputOrigin::Override => "--set",
        v1::InputOrigin::StatusQuo => "the status quo",
        v1::InputOrigin::Silence => "silence",
        v1::InputOrigin::Circumstance => "--given",
        v1::InputOrigin::Assumed => "the scenario's assumption",
        v1::InputOrigin::Unknown => "nobody has stated it",
        v1::InputOrigin::Hypothesis => "--suppose",
    }
}
