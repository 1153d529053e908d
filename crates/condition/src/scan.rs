//! A scan of CEL's tokens, before the parser sees a text: what would be deep, long or not lexically CEL stops here.
//!
//! The scan must see the brackets that the parser will see, and the parser's lexer, at a fault, goes on in the middle
//! of the text it was in. So whatever is lexically wrong is refused: then the two agree on where texts and comments
//! end. Tokens are otherwise only told apart as far as counting them needs.

use super::fault::{ConditionError, ConditionErrorKind};
use super::limits::{MAX_CONDITION_BYTES, MAX_CONDITION_NESTING};

/// Steps for a condition, however short: the parser is set up for each.
const STEPS_OF_A_CONDITION: u64 = 20_000;
/// Steps that the parser is charged with for a token: six microseconds.
const STEPS_OF_A_TOKEN: u64 = 4_000;
/// The parser reads on from each `-` to find whether a number's sign could be meant, without remembering it.
const TOKENS_OF_A_MINUS: u64 = 8;
/// Steps for a byte, whatever it belongs to: comments and long texts are copied, too.
const STEPS_OF_A_BYTE: u64 = 100;

/// A bracket that is open, and what was read in it.
#[derive(Default)]
struct Level {
    /// What closes it; none around the whole.
    closer: Option<char>,
    /// Operators since the last `&&`, `||`, `?`, `:` or `,`: they make a chain, in which each holds those before it.
    operators: usize,
    /// `?` since the last `,`: what follows a `:` is within it.
    choices: usize,
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    level: Level,
    outer: Vec<Level>,
    /// The `?` of all levels.
    choices: usize,
    tokens: u64,
}

/// Refuses what is too long, too deep or not made of CEL's tokens, without recursion. Answers with the steps that
/// parsing is worth.
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

    fn refuse<T>(at: usize, message: impl Into<String>) -> Result<T, ConditionError> {
        Err(ConditionError { at, kind: ConditionErrorKind::Syntax { message: message.into() } })
    }

    /// Goes over the token, or the space or comment, that begins with `first`.
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
        // What begins with a digit may be several tokens, as `1u2u3u`; each but the first begins behind a letter.
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
                '&' => "; \"and\" is `&&`",
                '|' => "; \"or\" is `||`",
                _ => "",
            };
            return Self::refuse(self.at, format!("`{first}` cannot stand here{hint}"));
        }
        self.tokens += if first == '-' { TOKENS_OF_A_MINUS } else { 1 };
        self.chain()?;
        self.at += if long { 2 } else { 1 };
        Ok(())
    }

    /// One more operator in a row.
    fn chain(&mut self) -> Result<(), ConditionError> {
        self.level.operators += 1;
        self.check(self.level.operators, ConditionErrorKind::TooManyOperators)
    }

    fn check(&self, depth: usize, kind: ConditionErrorKind) -> Result<(), ConditionError> {
        if depth <= MAX_CONDITION_NESTING { Ok(()) } else { Err(ConditionError { at: self.at, kind }) }
    }

    fn open(&mut self, closer: char) -> Result<(), ConditionError> {
        self.tokens += 1;
        // A call and an index hold what they stand behind.
        self.chain()?;
        self.outer.push(std::mem::take(&mut self.level));
        self.level.closer = Some(closer);
        self.check(self.outer.len(), ConditionErrorKind::TooDeep)?;
        self.at += 1;
        Ok(())
    }

    /// Ends a level. A bracket that does not fit would be skipped by the parser, and its counterpart left open.
    fn close(&mut self, bracket: char) -> Result<(), ConditionError> {
        self.tokens += 1;
        match (self.level.closer, self.outer.pop()) {
            (Some(closer), Some(outer)) if closer == bracket => {
                self.choices -= self.level.choices;
                self.level = outer;
                self.at += 1;
                Ok(())
            }
            (Some(closer), _) => Self::refuse(self.at, format!("`{bracket}` stands where `{closer}` is missing")),
            (None, _) => Self::refuse(self.at, format!("`{bracket}` closes nothing")),
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

    /// Goes over a text in quotes, behind its prefix.
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
                    None => return Self::refuse(self.at, r"behind `\` stands nothing that it can begin"),
                },
                Some('\n' | '\r') if !long => {
                    return Self::refuse(start, format!("the text lacks its closing `{quote}`"));
                }
                Some(character) => self.at += character.len_utf8(),
                None => return Self::refuse(start, format!("the text lacks its closing `{fence}`")),
            }
        }
    }
}

/// The prefix of a text in quotes, where one begins: `b`, `r`, `br` or nothing.
fn before_quote(rest: &str) -> Option<&str> {
    let bytes = rest.strip_prefix(['b', 'B']).unwrap_or(rest);
    let raw = bytes.strip_prefix(['r', 'R']).unwrap_or(bytes);
    if raw.starts_with(['"', '\'']) { rest.get(..rest.len() - raw.len()) } else { None }
}

/// The length of the escape that a text begins with.
fn escape(rest: &str) -> Option<usize> {
    let mut behind = rest.chars().skip(1);
    let (digits, radix) = match behind.next()? {
        'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '"' | '\'' | '\\' | '?' | '`' => (0, 16),
        'x' | 'X' => (2, 16),
        'u' => (4, 16),
        'U' => (8, 16),
        '0'..='3' => (2, 8),
        _ => return None,
    };
    let fits = behind.take(digits).filter(|digit| digit.is_digit(radix)).count() == digits;
    fits.then_some(2 + digits)
}
