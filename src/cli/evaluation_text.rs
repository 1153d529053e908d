//! An evaluation for people, from the API's messages.

use super::text::{BAD, DIM, HEAD, OPEN, count, table, wrapped};
use crate::grpc::convert::wording::list;
use crate::grpc::proto::{Date, v1};
use std::fmt::Write;

/// An evaluation as a text of at most 100 columns.
pub(super) fn evaluation_text(scenario: &v1::Scenario, evaluation: &v1::Evaluation) -> String {
    let mut out = String::new();
    let style = match evaluation.verdict() {
        v1::Verdict::Blocked | v1::Verdict::Undeliverable => BAD,
        // Not in green: it is no approval.
        v1::Verdict::Unopposed => HEAD,
        _ => OPEN,
    };
    let verdict = verdict_words(evaluation.verdict()).to_uppercase();
    let worst = evaluation.could_become();
    let bound = match worst == evaluation.verdict() {
        true => String::new(),
        false => format!(" (could become {})", verdict_words(worst)),
    };
    let day = evaluation.as_of.as_ref().map_or_else(String::new, |day| format!(" on {}", iso(day)));
    let revision: String = evaluation.revision.chars().take(12).collect();
    let _ = writeln!(out, "{style}{verdict}{style:#}{bound}{day}");
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
        let _ = writeln!(out, "\n{OPEN}The proposal contradicts itself{OPEN:#}");
    }
    for warning in &evaluation.warnings {
        out += &wrapped(&format!("{} ({}): {}", warning.constraint, certainty(warning.certainty()), warning.title), 2);
        reasons(&mut out, &warning.reasons);
    }
    if !evaluation.cautions.is_empty() {
        let _ = writeln!(out, "\n{HEAD}Said of such deals{HEAD:#}");
    }
    for caution in &evaluation.cautions {
        let possible = if caution.certainty() == v1::Certainty::Possible { " (if so settled)" } else { "" };
        out += &wrapped(&format!("{}{possible}", caution.text), 2);
        caution.evidence.iter().for_each(|piece| evidence(&mut out, piece));
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
        out += &table(&["INPUT", "TAKEN TO BE", "BECAUSE OF"], &rows);
    }
    out
}

fn stances(scenario: &v1::Scenario, evaluation: &v1::Evaluation) -> String {
    let at_rest = v1::Stance::NoStatedObjection;
    let (astir, calm): (Vec<_>, Vec<_>) =
        evaluation.stances.iter().partition(|party| party.stance() != at_rest || party.could_become() != at_rest);
    let rows: Vec<Vec<String>> = astir
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
    // Where nothing could become worse, there is no column for it.
    let changes = rows.iter().any(|row| row.last().is_some_and(|worst| !worst.is_empty()));
    let head = if changes { &["PARTY", "ROLE", "STANCE", "COULD BECOME"][..] } else { &["PARTY", "ROLE", "STANCE"] };
    if !rows.is_empty() {
        out += &table(head, &rows);
    }
    if !calm.is_empty() {
        let parties: Vec<String> = calm.iter().map(|party| party.party.clone()).collect();
        out += &wrapped(&format!("No stated objection, which is not consent: {}.", list(&parties)), 0);
    }
    out
}

fn finding(out: &mut String, finding: &v1::Finding) {
    let id = finding.red_line.rsplit('/').next().unwrap_or_default();
    let (lowest, highest) = (firmness_word(finding.firmness()), firmness_word(finding.firmness_at_worst()));
    let firmness = match (lowest == highest, lowest) {
        (_, "") => String::new(),
        (true, _) => format!(" ({lowest})"),
        (false, _) => format!(" ({lowest}, {highest} at worst)"),
    };
    let _ = writeln!(out, "  {HEAD}{id}{HEAD:#}, {}{firmness}", finding.party);
    out.push_str(&wrapped(&finding.title, 4));
    reasons(out, &finding.reasons);
    for waiver in &finding.waivers {
        let how = match waiver.certainty() {
            v1::Certainty::Possible => "may count",
            _ => "counts",
        };
        let text =
            format!("{how} {} by the waiver {}: {}", firmness_word(waiver.firmness()), waiver.waiver, waiver.title);
        out.push_str(&wrapped(&text, 4));
        reasons(out, &waiver.reasons);
        waiver.evidence.iter().for_each(|piece| evidence(out, piece));
    }
    if !finding.hangs_on.is_empty() {
        out.push_str(&wrapped(&format!("hangs on {}", list(&finding.hangs_on)), 4));
    }
    alternatives(out, "crossed if", &finding.would_cross);
    alternatives(out, "clear if", &finding.would_clear);
    finding.evidence.iter().for_each(|piece| evidence(out, piece));
}

const MOST_SHOWN: usize = 5;

fn reasons(out: &mut String, reasons: &[v1::Reason]) {
    let shown = reasons.iter().take(MOST_SHOWN).enumerate();
    for (at, reason) in shown {
        let lead = if at == 0 { "because" } else { "and because" };
        out.push_str(&wrapped(&format!("{lead} {}", reason.text), 4));
    }
    more(out, reasons.len(), "reason", "reasons");
}

fn alternatives(out: &mut String, lead: &str, settlements: &[v1::Settlement]) {
    for (at, settlement) in settlements.iter().take(MOST_SHOWN).enumerate() {
        let lead = if at == 0 { lead } else { "or if" };
        out.push_str(&wrapped(&format!("{lead} {}", settlement.text), 4));
    }
    more(out, settlements.len(), "way", "ways");
}

fn more(out: &mut String, all: usize, singular: &str, plural: &str) {
    if all > MOST_SHOWN {
        let left = count(all - MOST_SHOWN, singular, plural);
        out.push_str(&wrapped(&format!("and {left} more (--output json shows all)"), 4));
    }
}

/// Who says so, in one paragraph.
pub(super) fn evidence(out: &mut String, evidence: &v1::Evidence) {
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
    let who = format!("{} ({kind}{day}; {}{row})", evidence.speaker, evidence.source);
    out.push_str(&wrapped(&format!("- {against}{}{quote} -- {who}", evidence.statement), 4));
}

/// A date as people here write it.
pub(super) fn iso(date: &Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

fn answer(term: &v1::Term) -> String {
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

fn origin(origin: v1::InputOrigin) -> &'static str {
    match origin {
        v1::InputOrigin::Unspecified => "",
        v1::InputOrigin::Proposal => "the proposal",
        v1::InputOrigin::Override => "an override",
        v1::InputOrigin::StatusQuo => "the status quo",
        v1::InputOrigin::Silence => "silence",
        v1::InputOrigin::Circumstance => "the request",
        v1::InputOrigin::Assumed => "the scenario's assumption",
        v1::InputOrigin::Unknown => "ignorance: nobody says",
        v1::InputOrigin::Hypothesis => "a hypothesis",
    }
}

/// A verdict in a word.
pub(super) const fn verdict_words(verdict: v1::Verdict) -> &'static str {
    match verdict {
        v1::Verdict::Unspecified => "no verdict",
        v1::Verdict::Blocked => "blocked",
        v1::Verdict::Undeliverable => "undeliverable",
        v1::Verdict::Contested => "contested",
        v1::Verdict::Undetermined => "undetermined",
        v1::Verdict::Unopposed => "unopposed",
    }
}

/// A stance in a word or three.
pub(super) const fn stance_words(stance: v1::Stance) -> &'static str {
    match stance {
        v1::Stance::Unspecified => "",
        v1::Stance::Rejects => "rejects",
        v1::Stance::Resists => "resists",
        v1::Stance::MayResist => "may resist",
        v1::Stance::Undecided => "undecided",
        v1::Stance::NoStatedObjection => "no stated objection",
    }
}

/// A firmness in a word; none where there is no crossing.
pub(super) fn firmness_word(firmness: v1::Firmness) -> &'static str {
    match firmness {
        v1::Firmness::Unspecified => "",
        v1::Firmness::Tentative => "tentative",
        v1::Firmness::Negotiable => "negotiable",
        v1::Firmness::Firm => "firm",
        v1::Firmness::Absolute => "absolute",
    }
}

fn certainty(certainty: v1::Certainty) -> &'static str {
    match certainty {
        v1::Certainty::Unspecified => "",
        v1::Certainty::Certain => "certain",
        v1::Certainty::Possible => "possible",
    }
}
