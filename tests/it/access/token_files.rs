//! Bearer tokens from a file: how tokens are found, and which files are rejected.

use super::tokens;
use crate::support::credentials::entry;
use detente::access::{CallerRole, Tokens};
use serde_json::json;

#[test]
fn a_token_is_found_by_its_hash() {
    let read = tokens(&[
        entry("dashboards", "secret-1", "reader", ", scenarios: [one, two]"),
        entry("desk", "secret-2", "analyst", ""),
        // One caller may have two tokens, so that tokens can be rotated.
        entry("desk", "secret-3", "analyst", ""),
    ]);
    assert_eq!(read.len(), 3);
    let dashboards = read.find(b"secret-1").unwrap();
    assert_eq!((dashboards.name(), dashboards.role()), ("dashboards", CallerRole::Reader));
    assert!(dashboards.may_see("one") && !dashboards.may_see("three"));
    assert_eq!(read.find(b"secret-2").unwrap().name(), read.find(b"secret-3").unwrap().name());
    for unknown in [&b"secret-4"[..], b"", b"secret-1 ", b"SECRET-1"] {
        assert!(read.find(unknown).is_none());
    }
    // A token file may also be JSON, which is a subset of YAML.
    let json = json!({"tokens": [{"caller": "a", "sha256": "0".repeat(64), "role": "reader", "scenarios": "all"}]});
    assert_eq!(Tokens::read(&json.to_string()).unwrap().len(), 1);
}

#[test]
fn errors_of_token_files_give_the_reason_and_quote_no_content() {
    let secret = "a-token-in-plain-text-by-mistake";
    let good = entry("a", "x", "reader", "");
    for (text, wanted) in [
        (String::new(), "`tokens`"),
        ("tokens: []".to_owned(), "no token"),
        (format!("tokens:\n{good}{good}"), "token 2 (a): an earlier entry has the same token"),
        // This is the hash of the empty token: it would authenticate a bare `Bearer`.
        (format!("tokens:\n{}", entry("a", "", "reader", "")), "token 1 (a): `sha256` is the hash of an empty token"),
        (
            format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: all, expires: 2030-01-01")),
            "invalid token file",
        ),
        // An entry that has a key twice is rejected, so that neither value is used.
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: all, role: analyst")), "invalid token file"),
        (
            format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: [one], scenarios: [two]")),
            "invalid token file",
        ),
        (format!("tokens:\n{good}callers: []\n"), "invalid token file"),
        (format!("tokens:\n{good}tokens:\n{good}"), "invalid token file"),
        (format!("tokens:\n{good}---\ntokens:\n{good}"), "invalid token file"),
        (format!("tokens:\n{}", good.replace(", role: reader", "")), "invalid token file"),
        (
            format!("tokens:\n{}", good.replace("caller: a", "caller: &x a")),
            "line 2: invalid token file; expected a list",
        ),
        (format!("tokens:\n{}", good.replace("caller: a", "caller: !!str a")), "anchors, aliases, tags"),
        (format!("tokens:\n{}", good.replace("{caller: a", "{<<: {caller: a}, caller: a")), "expected only a list"),
        (
            "tokens:\n  - caller: |-\n      a\n    sha256: x\n    role: reader\n    scenarios: all\n".to_owned(),
            "line 3: a name cannot be a block scalar",
        ),
        (format!("tokens:\n{}", good.replace("sha256: ", "sha256: 0x")), "64 hexadecimal"),
        (format!("tokens:\n{}", good.replace("sha256: ", "sha256: 00")), "64 hexadecimal"),
        (
            format!("tokens:\n  - {{caller: a, sha256: '{}', role: reader, scenarios: all}}\n", "+f".repeat(32)),
            "64 hexadecimal",
        ),
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: ['']")), "ids, such as"),
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: {one: two}")), "invalid token file"),
        (format!("tokens:\n{}", entry("''", "x", "reader", "")), "1 to 64"),
        (format!("tokens:\n{}", entry("A B", "x", "reader", "")), "token 1: `caller` is not"),
        (format!("tokens:\n{}", entry(&"a".repeat(65), "x", "reader", "")), "1 to 64"),
        (format!("tokens:\n{}", entry("a", "x", "admin", "")), "line 2: invalid token file"),
        (
            format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: []")),
            "`scenarios` is neither `all` nor a list",
        ),
        (
            format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: none")),
            "`scenarios` is neither `all` nor a list",
        ),
        // A truncated entry must not grant more than the complete entry.
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenario: x").replace(", scenario: x", "")), "scenarios"),
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenario: one")), "invalid token file"),
        // A list of scenarios whose entries are all commented out must not grant access to all scenarios.
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: ")), "scenarios"),
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: null")), "scenarios"),
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: ~")), "scenarios"),
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: ['*']")), "ids, such as"),
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: [scenarios/one]")), "ids, such as"),
        (
            format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: [all]")),
            "token 1 (a): `all` is not the id of a scenario; write `scenarios: all`, without brackets",
        ),
        (format!("tokens:\n{}", entry("a", "x", "reader", ", scenarios: [one, 'all']")), "write `scenarios: all`"),
        (format!("tokens:\n  - {{caller: a, sha256: {secret}, role: reader, scenarios: all}}\n"), "64 hexadecimal"),
        (format!("tokens:\n  - {{caller: a, token: {secret}, role: reader}}\n"), "invalid token file"),
        (format!("{secret}: ]["), "invalid token file"),
        (format!("tokens:\n{}", good.repeat(10_001)), "limit is 10000"),
        // Values are counted before any of them is kept.
        (format!("tokens:\n{}- [{}]", good, "1,".repeat(250_000)), "more than 250000 values"),
        ("#".repeat(4 * 1024 * 1024 + 1), "exceeds"),
    ] {
        let message = Tokens::read(&text).unwrap_err().to_string();
        assert!(message.contains(wanted), "{}: {message}", text.get(..80).unwrap_or(&text));
        assert!(!message.contains(secret), "{message}");
    }
}

/// Token files with the same two entries: `secret-1` for an analyst who may see all scenarios, and `secret-2` for a
/// reader of two scenarios. The files differ in the order of the keys and in the style of the YAML, so that each part
/// of an entry is at the end of some file.
fn token_files() -> Vec<String> {
    let one = ["caller: desk-2", "role: analyst", "scenarios: all"].map(str::to_owned);
    let two = ["caller: dashboards", "role: reader", "scenarios: [one-2025, two-2025]"].map(str::to_owned);
    let hash =
        |token| entry("a", token, "reader", "").split([' ', ',']).find(|word| word.len() == 64).unwrap().to_owned();
    let mut files = Vec::new();
    for last in 0..4 {
        let mut entries = [(&one, "secret-1"), (&two, "secret-2")].map(|(keys, token)| {
            let mut keys = [&keys[..], &[format!("sha256: {}", hash(token))]].concat();
            keys.rotate_left(last);
            keys
        });
        for _ in 0..2 {
            entries.reverse();
            let flow = entries.each_ref().map(|keys| format!("{{{}}}", keys.join(", "))).join(",\n  ");
            let items = entries.each_ref().map(|keys| format!("  - {}\n", keys.join("\n    "))).concat();
            let block = items.replace("[one-2025, two-2025]", "\n      - one-2025\n      - two-2025");
            let quoted = block.replace(": all", ": 'all'").replace("- two-2025", "- \"two-2025\"");
            let commented = items.replace('\n', " # a comment\n");
            files.extend([
                format!("tokens: [\n  {flow}\n]\n"),
                format!("tokens:\n{items}"),
                format!("tokens:\n{block}"),
                format!("---\ntokens:\n{quoted}...\n"),
                format!("tokens:\n{commented}"),
                format!("tokens:\n{block}").replace('\n', "\r\n"),
            ]);
        }
    }
    files.push(
        json!({"tokens": [
            {"caller": "desk-2", "role": "analyst", "sha256": hash("secret-1"), "scenarios": "all"},
            {"scenarios": ["one-2025", "two-2025"], "sha256": hash("secret-2"), "role": "reader", "caller": "dashboards"},
        ]})
        .to_string(),
    );
    files
}

#[test]
fn a_token_file_cut_off_at_any_byte_never_widens_rights() {
    let ids = ["one-2025", "two-2025", "three"];
    let ids: Vec<&str> = ids.iter().flat_map(|id| (1..=id.len()).map(|end| &id[..end])).collect();
    let mut narrower = 0;
    for file in token_files() {
        let whole = Tokens::read(&file).unwrap_or_else(|error| panic!("{error}:\n{file}"));
        assert_eq!(whole.len(), 2, "{file}");
        for end in 0..file.len() {
            let Ok(part) = Tokens::read(&file[..end]) else { continue };
            narrower += usize::from(part.len() < whole.len());
            for token in ["secret-1", "secret-2", ""] {
                let Some(caller) = part.find(token.as_bytes()) else { continue };
                let known = whole.find(token.as_bytes()).unwrap();
                assert_eq!((caller.name(), caller.role()), (known.name(), known.role()), "{}", &file[..end]);
                assert!(!caller.sees_all() || known.sees_all(), "{}", &file[..end]);
                for id in &ids {
                    assert!(!caller.may_see(id) || known.may_see(id), "{id} is granted by\n{}", &file[..end]);
                }
            }
        }
    }
    assert!(narrower > 100, "too few truncated files were accepted for the test to be meaningful");
}

#[test]
fn a_token_file_is_plain_yaml_without_anchors_or_tags() {
    let hash = "0123456789abcdef".repeat(4);
    let entry = |keys: &str| format!("tokens:\n- {}\n", keys.replace("HASH", &hash));
    let plain = "{caller: a, sha256: HASH, role: reader, scenarios: [one]}";
    let read = |text: &str| Tokens::read(text).map(|tokens| tokens.len()).map_err(|error| error.to_string());
    assert_eq!(read(&entry(plain)), Ok(1));
    for (from, to) in [
        ("[one]", "&here [one]"),
        ("[one]", "[&here one, *here]"),
        ("[one]", "*here"),
        ("[one]", "! [one]"),
        ("[one]", "!!seq [one]"),
        ("[one]", "!!set {one}"),
        ("[one]", "!!str all"),
        ("[one]", "!all"),
        ("[one]", "{one: null}"),
        ("[one]", "{all}"),
        ("[one]", "[[one]]"),
        ("[one]", "[one, null]"),
        ("[one]", "[one, ~]"),
        ("[one]", "[one, '']"),
        ("[one]", "[one, 2025]"),
        ("[one]", "[one, 1_000]"),
        ("[one]", "[one, 0x1f]"),
        ("[one]", "[one, 1e3]"),
        ("[one]", "[one, true]"),
        ("[one]", "[one, on]"),
        ("[one]", "[one, No]"),
        ("[one]", "[one, y]"),
        ("[one]", "[all, '*']"),
        ("[one]", "['one two']"),
        ("[one]", "true"),
        ("[one]", "yes"),
        ("[one]", "All"),
        ("[one]", "ALL"),
        ("[one]", "' all'"),
        ("[one]", "\"all\\n\""),
        ("[one]", "\"all\\0\""),
        ("[one]", "null"),
        ("[one]", "~"),
        ("[one]", "''"),
        ("[one]", ""),
        ("[one]", "[one], scenarios: all"),
        ("[one]", "[one], \"scenarios\": all"),
        ("[one]", "[one], \"scen\\x61rios\": all"),
        ("[one]", "[one], ? scenarios : all"),
        ("[one]", "[one], <<: {scenarios: all}"),
        ("role:", "role\n  :"),
        ("role:", "? role\n  :"),
        ("[one]", "[one], << : [{scenarios: all}]"),
        ("[one]", "[one], ? [scenarios] : all"),
        ("[one]", "[one], Scenarios: all"),
        ("[one]", "[one], null: all"),
        ("[one]", "[one], ''"),
        ("reader", "Reader"),
        ("reader", "ANALYST"),
        ("reader", "'analyst '"),
        ("reader", "[reader]"),
        ("reader", "{reader: null}"),
        ("reader", "!reader"),
        ("reader", "!analyst reader"),
        ("reader", "!!binary YW5hbHlzdA=="),
        ("reader", "1"),
        ("reader", "null"),
        ("reader", "reader, role: analyst"),
        ("reader", "reader, role: reader"),
        ("caller: a", "caller: null"),
        ("caller: a", "caller: ~"),
        ("caller: a", "caller: [a]"),
        ("caller: a", "caller: !!str a"),
        ("caller: a", "caller: &name a"),
        ("caller: a", "caller: !!binary YQ=="),
        ("HASH", "null"),
        ("HASH", "[HASH]"),
        ("HASH", "!!binary HASH"),
        ("HASH", "HASH, sha256: HASH"),
    ] {
        let keys = plain.replace(from, to);
        assert!(keys != plain && read(&entry(&keys)).is_err(), "{keys}");
    }
    let good = entry(plain);
    let more = good.replace(&hash, &hash.replace('0', "f"));
    for text in [
        format!("{good}---\n{more}"),
        format!("{good}...\n{more}"),
        format!("{good}---\n"),
        format!("---\n---\n{good}"),
        format!("{good}]"),
        format!("{good}}}"),
        format!("{good}trailing\n"),
        format!("{good}{more}"),
        format!("{good}- {{}}\n"),
        format!("{good}tokens: []\n"),
        format!("{good}'tokens': []\n"),
        format!("{good}\0"),
        format!("{good}# \x1b[2J"),
        format!("{good}# \x7f"),
        format!("%YAML 1.1\n%TAG ! tag:example.com,2000:\n---\n{}", good.replace("reader", "!analyst reader")),
        format!("base: &base {{role: analyst}}\n{good}"),
        format!("- {good}"),
        format!("tokens: {{{}}}\n", good.trim()),
        "tokens: all\n".to_owned(),
        "tokens:\n".to_owned(),
        "null\n".to_owned(),
        "[]\n".to_owned(),
        "{}\n".to_owned(),
        "# tokens:\n".to_owned(),
        format!("{}x{}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("tokens: [{}]", "[],".repeat(300_000)),
    ] {
        assert!(read(&text).is_err(), "{}", text.get(..200).unwrap_or(&text));
    }
    // Other valid ways to write such a file in YAML are accepted.
    for text in [
        format!("---\n{good}"),
        format!("--- # now\n{good}...\n"),
        format!("\n\n# a comment\n{good}# the end"),
        good.replace("[one]", "[one,]"),
        good.replace("reader", "  analyst  "),
        good.replace("[one]", "[\"one\", 'two']"),
        good.replace("[one]", "['2025', \"true\"]"),
        good.replace("[one]", "\"all\""),
        good.replace("caller: a", "caller: 2025"),
        good.replace("caller: a", "caller: \"a\""),
        good.replace("caller: a", "\"caller\": 'a'"),
        good.replace("caller: a", "? caller : a"),
        good.replace(&hash, &hash.to_uppercase()),
        good.replace(&hash, &"1".repeat(64)),
        good.replace('\n', "\r\n"),
    ] {
        assert_eq!(read(&text), Ok(1), "{text}");
    }
}
