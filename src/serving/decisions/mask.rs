//! Masks, which keep confidential values out of the decision log.
//!
//! A mask is a path into a line of the log; the values to which it leads are replaced. A path that leads nowhere is
//! rejected as a whole, because a misspelt mask would reveal what it should hide. Must not know how lines are written,
//! or which fields a request has: the paths of these fields come in as arguments.

use detente_condition::{did_you_mean, nearest};
use serde_json::Value;
use std::fmt;
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
/// The top-level field that contains the request.
const REQUEST: &str = "request";
/// The paths of the fields below the top-level ones, except those of the request.
const NESTED: [&str; 2] = ["crossed.red_line", "crossed.firmness"];
/// The replacement of a masked value.
const MASKED: &str = "masked";
/// Maximum length of a name in a path, in bytes.
const MAX_SEGMENT: usize = 64;

/// A path into a line of the decision log, such as `caller` or `request.proposal.terms.members`.
///
/// A list on the path stands for all of its items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    path: String,
    /// The names in the path, as lines write them.
    segments: Vec<String>,
}

/// Why a text is not a mask.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MaskError {
    /// The text is not a path.
    #[error("`{0}` is not a path; join names with dots, as in `request.proposal.terms`")]
    NotAPath(String),
    /// The path leads to no field, so it would mask nothing.
    #[error("`{path}` is not a field of a decision; {hint}")]
    UnknownField {
        /// The path.
        path: String,
        /// The nearest known path, or the fields with which a path may begin.
        hint: String,
    },
}

/// The path of a field of the request, below the request: as the schema spells it (`proposal.terms.any_of`), and as
/// the JSON form does (`proposal.terms.anyOf`).
pub type RequestPath = (String, String);

impl Mask {
    /// Parses a path. `request` has the paths of all fields of a request.
    ///
    /// Fields of the request have two names: that of the schema (`proposal_name`) and that of the JSON form
    /// (`proposalName`). A mask can use either.
    ///
    /// # Errors
    /// If the text is not a path, or the path leads to no field of a line; the error has the nearest path that does.
    pub fn parse(path: &str, request: &[RequestPath]) -> Result<Self, MaskError> {
        let is_name = |segment: &str| {
            (1..=MAX_SEGMENT).contains(&segment.len())
                && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if !path.split('.').all(is_name) {
            return Err(MaskError::NotAPath(path.chars().take(MAX_SEGMENT).collect()));
        }
        let written = match path.split_once('.') {
            Some((REQUEST, below)) => {
                let found = request.iter().find(|known| is_path_of(below, known));
                found.map(|(_, json)| format!("{REQUEST}.{json}"))
            }
            _ => FIELDS.into_iter().chain(NESTED).find(|known| *known == path).map(str::to_owned),
        };
        let written = written.ok_or_else(|| unknown(path, request))?;
        Ok(Self { path: path.to_owned(), segments: written.split('.').map(str::to_owned).collect() })
    }

    /// Replaces every value to which the path leads.
    pub(super) fn apply(&self, line: &mut Value) {
        replace(line, &self.segments);
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// Whether `path` is the path of the field, each of its names in either spelling.
fn is_path_of(path: &str, (schema, json): &RequestPath) -> bool {
    let mut known = schema.split('.').zip(json.split('.'));
    path.split('.').all(|name| known.next().is_some_and(|(schema, json)| name == schema || name == json))
        && known.next().is_none()
}

fn unknown(path: &str, request: &[RequestPath]) -> MaskError {
    let below: Vec<String> = request.iter().map(|(schema, _)| format!("{REQUEST}.{schema}")).collect();
    let known = FIELDS.into_iter().chain(NESTED).chain(below.iter().map(String::as_str));
    let hint = match nearest(path, known) {
        Some(nearest) => did_you_mean(Some(nearest)).trim_start_matches("; ").to_owned(),
        None => format!("a path begins with one of {}", FIELDS.join(", ")),
    };
    MaskError::UnknownField { path: path.to_owned(), hint }
}

fn replace(value: &mut Value, path: &[String]) {
    let Some((name, rest)) = path.split_first() else {
        *value = MASKED.into();
        return;
    };
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, path)),
        Value::Object(fields) => fields.get_mut(name).into_iter().for_each(|value| replace(value, rest)),
        _ => {}
    }
}
