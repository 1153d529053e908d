//! Finds characters of a text by their positions.
//!
//! The parser states places in characters, but a text is stored in bytes. Must not know what the text contains.

use std::str::Chars;

/// The number of characters after which the position in bytes is noted again. A list of all characters would take four
/// times the memory of the text; this one takes a sixteenth of it.
const INTERVAL: usize = 64;

/// A text, with the positions in bytes of some of its characters.
#[derive(Debug)]
pub(crate) struct Characters<T> {
    text: T,
    /// The position in bytes of every [`INTERVAL`]-th character.
    noted: Box<[u32]>,
}

impl<T: AsRef<str>> Characters<T> {
    pub(crate) fn new(text: T) -> Self {
        let positions = text.as_ref().char_indices().step_by(INTERVAL);
        // INVARIANT: texts are at most MAX_FILE_BYTES long.
        let noted = positions.map(|(byte, _)| u32::try_from(byte).unwrap_or(u32::MAX)).collect();
        Self { text, noted }
    }

    /// Returns the characters from a position on.
    pub(crate) fn from(&self, position: u32) -> Chars<'_> {
        let position = position as usize;
        let text = self.text.as_ref();
        let byte = self.noted.get(position / INTERVAL).map_or(text.len(), |byte| *byte as usize);
        let mut rest = text.get(byte..).unwrap_or_default().chars();
        for _ in 0..position % INTERVAL {
            rest.next();
        }
        rest
    }

    pub(crate) fn text(&self) -> &str {
        self.text.as_ref()
    }
}
