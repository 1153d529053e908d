//! `detente import`, which makes a scenario of a negotiation that was described for GENIUS, another program: the
//! scenario that it writes, where it writes it, and its errors.

use crate::support::binary::{Folder, prints, refuses};
use std::fs;

/// The arguments that import a market: its domain (the issues), and the profiles (the preferences) of two parties.
const MARKET: [&str; 5] = [
    "import",
    "genius",
    "tests/data/genius/market/market.xml",
    "tests/data/genius/market/Anna.xml",
    "tests/data/genius/market/2nd party.xml",
];

fn with<'a>(options: &[&'a str]) -> Vec<&'a str> {
    MARKET.iter().chain(options).copied().collect()
}

#[test]
fn the_scenario_is_printed_and_is_valid() {
    let folder = Folder::new("import-stdout");
    for (options, kept) in [
        (&[][..], include_str!("../../data/genius/market.yaml")),
        (&["--normalized"][..], include_str!("../../data/genius/market-normalized.yaml")),
    ] {
        let printed = prints(&with(options));
        assert_eq!(printed, kept);
        let checked = prints(&["check", &folder.write("market.yaml", &printed)]);
        assert!(checked.lines().nth(1).unwrap().contains("market.yaml  market    2        4       0 "), "{checked}");
    }
}

#[test]
fn the_guide_shows_the_written_scenario() {
    let (_, shown) = include_str!("../../../docs/genius.md").split_once("```yaml\n").unwrap();
    let mut rest = include_str!("../../data/genius/market.yaml");
    for part in shown.split_once("```").unwrap().0.split("...") {
        let at = rest.find(part).unwrap_or_else(|| panic!("not written in this order: {part}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn an_existing_file_is_replaced_only_with_force() {
    let folder = Folder::new("import-file");
    let file = folder.0.join("market.yaml").display().to_string();
    let expected = format!("{file}: 4 issues, 2 parties, 72 possible deals\n");
    assert_eq!(prints(&with(&["--output", &file])), expected);
    assert_eq!(fs::read_to_string(&file).unwrap(), include_str!("../../data/genius/market.yaml"));
    fs::write(&file, "mine").unwrap();
    let (code, refused) = refuses(&with(&["--output", &file]));
    assert_eq!((code, refused), (2, format!("error: {file} already exists; --force replaces it\n")));
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(prints(&with(&["--output", &file, "--force"])), expected);
    assert_eq!(fs::read_to_string(&file).unwrap(), include_str!("../../data/genius/market.yaml"));
}

#[test]
fn the_id_and_the_day_must_be_well_formed() {
    let printed = prints(&with(&["--id", "stall-2", "--date", "2011-06-30"]));
    assert!(printed.contains("scenario: stall-2\n") && printed.contains("as_of: 2011-06-30\n"));
    for (options, expected) in [
        (&["--id", "Stall"][..], "expected lower-case letters, digits and `-`"),
        (&["--date", "2011-6-30"], "2011-6-30"),
        (&["--force"], "--output"),
    ] {
        let (code, refused) = refuses(&with(options));
        assert!(code == 2 && refused.contains(expected), "{refused}");
    }
    assert_eq!(refuses(&MARKET[..3]).0, 2, "a domain without a profile");
}

#[test]
fn unreadable_files_are_reported() {
    let folder = Folder::new("import-refused");
    let latin = folder.0.join("latin.xml");
    fs::write(&latin, b"<a b='\xe9'/>").unwrap();
    let large = folder.write("large.xml", &"\u{e9}".repeat(4 * 1024 * 1024));
    let dtd = folder.write("dtd.xml", "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>\n<a>&x;</a>");
    for (file, expected) in [
        (folder.0.join("none.xml").display().to_string(), "cannot be read"),
        (latin.display().to_string(), "cannot be read: not UTF-8"),
        (large, ":1:1: the file has more than 4194304 bytes"),
        (dtd, ":1:1: document types and entity declarations are not supported"),
    ] {
        let (code, refused) = refuses(&[MARKET[0], MARKET[1], MARKET[2], &file]);
        assert!(code == 1 && refused.contains(&file) && refused.contains(expected), "{refused}");
    }
}
