//! The building blocks of the file formats.
//!
//! The macro `record!` declares a YAML mapping once; the declaration both reads the mapping and generates its JSON
//! Schema. A node is a YAML value with its place in the file. Reading continues after a fault: a value that cannot be
//! read is `None`, so that later checks skip what depends on it and still cover everything else. Must not know of the
//! meaning of a mapping.

use super::diagnostics::{Faults, Place};
use super::document::{Content, Node};
use jiff::civil::Date;
use serde_json::{Map, Value, json};

/// A type that can be read from a node, and that has a JSON Schema.
pub(crate) trait Read: Sized {
    /// Reads a value. Adds every fault to `faults`, and returns `None` if the value cannot be used.
    fn read(node: &Node, faults: &mut Faults) -> Option<Self>;
    /// Returns the JSON Schema of the type. A mapping adds its schema to `definitions`, and returns a reference to it.
    fn schema(definitions: &mut Map<String, Value>) -> Value;
}

/// A value with its place in the file.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) place: Place,
    pub(crate) value: T,
}

/// Reports a value of the wrong kind.
pub(crate) fn expected<T>(what: &str, node: &Node, faults: &mut Faults) -> Option<T> {
    faults.add(node.place, format!("expected {what}, found {}", node.found()));
    None
}

impl<T: Read> Read for At<T> {
    fn read(node: &Node, faults: &mut Faults) -> Option<Self> {
        Some(Self { place: node.place, value: T::read(node, faults)? })
    }
    fn schema(definitions: &mut Map<String, Value>) -> Value {
        T::schema(definitions)
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(node: &Node, faults: &mut Faults) -> Option<Self> {
        match &node.content {
            Content::Sequence(items) => {
                // Growing needs room for the old and the new list, so reserve what the items will take.
                let mut read = Vec::with_capacity(items.iter().filter(|item| has_weight::<T>(item)).count());
                for item in items {
                    // A record takes more memory than its node, so that a long list of faulty items must not be read.
                    if faults.is_full() {
                        return None;
                    }
                    if read.len() == read.capacity() {
                        // Growing by half, and not beyond the list, takes less memory than doubling.
                        let most = items.len() - read.len();
                        read.reserve_exact((read.len() / 2).max(16).min(most));
                    }
                    read.extend(T::read(item, faults));
                }
                Some(read)
            }
            _ => expected("a list", node, faults),
        }
    }
    fn schema(definitions: &mut Map<String, Value>) -> Value {
        json!({"type": "array", "items": T::schema(definitions)})
    }
}

/// Whether the node of an item takes memory in proportion to a `T`, so that room for it may be reserved unread.
fn has_weight<T>(item: &Node) -> bool {
    match &item.content {
        Content::Mapping(keys) => keys.len() >= 3,
        _ => size_of::<T>() <= size_of::<Node>(),
    }
}

/// A node whose type depends on another part of the file; the code that uses the record reads the node later.
impl Read for Node {
    fn read(node: &Node, _: &mut Faults) -> Option<Self> {
        Some(node.clone())
    }
    fn schema(_: &mut Map<String, Value>) -> Value {
        json!({})
    }
}

impl Read for i64 {
    fn read(node: &Node, faults: &mut Faults) -> Option<Self> {
        node.as_integer().or_else(|| expected("an integer", node, faults))
    }
    fn schema(_: &mut Map<String, Value>) -> Value {
        json!({"type": "integer"})
    }
}

/// Any finite number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number(pub(crate) f64);

impl Read for Number {
    fn read(node: &Node, faults: &mut Faults) -> Option<Self> {
        // A negative zero becomes a positive zero, so that equal content has an equal revision.
        node.as_number().map(|number| Self(number + 0.0)).or_else(|| expected("a number like 0.5", node, faults))
    }
    fn schema(_: &mut Map<String, Value>) -> Value {
        json!({"type": "number"})
    }
}

/// A probability: a number from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Probability(pub(crate) f64);

impl Read for Probability {
    fn read(node: &Node, faults: &mut Faults) -> Option<Self> {
        let Some(number) = node.as_number() else { return expected("a number from 0 to 1", node, faults) };
        if !(0.0..=1.0).contains(&number) {
            faults.add(node.place, format!("`{number}` is not a probability; expected a number from 0 to 1"));
            return None;
        }
        // A negative zero becomes a positive zero, so that equal content has an equal revision.
        Some(Self(number.abs()))
    }
    fn schema(_: &mut Map<String, Value>) -> Value {
        json!({"type": "number", "minimum": 0, "maximum": 1})
    }
}

impl Read for Date {
    fn read(node: &Node, faults: &mut Faults) -> Option<Self> {
        let Some(text) = node.as_text() else { return expected("a date like 2025-03-14", node, faults) };
        let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
        if shape != "9999-99-99" {
            faults.add(node.place, format!("`{text}` is not a date; write it like 2025-03-14"));
            return None;
        }
        text.parse().ok().or_else(|| {
            faults.add(node.place, format!("there is no such day as `{text}`"));
            None
        })
    }
    fn schema(_: &mut Map<String, Value>) -> Value {
        json!({"type": "string", "format": "date"})
    }
}

/// Reads a text that is not empty, has at most `most` characters and no control characters except line breaks.
fn text(node: &Node, most: usize, faults: &mut Faults) -> Option<String> {
    let Some(text) = node.as_text() else { return expected("text", node, faults) };
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 {
        faults.add(node.place, "the text is empty");
        return None;
    }
    if length > most {
        faults.add(node.place, format!("the text has {length} characters; the limit is {most}"));
        return None;
    }
    // Texts are written to terminals and logs, which control characters could manipulate.
    if let Some(control) = text.chars().find(|c| c.is_control() && *c != '\n') {
        faults.add(
            node.place,
            format!("the text contains the control character U+{:04X}; remove it", u32::from(control)),
        );
        return None;
    }
    Some(text.to_owned())
}

/// A text on one line: a name, a title or another short text.
#[derive(Clone, Debug)]
pub(crate) struct SingleLine(pub(crate) String);

impl Read for SingleLine {
    fn read(node: &Node, faults: &mut Faults) -> Option<Self> {
        let line = text(node, super::limits::MAX_LINE, faults)?;
        if line.contains('\n') {
            faults.add(node.place, "this text must be one line; fold it with `>-` or remove the line breaks");
            return None;
        }
        Some(Self(line))
    }
    fn schema(_: &mut Map<String, Value>) -> Value {
        json!({"type": "string", "minLength": 1, "maxLength": super::limits::MAX_LINE})
    }
}

/// A text that may have several lines.
#[derive(Clone, Debug)]
pub(crate) struct Text(pub(crate) String);

impl Read for Text {
    fn read(node: &Node, faults: &mut Faults) -> Option<Self> {
        text(node, super::limits::MAX_TEXT, faults).map(Self)
    }
    fn schema(_: &mut Map<String, Value>) -> Value {
        json!({"type": "string", "minLength": 1, "maxLength": super::limits::MAX_TEXT})
    }
}

/// Reads an id of lower-case letters, digits and one kind of separator.
fn id(node: &Node, separator: char, example: &str, faults: &mut Faults) -> Option<String> {
    let Some(id) = node.as_text() else { return expected(&format!("an id like `{example}`"), node, faults) };
    if !is_well_formed(id, separator) {
        faults.add(
            node.place,
            format!(
                "`{id}` is not an id like `{example}`; use lower-case letters, digits and `{separator}`, a letter first"
            ),
        );
        return None;
    }
    if id.len() > super::limits::MAX_ID {
        faults.add(node.place, format!("the id has {} characters; the limit is {}", id.len(), super::limits::MAX_ID));
        return None;
    }
    Some(id.to_owned())
}

fn is_well_formed(id: &str, separator: char) -> bool {
    id.starts_with(|first: char| first.is_ascii_lowercase())
        && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == separator)
}

/// Whether a text is a valid id of a scenario: kebab-case, at most 63 characters.
pub fn is_scenario_id(id: &str) -> bool {
    is_well_formed(id, '-') && id.len() <= super::limits::MAX_ID
}

/// Whether this id is forbidden for parties, issues, circumstances and groups, because conditions or answers use it as
/// a word.
pub fn is_word_of_the_language(id: &str) -> bool {
    RESERVED.contains(&id)
}

/// Whether this id is forbidden for options and members, because answers use it as a word.
pub fn is_word_of_answers(id: &str) -> bool {
    matches!(id, "unsettled" | "true" | "false" | "null")
}

/// An id that conditions use: snake_case, and not a reserved word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snake(pub(crate) String);

/// The reserved words of CEL, its macros, and `unsettled`, which answers use.
const RESERVED: [&str; 29] = [
    "all",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "exists",
    "exists_one",
    "false",
    "filter",
    "for",
    "function",
    "has",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "map",
    "namespace",
    "null",
    "package",
    "return",
    "size",
    "true",
    "unsettled",
    "var",
    "void",
    "while",
];

impl Snake {
    /// Returns the schema of the reserved ids.
    fn reserved() -> Value {
        json!({"enum": RESERVED})
    }
}

impl Read for Snake {
    fn read(node: &Node, faults: &mut Faults) -> Option<Self> {
        let id = id(node, '_', "us_backs_force", faults)?;
        if is_word_of_the_language(&id) {
            faults.add(node.place, format!("`{id}` is reserved by the condition language; choose another id"));
            return None;
        }
        Some(Self(id))
    }
    fn schema(_: &mut Map<String, Value>) -> Value {
        let most = super::limits::MAX_ID;
        json!({"type": "string", "pattern": "^[a-z][a-z0-9_]*$", "maxLength": most, "not": Snake::reserved()})
    }
}

/// The id of an option or member: snake_case.
///
/// In conditions, such an id is in quotes; it may therefore be a reserved word of CEL. It must not be a word that
/// answers use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntryId(pub(crate) String);

impl Read for EntryId {
    fn read(node: &Node, faults: &mut Faults) -> Option<Self> {
        let id = id(node, '_', "air_and_sea", faults)?;
        if is_word_of_answers(&id) {
            faults.add(node.place, format!("`{id}` is reserved for answers; choose another id"));
            return None;
        }
        Some(Self(id))
    }
    fn schema(_: &mut Map<String, Value>) -> Value {
        let most = super::limits::MAX_ID;
        json!({"type": "string", "pattern": "^[a-z][a-z0-9_]*$", "maxLength": most, "not": {"const": "unsettled"}})
    }
}

/// The id of a part that conditions cannot name, such as a red line: kebab-case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kebab(pub(crate) String);

impl Read for Kebab {
    fn read(node: &Node, faults: &mut Faults) -> Option<Self> {
        id(node, '-', "ua-no-cession", faults).map(Self)
    }
    fn schema(_: &mut Map<String, Value>) -> Value {
        json!({"type": "string", "pattern": "^[a-z][a-z0-9-]*$", "maxLength": super::limits::MAX_ID})
    }
}

/// Reads one of several fixed words, and returns the value of that word.
pub(crate) fn word<T: Copy>(node: &Node, words: &[(&str, T)], faults: &mut Faults) -> Option<T> {
    let listed = || words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let Some(text) = node.as_text() else { return expected(&format!("one of {}", listed()), node, faults) };
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Some(*value);
    }
    let hint = match faults.hint(text, words.iter().map(|(word, _)| *word)) {
        no_hint if no_hint.is_empty() => format!("; expected one of {}", listed()),
        hint => hint,
    };
    faults.add(node.place, format!("`{text}` is not allowed here{hint}"));
    None
}

/// Implements [`Read`] for an enum: maps the words of the format to the variants.
macro_rules! words {
    ($type:ty { $($word:literal => $value:expr),+ $(,)? }) => {
        impl $crate::scenario::record::Read for $type {
            fn read(node: &Node, faults: &mut Faults) -> Option<Self> {
                $crate::scenario::record::word(node, &[$(($word, $value)),+], faults)
            }
            fn schema(_: &mut serde_json::Map<String, serde_json::Value>) -> serde_json::Value {
                serde_json::json!({"enum": [$($word),+]})
            }
        }
    };
}

/// The entries of a mapping, from which a record takes its keys one by one.
pub(crate) struct Fields<'a> {
    place: Place,
    what: &'static str,
    entries: Vec<Option<(&'a super::document::Key, &'a Node)>>,
    /// The keys that are present, but whose values could not be read.
    pub(crate) unread: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Opens a mapping. Reports unknown keys, each with the nearest known key or with all known keys.
    pub(crate) fn open(node: &'a Node, what: &'static str, known: &[&str], faults: &mut Faults) -> Option<Self> {
        let Content::Mapping(entries) = &node.content else {
            return expected(&format!("a map for {what}"), node, faults);
        };
        for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&&*key.text)) {
            let hint = match faults.hint(&key.text, known.iter().copied()) {
                no_hint if no_hint.is_empty() => format!("; its keys are {}", known.join(", ")),
                hint => hint,
            };
            faults.add(key.place, format!("{what} has no key `{}`{hint}", key.text));
        }
        let entries = entries.iter().map(|(key, value)| Some((key, value))).collect();
        // Missing keys are reported at the beginning of the mapping.
        Some(Self {
            place: Place { start: node.place.start, end: node.place.start + 1 },
            what,
            entries,
            unread: Vec::new(),
        })
    }

    /// Reads the value of a key, if the key is present.
    pub(crate) fn optional<T: Read>(&mut self, name: &'static str, faults: &mut Faults) -> Option<T> {
        let entry = self.entries.iter_mut().find(|entry| entry.is_some_and(|(key, _)| *key.text == *name))?;
        let (_, value) = entry.take()?;
        let value = T::read(value, faults);
        if value.is_none() {
            self.unread.push(name);
        }
        value
    }

    /// Reads the value of a key, and reports a missing key.
    pub(crate) fn required<T: Read>(&mut self, name: &'static str, faults: &mut Faults) -> Option<T> {
        if !self.entries.iter().flatten().any(|(key, _)| *key.text == *name) {
            faults.add(self.place, format!("{} needs the key `{name}`", self.what));
        }
        self.optional(name, faults)
    }
}

/// Returns the name of a type in the schema: its Rust name without the suffix `Entry` or `Node`.
pub(crate) fn definition_name(type_name: &str) -> &str {
    type_name.trim_end_matches("Entry").trim_end_matches("Node")
}

/// Declares a mapping of a file format: its name in messages, and its keys with their descriptions in the schema.
///
/// Every field is an `Option`; `None` means that the key is absent or its value could not be read. `exactly one of`
/// declares two alternative keys in the schema. A file that has neither or both is reported by `resolve`, because its
/// messages can say what the keys mean.
macro_rules! record {
    (
        $(#[doc = $doc:literal])* $name:ident, $what:literal {
            $( $(#[doc = $field_doc:literal])* $need:ident $field:ident: $type:ty, )*
        }
        $( exactly one of $either:ident, $or:ident )?
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        #[allow(dead_code, reason = "every key is declared for the schema, but not every field is read")]
        pub(crate) struct $name {
            pub(crate) place: Place,
            /// The keys that are present, but whose values could not be read.
            pub(crate) unread: Vec<&'static str>,
            $( $(#[doc = $field_doc])* pub(crate) $field: Option<$type>, )*
        }

        #[allow(dead_code, reason = "few records need their list of keys")]
        impl $name {
            /// The keys of the mapping.
            pub(crate) const KEYS: &[&str] = &[$(stringify!($field)),*];
        }

        impl $crate::scenario::record::Read for $name {
            fn read(node: &Node, faults: &mut Faults) -> Option<Self> {
                let mut fields = $crate::scenario::record::Fields::open(node, $what, Self::KEYS, faults)?;
                $( let $field = fields.$need(stringify!($field), faults); )*
                Some(Self { place: node.place, unread: fields.unread, $($field),* })
            }

            fn schema(definitions: &mut serde_json::Map<String, serde_json::Value>) -> serde_json::Value {
                use serde_json::{Value, json};
                let name = $crate::scenario::record::definition_name(stringify!($name));
                if !definitions.contains_key(name) {
                    definitions.insert(name.to_owned(), Value::Null);
                    let mut properties = serde_json::Map::new();
                    let mut required: Vec<&str> = Vec::new();
                    $(
                        let mut schema = <$type as $crate::scenario::record::Read>::schema(definitions);
                        let doc = concat!($($field_doc),*).trim();
                        if let Some(schema) = schema.as_object_mut().filter(|_| !doc.is_empty()) {
                            schema.insert("description".to_owned(), json!(doc));
                        }
                        properties.insert(stringify!($field).to_owned(), schema);
                        if stringify!($need) == "required" {
                            required.push(stringify!($field));
                        }
                    )*
                    let doc = concat!($($doc),*).trim();
                    #[allow(unused_mut, reason = "most records have no alternative keys")]
                    let mut definition = json!({
                        "type": "object",
                        "description": doc,
                        "properties": properties,
                        "required": required,
                        "additionalProperties": false,
                    });
                    $(
                        let one_of = [stringify!($either), stringify!($or)].map(|key| json!({"required": [key]}));
                        if let Some(definition) = definition.as_object_mut() {
                            definition.insert("oneOf".to_owned(), json!(one_of));
                        }
                    )?
                    definitions.insert(name.to_owned(), definition);
                }
                json!({"$ref": format!("#/$defs/{name}")})
            }
        }
    };
}

pub(crate) use {record, words};
