//! Tests of the faults that conditions, waivers, preferences and proposals can have, one at a time.
//!
//! The tests edit the good file, `GOOD`, which has no faults.

use super::{Case, changed, check, edited, faults};

#[rustfmt::skip]
const CASES: &[Case] = &[
    // Places within conditions
    ("plain, syntax", &[("release >= 40", "release >= ")], &["24:25: the condition is not valid CEL: mismatched input the end"]),
    ("plain", &[("release >= 40", "release >= 40 && metering != \"jont\"")], &["24:44: `metering` has no option `jont`; did you mean `joint`?"]),
    ("plain over two lines", &[("release >= 40", "release >= 40\n      && metering != \"jont\"")], &["25:22: `metering` has no option `jont`; did you mean `joint`?"]),
    ("single-quoted", &[("release >= 40", "'release >= 40 && metering != \"jont\"'")], &["24:45: `metering` has no option `jont`; did you mean `joint`?"]),
    ("single-quoted, doubled quotes", &[("release >= 40", "'metering != ''joint'' && metering != ''jont'''")], &["24:53: `metering` has no option `jont`; did you mean `joint`?"]),
    ("double-quoted", &[("release >= 40", "\"release >= 40 && metering != \\\"jont\\\"\"")], &["24:45: `metering` has no option `jont`; did you mean `joint`?"]),
    ("double-quoted, escapes", &[("release >= 40", "\"release \\u003e= 40\\n && \\x6detering != 'jont'\"")], &["24:55: `metering` has no option `jont`; did you mean `joint`?"]),
    ("double-quoted over two lines", &[("release >= 40", "\"release >= 40 && \\\n      metering != \\\"jont\\\"\"")], &["25:19: `metering` has no option `jont`; did you mean `joint`?"]),
    ("literal", &[("release >= 40", "|\n      release >= 40\n        && metering != \"jont\"")], &["26:24: `metering` has no option `jont`; did you mean `joint`?"]),
    ("folded", &[("release >= 40", ">-\n      release >= 40\n      && metering != \"jont\"")], &["26:22: `metering` has no option `jont`; did you mean `joint`?"]),
    ("folded, with an indent said", &[("release >= 40", ">2-\n        release >= 40\n\n        && metering != \"jont\"")], &["27:24: `metering` has no option `jont`; did you mean `joint`?"]),
    ("folded, syntax at the end", &[("release >= 40", ">-\n      release >= 40\n      &&")], &["26:9: the condition is not valid CEL: mismatched input the end"]),
    ("name in a literal", &[("release >= 40", "|\n      paid ||\n      releas >= 40")], &["26:7: there is no issue, circumstance or group `releas`; did you mean `release`?"]),
    ("two in one condition", &[("release >= 40", "releas >= 40 && gards.all(m, m in neighbours)")], &["24:15: there is no issue, circumstance or group `releas`; did you mean `release`?", "24:31: there is no issue, circumstance or group `gards`; did you mean `guards`?"]),
    // The content of conditions
    ("a choice alone", &[("release >= 40", "metering")], &["24:15: expected a condition, found a choice"]),
    ("a quantity and a text", &[("release >= 40", "release == \"40\"")], &["24:23: a quantity cannot be compared with a string by `==`; one side must be a literal of the other side's type"]),
    ("members whole", &[("release >= 40", "guards == [\"north\"]")], &["24:22: a set of members cannot be compared; test a member with `in guards`, or count with `size(guards)`"]),
    ("arithmetic", &[("release >= 40", "release + 1 >= 40")], &["24:23: `+` is not part of the condition language"]),
    ("a decided comparison", &[("release >= 40", "release >= 40 && release <= 100")], &["24:40: this comparison is always true for values from 0 to 100"]),
    ("a comparison that never holds", &[("release >= 40", "release >= 40 || release > 100")], &["24:40: this comparison is never true for values from 0 to 100"]),
    ("a count out of reach", &[("release >= 40", "size(guards) <= 3")], &["24:28: this comparison is always true for values from 0 to 3"]),
    ("rejects, never crossed", &[("    requires: release >= 40\n", "    rejects: release < 40 && release > 40\n")], &["24:14: the red line can never be crossed"]),
    ("rejects, always crossed", &[("    requires: release >= 40\n", "    rejects: release < 40 || release >= 40\n")], &["24:14: the red line is always crossed"]),
    ("requires, never crossed", &[("    requires: release >= 40\n", "    requires: release < 40 || release >= 40\n")], &["24:15: the red line can never be crossed"]),
    ("requires, always crossed", &[("    requires: release >= 40\n", "    requires: release < 40 && release > 40\n")], &["24:15: the red line is always crossed"]),
    ("constraint, never", &[("forbids: paid && release == 0", "forbids: paid && !paid")], &["43:58: the condition is never true, so the constraint could never be broken"]),
    ("constraint, always", &[("forbids: paid && release == 0", "forbids: paid || !paid")], &["43:58: the condition is always true, so the constraint would always be broken"]),
    ("caution, never", &[("when: release > 90", "when: paid && !paid")], &["45:41: the condition is never true, so the caution could never be shown"]),
    ("caution, always", &[("when: release > 90", "when: paid || !paid")], &["45:41: the condition is always true, so the caution would always be shown"]),
    ("waiver, never", &[("when: drought", "when: paid && !paid")], &["31:15: the condition is never true, so the waiver could never be in force"]),
    ("waiver, always", &[("when: drought", "when: paid || !paid")], &["31:15: the condition is always true, so the waiver would always be in force"]),
    ("truth for a condition", &[("release >= 40", "true")], &["24:15: the red line can never be crossed"]),
    // Waivers
    ("as firm", &[("        firmness: tentative", "        firmness: firm")], &["32:19: the waiver lowers nothing: its firmness, firm, is not lower than the red line's, firm"]),
    ("firmer", &[("        firmness: tentative", "        firmness: absolute")], &["32:19: the waiver lowers nothing: its firmness, absolute, is not lower than the red line's, firm"]),
    ("never where it is crossed", &[("when: drought", "when: release > 50")], &["29:9: the waiver lowers nothing: its condition is never true where the red line is crossed"]),
    ("covered by another", &[("      - id: in-drought", "      - {id: wider, title: T, when: drought || paid, firmness: tentative, evidence: [{source: minutes, kind: reported, speaker: Taker, statement: Said.}]}\n      - id: in-drought")], &["30:9: the waiver lowers nothing: wherever it applies, other waivers lower the firmness at least as far"]),
    ("a waiver with unreadable spans covers no other", &[("        firmness: tentative\n        held: [{from: 2025-04-01}]", "        firmness: tentative"), ("      - id: in-drought", "      - {id: wider, title: T, when: drought || paid, firmness: tentative, held: always, evidence: [{source: minutes, kind: reported, speaker: Taker, statement: Said.}]}\n      - id: in-drought")], &["29:81: expected a list, found the text `always`"]),
    ("no waiver counts as covered while a span is unreadable", &[("        firmness: tentative\n        held: [{from: 2025-04-01}]", "        firmness: tentative"), ("      - id: in-drought", "      - {id: wider, title: T, when: drought || paid, firmness: tentative, held: [{from: 2025-04-01}], evidence: [{source: minutes, kind: reported, speaker: Taker, statement: Said.}]}\n      - id: in-drought"), ("{from: 2025-02-01, until: 2025-03-01}", "{from: 2025-02-31, until: 2025-03-01}")], &["26:19: there is no such day as `2025-02-31`"]),
    // Preferences
    ("order incomplete", &[("order: [alone, joint]", "order: [alone]")], &["47:47: `order` must list every value of `metering`; `joint` is missing"]),
    ("order twice", &[("order: [alone, joint]", "order: [alone, joint, alone]")], &["47:62: this value is listed twice"]),
    ("order unknown", &[("order: [alone, joint]", "order: [alone, jiont]")], &["47:55: `metering` has no option `jiont`; did you mean `joint`?"]),
    ("order of a quantity", &[("issue: metering", "issue: release")], &["47:46: `order` applies to flags and choices; `release` is of the kind `quantity`"]),
    ("order of members", &[("issue: metering", "issue: guards")], &["47:45: `order` applies to flags and choices; `guards` is of the kind `members`"]),
    ("order is a text", &[("order: [alone, joint]", "order: alone")], &["47:47: expected a list of values, found text"]),
    ("values missing", &[("{true: 1.5, false: 0}", "{true: 1.5}")], &["48:46: every value of `paid` needs a number; `false` has none"]),
    ("value unknown", &[("{true: 1.5, false: 0}", "{true: 1.5, falsch: 0}")], &["48:58: `paid` has no value `falsch`"]),
    ("value no number", &[("{true: 1.5, false: 0}", "{true: much, false: 0}")], &["48:53: expected a number like 0.5, found the text `much`"]),
    ("values of members", &[("issue: paid", "issue: guards")], &["48:48: `values` applies to flags, choices and quantities of at most 1000 values, not to `guards`"]),
    ("order and values", &[("order: [alone, joint]", "order: [alone, joint], values: {alone: 1, joint: 0}")], &["47:71: a preference has either `order` or `values`, not both"]),
    ("neither", &[("order: [alone, joint], ", "")], &["47:5: a preference needs either `order` or `values`"]),
    // Proposals
    ("unknown issue", &[("terms: {release:", "terms: {relaese:")], &["50:55: there is no issue `relaese`; did you mean `release`?"]),
    ("a circumstance", &[("paid: unsettled", "drought: true")], &["50:167: there is no issue `drought`"]),
    ("in and out", &[("excludes: [north]", "excludes: [east]")], &["50:128: `east` is both in `includes` and in `excludes`"]),
    ("inverted", &[("{min: 30, max: 70}", "{min: 70, max: 30}")], &["50:64: the range is inverted: 70 is above 30"]),
    ("outside", &[("{min: 30, max: 70}", "{min: 30, max: 170}")], &["50:64: 30 to 170 is outside the range of `release`, 0 to 100"]),
    ("any of none", &[("{any_of: [alone, joint]}", "{any_of: []}")], &["50:103: `any_of` needs at least one option"]),
    ("any of an unknown", &[("{any_of: [alone, joint]}", "{any_of: [alone, jiont]}")], &["50:111: `metering` has no option `jiont`; did you mean `joint`?"]),
    ("any of, missing", &[("{any_of: [alone, joint]}", "{}")], &["50:94: an answer to a choice needs the key `any_of`"]),
    ("unknown key", &[("{any_of: [alone, joint]}", "{one_of: [alone, joint], any_of: [alone]}")], &["50:95: an answer to a choice has no key `one_of`; did you mean `any_of`?"]),
    ("flag: a map", &[("paid: unsettled", "paid: {any_of: [true]}")], &["50:173: `paid` is a flag: expected true, false or `unsettled`, found a map"]),
    ("flag: text", &[("paid: unsettled", "paid: 'yes'")], &["50:173: `paid` is a flag: expected true or false, found the text `yes`"]),
    ("choice: list", &[("{any_of: [alone, joint]}", "[alone, joint]")], &["50:94: expected the id of an option of `metering`, found a list"]),
    ("members: text", &[("{includes: [east], excludes: [north]}", "east")], &["50:128: `guards` is a set of members: expected a list (`[]` for none), found text"]),
    ("quantity: text", &[("{min: 30, max: 70}", "thirty")], &["50:64: `release` is a quantity: expected an integer, found the text `thirty`"]),
    ("terms no map", &[("terms: {release: {min: 30, max: 70}, metering: {any_of: [alone, joint]}, guards: {includes: [east], excludes: [north]}, paid: unsettled}", "terms: [release]")], &["50:54: expected a map from issue to answer, found a list"]),
];

#[test]
fn every_fault_is_reported_once_at_its_place() {
    check(CASES);
}

#[test]
fn conditions_with_too_many_cases_are_rejected() {
    let members: Vec<String> = (0..40).map(|at| format!("m{at}")).collect();
    let text = changed(&[
        (
            "members: [north, south, east], status_quo: []",
            &format!("members: [{}, north, south, east], status_quo: []", members[3..].join(", ")),
        ),
        ("when: release > 90", "when: size(guards) == 20"),
    ]);
    assert_eq!(faults(&text), ["45:41: the condition has more than 1024 cases; split or simplify it"]);
}

#[test]
fn too_many_cuts_are_reported_at_the_quantity() {
    let rules = |count: usize| {
        let rules =
            (1..=count).map(|at| format!("  - {{id: c{at}, title: T, forbids: paid && release > {}}}\n", 10_000 + at));
        edited("cautions:\n", &(rules.collect::<String>() + "cautions:\n")).replace("max: 100}}", "max: 20000}}")
    };
    // The conditions of the good file already cut the quantity `release` at 1, 40 and 91.
    assert_eq!(faults(&rules(124)), [""; 0]);
    assert_eq!(faults(&rules(125)), ["14:10: conditions divide this quantity into 129 intervals; the limit is 128"]);
}
