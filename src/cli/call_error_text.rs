//! Rejected requests in the terms of the command line: flags in place of the fields of the API.
//!
//! Must not know the commands. Fields without a flag keep their names.

use crate::error::CallError;

/// Fields of requests, each with the flag or argument that sets it.
///
/// The path of an element or of a nested field begins with one of these names.
const FLAGS: [(&str, &str); 26] = [
    ("aim.floor", "--floor"),
    ("aim.goal", "--goal"),
    ("aim.pins", "--pin"),
    ("aim.third_parties", "--third-party"),
    ("as_of", "--as-of"),
    ("circumstances", "--given"),
    ("cleared_issues", "--clear"),
    ("disagreement", "--disagreement"),
    ("efficient", "--efficient"),
    ("filter.firmness_at_least", "--firmness-at-least"),
    ("filter.held_on", "--held-on"),
    ("filter.issue", "--issue"),
    ("filter.party", "--party"),
    ("filter.text", "--text"),
    ("from", "--from"),
    ("hypotheses", "--suppose"),
    ("max_amendments", "--max"),
    ("max_packages", "--max"),
    ("max_results", "--max"),
    ("order_by", "--order-by"),
    ("overrides", "--set"),
    ("probabilities", "--probability"),
    ("proposal_name", "PROPOSAL"),
    ("scenario", "--scenario-name"),
    ("sweep", "--sweep"),
    ("to", "--to"),
];

/// The error text for a rejected request: each fault with the flag that caused it.
pub(super) fn call_error_text(error: &CallError) -> String {
    match error.faults() {
        [] => error.to_string(),
        [(field, fault)] if error.fault_count() == 1 => format!("{}: {fault}", flag(field)),
        faults => {
            let lines = faults.iter().map(|(field, fault)| format!("\n  {}: {fault}", flag(field)));
            format!("{} faults{}{}", error.fault_count(), lines.collect::<String>(), error.rest())
        }
    }
}

/// The flag that sets a field. If the flag is repeated, its second and later values are numbered.
fn flag(field: &str) -> String {
    let found = FLAGS.iter().find_map(|(name, flag)| {
        let rest = field.strip_prefix(name)?;
        (rest.is_empty() || rest.starts_with(['.', '['])).then_some((*flag, rest))
    });
    let Some((flag, rest)) = found else { return field.to_owned() };
    let index = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')?.0.parse::<usize>().ok());
    let number = index.filter(|index| *index > 0).map_or_else(String::new, |index| format!(" (number {})", index + 1));
    // A fault in a condition states its place within the condition, not within the value of the flag.
    let part = if rest.ends_with(".rejects") || rest.ends_with(".requires") { ", in the condition" } else { "" };
    format!("{flag}{number}{part}")
}

#[cfg(test)]
mod tests {
    use super::flag;

    #[test]
    fn fields_become_flags_and_repeated_flags_are_numbered() {
        for (field, expected) in [
            ("aim.goal", "--goal"),
            ("to", "--to"),
            ("cleared_issues[0]", "--clear"),
            ("hypotheses[1].add_red_line.rejects", "--suppose (number 2), in the condition"),
            ("aim.third_parties.parties[0]", "--third-party"),
            ("total", "total"),
            ("proposal.terms[0].choice", "proposal.terms[0].choice"),
        ] {
            assert_eq!(flag(field), expected);
        }
    }
}
