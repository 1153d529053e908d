//! Tests of the scenario format. Most of them edit one small file without faults.

mod bounds;
mod diff;
mod faults;
mod mutations;
mod reservation_values;
mod revisions;
mod robust;
mod together;

use super::ids::RedLineId;
use super::load;

/// A small file without faults, the "good file", that contains every kind of mapping of the format.
const GOOD: &str = "\
scenario: water
title: Water
description: Invented.
covers: {from: 2025-01-01, to: 2025-12-31}
as_of: 2025-06-30
sources:
  - {id: minutes, title: Minutes, publisher: Office, authors: [A], published: 2025-06-02, url: U, note: N}
parties:
  - {id: upstream, name: Upstream, role: principal, description: D}
  - {id: downstream, name: Downstream, role: third_party}
groups:
  - {id: neighbours, name: Neighbours, members: [north, south], note: N}
issues:
  - {id: release, title: Release, question: How much?, kind: quantity, unit: m3, range: {min: 0, max: 100}}
  - {id: metering, title: Metering, question: Who?, kind: choice, options: [alone, {id: joint, title: Both}], status_quo: alone}
  - {id: guards, title: Guards, question: Whose?, kind: members, members: [north, south, east], status_quo: []}
  - {id: paid, title: Paid, question: Paid?, kind: flag, status_quo: [{value: false}, {from: 2025-03-01, value: true}], taxonomy: [T], rows: [R], note: N}
circumstances:
  - {id: drought, title: Drought, question: Is there one?, kind: flag, assumed: false}
red_lines:
  - id: down-forty
    party: downstream
    title: At least 40
    requires: release >= 40
    firmness: firm
    held: [{from: 2025-02-01, until: 2025-03-01}, {first_recorded: 2025-04-01}]
    evidence: [{source: minutes, kind: on_record, speaker: Head, statement: Said., quote: at least forty, date: 2025-02-01, speaks: for, row: P1}]
    waivers:
      - id: in-drought
        title: Less in a drought
        when: drought
        firmness: tentative
        held: [{from: 2025-04-01}]
        evidence: [{source: minutes, kind: assessed, speaker: Expert, statement: Said., speaks: against}]
  - id: up-guards
    party: upstream
    title: No guards of neighbours
    rejects: guards.exists(m, m in neighbours)
    firmness: absolute
    held: [{from: 2025-01-01}]
    evidence: [{source: minutes, kind: reported, speaker: Taker, statement: Said.}]
constraints:
  - {id: paid-nothing, title: Paid for nothing, forbids: paid && release == 0}
cautions:
  - {id: dry, text: May run dry., when: release > 90, evidence: [{source: minutes, kind: attributed, speaker: Somebody, statement: Said.}]}
preferences:
  - {party: upstream, issue: metering, order: [alone, joint], evidence: [{source: minutes, kind: on_record, speaker: Head, statement: Said.}]}
  - {party: downstream, issue: paid, values: {true: 1.5, false: 0}, evidence: [{source: minutes, kind: on_record, speaker: Head, statement: Said.}]}
proposals:
  - {id: draft, title: Draft, description: D, terms: {release: {min: 30, max: 70}, metering: {any_of: [alone, joint]}, guards: {includes: [east], excludes: [north]}, paid: unsettled}, rows: [M1]}
";

/// Returns the good file with one passage replaced, which must occur exactly once.
fn edited(from: &str, to: &str) -> String {
    assert_eq!(GOOD.matches(from).count(), 1, "{from}");
    GOOD.replacen(from, to, 1)
}

/// Returns the faults of a text as `line:column: message`.
fn faults(text: &str) -> Vec<String> {
    let Err(faults) = load("water.yaml", text) else { return Vec::new() };
    faults.list().iter().map(|fault| format!("{}:{}: {}", fault.line, fault.column, fault.message)).collect()
}

#[test]
fn the_good_file_has_no_faults() {
    assert_eq!(faults(GOOD), Vec::<String>::new());
}

#[test]
fn faults_of_red_lines_found_later_are_placed_at_their_ids() {
    let mut budget = super::LoadBudget::of_file(GOOD.len());
    let (_, places) = super::load_within("water.yaml", GOOD, GOOD.len(), &mut budget).unwrap();
    let faults = places.diagnostics("water.yaml", GOOD, &[(RedLineId::new("up-guards"), "too much".to_owned())]);
    let [fault] = faults.list() else { panic!("{faults}") };
    let line = GOOD.lines().position(|line| line.contains("id: up-guards")).unwrap() + 1;
    assert_eq!((fault.line, fault.column, fault.message.as_str()), (line, 9, "too much"));
}
