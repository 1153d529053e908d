//! Checks an XML file before it is parsed, so that the cost of parsing stays in proportion to the size of the file.
//!
//! Owns the bounds on tags and nesting. A parser compares each attribute of a tag with the others, and passes
//! namespaces from each element to its children, so this check limits tags and depth, and rejects namespaces and
//! entities. Must not know of GENIUS.

use super::fault::GeniusError;
use super::limits::{MAX_DEPTH, MAX_TAG_BYTES};

/// The kind of one piece of markup.
enum Markup {
    Opening,
    Closing,
    /// An element without content, a comment, CDATA or an instruction.
    SelfContained,
}

/// Returns the first violation of the bounds in a text, with its byte offset.
///
/// The parser reports ill-formed markup.
pub(super) fn find_violation(text: &str) -> Option<(usize, GeniusError)> {
    let (mut at, mut depth) = (0, 0usize);
    while let Some(start) = text.get(at..).and_then(|rest| rest.find('<')).map(|found| at + found) {
        let rest = text.get(start..).unwrap_or_default();
        let (length, markup) = match markup(rest) {
            Ok(found) => found,
            Err(cause) => return Some((start, cause)),
        };
        match markup {
            Markup::Opening if depth == MAX_DEPTH => return Some((start, GeniusError::TooDeep)),
            Markup::Opening => depth += 1,
            Markup::Closing => depth = depth.saturating_sub(1),
            Markup::SelfContained => {}
        }
        at = start + length;
    }
    None
}

/// Returns the markup at the start of a text, and its length in bytes.
fn markup(text: &str) -> Result<(usize, Markup), GeniusError> {
    for (opening, closing) in [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")] {
        if let Some(content) = text.strip_prefix(opening) {
            let end = content.find(closing).map_or(text.len(), |end| opening.len() + end + closing.len());
            return Ok((end, Markup::SelfContained));
        }
    }
    if text.starts_with("<!") {
        return Err(GeniusError::DocumentType);
    }
    let (mut quote, mut before) = (None, b'<');
    for (at, byte) in text.bytes().enumerate().skip(1) {
        if at >= MAX_TAG_BYTES {
            return Err(GeniusError::TagTooLong);
        }
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'x') if text.get(at..).is_some_and(|rest| rest.starts_with("xmlns")) => {
                return Err(GeniusError::Namespace);
            }
            (None, b'>') => {
                let markup = match (before, text.as_bytes().get(1)) {
                    (b'/', _) => Markup::SelfContained,
                    (_, Some(b'/')) => Markup::Closing,
                    _ => Markup::Opening,
                };
                return Ok((at + 1, markup));
            }
            _ => {}
        }
        before = byte;
    }
    Ok((text.len(), Markup::SelfContained))
}
