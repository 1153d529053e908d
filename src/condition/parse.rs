//! From text to CEL's syntax tree, with the text bounded before the parser sees it.

use super::typing::{ConditionFault, ConditionFaultKind};
use cel::common::ast::{IdedExpr, SourceInfo};

/// The longest condition, in bytes.
pub const MAX_CONDITION_BYTES: usize = 4_096;
/// The deepest nesting of brackets, and the longest run of operators without an operand between them.
pub const MAX_CONDITION_NESTING: usize = 24;
/// Longer chains are cut off by the parser itself.
const MAX_PARSER_RECURSION: u16 = 96;
/// One fault of syntax is enough: recovering from many is where parsers lose themselves.
const MAX_PARSER_RECOVERIES: u32 = 4;

/// Parses a condition. Macros stay calls.
pub(super) fn parse(text: &str) -> Result<(IdedExpr, SourceInfo), Vec<ConditionFault>> {
    guard(text).map_err(|fault| vec![fault])?;
    let parser = cel::Env::default()
        .with_optional_support(false)
        .parser()
        .max_recursion_depth(MAX_PARSER_RECURSION)
        .error_recovery_limit(MAX_PARSER_RECOVERIES);
    parser.parse_with_source_info(text).map_err(|errors| {
        // Later messages mostly follow from the first.
        let first = errors.errors.into_iter().next();
        let (at, message) = first.map_or((0, String::new()), |error| (byte_at(text, error.pos), error.msg));
        vec![ConditionFault { at, kind: ConditionFaultKind::Syntax { message: sentence(&message) } }]
    })
}

/// The parser's message without its prefix, and without the list of all that could have stood there.
fn sentence(message: &str) -> String {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    message
        .split_once(" expecting {")
        .map_or(message, |(found, _)| found)
        .replace("'<EOF>'", "the end")
        .replace("<EOF>", "the end")
        .replace('\'', "`")
}

/// The byte at a line and column, both counted from one, columns in characters.
fn byte_at(text: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line).unwrap_or(1).saturating_sub(1);
    let column = usize::try_from(column).unwrap_or(1).saturating_sub(1);
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column).map_or(rest.trim_end().len(), |(offset, _)| offset)
}

/// Refuses what is too long or too deep, without recursion.
fn guard(text: &str) -> Result<(), ConditionFault> {
    let fault = |at, kind| Err(ConditionFault { at, kind });
    if text.len() > MAX_CONDITION_BYTES {
        return fault(0, ConditionFaultKind::TooLong { bytes: text.len() });
    }
    let (mut depth, mut run) = (0usize, 0usize);
    let mut quote = None;
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        if let Some(open) = quote {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                _ if character == open => quote = None,
                _ => {}
            }
            run = 0;
            continue;
        }
        match character {
            '"' | '\'' => quote = Some(character),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        run = match character {
            '!' | '-' | '?' | ':' => run + 1,
            _ if character.is_whitespace() => run,
            _ => 0,
        };
        if depth > MAX_CONDITION_NESTING || run > MAX_CONDITION_NESTING {
            return fault(at, ConditionFaultKind::TooDeep);
        }
    }
    Ok(())
}
