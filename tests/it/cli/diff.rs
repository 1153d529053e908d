//! `detente diff`, run as a process: its text, compared with a golden file (the expected output) in tests/diff, its
//! JSON, its exit codes and its errors.

use crate::support::binary::{Folder, prints, refuses, reservoir, run};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// If this variable is set and not empty, the test writes the golden file instead of comparing it.
const UPDATE: &str = "UPDATE_GOLDEN";
const BUNDLED: &str = "scenarios/ukraine-2025.yaml";

fn replaced(text: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

/// The bundled scenario with invented changes of many kinds.
fn other_version() -> String {
    let text = include_str!("../../../scenarios/ukraine-2025.yaml");
    let (before, after) = text.split_once("  - id: ru-kursk\n").unwrap();
    let (_, after) = after.split_once("\n  - id: ").unwrap();
    let without_kursk = format!("{before}  - id: {after}");
    let australia = "  - id: australia\n    name: Australia\n    role: third_party\n";
    let moved =
        replaced(&without_kursk, &[(australia, ""), ("  - id: denmark\n", &format!("{australia}  - id: denmark\n"))]);
    replaced(
        &moved,
        &[
            ("the course of the fighting, humanitarian\n", "the course of the fighting and humanitarian\n"),
            ("    published: 2025-03-11\n", "    published: 2025-03-12\n"),
            ("name: United Kingdom\n    role: third_party", "name: United Kingdom\n    role: principal"),
            ("[united_kingdom, france, denmark, united_states, other_european]", "[united_kingdom, france, denmark]"),
            ("range: {min: 1, max: 3650}", "range: {min: 1, max: 365}"),
            ("nato_path == \"open\"'\n    firmness: negotiable", "nato_path != \"renounced\"'\n    firmness: firm"),
            (
                "rejects: size(ukrainian_withdrawal) >= 1",
                "rejects: ukrainian_withdrawal.exists(region, region != \"kherson\")",
            ),
            (
                "constraints:\n",
                "  - id: au-invented\n    party: australia\n    title: No mission without a ceasefire (invented)\n    \
                 rejects: 'monitoring_mission != \"none\" && ceasefire_scope == \"none\"'\n    firmness: tentative\n    \
                 held: [{first_recorded: 2025-03-14}]\n    evidence:\n      - source: bbc-news-russian\n        \
                 kind: reported\n        speaker: Nobody\n        statement: Invented for a test.\nconstraints:\n",
            ),
        ],
    )
}

fn without_revisions(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(", revision ") {
        Some((before, revision)) => {
            assert!(revision.len() == 12 && revision.chars().all(|c| c.is_ascii_hexdigit()), "{revision}");
            format!("{before}, revision ...\n")
        }
        None => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn many_changes_match_the_golden_file() {
    let folder = Folder::new("diff-golden");
    let found = without_revisions(&prints(&["diff", BUNDLED, &folder.write("other.yaml", &other_version())]));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diff/ukraine-2025.txt");
    if std::env::var_os(UPDATE).is_some_and(|set| !set.is_empty()) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &found).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == found,
        "golden:\n{golden}\nfound:\n{found}\nTo accept the changes: {UPDATE}=1 cargo test --test it cli::diff"
    );
    let widest = found.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 100, "{widest} columns");
}

#[test]
fn the_command_line_page_shows_the_printed_output() {
    let folder = Folder::new("diff-readme");
    let (before, after) = (
        folder.write("reservoir.yaml", reservoir()),
        folder.write("other.yaml", &replaced(reservoir(), &[("release >= 40", "release >= 20")])),
    );
    let (_, shown) =
        include_str!("../../../docs/command-line.md").split_once("\ndetente diff reservoir.yaml <(sed ").unwrap();
    let (_, shown) = shown.split_once("```text\n").unwrap();
    assert_eq!(without_revisions(&prints(&["diff", &before, &after])), shown.split_once("```").unwrap().0);
}

#[test]
fn equal_versions_are_reported_with_their_revision() {
    let folder = Folder::new("diff-none");
    let formatted = folder
        .write("formatted.yaml", &format!("# A remark.\n\n{}", include_str!("../../../scenarios/ukraine-2025.yaml")));
    for arguments in [&["diff", BUNDLED, &formatted][..], &["diff", "--exit-code", BUNDLED, BUNDLED]] {
        let text = prints(arguments);
        assert!(text.starts_with("No difference: both are scenarios/ukraine-2025, revision "), "{text}");
        assert_eq!(text.lines().count(), 1);
    }
    let json: Value = serde_json::from_str(&prints(&["diff", "--output", "json", BUNDLED, BUNDLED])).unwrap();
    assert_eq!((&json["changes"], &json["verdicts"]), (&json!([]), &json!({"unchanged": 11, "proposals": []})));
    assert_eq!(json["before"], json["after"]);
}

#[test]
fn json_holds_the_same_changes_as_the_text() {
    let folder = Folder::new("diff-json");
    let before = folder.write("before.yaml", reservoir());
    let after = folder.write(
        "after.yaml",
        &replaced(
            reservoir(),
            &[
                ("requires: release >= 40", "rejects: release < 20"),
                ("held: [{from: 2025-06-02}]", "held: [{first_recorded: 2025-06-02}]"),
                ("{id: draft, title: First draft,", "{id: second, title: Second draft,"),
            ],
        ),
    );
    let json: Value = serde_json::from_str(&prints(&["diff", "--output", "json", &before, &after])).unwrap();
    assert_eq!(json["after"]["asOf"], "2025-06-30");
    let down_forty = json!([{"list": "red_lines", "id": "down-forty"}]);
    let part = |id: &str| json!([{"list": "proposals", "id": id}]);
    let draft = |id: &str, title: &str| {
        let terms = json!([{"id": "release", "answer": "30 to 70"}]);
        json!({"id": id, "title": title, "terms": terms})
    };
    let expected = json!([
        {
            "section": "red_lines", "path": down_forty, "field": "condition", "change": "condition",
            "before": {"requires": "release >= 40"}, "after": {"rejects": "release < 20"}, "meaning": "fewer",
        },
        {
            "section": "red_lines", "path": down_forty, "field": "held", "change": "entries",
            "removed": ["from 2025-06-02 (stated)"], "added": ["from 2025-06-02 (first recorded)"],
        },
        {
            "section": "proposals", "path": part("second"), "field": null, "change": "added",
            "part": draft("second", "Second draft"),
        },
        {
            "section": "proposals", "path": part("draft"), "field": null, "change": "removed",
            "part": draft("draft", "First draft"),
        },
    ]);
    assert_eq!(json["changes"], expected);
    let only = |id: &str, before: Value, after: Value| json!({"proposal": id, "before": before, "after": after, "stances": [], "redLines": []});
    let verdict = |worst: &str| json!({"verdict": "undetermined", "couldBecome": worst});
    assert_eq!(
        json["verdicts"],
        json!({"unchanged": 0, "proposals": [
            only("second", Value::Null, verdict("contested")),
            only("draft", verdict("blocked"), Value::Null),
        ]})
    );
}

#[test]
fn changed_stances_and_red_lines_are_shown_for_an_unchanged_verdict() {
    let folder = Folder::new("diff-stances");
    let before = folder.write("before.yaml", reservoir());
    let edit = ("firmness: negotiable", "firmness: firm");
    let after = folder.write("after.yaml", &replaced(reservoir(), &[edit]));
    let text = prints(&["diff", &before, &after]);
    assert!(!text.contains("VERDICT BEFORE"), "{text}");
    for row in [
        "upstream           undecided (could become resists)  undecided (could become rejects)  draft",
        "up-sixty           undetermined (negotiable)         undetermined (firm)               draft",
    ] {
        assert!(text.contains(row), "{text}");
    }
    let ended = |as_of: &str| {
        let text = replaced(reservoir(), &[("as_of: 2025-06-30", &format!("as_of: {as_of}"))]);
        prints(&["diff", &before, &folder.write("day.yaml", &text)])
    };
    let early = ended("2025-05-01");
    assert!(early.contains("\nReference proposals (before: on 2025-06-30, after: on 2025-05-01)\n"), "{early}");
    // On that day, the red line is not recorded yet, which is not the same as being clear.
    assert!(early.contains("not held or not recorded  draft"), "{early}");
    assert!(early.ends_with("Where nobody has stated an objection, that is not consent.\n"), "{early}");
}

#[test]
fn differences_change_the_exit_code_only_with_its_flag() {
    let folder = Folder::new("diff-codes");
    let before = folder.write("before.yaml", reservoir());
    let after = folder.write("after.yaml", &replaced(reservoir(), &[("First draft", "A draft")]));
    for (arguments, expected) in [
        (&["diff", &before, &after][..], 0),
        (&["diff", &before, &before, "--exit-code"], 0),
        (&["diff", &before, &after, "--exit-code"], 1),
        (&["diff", &before, &after, "--exit-code", "--output", "json"], 1),
    ] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stderr.as_str()), (expected, ""), "{arguments:?}: {stdout}");
        assert!(!stdout.is_empty());
    }
    let first = folder.write("first.yaml", &reservoir().replace("firmness: firm\n", "firmness: frim\n"));
    let second = folder.write("second.yaml", &reservoir().replace("release >= 40", "relese >= 40"));
    for (arguments, expected) in [
        (&["diff", &first, &before][..], &["first.yaml:18:", "did you mean `firm`?"][..]),
        (&["diff", &before, &second, "--output", "json"], &["second.yaml:17:"]),
        (&["diff", &first, &second], &["first.yaml:18:", "second.yaml:17:"]),
        (&["diff", &second, "nowhere.yaml"], &["second.yaml:17:", "nowhere.yaml cannot be read"]),
    ] {
        let (code, stderr) = refuses(arguments);
        assert_eq!(code, 1);
        assert!(expected.iter().all(|expected| stderr.contains(expected)), "{arguments:?}: {stderr}");
    }
}
