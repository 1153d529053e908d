//! Faults of conditions, waivers, preferences and proposals.

use super::{Case, changed, edited, faults, told};

#[rustfmt::skip]
const CASES: &[Case] = &[
    // Where a condition stands
    ("plain, syntax", &[("release >= 40", "release >= ")], &["24:25: the condition cannot be read: mismatched input the end"]),
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
    ("folded, syntax at the end", &[("release >= 40", ">-\n      release >= 40\n      &&")], &["26:9: the condition cannot be read: mismatched input the end"]),
    ("name in a literal", &[("release >= 40", "|\n      paid ||\n      releas >= 40")], &["26:7: there is no issue, circumstance or group `releas`; did you mean `release`?"]),
    ("two in one condition", &[("release >= 40", "releas >= 40 && gards.all(m, m in neighbours)")], &["24:15: there is no issue, circumstance or group `releas`; did you mean `release`?", "24:31: there is no issue, circumstance or group `gards`; did you mean `guards`?"]),
    // What a condition says
    ("a choice alone", &[("release >= 40", "metering")], &["24:15: a condition is expected here, not a choice"]),
    ("a quantity and a text", &[("release >= 40", "release == \"40\"")], &["24:23: a quantity cannot be compared with a text by `==`; one side of a comparison is a literal that fits the other"]),
    ("members whole", &[("release >= 40", "guards == [\"north\"]")], &["24:22: members cannot be compared whole; test one with `in guards`, or count with `size(guards)`"]),
    ("arithmetic", &[("release >= 40", "release + 1 >= 40")], &["24:23: `+` is not part of the condition language"]),
    ("a decided comparison", &[("release >= 40", "release >= 40 && release <= 100")], &["24:40: within 0..100 this comparison always holds"]),
    ("a comparison that never holds", &[("release >= 40", "release >= 40 || release > 100")], &["24:40: within 0..100 this comparison never holds"]),
    ("a count out of reach", &[("release >= 40", "size(guards) <= 3")], &["24:28: within 0..3 this comparison always holds"]),
    ("rejects, never crossed", &[("    requires: release >= 40\n", "    rejects: release < 40 && release > 40\n")], &["24:14: the red line can never be crossed"]),
    ("rejects, always crossed", &[("    requires: release >= 40\n", "    rejects: release < 40 || release >= 40\n")], &["24:14: the red line is always crossed"]),
    ("requires, never crossed", &[("    requires: release >= 40\n", "    requires: release < 40 || release >= 40\n")], &["24:15: the red line can never be crossed"]),
    ("requires, always crossed", &[("    requires: release >= 40\n", "    requires: release < 40 && release > 40\n")], &["24:15: the red line is always crossed"]),
    ("constraint, never", &[("forbids: paid && release == 0", "forbids: paid && !paid")], &["43:58: the condition never holds: this could never be broken"]),
    ("constraint, always", &[("forbids: paid && release == 0", "forbids: paid || !paid")], &["43:58: the condition always holds: this would always be broken"]),
    ("caution, never", &[("when: release > 90", "when: paid && !paid")], &["45:41: the condition never holds: this could never be shown"]),
    ("caution, always", &[("when: release > 90", "when: paid || !paid")], &["45:41: the condition always holds: this would always be shown"]),
    ("waiver, never", &[("when: drought", "when: paid && !paid")], &["31:15: the condition never holds: this could never be in force"]),
    ("waiver, always", &[("when: drought", "when: paid || !paid")], &["31:15: the condition always holds: this would always be in force"]),
    ("truth for a condition", &[("release >= 40", "true")], &["24:15: the red line can never be crossed"]),
    // Waivers
    ("as firm", &[("        firmness: tentative", "        firmness: firm")], &["32:19: the waiver lowers nothing: the red line is firm, and firm is not less"]),
    ("firmer", &[("        firmness: tentative", "        firmness: absolute")], &["32:19: the waiver lowers nothing: the red line is firm, and absolute is not less"]),
    ("never where it is crossed", &[("when: drought", "when: release > 50")], &["29:9: the waiver lowers nothing: its condition never holds where the red line is crossed"]),
    ("covered by another", &[("      - id: in-drought", "      - {id: wider, title: T, when: drought || paid, firmness: tentative, evidence: [{source: minutes, kind: reported, speaker: Taker, statement: Said.}]}\n      - id: in-drought")], &["30:9: the waiver lowers nothing: wherever it applies, others lower at least as far"]),
    ("not covered by one whose spans are unreadable", &[("        firmness: tentative\n        held: [{from: 2025-04-01}]", "        firmness: tentative"), ("      - id: in-drought", "      - {id: wider, title: T, when: drought || paid, firmness: tentative, held: always, evidence: [{source: minutes, kind: reported, speaker: Taker, statement: Said.}]}\n      - id: in-drought")], &["29:81: a list is expected here, not the text `always`"]),
    ("not covered while a span is unreadable", &[("        firmness: tentative\n        held: [{from: 2025-04-01}]", "        firmness: tentative"), ("      - id: in-drought", "      - {id: wider, title: T, when: drought || paid, firmness: tentative, held: [{from: 2025-04-01}], evidence: [{source: minutes, kind: reported, speaker: Taker, statement: Said.}]}\n      - id: in-drought"), ("{from: 2025-02-01, until: 2025-03-01}", "{from: 2025-02-31, until: 2025-03-01}")], &["26:19: there is no day 2025-02-31"]),
    // Preferences
    ("order incomplete", &[("order: [alone, joint]", "order: [alone]")], &["47:47: the order names every value of `metering`; `joint` is missing"]),
    ("order twice", &[("order: [alone, joint]", "order: [alone, joint, alone]")], &["47:62: this is named already"]),
    ("order unknown", &[("order: [alone, joint]", "order: [alone, jiont]")], &["47:55: `metering` has no option `jiont`; did you mean `joint`?"]),
    ("order of a quantity", &[("issue: metering", "issue: release")], &["47:46: an order is for flags and choices; `release` is of kind quantity"]),
    ("order of members", &[("issue: metering", "issue: guards")], &["47:45: an order is for flags and choices; `guards` is of kind members"]),
    ("order is a text", &[("order: [alone, joint]", "order: alone")], &["47:47: a list of values is expected here, not a text"]),
    ("values missing", &[("{true: 1.5, false: 0}", "{true: 1.5}")], &["48:46: every value of `paid` needs a number; `false` has none"]),
    ("value unknown", &[("{true: 1.5, false: 0}", "{true: 1.5, falsch: 0}")], &["48:58: `paid` has no value `falsch`"]),
    ("value no number", &[("{true: 1.5, false: 0}", "{true: much, false: 0}")], &["48:53: a number like 0.5 is expected here, not the text `much`"]),
    ("values of members", &[("issue: paid", "issue: guards")], &["48:48: numbers are for flags, choices and quantities of at most 1000 values, not for `guards`"]),
    ("order and values", &[("order: [alone, joint]", "order: [alone, joint], values: {alone: 1, joint: 0}")], &["47:71: a preference gives an `order` or `values`, not both"]),
    ("neither", &[("order: [alone, joint], ", "")], &["47:5: a preference needs an `order` or `values`"]),
    // Proposals
    ("unknown issue", &[("terms: {release:", "terms: {relaese:")], &["50:55: there is no issue `relaese`; did you mean `release`?"]),
    ("a circumstance", &[("paid: unsettled", "drought: true")], &["50:167: there is no issue `drought`"]),
    ("in and out", &[("excludes: [north]", "excludes: [east]")], &["50:128: `east` cannot be both in and out"]),
    ("inverted", &[("{min: 30, max: 70}", "{min: 70, max: 30}")], &["50:64: the range is inverted: 70 is above 30"]),
    ("outside", &[("{min: 30, max: 70}", "{min: 30, max: 170}")], &["50:64: 30 to 170 is not within `release`, which goes from 0 to 100"]),
    ("any of none", &[("{any_of: [alone, joint]}", "{any_of: []}")], &["50:103: name at least one option"]),
    ("any of an unknown", &[("{any_of: [alone, joint]}", "{any_of: [alone, jiont]}")], &["50:111: `metering` has no option `jiont`; did you mean `joint`?"]),
    ("any of, missing", &[("{any_of: [alone, joint]}", "{}")], &["50:94: an answer to a choice needs the key `any_of`"]),
    ("unknown key", &[("{any_of: [alone, joint]}", "{one_of: [alone, joint], any_of: [alone]}")], &["50:95: an answer to a choice has no key `one_of`; did you mean `any_of`?"]),
    ("flag: a map", &[("paid: unsettled", "paid: {any_of: [true]}")], &["50:173: `paid` is a flag: true, false or `unsettled`"]),
    ("flag: text", &[("paid: unsettled", "paid: 'yes'")], &["50:173: `paid` is a flag: true or false is expected here, not the text `yes`"]),
    ("choice: list", &[("{any_of: [alone, joint]}", "[alone, joint]")], &["50:94: the id of an option of `metering` is expected here, not a list"]),
    ("members: text", &[("{includes: [east], excludes: [north]}", "east")], &["50:128: `guards` is a set of members: a list is expected here (`[]` for none), not a text"]),
    ("quantity: text", &[("{min: 30, max: 70}", "thirty")], &["50:64: `release` is a quantity: an integer is expected here, not the text `thirty`"]),
    ("terms no map", &[("terms: {release: {min: 30, max: 70}, metering: {any_of: [alone, joint]}, guards: {includes: [east], excludes: [north]}, paid: unsettled}", "terms: [release]")], &["50:54: a map from issue to answer is expected here, not a list"]),
];

#[test]
fn every_fault_is_told_once_where_it_is() {
    told(CASES);
}

#[test]
fn too_many_cases() {
    let members: Vec<String> = (0..40).map(|at| format!("m{at}")).collect();
    let text = changed(&[
        (
            "members: [north, south, east], status_quo: []",
            &format!("members: [{}, north, south, east], status_quo: []", members[3..].join(", ")),
        ),
        ("when: release > 90", "when: size(guards) == 20"),
    ]);
    assert_eq!(faults(&text), ["45:41: the condition has more than 1024 cases; split it or say it more simply"]);
}

#[test]
fn too_many_cuts_are_told_at_the_quantity() {
    let rules = |count: usize| {
        let rules =
            (1..=count).map(|at| format!("  - {{id: c{at}, title: T, forbids: paid && release > {}}}\n", 10_000 + at));
        edited("cautions:\n", &(rules.collect::<String>() + "cautions:\n")).replace("max: 100}}", "max: 20000}}")
    };
    // The good file has cuts of its own, at 1, 40 and 91.
    assert_eq!(faults(&rules(124)), [""; 0]);
    assert_eq!(
        faults(&rules(125)),
        ["14:10: conditions cut this quantity into 129 intervals; at most 128 can be told apart"]
    );
}
