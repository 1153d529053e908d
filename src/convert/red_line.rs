//! Converts red lines, their evidence and their firmness.
//!
//! Must not know how a red line is evaluated.

use crate::convert::date::from_date;
use crate::schema::names;
use crate::schema::proto::v1::{self, red_line};
use detente_condition::InputIndex;
use detente_core::scenario::Scenario;
use detente_core::scenario::model::{
    Beginning, Evidence, EvidenceDirection, EvidenceKind, Firmness, Polarity, RedLine, Span, Waiver,
};

/// Converts a red line. `deciding` are the issues and circumstances on which its status or firmness depends.
pub fn from_red_line(scenario: &Scenario, red_line: &RedLine, deciding: &[InputIndex]) -> v1::RedLine {
    let text = red_line.condition.text.clone();
    let ids = |issues: bool| {
        let named = deciding.iter().filter(|input| scenario.is_issue(**input) == issues);
        named.filter_map(|input| scenario.inputs.get(*input)).map(|input| input.id.to_string()).collect()
    };
    v1::RedLine {
        name: names::red_line(&scenario.id, &red_line.id),
        revision: scenario.revision.to_string(),
        party: scenario.parties.get(red_line.party).map_or_else(String::new, |party| party.id.to_string()),
        title: red_line.title.clone(),
        condition: Some(match red_line.polarity {
            Polarity::Rejects => red_line::Condition::Rejects(text),
            Polarity::Requires => red_line::Condition::Requires(text),
        }),
        firmness: from_firmness(red_line.firmness).into(),
        held: red_line.held.iter().map(from_span).collect(),
        evidence: red_line.evidence.iter().map(|evidence| from_evidence(scenario, evidence)).collect(),
        waivers: red_line.waivers.iter().map(|waiver| from_waiver(scenario, waiver)).collect(),
        issues: ids(true),
        circumstances: ids(false),
        binding_probability: red_line.binding_probability,
    }
}

fn from_waiver(scenario: &Scenario, waiver: &Waiver) -> v1::Waiver {
    v1::Waiver {
        id: waiver.id.to_string(),
        title: waiver.title.clone(),
        when: waiver.when.text.clone(),
        firmness: from_firmness(waiver.firmness).into(),
        held: waiver.held.iter().map(from_span).collect(),
        evidence: waiver.evidence.iter().map(|evidence| from_evidence(scenario, evidence)).collect(),
    }
}

fn from_span(span: &Span) -> v1::Span {
    v1::Span {
        from: Some(from_date(span.from)),
        first_recorded: span.beginning == Beginning::FirstRecorded,
        until: span.until.map(from_date),
    }
}

/// Converts evidence.
pub fn from_evidence(scenario: &Scenario, evidence: &Evidence) -> v1::Evidence {
    let kind = match evidence.kind {
        EvidenceKind::OnRecord => v1::EvidenceKind::OnRecord,
        EvidenceKind::Attributed => v1::EvidenceKind::Attributed,
        EvidenceKind::Reported => v1::EvidenceKind::Reported,
        EvidenceKind::Assessed => v1::EvidenceKind::Assessed,
    };
    let direction = match evidence.direction {
        EvidenceDirection::For => v1::EvidenceDirection::For,
        EvidenceDirection::Against => v1::EvidenceDirection::Against,
    };
    v1::Evidence {
        source: scenario.sources.get(evidence.source).map_or_else(String::new, |source| source.id.to_string()),
        kind: kind.into(),
        speaker: evidence.speaker.clone(),
        statement: evidence.statement.clone(),
        quote: evidence.quote.clone(),
        date: evidence.date.map(from_date),
        direction: direction.into(),
        row: evidence.row.clone(),
    }
}

/// Converts a firmness to a message.
pub fn from_firmness(firmness: Firmness) -> v1::Firmness {
    match firmness {
        Firmness::Tentative => v1::Firmness::Tentative,
        Firmness::Negotiable => v1::Firmness::Negotiable,
        Firmness::Firm => v1::Firmness::Firm,
        Firmness::Absolute => v1::Firmness::Absolute,
    }
}

/// Converts a firmness from a message; `None` if it is unspecified.
pub fn to_firmness(firmness: v1::Firmness) -> Option<Firmness> {
    match firmness {
        v1::Firmness::Unspecified => None,
        v1::Firmness::Tentative => Some(Firmness::Tentative),
        v1::Firmness::Negotiable => Some(Firmness::Negotiable),
        v1::Firmness::Firm => Some(Firmness::Firm),
        v1::Firmness::Absolute => Some(Firmness::Absolute),
    }
}
