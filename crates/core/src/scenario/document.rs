//! Parses YAML into a tree of nodes with their places in the file.
//!
//! Accepts only plain YAML: one document, no anchors, aliases or tags, and each key once. A file then means what it
//! appears to mean, and a small file cannot expand to a large tree. Must not know of the scenario format.

use super::diagnostics::{Faults, Place};
use super::limits::{MAX_DEPTH, MAX_FILE_BYTES, MAX_NODES};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::HashMap;

/// A YAML value with its place in the file.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) content: Content,
}

/// The content of a YAML value.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Scalar { text: String, style: ScalarStyle },
    Sequence(Vec<Node>),
    Mapping(Vec<(Key, Node)>),
}

/// A key of a mapping, with its place in the file.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) place: Place,
    pub(crate) text: String,
}

impl Node {
    /// Describes the kind of the value, for messages.
    pub(crate) fn describe(&self) -> &'static str {
        match &self.content {
            Content::Scalar { .. } if self.is_null() => "nothing",
            Content::Scalar { .. } if self.as_bool().is_some() => "true or false",
            Content::Scalar { .. } if self.as_integer().is_some() => "a number",
            Content::Scalar { .. } if self.plain().is_some_and(is_decimal) => "a number of more than 64 bits",
            Content::Scalar { .. } => "text",
            Content::Sequence(_) => "a list",
            Content::Mapping(_) => "a map",
        }
    }

    /// Returns the text of a plain scalar, which has no quotes and no `|` or `>`; `None` for any other value.
    fn plain(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, style: ScalarStyle::Plain } => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.plain(), Some("" | "~" | "null" | "Null" | "NULL"))
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self.plain()? {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }

    /// Returns the value of a decimal integer of at most 64 bits.
    ///
    /// Other notations of numbers, such as octal and hexadecimal, are text, because YAML readers interpret them
    /// differently.
    pub(crate) fn as_integer(&self) -> Option<i64> {
        let text = self.plain()?;
        if is_decimal(text) { text.parse().ok() } else { None }
    }

    /// Describes the value for a message of the form "expected ..., found ...".
    ///
    /// A short text is quoted; for any other value the kind is named.
    pub(crate) fn found(&self) -> String {
        const LONGEST: usize = 40;
        match self.as_text() {
            Some(text) if text.chars().count() <= LONGEST && !text.contains('\n') => format!("the text `{text}`"),
            _ => self.describe().to_owned(),
        }
    }

    /// Returns the value of a finite decimal number without an exponent.
    pub(crate) fn as_number(&self) -> Option<f64> {
        let text = self.plain()?;
        let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.'));
        if is_decimal { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
    }

    /// Returns the text of a scalar, quoted or not.
    ///
    /// `null`, `true`, `false` and decimal integers are text only in quotes.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. }
                if !self.is_null() && self.as_bool().is_none() && !self.plain().is_some_and(is_decimal) =>
            {
                Some(text)
            }
            _ => None,
        }
    }
}

/// Whether a word is a decimal integer.
///
/// A word with a leading zero is text, because some YAML readers take it for octal.
pub(crate) fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.is_empty()
        && (digits == "0" || !digits.starts_with('0'))
}

/// Parses a file into a tree. Returns `None` if the file is empty or cannot be parsed to its end.
pub(crate) fn parse(text: &str, faults: &mut Faults) -> Option<Node> {
    parse_within(MAX_NODES, text, faults)
}

/// Parses a file of at most `max_nodes` values, including keys, into a tree.
///
/// Returns `None` if the file is empty or cannot be parsed to its end.
pub(crate) fn parse_within(max_nodes: usize, text: &str, faults: &mut Faults) -> Option<Node> {
    if text.len() > MAX_FILE_BYTES {
        faults.add(Place::START, format!("the file is {} bytes long; the limit is {MAX_FILE_BYTES} bytes", text.len()));
        return None;
    }
    let mut events = Events { parser: Parser::new_from_str(text), nodes: 0, max_nodes };
    match events.document(faults) {
        Ok(node) => node,
        Err((place, message)) => {
            faults.add(place, message);
            None
        }
    }
}

/// A fault after which parsing cannot continue: its place and its message.
type FatalFault = (Place, String);

struct Events<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    nodes: usize,
    max_nodes: usize,
}

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Place), FatalFault> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, place(span))),
            Some(Err(error)) => {
                let marker = error.marker();
                let place = Place { start: marker.index(), end: marker.index() + 1 };
                Err((place, format!("invalid YAML: {}", error.info())))
            }
            None => Err((Place::START, "unexpected end of file".to_owned())),
        }
    }

    fn document(&mut self, faults: &mut Faults) -> Result<Option<Node>, FatalFault> {
        let mut root = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(root),
                (Event::DocumentStart(_), place) => {
                    if root.is_some() {
                        // The first document is still checked.
                        faults.add(place, "a second YAML document begins here; a file may contain only one");
                        return Ok(root);
                    }
                    let (event, place) = self.next()?;
                    root = Some(self.node(event, place, 0, faults)?);
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'a>, place: Place, depth: usize, faults: &mut Faults) -> Result<Node, FatalFault> {
        self.nodes += 1;
        if self.nodes > self.max_nodes {
            return Err((
                place,
                format!("the file has more than {} values, keys included, which is the limit", self.max_nodes),
            ));
        }
        if depth > MAX_DEPTH {
            return Err((place, format!("lists and maps nest more than {MAX_DEPTH} levels deep")));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                reject_decorations(anchor, tag.is_some(), place, faults);
                Ok(Node { place, content: Content::Scalar { text: text.into_owned(), style } })
            }
            Event::SequenceStart(anchor, tag) => {
                reject_decorations(anchor, tag.is_some(), place, faults);
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, end) => {
                            let place = Place { start: place.start, end: end.end };
                            return Ok(Node { place, content: Content::Sequence(items) });
                        }
                        (event, place) => items.push(self.node(event, place, depth + 1, faults)?),
                    }
                }
            }
            Event::MappingStart(anchor, tag) => {
                reject_decorations(anchor, tag.is_some(), place, faults);
                self.mapping(place, depth, faults)
            }
            Event::Alias(_) => {
                faults.add_alone(place, "aliases are not supported; write the value out");
                let content = Content::Scalar { text: String::new(), style: ScalarStyle::Plain };
                Ok(Node { place, content })
            }
            _ => Err((place, "expected a value".to_owned())),
        }
    }

    fn mapping(&mut self, start: Place, depth: usize, faults: &mut Faults) -> Result<Node, FatalFault> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut seen: HashMap<String, Place> = HashMap::new();
        loop {
            let (event, place) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let place = Place { start: start.start, end: place.end };
                return Ok(Node { place, content: Content::Mapping(entries) });
            }
            let key = self.node(event, place, depth + 1, faults)?;
            let (event, place) = self.next()?;
            let value = self.node(event, place, depth + 1, faults)?;
            let Content::Scalar { text, .. } = key.content else {
                faults.add(key.place, "a key must be a word, not a list or a map".to_owned());
                continue;
            };
            if let Some(first) = seen.get(&text) {
                faults.add_with_other(key.place, format!("duplicate key `{text}`"), *first, "first used here");
                continue;
            }
            seen.insert(text.clone(), key.place);
            entries.push((Key { place: key.place, text }, value));
        }
    }
}

/// Reports an anchor or a tag on a value.
fn reject_decorations(anchor: usize, tagged: bool, place: Place, faults: &mut Faults) {
    if anchor != 0 {
        faults.add(place, "anchors are not supported; write the value out where it is needed".to_owned());
    }
    if tagged {
        faults.add(place, "tags are not supported; remove the tag".to_owned());
    }
}

fn place(span: Span) -> Place {
    Place { start: span.start.index(), end: span.end.index() }
}

/// Returns the place in the file of the byte at `offset` in a scalar's text.
///
/// Folding, quoting and indentation change white space, but keep the other characters and their order. The function
/// therefore counts characters that are not white space.
pub(crate) fn place_within(node: &Node, offset: usize, characters: &[char]) -> Place {
    let Content::Scalar { text, style } = &node.content else { return node.place };
    let before = text.get(..offset).unwrap_or(text).chars().filter(|character| !character.is_whitespace()).count();
    // The place of a block scalar begins with its content, after the line with `|` or `>`; that of a quoted scalar
    // begins with its quote.
    let quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
    let mut at = node.place.start + usize::from(quoted);
    // A fault at the end, such as a missing operand, is placed immediately after the last character.
    let (mut left, mut after_last) = (before, at);
    while at < node.place.end {
        let Some((width, visible)) = encoded(characters.get(at..).unwrap_or_default(), *style) else { break };
        if visible {
            if left == 0 {
                return Place { start: at, end: at + width };
            }
            left -= 1;
            after_last = at + width;
        }
        at += width;
    }
    Place { start: after_last, end: after_last + 1 }
}

/// Measures the next character of a scalar in the file.
///
/// Returns the number of characters of the file that encode it, and whether it is not white space; `None` at the
/// closing quote and at the end.
fn encoded(rest: &[char], style: ScalarStyle) -> Option<(usize, bool)> {
    let (first, second) = (*rest.first()?, rest.get(1).copied());
    match (style, first, second) {
        (ScalarStyle::DoubleQuoted, '"', _) => None,
        (ScalarStyle::SingleQuoted, '\'', Some('\'')) => Some((2, true)),
        (ScalarStyle::SingleQuoted, '\'', _) => None,
        (ScalarStyle::DoubleQuoted, '\\', Some(escape)) => {
            let digits = match escape {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                _ => 0,
            };
            let code: Option<u32> = rest
                .iter()
                .skip(2)
                .take(digits)
                .try_fold(0u32, |code, digit| Some(code.checked_mul(16)? + digit.to_digit(16)?));
            let visible = match escape {
                'x' | 'u' | 'U' => code.and_then(char::from_u32).is_some_and(|character| !character.is_whitespace()),
                // Escapes for spaces, tabs and line ends; an escaped line break encodes no character.
                't' | 'n' | 'v' | 'f' | 'r' | 'N' | '_' | 'L' | 'P' => false,
                other => !other.is_whitespace(),
            };
            Some((2 + digits, visible))
        }
        _ => Some((1, !first.is_whitespace())),
    }
}
