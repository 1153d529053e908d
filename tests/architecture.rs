//! Holds the house to ARCHITECTURE.md: who may use whom, what the core may not know, and how large a room may be.

use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up: each may use those before it.
const FLOORS: [&str; 6] = ["condition", "scenario", "engine", "serving", "grpc", "cli"];
/// What only these modules may name.
const RESERVED: [(&str, &[&str]); 4] =
    [("tonic", &["grpc"]), ("prost", &["grpc"]), ("tokio", &["grpc", "cli", "shutdown"]), ("std::fs", &["cli"])];
/// What a pure core does not ask for.
const NOT_IN_THE_CORE: [&str; 4] = ["Instant", "SystemTime", "std::net", "std::env"];
const CORE: [&str; 3] = ["condition", "scenario", "engine"];
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
    files
}

/// The module that a file under `src` belongs to: `engine` for `src/engine/ladder.rs`, `config` for `src/config.rs`.
fn module(path: &Path) -> String {
    let within = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    within.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let is_part = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !is_part(line[..at].chars().next_back()) && !is_part(line[at + word.len()..].chars().next())
    })
}

/// What a line of a module's code breaks.
fn broken(module: &str, line: &str) -> Option<String> {
    let code = line.split("//").next().unwrap_or_default();
    for (word, owners) in RESERVED {
        if names(code, word) && !owners.contains(&module) {
            return Some(format!("names {word}"));
        }
    }
    if CORE.contains(&module)
        && let Some(word) = NOT_IN_THE_CORE.into_iter().find(|word| names(code, word))
    {
        return Some(format!("names {word}"));
    }
    let floor = FLOORS.iter().position(|floor| *floor == module)?;
    let above = FLOORS.iter().skip(floor + 1).find(|above| code.contains(&format!("crate::{above}")))?;
    Some(format!("uses {above}, a floor above"))
}

#[test]
fn each_floor_uses_those_below() {
    let mut faults = Vec::new();
    for path in rust_files("src") {
        // A module's tests may look further than the module.
        if path.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let module = module(&path);
        for (at, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            faults.extend(broken(&module, line).map(|fault| format!("{}:{}: {fault}", path.display(), at + 1)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_rules_catch_what_they_are_for() {
    for (module, line) in [
        ("engine", "use tonic::Status;"),
        ("scenario", "let text = std::fs::read_to_string(path);"),
        ("condition", "let now = Instant::now();"),
        ("engine", "use crate::serving::Store;"),
        ("scenario", "use crate::engine::Compiled;"),
        ("serving", "use prost::Message;"),
        ("config", "use tokio::net::TcpListener;"),
    ] {
        assert!(broken(module, line).is_some(), "{module}: {line}");
    }
    for (module, line) in [
        ("grpc", "use tonic::Status;"),
        ("engine", "use crate::scenario::Scenario; // never crate::serving"),
        ("condition", "struct Instantaneous;"),
    ] {
        assert_eq!(broken(module, line), None, "{module}: {line}");
    }
}

#[test]
fn rooms_are_small_and_say_what_they_are_for() {
    for folder in ["src", "tests", "benches"] {
        for path in rust_files(folder) {
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().count();
            assert!(lines <= MOST_LINES, "{} has {lines} lines; at most {MOST_LINES} make a room", path.display());
            let is_test = folder == "src" && path.components().any(|part| part.as_os_str() == "tests");
            assert!(is_test || text.starts_with("//!"), "{} does not open with what it owns", path.display());
        }
    }
}
