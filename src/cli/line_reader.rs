//! Reads the lines of a file or of standard input, one at a time, in bounded memory.
//!
//! Skips blank lines, limits the length of lines, checks that they are UTF-8, and numbers them. Must not know the
//! meaning of a line.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

const READ_BYTES: usize = 64 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A reader of the lines of a file or of standard input, except blank lines.
pub(crate) struct LineReader {
    reader: BufReader<Box<dyn Read + Send>>,
    name: String,
    /// Number of the line read last, from 1, blank lines included.
    number: u64,
    line: Vec<u8>,
    /// The longest line that is accepted, in bytes.
    max_bytes: usize,
    /// What a line contains, for messages, like "a request".
    item: &'static str,
    /// Whether the line read last ends with a newline.
    has_end: bool,
}

/// A line as text, or the reason why it cannot be read.
pub(crate) enum Line<'a> {
    Text(&'a str),
    Unreadable(String),
}

impl LineReader {
    pub(crate) fn open(path: &Path, max_bytes: usize, item: &'static str) -> Result<Self> {
        let (reader, name): (Box<dyn Read + Send>, _) = if path == Path::new("-") {
            (Box::new(io::stdin()), "standard input".to_owned())
        } else {
            let name = path.display().to_string();
            (Box::new(File::open(path).with_context(|| format!("{name} cannot be read"))?), name)
        };
        let reader = BufReader::with_capacity(READ_BYTES, reader);
        Ok(Self { reader, name, number: 0, line: Vec::new(), max_bytes, item, has_end: true })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Number of the line read last, from 1, blank lines included.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether the line read last ends with a newline. A line that was cut off does not.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_end
    }

    /// Whether reading the next line may block because the buffer does not hold all of it.
    pub(crate) fn may_block(&self) -> bool {
        !self.reader.buffer().contains(&b'\n')
    }

    /// Reads the next line that is not blank; `None` at the end.
    pub(crate) fn next_line(&mut self) -> Result<Option<Line<'_>>> {
        let too_long = loop {
            let read = self.read_line().with_context(|| format!("{} cannot be read", self.name))?;
            let Some(too_long) = read else { return Ok(None) };
            self.number += 1;
            if self.number == 1 && self.line.starts_with(BYTE_ORDER_MARK) {
                self.line.drain(..BYTE_ORDER_MARK.len());
            }
            if too_long || !self.line.trim_ascii().is_empty() {
                break too_long;
            }
        };
        Ok(Some(if too_long {
            Line::Unreadable(format!("the line is longer than {} bytes, the limit for {}", self.max_bytes, self.item))
        } else {
            match std::str::from_utf8(&self.line) {
                Ok(text) => Line::Text(text),
                Err(error) => Line::Unreadable(format!("the line is not UTF-8: {error}")),
            }
        }))
    }

    /// Reads a line without its newline; returns whether it is too long, or `None` at the end.
    ///
    /// The text of a line that is too long is discarded, so that memory stays bounded.
    fn read_line(&mut self) -> io::Result<Option<bool>> {
        self.line.clear();
        self.has_end = false;
        let (mut any, mut too_long) = (false, false);
        loop {
            let chunk = match self.reader.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            if chunk.is_empty() {
                return Ok(any.then_some(too_long));
            }
            any = true;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
            too_long |= self.line.len() + part.len() > self.max_bytes;
            if too_long {
                self.line.clear();
            } else {
                self.line.extend_from_slice(part);
            }
            let read = end.map_or(chunk.len(), |end| end + 1);
            self.reader.consume(read);
            if end.is_some() {
                self.has_end = true;
                return Ok(Some(too_long));
            }
        }
    }
}
