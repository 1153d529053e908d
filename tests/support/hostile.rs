//! A thousand hostile conditions, and a vocabulary as large as a scenario may have.
//!
//! A condition is an expression in CEL that a request may contain. A hostile one takes as much time, memory or stack as
//! possible to read and compile. A vocabulary contains the names that conditions may use. A family of conditions
//! repeats or nests the same construct; it grows in twenty sizes, from harmless to beyond the limits. All conditions
//! are the same on every run.

use detente_condition::{Domain, InputIndex, MAX_CONDITION_BYTES, Vocabulary};
use std::sync::Arc;

/// The number of sizes of each family.
pub(crate) const SIZES: usize = 20;

/// A family's name, and the function that makes a condition of a size.
pub(crate) type Family = (&'static str, fn(usize) -> String);

/// 600 inputs (flags, choices of 64 options, sets of 64 members, and quantities) and 200 groups of 64 members. The
/// names of inputs are short, so that a condition of the maximum length has room for many of them. The names of options
/// have the maximum length, so that comparing them is expensive.
pub(crate) fn vocabulary() -> (Vocabulary, Vec<Domain>) {
    let entries = |prefix: &str| -> Arc<[Arc<str>]> { (0..64).map(|at| Arc::from(format!("{prefix}{at}"))).collect() };
    let mut vocabulary = Vocabulary::default();
    let mut domains = Vec::new();
    for at in 0..600u16 {
        let domain = match kind(at) {
            'f' => Domain::Flag,
            'c' => Domain::Choice(entries(&format!("{}{at:03}_", "o".repeat(56)))),
            'm' => Domain::Members(entries("m")),
            _ => Domain::Quantity { min: -1_000_000, max: 1_000_000 },
        };
        vocabulary.add_input(Arc::from(input(at)), InputIndex(at), domain.clone());
        domains.push(domain);
    }
    for at in 0..200 {
        vocabulary.add_group(Arc::from(format!("g{at}")), entries(if at % 2 == 0 { "m" } else { "n" }));
    }
    (vocabulary, domains)
}

fn kind(at: u16) -> char {
    match at % 6 {
        0..=2 => 'f',
        3 => 'c',
        4 => 'm',
        _ => 'q',
    }
}

/// A name of two characters that is not a word of CEL.
fn input(at: u16) -> String {
    let first = b"ABCDEFGHIJKLMNOPQRST"[usize::from(at) / 30];
    let second = b"0123456789abcdefghijklmnopqrst"[usize::from(at) % 30];
    [first, second].map(char::from).iter().collect()
}

/// The `number`-th input of a kind.
fn name(of: char, number: usize) -> String {
    let all: Vec<u16> = (0..600).filter(|at| kind(*at) == of).collect();
    input(all[number % all.len()])
}

fn flag(number: usize) -> String {
    name('f', number)
}

/// Converts a size to a number between `from` and `to`. Each size's number is greater than that of the size before it
/// by the same factor.
fn scaled(size: usize, from: usize, to: usize) -> usize {
    let ratio = (to as f64 / from as f64).powf(size as f64 / (SIZES - 1) as f64);
    (from as f64 * ratio).round() as usize
}

/// A unit, repeated until it has the length that the size stands for: 40 bytes for the least size, and slightly more
/// than a condition may have for the greatest.
fn repeated(unit: &str, size: usize) -> String {
    unit.repeat(scaled(size, 40, MAX_CONDITION_BYTES + 8).div_ceil(unit.len()))
}

/// As many parts, with a separator between them, as fit into the number of bytes that this size stands for.
fn joined(size: usize, separator: &str, mut part: impl FnMut(usize) -> String) -> String {
    let bytes = scaled(size, 40, MAX_CONDITION_BYTES - 8);
    let mut text = part(0);
    for at in 1.. {
        let next = part(at);
        if text.len() + separator.len() + next.len() > bytes {
            break;
        }
        text.push_str(separator);
        text.push_str(&next);
    }
    text
}

/// Nested pairs of `open` and `close`. The depth of some sizes is within the limit on nesting, and that of others
/// beyond it.
fn nested(size: usize, open: &str, inner: &str, close: &str) -> String {
    let deep = if size < 14 { 2 * size + 1 } else { scaled(size, 3, 400) };
    format!("{}{inner}{}", open.repeat(deep), close.repeat(deep))
}

/// A unit, repeated more often the greater the size is. Most units open a level of nesting that nothing closes.
fn open(size: usize, unit: &str) -> String {
    unit.repeat(if size < 14 { 2 * size + 1 } else { scaled(size, 3, MAX_CONDITION_BYTES / unit.len()) })
}

/// Random numbers that repeat on every run (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % bound as u64) as usize
    }
}

/// Tokens in random order.
fn soup(size: usize) -> String {
    let tokens: Vec<&str> =
        "A0 A4 A5 g0 m 1 -1 1.5 0x1F 9u ( ) [ ] { } . , : ? ! - + * / % == != < <= in && || true null \
                             \"m1\" 'm2' r\"\\\" b'x' \"\"\"t\"\"\" // .exists(m, .all( size( \\ @ é ` ="
            .split(' ')
            .collect();
    let mut random = Random(size as u64);
    joined(size, " ", |_| tokens[random.below(tokens.len())].to_owned())
}

/// Tokens in random order with matching brackets. Because the brackets match, the condition passes the scan, which is a
/// check before parsing.
fn balanced_soup(size: usize) -> String {
    let mut random = Random(size as u64 + 77);
    let mut open = Vec::new();
    let bytes = scaled(size, 40, MAX_CONDITION_BYTES - 40);
    let mut text = String::new();
    while text.len() < bytes {
        let (token, closer) = [
            ("A0", ""),
            ("A4", ""),
            ("-1", ""),
            ("1", ""),
            ("-", ""),
            ("!", ""),
            (".b", ""),
            ("?", ""),
            (":", ""),
            (" in ", ""),
            ("==", ""),
            ("&&", ""),
            (",", ""),
            ("\"m1\"", ""),
            ("(", ")"),
            ("[", "]"),
            ("{", "}"),
            ("A4.exists(m,", ")"),
            ("-1[", "]"),
            ("a.b{", "}"),
        ][random.below(20)];
        if closer.is_empty() || open.len() < 20 {
            text += token;
            text.push(' ');
        }
        if !closer.is_empty() && open.len() < 20 {
            open.push(closer);
        } else if random.below(3) == 0 {
            text += open.pop().unwrap_or_default();
        }
    }
    while let Some(closer) = open.pop() {
        text += closer;
    }
    text
}

/// Clauses of three flags each, chosen at random.
fn random_clauses(size: usize) -> String {
    let mut random = Random(size as u64 + 1_000);
    let flags = 10 + 2 * size;
    let mut literal = move || format!("{}{}", ["", "!"][random.below(2)], flag(random.below(flags)));
    joined(size, " && ", |_| format!("({} || {} || {})", literal(), literal(), literal()))
}

/// A condition that is true if an odd number of flags are true.
fn parity(size: usize) -> String {
    let flags: Vec<String> = (0..2 + size / 2).map(flag).collect();
    flags.iter().skip(1).fold(flags[0].clone(), |odd, flag| format!("({flag} ? !{odd} : {odd})"))
}

/// A condition with the same meaning, made by repeatedly halving the list of flags. This makes it long, but not deeply
/// nested.
fn halved_parity(size: usize) -> String {
    fn odd(from: usize, to: usize) -> String {
        if to - from == 1 {
            return flag(from);
        }
        let (a, b) = (odd(from, (from + to) / 2), odd((from + to) / 2, to));
        format!("({a} && !{b} || !{a} && {b})")
    }
    odd(0, 2 + size)
}

/// A long conjunction, followed by pairs of alternatives. Each way to make the condition true contains the whole
/// conjunction.
fn heavy_cases(size: usize) -> String {
    let carried: Vec<String> = (100..100 + scaled(size, 10, 200)).map(flag).collect();
    let choices: Vec<String> =
        (0..4 + size / 2).map(|at| format!("({} || {})", flag(2 * at), flag(2 * at + 1))).collect();
    format!("{} && {}", carried.join(" && "), choices.join(" && "))
}

/// Nested quantifiers over the members of sets or groups.
fn walks(size: usize, quantifier: &str, body: &str) -> String {
    let depth = 1 + size % 5;
    let range = |at: usize| if size < 10 { name('m', at) } else { format!("g{}", 2 * at) };
    let open: String = (0..depth).map(|at| format!("{}.{quantifier}(v{at}, ", range(at))).collect();
    format!("{open}{}{}", body.replace('V', &format!("v{}", depth - 1)), ")".repeat(depth))
}

/// A list of numbers that divide a quantity into many intervals.
fn cuts(size: usize) -> String {
    let numbers: Vec<String> = (0..4 + 4 * size).map(|at| (at * 7).to_string()).collect();
    format!("{} in [{}]", name('q', 0), numbers.join(", "))
}

/// The fifty families.
pub(crate) const FAMILIES: [Family; 50] = [
    ("parentheses", |size| nested(size, "(", "A0", ")")),
    ("parentheses, open", |size| open(size, "(")),
    ("brackets", |size| nested(size, "[", "1", "]")),
    ("brackets, open", |size| open(size, "[")),
    ("braces", |size| nested(size, "{a:", "1", "}")),
    ("braces, open", |size| open(size, "{")),
    ("messages", |size| nested(size, "a.b{c:", "1", "}")),
    ("calls", |size| nested(size, "size(", "A4", ")")),
    ("calls on calls", |size| format!("A0{}", open(size, ".b()"))),
    ("fields", |size| format!("A0{}", open(size, ".b"))),
    ("indexes", |size| format!("A0{}", open(size, "[0]"))),
    ("indexed signs", |size| nested(size, "-1[", "0", "]")),
    ("choices to the right", |size| format!("{}A0", open(size, "A0 ? A1 : "))),
    ("choices to the left", |size| nested(size, "A0 ? ", "A1", " : A2")),
    ("choices in brackets", |size| nested(size, "(A0 ? ", "A1", " : A2)")),
    ("choices as tests", |size| nested(size, "(", "A0", " ? A1 : A2)")),
    ("nots", |size| format!("{}A0", open(size, "!"))),
    ("signs", |size| format!("{}1 == 1", open(size, "-"))),
    ("nots in brackets", |size| nested(size, "!(", "A0", ")")),
    ("sums", |size| format!("{}1 == 1", open(size, "1+"))),
    ("equalities", |size| format!("{}A0", open(size, "A0 == "))),
    ("memberships", |size| format!("{}A4", open(size, "A4 in "))),
    ("and", |size| joined(size, "&&", flag)),
    ("or", |size| joined(size, "||", flag)),
    ("negative numbers", |size| format!("{} in [{}]", name('q', 0), joined(size, ",", |at| format!("-{at}")))),
    ("a long list", |size| format!("{} in [{}]", name('q', 0), joined(size, ",", |_| "7".to_owned()))),
    ("a list of lists", |size| format!("A0 in [{}]", joined(size, ",", |_| "[]".to_owned()))),
    ("digits", |size| repeated("9", size)),
    ("numbers run together", |size| repeated("1u", size)),
    ("an open text", |size| format!("A3 == \"{}", repeated("(", size))),
    ("raw texts", |size| repeated(r#"r"\"+("#, size)),
    ("comments", |size| repeated("A0 && // \" ( '\n(", size)),
    ("texts in threes", |size| repeated(r#""""("" \""" ) """ + ("#, size)),
    ("characters", |size| repeated("é@`\\", size)),
    ("tokens", soup),
    ("tokens in brackets", balanced_soup),
    ("exists", |size| walks(size, "exists", "V in A4")),
    ("all", |size| walks(size, "all", "V in g2 || A0")),
    ("exactly one", |size| walks(size, "exists_one", "V in A4")),
    ("a long list, walked", |size| {
        format!("g0.all(m, g2.exists(n, {} in [{}]))", name('q', 0), joined(size.min(18), ",", |at| at.to_string()))
    }),
    ("a long text, walked", |size| format!("g0.all(m, g2.exists(n, n == \"{}\"))", repeated("x", size.min(18)))),
    ("unknown names", |size| joined(size, " && ", |at| format!("{}{at}", "o".repeat(58)))),
    ("unknown options", |size| joined(size, " && ", |at| format!("{} == \"{}{at}\"", name('c', at), "o".repeat(50)))),
    ("sizes", |size| format!("size({}) >= {}", name('m', 0), 1 + size)),
    ("pairs", |size| joined(size, " && ", |at| format!("({} || {})", flag(2 * at), flag(2 * at + 1)))),
    ("clauses at random", random_clauses),
    ("parity", parity),
    ("parity in halves", halved_parity),
    ("heavy cases", heavy_cases),
    ("cuts", cuts),
];

/// All conditions. Each has the position of its family, and its text.
pub(crate) fn all() -> Vec<(usize, String)> {
    let mut conditions = Vec::new();
    for (at, (_, make)) in FAMILIES.iter().enumerate() {
        conditions.extend((0..SIZES).map(|size| (at, make(size))));
    }
    assert_eq!(conditions.len(), 1_000);
    conditions
}
