//! The parser's input, which ends early within a value that is too long.
//!
//! The parser collects a value before it returns the value. A limit on the characters that it reads from one event to
//! the next keeps it from collecting more than the limit; the same limit bounds lists of directives, which are no
//! events. A list or map in brackets within another one may be a key, so that the parser also collects all its tokens
//! before it returns the first of them; there, the limit is on the brackets, commas and colons, and the limit on
//! characters applies from one of them to the next. Must not know more of YAML syntax.

use super::limits::{MAX_MARKS, MAX_SPAN};
use saphyr_parser::{Input, StrInput};
use std::cell::Cell;
use std::rc::Rc;

/// What the parser has begun to read since the last event.
#[derive(Clone, Copy, Default)]
enum Begun {
    /// White space and indicators only.
    #[default]
    Nothing,
    /// A scalar, or a directive.
    Scalar,
    /// A list or map in brackets.
    Brackets,
}

/// What was read since the last event.
#[derive(Clone, Copy, Default)]
struct Span {
    begun: Begun,
    /// The number of characters; within brackets, since the last mark.
    characters: usize,
    /// The number of brackets, commas and colons within brackets.
    marks: usize,
}

/// The text read since the last event, shared by the input and the reader of events.
#[derive(Clone, Default)]
pub(crate) struct SpanLimit {
    span: Rc<Cell<Span>>,
}

impl SpanLimit {
    /// Begins to count again, after an event.
    pub(crate) fn restart(&self) {
        self.span.set(Span::default());
    }

    /// Returns a message if a limit was exceeded.
    pub(crate) fn exceeded(&self) -> Option<String> {
        let Span { characters, marks, .. } = self.span.get();
        if marks > MAX_MARKS {
            return Some(format!(
                "the next list or map in brackets has more than {MAX_MARKS} brackets, commas and colons; write it, or \
                 the one around it, without brackets, one item on each line"
            ));
        }
        (characters > MAX_SPAN).then(|| {
            format!(
                "the next value, with the white space before it, takes more than {MAX_SPAN} characters; shorten or \
                 split it"
            )
        })
    }

    /// Counts a character that is read. Returns whether the limits are still kept.
    fn count(&self, character: char) -> bool {
        let Span { begun, characters, marks } = self.span.get();
        let begun = match (begun, character) {
            (Begun::Nothing, '[' | '{') => Begun::Brackets,
            (Begun::Nothing, ' ' | '\t' | '\n' | '\r' | ',' | ':' | '-' | '?' | ']' | '}') => Begun::Nothing,
            (Begun::Nothing, _) => Begun::Scalar,
            (begun, _) => begun,
        };
        let is_mark = matches!(begun, Begun::Brackets) && matches!(character, ',' | ':' | '[' | ']' | '{' | '}');
        let (characters, marks) = if is_mark { (0, marks + 1) } else { (characters + 1, marks) };
        self.span.set(Span { begun, characters, marks });
        characters <= MAX_SPAN && marks <= MAX_MARKS
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

    /// Counts the next character, and ends the text if there are too many.
    fn count(&mut self) {
        if !self.limit.count(self.text.peek()) {
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
        self.count();
        self.text.raw_read_ch()
    }

    fn raw_read_non_breakz_ch(&mut self) -> Option<char> {
        self.count();
        self.text.raw_read_non_breakz_ch()
    }

    fn skip(&mut self) {
        self.count();
        self.text.skip();
    }

    fn skip_n(&mut self, count: usize) {
        for _ in 0..count {
            self.skip();
        }
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
