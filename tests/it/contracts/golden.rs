//! Golden files: compares the output of the program with the files in `tests/it/contracts/golden`.

use std::fs;
use std::path::PathBuf;

/// If this variable is set and not empty, each test writes its golden file instead of comparing it.
const UPDATE: &str = "UPDATE_GOLDEN";
/// The maximum number of differing lines that a failure shows.
const MAX_SHOWN: usize = 40;

/// All golden files. A test can use only a file in this list, and a test fails if the folder contains any other file.
const FILES: [&str; 14] = [
    "decimals.txt",
    "decision-log-by-caller.jsonl",
    "decision-log-masked.jsonl",
    "decision-log.jsonl",
    "error-reasons.txt",
    "exit-codes.txt",
    "log-targets.txt",
    "metrics.txt",
    "options.txt",
    "page-tokens.txt",
    "replay.txt",
    "revisions.txt",
    "spans.txt",
    "status-codes.txt",
];

fn folder() -> PathBuf {
    folder_of("golden")
}

/// The path of a folder that lies beside this source file.
pub(crate) fn folder_of(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/contracts").join(name)
}

/// Panics with the differing lines unless `found` equals the golden file of this name.
pub(crate) fn assert_golden(name: &str, found: &str) {
    assert!(FILES.contains(&name), "{name} is missing from the list of golden files");
    let path = folder().join(name);
    if std::env::var_os(UPDATE).is_some_and(|set| !set.is_empty()) {
        fs::create_dir_all(folder()).unwrap();
        fs::write(&path, found).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == found,
        "{} differs from what the program gives (-: golden file, +: program):\n{}\nThese are contracts with clients \
         and operators. If the change is meant: {UPDATE}=1 cargo test --test it contracts, and read the diff",
        path.display(),
        difference(&golden, found)
    );
}

/// Panics with the differing lines unless `found` equals the output of another run.
pub(crate) fn assert_same(what: &str, found: &str, other: &str) {
    assert!(found == other, "{what} differs (-: expected, +: found):\n{}", difference(other, found));
}

/// The lines that occur in only one of two texts, in order, with their numbers.
fn difference(golden: &str, found: &str) -> String {
    let (golden, found): (Vec<&str>, Vec<&str>) = (golden.lines().collect(), found.lines().collect());
    let only = |mark: char, these: &[&str], those: &[&str]| {
        let mut unmatched: Vec<&str> = those.to_vec();
        let mut lines: Vec<(usize, char, String)> = Vec::new();
        for (at, line) in these.iter().enumerate() {
            match unmatched.iter().position(|other| other == line) {
                Some(other) => drop(unmatched.remove(other)),
                None => lines.push((at + 1, mark, (*line).to_owned())),
            }
        }
        lines
    };
    let mut lines = only('-', &golden, &found);
    lines.extend(only('+', &found, &golden));
    if lines.is_empty() {
        return "the lines are equal, but their order or their line ends differ".to_owned();
    }
    lines.sort_by_key(|(at, mark, _)| (*at, *mark == '+'));
    let more = lines.len().saturating_sub(MAX_SHOWN);
    let shown = lines.iter().take(MAX_SHOWN).map(|(at, mark, line)| format!("{mark} {at}: {line}\n"));
    shown.collect::<String>() + &if more > 0 { format!("... and {more} more lines\n") } else { String::new() }
}

#[test]
fn the_folder_holds_the_listed_files_and_nothing_else() {
    let files = fs::read_dir(folder()).unwrap();
    let mut files: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    assert_eq!(files, FILES);
}

#[test]
fn a_difference_shows_the_lines_of_both_sides() {
    assert_eq!(difference("a\nb\nc\n", "a\nx\nc\n"), "- 2: b\n+ 2: x\n");
    assert_eq!(difference("a\n", "a\na\n"), "+ 2: a\n");
    assert_eq!(difference("a\nb\n", "b\na\n"), "the lines are equal, but their order or their line ends differ");
}
