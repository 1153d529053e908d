//! Holds the house to ARCHITECTURE.md: who may use whom, what the core may not know, and how large a room may be.

use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up: each may use those before it.
const FLOORS: [&str; 9] = ["condition", "scenario", "import", "engine", "analysis", "access", "serving", "grpc", "cli"];
/// What stands beside the floors, and the lowest floor that may use it.
const BESIDE: [&str; 2] = ["telemetry", "shutdown"];
const LOWEST_BESIDE: &str = "grpc";
/// Crates, with those that carry their names on (`tonic_types`), and folders of std: only these modules may name them.
const RESERVED: [(&str, &[&str]); 4] = [
    ("tonic", &["grpc"]),
    ("prost", &["grpc"]),
    ("tokio", &["grpc", "cli", "serving", "shutdown"]),
    ("std::fs", &["cli", "serving"]),
];
/// What a pure core does not ask for.
const NOT_IN_THE_CORE: [&str; 4] = ["Instant", "SystemTime", "std::net", "std::env"];
const CORE: [&str; 5] = ["condition", "scenario", "import", "engine", "analysis"];
const MOST_LINES: usize = 600;

fn rust_files(folder: &str) -> Vec<PathBuf> {
    fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    files.sort();
    assert!(!files.is_empty(), "nothing in {folder}");
    files
}

/// The modules around what is in a file under `src`, from the top: `engine`, `ladder` for `src/engine/ladder.rs`.
fn modules(path: &Path) -> Vec<String> {
    let within = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap().with_extension("");
    let parts = within.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
    parts.filter(|part| !["lib", "mod", "main"].contains(&part.as_str())).collect()
}

/// Every path that a text names, with its line: trees of imports are spread out, comments are left out.
fn paths(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let (mut around, mut path, mut joined) = (vec![String::new()], String::new(), false);
    for (at, line) in text.lines().chain([";"]).enumerate() {
        let mut rest = line.split("//").next().unwrap_or_default();
        while let Some(first) = rest.chars().next() {
            let is_word = |c: char| c.is_alphanumeric() || c == '_' || (joined && c == '*');
            let length = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else {
                if rest.starts_with("::") { 2 } else { first.len_utf8() }
            };
            let (token, after) = rest.split_at(length);
            rest = after;
            if first.is_whitespace() {
                continue;
            }
            let goes_on = token == "::" || joined && (is_word(first) || token == "{");
            if !goes_on && !path.is_empty() {
                found.push((at + 1, std::mem::take(&mut path).trim_end_matches("::").to_owned()));
            }
            match token {
                "use" => {}
                "::" if path.is_empty() => {}
                "::" => path += token,
                "{" => around.push(std::mem::take(&mut path)),
                "}" => drop(around.pop()),
                _ if is_word(first) && joined => path += token,
                _ if is_word(first) => path = format!("{}{token}", around.last().map_or("", String::as_str)),
                _ => path.clear(),
            }
            joined = token == "::";
        }
    }
    found
}

/// A path from the crate's root, where `super` leads to.
fn absolute(modules: &[String], path: &str) -> String {
    let ups = path.split("::").take_while(|part| *part == "super").count();
    if ups == 0 {
        return path.to_owned();
    }
    let kept = modules.iter().take(modules.len().saturating_sub(ups)).map(String::as_str);
    ["crate"].into_iter().chain(kept).chain(path.split("::").skip(ups)).collect::<Vec<_>>().join("::")
}

/// What a path that is named within a module breaks.
fn broken(modules: &[String], path: &str) -> Option<String> {
    let module = modules.first().map_or("", String::as_str);
    let path = absolute(modules, path);
    let opens_with =
        |word: &str| path.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', ':']));
    for (word, owners) in RESERVED {
        if opens_with(word) && !owners.contains(&module) {
            return Some(format!("names {word}"));
        }
    }
    let holds = |word: &str| opens_with(word) || path.split("::").any(|part| part == word);
    if let Some(word) = NOT_IN_THE_CORE.into_iter().find(|word| CORE.contains(&module) && holds(word)) {
        return Some(format!("names {word}"));
    }
    let height = |floor: &str| FLOORS.iter().position(|known| *known == floor);
    let lowest = if BESIDE.contains(&module) { Some(0) } else { height(module) }?;
    let used = path.strip_prefix("crate::")?.split("::").next()?;
    if used == "*" {
        return Some("uses everything there is".to_owned());
    }
    if BESIDE.contains(&used) && !BESIDE.contains(&module) && Some(lowest) < height(LOWEST_BESIDE) {
        return Some(format!("uses {used}, which floors below {LOWEST_BESIDE} may not"));
    }
    (height(used)? > lowest).then(|| format!("uses {used}, a floor above"))
}

fn faults(modules: &[String], text: &str) -> Vec<String> {
    let named = paths(text).into_iter();
    named.filter_map(|(line, path)| Some(format!("{line}: {path} {}", broken(modules, &path)?))).collect()
}

#[test]
fn each_floor_uses_those_below() {
    let mut found = Vec::new();
    for path in rust_files("src") {
        // A module's tests may look further than the module.
        if path.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        found.extend(faults(&modules(&path), &text).iter().map(|fault| format!("{}:{fault}", path.display())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_rules_catch_what_they_are_for() {
    let within = |modules: &str| modules.split('/').map(str::to_owned).collect::<Vec<_>>();
    for (modules, text) in [
        ("engine/reasons", "use tonic::Status;"),
        ("engine/reasons", "fn f(status: &tonic_types::ErrorInfo) {}"),
        ("scenario", "let text = std::fs::read_to_string(path);"),
        ("scenario/cases", "use std::{fmt, fs};"),
        ("scenario/cases", "use std::{\n    fmt::Write,\n    fs::{self, File},\n};"),
        ("condition", "let now = Instant::now();"),
        ("condition", "use std::time::{Duration, SystemTime};"),
        ("engine", "use crate::serving::Store;"),
        ("engine/reasons", "use super::super::serving::Store;"),
        ("engine", "use crate::{\n    scenario::Scenario, // below\n    serving::Store,\n};"),
        ("engine", "use crate::*;"),
        ("engine", "if ready { crate :: grpc :: server::serve() }"),
        ("engine", "let all = crate::serving::load::<Vec<_>>();"),
        ("engine", "use ::tokio::sync::Mutex;"),
        ("engine", "use crate::telemetry::panic_text;"),
        ("import/genius/xml", "let text = std::fs::read_to_string(path);"),
        ("import", "use crate::engine::Compiled;"),
        ("scenario", "use crate::import::genius;"),
        ("serving", "use crate::telemetry::Metrics;"),
        ("access", "use tokio::sync::Mutex;"),
        ("access", "use crate::serving::Store;"),
        ("engine", "use crate::access::Caller;"),
        ("scenario", "use crate::engine::Compiled;"),
        ("serving", "use prost::Message;"),
        ("serving", "use prost_types::Any;"),
        ("telemetry", "use tokio::net::TcpListener;"),
        ("telemetry", "use crate::grpc::server;"),
    ] {
        let found = faults(&within(modules), text);
        assert!(!found.is_empty(), "{modules}: {text}: {:?}", paths(text));
    }
    for (modules, text) in [
        ("grpc/error", "use tonic::{Code, Status};"),
        ("grpc/layers/panics", "use crate::telemetry::panic_text; use super::super::proto;"),
        ("engine", "use crate::scenario::Scenario; // never crate::serving"),
        ("engine", "use crate::{scenario, condition::{Domain, InputId}}; use super::scenario::Scenario;"),
        ("condition", "struct Instantaneous; fn f(cli: Grpc) -> self::serving::X {}"),
        ("shutdown", "use tokio::{select, sync::oneshot};"),
        ("access", "use crate::scenario::model::Id; use std::time::SystemTime;"),
    ] {
        assert_eq!(faults(&within(modules), text), [""; 0], "{modules}: {text}");
    }
}

#[test]
fn rooms_are_small_and_say_what_they_are_for() {
    for folder in ["src", "tests", "benches", "fuzz/fuzz_targets", "fuzz/examples"] {
        for path in rust_files(folder) {
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().count();
            assert!(lines <= MOST_LINES, "{} has {lines} lines; at most {MOST_LINES} make a room", path.display());
            let is_test = folder == "src" && path.components().any(|part| part.as_os_str() == "tests");
            assert!(is_test || text.starts_with("//!"), "{} does not open with what it owns", path.display());
        }
    }
}
