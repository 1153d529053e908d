//! Characters that nobody sees, written as escapes in every log.
//!
//! Some characters have no shape of their own, but change how the text around them looks: a bidirectional control
//! reverses what follows, so that a line of the log reads like another one ("Trojan Source", CVE-2021-42574), and an
//! invisible character makes two different names look equal. Callers and files choose texts that reach the log, so
//! such characters are written as `\u202e`. In JSON, where they occur only within strings, a parser returns the same
//! text as before. Must not know what a text means.

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::RangeInclusive;

/// The invisible characters, in ascending order.
///
/// In the terms of Unicode, these are DEL and the C1 controls, the format characters (except the visible signs that
/// Arabic and a few other scripts write before numbers), the characters that are ignorable by default, the spaces and
/// line separators beyond ASCII, and the blank Braille pattern. The other controls of ASCII are left to the writers of
/// lines, which escape them or, like line breaks and colours, need them.
const INVISIBLE: [RangeInclusive<char>; 22] = [
    '\u{7f}'..='\u{a0}',
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}',
    '\u{115f}'..='\u{1160}',
    '\u{1680}'..='\u{1680}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{2000}'..='\u{200f}',
    '\u{2028}'..='\u{202f}',
    '\u{205f}'..='\u{206f}',
    '\u{2800}'..='\u{2800}',
    '\u{3000}'..='\u{3000}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{feff}'..='\u{feff}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fffb}',
    '\u{13430}'..='\u{1343f}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e0fff}',
];

fn is_invisible(character: char) -> bool {
    // Most texts are ASCII.
    character >= '\u{7f}' && INVISIBLE.iter().any(|range| range.contains(&character))
}

/// Returns the text with each invisible character as the escape that JSON has for it: `\u202e`, and beyond the Basic
/// Multilingual Plane two such escapes, one for each half of the surrogate pair.
pub fn escape_invisible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match is_invisible(character) {
            false => escaped.push(character),
            true => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            }
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_are_escaped_and_others_are_not() {
        let bidirectional = ["\u{61c}", "\u{200e}\u{200f}", "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}"];
        let bidirectional = bidirectional.concat() + "\u{2066}\u{2067}\u{2068}\u{2069}";
        let expected = "\\u061c\\u200e\\u200f\\u202a\\u202b\\u202c\\u202d\\u202e\\u2066\\u2067\\u2068\\u2069";
        assert_eq!(escape_invisible(&bidirectional), expected);
        for (text, escaped) in [
            ("a\u{a0}b", "a\\u00a0b"),
            ("\u{feff}\u{200b}\u{2060}\u{ad}", "\\ufeff\\u200b\\u2060\\u00ad"),
            ("\u{7f}\u{85}\u{2028}", "\\u007f\\u0085\\u2028"),
            ("\u{e0041}", "\\udb40\\udc41"),
        ] {
            assert_eq!(escape_invisible(text), escaped);
        }
        let visible = "plain ~ \t\n\u{1b} Détente Украина مرحبا ١٢٣ \u{600} 日本 e\u{301} 🙂";
        assert!(matches!(escape_invisible(visible), Cow::Borrowed(same) if same == visible));
    }

    #[test]
    fn ranges_ascend_and_json_keeps_its_content() {
        assert!(INVISIBLE.iter().all(|range| range.start() <= range.end()));
        assert!(INVISIBLE.windows(2).all(|pair| pair[0].end() < pair[1].start()));
        for character in INVISIBLE.into_iter().flatten().chain(['a', '\\', '"', 'é']) {
            let text = format!("\\{character}\"\\u{character}");
            let json = serde_json::to_string(&text).unwrap();
            let escaped = escape_invisible(&json);
            assert!(escaped.chars().all(|character| !is_invisible(character)), "{escaped}");
            assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
        }
    }
}
