//! The regression files of proptest, which hold the seeds of earlier failures and are replayed first, are in the places
//! that proptest reads. It silently ignores a file in any other place.

use proptest::test_runner::{FailurePersistence, FileFailurePersistence};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// All files in and below a folder; empty if there is no such folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Whether a source file has a block of properties that does not disable the recording of failures.
fn records_failures(source: &str) -> bool {
    let begins = |line: &&str| ["proptest! {", "proptest::proptest! {"].iter().any(|begin| line.starts_with(begin));
    source.lines().map(str::trim).filter(begins).count() > source.matches("failure_persistence: None").count()
}

/// The file in which proptest records the seeds of failures in a source file. It is found by the rule of
/// `FileFailurePersistence::SourceParallel`.
fn regression_file(source: &Path) -> PathBuf {
    let is_root = |folder: &&Path| folder.join("lib.rs").is_file() || folder.join("main.rs").is_file();
    let root = source.ancestors().skip(1).find(is_root).unwrap();
    let within = source.strip_prefix(root).unwrap().with_extension("txt");
    root.parent().unwrap().join("proptest-regressions").join(within)
}

#[test]
fn regression_files_are_where_proptest_reads_them() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["benches", "crates", "proptest-regressions", "src", "tests"];
    let all: Vec<PathBuf> = folders.iter().flat_map(|folder| files(&home.join(folder))).collect();
    let is_regressions = |path: &&PathBuf| path.to_string_lossy().contains("proptest-regressions");
    let found: BTreeSet<PathBuf> = all.iter().filter(is_regressions).cloned().collect();

    let mut belonging = BTreeSet::new();
    let mut seeds = 0;
    for source in all.iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs")) {
        if !records_failures(&fs::read_to_string(source).unwrap()) {
            continue;
        }
        // A property that never failed has no file.
        let kept = regression_file(source);
        let Ok(text) = fs::read_to_string(&kept) else { continue };
        let written = text.lines().filter(|line| line.starts_with("cc ")).count();
        // proptest accepts only a `'static` name, as `file!()` returns.
        let name: &'static str = source.display().to_string().leak();
        let read = FileFailurePersistence::default().load_persisted_failures2(Some(name)).len();
        assert_eq!(read, written, "seeds that proptest reads of {} for {name}", kept.display());
        belonging.insert(kept);
        seeds += read;
    }
    let lost: Vec<&PathBuf> = found.difference(&belonging).collect();
    assert!(lost.is_empty(), "move these files to where proptest looks for the seeds of their source file: {lost:?}");
    assert!(seeds > 0, "no seed was read, so this test has compared nothing");
}
