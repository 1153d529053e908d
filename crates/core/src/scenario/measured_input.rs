//! The parser's input, which ends early within a value that is too long.
//!
//! The parser collects a value before it returns the value. A limit on the characters that it reads from one event to
//! the next keeps it from collecting more than the limit; the same limit bounds lists of directives, which are no
//! events. Must not know of YAML syntax.

use super::limits::MAX_SPAN;
use saphyr_parser::{Input, StrInput};
use std::cell::Cell;
use std::rc::Rc;

/// The number of characters read since the last event, shared by the input and the reader of events.
#[derive(Clone, Default)]
pub(crate) struct SpanLimit {
    read: Rc<Cell<usize>>,
}

impl SpanLimit {
    /// Begins to count again, after an event.
    pub(crate) fn restart(&self) {
        self.read.set(0);
    }

    /// Returns a message if the limit was reached.
    pub(crate) fn exceeded(&self) -> Option<String> {
        (self.read.get() > MAX_SPAN).then(|| {
            format!(
                "the next value, with the white space before it, takes more than {MAX_SPAN} characters; shorten or \
                 split it"
            )
        })
    }

    fn is_exceeded(&self) -> bool {
        self.read.get() > MAX_SPAN
    }

    fn count(&self, characters: usize) {
        self.read.set(self.read.get() + characters);
    }
}

/// A text that ends once too many characters were read since the last event.
pub(crate) struct MeasuredInput<'a> {
    text: StrInput<'a>,
    limit: SpanLimit,
}

impl<'a> MeasuredInput<'a> {
    pub(crate) fn new(text: &'a str, limit: &SpanLimit) -> Self {
        Self { text: StrInput::new(text), limit: limit.clone() }
    }

    /// Counts characters that are read, and ends the text if there are too many.
    fn count(&mut self, characters: usize) {
        self.limit.count(characters);
        if self.limit.is_exceeded() {
            self.text = StrInput::new("");
        }
    }
}

impl Input for MeasuredInput<'_> {
    fn lookahead(&mut self, count: usize) {
        self.text.lookahead(count);
    }

    fn buflen(&self) -> usize {
        self.text.buflen()
    }

    fn bufmaxlen(&self) -> usize {
        self.text.bufmaxlen()
    }

    fn raw_read_ch(&mut self) -> char {
        self.count(1);
        self.text.raw_read_ch()
    }

    fn raw_read_non_breakz_ch(&mut self) -> Option<char> {
        self.count(1);
        self.text.raw_read_non_breakz_ch()
    }

    fn skip(&mut self) {
        self.count(1);
        self.text.skip();
    }

    fn skip_n(&mut self, count: usize) {
        self.count(count);
        self.text.skip_n(count);
    }

    fn peek(&self) -> char {
        self.text.peek()
    }

    fn peek_nth(&self, n: usize) -> char {
        self.text.peek_nth(n)
    }

    fn peek_opt(&self) -> Option<char> {
        self.text.peek_opt()
    }

    /// Skips a comment, which the parser does not collect.
    fn skip_while_non_breakz(&mut self) -> usize {
        self.text.skip_while_non_breakz()
    }
}
