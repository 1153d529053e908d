//! Revisions, the hashes of the content of scenarios. Requests can name the revision that they want, so the same
//! content has the same revision in every version of the program.

use crate::contracts::generated::{Style, file, name};
use crate::contracts::golden::{assert_golden, folder_of};
use crate::contracts::wire::call;
use crate::support::binary::{Folder, prints, reservoir, run};
use crate::support::program::Program;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The number of generated files.
const GENERATED: u64 = 200;
/// A file with every kind of record, from which the edited files are made.
const BASE: &str = "fuzz/seeds/scenario/every-record.yaml";
/// The line of the base file that each test file replaces by one with a decimal.
const PARTY: &str = "role: principal, description: D}";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The revision of a file as an answer about it states it, or `refused` if the program rejects the file.
fn revision(file: &str) -> String {
    let (code, answer, _) = run(&["red-lines", "--output", "json", "--scenario", file]);
    match code {
        0 => serde_json::from_str::<Value>(&answer).unwrap()["revision"].as_str().unwrap().to_owned(),
        _ => "refused".to_owned(),
    }
}

/// For each file, the first digits of its revision, or `refused` if it is rejected. All are from one run of `detente
/// check`.
fn short_revisions(files: &[String]) -> Vec<String> {
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let (_, table, _) = run(&[&["check"], &names[..]].concat());
    let rows: BTreeMap<&str, &str> =
        table.lines().filter_map(|row| row.split_whitespace().next().zip(row.split_whitespace().last())).collect();
    assert!(files.iter().any(|file| rows.contains_key(file.as_str())), "{table}");
    files.iter().map(|file| (*rows.get(file.as_str()).unwrap_or(&"refused")).to_owned()).collect()
}

/// The path of every scenario file below a folder, relative to the root of the repository.
fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            if !name.ends_with("_test.yaml") {
                found.push(name);
            }
        }
    }
    found.sort();
    found
}

/// The names and revisions of the scenarios in a folder, from a server that serves all of them.
async fn served(folder: &Path, cache: &str) -> Vec<(String, String)> {
    let folder = folder.display().to_string();
    let program = Program::start(&["--cache", cache, "--scenarios", &folder]);
    let client = program.client().await;
    let list = call(&client, "ListScenarios", &[], &[json!({"pageSize": 1000})]).await.message();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut revisions = Vec::new();
    for scenario in list["scenarios"].as_array().unwrap() {
        // Each answer contains the revision, whether it comes from the cache or not.
        for _ in 0..2 {
            let request = json!({"scenario": scenario["name"], "proposal": {}});
            let answer = call(&client, "EvaluateProposal", &[], &[request]).await.message();
            assert_eq!(answer["evaluation"]["revision"], scenario["revision"]);
        }
        revisions.push((text(&scenario["name"]), text(&scenario["revision"])));
    }
    revisions
}

/// The names and revisions of the generated scenarios if their files are written in this style.
async fn generated(style: Style, cache: &str) -> Vec<(String, String)> {
    let folder = Folder::new(&format!("generated-{cache}"));
    for number in 1..=GENERATED {
        folder.write(&format!("{}.yaml", name(number)), &file(number, style));
    }
    served(&folder.0, cache).await
}

#[tokio::test]
async fn revisions_are_those_of_earlier_versions() {
    let mut text = String::new();
    let mut put = |name: &str, revision: &str| {
        let _ = writeln!(text, "{name}  {revision}");
    };
    let embedded: Value = serde_json::from_str(&prints(&["red-lines", "--output", "json"])).unwrap();
    put("(bundled)", embedded["revision"].as_str().unwrap());
    for folder in ["scenarios", "tests", "fuzz/seeds/scenario"] {
        for file in files_below(&root().join(folder)) {
            put(&file, &revision(&file));
        }
    }
    let folder = Folder::new("contracts-revisions");
    put("reservoir.yaml in README.md", &revision(&folder.write("reservoir.yaml", reservoir())));
    let base = fs::read_to_string(root().join(BASE)).unwrap();
    let edits = fs::read_to_string(folder_of("scenarios").join("edits.jsonl")).unwrap();
    let edited: Vec<String> = edits
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let [from, to]: [String; 2] = serde_json::from_str(line).unwrap();
            assert_eq!(base.matches(&from).count(), 1, "{from}");
            folder.write(&format!("edited-{at}.yaml"), &base.replacen(&from, &to, 1))
        })
        .collect();
    for (line, revision) in edits.lines().zip(short_revisions(&edited)) {
        put(&format!("every-record.yaml with {line}"), &revision);
    }
    let plain = generated(Style::Plain, "32MiB").await;
    assert_eq!(plain.len(), usize::try_from(GENERATED).unwrap());
    for (name, revision) in &plain {
        put(name, revision);
    }
    assert_golden("revisions.txt", &text);
    let ornate = generated(Style::Ornate, "0").await;
    for (plain, ornate) in plain.iter().zip(&ornate) {
        assert_eq!(plain, ornate, "the same content in another style");
    }
}

#[test]
fn decimals_are_read_as_in_earlier_versions() {
    let folder = Folder::new("contracts-decimals");
    let base = fs::read_to_string(root().join(BASE)).unwrap();
    let decimals = [
        "0.5",
        "0.50",
        "0.500",
        "00.5",
        ".5",
        "+0.5",
        "+.5",
        "5e-1",
        "5.0e-1",
        "0.5e0",
        "5E-1",
        "0.5f",
        "0,5",
        "1/2",
        "0x0.8",
        "'0.5'",
        "\"0.5\"",
        "5.",
        "5",
        "5.0",
        "05",
        "+5",
        "5e0",
        "5_0",
        "0",
        "0.0",
        "-0",
        "-0.0",
        "+0",
        "-",
        ".",
        "+",
        "1.",
        "1.0",
        "1.01",
        "-0.5",
        "-.5",
        "0.1",
        "0.10",
        "0.3",
        "0.30000000000000004",
        "0.300000000000000044",
        "123456789012345678",
        "1e3",
        "1e400",
        ".inf",
        "-.inf",
        ".nan",
        "inf",
        "nan",
        "~",
        "null",
        "",
        "true",
        "0b1",
        "0o7",
        "1:30",
        "1 ",
        "1..2",
        "1.2.3",
        "--1",
        "१",
    ];
    let mut files = Vec::new();
    for (at, decimal) in decimals.iter().enumerate() {
        let party = format!("role: principal, description: D, reservation_value: {decimal}}}");
        let firmness = "    firmness: firm\n";
        let probability = format!("{firmness}    binding_probability: {decimal}\n");
        for (place, from, to) in [
            ("number", PARTY, &*party),
            ("probability", firmness, &probability),
            ("utility", "{true: 1.5, false: 0}", &format!("{{true: {decimal}, false: 0}}")),
        ] {
            assert_eq!(base.matches(from).count(), 1, "{from}");
            files.push(folder.write(&format!("{place}-{at}.yaml"), &base.replacen(from, to, 1)));
        }
    }
    let mut text = String::new();
    for (decimal, found) in decimals.iter().zip(short_revisions(&files).chunks(3)) {
        let _ = writeln!(
            text,
            "`{decimal}` as a number {}, as a probability {}, as a utility {}",
            found[0], found[1], found[2]
        );
    }
    assert_golden("decimals.txt", &text);
}
