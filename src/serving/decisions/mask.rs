//! Masks, which keep confidential values out of the decision log.
//!
//! A mask is a path into a line of the log; the values to which it leads are replaced. Must not know how lines are
//! written.

use serde_json::Value;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// The names of a line's top-level fields.
pub const FIELDS: [&str; 15] = [
    "time",
    "request_id",
    "trace_id",
    "caller",
    "method",
    "item",
    "scenario",
    "revision",
    "as_of",
    "verdict",
    "could_become",
    "crossed",
    "cached",
    "duration_us",
    "request",
];
/// The replacement of a masked value.
const MASKED: &str = "masked";
/// Maximum length of a name in a path, in bytes.
const MAX_SEGMENT: usize = 64;

/// A path into a line of the decision log, such as `caller` or `request.proposal.terms.members`.
///
/// A list on the path stands for all of its items.
///
/// Fields of the request have two names: that of the schema (`proposal_name`) and that of the JSON form
/// (`proposalName`). A mask can use either, because a mask that silently matches nothing would reveal what it should
/// hide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    path: String,
    /// The names in the path, each as the mask gives it and in its JSON form.
    segments: Vec<(String, String)>,
}

/// Why a text is not a mask.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MaskError {
    /// The text is not a path.
    #[error("`{0}` is not a path; join names with dots, as in `request.proposal.terms`")]
    NotAPath(String),
    /// The path begins with an unknown field.
    #[error("`{0}` is not a field of a decision; expected one of {known}", known = FIELDS.join(", "))]
    UnknownField(String),
}

impl FromStr for Mask {
    type Err = MaskError;

    fn from_str(path: &str) -> Result<Self, MaskError> {
        let is_name = |segment: &str| {
            (1..=MAX_SEGMENT).contains(&segment.len())
                && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if !path.split('.').all(is_name) {
            return Err(MaskError::NotAPath(path.chars().take(MAX_SEGMENT).collect()));
        }
        match path.split('.').next() {
            Some(first) if !FIELDS.contains(&first) => Err(MaskError::UnknownField(first.to_owned())),
            _ => {
                let segments = path.split('.').map(|segment| (segment.to_owned(), camel(segment))).collect();
                Ok(Self { path: path.to_owned(), segments })
            }
        }
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

impl Mask {
    /// Replaces every value to which the path leads.
    pub(super) fn apply(&self, line: &mut Value) {
        replace(line, &self.segments);
    }
}

fn replace(value: &mut Value, path: &[(String, String)]) {
    let Some(((name, json), rest)) = path.split_first() else {
        *value = MASKED.into();
        return;
    };
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, path)),
        Value::Object(fields) => {
            let named = fields.iter_mut().filter(|(field, _)| *field == name || *field == json);
            named.for_each(|(_, value)| replace(value, rest));
        }
        _ => {}
    }
}

/// Converts a field's name to its JSON form.
fn camel(name: &str) -> String {
    let mut upper = false;
    let mut out = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '_' => upper = true,
            _ => {
                out.push(if upper { letter.to_ascii_uppercase() } else { letter });
                upper = false;
            }
        }
    }
    out
}
