//! The reference proposals of two versions, asked of the service, each on its version's own day.

use crate::cli::commands::diff::Version;
use crate::cli::render::words::{firmness_word, last_segment, stance_words, status_words, verdict_words};
use crate::schema::proto::v1;
use crate::schema::proto::v1::evaluate_proposal_request::Subject;
use anyhow::{Result, anyhow};
use detente_core::scenario::Scenario;
use detente_core::scenario::model::RedLine;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What follows for the reference proposals.
pub(super) struct Verdicts {
    /// How many are answered as before.
    pub(super) unchanged: usize,
    /// The others.
    pub(super) proposals: Vec<Proposal>,
}

/// One that is answered otherwise, or that only one version has.
pub(super) struct Proposal {
    pub(super) id: String,
    pub(super) before: Option<Verdict>,
    pub(super) after: Option<Verdict>,
    /// The parties whose stances differ.
    pub(super) stances: Vec<Pair<Bounded>>,
    /// The red lines whose findings differ.
    pub(super) red_lines: Vec<Pair<Finding>>,
}

/// Something of one proposal's two answers; `None` where a version has no such part.
pub(super) struct Pair<T> {
    pub(super) id: String,
    pub(super) before: Option<T>,
    pub(super) after: Option<T>,
}

/// A verdict or stance, and what it could become, in words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounded {
    pub(super) is: &'static str,
    pub(super) could_become: &'static str,
}

pub(super) type Verdict = Bounded;

/// What is found of a red line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) status: &'static str,
    /// Of a crossing; else empty.
    pub(super) firmness: &'static str,
    pub(super) firmness_at_worst: &'static str,
}

/// One answer.
struct Answer {
    verdict: Verdict,
    /// In the scenario's order.
    parties: Vec<String>,
    stances: HashMap<String, Bounded>,
    /// By red line, those that are crossed or undetermined.
    astir: BTreeMap<String, Finding>,
}

impl Verdicts {
    pub(super) fn compare(before: &Version, after: &Version) -> Result<Self> {
        let mut verdicts = Self { unchanged: 0, proposals: Vec::new() };
        // One content has one answer to everything.
        if before.scenario.revision == after.scenario.revision {
            return Ok(Self { unchanged: after.scenario.proposals.len(), ..verdicts });
        }
        let (known_before, known_after) = (Known::of(&before.scenario), Known::of(&after.scenario));
        for proposal in &after.scenario.proposals {
            let found = ask(after, &proposal.id)?;
            if !known_before.proposals.contains(&*proposal.id) {
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
        for proposal in before.scenario.proposals.iter().filter(|gone| !known_after.proposals.contains(&*gone.id)) {
            let found = ask(before, &proposal.id)?;
            verdicts.proposals.push(Proposal::in_one(&proposal.id, Some(found.verdict), None));
        }
        Ok(verdicts)
    }
}

/// What a scenario knows, by id.
struct Known<'a> {
    proposals: HashSet<&'a str>,
    /// With whether it is held on the scenario's day.
    red_lines: HashMap<&'a str, bool>,
}

impl<'a> Known<'a> {
    fn of(scenario: &'a Scenario) -> Self {
        let is_held = |line: &RedLine| line.held.iter().any(|span| span.contains(scenario.as_of));
        Self {
            proposals: scenario.proposals.iter().map(|proposal| &*proposal.id).collect(),
            red_lines: scenario.red_lines.iter().map(|line| (&*line.id, is_held(line))).collect(),
        }
    }
}

impl Proposal {
    fn in_one(id: &str, before: Option<Verdict>, after: Option<Verdict>) -> Self {
        Self { id: id.to_owned(), before, after, stances: Vec::new(), red_lines: Vec::new() }
    }

    fn is_changed(&self) -> bool {
        self.before != self.after || !self.stances.is_empty() || !self.red_lines.is_empty()
    }
}

fn ask(version: &Version, proposal: &str) -> Result<Answer> {
    let scenario = format!("scenarios/{}", version.scenario.id);
    let request = v1::EvaluateProposalRequest {
        subject: Some(Subject::ProposalName(format!("{scenario}/proposals/{proposal}"))),
        scenario,
        ..v1::EvaluateProposalRequest::default()
    };
    let evaluation = version.answerer.evaluate(request)?.evaluation;
    let evaluation = evaluation.ok_or_else(|| anyhow!("the answer on {proposal} holds no evaluation"))?;
    let astir = evaluation.findings.iter().map(|finding| {
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
        verdict: Bounded {
            is: verdict_words(evaluation.verdict()),
            could_become: verdict_words(evaluation.could_become()),
        },
        astir: astir.collect(),
        parties: evaluation.stances.iter().map(|party| party.party.clone()).collect(),
        stances: evaluation.stances.iter().map(stance).collect(),
    })
}

fn stance(party: &v1::PartyStance) -> (String, Bounded) {
    let (is, could_become) = (stance_words(party.stance()), stance_words(party.could_become()));
    (party.party.clone(), Bounded { is, could_become })
}

const CLEAR: &str = status_words(v1::RedLineStatus::Clear);
/// A line that is no longer held, not yet held, or not yet recorded, which is not the same.
const NOT_HELD: &str = "not held or not recorded";

fn compared(before: (&Known, &Answer), after: (&Known, &Answer)) -> Proposal {
    let ((known_before, before), (known_after, after)) = (before, after);
    // A party that is new, or gone, shows where it has something to say.
    let silent = |pair: &Pair<Bounded>| {
        [pair.before, pair.after].into_iter().flatten().all(|stance| stance == NO_STATED_OBJECTION)
    };
    let gone = before.parties.iter().filter(|party| !after.stances.contains_key(*party));
    let stances = after.parties.iter().chain(gone).map(|id| Pair {
        id: id.clone(),
        before: before.stances.get(id).copied(),
        after: after.stances.get(id).copied(),
    });
    let mut red_lines: Vec<&String> = after.astir.keys().chain(before.astir.keys()).collect();
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

const NO_STATED_OBJECTION: Bounded = Bounded {
    is: stance_words(v1::Stance::NoStatedObjection),
    could_become: stance_words(v1::Stance::NoStatedObjection),
};

/// What is found of a red line; `None` where the scenario has no such line. Answers leave out what is neither crossed
/// nor open: clear, if it is held on the day.
fn finding(known: &Known, answer: &Answer, id: &str) -> Option<Finding> {
    let status = if *known.red_lines.get(id)? { CLEAR } else { NOT_HELD };
    let calm = Finding { status, firmness: "", firmness_at_worst: "" };
    Some(answer.astir.get(id).copied().unwrap_or(calm))
}
