//! Converts scenarios, reference proposals and stale files to messages.
//!
//! A reference proposal is one that the scenario contains. A stale file is a scenario file that the server cannot use
//! in its current state, so that the last valid content stays in use. Must not know which callers may see a scenario.

use crate::convert::date::from_date;
use crate::convert::red_line::from_evidence;
use crate::convert::term::{from_answer, from_value};
use crate::schema::names;
use crate::schema::proto::v1::{self, domain};
use crate::serving::{RemovedFile, StaleFile};
use detente_condition::Domain;
use detente_core::scenario::Scenario;
use detente_core::scenario::model::{Input, Preference, Proposal, Ranking, Role, Source};

/// Converts a scenario without its lists of parties, issues and other parts.
pub fn from_scenario_in_brief(scenario: &Scenario, is_default: bool) -> v1::Scenario {
    let count = |items: usize| i32::try_from(items).unwrap_or(i32::MAX);
    v1::Scenario {
        name: names::scenario(&scenario.id),
        revision: scenario.revision.to_string(),
        title: scenario.title.clone(),
        description: scenario.description.clone(),
        covers_from: Some(from_date(scenario.covers.first())),
        covers_to: Some(from_date(scenario.covers.last())),
        as_of: Some(from_date(scenario.as_of)),
        is_default,
        red_line_count: count(scenario.red_lines.len()),
        proposal_count: count(scenario.proposals.len()),
        ..v1::Scenario::default()
    }
}

/// Converts a scenario with all lists except those of red lines and proposals, which have methods of their own.
pub fn from_scenario(scenario: &Scenario, is_default: bool) -> v1::Scenario {
    let parties = scenario.parties.iter().map(|party| v1::Party {
        id: party.id.to_string(),
        display_name: party.name.clone(),
        role: match party.role {
            Role::Principal => v1::PartyRole::Principal,
            Role::ThirdParty => v1::PartyRole::ThirdParty,
        }
        .into(),
        description: party.description.clone(),
        reservation_value: party.reservation_value,
    });
    let groups = scenario.groups.iter().map(|group| v1::Group {
        id: group.id.to_string(),
        display_name: group.name.clone(),
        members: group.members.iter().map(|member| member.to_string()).collect(),
        note: group.note.clone(),
    });
    let constraints = scenario.constraints.iter().map(|constraint| v1::Constraint {
        id: constraint.id.to_string(),
        title: constraint.title.clone(),
        forbids: constraint.forbids.text.clone(),
    });
    let cautions = scenario.cautions.iter().map(|caution| v1::Caution {
        id: caution.id.to_string(),
        text: caution.text.clone(),
        when: caution.when.text.clone(),
        evidence: caution.evidence.iter().map(|evidence| from_evidence(scenario, evidence)).collect(),
    });
    v1::Scenario {
        parties: parties.collect(),
        issues: scenario.issues().iter().map(from_issue).collect(),
        circumstances: scenario.circumstances().iter().map(|input| from_circumstance(scenario, input)).collect(),
        groups: groups.collect(),
        constraints: constraints.collect(),
        cautions: cautions.collect(),
        preferences: scenario.preferences.iter().filter_map(|item| from_preference(scenario, item)).collect(),
        sources: scenario.sources.iter().map(from_source).collect(),
        ..from_scenario_in_brief(scenario, is_default)
    }
}

fn from_issue(input: &Input) -> v1::Issue {
    let status_quo = input
        .defaults
        .iter()
        .map(|dated| v1::StatusQuo { from: dated.from.map(from_date), term: Some(from_value(input, &dated.value)) });
    v1::Issue {
        id: input.id.to_string(),
        title: input.title.clone(),
        question: input.question.clone(),
        domain: Some(from_domain(input)),
        status_quo: status_quo.collect(),
        taxonomy: input.taxonomy.clone(),
        rows: input.rows.clone(),
        note: input.note.clone(),
    }
}

fn from_circumstance(scenario: &Scenario, input: &Input) -> v1::Circumstance {
    v1::Circumstance {
        id: input.id.to_string(),
        title: input.title.clone(),
        question: input.question.clone(),
        domain: Some(from_domain(input)),
        assumed: input.defaults.first().map(|dated| from_value(input, &dated.value)),
        evidence: input.evidence.iter().map(|evidence| from_evidence(scenario, evidence)).collect(),
        rows: input.rows.clone(),
        note: input.note.clone(),
    }
}

fn from_domain(input: &Input) -> v1::Domain {
    let entries = || {
        let titles = input.entry_titles.iter().map(String::as_str).chain(std::iter::repeat(""));
        let entries = input.domain.entries().iter().zip(titles);
        entries.map(|(id, title)| v1::Entry { id: id.to_string(), title: title.to_owned() }).collect()
    };
    let kind = match &input.domain {
        Domain::Flag => domain::Kind::Flag(v1::FlagDomain {}),
        Domain::Choice(_) => domain::Kind::Choice(v1::ChoiceDomain { options: entries() }),
        Domain::Members(_) => domain::Kind::Members(v1::MembersDomain { members: entries() }),
        Domain::Quantity { min, max } => {
            domain::Kind::Quantity(v1::QuantityDomain { unit: input.unit.clone(), min: *min, max: *max })
        }
    };
    v1::Domain { kind: Some(kind) }
}

fn from_preference(scenario: &Scenario, preference: &Preference) -> Option<v1::Preference> {
    let input = scenario.inputs.get(preference.issue)?;
    let (order, values) = match &preference.ranking {
        Ranking::Ordinal(order) => (order.iter().map(|value| from_value(input, value)).collect(), Vec::new()),
        Ranking::Cardinal(values) => {
            let valued = values
                .iter()
                .map(|(value, number)| v1::ValuedTerm { term: Some(from_value(input, value)), value: *number });
            (Vec::new(), valued.collect())
        }
    };
    Some(v1::Preference {
        party: scenario.parties.get(preference.party)?.id.to_string(),
        issue: input.id.to_string(),
        order,
        values,
        evidence: preference.evidence.iter().map(|evidence| from_evidence(scenario, evidence)).collect(),
    })
}

fn from_source(source: &Source) -> v1::Source {
    v1::Source {
        id: source.id.to_string(),
        title: source.title.clone(),
        publisher: source.publisher.clone(),
        authors: source.authors.clone(),
        published: source.published.map(from_date),
        url: source.url.clone(),
        note: source.note.clone(),
    }
}

/// Converts a reference proposal.
pub fn from_proposal(scenario: &Scenario, proposal: &Proposal) -> v1::Proposal {
    let terms = proposal.terms.iter().filter_map(|term| {
        let input = scenario.inputs.get(term.issue)?;
        Some(from_answer(input, &term.answer))
    });
    v1::Proposal {
        name: names::proposal(&scenario.id, &proposal.id),
        revision: scenario.revision.to_string(),
        title: proposal.title.clone(),
        description: proposal.description.clone(),
        terms: terms.collect(),
        rows: proposal.rows.clone(),
    }
}

/// Length to which diagnostics are shortened, in bytes.
const MAX_DIAGNOSTICS_BYTES: usize = 64 * 1024;

/// Converts a scenario file that the server cannot use as it is now. Long diagnostics are shortened.
pub fn from_stale_file(stale: StaleFile) -> v1::StaleFile {
    let StaleFile { file, since, mut diagnostics } = stale;
    let end = (0..=MAX_DIAGNOSTICS_BYTES.min(diagnostics.len())).rev().find(|at| diagnostics.is_char_boundary(*at));
    diagnostics.truncate(end.unwrap_or(0));
    v1::StaleFile { file, since: Some(since.into()), diagnostics }
}

/// Converts the removed file of a scenario that the server still uses.
pub fn from_removed_file(removed: RemovedFile) -> v1::RemovedFile {
    let RemovedFile { file, since, until } = removed;
    v1::RemovedFile { file, since: Some(since.into()), until: Some(until.into()) }
}
