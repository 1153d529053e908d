//! Compares the meanings of two conditions of different scenarios.
//!
//! A formula names its inputs (issues and circumstances) by their positions, which may differ between the scenarios.
//! One formula is therefore translated, by the ids of its inputs, to the positions of the other scenario. There is a
//! case in which only the first condition is true exactly if "first and not second" has a prime implicant: a minimal
//! conjunction of tests that makes it true.
//!
//! Must not know of the texts of conditions.

use super::change::Meaning;
use crate::scenario::model::Scenario;
use detente_condition::{Atom, Decision, Domain, EntryIndex, Formula, InputIndex, Space, WorkBudget};

/// The maximum number of steps of one comparison.
///
/// It is a fraction of the budget for loading a condition, because every condition of a large file may have changed.
const MAX_STEPS: u64 = WorkBudget::MAX_STEPS / 8;

/// A formula, and the scenario to which the positions of its inputs refer.
#[derive(Clone, Copy)]
pub(super) struct ScenarioFormula<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) formula: &'a Formula,
}

/// Compares the meaning of `after` with that of `before`; `None` if they cannot be compared.
pub(super) fn compare(before: ScenarioFormula, after: ScenarioFormula) -> Option<Meaning> {
    if let Some(before) = translated(before.formula, before.scenario, after.scenario) {
        return within(after.scenario, &before, after.formula);
    }
    let after = translated(after.formula, after.scenario, before.scenario)?;
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

/// Translates a formula to the positions of another scenario.
///
/// Returns `None` if the other scenario lacks an input that the formula tests, or if the input has a different domain
/// there.
fn translated(formula: &Formula, from: &Scenario, to: &Scenario) -> Option<Formula> {
    let all = |parts: &[Formula]| parts.iter().map(|part| translated(part, from, to)).collect::<Option<Vec<_>>>();
    Some(match formula {
        Formula::Constant(truth) => Formula::Constant(*truth),
        Formula::Not(inner) => Formula::Not(Box::new(translated(inner, from, to)?)),
        Formula::All(parts) => Formula::All(all(parts)?),
        Formula::Any(parts) => Formula::Any(all(parts)?),
        Formula::Atom(atom) => {
            let known = from.inputs.get(atom.input())?;
            let (input, found) = to.input(known.id.as_str())?;
            Formula::Atom(translated_atom(atom, &known.domain, input, &found.domain)?)
        }
    })
}

fn translated_atom(atom: &Atom, from: &Domain, input: InputIndex, to: &Domain) -> Option<Atom> {
    let same = match (from, to) {
        (Domain::Choice(ours), Domain::Choice(theirs)) | (Domain::Members(ours), Domain::Members(theirs)) => {
            ours.len() == theirs.len() && ours.iter().all(|entry| theirs.contains(entry))
        }
        _ => from == to,
    };
    if !same {
        return None;
    }
    let moved = |entry: EntryIndex| to.entry(from.entries().get(entry.index())?);
    Some(match atom {
        Atom::Options { allowed, .. } if from.entries().is_empty() => Atom::Options { input, allowed: *allowed },
        Atom::Options { allowed, .. } => {
            let options = (0..).map(EntryIndex).take(from.entries().len());
            let chosen = options.filter(|option| option.is_in(*allowed));
            let allowed = chosen.map(|option| Some(moved(option)?.bit())).try_fold(0, |mask, bit| Some(mask | bit?));
            Atom::Options { input, allowed: allowed? }
        }
        Atom::Member { member, .. } => Atom::Member { input, member: moved(*member)? },
        Atom::Count { allowed, .. } => Atom::Count { input, allowed: *allowed },
        Atom::Numbers { allowed, .. } => Atom::Numbers { input, allowed: allowed.clone() },
    })
}
