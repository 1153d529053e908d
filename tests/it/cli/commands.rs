//! Exit codes, outputs and error messages of the program, run as a process.

use crate::support::binary::{Folder, command, prints, refuses, reservoir, run};
use std::path::Path;
use std::process::Stdio;

/// The ids of the reference proposals of the bundled scenario.
const PROPOSALS: [&str; 11] = [
    "jeddah-ceasefire",
    "air-and-sea-truce",
    "christmas-truce",
    "moscow-june-2024",
    "withdrawal-first",
    "european-force",
    "chinese-un-force",
    "osce-style-mission",
    "sinai-1975-guarantee",
    "guarantors-2022",
    "strong-army",
];

#[test]
fn the_bundled_scenario_is_valid_and_its_cases_hold() {
    let checked = prints(&["check", "scenarios/ukraine-2025.yaml"]);
    let row: Vec<&str> = checked.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..6], ["scenarios/ukraine-2025.yaml", "ukraine-2025", "10", "24", "24", "11"]);
    let cases = include_str!("../../../scenarios/ukraine-2025_test.yaml").matches("\n  - name: ").count();
    assert!(cases >= 100);
    let tested = prints(&["test", "scenarios/ukraine-2025_test.yaml"]);
    assert_eq!(tested, format!("scenarios/ukraine-2025_test.yaml: {cases} cases, all hold\n"));
}

#[test]
fn every_wrong_expectation_is_reported() {
    let folder = Folder::new("expectations");
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/ukraine-2025.yaml");
    for (expectation, expected) in [
        ("verdict: blocked", "verdict: expected blocked, found contested"),
        ("could_become: blocked", "could become: expected blocked, found contested"),
        ("stances: {russia: rejects}", "russia's stance: expected rejects, found resists"),
        ("stances: {russia: {could_become: rejects}}", "russia's stance could become: expected rejects, found resists"),
        ("crossed: [ru-no-us-aid]", "crossed: missing [], not expected [ru-army-reduced, "),
        ("undetermined: [ua-reciprocity]", "undetermined: missing [ua-reciprocity], not expected [ru-kursk, "),
        ("findings: {ru-no-foreign-forces: clear}", "ru-no-foreign-forces: expected clear, found crossed"),
        ("findings: {ru-no-foreign-forces: {firmness: firm}}", "firmness: expected firm, found negotiable"),
        (
            "findings: {ru-no-foreign-forces: {firmness_at_worst: absolute}}",
            "at worst: expected absolute, found negotiable",
        ),
        (
            "findings: {ru-no-foreign-forces: {reasons: [[force_mandate]]}}",
            "reasons: expected force_mandate, found force_contributors.china",
        ),
        (
            "findings: {ru-kursk: {hangs_on: [sanctions]}}",
            "hangs on: missing [sanctions], not expected [kursk_allegations]",
        ),
        (
            "findings: {ru-no-foreign-forces: {waivers: {}}}",
            "waivers: expected {}, found {un-force-from-china: certain}",
        ),
        ("findings: {ru-no-foreign-forces: {rows: [E99]}}", "evidence lacks the rows E99"),
        (
            "findings: {ua-withdrawal-first: {firmness: firm}}",
            "ua-withdrawal-first: expected a finding, found not_held",
        ),
        ("findings: {ru-kursk: not_held}", "ru-kursk: expected not_held, found undetermined"),
        ("warnings: {force-without-mandate: certain}", "warnings: expected {force-without-mandate: certain}, found {}"),
        ("cautions: {}", "cautions: expected {}, found {"),
    ] {
        let text = format!(
            "scenario: {}\ncases:\n  - name: wrong\n    proposal: chinese-un-force\n    expect: {{{expectation}}}\n",
            scenario.display()
        );
        let file = folder.write("wrong_test.yaml", &text);
        let (code, stdout, _) = run(&["test", &file]);
        assert_eq!(code, 1, "{expectation}");
        assert!(stdout.contains(expected), "{expectation}: {stdout}");
        assert!(stdout.ends_with("1 case, 1 failed\n"), "{stdout}");
    }
}

#[test]
fn faults_of_all_files_are_reported_and_exit_with_one() {
    let folder = Folder::new("faults");
    let good = include_str!("../../../scenarios/ukraine-2025.yaml");
    let first = folder.write("first.yaml", &good.replacen("firmness: negotiable", "firmness: negotible", 1));
    let second = folder.write("second.yaml", &good.replacen("party: russia", "party: rusia", 1));
    let (code, stdout, _) = run(&["check", &first, "scenarios/ukraine-2025.yaml", &second, "nowhere.yaml"]);
    assert_eq!(code, 1);
    for expected in [
        "did you mean `negotiable`?",
        "there is no party `rusia`; did you mean `russia`?",
        "nowhere.yaml cannot be read",
        "1 fault in ",
        "ukraine-2025  10",
    ] {
        assert!(stdout.contains(expected), "{expected}: {stdout}");
    }
}

#[test]
fn wrong_usage_exits_with_two_and_rejected_requests_with_one() {
    for usage in [
        &["check"][..],
        &["test"],
        &["chekc"],
        &["--nonsense"],
        &["serve", "--nonsense"],
        &["check", "--nonsense", "scenarios/ukraine-2025.yaml"],
        &["test", "--nonsense", "scenarios/ukraine-2025_test.yaml"],
        &["evaluate", "--nonsense"],
        &["red-lines", "--nonsense"],
        &["diff", "--nonsense"],
        &["diff", "scenarios/ukraine-2025.yaml"],
        &["schema", "--nonsense"],
        &["evaluate", "--as-of", "14.3.2025"],
        &["evaluate", "--as-of", "2025-02-30"],
        &["evaluate", "--set", "sanctions"],
        &["evaluate", "--set", "sanctions=lfit"],
        &["evaluate", "--given", "guarantors_wiling=true"],
        &["red-lines", "--firmness-at-least", "hard"],
        &["completions", "tcsh"],
        &["serve", "--drain-timeout", "soon"],
        &["evaluate", "--scenario", "a.yaml", "--server", "http://127.0.0.1:1"],
    ] {
        let (code, stderr) = refuses(usage);
        assert_eq!(code, 2, "{usage:?}: {stderr}");
        assert!(!stderr.is_empty());
    }
    for (refused, expected) in [
        (&["evaluate", "jedda-ceasefire"][..], "did you mean `scenarios/ukraine-2025/proposals/jeddah-ceasefire`?"),
        (&["evaluate", "nowhere.yaml"], "nowhere.yaml cannot be read"),
        (&["evaluate", "jeddah-ceasefire", "--as-of", "2025-03-15"], "outside the days that the scenario covers"),
        (&["evaluate", "jeddah-ceasefire", "--clear", "sanction"], "did you mean `sanctions`?"),
        (&["evaluate", "--scenario", "nowhere.yaml"], "nowhere.yaml cannot be read"),
        (&["evaluate", "--server", "http://127.0.0.1:1"], "no server answers at http://127.0.0.1:1"),
        (&["evaluate", "--server", "here"], "`here` is not a server's URL"),
        (&["red-lines", "ru-no-nato-force"], "did you mean `scenarios/ukraine-2025/redLines/ru-no-nato-forces`?"),
        (&["red-lines", "--party", "rusia"], "did you mean `russia`?"),
    ] {
        let (code, stderr) = refuses(refused);
        assert_eq!(code, 1, "{refused:?}");
        assert!(stderr.contains(expected) && !stderr.contains("error: error"), "{refused:?}: {stderr}");
    }
    let (_, stderr) = refuses(&["evaluate", "--set", "sanctions=lfit"]);
    assert!(stderr.contains("`sanctions` has no option `lfit`; did you mean `lift`?"), "{stderr}");
}

#[test]
fn answers_fit_a_hundred_columns_and_claim_no_consent() {
    for proposal in PROPOSALS {
        for full in [false, true] {
            let arguments = ["evaluate", proposal, "--full"];
            let text = prints(if full { &arguments } else { &arguments[..2] });
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= 100, "{proposal}: {widest} columns");
            for (at, _) in text.match_indices("consent") {
                let around = &text[at.saturating_sub(24)..at];
                assert!(around.contains("not"), "{proposal}: ...{around}consent");
            }
        }
    }
}

#[test]
fn json_is_the_response_of_the_api() {
    let json: serde_json::Value =
        serde_json::from_str(&prints(&["evaluate", "european-force", "--output", "json"])).unwrap();
    assert_eq!(json["evaluation"]["verdict"], "VERDICT_BLOCKED");
    let lines: serde_json::Value = serde_json::from_str(&prints(&["red-lines", "--output", "json"])).unwrap();
    assert_eq!(lines["redLines"].as_array().unwrap().len(), 24);
    let schema: serde_json::Value = serde_json::from_str(&prints(&["schema"])).unwrap();
    assert!(schema["$defs"].is_object());
}

#[test]
fn a_proposal_is_an_id_a_file_or_options() {
    let folder = Folder::new("proposals");
    let verdict = |arguments: &[&str]| {
        let all: Vec<&str> = ["evaluate"].iter().chain(arguments).chain(&["--output", "json"]).copied().collect();
        let json: serde_json::Value = serde_json::from_str(&prints(&all)).unwrap();
        json["evaluation"]["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!(verdict(&[]), "VERDICT_UNOPPOSED");
    let full_name = "scenarios/ukraine-2025/proposals/european-force";
    assert_eq!(verdict(&[full_name]), "VERDICT_BLOCKED");
    let yaml = folder.write("force.yaml", "terms:\n  force_contributors: [france]\n  force_mandate: un\n");
    assert_eq!(verdict(&[&yaml]), "VERDICT_BLOCKED");
    let json = folder.write("force.json", r#"{"terms": {"force_contributors": ["france"]}}"#);
    assert_eq!(verdict(&[&json]), "VERDICT_BLOCKED");
    let api = folder.write("api.json", r#"{"terms":[{"issue":"force_contributors","members":{"values":["france"]}}]}"#);
    assert_eq!(verdict(&[&api]), "VERDICT_BLOCKED");
    assert_eq!(verdict(&[&yaml, "--clear", "force_contributors"]), "VERDICT_UNOPPOSED");
    assert_eq!(verdict(&[&yaml, "--set", "force_contributors=[]"]), "VERDICT_UNOPPOSED");
    assert_eq!(verdict(&["--set", "force_contributors={includes: [china]}"]), "VERDICT_BLOCKED");
    assert_eq!(verdict(&["guarantors-2022", "--given", "guarantors_willing=false"]), "VERDICT_UNDELIVERABLE");
    assert_eq!(verdict(&["guarantors-2022", "--given", "guarantors_willing=true"]), "VERDICT_CONTESTED");
    assert_eq!(verdict(&["jeddah-ceasefire", "--as-of", "2024-06-30"]), "VERDICT_BLOCKED");
    let (code, stderr) = refuses(&["evaluate", &folder.write("odd.yaml", "terms: {sanctoins: lift, nato_path: opne}")]);
    assert_eq!(code, 1);
    assert!(stderr.contains("did you mean `sanctions`?") && stderr.contains("did you mean `open`?"), "{stderr}");
}

#[test]
fn red_lines_are_listed_filtered_and_shown() {
    assert_eq!(prints(&["red-lines"]).lines().filter(|line| line.contains("from ")).count(), 24);
    let firm = prints(&["red-lines", "--party", "russia", "--firmness-at-least", "firm"]);
    assert!(firm.contains("ru-no-nato-forces") && firm.contains("ru-no-foreign-forces") && !firm.contains("ru-kursk"));
    let whole = prints(&["red-lines", "ru-no-foreign-forces"]);
    for expected in ["firm", "waiver un-force-from-china", "P51", "E19", "rejects:", "recorded from 2025-03-14"] {
        assert!(whole.contains(expected), "{expected}: {whole}");
    }
    assert_eq!(prints(&["red-lines", "--text", "no such text"]), "No red line matches the filter.\n");
}

#[test]
fn help_version_and_completions_are_printed() {
    assert_eq!(prints(&["--version"]), format!("detente {}\n", env!("CARGO_PKG_VERSION")));
    for command in [
        "serve",
        "check",
        "diff",
        "test",
        "evaluate",
        "history",
        "compare",
        "sweep",
        "red-lines",
        "schema",
        "completions",
    ] {
        assert!(prints(&["--help"]).contains(command));
        assert!(prints(&[command, "--help"]).contains("Usage:"));
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(prints(&["completions", shell]).contains("red-lines"));
    }
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let mut child = command(&["schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn the_readmes_scenario_works_when_pasted() {
    let folder = Folder::new("reservoir");
    let file = folder.write("reservoir.yaml", reservoir());
    assert!(reservoir().lines().count() <= 30, "README promises a short one");
    assert!(prints(&["check", &file]).contains("reservoir"));
    assert!(prints(&["evaluate", "draft", "--scenario", &file]).starts_with("UNDETERMINED (could become blocked)"));
}
