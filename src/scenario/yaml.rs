//! YAML files other than scenarios, read by the same parser and under the same rules: one document, no anchors, aliases
//! or tags, and every key of a map once.
//!
//! JSON files are such files, too. A caller that reads credentials must not show messages of [`Diagnostics`] to anyone:
//! they quote the file.

use super::diagnostics::{Diagnostics, Faults, Place};
use super::document::{self, Content, Node};
use saphyr_parser::ScalarStyle;

/// A file as a tree of values.
#[derive(Debug)]
pub struct Document<'t> {
    text: &'t str,
    characters: usize,
    root: Node,
}

impl<'t> Document<'t> {
    /// Reads a file of at most `max_values` values, where keys, lists and maps count, too. `file` is its name, for
    /// messages.
    ///
    /// # Errors
    /// Every fault of the file, in the order of their places.
    pub fn read(file: &str, text: &'t str, max_values: usize) -> Result<Self, Diagnostics> {
        let mut faults = Faults::default();
        let root = document::parse_within(max_values, text, &mut faults);
        let root = faults.finish(file, text, root)?;
        Ok(Self { text, characters: text.chars().count(), root })
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        Value { document: self, node: &self.root }
    }

    fn line(&self, place: Place) -> usize {
        self.text.chars().take(place.start).filter(|character| *character == '\n').count() + 1
    }
}

/// A scalar, a list or a map of a [`Document`].
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    document: &'a Document<'a>,
    node: &'a Node,
}

impl<'a> Value<'a> {
    /// The line on which the value begins, from one.
    pub fn line(&self) -> usize {
        self.document.line(self.node.place)
    }

    /// The characters of a scalar as they are written, also of one that YAML calls a number or a boolean: `0x10` stays
    /// `0x10`. `None` for a null (an empty value included), a list or a map.
    pub fn scalar(&self) -> Option<&'a str> {
        match &self.node.content {
            Content::Scalar { text, .. } if !self.node.is_null() => Some(text),
            _ => None,
        }
    }

    /// The items of a list. `None` for a scalar or a map.
    pub fn items(&self) -> Option<impl Iterator<Item = Value<'a>> + use<'a>> {
        let document = self.document;
        match &self.node.content {
            Content::Sequence(items) => Some(items.iter().map(move |node| Value { document, node })),
            _ => None,
        }
    }

    /// The values of a map that has these keys and no other, in the order of `keys`.
    ///
    /// # Errors
    /// The line of the first unknown key, else of the map, if a key is missing or this is not a map.
    pub fn fields<const N: usize>(&self, keys: [&str; N]) -> Result<[Value<'a>; N], usize> {
        let Content::Mapping(entries) = &self.node.content else { return Err(self.line()) };
        if let Some((unknown, _)) = entries.iter().find(|(key, _)| !keys.contains(&key.text.as_str())) {
            return Err(self.document.line(unknown.place));
        }
        let found: Vec<_> = keys
            .iter()
            .filter_map(|wanted| entries.iter().find(|(key, _)| key.text == *wanted))
            .map(|(_, node)| Value { document: self.document, node })
            .collect();
        found.try_into().map_err(|_| self.line())
    }

    /// Whether the file ends right behind this value, so that characters of it may be missing: true of an unquoted
    /// scalar on a last line without a line end.
    pub fn may_be_cut_off(&self) -> bool {
        let plain = matches!(self.node.content, Content::Scalar { style: ScalarStyle::Plain, .. });
        plain && self.node.place.end >= self.document.characters
    }
}
