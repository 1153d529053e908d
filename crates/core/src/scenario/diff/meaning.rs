//! How the meanings of two conditions compare, each of a scenario of its own.
//!
//! One of them is carried over into the other's scenario: by ids, since positions may differ. Then that scenario's
//! domains span a space for both, and each case of the one that is none of the other would be a prime implicant of
//! "the one and not the other".

use super::Meaning;
use crate::scenario::model::Scenario;
use detente_condition::{Atom, Decision, Domain, Formula, InputId, Space, WorkBudget};

/// A fraction of what a file may cost that is loaded: of a large file, every condition may have changed.
const MAX_STEPS: u64 = WorkBudget::MAX_STEPS / 8;

/// A formula with the scenario in whose positions it is written.
#[derive(Clone, Copy)]
pub(super) struct Placed<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) formula: &'a Formula,
}

/// How `after` compares with `before`; `None` where that cannot be told.
pub(super) fn compare(before: Placed, after: Placed) -> Option<Meaning> {
    if let Some(before) = carried_over(before.formula, before.scenario, after.scenario) {
        return within(after.scenario, &before, after.formula);
    }
    let after = carried_over(after.formula, after.scenario, before.scenario)?;
    within(before.scenario, before.formula, &after)
}

fn within(scenario: &Scenario, before: &Formula, after: &Formula) -> Option<Meaning> {
    if before == after {
        return Some(Meaning::Same);
    }
    let space = Space::new(scenario.inputs.iter().map(|input| &input.domain), [before, after]).ok()?;
    let any = |one: &Formula, other: &Formula| {
        let only_one = Formula::All(vec![one.clone(), other.clone().negated()]);
        let work = WorkBudget::new(WorkBudget::MAX_CUBES, MAX_STEPS);
        Some(!Decision::compile(&only_one, &space, work).ok()?.holds.is_empty())
    };
    Some(match (any(before, after)?, any(after, before)?) {
        (false, false) => Meaning::Same,
        (false, true) => Meaning::More,
        (true, false) => Meaning::Fewer,
        (true, true) => Meaning::Other,
    })
}

/// The formula in the positions of another scenario; `None` where an input that it tests is not there, or ranges over
/// something else.
fn carried_over(formula: &Formula, from: &Scenario, to: &Scenario) -> Option<Formula> {
    let all = |parts: &[Formula]| parts.iter().map(|part| carried_over(part, from, to)).collect::<Option<Vec<_>>>();
    Some(match formula {
        Formula::Constant(truth) => Formula::Constant(*truth),
        Formula::Not(inner) => Formula::Not(Box::new(carried_over(inner, from, to)?)),
        Formula::All(parts) => Formula::All(all(parts)?),
        Formula::Any(parts) => Formula::Any(all(parts)?),
        Formula::Atom(atom) => {
            let known = from.inputs.get(atom.input().index())?;
            let (input, found) = to.input(&known.id)?;
            Formula::Atom(atom_carried_over(atom, &known.domain, input, &found.domain)?)
        }
    })
}

fn atom_carried_over(atom: &Atom, from: &Domain, input: InputId, to: &Domain) -> Option<Atom> {
    let same = match (from, to) {
        (Domain::Choice(ours), Domain::Choice(theirs)) | (Domain::Members(ours), Domain::Members(theirs)) => {
            ours.len() == theirs.len() && ours.iter().all(|entry| theirs.contains(entry))
        }
        _ => from == to,
    };
    if !same {
        return None;
    }
    let moved = |position: u8| to.entry(from.entries().get(usize::from(position))?);
    Some(match atom {
        Atom::Options { allowed, .. } if from.entries().is_empty() => Atom::Options { input, allowed: *allowed },
        Atom::Options { allowed, .. } => {
            let positions = (0u8..).take(from.entries().len());
            let chosen = positions.filter(|position| allowed >> position & 1 == 1);
            let allowed =
                chosen.map(|position| Some(1u64 << moved(position)?)).try_fold(0, |mask, bit| Some(mask | bit?));
            Atom::Options { input, allowed: allowed? }
        }
        Atom::Member { member, .. } => Atom::Member { input, member: moved(*member)? },
        Atom::Count { allowed, .. } => Atom::Count { input, allowed: *allowed },
        Atom::Numbers { allowed, .. } => Atom::Numbers { input, allowed: allowed.clone() },
    })
}
