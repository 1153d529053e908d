//! The numbers of hypotheses and the lengths of conditions, which are checked before a request waits for a worker.
//!
//! Conditions are compiled on workers, because that takes milliseconds. A request that breaks one of these limits does
//! not wait for one: the checks take microseconds, and need no scenario. Must not know what a condition means.

use crate::error::{ApiError, Violations};
use crate::schema::proto::v1::hypothesis::Kind;
use crate::schema::proto::v1::supposed_red_line::Condition;
use crate::schema::proto::v1::{Aim, Hypothesis};
use detente_condition::MAX_CONDITION_BYTES;

/// Maximum number of hypotheses in one call.
pub const MAX_HYPOTHESES: usize = 32;

/// Whether a request with these hypotheses is validated on a worker. With too many hypotheses, none is compiled, so that
/// the request can be refused at once, with all its faults.
pub fn needs_worker(hypotheses: &[Hypothesis]) -> bool {
    (1..=MAX_HYPOTHESES).contains(&hypotheses.len())
}

/// Checks the number of hypotheses, and the length of each condition in them.
///
/// # Errors
/// [`ApiError::InvalidRequest`] with the faults of this kind only.
pub fn check_hypotheses(hypotheses: &[Hypothesis]) -> Result<(), ApiError> {
    let mut violations = Violations::default();
    if is_short_list(hypotheses, &mut violations) {
        for (at, hypothesis) in hypotheses.iter().enumerate() {
            let Some(Kind::AddRedLine(line)) = &hypothesis.kind else { continue };
            match &line.condition {
                Some(Condition::Rejects(text)) => {
                    check_condition(text, &format!("hypotheses[{at}].add_red_line.rejects"), &mut violations);
                }
                Some(Condition::Requires(text)) => {
                    check_condition(text, &format!("hypotheses[{at}].add_red_line.requires"), &mut violations);
                }
                None => {}
            }
        }
    }
    violations.into_result()
}

/// Checks the length of the goal.
///
/// # Errors
/// [`ApiError::InvalidRequest`] if it is too long.
pub fn check_goal(aim: Option<&Aim>) -> Result<(), ApiError> {
    let mut violations = Violations::default();
    check_condition(aim.map_or("", |aim| aim.goal.as_str()), "aim.goal", &mut violations);
    violations.into_result()
}

/// Checks the number of hypotheses; `false` if there are too many.
pub(super) fn is_short_list(hypotheses: &[Hypothesis], violations: &mut Violations) -> bool {
    let is_short = hypotheses.len() <= MAX_HYPOTHESES;
    if !is_short {
        let text = format!("the list has {} hypotheses; at most {MAX_HYPOTHESES} are allowed", hypotheses.len());
        violations.over("hypotheses", "hypotheses", text);
    }
    is_short
}

fn check_condition(text: &str, field: &str, violations: &mut Violations) {
    if text.len() > MAX_CONDITION_BYTES {
        let bytes = text.len();
        // The text is that of the compiler, which checks the length, too.
        let text =
            format!("at character 1: the condition is {bytes} bytes long; the limit is {MAX_CONDITION_BYTES} bytes");
        violations.over("conditions", field, text);
    }
}
