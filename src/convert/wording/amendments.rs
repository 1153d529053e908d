//! The sentences of amendments: each step, each amendment, and the summary of all.
//!
//! An amendment is a set of steps after which a proposal passes: it then meets the request's aim and crosses none of
//! the red lines that the request takes into account. Must not know how amendments are found.

use super::grammar::{capitalised, counted};
use super::search::{incomplete, not_recorded};
use super::terms::answer_alone;
use crate::convert::term::entry_id;
use detente_analysis::{AmendmentStep, AmendmentStepKind, Amendments};
use detente_core::scenario::model::Input;

/// Puts a step on an input into words, as a command: "set troops to 500".
pub fn step(input: &Input, step: &AmendmentStep) -> String {
    let id = &input.id;
    match step.kind {
        AmendmentStepKind::Member { member, inside: true } => {
            format!("add {} to {id}", entry_id(&input.domain, member))
        }
        AmendmentStepKind::Member { member, inside: false } => {
            format!("drop {} from {id}", entry_id(&input.domain, member))
        }
        AmendmentStepKind::Set(answer) if step.settles_open => {
            format!("settle {id} as {}", answer_alone(input, &answer))
        }
        AmendmentStepKind::Set(answer) => format!("set {id} to {}", answer_alone(input, &answer)),
    }
}

/// Puts one amendment into a sentence. `steps` are its steps in words.
pub fn amendment(steps: &[&str]) -> String {
    match steps {
        [] => "The proposal passes as it is.".to_owned(),
        steps => format!("{}.", capitalised(&steps.join("; "))),
    }
}

/// Puts the result of a search for amendments into words.
///
/// `unrecorded` is the number of red lines that are not yet recorded on the day.
pub fn summary(found: &Amendments, unrecorded: usize) -> String {
    let lead = match (found.found.as_slice(), found.any) {
        (_, None) => "Whether a package passes is not known.".to_owned(),
        (_, Some(false)) => "No package passes: no amendment helps; the impasse says why.".to_owned(),
        ([], Some(true)) => "Packages pass, but the nearest is not known.".to_owned(),
        ([first, ..], _) if first.answers.is_empty() => "The proposal passes as it is. That is not consent.".to_owned(),
        (all, _) => {
            let ways = counted(all.len(), "nearest amendment");
            format!("{ways}, in order of distance; no nearer package passes. Passing is not consent.")
        }
    };
    lead + &not_recorded(unrecorded) + incomplete(found.cut_short)
}
