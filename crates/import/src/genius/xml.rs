//! Reads XML files within limits. The elements know their places in the file, for error messages.
//!
//! Owns the use of `roxmltree`, and the elements that a domain file and a profile have in common. Must not know of
//! scenarios.

use super::fault::{GeniusError, ImportError, Place};
use super::limits::{MAX_FILE_BYTES, MAX_NAME, MAX_NODES};
use super::markup;
use roxmltree::{Document, Error, Node, ParsingOptions};

/// The path and the text of an XML file.
#[derive(Clone, Copy, Debug)]
pub struct XmlFile<'a> {
    /// The path, for error messages; its last part names the party or the scenario.
    pub path: &'a str,
    /// The content of the file.
    pub text: &'a str,
}

/// A parsed XML file.
pub(super) struct Xml<'a> {
    pub(super) path: &'a str,
    document: Document<'a>,
}

/// An element of an XML file, which knows its place.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    path: &'a str,
    node: Node<'a, 'a>,
}

impl<'a> Xml<'a> {
    pub(super) fn parse(file: XmlFile<'a>) -> Result<Self, ImportError> {
        let XmlFile { path, text } = file;
        if text.len() > MAX_FILE_BYTES {
            return Err(ImportError::new(Place::start_of(path), GeniusError::TooLarge));
        }
        // Some editors write a byte order mark at the start of a file.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Some((at, cause)) = markup::find_violation(text) {
            return Err(ImportError::new(Place::of_byte(path, text, at), cause));
        }
        let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text, options).map_err(|error| {
            let place = Place { file: path.to_owned(), line: error.pos().row, column: error.pos().col };
            let cause = match error {
                Error::NodesLimitReached => GeniusError::TooManyNodes,
                Error::DtdDetected => GeniusError::DocumentType,
                error => GeniusError::InvalidXml { what: without_place(&error) },
            };
            ImportError::new(place, cause)
        })?;
        Ok(Self { path, document })
    }

    pub(super) fn root(&'a self) -> Element<'a> {
        Element { path: self.path, node: self.document.root_element() }
    }

    /// Returns the utility space and its one objective, which contains the issues.
    ///
    /// The utility space is the element that contains everything in a GENIUS file.
    pub(super) fn objective(&'a self) -> Result<(Element<'a>, Element<'a>), ImportError> {
        let root = self.root();
        let space = match root.name() {
            "utility_space" => root,
            "negotiation_template" => root.only_child("negotiation_template", "utility_space")?,
            found => return Err(root.fault(GeniusError::Root { found: found.to_owned() })),
        };
        for child in space.children() {
            if !matches!(child.name(), "objective" | "reservation" | "discount_factor") {
                return Err(child.unknown(space));
            }
        }
        let objective = space.only_child("utility_space", "objective")?;
        for child in objective.children() {
            match child.name() {
                "issue" | "weight" => {}
                "objective" => return Err(child.fault(GeniusError::NestedObjective)),
                _ => return Err(child.unknown(objective)),
            }
        }
        Ok((space, objective))
    }
}

impl<'a> Element<'a> {
    pub(super) fn name(self) -> &'a str {
        self.node.tag_name().name()
    }

    pub(super) fn place(self) -> Place {
        let at = self.node.document().text_pos_at(self.node.range().start);
        Place { file: self.path.to_owned(), line: at.row, column: at.col }
    }

    pub(super) fn fault(self, cause: GeniusError) -> ImportError {
        ImportError::new(self.place(), cause)
    }

    /// Returns the error that this element is not allowed in its parent.
    pub(super) fn unknown(self, parent: Self) -> ImportError {
        self.fault(GeniusError::UnknownElement { parent: parent.name().to_owned(), found: self.name().to_owned() })
    }

    pub(super) fn children(self) -> impl Iterator<Item = Self> {
        self.node.children().filter(Node::is_element).map(move |node| Self { path: self.path, node })
    }

    /// Iterates over the children with this name.
    pub(super) fn children_named(self, name: &'static str) -> impl Iterator<Item = Self> {
        self.children().filter(move |child| child.name() == name)
    }

    /// Returns the child with this name, if there is one; fails if there are several.
    pub(super) fn child(self, parent: &'static str, name: &'static str) -> Result<Option<Self>, ImportError> {
        match self.children_named(name).count() {
            0 | 1 => Ok(self.children_named(name).next()),
            found => Err(self.fault(GeniusError::ElementCount { parent, child: name, found })),
        }
    }

    /// Returns the child with this name; fails unless there is exactly one.
    pub(super) fn only_child(self, parent: &'static str, name: &'static str) -> Result<Self, ImportError> {
        let child = self.child(parent, name)?;
        child.ok_or_else(|| self.fault(GeniusError::ElementCount { parent, child: name, found: 0 }))
    }

    pub(super) fn attribute(self, name: &str) -> Option<&'a str> {
        self.node.attribute(name)
    }

    pub(super) fn required(self, name: &'static str) -> Result<&'a str, ImportError> {
        let missing = || GeniusError::MissingAttribute { element: self.name().to_owned(), attribute: name };
        self.attribute(name).ok_or_else(|| self.fault(missing()))
    }

    /// Reads the attribute `index`, a number by which weights and profiles refer to an issue.
    pub(super) fn index(self) -> Result<u32, ImportError> {
        let text = self.required("index")?;
        text.trim().parse().map_err(|_| self.fault(GeniusError::Index { found: excerpt(text) }))
    }

    /// Reads an attribute that becomes a title in the scenario.
    ///
    /// # Errors
    /// Returns an error if it is missing, empty, longer than [`MAX_NAME`], or has a control character.
    pub(super) fn title(self, attribute: &'static str) -> Result<&'a str, ImportError> {
        let title = self.required(attribute)?.trim();
        let length = title.chars().count();
        if length == 0 {
            return Err(self.fault(GeniusError::EmptyName));
        }
        if length > MAX_NAME {
            return Err(self.fault(GeniusError::NameTooLong { found: length }));
        }
        match title.chars().find(|character| character.is_control()) {
            Some(control) => Err(self.fault(GeniusError::ControlCharacter { found: control.into() })),
            None => Ok(title),
        }
    }
}

/// Returns the message of the parser without its place, which an [`ImportError`] states itself.
fn without_place(error: &Error) -> String {
    let what = error.to_string();
    what.strip_suffix(&format!(" at {}", error.pos())).unwrap_or(&what).to_owned()
}

/// Returns the part of a text that an error message quotes.
///
/// The part has at most 40 characters; spaces replace control characters.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(40).map(|character| if character.is_control() { ' ' } else { character }).collect()
}
