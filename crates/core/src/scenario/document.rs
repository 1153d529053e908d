//! YAML as a tree in which everything knows its place.
//!
//! Plain YAML only: one document, no anchors, aliases or tags, every key once. That keeps a file what it looks like,
//! and a small file from growing large.

use super::diagnostics::{Faults, Place};
use super::limits::{MAX_DEPTH, MAX_FILE_BYTES, MAX_NODES};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::HashMap;

/// A value with its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) content: Content,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Scalar { text: String, style: ScalarStyle },
    Sequence(Vec<Node>),
    Mapping(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) place: Place,
    pub(crate) text: String,
}

impl Node {
    /// The value under a key.
    fn value(&self, key: &str) -> Option<&Node> {
        let Content::Mapping(entries) = &self.content else { return None };
        entries.iter().find(|(entry, _)| entry.text == key).map(|(_, value)| value)
    }

    /// The ids of the maps in the list under a key, each with its place.
    pub(crate) fn ids_within(&self, key: &str) -> Vec<(&str, Place)> {
        let Some(Node { content: Content::Sequence(items), .. }) = self.value(key) else { return Vec::new() };
        let ids = items.iter().filter_map(|item| {
            let id = item.value("id")?;
            Some((id.as_text()?, id.place))
        });
        ids.collect()
    }

    pub(crate) fn describe(&self) -> &'static str {
        match &self.content {
            Content::Scalar { .. } if self.is_null() => "nothing",
            Content::Scalar { .. } if self.as_bool().is_some() => "true or false",
            Content::Scalar { .. } if self.as_integer().is_some() => "a number",
            Content::Scalar { .. } if self.plain().is_some_and(is_decimal) => "a number of more than 64 bits",
            Content::Scalar { .. } => "a text",
            Content::Sequence(_) => "a list",
            Content::Mapping(_) => "a map",
        }
    }

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

    /// A decimal integer. Other notations of numbers are texts here, so that nothing is read as what it isn't.
    pub(crate) fn as_integer(&self) -> Option<i64> {
        let text = self.plain()?;
        if is_decimal(text) { text.parse().ok() } else { None }
    }

    /// What a message says of a value that is not what is expected: a text by its words, if they are few.
    pub(crate) fn found(&self) -> String {
        const LONGEST: usize = 40;
        match self.as_text() {
            Some(text) if text.chars().count() <= LONGEST && !text.contains('\n') => format!("the text `{text}`"),
            _ => self.describe().to_owned(),
        }
    }

    /// A decimal number.
    pub(crate) fn as_number(&self) -> Option<f64> {
        let text = self.plain()?;
        let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.'));
        if is_decimal { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
    }

    /// A text, whether quoted or not. What looks like a number or a truth needs quotes to be one.
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

/// Whether a word is a decimal integer. With a zero in front it is a text: some readers of YAML take it for octal.
pub(crate) fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.is_empty()
        && (digits == "0" || !digits.starts_with('0'))
}

/// Reads a file into a tree. `None` where there is none to speak of.
pub(crate) fn parse(text: &str, faults: &mut Faults) -> Option<Node> {
    parse_within(MAX_NODES, text, faults)
}

/// Reads a file of at most `max_nodes` values, keys included, into a tree. `None` if the file holds no value.
pub(crate) fn parse_within(max_nodes: usize, text: &str, faults: &mut Faults) -> Option<Node> {
    if text.len() > MAX_FILE_BYTES {
        faults.add(Place::START, format!("the file has {} bytes; at most {MAX_FILE_BYTES} are read", text.len()));
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

type Stop = (Place, String);

struct Events<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    nodes: usize,
    max_nodes: usize,
}

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Place), Stop> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, place(span))),
            Some(Err(error)) => {
                let marker = error.marker();
                let place = Place { start: marker.index(), end: marker.index() + 1 };
                Err((place, format!("this is not YAML: {}", error.info())))
            }
            None => Err((Place::START, "the file ends too early".to_owned())),
        }
    }

    fn document(&mut self, faults: &mut Faults) -> Result<Option<Node>, Stop> {
        let mut root = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(root),
                (Event::DocumentStart(_), place) => {
                    if root.is_some() {
                        // The first document is still checked.
                        faults.add(place, "a second document begins here; one file is one document");
                        return Ok(root);
                    }
                    let (event, place) = self.next()?;
                    root = Some(self.node(event, place, 0, faults)?);
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'a>, place: Place, depth: usize, faults: &mut Faults) -> Result<Node, Stop> {
        self.nodes += 1;
        if self.nodes > self.max_nodes {
            return Err((place, format!("the file has more than {} values", self.max_nodes)));
        }
        if depth > MAX_DEPTH {
            return Err((place, format!("lists and maps nest more than {MAX_DEPTH} deep here")));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                plain(anchor, tag.is_some(), place, faults);
                Ok(Node { place, content: Content::Scalar { text: text.into_owned(), style } })
            }
            Event::SequenceStart(anchor, tag) => {
                plain(anchor, tag.is_some(), place, faults);
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
                plain(anchor, tag.is_some(), place, faults);
                self.mapping(place, depth, faults)
            }
            Event::Alias(_) => {
                faults.add_alone(place, "an alias; write the value out");
                let content = Content::Scalar { text: String::new(), style: ScalarStyle::Plain };
                Ok(Node { place, content })
            }
            _ => Err((place, "a value is expected here".to_owned())),
        }
    }

    fn mapping(&mut self, start: Place, depth: usize, faults: &mut Faults) -> Result<Node, Stop> {
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
                faults.add(key.place, "a key is a plain word".to_owned());
                continue;
            };
            if let Some(first) = seen.get(&text) {
                faults.add_with_other(key.place, format!("the key `{text}` is here already"), *first, "first here");
                continue;
            }
            seen.insert(text.clone(), key.place);
            entries.push((Key { place: key.place, text }, value));
        }
    }
}

fn plain(anchor: usize, tagged: bool, place: Place, faults: &mut Faults) {
    if anchor != 0 {
        faults.add(place, "an anchor; write the value out where it is needed".to_owned());
    }
    if tagged {
        faults.add(place, "a tag; leave it out".to_owned());
    }
}

fn place(span: Span) -> Place {
    Place { start: span.start.index(), end: span.end.index() }
}

/// The place of the `offset`-th byte of a scalar's text, in the file. Folding, quoting and indenting move characters
/// about, but keep those that are not white space, in order: so these are counted.
pub(crate) fn place_within(node: &Node, offset: usize, characters: &[char]) -> Place {
    let Content::Scalar { text, style } = &node.content else { return node.place };
    let before = text.get(..offset).unwrap_or(text).chars().filter(|character| !character.is_whitespace()).count();
    // A block's place begins with its content, past the header; a quoted scalar's with its quote.
    let quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
    let mut at = node.place.start + usize::from(quoted);
    // What stands at the end, a missing operand say, is shown right behind the last character.
    let (mut left, mut behind) = (before, at);
    while at < node.place.end {
        let Some((width, visible)) = written(characters.get(at..).unwrap_or_default(), *style) else { break };
        if visible {
            if left == 0 {
                return Place { start: at, end: at + width };
            }
            left -= 1;
            behind = at + width;
        }
        at += width;
    }
    Place { start: behind, end: behind + 1 }
}

/// How many characters of the file write the next one of a scalar, and whether that is not white space.
fn written(rest: &[char], style: ScalarStyle) -> Option<(usize, bool)> {
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
                // Spaces, tabs, line ends of all kinds; a broken line is no character at all.
                't' | 'n' | 'v' | 'f' | 'r' | 'N' | '_' | 'L' | 'P' => false,
                other => !other.is_whitespace(),
            };
            Some((2 + digits, visible))
        }
        _ => Some((1, !first.is_whitespace())),
    }
}
