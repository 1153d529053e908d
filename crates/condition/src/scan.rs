//! Scans the tokens of a condition before the parser sees the text.
//!
//! The scan rejects texts that are too long, nest too deeply or are lexically invalid CEL. It must see the same
//! brackets as the parser; otherwise the parser could nest more deeply than the scan has counted. After a lexical error
//! the parser's lexer resumes in the middle of the string in which the error occurred, and would disagree with the scan
//! about where strings and comments end; therefore the scan rejects every lexical error. Otherwise tokens are
//! distinguished only as far as counting them requires.
//!
//! Must not know of names or types.

use super::fault::{ConditionError, ConditionErrorKind};
use super::limits::{MAX_CONDITION_BYTES, MAX_CONDITION_NESTING};

/// Steps of the work budget charged for every condition, because a parser is set up for each one.
const STEPS_OF_A_CONDITION: u64 = 20_000;
/// Steps charged for parsing one token: six microseconds.
const STEPS_OF_A_TOKEN: u64 = 4_000;
/// The number of tokens whose cost is charged for a `-`.
///
/// The parser looks ahead from each `-` for a negative number, and does not cache the result.
const TOKENS_OF_A_MINUS: u64 = 8;
/// Steps charged for each byte of the text, because the parser copies comments and long strings, too.
const STEPS_OF_A_BYTE: u64 = 100;

/// An open bracket, and counts of the tokens read inside it.
#[derive(Default)]
struct Level {
    /// The bracket that closes this level; `None` for the outermost level.
    closer: Option<char>,
    /// The length of the current chain of operators: those since the last `&&`, `||`, `?`, `:` or `,`.
    ///
    /// In the syntax tree of a chain each operator contains those before it, so that each one nests a level deeper.
    operators: usize,
    /// The number of `?` operators since the last `,`.
    ///
    /// A `:` does not reset it, because the expression after the `:` is nested within the `?:`.
    choices: usize,
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    level: Level,
    outer: Vec<Level>,
    /// The sum of [`Level::choices`] over all open levels.
    choices: usize,
    tokens: u64,
}

/// Checks, without recursion, that a text is not too long, does not nest too deeply and is lexically valid.
///
/// Returns the number of steps to charge for parsing the text.
pub(super) fn scan(text: &str) -> Result<u64, ConditionError> {
    if text.len() > MAX_CONDITION_BYTES {
        return Err(ConditionError { at: 0, kind: ConditionErrorKind::TooLong { bytes: text.len() } });
    }
    let mut scan = Scan { text, at: 0, level: Level::default(), outer: Vec::new(), choices: 0, tokens: 0 };
    while let Some(first) = scan.rest().chars().next() {
        scan.next(first)?;
    }
    Ok(STEPS_OF_A_CONDITION + scan.tokens * STEPS_OF_A_TOKEN + text.len() as u64 * STEPS_OF_A_BYTE)
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn reject<T>(at: usize, message: impl Into<String>) -> Result<T, ConditionError> {
        Err(ConditionError { at, kind: ConditionErrorKind::Syntax { message: message.into() } })
    }

    /// Consumes the token, white space or comment that begins with `first`.
    fn next(&mut self, first: char) -> Result<(), ConditionError> {
        let rest = self.rest();
        if let Some(prefix) = before_quote(rest) {
            self.tokens += 1;
            self.at += prefix.len();
            return self.quoted(prefix.ends_with(['r', 'R']));
        }
        match first {
            ' ' | '\t' | '\r' | '\n' | '\u{c}' => self.at += 1,
            '/' if rest.starts_with("//") => self.at += rest.find('\n').unwrap_or(rest.len()),
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => return self.word(first),
            '(' => return self.open(')'),
            '[' => return self.open(']'),
            '{' => return self.open('}'),
            ')' | ']' | '}' => return self.close(first),
            ',' | ':' | '?' => return self.separate(first),
            _ if rest.starts_with("&&") || rest.starts_with("||") => {
                self.level.operators = 0;
                self.tokens += 1;
                self.at += 2;
            }
            _ => return self.operator(first),
        }
        Ok(())
    }

    fn word(&mut self, first: char) -> Result<(), ConditionError> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        // A word that begins with a digit may be several tokens, such as `1u2u3u`; each token except the first begins
        // after a letter.
        let letters = word.bytes().filter(|byte| !byte.is_ascii_digit()).count();
        self.tokens += if first.is_ascii_digit() { 1 + letters as u64 } else { 1 };
        if word == "in" {
            self.chain()?;
        }
        self.at += end;
        Ok(())
    }

    fn operator(&mut self, first: char) -> Result<(), ConditionError> {
        let rest = self.rest();
        let long = ["==", "!=", "<=", ">="].iter().any(|operator| rest.starts_with(operator));
        if !long && !"<>!+-*/%.".contains(first) {
            let hint = match first {
                '=' => "; to compare, write `==`",
                '&' => "; for \"and\", write `&&`",
                '|' => "; for \"or\", write `||`",
                _ => "",
            };
            return Self::reject(self.at, format!("unexpected `{first}`{hint}"));
        }
        self.tokens += if first == '-' { TOKENS_OF_A_MINUS } else { 1 };
        self.chain()?;
        self.at += if long { 2 } else { 1 };
        Ok(())
    }

    /// Counts one more operator of the current chain.
    fn chain(&mut self) -> Result<(), ConditionError> {
        self.level.operators += 1;
        self.check(self.level.operators, ConditionErrorKind::TooManyOperators)
    }

    fn check(&self, depth: usize, kind: ConditionErrorKind) -> Result<(), ConditionError> {
        if depth <= MAX_CONDITION_NESTING { Ok(()) } else { Err(ConditionError { at: self.at, kind }) }
    }

    fn open(&mut self, closer: char) -> Result<(), ConditionError> {
        self.tokens += 1;
        // A bracket counts as an operator, because the syntax node of a call or an index contains the expression before
        // the bracket.
        self.chain()?;
        self.outer.push(std::mem::take(&mut self.level));
        self.level.closer = Some(closer);
        self.check(self.outer.len(), ConditionErrorKind::TooDeep)?;
        self.at += 1;
        Ok(())
    }

    /// Closes the innermost open bracket, and rejects a bracket that does not match it.
    ///
    /// The parser would skip a bracket that does not match, and treat the open one as still open.
    fn close(&mut self, bracket: char) -> Result<(), ConditionError> {
        self.tokens += 1;
        match (self.level.closer, self.outer.pop()) {
            (Some(closer), Some(outer)) if closer == bracket => {
                self.choices -= self.level.choices;
                self.level = outer;
                self.at += 1;
                Ok(())
            }
            (Some(closer), _) => Self::reject(self.at, format!("unexpected `{bracket}`; expected `{closer}`")),
            (None, _) => Self::reject(self.at, format!("unmatched `{bracket}`")),
        }
    }

    fn separate(&mut self, separator: char) -> Result<(), ConditionError> {
        self.tokens += 1;
        self.level.operators = 0;
        match separator {
            ',' => self.choices -= std::mem::take(&mut self.level.choices),
            '?' => {
                self.level.choices += 1;
                self.choices += 1;
                self.check(self.choices, ConditionErrorKind::TooDeep)?;
            }
            _ => {}
        }
        self.at += 1;
        Ok(())
    }

    /// Consumes a quoted string whose prefix has been consumed already.
    fn quoted(&mut self, raw: bool) -> Result<(), ConditionError> {
        let start = self.at;
        let rest = self.rest();
        let quote = if rest.starts_with('"') { '"' } else { '\'' };
        let long = rest.starts_with(r#"""""#) || rest.starts_with("\'\'\'");
        let fence = rest.get(..if long { 3 } else { 1 }).unwrap_or_default();
        self.at += fence.len();
        loop {
            let rest = self.rest();
            if rest.starts_with(fence) {
                self.at += fence.len();
                return Ok(());
            }
            match rest.chars().next() {
                Some('\\') if !raw => match escape(rest) {
                    Some(length) => self.at += length,
                    None => return Self::reject(self.at, r"`\` does not begin a valid escape sequence"),
                },
                Some('\n' | '\r') if !long => {
                    return Self::reject(start, format!("the string lacks its closing `{quote}`"));
                }
                Some(character) => self.at += character.len_utf8(),
                None => return Self::reject(start, format!("the string lacks its closing `{fence}`")),
            }
        }
    }
}

/// Returns the prefix of the quoted string at the beginning of `rest` (`b`, `r`, `br` or empty); `None` if `rest` does
/// not begin with a quoted string.
fn before_quote(rest: &str) -> Option<&str> {
    let bytes = rest.strip_prefix(['b', 'B']).unwrap_or(rest);
    let raw = bytes.strip_prefix(['r', 'R']).unwrap_or(bytes);
    if raw.starts_with(['"', '\'']) { rest.get(..rest.len() - raw.len()) } else { None }
}

/// Returns the length of the escape sequence at the beginning of `rest`; `None` if it is invalid.
fn escape(rest: &str) -> Option<usize> {
    let mut following = rest.chars().skip(1);
    let (digits, radix) = match following.next()? {
        'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '"' | '\'' | '\\' | '?' | '`' => (0, 16),
        'x' | 'X' => (2, 16),
        'u' => (4, 16),
        'U' => (8, 16),
        '0'..='3' => (2, 8),
        _ => return None,
    };
    let fits = following.take(digits).filter(|digit| digit.is_digit(radix)).count() == digits;
    fits.then_some(2 + digits)
}
