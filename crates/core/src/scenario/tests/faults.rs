//! Every fault of a file, each alone: what is told, and where.

mod conditions;

use super::{GOOD, edited, faults, load};

/// A name, what is replaced in the good file by what, and what is told then.
type Case = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

fn changed(edits: &[(&str, &str)]) -> String {
    edits.iter().fold(GOOD.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text.replacen(from, to, 1)
    })
}

/// All cases are tried before the first wrong one fails the test.
fn told(cases: &[Case]) {
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
    ("syntax", &[("parties:\n", "parties: [\n")], &["9:3: this is not YAML: \"-\" is only valid inside a block"]),
    ("a second document", &[("proposals:\n", "---\nproposals:\n")], &["49:1: a second document begins here; one file is one document"]),
    ("anchor", &[("title: Water\n", "title: &a Water\n")], &["2:8: an anchor; write the value out where it is needed"]),
    ("alias", &[("description: Invented.", "description: *a"), ("title: Water\n", "title: &a Water\n")], &["2:8: an anchor; write the value out where it is needed", "3:14: an alias; write the value out"]),
    ("tag", &[("title: Water\n", "title: !!str Water\n")], &["2:8: a tag; leave it out"]),
    ("key twice", &[("as_of: 2025-06-30\n", "as_of: 2025-06-30\ntitle: Again\n")], &["6:1: the key `title` is here already"]),
    ("a list for a key", &[("as_of: 2025-06-30\n", "as_of: 2025-06-30\n? [a]\n: b\n")], &["6:3: a key is a plain word"]),
    // Keys and kinds
    ("list key in a record", &[("id: paid, title", "[a]: 3, id: paid, title")], &["17:6: a key is a plain word"]),
    ("unknown key, a near one", &[("publisher: Office", "publisher: Office, auther: [B]")], &["7:54: a source has no key `auther`; did you mean `authors`?"]),
    ("unknown key, none near", &[("publisher: Office", "publisher: Office, xyz: B")], &["7:54: a source has no key `xyz`; it has id, title, publisher, authors, published, url, note"]),
    ("missing key", &[("publisher: Office, ", "")], &["7:5: a source needs the key `publisher`"]),
    ("missing key at the top", &[("as_of: 2025-06-30\n", "")], &["1:1: a scenario needs the key `as_of`"]),
    ("list for a text", &[("title: Water\n", "title: [Water]\n")], &["2:8: a text is expected here, not a list"]),
    ("number for a text", &[("title: Water\n", "title: 40\n")], &["2:8: a text is expected here, not a number"]),
    ("truth for a text", &[("title: Water\n", "title: true\n")], &["2:8: a text is expected here, not true or false"]),
    ("nothing for a text", &[("title: Water\n", "title:\n")], &["2:6: a text is expected here, not nothing"]),
    ("empty text", &[("title: Water\n", "title: ''\n")], &["2:8: the text is empty"]),
    ("two lines for one", &[("title: Water\n", "title: |\n  Wa\n  ter\n")], &["3:3: one line is expected here; write `>-`, or leave out what breaks it"]),
    ("control character", &[("title: Water\n", "title: \"Wa\\eter\"\n")], &["2:8: the text has the control character U+001B"]),
    ("map for a text", &[("title: Water\n", "title: {a: b}\n")], &["2:8: a text is expected here, not a map"]),
    ("text for a list", &[("authors: [A]", "authors: A")], &["7:63: a list is expected here, not the text `A`"]),
    ("text for a map", &[("covers: {from: 2025-01-01, to: 2025-12-31}", "covers: 2025")], &["4:9: `covers`, a map, is expected here, not a number"]),
    ("text for an integer", &[("{min: 0, max: 100}", "{min: none, max: 100}")], &["14:95: an integer is expected here, not the text `none`"]),
    ("more than 64 bits", &[("{min: 0, max: 100}", "{min: 0, max: 99999999999999999999}")], &["14:103: an integer is expected here, not a number of more than 64 bits"]),
    ("a word, a near one", &[("role: third_party", "role: thirdparty")], &["10:46: `thirdparty` is not a word for this; did you mean `third_party`?"]),
    ("a word, none near", &[("kind: assessed", "kind: xyz")], &["34:44: `xyz` is not a word for this; it is one of `on_record`, `attributed`, `reported`, `assessed`"]),
    ("number for a word", &[("    firmness: firm\n", "    firmness: 3\n")], &["25:15: one of `absolute`, `firm`, `negotiable`, `tentative` is expected here, not a number"]),
    // Ids
    ("upper case", &[("id: down-forty", "id: Down-forty")], &["21:9: `Down-forty` is not an id like `ua-no-cession`: lower-case letters, digits and `-`, a letter first"]),
    ("snake for kebab", &[("id: down-forty", "id: down_forty")], &["21:9: `down_forty` is not an id like `ua-no-cession`: lower-case letters, digits and `-`, a letter first"]),
    ("kebab for snake", &[("red_lines:\n", "  - {id: dry-year, title: T, question: Q, kind: flag}\nred_lines:\n")], &["20:10: `dry-year` is not an id like `us_backs_force`: lower-case letters, digits and `_`, a letter first"]),
    ("empty id", &[("id: down-forty", "id: ''")], &["21:9: `` is not an id like `ua-no-cession`: lower-case letters, digits and `-`, a letter first"]),
    ("id of nothing", &[("id: down-forty", "id:")], &["21:7: an id like `ua-no-cession` is expected here, not nothing"]),
    ("id of a number, named elsewhere", &[("id: paid, title", "id: 40, title")], &["17:10: an id like `us_backs_force` is expected here, not a number"]),
    ("empty id, named elsewhere", &[("id: paid, title", "id: '', title")], &["17:10: `` is not an id like `us_backs_force`: lower-case letters, digits and `_`, a letter first"]),
    ("no id, named elsewhere", &[("id: paid, title", "id: , title")], &["17:8: an id like `us_backs_force` is expected here, not nothing"]),
    ("digit first", &[("id: down-forty", "id: 4ty")], &["21:9: `4ty` is not an id like `ua-no-cession`: lower-case letters, digits and `-`, a letter first"]),
    ("number for an id", &[("id: down-forty", "id: 40")], &["21:9: an id like `ua-no-cession` is expected here, not a number"]),
    ("reserved id", &[("red_lines:\n", "  - {id: size, title: T, question: Q, kind: flag}\nred_lines:\n")], &["20:10: `size` is a word of the language; choose another id"]),
    ("evidence after the record's end", &[("date: 2025-02-01", "date: 2025-07-01")], &["27:113: 2025-07-01 is after 2025-06-30, the day to which the record is complete"]),
    ("unsettled option", &[("[alone, {id: joint", "[alone, unsettled, {id: joint"), ("order: [alone, joint]", "order: [joint, alone]")], &["15:84: `unsettled` is a word of answers; choose another id"]),
    ("source twice", &[("url: U, note: N}", "url: U, note: N}\n  - {id: minutes, title: T, publisher: P}")], &["8:10: there is a source `minutes` already"]),
    ("party twice", &[("id: downstream, name", "id: upstream, name"), ("party: downstream\n    title", "party: upstream\n    title"), ("party: downstream, issue", "party: upstream, issue")], &["10:10: there is a party `upstream` already"]),
    ("group twice", &[("members: [north, south], note: N}", "members: [north, south], note: N}\n  - {id: neighbours, name: G, members: [east]}")], &["13:10: there is an issue, circumstance or group `neighbours` already"]),
    ("issue twice", &[("circumstances:", "  - {id: release, title: T, question: Q, kind: flag}\ncircumstances:")], &["18:10: there is an issue, circumstance or group `release` already"]),
    ("circumstance and issue", &[("id: drought, title: Drought", "id: guards, title: Drought"), ("when: drought", "when: release < 20")], &["19:10: there is an issue, circumstance or group `guards` already"]),
    ("group and issue", &[("id: neighbours", "id: metering"), ("guards.exists(m, m in neighbours)", "size(guards) > 1")], &["12:10: there is an issue, circumstance or group `metering` already"]),
    ("red line twice", &[("id: up-guards", "id: down-forty")], &["35:9: there is a red line `down-forty` already"]),
    ("waiver twice", &[("      - id: in-drought", "      - {id: in-drought, title: T, when: paid, firmness: negotiable, evidence: [{source: minutes, kind: reported, speaker: Taker, statement: Said.}]}\n      - id: in-drought")], &["30:13: there is a waiver `in-drought` already"]),
    ("constraint twice", &[("cautions:", "  - {id: paid-nothing, title: T, forbids: paid}\ncautions:")], &["44:10: there is a constraint `paid-nothing` already"]),
    ("caution twice", &[("preferences:", "  - {id: dry, text: T, when: paid, evidence: [{source: minutes, kind: reported, speaker: Taker, statement: Said.}]}\npreferences:")], &["46:10: there is a caution `dry` already"]),
    ("proposal twice", &[("rows: [M1]}", "rows: [M1]}\n  - {id: draft, title: T, terms: {}}")], &["51:10: there is a proposal `draft` already"]),
    ("option twice", &[("[alone, {id: joint", "[alone, alone, {id: joint")], &["15:84: the option `alone` is named already"]),
    ("member twice", &[("members: [north, south, east]", "members: [north, south, south, east]")], &["16:90: the member `south` is named already"]),
    ("group member twice", &[("members: [north, south], note", "members: [north, north], note")], &["12:57: `north` is named already"]),
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
    ("flag: integer", &[("[{value: false}", "[{value: 0}")], &["17:79: `paid` is a flag: true or false is expected here, not a number"]),
    ("flag: text", &[("[{value: false}", "[{value: 'false'}")], &["17:79: `paid` is a flag: true or false is expected here, not the text `false`"]),
    ("choice: unknown", &[("status_quo: alone", "status_quo: alon")], &["15:123: `metering` has no option `alon`; did you mean `alone`?"]),
    ("choice: truth", &[("status_quo: alone", "status_quo: true")], &["15:123: the id of an option of `metering` is expected here, not true or false"]),
    ("members: text", &[("east], status_quo: []", "east], status_quo: north")], &["16:109: `guards` is a set of members: a list is expected here (`[]` for none), not a text"]),
    ("members: unknown", &[("east], status_quo: []", "east], status_quo: [nort]")], &["16:110: `guards` has no member `nort`; did you mean `north`?"]),
    ("members: twice", &[("east], status_quo: []", "east], status_quo: [north, north]")], &["16:117: this is named already"]),
    ("quantity: outside", &[("max: 100}}", "max: 100}, status_quo: 101}")], &["14:121: 101 is outside of `release`, which goes from 0 to 100"]),
    ("quantity: text", &[("max: 100}}", "max: 100}, status_quo: '7'}")], &["14:121: `release` is a quantity: an integer is expected here, not the text `7`"]),
    ("quantity: decimal", &[("max: 100}}", "max: 100}, status_quo: 7.5}")], &["14:121: `release` is a quantity: an integer is expected here, not the text `7.5`"]),
    ("assumed: kind", &[("assumed: false", "assumed: none")], &["19:81: `drought` is a flag: true or false is expected here, not the text `none`"]),
    ("dated out of order", &[("status_quo: [{value: false}, {from: 2025-03-01, value: true}]", "status_quo: [{from: 2025-03-02, value: false}, {from: 2025-03-01, value: true}]")], &["17:112: dated values stand in order of date, each day once"]),
    ("dated twice", &[("status_quo: [{value: false}, {from: 2025-03-01, value: true}]", "status_quo: [{from: 2025-03-01, value: false}, {from: 2025-03-01, value: true}]")], &["17:112: dated values stand in order of date, each day once"]),
    ("dated, day missing", &[("{from: 2025-03-01, value: true}", "{value: true}")], &["17:87: a dated value needs the key `from`"]),
    ("dated beyond covers", &[("{from: 2025-03-01, value: true}", "{from: 2026-01-01, value: true}")], &["17:94: this day is after what the scenario covers"]),
    ("dated, no value", &[("{from: 2025-03-01, value: true}", "{from: 2025-03-01}")], &["17:87: a dated value needs the key `value`"]),
    ("dated, none", &[("status_quo: [{value: false}, {from: 2025-03-01, value: true}]", "status_quo: []")], &["17:70: 0 dated values; 1 to 64 are allowed"]),
    // Domains
    ("one option", &[("options: [alone, {id: joint, title: Both}]", "options: [alone]")], &["15:76: 1 option; 2 to 64 are needed"]),
    ("no options", &[("options: [alone, {id: joint, title: Both}], ", "")], &["15:59: a choice needs `options`"]),
    ("no members", &[("members: [north, south, east]", "members: []")], &["16:75: 0 members; 1 to 64 are needed"]),
    ("members missing", &[("members: [north, south, east], ", "")], &["16:57: the kind `members` needs `members`"]),
    ("options are a text", &[("options: [alone, {id: joint, title: Both}]", "options: alone")], &["15:76: a list is expected here, not the text `alone`"]),
    ("members are nothing", &[("members: [north, south, east]", "members:  ")], &["16:73: a list is expected here, not nothing"]),
    ("unit is a list", &[("unit: m3", "unit: [m3]")], &["14:78: a text is expected here, not a list"]),
    ("range is a list", &[("range: {min: 0, max: 100}", "range: [0, 100]")], &["14:89: `range`, a map, is expected here, not a list"]),
    ("range inverted", &[("{min: 0, max: 100}", "{min: 100, max: 0}")], &["14:105: the range holds at most one value: 100 to 0"]),
    ("range of one", &[("{min: 0, max: 100}", "{min: 7, max: 7}")], &["14:103: the range holds at most one value: 7 to 7"]),
    ("range missing", &[(", range: {min: 0, max: 100}", "")], &["14:62: a quantity needs a `range`"]),
    ("end of a range missing", &[("{min: 0, max: 100}", "{min: 0}")], &["14:89: `range` needs the key `max`"]),
    ("unit missing", &[("unit: m3, ", "")], &["14:62: a quantity needs a `unit`"]),
    ("unit on a flag", &[("kind: flag, assumed: false", "kind: flag, unit: days, assumed: false")], &["19:78: a `unit` belongs to a quantity"]),
    ("options on a flag", &[("kind: flag, assumed: false", "kind: flag, options: [a, b], assumed: false")], &["19:81: `options` belong to a choice"]),
    ("members on a choice", &[("kind: choice,", "kind: choice, members: [a],")], &["15:76: `members` belong to the kind `members`"]),
    ("range on a flag", &[("kind: flag, assumed: false", "kind: flag, range: {min: 1, max: 2}, assumed: false")], &["19:79: a `range` belongs to a quantity"]),
    ("empty group", &[("members: [north, south], note", "members: [], note")], &["12:49: the group has 0 members; 1 to 64 are needed"]),
    // Days
    ("covers inverted", &[("{from: 2025-01-01, to: 2025-12-31}", "{from: 2025-01-01, to: 2024-12-31}")], &["4:32: `covers` ends on 2024-12-31, before it begins on 2025-01-01"]),
    ("as_of outside", &[("as_of: 2025-06-30", "as_of: 2026-01-01")], &["5:8: 2026-01-01 is outside of what the scenario covers: 2025-01-01 to 2025-12-31"]),
    ("no such day", &[("as_of: 2025-06-30", "as_of: 2025-02-30")], &["5:8: there is no day 2025-02-30"]),
    ("badly written", &[("as_of: 2025-06-30", "as_of: 30.6.2025")], &["5:8: a date is written like 2025-03-14"]),
    ("not padded", &[("as_of: 2025-06-30", "as_of: 2025-6-30")], &["5:8: a date is written like 2025-03-14"]),
    ("a number", &[("as_of: 2025-06-30", "as_of: 2025")], &["5:8: a date like 2025-03-14 is expected here, not a number"]),
    ("span inverted", &[("{from: 2025-02-01, until: 2025-03-01}", "{from: 2025-02-01, until: 2025-01-15}")], &["26:38: the span ends on 2025-01-15, which is not after its beginning, 2025-02-01"]),
    ("span empty", &[("{from: 2025-02-01, until: 2025-03-01}", "{from: 2025-02-01, until: 2025-02-01}")], &["26:38: the span ends on 2025-02-01, which is not after its beginning, 2025-02-01"]),
    ("spans overlapping", &[("{first_recorded: 2025-04-01}", "{first_recorded: 2025-02-15}")], &["26:51: this span begins on 2025-02-15, before the one before it ends on 2025-03-01"]),
    ("an unreadable span, and a waiver", &[("{first_recorded: 2025-04-01}", "{first_recorded: 2025-04-31}")], &["26:68: there is no day 2025-04-31"]),
    ("an unreadable span of a waiver", &[("        held: [{from: 2025-04-01}]", "        held: [{from: 2025-03-05, until: 2025-03-10}, {from: 2025-04-31}]")], &["33:62: there is no day 2025-04-31"]),
    ("behind an open span", &[("{from: 2025-02-01, until: 2025-03-01}", "{from: 2025-02-01}")], &["26:32: this span begins on 2025-04-01, before the one before it ends"]),
    ("no beginning", &[("{from: 2025-02-01, until: 2025-03-01}", "{until: 2025-03-01}")], &["26:12: a span needs its beginning: `from` or `first_recorded`"]),
    ("both beginnings", &[("{from: 2025-02-01, until: 2025-03-01}", "{from: 2025-02-01, first_recorded: 2025-02-01, until: 2025-03-01}")], &["26:47: a span begins `from` a stated day or is `first_recorded` on one, not both"]),
    ("span before covers", &[("{from: 2025-02-01, until: 2025-03-01}", "{from: 2024-02-01, until: 2025-01-01}")], &["26:12: the span lies wholly outside of what the scenario covers: 2025-01-01 to 2025-12-31"]),
    ("span after covers", &[("{first_recorded: 2025-04-01}", "{first_recorded: 2026-04-01}")], &["26:51: the span lies wholly outside of what the scenario covers: 2025-01-01 to 2025-12-31"]),
    ("no span", &[("held: [{from: 2025-01-01}]", "held: []")], &["40:11: a red line is held in at least one span"]),
    ("held missing", &[("    held: [{from: 2025-01-01}]\n", "")], &["35:5: a red line needs the key `held`"]),
    ("waiver beside its line", &[("        held: [{from: 2025-04-01}]", "        held: [{from: 2025-03-01, until: 2025-04-01}]")], &["33:15: the waiver never stands while the red line is held"]),
    // Evidence and words
    ("none", &[("held: [{from: 2025-01-01}]\n    evidence: [{source: minutes, kind: reported, speaker: Taker, statement: Said.}]", "held: [{from: 2025-01-01}]\n    evidence: []")], &["41:15: a red line needs evidence: at least one piece that says who said what"]),
    ("absent", &[("held: [{from: 2025-01-01}]\n    evidence: [{source: minutes, kind: reported, speaker: Taker, statement: Said.}]\n", "held: [{from: 2025-01-01}]\n")], &["35:5: a red line needs the key `evidence`"]),
    ("none on a waiver", &[("evidence: [{source: minutes, kind: assessed, speaker: Expert, statement: Said., speaks: against}]", "evidence: []")], &["34:19: a waiver needs evidence: at least one piece that says who said what"]),
    ("16 words", &[("quote: at least forty", "quote: a b c d e f g h i j k l m n o p")], &["27:91: the quote has 16 words; at most 15 are allowed"]),
    ("rejects and requires", &[("    requires: release >= 40\n", "    rejects: release < 40\n    requires: release >= 40\n")], &["25:15: a red line `rejects` a condition or `requires` one, not both"]),
    ("rejects nothing", &[("    requires: release >= 40\n", "    rejects:\n")], &["24:12: a condition is expected here, not nothing"]),
    ("requires a list", &[("    requires: release >= 40\n", "    requires: [release]\n")], &["24:15: a condition is expected here, not a list"]),
    ("neither", &[("    requires: release >= 40\n", "")], &["21:5: a red line needs a condition: `rejects` or `requires`"]),
];

#[test]
fn every_fault_is_told_once_where_it_is() {
    told(CASES);
}

#[test]
fn too_many_or_too_few() {
    let ids = |count: usize| (0..count).map(|at| format!("x{at}")).collect::<Vec<_>>().join(", ");
    let cases = [
        (edited("options: [alone, {id: joint", &format!("options: [{}, {{id: y", ids(64))), "15:76: 65 options; 2 to 64 are needed"),
        (edited("[north, south, east]", &format!("[{}]", ids(65))), "16:75: 65 members; 1 to 64 are needed"),
        (edited("id: down-forty", &format!("id: {}", "a".repeat(64))), "21:9: the id has 64 characters; at most 63 are allowed"),
        (edited("{any_of: [alone, joint]}", &format!("{}{}", "[".repeat(20), "]".repeat(20))), "50:107: lists and maps nest more than 16 deep here"),
        (GOOD.replace("  - {id: upstream, name: Upstream, role: principal, description: D}\n  - {id: downstream, name: Downstream, role: third_party}\n", "  []\n"), "9:3: a scenario has at least one party"),
        (String::new(), "1:1: the file is empty"),
    ];
    for (text, expected) in cases {
        assert_eq!(faults(&text).first().map(String::as_str), Some(expected));
    }
}

#[test]
fn fifteen_words_may_be_quoted() {
    assert!(faults(&edited("quote: at least forty", "quote: a b c d e f g h i j k l m n o")).is_empty());
}

#[test]
fn what_is_there_twice_is_shown_with_the_first() {
    let twice: Vec<&Case> =
        CASES.iter().filter(|(.., told)| told[0].ends_with(" already") && !told[0].contains(" is named ")).collect();
    assert_eq!(twice.len(), 12);
    for (name, edits, _) in twice {
        assert!(load("water.yaml", &changed(edits)).unwrap_err().render(false).contains("first here"), "{name}");
    }
}
