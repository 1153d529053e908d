//! Several faults in one file: all are reported in one run, in order, without faults that only follow from others.

use super::{GOOD, edited, faults, load};

const MANY: &[(&str, &str)] = &[
    ("title: Water\n", "title: [Water]\n"),
    ("as_of: 2025-06-30", "as_of: 2025-06-31"),
    ("publisher: Office, ", ""),
    ("role: third_party", "role: third"),
    ("name: Neighbours", "name: ''"),
    ("status_quo: alone", "status_quo: alon"),
    ("{from: 2025-03-01, value: true}", "{from: 2026-03-01, value: true}"),
    ("assumed: false", "assumed: 0"),
    ("party: downstream\n    title", "party: downsteam\n    title"),
    ("    firmness: firm\n", "    firmness: frim\n"),
    ("until: 2025-03-01}", "until: 2025-01-01}"),
    ("quote: at least forty", "quote: a b c d e f g h i j k l m n o p"),
    ("when: drought", "when: drougth"),
    ("source: minutes, kind: assessed", "source: minute, kind: assessed"),
    ("id: up-guards", "id: down-forty"),
    ("m in neighbours)", "m in neighbors)"),
    ("forbids: paid && release == 0", "forbids: paid && release == 0 && !payd"),
    ("order: [alone, joint]", "order: [alone]"),
    ("{true: 1.5, false: 0}", "{true: 1.5, false: none}"),
    ("{min: 30, max: 70}", "{min: 70, max: 30}"),
    ("excludes: [north]", "excludes: [west]"),
];

fn many() -> String {
    MANY.iter().fold(GOOD.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text.replacen(from, to, 1)
    })
}

#[test]
fn all_faults_are_reported_in_order() {
    let expected = [
        "2:8: expected text, found a list",
        "5:8: there is no such day as `2025-06-31`",
        "7:5: a source needs the key `publisher`",
        "10:46: `third` is not allowed here; did you mean `third_party`?",
        "12:28: the text is empty",
        "15:123: `metering` has no option `alon`; did you mean `alone`?",
        "17:94: 2026-03-01 is after 2025-12-31, the last day that the scenario covers",
        "19:81: `drought` is a flag: expected true or false, found a number",
        "22:12: there is no party `downsteam`; did you mean `downstream`?",
        "25:15: `frim` is not allowed here; did you mean `firm`?",
        "26:38: the span ends on 2025-01-01, which is not after its first day, 2025-02-01",
        "27:91: the quote has 16 words; the limit is 15",
        "31:15: there is no issue, circumstance or group `drougth`; did you mean `drought`?",
        "34:29: there is no source `minute`; did you mean `minutes`?",
        "35:9: the id `down-forty` is already used by another red line",
        "38:36: there is no issue, circumstance or group `neighbors`; did you mean `neighbours`?",
        "43:83: there is no issue, circumstance or group `payd`; did you mean `paid`?",
        "47:47: `order` must list every value of `metering`; `joint` is missing",
        "48:65: expected a number like 0.5, found the text `none`",
        "50:64: the range is inverted: 70 is above 30",
        "50:158: `guards` has no member `west`",
    ];
    assert_eq!(expected.len(), MANY.len());
    assert_eq!(faults(&many()), expected);
    let list = load("water.yaml", &many()).unwrap_err();
    assert!(list.list().is_sorted_by_key(|fault| (fault.line, fault.column)));
}

#[test]
fn an_unreadable_part_causes_no_further_faults() {
    // Other parts of the file use each of these parts, so an unreadable one could cause further faults.
    for (from, to) in [
        ("id: release, title", "id: Release, title"),
        ("id: release, title", "id: 4, title"),
        ("id: release, title", "title"),
        ("kind: quantity", "kind: quantty"),
        ("unit: m3, range", "unit: [m3], range"),
        ("{min: 0, max: 100}", "{min: 0, max: many}"),
        ("{min: 0, max: 100}", "{min: 100, max: 0}"),
        ("options: [alone, {id: joint, title: Both}]", "options: joint"),
        ("options: [alone, {id: joint, title: Both}]", "options: [Alone, joint]"),
        ("members: [north, south, east]", "members: [north, south, East]"),
        ("members: [north, south, east]", "members: [north, south, east, east]"),
        ("id: paid, title", "id: !t paid, title"),
        ("kind: flag, status_quo", "kind: , status_quo"),
        ("id: drought, title", "id: Drought, title"),
        ("id: neighbours, name", "id: Neighbours, name"),
        ("members: [north, south], note", "members: north, note"),
        ("id: minutes, title", "id: Minutes, title"),
        ("id: downstream, name", "id: Downstream, name"),
        ("{from: 2025-01-01, to: 2025-12-31}", "{from: 2025-01-01, to: 2025-12-32}"),
        ("circumstances:\n", "circumstances: none\nred_line:\n"),
    ] {
        let found = faults(&edited(from, to));
        let expected = if to.contains("red_line:") { 2 } else { 1 };
        assert_eq!(found.len(), expected, "{to}: {found:#?}");
    }
}

#[test]
fn at_most_a_thousand_faults_are_shown_and_all_are_counted() {
    let line = "  - {id: X, name: P, role: principal}\n";
    let text = edited("parties:\n", &format!("parties:\n{}", line.repeat(1_200)));
    let found = load("water.yaml", &text).unwrap_err();
    assert_eq!(found.list().len(), 1_000);
    assert!(found.to_string().ends_with("1201 faults in water.yaml, of which 201 are not shown"), "{found}");
}

#[test]
fn faults_are_rendered_with_their_source_lines() {
    let text = edited("party: downstream\n    title", "party: downsteam\n    title")
        .replace("id: up-guards", "id: down-forty")
        .replace(
            "    requires: release >= 40\n",
            "    requires: >-\n      release >= 40\n      && metering != \"jont\"\n",
        );
    let found = load("scenarios/water.yaml", &text).unwrap_err();
    let plain = found.to_string();
    assert!(!plain.contains('\u{1b}'), "the plain rendering contains no escape codes");
    assert!(found.render(true).contains('\u{1b}'));
    assert!(plain.ends_with("3 faults in scenarios/water.yaml"));
    insta::assert_snapshot!(plain, @r#"
    error: there is no party `downsteam`; did you mean `downstream`?
      --> scenarios/water.yaml:22:12
       |
    22 |     party: downsteam
       |            ^^^^^^^^^

    error: `metering` has no option `jont`; did you mean `joint`?
      --> scenarios/water.yaml:26:22
       |
    26 |       && metering != "jont"
       |                      ^

    error: the id `down-forty` is already used by another red line
      --> scenarios/water.yaml:37:9
       |
    37 |   - id: down-forty
       |         ^^^^^^^^^^
       |
      ::: scenarios/water.yaml:21:9
       |
    21 |   - id: down-forty
       |         ---------- first used here

    3 faults in scenarios/water.yaml
    "#);
}

#[test]
fn a_single_fault_is_counted_in_the_singular() {
    let found = load("water.yaml", "scenario: water\nscenario: water\n").unwrap_err();
    assert!(!found.to_string().contains("1 faults"));
    let found = load("water.yaml", "").unwrap_err();
    assert!(found.to_string().ends_with("1 fault in water.yaml"), "{found}");
}
