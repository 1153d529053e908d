//! Collects the faults of a file, each with its place, and renders them together.
//!
//! Must not know of the scenario format.

use super::limits::{MAX_FAULTS, MAX_FAULTS_KEPT};
use annotate_snippets::{Annotation, AnnotationKind, Level, Renderer, Snippet};
use detente_condition::{did_you_mean, nearest};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::{self, Write};
use std::ops::Range;

/// A range of a file, in characters from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Place {
    /// The beginning of the file.
    pub(crate) const START: Place = Place { start: 0, end: 0 };

    /// Converts a number of characters. The limit on the size of a file is far below the limit of the type.
    pub(crate) fn at(characters: usize) -> u32 {
        u32::try_from(characters).unwrap_or(u32::MAX)
    }
}

struct Fault {
    place: Place,
    message: String,
    other: Option<(Place, &'static str)>,
}

/// The faults found so far in a file.
#[derive(Default)]
pub(crate) struct Faults {
    /// At most [`MAX_FAULTS_KEPT`] faults.
    faults: Vec<Fault>,
    /// The number of faults that were only counted.
    not_kept: usize,
    /// The places of all faults, in order, for range queries.
    places: BTreeSet<Place>,
    /// Places at which no further fault is reported.
    closed: HashSet<Place>,
}

impl Faults {
    pub(crate) fn add(&mut self, place: Place, message: impl Into<String>) {
        if !self.closed.contains(&place) {
            self.keep(place, message.into(), None);
        }
    }

    fn keep(&mut self, place: Place, message: String, other: Option<(Place, &'static str)>) {
        if self.is_full() {
            self.not_kept += 1;
            return;
        }
        self.places.insert(place);
        self.faults.push(Fault { place, message: legible(&message), other });
    }

    /// Whether there are so many faults that further ones are only counted. Reading more of the file is then of no use.
    pub(crate) fn is_full(&self) -> bool {
        self.faults.len() >= MAX_FAULTS_KEPT
    }

    /// Adds a fault, and suppresses later faults at exactly the same place.
    pub(crate) fn add_alone(&mut self, place: Place, message: impl Into<String>) {
        self.add(place, message);
        if !self.is_full() {
            self.closed.insert(place);
        }
    }

    /// Adds a fault that also shows another place, with a label.
    pub(crate) fn add_with_other(
        &mut self,
        place: Place,
        message: impl Into<String>,
        other: Place,
        label: &'static str,
    ) {
        self.keep(place, message.into(), Some((other, label)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// Returns the suggestion at the end of a message about an unknown name; empty if no known name is similar.
    ///
    /// The search is slow, because it compares the name with every known one. It is skipped once there are more faults
    /// than are shown.
    pub(crate) fn hint<'a>(&self, name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
        if self.faults.len() > MAX_FAULTS {
            return String::new();
        }
        did_you_mean(nearest(name, known))
    }

    /// Whether there is a fault within a range.
    ///
    /// If so, something that seems to be missing there may be unreadable instead.
    pub(crate) fn any_within(&self, place: Place) -> bool {
        let beginning_within = Place { start: place.start, end: 0 }..=Place { start: place.end, end: place.end };
        self.places.range(beginning_within).any(|fault| fault.end <= place.end)
    }

    /// Whether there is a fault within any of these ranges.
    pub(crate) fn any_within_some(&self, places: impl IntoIterator<Item = Option<Place>>) -> bool {
        places.into_iter().flatten().any(|place| self.any_within(place))
    }

    /// Returns the value if there are no faults, and all faults otherwise.
    pub(crate) fn finish<T>(self, file: &str, text: &str, value: Option<T>) -> Result<T, Diagnostics> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            None if self.is_empty() => Err(Diagnostics::of_file(file, text, "the file cannot be used")),
            _ => Err(self.diagnostics(file, text)),
        }
    }

    fn diagnostics(mut self, file: &str, text: &str) -> Diagnostics {
        self.faults.sort_by(|a, b| (a.place, &a.message).cmp(&(b.place, &b.message)));
        self.faults.dedup_by(|a, b| (a.place, &a.message) == (b.place, &b.message));
        let total = self.faults.len() + self.not_kept;
        self.faults.truncate(MAX_FAULTS);
        let positions = Positions::of(
            text,
            self.faults.iter().flat_map(|fault| {
                let other = fault.other.map(|(place, _)| place);
                [Some(fault.place), other].into_iter().flatten()
            }),
        );
        let diagnostics = self.faults.into_iter().map(|fault| {
            let Position { line, column, .. } = positions.find(fault.place.start);
            Diagnostic {
                file: file.to_owned(),
                line,
                column,
                message: fault.message,
                bytes: positions.bytes(fault.place),
                other: fault
                    .other
                    .map(|(place, label)| (positions.find(place.start).line, positions.bytes(place), label)),
            }
        });
        Diagnostics { file: file.to_owned(), text: text.to_owned(), list: diagnostics.collect(), total }
    }
}

/// Makes a message, which may quote the file, safe to print.
///
/// Shortens it, and replaces characters that control a terminal or the direction of text.
fn legible(message: &str) -> String {
    const LONGEST: usize = 600;
    let is_unsafe = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown: String = message.chars().take(LONGEST).map(|c| if is_unsafe(c) { '\u{fffd}' } else { c }).collect();
    if message.chars().nth(LONGEST).is_some() {
        shown.push('\u{2026}');
    }
    shown
}

/// A position in a text. Lines and columns are counted from one; columns count characters.
#[derive(Clone, Copy, Default)]
struct Position {
    byte: usize,
    line: usize,
    column: usize,
}

/// The positions of certain characters of a text, by the number of characters before each.
struct Positions {
    found: BTreeMap<u32, Position>,
    end: Position,
}

impl Positions {
    /// Finds the beginnings and ends of places in one walk over the text, so that no list of all characters or lines is
    /// needed.
    fn of(text: &str, places: impl Iterator<Item = Place>) -> Self {
        let mut wanted: Vec<u32> = places.flat_map(|place| [place.start, place.end.max(place.start)]).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut wanted = wanted.into_iter().peekable();
        let mut found = BTreeMap::new();
        // A byte order mark does not count as a column.
        let mut position = Position { byte: 0, line: 1, column: usize::from(!text.starts_with('\u{feff}')) };
        for (at, character) in (0u32..).zip(text.chars()) {
            if wanted.next_if_eq(&at).is_some() {
                found.insert(at, Position { column: position.column.max(1), ..position });
            }
            position.byte += character.len_utf8();
            match character {
                '\n' => (position.line, position.column) = (position.line + 1, 1),
                _ => position.column += 1,
            }
        }
        Self { found, end: position }
    }

    fn find(&self, character: u32) -> Position {
        self.found.get(&character).copied().unwrap_or(self.end)
    }

    fn bytes(&self, place: Place) -> Range<usize> {
        let start = self.find(place.start).byte;
        start..self.find(place.end).byte.max(start)
    }
}

/// One fault of a file, with its place and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The name of the file.
    pub file: String,
    /// The line of the fault, counted from one.
    pub line: usize,
    /// The column of the fault, in characters, counted from one.
    pub column: usize,
    /// What is wrong and, where possible, a suggestion.
    pub message: String,
    bytes: Range<usize>,
    other: Option<(usize, Range<usize>, &'static str)>,
}

/// The faults of a file, in the order of their places.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    file: String,
    text: String,
    list: Vec<Diagnostic>,
    total: usize,
}

impl std::error::Error for Diagnostics {}

impl Diagnostics {
    /// Creates diagnostics with one fault that concerns the whole file.
    pub fn of_file(file: &str, text: &str, message: impl Into<String>) -> Self {
        Self::of_place(file, text, Place::START, message)
    }

    /// Creates diagnostics with one fault.
    pub(crate) fn of_place(file: &str, text: &str, place: Place, message: impl Into<String>) -> Self {
        let mut faults = Faults::default();
        faults.add(place, message);
        faults.diagnostics(file, text)
    }

    /// Returns the faults, at most [`MAX_FAULTS`].
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// Renders all faults in the manner of a compiler: message, place and source line, then the number of faults.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for fault in &self.list {
            let mut group = Level::ERROR.primary_title(fault.message.as_str()).element(self.snippet(
                fault.line,
                &fault.bytes,
                AnnotationKind::Primary,
                None,
            ));
            if let Some((line, bytes, label)) = &fault.other {
                group = group.element(self.snippet(*line, bytes, AnnotationKind::Context, Some(label)));
            }
            let _ = writeln!(out, "{}\n", renderer.render(&[group]));
        }
        let _ = match (self.total, self.total - self.list.len()) {
            (1, _) => write!(out, "1 fault in {}", self.file),
            (total, 0) => write!(out, "{total} faults in {}", self.file),
            (total, left_out) => write!(out, "{total} faults in {}, of which {left_out} are not shown", self.file),
        };
        out
    }

    /// Returns the source line of a place, with the place marked.
    ///
    /// If the place spans several lines, only the first is shown and marked.
    fn snippet(
        &self,
        line: usize,
        bytes: &Range<usize>,
        kind: AnnotationKind,
        label: Option<&'static str>,
    ) -> Snippet<'_, Annotation<'_>> {
        const WIDEST: usize = 400;
        let cut =
            |at: usize| (0..=at.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
        // A line may be megabytes long; only the part around the mark is searched and shown.
        let left = cut(bytes.start.saturating_sub(WIDEST));
        let before = self.text.get(left..bytes.start).unwrap_or_default();
        let mark = if left == 0 && self.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { left };
        let start = before.rfind('\n').map_or(mark, |at| left + at + 1);
        let bytes = bytes.start.max(start)..bytes.end.max(start);
        let rest = self.text.get(start..cut(bytes.start + WIDEST)).unwrap_or_default();
        let end = start + rest.find('\n').unwrap_or(rest.len());
        let shown = self.text.get(start..end).unwrap_or_default().trim_end();
        let mark = (bytes.start - start).min(shown.len())..(bytes.end.max(bytes.start) - start).min(shown.len());
        Snippet::source(shown).path(self.file.as_str()).line_start(line).annotation(kind.span(mark).label(label))
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}
