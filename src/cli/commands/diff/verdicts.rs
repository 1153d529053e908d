//! Compares the evaluations of the reference proposals (those that a scenario contains) between two versions.
//!
//! The service evaluates each proposal with each version, on the default day of that version.

use crate::cli::commands::diff::version::Version;
use crate::cli::render::words::{firmness_word, last_segment, stance_words, status_words, verdict_words};
use crate::schema::names;
use crate::schema::proto::v1;
use crate::schema::proto::v1::evaluate_proposal_request::Subject;
use anyhow::{Result, anyhow};
use detente_core::scenario::Scenario;
use detente_core::scenario::ids::ProposalId;
use detente_core::scenario::model::RedLine;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The reference proposals whose evaluations differ between the two versions, and the number of the others.
pub(super) struct Verdicts {
    /// Number of proposals without changes.
    pub(super) unchanged: usize,
    /// The proposals with changes, and those that only one version has.
    pub(super) proposals: Vec<Proposal>,
}

/// A reference proposal with changes, or one that only one version has.
pub(super) struct Proposal {
    pub(super) id: String,
    pub(super) before: Option<Verdict>,
    pub(super) after: Option<Verdict>,
    /// The parties whose stances differ.
    pub(super) stances: Vec<Pair<Outlook>>,
    /// The red lines whose findings differ.
    pub(super) red_lines: Vec<Pair<Finding>>,
}

/// A party or red line, as it was evaluated with each version.
///
/// `before` or `after` is `None` if that version does not have the party or red line.
pub(super) struct Pair<T> {
    pub(super) id: String,
    pub(super) before: Option<T>,
    pub(super) after: Option<T>,
}

/// A verdict or stance and the worst that it could become, in words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Outlook {
    pub(super) is: &'static str,
    pub(super) could_become: &'static str,
}

pub(super) type Verdict = Outlook;

/// The finding on a red line, in words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) status: &'static str,
    /// The firmness of a certain or possible crossing; empty for any other status.
    pub(super) firmness: &'static str,
    pub(super) firmness_at_worst: &'static str,
}

/// The evaluation of one proposal with one version, reduced to the parts that are compared.
struct Answer {
    verdict: Verdict,
    /// Ids in the order of the scenario.
    parties: Vec<String>,
    stances: HashMap<String, Outlook>,
    /// Findings by the id of the red line. Only crossed and undetermined red lines have one.
    notable: BTreeMap<String, Finding>,
}

impl Verdicts {
    pub(super) fn compare(before: &Version, after: &Version) -> Result<Self> {
        let mut verdicts = Self { unchanged: 0, proposals: Vec::new() };
        // The same revision has the same content, and therefore the same answers.
        if before.scenario.revision == after.scenario.revision {
            return Ok(Self { unchanged: after.scenario.proposals.len(), ..verdicts });
        }
        let (known_before, known_after) = (ScenarioIndex::of(&before.scenario), ScenarioIndex::of(&after.scenario));
        for proposal in &after.scenario.proposals {
            let found = ask(after, &proposal.id)?;
            if !known_before.proposals.contains(&proposal.id) {
                verdicts.proposals.push(Proposal::in_one(&proposal.id, None, Some(found.verdict)));
                continue;
            }
            let proposal = Proposal {
                id: proposal.id.to_string(),
                ..compared((&known_before, &ask(before, &proposal.id)?), (&known_after, &found))
            };
            match proposal.is_changed() {
                true => verdicts.proposals.push(proposal),
                false => verdicts.unchanged += 1,
            }
        }
        for proposal in before.scenario.proposals.iter().filter(|gone| !known_after.proposals.contains(&gone.id)) {
            let found = ask(before, &proposal.id)?;
            verdicts.proposals.push(Proposal::in_one(&proposal.id, Some(found.verdict), None));
        }
        Ok(verdicts)
    }
}

/// The proposals and red lines of a scenario, by id.
struct ScenarioIndex<'a> {
    proposals: HashSet<&'a ProposalId>,
    /// Whether each red line is held on the day of the scenario.
    red_lines: HashMap<&'a str, bool>,
}

impl<'a> ScenarioIndex<'a> {
    fn of(scenario: &'a Scenario) -> Self {
        let is_held = |line: &RedLine| line.held.iter().any(|span| span.contains(scenario.as_of));
        Self {
            proposals: scenario.proposals.iter().map(|proposal| &proposal.id).collect(),
            red_lines: scenario.red_lines.iter().map(|line| (line.id.as_str(), is_held(line))).collect(),
        }
    }
}

impl Proposal {
    fn in_one(id: &ProposalId, before: Option<Verdict>, after: Option<Verdict>) -> Self {
        Self { id: id.to_string(), before, after, stances: Vec::new(), red_lines: Vec::new() }
    }

    fn is_changed(&self) -> bool {
        self.before != self.after || !self.stances.is_empty() || !self.red_lines.is_empty()
    }
}

fn ask(version: &Version, proposal: &ProposalId) -> Result<Answer> {
    let scenario = &version.scenario.id;
    let request = v1::EvaluateProposalRequest {
        subject: Some(Subject::ProposalName(names::proposal(scenario, proposal))),
        scenario: names::scenario(scenario),
        ..v1::EvaluateProposalRequest::default()
    };
    let evaluation = version.backend.evaluate(request)?.evaluation;
    let evaluation = evaluation.ok_or_else(|| anyhow!("the response for {proposal} has no evaluation"))?;
    let notable = evaluation.findings.iter().map(|finding| {
        let id = last_segment(&finding.red_line).to_owned();
        let status = match finding.status() {
            v1::RedLineStatus::NotRecorded | v1::RedLineStatus::NotHeld => NOT_HELD,
            other => status_words(other),
        };
        let (firmness, firmness_at_worst) =
            (firmness_word(finding.firmness()), firmness_word(finding.firmness_at_worst()));
        (id, Finding { status, firmness, firmness_at_worst })
    });
    Ok(Answer {
        verdict: Outlook {
            is: verdict_words(evaluation.verdict()),
            could_become: verdict_words(evaluation.could_become()),
        },
        notable: notable.collect(),
        parties: evaluation.stances.iter().map(|party| party.party.clone()).collect(),
        stances: evaluation.stances.iter().map(stance).collect(),
    })
}

fn stance(party: &v1::PartyStance) -> (String, Outlook) {
    let (is, could_become) = (stance_words(party.stance()), stance_words(party.could_become()));
    (party.party.clone(), Outlook { is, could_become })
}

const CLEAR: &str = status_words(v1::RedLineStatus::Clear);
/// The status of a red line that is not held, or not yet recorded, on the day.
///
/// The two mean different things, but the basic view of an evaluation lists neither, so they cannot be told apart here.
const NOT_HELD: &str = "not held or not recorded";

fn compared(before: (&ScenarioIndex, &Answer), after: (&ScenarioIndex, &Answer)) -> Proposal {
    let ((known_before, before), (known_after, after)) = (before, after);
    // A party that only one version has is shown only if it objects or may object.
    let silent = |pair: &Pair<Outlook>| {
        [pair.before, pair.after].into_iter().flatten().all(|stance| stance == NO_STATED_OBJECTION)
    };
    let gone = before.parties.iter().filter(|party| !after.stances.contains_key(*party));
    let stances = after.parties.iter().chain(gone).map(|id| Pair {
        id: id.clone(),
        before: before.stances.get(id).copied(),
        after: after.stances.get(id).copied(),
    });
    let mut red_lines: Vec<&String> = after.notable.keys().chain(before.notable.keys()).collect();
    red_lines.sort_unstable();
    red_lines.dedup();
    let red_lines = red_lines.into_iter().map(|id| Pair {
        id: id.clone(),
        before: finding(known_before, before, id),
        after: finding(known_after, after, id),
    });
    Proposal {
        id: String::new(),
        before: Some(before.verdict),
        after: Some(after.verdict),
        stances: stances.filter(|pair| pair.before != pair.after && !silent(pair)).collect(),
        red_lines: red_lines.filter(|pair| pair.before != pair.after).collect(),
    }
}

const NO_STATED_OBJECTION: Outlook = Outlook {
    is: stance_words(v1::Stance::NoStatedObjection),
    could_become: stance_words(v1::Stance::NoStatedObjection),
};

/// The finding on a red line; `None` if the scenario has no such red line.
///
/// The basic view of an evaluation leaves out red lines that are neither crossed nor undetermined. Of these, a red line
/// that is held on the day is clear.
fn finding(known: &ScenarioIndex, answer: &Answer, id: &str) -> Option<Finding> {
    let status = if *known.red_lines.get(id)? { CLEAR } else { NOT_HELD };
    let unlisted = Finding { status, firmness: "", firmness_at_worst: "" };
    Some(answer.notable.get(id).copied().unwrap_or(unlisted))
}
