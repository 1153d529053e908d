//! Puts evaluations and findings into words.
//!
//! No sentence here may say more than the finding does: absence of an objection is not consent.

use crate::convert::term::{entry_id, ids};
use crate::schema::proto::v1::{self, term};
use detente_condition::{Answer, InputIndex, Value};
use detente_core::engine::{Cause, EffectiveInput, Evaluation, Finding, Origin, Stance, Status, Verdict};
use detente_core::scenario::Scenario;
use detente_core::scenario::model::Input;

/// Joins parts to a list: "a", "a and b", "a, b and c".
pub fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [init @ .., last] => format!("{} and {last}", init.join(", ")),
    }
}

/// Puts a reason into words. Causes on the same input form one phrase.
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

/// Puts the answer of an input into words.
pub fn answer(input: &Input, answer: &Answer) -> String {
    let id = &input.id;
    let unit =
        |number: &i64| if input.unit.is_empty() { number.to_string() } else { format!("{number} {}", input.unit) };
    match answer {
        Answer::Exact(Value::Flag(flag)) => format!("{id} is {flag}"),
        Answer::Exact(Value::Choice(option)) => format!("{id} is {}", entry_id(&input.domain, *option)),
        Answer::Exact(Value::Quantity(number)) => format!("{id} is {}", unit(number)),
        Answer::Exact(Value::Members(members)) if *members == 0 => format!("{id} is empty"),
        Answer::Exact(Value::Members(members)) => format!("{id} is {}", list(&ids(&input.domain, *members))),
        Answer::AnyOf(options) => format!("{id} is one of {}", ids(&input.domain, *options).join(", ")),
        Answer::Range { min, max } => format!("{id} is {min} to {}", unit(max)),
        Answer::Partial { .. } => format!("{id} is partly settled"),
        Answer::Unsettled => format!("{id} is unsettled"),
    }
}

/// Puts further answers into words. Terms on the same issue are alternatives.
pub fn settlement(terms: &[v1::Term]) -> String {
    let mut phrases: Vec<String> = Vec::new();
    let mut rest = terms;
    while let Some(first) = rest.first() {
        let same = rest.iter().take_while(|term| term.issue == first.issue).count();
        let (group, after) = rest.split_at(same);
        rest = after;
        let alternatives: Vec<String> = group.iter().map(further_answer).collect();
        phrases.push(alternatives.join(" or "));
    }
    phrases.join(", and ")
}

/// Puts a probability into words. Only exactly 0 and 1 read as "0" and "1".
pub fn probability(probability: f64) -> String {
    match probability {
        0.0 => "0".to_owned(),
        1.0 => "1".to_owned(),
        high if high > 0.9999 => "above 0.9999".to_owned(),
        low if low < 0.0001 => "below 0.0001".to_owned(),
        between => format!("{between:.4}"),
    }
}

/// Puts a range of probabilities into words.
pub fn probability_range(low: f64, high: f64) -> String {
    let (least, most) = (probability(low), probability(high));
    if least == most { least } else { format!("{least} to {most}") }
}

/// Puts terms into words, separated by semicolons.
pub fn settled_terms(terms: &[v1::Term]) -> String {
    let one = |term: &v1::Term| match &term.value {
        Some(term::Value::Members(members)) if members.values.is_empty() => format!("{} is empty", term.issue),
        Some(term::Value::Members(members)) => format!("{} is {}", term.issue, list(&members.values)),
        _ => further_answer(term),
    };
    terms.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn further_answer(term: &v1::Term) -> String {
    let id = &term.issue;
    match &term.value {
        Some(term::Value::Flag(flag)) => format!("{id} is {flag}"),
        Some(term::Value::Choice(option)) => format!("{id} is {option}"),
        Some(term::Value::Quantity(number)) => format!("{id} is {number}"),
        Some(term::Value::AnyOf(any)) => format!("{id} is one of {}", any.values.join(", ")),
        Some(term::Value::Range(v1::Range { min: Some(min), max: Some(max) })) => format!("{id} is {min} to {max}"),
        Some(term::Value::Partial(partial)) => {
            let verb = |members: &[String], verb: &str| {
                let is = if members.len() == 1 { "is" } else { "are" };
                (!members.is_empty()).then(|| format!("{} {is} {verb} {id}", list(members)))
            };
            let phrases = [verb(&partial.includes, "in"), verb(&partial.excludes, "not in")];
            phrases.into_iter().flatten().collect::<Vec<_>>().join(", and ")
        }
        _ => format!("{id} is settled"),
    }
}

/// Puts a verdict into one or two sentences. `supposed` is the number of hypotheses that it rests on.
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
            format!("Unopposed: no recorded red line is crossed or open on {}; that is not consent.", evaluation.day)
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
fn lines(scenario: &Scenario, evaluation: &Evaluation, party: &str, stance: Stance) -> String {
    const MOST: usize = 4;
    let belongs = |finding: &&Finding| {
        let red_line = evaluation.red_line(scenario, finding);
        let owner = red_line.and_then(|line| scenario.parties.get(line.party));
        let given = match (finding.status, finding.firmness) {
            (Status::Crossed, Some((lowest, _))) => Stance::of_crossing(lowest),
            (Status::Undetermined, _) => Stance::Undecided,
            _ => Stance::NoStatedObjection,
        };
        owner.is_some_and(|owner| &*owner.id == party) && given == stance
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

/// Returns the text with its first letter in upper case.
pub fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// Returns the id of an input, as requests write it.
pub fn input_id(scenario: &Scenario, input: InputIndex) -> String {
    scenario.inputs.get(input).map_or_else(String::new, |input| input.id.to_string())
}
