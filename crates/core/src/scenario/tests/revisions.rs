//! Tests of the revision of a scenario: it depends on the content and not on the formatting.
//!
//! The tests edit the good file, `GOOD`, which has no faults.

use super::{GOOD, edited};
use crate::scenario::load;
use std::collections::BTreeSet;

fn revision(text: &str) -> String {
    load("water.yaml", text).unwrap_or_else(|faults| panic!("{faults}")).revision.to_string()
}

#[test]
fn formatting_comments_and_the_order_of_keys_do_not_change_the_revision() {
    let equivalent = [
        format!("# A remark.\n{GOOD}\n\n"),
        edited("title: Water\ndescription: Invented.", "description: 'Invented.'\ntitle: \"Water\""),
        edited("description: Invented.", "description: >-\n  Invented."),
        edited("    party: downstream\n    title: At least 40", "    title: At least 40\n    party: downstream"),
        edited(", speaks: for, row: P1", ", row: P1"),
    ];
    for text in equivalent {
        assert_eq!(revision(&text), revision(GOOD), "{text}");
    }
    assert_eq!(revision(GOOD).len(), 32);
}

/// Edits of single fields of the good file, each of which changes the content. An edit is a passage and its
/// replacement.
pub(super) const EDITS: &[(&str, &str)] = &[
    ("scenario: water", "scenario: waters"),
    ("title: Water\n", "title: Waters\n"),
    ("description: Invented.", "description: Made up."),
    ("covers: {from: 2025-01-01", "covers: {from: 2024-12-31"),
    ("to: 2025-12-31}", "to: 2025-12-30}"),
    ("as_of: 2025-06-30", "as_of: 2025-06-29"),
    ("title: Minutes", "title: Minute"),
    ("publisher: Office", "publisher: Offices"),
    ("authors: [A]", "authors: [A, B]"),
    ("published: 2025-06-02", "published: 2025-06-03"),
    ("url: U", "url: V"),
    ("url: U, note: N", "url: U, note: O"),
    ("name: Upstream", "name: Uphill"),
    ("role: third_party", "role: principal"),
    ("role: principal, description: D", "role: principal, description: E"),
    ("name: Neighbours", "name: Others"),
    ("members: [north, south], note: N", "members: [south, north], note: N"),
    ("south], note: N", "south], note: O"),
    ("title: Release", "title: Releases"),
    ("question: How much?", "question: How little?"),
    ("unit: m3", "unit: m4"),
    ("{min: 0, max: 100}", "{min: 0, max: 101}"),
    ("title: Both", "title: All"),
    ("[alone, {id: joint, title: Both}], status_quo: alone", "[alone, {id: joint, title: Both}], status_quo: joint"),
    ("members: [north, south, east], status_quo: []", "members: [north, south, east], status_quo: [east]"),
    ("members: [north, south, east], status_quo: []", "members: [north, south, east]"),
    ("{from: 2025-03-01, value: true}", "{from: 2025-03-02, value: true}"),
    ("{from: 2025-03-01, value: true}", "{from: 2025-03-01, value: false}"),
    ("taxonomy: [T]", "taxonomy: [S]"),
    ("rows: [R], note: N", "rows: [S], note: N"),
    ("rows: [R], note: N", "rows: [R], note: O"),
    ("assumed: false", "assumed: true"),
    ("title: At least 40", "title: At least 41"),
    ("requires: release >= 40", "requires: release >= 41"),
    ("requires: release >= 40", "rejects: release >= 40"),
    ("    firmness: firm\n", "    firmness: negotiable\n"),
    ("{from: 2025-02-01, until: 2025-03-01}", "{from: 2025-02-02, until: 2025-03-01}"),
    ("{from: 2025-02-01, until: 2025-03-01}", "{first_recorded: 2025-02-01, until: 2025-03-01}"),
    ("{from: 2025-02-01, until: 2025-03-01}", "{from: 2025-02-01, until: 2025-03-02}"),
    (
        "kind: on_record, speaker: Head, statement: Said., quote",
        "kind: reported, speaker: Head, statement: Said., quote",
    ),
    ("speaker: Head, statement: Said., quote", "speaker: Tail, statement: Said., quote"),
    ("statement: Said., quote", "statement: Wrote., quote"),
    ("quote: at least forty", "quote: at least fifty"),
    ("date: 2025-02-01", "date: 2025-02-02"),
    ("speaks: for", "speaks: against"),
    ("row: P1", "row: P2"),
    ("title: Less in a drought", "title: Less in drought"),
    ("when: drought", "when: \"!drought\""),
    ("        firmness: tentative", "        firmness: negotiable"),
    ("        held: [{from: 2025-04-01}]", "        held: [{from: 2025-04-02}]"),
    ("title: Paid for nothing", "title: Paid for naught"),
    ("forbids: paid && release == 0", "forbids: paid && release == 1"),
    ("text: May run dry.", "text: Will run dry."),
    ("when: release > 90", "when: release > 91"),
    ("order: [alone, joint]", "order: [joint, alone]"),
    ("{true: 1.5, false: 0}", "{true: 1.25, false: 0}"),
    ("title: Draft", "title: Drafts"),
    ("description: D, terms", "description: E, terms"),
    ("{min: 30, max: 70}", "{min: 31, max: 70}"),
    ("{any_of: [alone, joint]}", "{any_of: [alone]}"),
    ("excludes: [north]", "excludes: [south]"),
    ("paid: unsettled", "paid: true"),
    ("rows: [M1]", "rows: [M2]"),
];

#[test]
fn every_field_changes_the_revision() {
    let revisions: BTreeSet<String> = EDITS.iter().map(|(from, to)| revision(&edited(from, to))).collect();
    assert_eq!(revisions.len(), EDITS.len(), "two different files have the same revision");
    assert!(!revisions.contains(&revision(GOOD)));
}
