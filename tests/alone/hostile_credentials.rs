//! Credential files take no more memory than the table of memory has for them, while they are loaded and afterwards.

use crate::hostile_conditions::MEMORY;
use crate::support::credentials::rules;
use crate::turn;
use detente::access::{Keys, MAX_JWKS_BYTES, MAX_TOKEN_FILE_BYTES, Tokens};
use detente::server::memory::CREDENTIALS;
use std::fmt::Write;

/// An entry of a token file, with as many scenarios as given.
fn entry(text: &mut String, at: usize, scenarios: usize, spacing: &str) {
    let ids: Vec<String> = (0..scenarios).map(|id| format!("s{id}")).collect();
    let scope = if ids.is_empty() { "all".to_owned() } else { format!("[{}]", ids.join(",")) };
    writeln!(text, "- {{caller: {at},sha256: {at:064},role: reader,scenarios: {scope}}}{spacing}").unwrap();
}

fn file(entries: usize, scenarios: usize, spacing: usize) -> String {
    let (mut text, spacing) = ("tokens:\n".to_owned(), " ".repeat(spacing));
    (1..=entries).for_each(|at| entry(&mut text, at, scenarios, &spacing));
    text
}

/// Returns the most memory that loading took, and what the loaded file takes, in bytes.
fn load<T, E>(name: &str, text: &str, read: impl FnOnce(&str) -> Result<T, E>) -> [usize; 2] {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let loaded = read(text).ok();
    let peak = MEMORY.peak_usage().saturating_sub(before) + text.len();
    let held = MEMORY.current_usage().saturating_sub(before);
    let outcome = if loaded.is_some() { "loaded" } else { "rejected" };
    println!("{name}: {outcome}, {} bytes, {peak} at most, {held} afterwards", text.len());
    [peak, held]
}

#[test]
fn credential_files_take_bounded_memory() {
    let _turn = turn();
    let tokens = [
        ("many tokens", file(10_000, 0, 0)),
        ("many scenarios", file(5_500, 36, 0)),
        ("long lines", file(9_000, 0, 340)),
        ("numbers", format!("tokens: [{}]", "1,".repeat(124_000))),
        ("empty entries", format!("tokens: [{}]", "{},".repeat(240_000))),
        ("nesting", format!("tokens: {}", "[".repeat(100_000))),
        ("one text", format!("tokens: \"{}\"", "\\u00e9".repeat(650_000))),
        ("comments", format!("tokens: []\n{}", "#\n".repeat(2_000_000))),
    ];
    let key_sets = [
        ("JSON numbers", format!("{{\"keys\": [{}1]}}", "1,".repeat(9_000))),
        ("JSON objects", format!("{{\"keys\": [{}1]}}", "{},".repeat(4_900))),
        ("JSON text", format!("{{\"keys\": \"{}\"}}", "\\n".repeat(200_000))),
    ];
    let of_tokens = tokens.iter().map(|(name, text)| {
        assert!(text.len() <= MAX_TOKEN_FILE_BYTES, "{name}: {}", text.len());
        load(name, text, Tokens::read)
    });
    let of_keys = key_sets.iter().map(|(name, text)| {
        assert!(text.len() <= MAX_JWKS_BYTES, "{name}: {}", text.len());
        load(name, text, |text| Keys::read(text, rules(&["ES256"])))
    });
    let of_tokens: Vec<_> = of_tokens.collect();
    // The files of both kinds may load at the same time, beside the tokens in use.
    let peak = of_tokens.iter().map(|[peak, _]| peak).max().unwrap() + of_keys.map(|[peak, _]| peak).max().unwrap();
    let held = of_tokens.iter().map(|[_, held]| held).max().unwrap();
    assert!(*held > 10_000_000, "a file whose callers have many scenarios was loaded");
    let most = usize::try_from(CREDENTIALS).unwrap();
    assert!(peak + held <= most, "{peak} and {held} bytes, more than {most}");
}
