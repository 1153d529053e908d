//! Reads YAML files other than scenarios, such as credentials, with the parser of scenario files.
//!
//! The same rules apply: one document, no anchors, aliases or tags, and each key once. JSON files that follow these
//! rules are accepted, too. A caller that reads credentials must not show the messages of [`Diagnostics`], because they
//! quote the file. Must not know of the content of a file.

use super::characters::Characters;
use super::diagnostics::{Diagnostics, Faults, Place};
use super::document::{self, Content, Node};
use saphyr_parser::ScalarStyle;

/// A file as a tree of values.
#[derive(Debug)]
pub struct Document {
    characters: Characters<Box<str>>,
    /// The number of characters of the file.
    length: u32,
    root: Node,
}

impl Document {
    /// Reads a file of at most `max_values` values, including keys, lists and maps.
    ///
    /// `file` is its name, for messages.
    ///
    /// # Errors
    /// Returns every fault of the file, in the order of their places.
    pub fn read(file: &str, text: &str, max_values: usize) -> Result<Self, Diagnostics> {
        let mut faults = Faults::default();
        // The parser accepts control characters in comments and other places that are not syntax, but YAML does not.
        if let Some(at) = text.chars().position(|character| !is_printable(character)) {
            let at = Place::at(at);
            faults.add(Place { start: at, end: at + 1 }, "YAML does not allow this control character; remove it");
        }
        let root = document::parse(max_values, text, &mut faults);
        let root = faults.finish(file, text, root)?;
        let length = Place::at(text.chars().count());
        Ok(Self { characters: Characters::new(text.into()), length, root })
    }

    /// Returns the outermost value.
    pub fn root(&self) -> Value<'_> {
        Value { document: self, node: &self.root }
    }

    fn line(&self, place: Place) -> usize {
        let before = self.characters.text().chars().take(place.start as usize);
        before.filter(|character| *character == '\n').count() + 1
    }

    /// Whether a colon follows a key on its line.
    fn has_colon(&self, key: Place) -> bool {
        let mut following = self.characters.from(key.end).skip_while(|character| matches!(character, ' ' | '\t'));
        following.next() == Some(':')
    }
}

/// A scalar, a list or a map of a [`Document`].
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    document: &'a Document,
    node: &'a Node,
}

impl<'a> Value<'a> {
    /// Returns the line on which the value begins, counted from one.
    pub fn line(&self) -> usize {
        self.document.line(self.node.place)
    }

    /// Returns the characters of a scalar as they are written, even if YAML reads it as a number or a boolean.
    ///
    /// For example, `0x10` remains `0x10`. Returns `None` for a null (including an empty value), a list or a map.
    pub fn scalar(&self) -> Option<&'a str> {
        match &self.node.content {
            Content::Scalar { text, .. } if !self.node.is_null() => Some(text),
            _ => None,
        }
    }

    /// Returns the text of a scalar that YAML 1.1 and 1.2 both read as a string.
    ///
    /// Returns `None` for a list, a map, and an unquoted null (including an empty value), boolean or number.
    pub fn text(&self) -> Option<&'a str> {
        let text = self.scalar()?;
        (!self.is_plain() || !(is_boolean(text) || is_number(text))).then_some(text)
    }

    fn is_plain(&self) -> bool {
        matches!(self.node.content, Content::Scalar { style: ScalarStyle::Plain, .. })
    }

    /// Returns the items of a list; `None` for a scalar or a map.
    pub fn items(&self) -> Option<impl Iterator<Item = Value<'a>> + use<'a>> {
        let document = self.document;
        match &self.node.content {
            Content::Sequence(items) => Some(items.iter().map(move |node| Value { document, node })),
            _ => None,
        }
    }

    /// Returns the values of a map with exactly these keys, in the order of `keys`.
    ///
    /// # Errors
    /// Returns the line of the first key that is unknown or whose colon is on another line.
    ///
    /// Returns the line of the value if a key is missing or the value is not a map.
    pub fn fields<const N: usize>(&self, keys: [&str; N]) -> Result<[Value<'a>; N], usize> {
        let Content::Mapping(entries) = &self.node.content else { return Err(self.line()) };
        let fits = |key: &document::Key| keys.contains(&&*key.text) && self.document.has_colon(key.place);
        if let Some((unfit, _)) = entries.iter().find(|(key, _)| !fits(key)) {
            return Err(self.document.line(unfit.place));
        }
        let found: Vec<_> = keys
            .iter()
            .filter_map(|wanted| entries.iter().find(|(key, _)| *key.text == **wanted))
            .map(|(_, node)| Value { document: self.document, node })
            .collect();
        found.try_into().map_err(|_| self.line())
    }

    /// Whether the file ends immediately after this value, so that the value may be truncated.
    ///
    /// True for an unquoted scalar on a last line without a line end.
    pub fn may_be_cut_off(&self) -> bool {
        self.is_plain() && self.node.place.end >= self.document.length
    }

    /// Whether this is a block scalar (`|` or `>`). Nothing marks the end of such a value, so that a truncated one
    /// cannot be detected.
    pub fn is_block_scalar(&self) -> bool {
        matches!(self.node.content, Content::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. })
    }
}

/// Whether YAML allows a character in a file: <https://yaml.org/spec/1.2.2/#51-character-set>.
fn is_printable(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{85}' | '\u{feff}')
        || !(character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}'))
}

fn is_boolean(text: &str) -> bool {
    ["true", "false", "yes", "no", "on", "off", "y", "n"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text).replace('_', "");
    let with_base = ["0x", "0o", "0b"].iter().filter_map(|base| unsigned.strip_prefix(base));
    let infinite = [".inf", ".nan"].iter().any(|word| unsigned.eq_ignore_ascii_case(word));
    infinite
        || unsigned.parse::<f64>().is_ok()
        || with_base.into_iter().any(|digits| i128::from_str_radix(digits, 16).is_ok())
}
