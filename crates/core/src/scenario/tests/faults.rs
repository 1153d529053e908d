//! Tests of the faults that a file can have, one at a time: the message and the place of each.
//!
//! The tests edit the good file, `GOOD`, which has no faults.

mod conditions;

use super::{GOOD, edited, faults, load};

/// A name, the replacements in the good file, and the expected faults as `line:column: message`.
type Case = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

fn changed(edits: &[(&str, &str)]) -> String {
    edits.iter().fold(GOOD.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text.replacen(from, to, 1)
    })
}

/// Checks all cases before failing, so that one run shows every wrong case.
fn check(cases: &[Case]) {
    let mut wrong = String::new();
    for (name, edits, expected) in cases {
        let found = faults(&changed(edits));
        if found != *expected {
            wrong += &format!("{name}\n  expected {expected:#?}\n  found {found:#?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    // YAML
    ("syntax", &[("parties:\n", "parties: [\n")], &["9:3: invalid YAML: \"-\" is only valid inside a block"]),
    ("a second document", &[("proposals:\n", "---\nproposals:\n")], &["49:1: a second YAML document begins here; a file may contain only one"]),
    ("anchor", &[("title: Water\n", "title: &a Water\n")], &["2:8: anchors are not supported; write the value out where it is needed"]),
    ("alias", &[("description: Invented.", "description: *a"), ("title: Water\n", "title: &a Water\n")], &["2:8: anchors are not supported; write the value out where it is needed", "3:14: aliases are not supported; write the value out"]),
    ("tag", &[("title: Water\n", "title: !!str Water\n")], &["2:8: tags are not supported; remove the tag"]),
    ("key twice", &[("as_of: 2025-06-30\n", "as_of: 2025-06-30\ntitle: Again\n")], &["6:1: duplicate key `title`"]),
    ("a list for a key", &[("as_of: 2025-06-30\n", "as_of: 2025-06-30\n? [a]\n: b\n")], &["6:3: a key must be a word, not a list or a map"]),
    // Keys and kinds
    ("list key in a record", &[("id: paid, title", "[a]: 3, id: paid, title")], &["17:6: a key must be a word, not a list or a map"]),
    ("unknown key, a near one", &[("publisher: Office", "publisher: Office, auther: [B]")], &["7:54: a source has no key `auther`; did you mean `authors`?"]),
    ("unknown key, none near", &[("publisher: Office", "publisher: Office, xyz: B")], &["7:54: a source has no key `xyz`; its keys are id, title, publisher, authors, published, url, note"]),
    ("missing key", &[("publisher: Office, ", "")], &["7:5: a source needs the key `publisher`"]),
    ("missing key at the top", &[("as_of: 2025-06-30\n", "")], &["1:1: a scenario needs the key `as_of`"]),
    ("list for a text", &[("title: Water\n", "title: [Water]\n")], &["2:8: expected text, found a list"]),
    ("number for a text", &[("title: Water\n", "title: 40\n")], &["2:8: expected text, found a number"]),
    ("truth for a text", &[("title: Water\n", "title: true\n")], &["2:8: expected text, found true or false"]),
    ("nothing for a text", &[("title: Water\n", "title:\n")], &["2:6: expected text, found nothing"]),
    ("empty text", &[("title: Water\n", "title: ''\n")], &["2:8: the text is empty"]),
    ("two lines for one", &[("title: Water\n", "title: |\n  Wa\n  ter\n")], &["3:3: this text must be one line; fold it with `>-` or remove the line breaks"]),
    ("control character", &[("title: Water\n", "title: \"Wa\\eter\"\n")], &["2:8: the text contains the control character U+001B; remove it"]),
    ("map for a text", &[("title: Water\n", "title: {a: b}\n")], &["2:8: expected text, found a map"]),
    ("text for a list", &[("authors: [A]", "authors: A")], &["7:63: expected a list, found the text `A`"]),
    ("text for a map", &[("covers: {from: 2025-01-01, to: 2025-12-31}", "covers: 2025")], &["4:9: expected a map for `covers`, found a number"]),
    ("text for an integer", &[("{min: 0, max: 100}", "{min: none, max: 100}")], &["14:95: expected an integer, found the text `none`"]),
    ("more than 64 bits", &[("{min: 0, max: 100}", "{min: 0, max: 99999999999999999999}")], &["14:103: expected an integer, found a number of more than 64 bits"]),
    ("a word, a near one", &[("role: third_party", "role: thirdparty")], &["10:46: `thirdparty` is not allowed here; did you mean `third_party`?"]),
    ("a word, none near", &[("kind: assessed", "kind: xyz")], &["34:44: `xyz` is not allowed here; expected one of `on_record`, `attributed`, `reported`, `assessed`"]),
    ("number for a word", &[("    firmness: firm\n", "    firmness: 3\n")], &["25:15: expected one of `absolute`, `firm`, `negotiable`, `tentative`, found a number"]),
    // Ids
    ("upper case", &[("id: down-forty", "id: Down-forty")], &["21:9: `Down-forty` is not an id like `ua-no-cession`; use lower-case letters, digits and `-`, a letter first"]),
    ("snake for kebab", &[("id: down-forty", "id: down_forty")], &["21:9: `down_forty` is not an id like `ua-no-cession`; use lower-case letters, digits and `-`, a letter first"]),
    ("kebab for snake", &[("red_lines:\n", "  - {id: dry-year, title: T, question: Q, kind: flag}\nred_lines:\n")], &["20:10: `dry-year` is not an id like `us_backs_force`; use lower-case letters, digits and `_`, a letter first"]),
    ("empty id", &[("id: down-forty", "id: ''")], &["21:9: `` is not an id like `ua-no-cession`; use lower-case letters, digits and `-`, a letter first"]),
    ("id of nothing", &[("id: down-forty", "id:")], &["21:7: expected an id like `ua-no-cession`, found nothing"]),
    ("id of a number, named elsewhere", &[("id: paid, title", "id: 40, title")], &["17:10: expected an id like `us_backs_force`, found a number"]),
    ("empty id, named elsewhere", &[("id: paid, title", "id: '', title")], &["17:10: `` is not an id like `us_backs_force`; use lower-case letters, digits and `_`, a letter first"]),
    ("no id, named elsewhere", &[("id: paid, title", "id: , title")], &["17:8: expected an id like `us_backs_force`, found nothing"]),
    ("digit first", &[("id: down-forty", "id: 4ty")], &["21:9: `4ty` is not an id like `ua-no-cession`; use lower-case letters, digits and `-`, a letter first"]),
    ("number for an id", &[("id: down-forty", "id: 40")], &["21:9: expected an id like `ua-no-cession`, found a number"]),
    ("reserved id", &[("red_lines:\n", "  - {id: size, title: T, question: Q, kind: flag}\nred_lines:\n")], &["20:10: `size` is reserved by the condition language; choose another id"]),
    ("evidence after the record's end", &[("date: 2025-02-01", "date: 2025-07-01")], &["27:113: 2025-07-01 is after 2025-06-30, the day up to which the record is complete (`as_of`)"]),
    ("unsettled option", &[("[alone, {id: joint", "[alone, unsettled, {id: joint"), ("order: [alone, joint]", "order: [joint, alone]")], &["15:84: `unsettled` is reserved for answers; choose another id"]),
    ("source twice", &[("url: U, note: N}", "url: U, note: N}\n  - {id: minutes, title: T, publisher: P}")], &["8:10: the id `minutes` is already used by another source"]),
    ("party twice", &[("id: downstream, name", "id: upstream, name"), ("party: downstream\n    title", "party: upstream\n    title"), ("party: downstream, issue", "party: upstream, issue")], &["10:10: the id `upstream` is already used by another party"]),
    ("group twice", &[("members: [north, south], note: N}", "members: [north, south], note: N}\n  - {id: neighbours, name: G, members: [east]}")], &["13:10: the id `neighbours` is already used by another issue, circumstance or group"]),
    ("issue twice", &[("circumstances:", "  - {id: release, title: T, question: Q, kind: flag}\ncircumstances:")], &["18:10: the id `release` is already used by another issue, circumstance or group"]),
    ("circumstance and issue", &[("id: drought, title: Drought", "id: guards, title: Drought"), ("when: drought", "when: release < 20")], &["19:10: the id `guards` is already used by another issue, circumstance or group"]),
    ("group and issue", &[("id: neighbours", "id: metering"), ("guards.exists(m, m in neighbours)", "size(guards) > 1")], &["12:10: the id `metering` is already used by another issue, circumstance or group"]),
    ("red line twice", &[("id: up-guards", "id: down-forty")], &["35:9: the id `down-forty` is already used by another red line"]),
    ("waiver twice", &[("      - id: in-drought", "      - {id: in-drought, title: T, when: paid, firmness: negotiable, evidence: [{source: minutes, kind: reported, speaker: Taker, statement: Said.}]}\n      - id: in-drought")], &["30:13: the id `in-drought` is already used by another waiver"]),
    ("constraint twice", &[("cautions:", "  - {id: paid-nothing, title: T, forbids: paid}\ncautions:")], &["44:10: the id `paid-nothing` is already used by another constraint"]),
    ("caution twice", &[("preferences:", "  - {id: dry, text: T, when: paid, evidence: [{source: minutes, kind: reported, speaker: Taker, statement: Said.}]}\npreferences:")], &["46:10: the id `dry` is already used by another caution"]),
    ("proposal twice", &[("rows: [M1]}", "rows: [M1]}\n  - {id: draft, title: T, terms: {}}")], &["51:10: the id `draft` is already used by another proposal"]),
    ("option twice", &[("[alone, {id: joint", "[alone, alone, {id: joint")], &["15:84: the option `alone` is listed twice"]),
    ("member twice", &[("members: [north, south, east]", "members: [north, south, south, east]")], &["16:90: the member `south` is listed twice"]),
    ("group member twice", &[("members: [north, south], note", "members: [north, north], note")], &["12:57: `north` is listed twice"]),
    // References
    ("party of a red line", &[("party: downstream\n    title", "party: downsteam\n    title")], &["22:12: there is no party `downsteam`; did you mean `downstream`?"]),
    ("source of evidence", &[("source: minutes, kind: assessed", "source: minute, kind: assessed")], &["34:29: there is no source `minute`; did you mean `minutes`?"]),
    ("issue in a condition", &[("release == 0", "releese == 0")], &["43:66: there is no issue, circumstance or group `releese`; did you mean `release`?"]),
    ("option in a condition", &[("forbids: paid && release == 0", "forbids: paid && metering == \"jiont\"")], &["43:78: `metering` has no option `jiont`; did you mean `joint`?"]),
    ("member in a condition", &[("guards.exists(m, m in neighbours)", "'\"nort\" in guards'")], &["38:15: `guards` has no member `nort`; did you mean `north`?"]),
    ("member of a group", &[("members: [north, south], note", "members: [north, soutj], note")], &["12:57: no issue or circumstance has an option or member `soutj`; did you mean `south`?"]),
    ("party of a preference", &[("party: upstream, issue", "party: uptream, issue")], &["47:13: there is no party `uptream`; did you mean `upstream`?"]),
    ("issue of a preference", &[("issue: metering", "issue: meterin")], &["47:30: there is no issue `meterin`; did you mean `metering`?"]),
    ("circumstance of a preference", &[("issue: paid", "issue: drought")], &["48:32: `drought` is a circumstance, not an issue"]),
    ("group of a preference", &[("issue: metering", "issue: neighbours")], &["47:30: `neighbours` is a group, not an issue"]),
    ("nothing near", &[("party: downstream\n    title", "party: elsewhere\n    title")], &["22:12: there is no party `elsewhere`"]),
    // Values
    ("flag: integer", &[("[{value: false}", "[{value: 0}")], &["17:79: `paid` is a flag: expected true or false, found a number"]),
    ("flag: text", &[("[{value: false}", "[{value: 'false'}")], &["17:79: `paid` is a flag: expected true or false, found the text `false`"]),
    ("choice: unknown", &[("status_quo: alone", "status_quo: alon")], &["15:123: `metering` has no option `alon`; did you mean `alone`?"]),
    ("choice: truth", &[("status_quo: alone", "status_quo: true")], &["15:123: expected the id of an option of `metering`, found true or false"]),
    ("members: text", &[("east], status_quo: []", "east], status_quo: north")], &["16:109: `guards` is a set of members: expected a list (`[]` for none), found text"]),
    ("members: unknown", &[("east], status_quo: []", "east], status_quo: [nort]")], &["16:110: `guards` has no member `nort`; did you mean `north`?"]),
    ("members: twice", &[("east], status_quo: []", "east], status_quo: [north, north]")], &["16:117: this member is listed twice"]),
    ("quantity: outside", &[("max: 100}}", "max: 100}, status_quo: 101}")], &["14:121: 101 is outside the range of `release`, 0 to 100"]),
    ("quantity: text", &[("max: 100}}", "max: 100}, status_quo: '7'}")], &["14:121: `release` is a quantity: expected an integer, found the text `7`"]),
    ("quantity: decimal", &[("max: 100}}", "max: 100}, status_quo: 7.5}")], &["14:121: `release` is a quantity: expected an integer, found the text `7.5`"]),
    ("assumed: kind", &[("assumed: false", "assumed: none")], &["19:81: `drought` is a flag: expected true or false, found the text `none`"]),
    ("dated out of order", &[("status_quo: [{value: false}, {from: 2025-03-01, value: true}]", "status_quo: [{from: 2025-03-02, value: false}, {from: 2025-03-01, value: true}]")], &["17:112: dated values must be in ascending order of date, each day once"]),
    ("dated twice", &[("status_quo: [{value: false}, {from: 2025-03-01, value: true}]", "status_quo: [{from: 2025-03-01, value: false}, {from: 2025-03-01, value: true}]")], &["17:112: dated values must be in ascending order of date, each day once"]),
    ("dated, day missing", &[("{from: 2025-03-01, value: true}", "{value: true}")], &["17:87: a dated value needs the key `from`"]),
    ("dated beyond covers", &[("{from: 2025-03-01, value: true}", "{from: 2026-01-01, value: true}")], &["17:94: 2026-01-01 is after 2025-12-31, the last day that the scenario covers"]),
    ("dated, no value", &[("{from: 2025-03-01, value: true}", "{from: 2025-03-01}")], &["17:87: a dated value needs the key `value`"]),
    ("dated, none", &[("status_quo: [{value: false}, {from: 2025-03-01, value: true}]", "status_quo: []")], &["17:70: found 0 dated values; expected 1 to 64"]),
    // Domains
    ("one option", &[("options: [alone, {id: joint, title: Both}]", "options: [alone]")], &["15:76: found 1 option; expected 2 to 64"]),
    ("no options", &[("options: [alone, {id: joint, title: Both}], ", "")], &["15:59: the kind `choice` needs `options`"]),
    ("no members", &[("members: [north, south, east]", "members: []")], &["16:75: found 0 members; expected 1 to 64"]),
    ("members missing", &[("members: [north, south, east], ", "")], &["16:57: the kind `members` needs `members`"]),
    ("options are a text", &[("options: [alone, {id: joint, title: Both}]", "options: alone")], &["15:76: expected a list, found the text `alone`"]),
    ("members are nothing", &[("members: [north, south, east]", "members:  ")], &["16:73: expected a list, found nothing"]),
    ("unit is a list", &[("unit: m3", "unit: [m3]")], &["14:78: expected text, found a list"]),
    ("range is a list", &[("range: {min: 0, max: 100}", "range: [0, 100]")], &["14:89: expected a map for `range`, found a list"]),
    ("range inverted", &[("{min: 0, max: 100}", "{min: 100, max: 0}")], &["14:105: `max` must be greater than `min`: the range is 100 to 0"]),
    ("range of one", &[("{min: 0, max: 100}", "{min: 7, max: 7}")], &["14:103: `max` must be greater than `min`: the range is 7 to 7"]),
    ("range missing", &[(", range: {min: 0, max: 100}", "")], &["14:62: the kind `quantity` needs a `range`"]),
    ("end of a range missing", &[("{min: 0, max: 100}", "{min: 0}")], &["14:89: `range` needs the key `max`"]),
    ("unit missing", &[("unit: m3, ", "")], &["14:62: the kind `quantity` needs a `unit`"]),
    ("unit on a flag", &[("kind: flag, assumed: false", "kind: flag, unit: days, assumed: false")], &["19:78: `unit` is only for the kind `quantity`"]),
    ("options on a flag", &[("kind: flag, assumed: false", "kind: flag, options: [a, b], assumed: false")], &["19:81: `options` is only for the kind `choice`"]),
    ("members on a choice", &[("kind: choice,", "kind: choice, members: [a],")], &["15:76: `members` is only for the kind `members`"]),
    ("range on a flag", &[("kind: flag, assumed: false", "kind: flag, range: {min: 1, max: 2}, assumed: false")], &["19:79: `range` is only for the kind `quantity`"]),
    ("empty group", &[("members: [north, south], note", "members: [], note")], &["12:49: the group has 0 members; expected 1 to 64"]),
    // Days
    ("covers inverted", &[("{from: 2025-01-01, to: 2025-12-31}", "{from: 2025-01-01, to: 2024-12-31}")], &["4:32: `covers` ends on 2024-12-31, before it begins on 2025-01-01"]),
    ("as_of outside", &[("as_of: 2025-06-30", "as_of: 2026-01-01")], &["5:8: 2026-01-01 is outside the days that the scenario covers, 2025-01-01 to 2025-12-31"]),
    ("no such day", &[("as_of: 2025-06-30", "as_of: 2025-02-30")], &["5:8: there is no such day as `2025-02-30`"]),
    ("badly written", &[("as_of: 2025-06-30", "as_of: 30.6.2025")], &["5:8: `30.6.2025` is not a date; write it like 2025-03-14"]),
    ("not padded", &[("as_of: 2025-06-30", "as_of: 2025-6-30")], &["5:8: `2025-6-30` is not a date; write it like 2025-03-14"]),
    ("a number", &[("as_of: 2025-06-30", "as_of: 2025")], &["5:8: expected a date like 2025-03-14, found a number"]),
    ("span inverted", &[("{from: 2025-02-01, until: 2025-03-01}", "{from: 2025-02-01, until: 2025-01-15}")], &["26:38: the span ends on 2025-01-15, which is not after its first day, 2025-02-01"]),
    ("span empty", &[("{from: 2025-02-01, until: 2025-03-01}", "{from: 2025-02-01, until: 2025-02-01}")], &["26:38: the span ends on 2025-02-01, which is not after its first day, 2025-02-01"]),
    ("spans overlapping", &[("{first_recorded: 2025-04-01}", "{first_recorded: 2025-02-15}")], &["26:51: this span begins on 2025-02-15, before the previous span ends on 2025-03-01"]),
    ("an unreadable span, and a waiver", &[("{first_recorded: 2025-04-01}", "{first_recorded: 2025-04-31}")], &["26:68: there is no such day as `2025-04-31`"]),
    ("an unreadable span of a waiver", &[("        held: [{from: 2025-04-01}]", "        held: [{from: 2025-03-05, until: 2025-03-10}, {from: 2025-04-31}]")], &["33:62: there is no such day as `2025-04-31`"]),
    ("behind an open span", &[("{from: 2025-02-01, until: 2025-03-01}", "{from: 2025-02-01}")], &["26:32: this span begins on 2025-04-01, but the previous span has no end"]),
    ("no beginning", &[("{from: 2025-02-01, until: 2025-03-01}", "{until: 2025-03-01}")], &["26:12: a span needs a first day: `from` or `first_recorded`"]),
    ("both beginnings", &[("{from: 2025-02-01, until: 2025-03-01}", "{from: 2025-02-01, first_recorded: 2025-02-01, until: 2025-03-01}")], &["26:47: a span has either `from` or `first_recorded`, not both"]),
    ("span before covers", &[("{from: 2025-02-01, until: 2025-03-01}", "{from: 2024-02-01, until: 2025-01-01}")], &["26:12: the span is entirely outside the days that the scenario covers, 2025-01-01 to 2025-12-31"]),
    ("span after covers", &[("{first_recorded: 2025-04-01}", "{first_recorded: 2026-04-01}")], &["26:51: the span is entirely outside the days that the scenario covers, 2025-01-01 to 2025-12-31"]),
    ("no span", &[("held: [{from: 2025-01-01}]", "held: []")], &["40:11: a red line needs at least one span in `held`"]),
    ("held missing", &[("    held: [{from: 2025-01-01}]\n", "")], &["35:5: a red line needs the key `held`"]),
    ("waiver beside its line", &[("        held: [{from: 2025-04-01}]", "        held: [{from: 2025-03-01, until: 2025-04-01}]")], &["33:15: the waiver is never in force while the red line is held"]),
    // Evidence and words
    ("none", &[("held: [{from: 2025-01-01}]\n    evidence: [{source: minutes, kind: reported, speaker: Taker, statement: Said.}]", "held: [{from: 2025-01-01}]\n    evidence: []")], &["41:15: a red line needs at least one piece of evidence: who said what, and in which source"]),
    ("absent", &[("held: [{from: 2025-01-01}]\n    evidence: [{source: minutes, kind: reported, speaker: Taker, statement: Said.}]\n", "held: [{from: 2025-01-01}]\n")], &["35:5: a red line needs the key `evidence`"]),
    ("none on a waiver", &[("evidence: [{source: minutes, kind: assessed, speaker: Expert, statement: Said., speaks: against}]", "evidence: []")], &["34:19: a waiver needs at least one piece of evidence: who said what, and in which source"]),
    ("16 words", &[("quote: at least forty", "quote: a b c d e f g h i j k l m n o p")], &["27:91: the quote has 16 words; the limit is 15"]),
    ("rejects and requires", &[("    requires: release >= 40\n", "    rejects: release < 40\n    requires: release >= 40\n")], &["25:15: a red line has either `rejects` or `requires`, not both"]),
    ("rejects nothing", &[("    requires: release >= 40\n", "    rejects:\n")], &["24:12: expected a condition, found nothing"]),
    ("requires a list", &[("    requires: release >= 40\n", "    requires: [release]\n")], &["24:15: expected a condition, found a list"]),
    ("neither", &[("    requires: release >= 40\n", "")], &["21:5: a red line needs a condition: `rejects` or `requires`"]),
];

#[test]
fn every_fault_is_reported_once_at_its_place() {
    check(CASES);
}

#[test]
fn lists_with_too_many_or_too_few_entries_are_rejected() {
    let ids = |count: usize| (0..count).map(|at| format!("x{at}")).collect::<Vec<_>>().join(", ");
    let cases = [
        (edited("options: [alone, {id: joint", &format!("options: [{}, {{id: y", ids(64))), "15:76: found 65 options; expected 2 to 64"),
        (edited("[north, south, east]", &format!("[{}]", ids(65))), "16:75: found 65 members; expected 1 to 64"),
        (edited("id: down-forty", &format!("id: {}", "a".repeat(64))), "21:9: the id has 64 characters; the limit is 63"),
        (edited("{any_of: [alone, joint]}", &format!("{}{}", "[".repeat(20), "]".repeat(20))), "50:107: lists and maps nest more than 16 levels deep"),
        (GOOD.replace("  - {id: upstream, name: Upstream, role: principal, description: D}\n  - {id: downstream, name: Downstream, role: third_party}\n", "  []\n"), "9:3: a scenario needs at least one party"),
        (String::new(), "1:1: the file is empty"),
    ];
    for (text, expected) in cases {
        assert_eq!(faults(&text).first().map(String::as_str), Some(expected));
    }
}

#[test]
fn a_quote_of_fifteen_words_is_accepted() {
    assert!(faults(&edited("quote: at least forty", "quote: a b c d e f g h i j k l m n o")).is_empty());
}

/// Parts of the messages about keys and ids that are used twice. Such a fault also shows the first use.
const DUPLICATES: [&str; 2] = ["duplicate key", "is already used by another"];

#[test]
fn duplicates_are_shown_with_the_first_use() {
    let twice: Vec<&Case> = CASES
        .iter()
        .filter(|(.., expected)| DUPLICATES.iter().any(|duplicate| expected[0].contains(duplicate)))
        .collect();
    assert_eq!(twice.len(), 12);
    for (name, edits, _) in twice {
        assert!(load("water.yaml", &changed(edits)).unwrap_err().render(false).contains("first used here"), "{name}");
    }
}
