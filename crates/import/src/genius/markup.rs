//! What is looked at before XML is parsed: that it cannot cost more than its size. A parser compares each attribute of
//! a tag with the others, and carries namespaces from each element to those within; so tags are short here, elements
//! nest little, and there are no namespaces and no entities.

use super::fault::Cause;
use super::{MAX_DEPTH, MAX_TAG_BYTES};

/// What stands between angle brackets.
enum Markup {
    Opening,
    Closing,
    /// An element without content, a comment, CDATA or an instruction.
    Alone,
}

/// What of a text's markup is beyond these bounds first, with its byte. What is ill-formed is left for the parser to
/// tell.
pub(super) fn beyond_bounds(text: &str) -> Option<(usize, Cause)> {
    let (mut at, mut depth) = (0, 0usize);
    while let Some(start) = text.get(at..).and_then(|rest| rest.find('<')).map(|found| at + found) {
        let rest = text.get(start..).unwrap_or_default();
        let (length, markup) = match markup(rest) {
            Ok(found) => found,
            Err(cause) => return Some((start, cause)),
        };
        match markup {
            Markup::Opening if depth == MAX_DEPTH => return Some((start, Cause::TooDeep)),
            Markup::Opening => depth += 1,
            Markup::Closing => depth = depth.saturating_sub(1),
            Markup::Alone => {}
        }
        at = start + length;
    }
    None
}

/// The markup that a text begins with, and its length.
fn markup(text: &str) -> Result<(usize, Markup), Cause> {
    for (opening, closing) in [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")] {
        if let Some(content) = text.strip_prefix(opening) {
            let end = content.find(closing).map_or(text.len(), |end| opening.len() + end + closing.len());
            return Ok((end, Markup::Alone));
        }
    }
    if text.starts_with("<!") {
        return Err(Cause::DocumentType);
    }
    let (mut quote, mut before) = (None, b'<');
    for (at, byte) in text.bytes().enumerate().skip(1) {
        if at >= MAX_TAG_BYTES {
            return Err(Cause::TagTooLong);
        }
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'x') if text.get(at..).is_some_and(|rest| rest.starts_with("xmlns")) => {
                return Err(Cause::Namespace);
            }
            (None, b'>') => {
                let markup = match (before, text.as_bytes().get(1)) {
                    (b'/', _) => Markup::Alone,
                    (_, Some(b'/')) => Markup::Closing,
                    _ => Markup::Opening,
                };
                return Ok((at + 1, markup));
            }
            _ => {}
        }
        before = byte;
    }
    Ok((text.len(), Markup::Alone))
}
