//! Tests that need a process without other running tests: they replace the allocator, or measure memory and CPU time.
//!
//! Each test takes its turn with [`turn`], because a test in parallel would change the measurements.

mod analyses;
mod hostile_conditions;
mod hostile_credentials;
mod hostile_files;
mod hostile_requests;
mod killed_clients;
#[path = "../support/mod.rs"]
mod support;

use std::sync::{Mutex, MutexGuard, PoisonError};

static TURN: Mutex<()> = Mutex::new(());

/// Waits until no other test of this program runs. A test holds the guard until it ends.
///
/// A test that panics poisons the mutex. The next test starts all the same, because it shares nothing with the failed
/// one.
fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A test that does not take its turn would occasionally distort the measurements of the others.
#[test]
fn every_test_takes_its_turn() {
    let _turn = turn();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/alone");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let count = |wanted: &[&str]| text.lines().filter(|line| wanted.contains(&line.trim())).count();
        let tests = count(&["#[test]", "#[tokio::test]"]);
        let turns = count(&["let _turn = turn();"]);
        assert!(tests > 0, "{} has no test", path.display());
        assert_eq!(turns, tests, "{}: each test begins with `let _turn = turn();`", path.display());
    }
}
