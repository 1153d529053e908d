//! The text of whole answers, compared with tests/golden and with the outputs in README.md and docs/command-line.md.

use crate::support::binary::{Folder, command, prints, refuses, reservoir, run};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

/// If this variable is set and not empty, the test writes the golden files instead of comparing them.
const UPDATE: &str = "UPDATE_GOLDEN";

/// The ids of the reference proposals, in the order of the scenario.
fn proposals() -> Vec<String> {
    let (_, list) = include_str!("../../../scenarios/ukraine-2025.yaml").split_once("\nproposals:\n").unwrap();
    list.lines().filter_map(|line| line.strip_prefix("  - id: ")).map(str::to_owned).collect()
}

/// An answer without its revision, because the revision changes with every word of the scenario file.
fn without_revision(text: &str) -> String {
    let (before, after) = text.split_once(", revision ").unwrap();
    let (revision, rest) = after.split_once('\n').unwrap();
    assert!(revision.len() == 12 && revision.chars().all(|c| c.is_ascii_hexdigit()), "{revision}");
    format!("{before}, revision ...\n{rest}")
}

/// The names of the files in tests/golden, each with the arguments of the command whose output the file holds.
fn golden_files() -> Vec<(String, Vec<String>)> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut files = vec![("compare.txt".to_owned(), words(&["compare"]))];
    let all_fronts = ["--goal", "ceasefire_scope == \"all_fronts\""];
    for floor in ["tentative", "negotiable"] {
        let arguments = [&["impasse", "--floor", floor][..], &all_fronts].concat();
        files.push((format!("impasse-{floor}.txt"), words(&arguments)));
    }
    files.push(("amend-european-force.txt".to_owned(), words(&["amend", "european-force", "--max", "20"])));
    files.push((
        "amend-moscow-june-2024.txt".to_owned(),
        words(&["amend", "moscow-june-2024", "--floor", "negotiable"]),
    ));
    let packages = [&["packages", "--max", "2", "--efficient"][..], &all_fronts].concat();
    files.push(("packages.txt".to_owned(), words(&packages)));
    let robustness = ["robustness", "guarantors-2022", "--sweep", "guarantors_willing"];
    let probabilities = ["--probability", "firm=0.8", "--probability", "absolute=1"];
    files.push(("robustness.txt".to_owned(), words(&[&robustness[..], &probabilities].concat())));
    let robustness = ["robustness", "--floor", "negotiable", "--probability", "negotiable=0.3"];
    let robustness = [&robustness[..], &probabilities, &all_fronts].concat();
    files.push(("robustness-best.txt".to_owned(), words(&robustness)));
    for proposal in proposals() {
        files.push((format!("{proposal}.txt"), words(&["evaluate", &proposal])));
        // Without options, a history covers all days of the scenario.
        files.push((format!("history-{proposal}.txt"), words(&["history", &proposal])));
    }
    files
}

#[test]
fn answers_match_their_golden_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let update = std::env::var_os(UPDATE).is_some_and(|set| !set.is_empty());
    assert_eq!(proposals().len(), 11);
    let mut differing = Vec::new();
    for (file, arguments) in &golden_files() {
        let path = folder.join(file);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let found = without_revision(&prints(&arguments));
        if update {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &found).unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        if golden != found {
            let same = golden.lines().zip(found.lines()).take_while(|(golden, found)| golden == found).count();
            let line = |text: &str| text.lines().nth(same).unwrap_or("(the end)").to_owned();
            let (golden, found) = (line(&golden), line(&found));
            differing.push(format!("{}:{}:\n  golden: {golden}\n  found:  {found}", path.display(), same + 1));
        }
    }
    let report = differing.join("\n");
    assert!(
        differing.is_empty(),
        "{report}\nTo accept the changes: {UPDATE}=1 cargo test --test it cli::answers, then read the diff"
    );
    let files = fs::read_dir(&folder).unwrap();
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut expected: Vec<_> = golden_files().into_iter().map(|(file, _)| file).collect();
    files.sort();
    expected.sort();
    assert_eq!(files, expected, "tests/golden has exactly one file per command");
}

/// Asserts that a page shows the text, where `...` on the page stands for any text.
fn assert_shows(shown: &str, text: &str) {
    let mut rest = text;
    for (at, part) in shown.split("...").enumerate() {
        let part = if at == 0 { part } else { part.trim_start_matches('\n') };
        let Some(found) = rest.find(part) else { panic!("the page shows\n{part}\nbut the program prints\n{rest}") };
        assert!(at > 0 || found == 0, "the page shows\n{part}\nbut the program prints\n{rest}");
        rest = &rest[found + part.len()..];
    }
    assert!(shown.trim_end().ends_with("...") || rest.is_empty(), "the page leaves out\n{rest}");
}

/// Splits a command on a page into words. Text in single quotes is one word.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('\'').enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

#[test]
fn pages_show_the_printed_output() {
    let pages = concat!(include_str!("../../../README.md"), include_str!("../../../docs/command-line.md"));
    let folder = Folder::new("readme");
    folder.write("reservoir.yaml", reservoir());
    let mut shown = 0;
    for (at, _) in pages.match_indices("```sh\ndetente ") {
        let (commands, after) = pages[at + 6..].split_once("```").unwrap();
        let Some(output) = after.strip_prefix("\n\n```text\n") else { continue };
        let printed: String = commands
            .lines()
            .map(|line| {
                let arguments = words(line);
                let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
                let output = command(&arguments).current_dir(&folder.0).output().unwrap();
                assert_eq!(output.status.code(), Some(0), "{line}");
                String::from_utf8(output.stdout).unwrap()
            })
            .collect();
        assert_shows(output.split_once("```").unwrap().0, &printed);
        shown += 1;
    }
    assert!(shown >= 6, "five examples of the bundled scenario, one of the reservoir");
}

#[test]
fn full_view_adds_to_the_basic_view() {
    for proposal in &proposals() {
        let (basic, full) = (prints(&["evaluate", proposal]), prints(&["evaluate", proposal, "--full"]));
        let mut rest = full.lines();
        for line in basic.lines() {
            assert!(rest.any(|other| other == line), "{proposal}: the full view lacks, or moves: {line}");
        }
        for heading in ["Clear", "INPUT "] {
            let holds = |text: &str| text.lines().any(|line| line.starts_with(heading));
            assert!(holds(&full) && !holds(&basic), "{proposal}: {heading}");
        }
    }
    let early = prints(&["evaluate", "european-force", "--as-of", "2023-01-01", "--full"]);
    assert!(early.contains("\nNot yet recorded on that day (which is not the same as clear)\n"), "{early}");
    let options = ["--set", "us_backs_force=true", "--given", "guarantors_willing=true", "--full"];
    let inputs = prints(&[&["evaluate", "european-force"], &options[..]].concat());
    for row in [
        ["ceasefire_scope", "all_fronts", "the proposal"],
        ["us_backs_force", "true", "--set"],
        ["guarantors_willing", "true", "--given"],
        ["sanctions", "keep", "the status quo"],
        ["root_causes", "unsettled", "silence"],
    ] {
        let is_row = |line: &str| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).eq(row);
        assert!(inputs.lines().any(is_row), "{row:?}: {inputs}");
    }
}

#[test]
fn contradictions_in_a_proposal_are_reported() {
    let text = prints(&["evaluate", "--set", "force_contributors=[france]"]);
    let (_, warnings) = text.split_once("\nContradictions in the proposal\n").unwrap();
    assert!(warnings.starts_with("  force-without-mandate (certain): "), "{warnings}");
    let open = prints(&["evaluate", "--set", "force_contributors=[france]", "--set", "force_mandate=unsettled"]);
    assert!(open.contains("\n  force-without-mandate (possible): "), "{open}");
}

#[test]
fn red_lines_are_filtered_and_ordered() {
    let ids = |options: &[&str]| -> Vec<String> {
        let all = [&["red-lines", "--output", "json"], options].concat();
        let json: Value = serde_json::from_str(&prints(&all)).unwrap();
        let names = json["redLines"].as_array().unwrap().iter().map(|line| line["name"].as_str().unwrap());
        let ids: Vec<String> = names.map(|name| name.rsplit('/').next().unwrap().to_owned()).collect();
        assert_eq!(json["totalSize"], ids.len());
        let text = prints(&[&["red-lines"], options].concat());
        let rows: Vec<&str> = text.lines().skip(1).take_while(|line| !line.is_empty()).collect();
        assert_eq!(rows.len(), ids.len());
        assert!(rows.iter().zip(&ids).all(|(row, id)| row.split_whitespace().next() == Some(id)), "{text}");
        ids
    };
    let old = ["gs-no-confrontation", "ua-no-regrouping-pause", "ua-withdrawal-first", "ru-army-reduced"];
    assert_eq!(ids(&["--held-on", "2023-01-01", "--order-by", "firmness desc, id"]), old);
    assert_eq!(ids(&["--issue", "sanctions"]), ["ru-sanctions-lifted", "ru-not-unconditional"]);
    assert_eq!(ids(&["--party", "united_states", "--firmness-at-least", "absolute"]), ["us-no-troops"]);
    assert_eq!(ids(&["--party", "russia", "--text", "LAVROV"]), ["ru-no-nato-forces"]);
    assert_eq!(ids(&["--issue", "guarantors_willing"]), ["gs-no-confrontation"]);
}

#[test]
fn faulty_case_files_exit_with_one_and_other_files_run() {
    let folder = Folder::new("cases");
    folder.write("reservoir.yaml", reservoir());
    let case = |scenario: &str, rest: &str| format!("scenario: {scenario}\ncases:\n  - name: one\n{rest}");
    let fine = "    proposal: draft\n    expect: {verdict: undetermined}\n";
    let good = folder.write("good_test.yaml", &case("reservoir.yaml", fine));
    assert!(prints(&["test", &good]).ends_with("good_test.yaml: 1 case, all hold\n"));
    assert!(prints(&["test", "-v", &good]).starts_with("holds  one\n"));
    folder.write("broken.yaml", &reservoir().replace("firmness: firm\n", "firmness: frim\n"));
    for (name, text, expected) in [
        ("elsewhere", case("elsewhere.yaml", fine), "elsewhere.yaml cannot be read"),
        ("broken", case("broken.yaml", fine), "did you mean `firm`?"),
        ("proposal", case("reservoir.yaml", &fine.replace("draft", "drafd")), "did you mean `draft`?"),
        ("word", case("reservoir.yaml", &fine.replace("undetermined", "undetermind")), "did you mean `undetermined`?"),
        ("key", case("reservoir.yaml", &fine.replace("verdict", "verdikt")), "did you mean `verdict`?"),
        ("nothing", case("reservoir.yaml", "    proposal: draft\n    expect: {}\n"), "expect"),
        ("yaml", "scenario: [".to_owned(), "invalid YAML"),
    ] {
        let file = folder.write(&format!("{name}_test.yaml"), &text);
        let (code, stdout, stderr) = run(&["test", &file, &good]);
        assert_eq!((code, stderr.as_str()), (1, ""), "{name}: {stdout}");
        assert!(stdout.contains(expected), "{name}: {expected}: {stdout}");
        assert_eq!(stdout.matches("error:").count(), 1, "{name}: {stdout}");
        assert!(stdout.ends_with("good_test.yaml: 1 case, all hold\n"), "{name}: {stdout}");
    }
}

#[test]
fn faults_are_reported_once_with_their_position() {
    let folder = Folder::new("once");
    let faulty = folder.write("faulty.yaml", &reservoir().replace("release >= 40", "relese >= 40"));
    let api = folder.write("api.json", r#"{"terms":[{"isue":"sanctions","choice":"lift"}]}"#);
    let yaml = folder.write("terms.yaml", "terms:\n  sanctoins: lift\n");
    for (arguments, expected) in [
        (&["evaluate", "draft", "--scenario", &faulty][..], "faulty.yaml:17:"),
        (&["red-lines", "--scenario", &faulty], "faulty.yaml:17:"),
        (&["evaluate", &api], "api.json is not a Proposal of the API: unrecognized field name 'isue'"),
        (&["evaluate", &yaml], "terms.yaml:2:"),
        (&["evaluate", "--set", "sanctoins=lift"], "--set:1:"),
    ] {
        let (code, stderr) = refuses(arguments);
        assert!(code > 0);
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
        assert_eq!(stderr.matches("error:").count(), 1, "{arguments:?}: {stderr}");
        assert!(stderr.matches("at line 1").count() <= 1, "repeated: {stderr}");
    }
}

#[test]
fn a_reader_may_close_the_pipe_after_a_line() {
    for arguments in [&["evaluate", "european-force", "--full"][..], &["red-lines", "--output", "json"], &["schema"]] {
        let mut child = command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        // Like `head -1`: reads one line, then closes the pipe.
        BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(!line.is_empty());
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{arguments:?}");
    }
}
