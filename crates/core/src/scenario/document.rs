//! Parses YAML into a tree of nodes with their places in the file.
//!
//! Accepts only plain YAML: one document, no anchors, aliases or tags, and each key once. A file then means what it
//! appears to mean, and a small file cannot expand to a large tree.
//!
//! A file is parsed twice. The first pass keeps nothing but the number of children of each list and map; it rejects a
//! file that has too many values or nests too deeply before any of the tree exists. The second pass builds the tree,
//! with these numbers, so that no list of nodes ever has to grow. Both passes read the file through an input that ends
//! within a value that is too long, before the parser has collected the value. Must not know of the scenario format.

use super::characters::Characters;
use super::diagnostics::{Faults, Place};
use super::limits::{MAX_DEPTH, MAX_FAULTS, MAX_FILE_BYTES, max_nodes};
use super::measured_input::{MeasuredInput, SpanLimit};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::str::Chars;

/// A YAML value with its place in the file.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) content: Content,
}

/// The content of a YAML value.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Scalar { text: Box<str>, style: ScalarStyle },
    Sequence(Box<[Node]>),
    Mapping(Box<[(Key, Node)]>),
}

/// A key of a mapping, with its place in the file.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) place: Place,
    pub(crate) text: Box<str>,
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

/// Parses a file of at most `max_bytes`, with as many values as its size allows, into a tree.
///
/// Returns `None` if the file is empty or cannot be parsed to its end.
pub(crate) fn parse_file(text: &str, max_bytes: usize, faults: &mut Faults) -> Option<Node> {
    let most = max_bytes.min(MAX_FILE_BYTES);
    if text.len() > most {
        let message = format!("the file is {} bytes long; the limit is {most} bytes", text.len());
        faults.add(Place::START, message);
        return None;
    }
    parse(max_nodes(text.len()), text, faults)
}

/// Parses a file of at most `max_nodes` values, including keys, into a tree.
///
/// Returns `None` if the file is empty or cannot be parsed to its end.
pub(crate) fn parse(max_nodes: usize, text: &str, faults: &mut Faults) -> Option<Node> {
    let parsed = measure(max_nodes, text).and_then(|children| {
        let mut builder = Builder { events: Events::new(text), children: children.into_iter() };
        builder.document(faults)
    });
    parsed.unwrap_or_else(|(place, message)| {
        faults.add(place, message);
        None
    })
}

/// A fault after which parsing cannot continue: its place and its message.
type FatalFault = (Place, String);

/// The parser's events of a text.
struct Events<'a> {
    parser: Parser<'a, MeasuredInput<'a>>,
    limit: SpanLimit,
    /// The end of the event before, for the place of a value that is too long.
    end: Place,
}

impl<'a> Events<'a> {
    fn new(text: &'a str) -> Self {
        let limit = SpanLimit::default();
        Self { parser: Parser::new(MeasuredInput::new(text, &limit)), limit, end: Place::START }
    }

    fn next(&mut self) -> Result<(Event<'a>, Place), FatalFault> {
        let event = self.parser.next_event();
        // The input ended early, so that the event, or the parser's message, concerns a text that the file does not
        // have.
        if let Some(message) = self.limit.exceeded() {
            return Err((self.end, message));
        }
        self.limit.restart();
        match event {
            Some(Ok((event, span))) => {
                let place = place(span);
                self.end = Place { start: place.end, end: place.end + 1 };
                Ok((event, place))
            }
            Some(Err(error)) => {
                let start = Place::at(error.marker().index());
                Err((Place { start, end: start + 1 }, format!("invalid YAML: {}", error.info())))
            }
            None => Err((Place::START, "unexpected end of file".to_owned())),
        }
    }
}

/// Returns the number of children of each list and map of the first document, in the order in which they begin; each
/// key and each value of a map is a child.
fn measure(max_nodes: usize, text: &str) -> Result<Vec<u32>, FatalFault> {
    let mut events = Events::new(text);
    let mut children = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let (mut documents, mut nodes, mut decorated) = (0, 0, 0);
    loop {
        let (event, place) = match events.next() {
            Ok(event) => event,
            Err(fault) if events.limit.exceeded().is_some() => return Err(fault),
            // The builder meets the same fault, and reports it together with the faults before it.
            Err(_) => return Ok(children),
        };
        let (is_collection, anchor, tagged) = match event {
            Event::StreamEnd => return Ok(children),
            Event::DocumentStart(_) => {
                documents += 1;
                // The builder reports a second document, and does not read it.
                if documents > 1 {
                    return Ok(children);
                }
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                open.pop();
                continue;
            }
            Event::Scalar(_, _, anchor, tag) => (false, anchor, tag.is_some()),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => (true, anchor, tag.is_some()),
            Event::Alias(_) => (false, 0, true),
            _ => continue,
        };
        nodes += 1;
        if nodes > max_nodes {
            let message = format!(
                "the file has more than {max_nodes} values, keys included, which is the limit for its size; split the \
                 file"
            );
            return Err((place, message));
        }
        if open.len() > MAX_DEPTH {
            return Err((place, format!("lists and maps nest more than {MAX_DEPTH} levels deep")));
        }
        // The parser keeps the names of all anchors.
        decorated += usize::from(tagged || anchor != 0);
        if decorated > MAX_FAULTS {
            return Err((place, "anchors, aliases and tags are not supported; remove all of them".to_owned()));
        }
        if let Some(count) = open.last().and_then(|parent| children.get_mut(*parent)) {
            *count += 1;
        }
        if is_collection {
            open.push(children.len());
            children.push(0);
        }
    }
}

/// Builds the tree of a text that was measured.
struct Builder<'a> {
    events: Events<'a>,
    /// The number of children of each list and map that has not begun yet.
    children: std::vec::IntoIter<u32>,
}

impl<'a> Builder<'a> {
    fn document(&mut self, faults: &mut Faults) -> Result<Option<Node>, FatalFault> {
        let mut root = None;
        loop {
            match self.events.next()? {
                (Event::StreamEnd, _) => return Ok(root),
                (Event::DocumentStart(_), place) => {
                    if root.is_some() {
                        // The first document is still checked.
                        faults.add(place, "a second YAML document begins here; a file may contain only one");
                        return Ok(root);
                    }
                    let (event, place) = self.events.next()?;
                    root = Some(self.node(event, place, faults)?);
                }
                _ => {}
            }
        }
    }

    /// Returns the number of children of the list or map that begins.
    fn children(&mut self) -> usize {
        self.children.next().unwrap_or(0) as usize
    }

    fn node(&mut self, event: Event<'a>, place: Place, faults: &mut Faults) -> Result<Node, FatalFault> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                reject_decorations(anchor, tag.is_some(), place, faults);
                // The parser's texts have unused capacity.
                Ok(Node { place, content: Content::Scalar { text: text.as_ref().into(), style } })
            }
            Event::SequenceStart(anchor, tag) => {
                reject_decorations(anchor, tag.is_some(), place, faults);
                let mut items = Vec::with_capacity(self.children());
                loop {
                    match self.events.next()? {
                        (Event::SequenceEnd, end) => {
                            let place = Place { start: place.start, end: end.end };
                            return Ok(Node { place, content: Content::Sequence(items.into()) });
                        }
                        (event, place) => items.push(self.node(event, place, faults)?),
                    }
                }
            }
            Event::MappingStart(anchor, tag) => {
                reject_decorations(anchor, tag.is_some(), place, faults);
                self.mapping(place, faults)
            }
            Event::Alias(_) => {
                faults.add_alone(place, "aliases are not supported; write the value out");
                let content = Content::Scalar { text: Box::default(), style: ScalarStyle::Plain };
                Ok(Node { place, content })
            }
            _ => Err((place, "expected a value".to_owned())),
        }
    }

    fn mapping(&mut self, start: Place, faults: &mut Faults) -> Result<Node, FatalFault> {
        let mut entries: Vec<(Key, Node)> = Vec::with_capacity(self.children() / 2);
        loop {
            let (event, place) = self.events.next()?;
            if matches!(event, Event::MappingEnd) {
                let place = Place { start: start.start, end: place.end };
                remove_duplicates(&mut entries, faults);
                return Ok(Node { place, content: Content::Mapping(entries.into()) });
            }
            let key = self.node(event, place, faults)?;
            let (event, place) = self.events.next()?;
            let value = self.node(event, place, faults)?;
            match key.content {
                Content::Scalar { text, .. } => entries.push((Key { place: key.place, text }, value)),
                _ => faults.add(key.place, "a key must be a word, not a list or a map"),
            }
        }
    }
}

/// Reports and removes all but the first of the entries that have the same key.
fn remove_duplicates(entries: &mut Vec<(Key, Node)>, faults: &mut Faults) {
    let mut by_key: Vec<&Key> = entries.iter().map(|(key, _)| key).collect();
    by_key.sort_by(|a, b| (&a.text, a.place).cmp(&(&b.text, b.place)));
    let mut duplicates = Vec::new();
    for same in by_key.chunk_by(|a, b| a.text == b.text) {
        let Some((first, others)) = same.split_first() else { continue };
        for key in others {
            faults.add_with_other(key.place, format!("duplicate key `{}`", key.text), first.place, "first used here");
            duplicates.push(key.place);
        }
    }
    if !duplicates.is_empty() {
        duplicates.sort_unstable();
        entries.retain(|(key, _)| duplicates.binary_search(&key.place).is_err());
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
    Place { start: Place::at(span.start.index()), end: Place::at(span.end.index()) }
}

/// Returns the place in the file of the byte at `offset` in a scalar's text.
///
/// Folding, quoting and indentation change white space, but keep the other characters and their order. The function
/// therefore counts characters that are not white space.
pub(crate) fn place_within(node: &Node, offset: usize, characters: &Characters<&str>) -> Place {
    let Content::Scalar { text, style } = &node.content else { return node.place };
    let before = text.get(..offset).unwrap_or(text).chars().filter(|character| !character.is_whitespace()).count();
    // The place of a block scalar begins with its content, after the line with `|` or `>`; that of a quoted scalar
    // begins with its quote.
    let quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
    let mut at = node.place.start + u32::from(quoted);
    // A fault at the end, such as a missing operand, is placed immediately after the last character.
    let (mut left, mut after_last) = (before, at);
    let mut rest = characters.from(at);
    while at < node.place.end {
        let Some((width, visible)) = encoded(&rest, *style) else { break };
        if visible {
            if left == 0 {
                return Place { start: at, end: at + width };
            }
            left -= 1;
            after_last = at + width;
        }
        at += width;
        for _ in 0..width {
            rest.next();
        }
    }
    Place { start: after_last, end: after_last + 1 }
}

/// Measures the next character of a scalar in the file.
///
/// Returns the number of characters of the file that encode it, and whether it is not white space; `None` at the
/// closing quote and at the end.
fn encoded(rest: &Chars<'_>, style: ScalarStyle) -> Option<(u32, bool)> {
    let mut following = rest.clone();
    let (first, second) = (following.next()?, following.next());
    match (style, first, second) {
        (ScalarStyle::DoubleQuoted, '"', _) => None,
        (ScalarStyle::SingleQuoted, '\'', Some('\'')) => Some((2, true)),
        (ScalarStyle::SingleQuoted, '\'', _) => None,
        (ScalarStyle::DoubleQuoted, '\\', Some(escape)) => {
            let digits: u8 = match escape {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                _ => 0,
            };
            let code: Option<u32> = following
                .take(digits.into())
                .try_fold(0u32, |code, digit| Some(code.checked_mul(16)? + digit.to_digit(16)?));
            let visible = match escape {
                'x' | 'u' | 'U' => code.and_then(char::from_u32).is_some_and(|character| !character.is_whitespace()),
                // Escapes for spaces, tabs and line ends; an escaped line break encodes no character.
                't' | 'n' | 'v' | 'f' | 'r' | 'N' | '_' | 'L' | 'P' => false,
                other => !other.is_whitespace(),
            };
            Some((2 + u32::from(digits), visible))
        }
        _ => Some((1, !first.is_whitespace())),
    }
}
