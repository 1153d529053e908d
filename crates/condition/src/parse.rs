//! Parses the text of a condition into CEL's syntax tree.
//!
//! Before the parser sees the text, [`scan`] checks its length and nesting. Must not know of names or types.

use super::budget::WorkBudget;
use super::fault::{ConditionError, ConditionErrorKind};
use super::scan::scan;
use cel::common::ast::{IdedExpr, SourceInfo};

/// The parser's recursion limit.
///
/// The scan rejects deeper texts first; this limit is the second line of defence.
const MAX_PARSER_RECURSION: u16 = 96;
/// The maximum number of syntax errors after which the parser continues.
///
/// The limit is low, because only the first syntax error is reported, and continuing after one is costly.
const MAX_PARSER_RECOVERIES: u32 = 4;

/// Parses a condition. Macros are not expanded; they remain calls in the syntax tree.
pub(super) fn parse(text: &str, work: &mut WorkBudget) -> Result<(IdedExpr, SourceInfo), Vec<ConditionError>> {
    let steps = scan(text).map_err(|fault| vec![fault])?;
    work.spend(steps).map_err(|cause| vec![ConditionError { at: 0, kind: cause.into() }])?;
    let parser = cel::Env::default()
        .with_optional_support(false)
        .parser()
        .max_recursion_depth(MAX_PARSER_RECURSION)
        .error_recovery_limit(MAX_PARSER_RECOVERIES);
    parser.parse_with_source_info(text).map_err(|errors| {
        // Report only the first message, because most later ones are consequences of it.
        let first = errors.errors.into_iter().next();
        let (at, message) = first.map_or((0, String::new()), |error| (byte_at(text, error.pos), error.msg));
        vec![ConditionError { at, kind: ConditionErrorKind::Syntax { message: readable(&message) } }]
    })
}

/// Removes the prefix of a parser message and its list of all tokens that would have been valid.
fn readable(message: &str) -> String {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    message
        .split_once(" expecting {")
        .map_or(message, |(found, _)| found)
        .replace("'<EOF>'", "the end")
        .replace("<EOF>", "the end")
        .replace('\'', "`")
}

/// Returns the byte offset of a place given by line and column. Both are counted from one; columns count characters.
fn byte_at(text: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line).unwrap_or(1).saturating_sub(1);
    let column = usize::try_from(column).unwrap_or(1).saturating_sub(1);
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column).map_or(rest.trim_end().len(), |(offset, _)| offset)
}
