//! Tests of the diff of two scenarios: every kind of change is reported, and equal content produces no change.
//!
//! Most tests compare the good file, `GOOD`, with an edited copy.

use super::revisions::EDITS;
use super::{GOOD, edited};
use crate::scenario::diff::{Change, Content, Part, What, diff};
use crate::scenario::{Scenario, load};

fn scenario(text: &str) -> Scenario {
    load("water.yaml", text).unwrap_or_else(|faults| panic!("{faults}"))
}

/// Formats a change on one line.
fn line(change: &Change) -> String {
    let place = &change.place;
    let mut path = place.section.key().to_owned();
    for step in place.path.iter().enumerate() {
        let list = if step.0 == 0 { String::new() } else { format!("/{}", step.1.list) };
        path += &format!("{list}/{}", step.1.id);
    }
    path += &place.field.map_or_else(String::new, |field| format!(" {field}"));
    let description = match &change.what {
        What::Added(part) => format!("+ {}", contents(part)),
        What::Removed(part) => format!("- {}", contents(part)),
        What::Word { before, after } | What::Text { before, after } => format!("{before} -> {after}"),
        What::Entries { removed, added } => format!("- {} + {}", removed.join("; "), added.join("; ")),
        What::Reordered { before, after } => format!("order {} -> {}", before.join("; "), after.join("; ")),
        What::Condition { before, after, meaning } => {
            format!("{} {} -> {} {} ({meaning:?})", before.key, before.text, after.key, after.text)
        }
    };
    format!("{path}: {description}")
}

fn contents(part: &Part) -> String {
    let present = part.fields.iter().filter(|field| !field.content.is_empty());
    let formatted = present.map(|field| match &field.content {
        Content::Word(text) | Content::Text(text) => text.clone(),
        Content::List(entries) => entries.join(", "),
        Content::Condition { stated, .. } => format!("{} {}", stated.key, stated.text),
        Content::Parts(parts) => format!("[{}]", parts.iter().map(contents).collect::<Vec<_>>().join(", ")),
    });
    formatted.collect::<Vec<_>>().join(" | ")
}

fn lines(before: &Scenario, after: &Scenario) -> Vec<String> {
    diff(before, after).iter().map(line).collect()
}

/// Returns the same change as a diff in the opposite direction would report it.
fn mirrored(change: Change) -> Change {
    use crate::scenario::diff::Meaning;
    let what = match change.what {
        What::Added(part) => What::Removed(part),
        What::Removed(part) => What::Added(part),
        What::Word { before, after } => What::Word { before: after, after: before },
        What::Text { before, after } => What::Text { before: after, after: before },
        What::Entries { removed, added } => What::Entries { removed: added, added: removed },
        What::Reordered { before, after } => What::Reordered { before: after, after: before },
        What::Condition { before, after, meaning } => {
            let meaning = meaning.map(|meaning| match meaning {
                Meaning::More => Meaning::Fewer,
                Meaning::Fewer => Meaning::More,
                same => same,
            });
            What::Condition { before: after, after: before, meaning }
        }
    };
    Change { what, ..change }
}

/// Asserts that there are changes exactly if the revisions differ, and that both directions report equal changes.
fn assert_reported(before: &Scenario, after: &Scenario, what: &str) {
    let there = diff(before, after);
    assert_eq!(there.is_empty(), before.revision == after.revision, "{what}: {there:#?}");
    let mut there: Vec<String> = there.iter().map(line).collect();
    let mut back: Vec<String> = diff(after, before).into_iter().map(|change| line(&mirrored(change))).collect();
    there.sort();
    back.sort();
    assert_eq!(there, back, "{what}");
}

/// Edits of the good file: a passage, its replacement, and the expected changes.
const CHANGES: &[(&str, &str, &[&str])] = &[
    ("scenario: water", "scenario: lake", &["scenario scenario: water -> lake"]),
    ("title: Water\n", "title: Lake\n", &["scenario title: Water -> Lake"]),
    ("description: Invented.\n", "", &["scenario description: Invented. -> "]),
    (
        "from: 2025-01-01, to: 2025-12-31}",
        "from: 2025-01-01, to: 2026-12-31}",
        &["scenario covers: 2025-01-01 to 2025-12-31 -> 2025-01-01 to 2026-12-31"],
    ),
    ("as_of: 2025-06-30", "as_of: 2025-07-01", &["scenario as_of: 2025-06-30 -> 2025-07-01"]),
    (
        "authors: [A], published: 2025-06-02, ",
        "authors: [B, A], ",
        &["sources/minutes authors: -  + B", "sources/minutes published: 2025-06-02 -> "],
    ),
    ("role: third_party", "role: principal", &["parties/downstream role: third_party -> principal"]),
    // The red line whose condition uses the group is reported, too, because it is crossed in further cases.
    (
        "members: [north, south], note: N",
        "members: [north, south, east], note: N",
        &[
            "groups/neighbours members: -  + east",
            "red_lines/up-guards condition: rejects guards.exists(m, m in neighbours) -> \
         rejects guards.exists(m, m in neighbours) (Some(More))",
        ],
    ),
    (
        "members: [north, south], note: N",
        "members: [south, north], note: N",
        &["groups/neighbours members: order north; south -> south; north"],
    ),
    (
        "unit: m3, range: {min: 0, max: 100}",
        "unit: hm3, range: {min: 0, max: 120}",
        &["issues/release range: 0 to 100 -> 0 to 120", "issues/release unit: m3 -> hm3"],
    ),
    ("{id: joint, title: Both}]", "{id: joint, title: All}]", &["issues/metering/options/joint title: Both -> All"]),
    // A preference refers to options by id, so that reordering the options does not change it.
    (
        "options: [alone, {id: joint, title: Both}]",
        "options: [{id: joint, title: Both}, alone]",
        &["issues/metering options: order alone; joint -> joint; alone"],
    ),
    (
        "members: [north, south, east], status_quo: []",
        "members: [south, east, north, west], status_quo: [west]",
        &[
            "issues/guards/members/west: + ",
            "issues/guards members: order north; south; east -> south; east; north",
            "issues/guards status_quo: - (none) + west",
        ],
    ),
    (
        "status_quo: [{value: false}, {from: 2025-03-01, value: true}]",
        "status_quo: [{value: false}]",
        &["issues/paid status_quo: - true from 2025-03-01 + "],
    ),
    ("kind: flag, assumed: false", "kind: flag, assumed: true", &["circumstances/drought assumed: - false + true"]),
    ("    party: downstream\n", "    party: upstream\n", &["red_lines/down-forty party: downstream -> upstream"]),
    (
        "requires: release >= 40",
        "requires: release > 39",
        &["red_lines/down-forty condition: requires release >= 40 -> requires release > 39 (Some(Same))"],
    ),
    (
        "requires: release >= 40",
        "rejects: release < 40",
        &["red_lines/down-forty condition: requires release >= 40 -> rejects release < 40 (Some(Same))"],
    ),
    (
        "requires: release >= 40",
        "rejects: release >= 40",
        &["red_lines/down-forty condition: requires release >= 40 -> rejects release >= 40 (Some(Other))"],
    ),
    (
        "requires: release >= 40",
        "requires: release >= 30",
        &["red_lines/down-forty condition: requires release >= 40 -> requires release >= 30 (Some(Fewer))"],
    ),
    (
        "requires: release >= 40",
        "requires: release >= 40 && paid",
        &["red_lines/down-forty condition: requires release >= 40 -> requires release >= 40 && paid (Some(More))"],
    ),
    ("    firmness: firm\n", "    firmness: absolute\n", &["red_lines/down-forty firmness: firm -> absolute"]),
    (
        "{first_recorded: 2025-04-01}",
        "{from: 2025-04-01}",
        &["red_lines/down-forty held: - from 2025-04-01 (first recorded) + from 2025-04-01 (stated)"],
    ),
    (
        "kind: on_record, speaker: Head, statement: Said., quote: at least forty",
        "kind: attributed, speaker: Aide, statement: Said., quote: at least forty",
        &[
            "red_lines/down-forty/evidence/P1 kind: on_record -> attributed",
            "red_lines/down-forty/evidence/P1 speaker: Head -> Aide",
        ],
    ),
    (
        "speaks: for, row: P1}]",
        "speaks: for, row: P1}, {source: minutes, kind: assessed, speaker: Expert, statement: Doubted it., speaks: against, row: P9}]",
        &["red_lines/down-forty/evidence/P9: + minutes | assessed | Expert | Doubted it. | against | P9"],
    ),
    (
        "        title: Less in a drought\n        when: drought\n        firmness: tentative",
        "        title: Less in a drought\n        when: drought && paid\n        firmness: negotiable",
        &[
            "red_lines/down-forty/waivers/in-drought when: when drought -> when drought && paid (Some(Fewer))",
            "red_lines/down-forty/waivers/in-drought firmness: tentative -> negotiable",
        ],
    ),
    (
        "speaker: Expert, statement: Said., speaks: against",
        "speaker: Expert, statement: Said.",
        &["red_lines/down-forty/waivers/in-drought/evidence/Expert speaks: against -> for"],
    ),
    (
        "forbids: paid && release == 0",
        "forbids: paid && release <= 0",
        &[
            "constraints/paid-nothing forbids: forbids paid && release == 0 -> forbids paid && release <= 0 (Some(Same))",
        ],
    ),
    (
        "text: May run dry., when: release > 90",
        "text: Runs dry., when: release > 80",
        &[
            "cautions/dry text: May run dry. -> Runs dry.",
            "cautions/dry when: when release > 90 -> when release > 80 (Some(More))",
        ],
    ),
    (
        "order: [alone, joint]",
        "order: [joint, alone]",
        &["preferences/upstream on metering order: - alone > joint + joint > alone"],
    ),
    (
        "order: [alone, joint]",
        "values: {alone: 1, joint: 0.5}",
        &[
            "preferences/upstream on metering values: -  + alone: 1; joint: 0.5",
            "preferences/upstream on metering order: - alone > joint + ",
        ],
    ),
    (
        "metering: {any_of: [alone, joint]}, guards: {includes: [east], excludes: [north]}, paid: unsettled",
        "guards: {excludes: [north, south]}, paid: true",
        &[
            "proposals/draft/terms/guards answer: in: east; out: north -> in: (none); out: north, south",
            "proposals/draft/terms/paid answer: unsettled -> true",
            "proposals/draft/terms/metering: - one of alone, joint",
        ],
    ),
    (
        "rows: [M1]}",
        "rows: [M1]}\n  - {id: other, title: Other, terms: {paid: true}}",
        &["proposals/other: + Other | [true]"],
    ),
    (
        "constraints:\n  - {id: paid-nothing, title: Paid for nothing, forbids: paid && release == 0}\n",
        "",
        &["constraints/paid-nothing: - Paid for nothing | forbids paid && release == 0"],
    ),
];

#[test]
fn every_kind_of_change_is_reported() {
    let good = scenario(GOOD);
    for (from, to, expected) in CHANGES {
        let after = scenario(&edited(from, to));
        assert_eq!(lines(&good, &after), *expected, "{to}");
        assert_reported(&good, &after, to);
    }
}

#[test]
fn equal_content_produces_no_change() {
    let good = scenario(GOOD);
    assert_eq!(lines(&good, &scenario(GOOD)), [""; 0]);
    let formatted = scenario(&format!("# A remark.\n{}", edited("speaks: for, row: P1", "row: P1")));
    assert_eq!(lines(&good, &formatted), [""; 0]);
}

#[test]
fn every_field_of_a_revision_is_compared() {
    let good = scenario(GOOD);
    for (from, to) in EDITS {
        assert_reported(&good, &scenario(&edited(from, to)), to);
    }
}

/// Replaces every single word of the good file in turn. If the file still loads with a different revision, the diff
/// must report a change. This finds fields that the other tests do not list.
#[test]
fn every_word_that_changes_the_revision_is_reported() {
    let good = scenario(GOOD);
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut words: Vec<(usize, &str)> = Vec::new();
    let mut rest = GOOD;
    while let Some(start) = rest.find(is_part) {
        let length = rest[start..].find(|c| !is_part(c)).unwrap_or(rest.len() - start);
        words.push((GOOD.len() - rest.len() + start, &rest[start..start + length]));
        rest = &rest[start + length..];
    }
    let others = ["Other", "2025-05-05", "7", "true", "false", "firm", "south", "joint", "upstream", "on_record"];
    let mut reported = 0;
    for (at, word) in words {
        let extended = format!("{word}s");
        for other in others.iter().copied().chain([extended.as_str()]).filter(|other| *other != word) {
            let text = format!("{}{other}{}", &GOOD[..at], &GOOD[at + word.len()..]);
            if let Ok(after) = load("water.yaml", &text) {
                assert_reported(&good, &after, &format!("{word} at {at} -> {other}"));
                reported += usize::from(after.revision != good.revision);
            }
        }
    }
    assert!(reported > 200, "only {reported} of the edits changed the revision");
}

/// A part that moves has not changed, and neither have the parts that refer to it.
#[test]
fn moved_parts_are_reported_as_a_change_of_order() {
    let upstream = "  - {id: upstream, name: Upstream, role: principal, description: D}\n";
    let downstream = "  - {id: downstream, name: Downstream, role: third_party}\n";
    let moved = edited(&format!("{upstream}{downstream}"), &format!("{downstream}{upstream}"));
    let good = scenario(GOOD);
    assert_eq!(lines(&good, &scenario(&moved)), ["parties: order upstream; downstream -> downstream; upstream"]);

    let second = "  - {id: letters, title: Letters, publisher: Office}\n";
    let with_second = |first: &str, then: &str| {
        edited("sources:\n", &format!("sources:\n{first}")).replacen("parties:\n", &format!("{then}parties:\n"), 1)
    };
    let (first, last) = (scenario(&with_second(second, "")), scenario(&with_second("", second)));
    assert_eq!(lines(&first, &last), ["sources: order letters; minutes -> minutes; letters"]);
    assert_eq!(lines(&good, &first), ["sources/letters: + Letters | Office"]);

    let release = GOOD.lines().find(|line| line.contains("{id: release")).unwrap();
    let without = GOOD.replacen(&format!("{release}\n"), "", 1);
    let last = without.replacen("circumstances:\n", &format!("{release}\ncircumstances:\n"), 1);
    let changes = lines(&good, &scenario(&last));
    assert_eq!(changes, ["issues: order release; metering; guards; paid -> metering; guards; paid; release"]);
}

#[test]
fn meanings_are_compared_across_positions_but_not_across_domains() {
    let good = scenario(GOOD);
    let of_lines = |text: &str| -> Vec<String> {
        lines(&good, &scenario(text)).into_iter().filter(|line| line.starts_with("red_lines")).collect()
    };
    let rewritten =
        edited("rejects: guards.exists(m, m in neighbours)", "rejects: '\"north\" in guards || \"south\" in guards'");
    let reordered = rewritten.replacen("members: [north, south, east]", "members: [east, south, north]", 1);
    for text in [&rewritten, &reordered] {
        let changes = of_lines(text);
        assert!(matches!(changes.as_slice(), [one] if one.ends_with("(Some(Same))")), "{changes:?}");
    }
    let wider = rewritten.replacen("members: [north, south, east]", "members: [north, south, east, west]", 1);
    let changes = of_lines(&wider);
    assert!(matches!(changes.as_slice(), [one] if one.ends_with("(None)")), "{changes:?}");
    let unchanged = edited("members: [north, south, east]", "members: [north, south, east, west]");
    assert_eq!(of_lines(&unchanged), [""; 0]);
}
