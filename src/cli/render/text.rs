//! Styles, tables, wrapping and numbers of texts for people.

use anstyle::{AnsiColor, Style};

/// Number of columns that texts are wrapped to.
pub(crate) const WIDTH: usize = 100;

/// The style of a check that passed, or of an added part.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// The style of what is contested, undetermined or changed.
pub(crate) const OPEN: Style = AnsiColor::Yellow.on_default();
/// The style of what is crossed, blocked, wrong, failed or removed.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// The style of headings.
pub(crate) const HEAD: Style = Style::new().bold();
/// The style of secondary text, such as revisions.
pub(crate) const DIM: Style = Style::new().dimmed();

/// A table with aligned columns below a head.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|head| head.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    let mut out = format!("{HEAD}{}{HEAD:#}\n", line(&mut head.iter().copied()));
    for row in rows {
        out += &line(&mut row.iter().map(String::as_str));
        out.push('\n');
    }
    out
}

/// Wraps a text to [`WIDTH`]. Lines after the first are indented by two more columns.
pub(crate) fn wrapped(text: &str, indent: usize) -> String {
    let (first, rest) = (" ".repeat(indent), " ".repeat(indent + 2));
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(&first)
        .subsequent_indent(&rest)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(text, options) + "\n"
}

/// A number with its noun, like "3 issues" or "1 issue".
pub(crate) fn count(number: usize, singular: &str, plural: &str) -> String {
    if number == 1 { format!("1 {singular}") } else { format!("{number} {plural}") }
}

/// A number with separators, like "1,000,000".
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
