//! Lines of a file or of standard input, one at a time, in bounded memory.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

const READ_BYTES: usize = 64 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Lines of a file or of standard input, blank ones left out.
pub(crate) struct Input {
    reader: BufReader<Box<dyn Read + Send>>,
    name: String,
    /// Of the line read last, from one, blank ones counted.
    number: u64,
    line: Vec<u8>,
    /// The longest line that is kept, in bytes.
    most: usize,
    /// What a line is, in faults.
    what: &'static str,
    /// Whether the line read last has an end.
    ended: bool,
}

/// A line, as far as it can be read.
pub(crate) enum Line<'a> {
    Text(&'a str),
    Unreadable(String),
}

impl Input {
    pub(crate) fn open(path: &Path, most: usize, what: &'static str) -> Result<Self> {
        let (reader, name): (Box<dyn Read + Send>, _) = if path == Path::new("-") {
            (Box::new(io::stdin()), "standard input".to_owned())
        } else {
            let name = path.display().to_string();
            (Box::new(File::open(path).with_context(|| format!("{name} cannot be read"))?), name)
        };
        let reader = BufReader::with_capacity(READ_BYTES, reader);
        Ok(Self { reader, name, number: 0, line: Vec::new(), most, what, ended: true })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Of the line read last, from one.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether the line read last has an end: one that was torn off has none.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the next line is not there yet in full.
    pub(crate) fn may_wait(&self) -> bool {
        !self.reader.buffer().contains(&b'\n')
    }

    /// The next line that is not blank.
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
            Line::Unreadable(format!("it is longer than the {} bytes that are read of {}", self.most, self.what))
        } else {
            match std::str::from_utf8(&self.line) {
                Ok(text) => Line::Text(text),
                Err(error) => Line::Unreadable(format!("it is not UTF-8: {error}")),
            }
        }))
    }

    /// Reads a line without its end, and says whether it is too long, which is then not kept; `None` at the end.
    fn read_line(&mut self) -> io::Result<Option<bool>> {
        self.line.clear();
        self.ended = false;
        let (mut some, mut too_long) = (false, false);
        loop {
            let chunk = match self.reader.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            if chunk.is_empty() {
                return Ok(some.then_some(too_long));
            }
            some = true;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
            too_long |= self.line.len() + part.len() > self.most;
            if too_long {
                self.line.clear();
            } else {
                self.line.extend_from_slice(part);
            }
            let read = end.map_or(chunk.len(), |end| end + 1);
            self.reader.consume(read);
            if end.is_some() {
                self.ended = true;
                return Ok(Some(too_long));
            }
        }
    }
}
