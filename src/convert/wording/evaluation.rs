//! The sentences of evaluations: the reasons of findings, and the summary of a verdict.
//!
//! Must not know how an evaluation is computed.

use super::grammar::{capitalised, list};
use super::terms::answer;
use crate::convert::term::entry_id;
use detente_core::engine::{Cause, EffectiveInput, Evaluation, Finding, Origin, Stance, Status, Verdict};
use detente_core::scenario::Scenario;
use detente_core::scenario::ids::PartyId;

/// Puts the reason for a finding into words: its causes, which are the settled answers that together decide it.
///
/// Causes on the same input (an issue or a circumstance) form one phrase.
pub fn reason(scenario: &Scenario, inputs: &[EffectiveInput], causes: &[Cause]) -> String {
    let mut phrases: Vec<String> = Vec::new();
    let mut rest = causes;
    while let Some(first) = rest.first() {
        let same = rest.iter().take_while(|cause| cause.input == first.input).count();
        let (group, after) = rest.split_at(same);
        rest = after;
        let effective = inputs.get(first.input.index());
        let (Some(input), Some(effective)) = (scenario.inputs.get(first.input), effective) else { continue };
        let origin = origin(effective.origin);
        if first.member.is_none() {
            phrases.push(format!("{}{origin}", answer(input, &effective.answer)));
            continue;
        }
        for (inside, verb) in [(true, "in"), (false, "not in")] {
            let members: Vec<String> = group
                .iter()
                .filter_map(|cause| cause.member)
                .filter(|member| effective.includes(*member) == inside)
                .map(|member| entry_id(&input.domain, member))
                .collect();
            let is = if members.len() == 1 { "is" } else { "are" };
            if !members.is_empty() {
                phrases.push(format!("{} {is} {verb} {}{origin}", list(&members), input.id));
            }
        }
    }
    match phrases.as_slice() {
        [init @ .., last] if !init.is_empty() => format!("{}, and {last}", init.join(", ")),
        _ => phrases.concat(),
    }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Proposal => "",
        Origin::Override => " by override",
        Origin::StatusQuo => " by status quo",
        Origin::Silence | Origin::Unknown => " (open)",
        Origin::Circumstance => " as the request states",
        Origin::Assumed => " as the scenario assumes",
        Origin::Hypothesis => " by hypothesis",
    }
}

/// Puts a verdict into a few sentences. `supposed` is the number of hypotheses that it rests on.
pub fn summary(scenario: &Scenario, evaluation: &Evaluation, supposed: usize) -> String {
    let decisive: &[(Stance, &str)] = match evaluation.verdict {
        Verdict::Blocked | Verdict::Undeliverable => &[(Stance::Rejects, "rejects it by")],
        Verdict::Contested => &[(Stance::Resists, "resists it by")],
        Verdict::Undetermined => &[(Stance::MayResist, "may resist it by"), (Stance::Undecided, "is undecided on")],
        Verdict::Unopposed => &[],
    };
    let mut clauses = Vec::new();
    for (stance, verb) in decisive {
        for (party, found) in scenario.parties.iter().zip(&evaluation.stances) {
            if found.stance == *stance {
                clauses.push(format!("{} {verb} {}", party.name, lines(scenario, evaluation, &party.id, *stance)));
            }
        }
    }
    let open = evaluation.findings.iter().filter(|finding| finding.status == Status::Undetermined).count();
    let lead = match evaluation.verdict {
        Verdict::Unopposed => {
            format!(
                "Unopposed: no recorded red line is crossed or undetermined on {}; that is not consent.",
                evaluation.day
            )
        }
        verdict => format!("{}: {}.", capitalised(verdict_word(verdict)), clauses.join("; ")),
    };
    let lines = if open == 1 { "1 red line is undetermined" } else { &format!("{open} red lines are undetermined") };
    let outlook = match (open, evaluation.could_become == evaluation.verdict) {
        (0, true) => String::new(),
        (0, false) => format!(" At worst it is {}.", verdict_word(evaluation.could_become)),
        (_, true) => format!(" {}; at worst it stays {}.", capitalised(lines), verdict_word(evaluation.verdict)),
        (_, false) => format!(" {}; it could become {}.", capitalised(lines), verdict_word(evaluation.could_become)),
    };
    let unrecorded = match evaluation.unrecorded {
        0 => String::new(),
        1 => " 1 red line is not yet recorded on that day, which is not the same as clear.".to_owned(),
        count => format!(" {count} red lines are not yet recorded on that day, which is not the same as clear."),
    };
    let supposed = match supposed {
        0 => String::new(),
        1 => " This rests on a hypothesis of the request.".to_owned(),
        count => format!(" This rests on {count} hypotheses of the request."),
    };
    lead + &outlook + &unrecorded + &supposed
}

/// Lists the red lines that give a party its stance, firmest first: "x (firm), y (firm) and 2 more".
fn lines(scenario: &Scenario, evaluation: &Evaluation, party: &PartyId, stance: Stance) -> String {
    const MOST: usize = 4;
    let belongs = |finding: &&Finding| {
        let red_line = evaluation.red_line(scenario, finding);
        let owner = red_line.and_then(|line| scenario.parties.get(line.party));
        let given = match (finding.status, finding.firmness) {
            (Status::Crossed, Some((lowest, _))) => Stance::of_crossing(lowest),
            (Status::Undetermined, _) => Stance::Undecided,
            _ => Stance::NoStatedObjection,
        };
        owner.is_some_and(|owner| owner.id == *party) && given == stance
    };
    let mine: Vec<&Finding> = evaluation.findings.iter().filter(belongs).collect();
    let mut parts: Vec<String> = mine
        .iter()
        .take(MOST)
        .filter_map(|finding| {
            let id = &evaluation.red_line(scenario, finding)?.id;
            let firmness = finding.firmness.filter(|_| finding.status == Status::Crossed);
            Some(firmness.map_or(id.to_string(), |(lowest, _)| format!("{id} ({})", lowest.word())))
        })
        .collect();
    if mine.len() > MOST {
        parts.push(format!("{} more", mine.len() - MOST));
    }
    list(&parts)
}

fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Blocked => "blocked",
        Verdict::Undeliverable => "undeliverable",
        Verdict::Contested => "contested",
        Verdict::Undetermined => "undetermined",
        Verdict::Unopposed => "unopposed",
    }
}
