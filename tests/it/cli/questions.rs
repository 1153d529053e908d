//! The commands `history`, which shows how the answer about a proposal changed over time, and `compare`, and the option
//! `--suppose`, which states a hypothesis for one command.

use crate::support::binary;
use crate::support::binary::{Folder, prints, refuses, reservoir};
use serde_json::Value;
use std::fmt::Write;

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&prints(&[arguments, &["--output", "json"]].concat())).unwrap()
}

/// Fails if a line has more than 100 columns, or if the word "consent" occurs without "not" shortly before it: the
/// program may only say that something is not consent.
fn fits(text: &str) {
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 100, "{widest} columns:\n{text}");
    for (at, _) in text.match_indices("consent") {
        assert!(text[at.saturating_sub(24)..at].contains("not"), "{text}");
    }
}

/// The span of a history (consecutive days with the same answer) that begins on the day `from`: its first line, and the
/// lines that list its changes.
fn span<'a>(text: &'a str, from: &str) -> (&'a str, Vec<&'a str>) {
    let mut lines = text.lines().skip_while(|line| !line.starts_with(from));
    let head = lines.next().unwrap_or_else(|| panic!("no span from {from}:\n{text}"));
    (head, lines.take_while(|line| line.starts_with("  ")).collect())
}

#[test]
fn kyiv_no_longer_rejects_a_ceasefire_from_the_day_of_jeddah() {
    let history = json(&["history", "jeddah-ceasefire"]);
    let spans = history["spans"].as_array().unwrap();
    let begins = spans.iter().position(|span| span["from"] == serde_json::json!({"year": 2025, "month": 3, "day": 11}));
    let begins = begins.expect("something changes on 11 March 2025");
    let ukraine = |span: &Value| {
        let stances = span["evaluation"]["stances"].as_array().unwrap();
        stances.iter().find(|party| party["party"] == "ukraine").unwrap()["stance"].clone()
    };
    assert!(spans[..begins].iter().all(|span| ukraine(span) == "STANCE_REJECTS"));
    assert!(spans[begins..].iter().all(|span| ukraine(span) == "STANCE_NO_STATED_OBJECTION"));
    let change = |id: &str| {
        let changes = spans[begins]["changes"].as_array().unwrap();
        let name = format!("scenarios/ukraine-2025/redLines/{id}");
        let change = changes.iter().find(|change| change["redLine"] == name.as_str()).unwrap();
        [change["before"]["status"].clone(), change["after"]["status"].clone()]
    };
    assert_eq!(change("ua-no-regrouping-pause"), ["RED_LINE_STATUS_CROSSED", "RED_LINE_STATUS_NOT_HELD"]);
    assert_eq!(change("ua-reciprocity"), ["RED_LINE_STATUS_NOT_HELD", "RED_LINE_STATUS_CLEAR"]);

    let text = prints(&["history", "jeddah-ceasefire"]);
    let (line, changed) = span(&text, "2025-03-11");
    assert_eq!(line, "2025-03-11  2025-03-12  contested");
    for expected in [
        "  ukraine: rejects -> no stated objection",
        "  ua-no-regrouping-pause, ukraine: crossed (firm) -> not held",
        "  ua-reciprocity, ukraine: not held -> clear",
    ] {
        assert!(changed.contains(&expected), "{expected}: {changed:?}");
    }
}

#[test]
fn a_history_covers_the_requested_days() {
    let text = prints(&["history", "jeddah-ceasefire", "--from", "2025-03-11", "--to", "2025-03-13"]);
    assert!(text.starts_with("jeddah-ceasefire from 2025-03-11 to 2025-03-13\n"), "{text}");
    let (_, changed) = span(&text, "2025-03-11");
    assert!(changed.is_empty(), "the first span has no changes: {changed:?}");
    let (_, changed) = span(&text, "2025-03-13");
    assert_eq!(changed.len(), 3, "{changed:?}");
    assert!(prints(&["history"]).starts_with("the status quo from 2022-02-24 to 2025-03-14\n"));
    for (options, expected) in [
        (&["--from", "2025-03-14", "--to", "2025-03-01"][..], "2025-03-01 is before 2025-03-14"),
        (&["--to", "2031-01-01"], "outside the days that the scenario covers"),
        (&["--clear", "sanction"], "did you mean `sanctions`?"),
    ] {
        let (code, stderr) = refuses(&[&["history", "jeddah-ceasefire"], options].concat());
        assert_eq!(code, 1, "{options:?}");
        assert!(stderr.contains(expected), "{options:?}: {stderr}");
    }
    assert_eq!(refuses(&["history", "--from", "yesterday"]).0, 2);
}

#[test]
fn a_full_history_has_reasons_and_evidence() {
    let full = prints(&["history", "jeddah-ceasefire", "--full"]);
    fits(&full);
    let (_, changed) = span(&full, "2025-03-11");
    for expected in ["  ua-reciprocity, ukraine: not held -> clear", "    because ", "    - "] {
        assert!(changed.iter().any(|line| line.starts_with(expected)), "{expected}: {changed:?}");
    }
    let set = ["--set", "sanctions=lift", "--given", "guarantors_willing=false", "--full"];
    fits(&prints(&[&["history", "guarantors-2022"], &set[..]].concat()));
}

/// A scenario in which a red line is crossed for other reasons from 1 August 2025 on, and nothing else changes.
fn dated() -> String {
    let status_quo = "status_quo: upstream}";
    let dated = "status_quo: [{from: 2025-01-01, value: upstream}, {from: 2025-08-01, value: joint}]}";
    let line = r#"  - id: up-any
    party: upstream
    title: Meters
    rejects: release > 60 || metering == "joint"
    firmness: firm
    held: [{from: 2025-01-01}]
    evidence: [{source: minutes, kind: reported, speaker: A, statement: B.}]
proposals:
"#;
    reservoir()
        .replace(status_quo, dated)
        .replace("proposals:\n", line)
        .replace("as_of: 2025-06-30", "as_of: 2025-12-31")
}

#[test]
fn changes_of_reasons_alone_are_reported() {
    let folder = Folder::new("reasons");
    let file = folder.write("dated.yaml", &dated());
    let options = ["--scenario", &file, "--set", "release=70"];
    let text = prints(&[&["history"], &options[..]].concat());
    let (_, changed) = span(&text, "2025-08-01");
    assert!(changed.contains(&"  up-any, upstream: still crossed (firm), but for different reasons"), "{text}");
}

#[test]
fn a_comparison_has_a_column_for_each_proposal() {
    let text = prints(&["compare"]);
    fits(&text);
    let row = |start: &str| -> Vec<&str> {
        let line =
            text.lines().find(|line| line.trim_start().starts_with(start)).unwrap_or_else(|| panic!("{start}: {text}"));
        line.split_whitespace().skip(1).collect()
    };
    assert_eq!(row("ukraine "), ["-", "-", "?*", "REJ", "?*", "-", "-", "-", "-", "-", "-"]);
    assert_eq!(row("ru-no-nato-forces "), [".", ".", ".", ".", ".", "A", ".", ".", ".", ".", "."]);
    let two = prints(&["compare", "jeddah-ceasefire", "european-force"]);
    fits(&two);
    assert!(two.contains("\nPARTY                   jeddah-ceasefire           european-force\n"), "{two}");
    assert!(two.contains("\n  ru-no-nato-forces     clear                      crossed (absolute)\n"), "{two}");
    let same = prints(&["compare", "jeddah-ceasefire", "jeddah-ceasefire"]);
    assert!(same.contains("The findings are the same for all these proposals.\n"), "{same}");
    let past = prints(&["compare", "jeddah-ceasefire", "strong-army", "--as-of", "2024-06-30"]);
    assert!(past.starts_with("2 proposals on 2024-06-30\n"), "{past}");
    let (code, stderr) = refuses(&["compare", "jedda-ceasefire"]);
    assert!(code == 1 && stderr.contains("did you mean"), "{stderr}");
}

#[test]
fn a_comparison_that_is_too_wide_is_broken_into_blocks() {
    let folder = Folder::new("wide");
    let long = "a-red-line-with-an-id-that-is-as-long-as-ids-may-be-63-characters";
    let long = &long[..63];
    let mut scenario = reservoir().replace("down-forty", long);
    for number in 0..60 {
        writeln!(scenario, "  - {{id: draft-{number}, title: One, terms: {{release: {number}}}}}").unwrap();
    }
    let file = folder.write("wide.yaml", &scenario);
    let (code, text, stderr) = binary::run(&["compare", "--scenario", &file]);
    assert_eq!(
        (code, stderr.as_str()),
        (0, "comparing the first 50 of 61 proposals; name proposals to compare others\n")
    );
    fits(&text);
    let columns: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("RED LINE"))
        .flat_map(|line| line["RED LINE".len()..].split_whitespace())
        .collect();
    assert_eq!(columns, (1..=50).map(|number| number.to_string()).collect::<Vec<_>>());
    let rows = text.lines().filter(|line| line.trim_start().starts_with(long)).count();
    assert_eq!(rows, text.lines().filter(|line| line.starts_with("RED LINE")).count());
    // A proposal from a file is labelled with the name of the file, which the legend shortens if it is long.
    let name = format!("{}.yaml", "x".repeat(120));
    let own = folder.write(&name, "terms: {release: 5}\n");
    let text = prints(&["compare", "draft", &own, "--scenario", &file]);
    fits(&text);
    assert!(text.contains("xxx..."), "{text}");
}

#[test]
fn hypotheses_apply_in_order_and_are_marked() {
    let text = prints(&[
        "evaluate",
        "european-force",
        "--suppose",
        "drop ru-no-nato-forces",
        "--suppose",
        "ru-no-foreign-forces = negotiable",
        "--suppose",
        "ukraine tentative rejects force_mandate == \"coalition\"",
        "--suppose",
        "ukraine requires sanctions == \"keep\" || ceasefire_scope != \"all_fronts\"",
        "--suppose",
        "guarantors_willing=unknown",
    ]);
    fits(&text);
    let head: String = text.lines().skip(1).take_while(|line| !line.starts_with("scenarios/")).collect();
    let head: Vec<&str> = head.split_whitespace().collect();
    assert_eq!(
        head.join(" "),
        "Supposing (nobody has stated this): ru-no-nato-forces is not held; ru-no-foreign-forces is held as \
         negotiable; ukraine rejects force_mandate == \"coalition\" (tentative), as supposed-1; ukraine requires \
         sanctions == \"keep\" || ceasefire_scope != \"all_fronts\" (firm), as supposed-2; guarantors_willing is \
         unknown"
    );
    assert!(text.contains("\n  ru-no-foreign-forces, russia (negotiable) (hypothetical)\n"), "{text}");
    assert!(text.contains("\n  uk-needs-us-backing, united_kingdom (firm)\n"), "{text}");
    // A hypothesis applies to the result of the hypotheses before it.
    let again = ["--suppose", "ru-no-nato-forces=firm", "--suppose", "drop ru-no-nato-forces"];
    prints(&[&["evaluate", "european-force"], &again[..]].concat());
    let reversed = [again[0], again[3], again[2], again[1]];
    let (code, stderr) = refuses(&[&["evaluate", "european-force"], &reversed[..]].concat());
    assert!(code == 1 && stderr.contains("an earlier hypothesis drops"), "{stderr}");
}

#[test]
fn supposed_circumstances_override_given_ones() {
    let verdict = |options: &[&str]| {
        let json = json(&[&["evaluate", "guarantors-2022"], options].concat());
        json["evaluation"]["verdict"].as_str().unwrap().to_owned()
    };
    let given = ["--given", "guarantors_willing=true"];
    assert_eq!(verdict(&given), "VERDICT_CONTESTED");
    assert_eq!(verdict(&[&given[..], &["--suppose", "guarantors_willing=false"]].concat()), "VERDICT_UNDELIVERABLE");
    let unknown = [&given[..], &["--suppose", "guarantors_willing=unknown", "--full"]].concat();
    let text = prints(&[&["evaluate", "guarantors-2022"], &unknown[..]].concat());
    assert!(text.lines().any(|line| line.starts_with("guarantors_willing") && line.ends_with("--suppose")), "{text}");
}

#[test]
fn hypotheses_apply_to_histories_and_comparisons() {
    let drop = ["--suppose", "drop ua-no-regrouping-pause"];
    let text = prints(&[&["history", "jeddah-ceasefire"], &drop[..]].concat());
    assert!(text.starts_with(
        "jeddah-ceasefire from 2022-02-24 to 2025-03-14\n\
         Supposing (nobody has stated this): ua-no-regrouping-pause is not held\nscenarios/"
    ));
    let added = ["--suppose", "france rejects \"france\" in force_contributors"];
    let text = prints(&[&["compare"], &added[..]].concat());
    fits(&text);
    assert!(text.contains("\n  supposed-1 (hypothetical)"), "{text}");
}

#[test]
fn unreadable_hypotheses_are_reported_with_the_nearest_name() {
    for (hypothesis, expected) in [
        ("dorp ru-kursk", "expected `drop RED_LINE`"),
        ("", "expected `drop RED_LINE`"),
        ("ru-kursk=", "expected `drop RED_LINE`"),
        ("drop ru-kursc", "there is no red line or circumstance `ru-kursc`; did you mean `ru-kursk`?"),
        ("ru-kursc=firm", "did you mean `ru-kursk`?"),
        (
            "ru-kursk=frim",
            "`frim` is not a firmness; expected one of tentative, negotiable, firm, absolute; did you mean `firm`?",
        ),
        ("guarantors_wiling=true", "did you mean `guarantors_willing`?"),
        ("guarantors_willing=perhaps", "expected true or false"),
        ("sanctions=lift", "`sanctions` is an issue, which a proposal settles; use --set sanctions=ANSWER"),
        ("rusia rejects sanctions == \"lift\"", "there is no party `rusia`; did you mean `russia`?"),
        ("russia hard rejects sanctions == \"lift\"", "`hard` is not a firmness"),
    ] {
        for command in ["evaluate", "history", "compare"] {
            let (code, stderr) = refuses(&[command, "--suppose", hypothesis]);
            assert_eq!(code, 2, "{command} {hypothesis}: {stderr}");
            assert!(stderr.contains(expected), "{command} {hypothesis}: {stderr}");
        }
    }
    // Faults in conditions are found by the service, so the request is rejected with exit code 1.
    let (code, stderr) = refuses(&["evaluate", "--suppose", "russia rejects sanctoins == \"lift\""]);
    assert!(
        code == 1
            && stderr.starts_with("error: --suppose, in the condition: at character 1: ")
            && stderr.contains("did you mean `sanctions`?"),
        "{stderr}"
    );
}
