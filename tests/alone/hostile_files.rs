//! Hostile scenario files take no more memory than `load_peak_bytes` promises, and no more work than the budget of a
//! file.
//!
//! `benches/hostile.rs` measures the times, and compares them with those of the largest files that load.

use crate::hostile_conditions::MEMORY;
use crate::support::hostile_files::{Family, OF_CONDITIONS, OF_THE_FORMAT};
use crate::turn;
use detente_core::cases::load_cases;
use detente_core::engine::load_compiled;
use detente_core::scenario::limits::{MAX_FILE_BYTES, MAX_TEST_FILE_BYTES, load_peak_bytes};
use detente_core::scenario::load_proposal;

/// Does the work, and returns its result. Fails if the work, together with the text, takes more memory than loading the
/// text may take.
fn bounded<T>(what: &str, text: &str, work: impl FnOnce() -> T) -> T {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let result = work();
    let peak = (MEMORY.peak_usage().saturating_sub(before) + text.len()) as u64;
    let most = load_peak_bytes(text.len() as u64);
    assert!(peak <= most, "{what}, {} bytes: {peak} bytes of memory, more than {most}", text.len());
    result
}

/// Loads a file of each size, and returns how many are rejected.
fn load(families: &[Family], sizes: &[usize]) -> usize {
    let mut rejected = 0;
    for (name, make) in families {
        for size in sizes {
            let text = make(*size);
            let loaded = bounded(name, &text, || load_compiled("hostile.yaml", &text, MAX_FILE_BYTES));
            rejected += usize::from(loaded.is_err());
        }
    }
    rejected
}

#[test]
fn files_that_are_not_scenarios_take_bounded_memory() {
    let _turn = turn();
    let rejected = load(&OF_THE_FORMAT, &[64 << 10, 4 << 20]);
    assert!(rejected >= 2 * (OF_THE_FORMAT.len() - 1), "{rejected}");
}

/// In the largest files that an operator may permit, values count most, because the base of 16 MiB counts least.
#[test]
fn the_largest_files_with_as_many_values_as_allowed_take_bounded_memory() {
    let _turn = turn();
    let is_full_of_values = |name: &str| ["sources", "proposals", "plain keys, as many as allowed"].contains(&name);
    let families: Vec<Family> = OF_THE_FORMAT.into_iter().filter(|(name, _)| is_full_of_values(name)).collect();
    assert_eq!(families.len(), 3);
    load(&families, &[MAX_FILE_BYTES]);
}

/// The files are small, because larger ones only exceed the budget of work sooner.
#[test]
fn files_with_many_conditions_take_bounded_memory() {
    let _turn = turn();
    let rejected = load(&OF_CONDITIONS, &[96 << 10, 512 << 10]);
    // Files lie on each side of the limits.
    assert!((10..=2 * OF_CONDITIONS.len() - 5).contains(&rejected), "{rejected}");
}

#[test]
fn hostile_test_files_and_proposals_take_bounded_memory() {
    let _turn = turn();
    for (name, make) in OF_THE_FORMAT {
        let text = make(MAX_TEST_FILE_BYTES);
        let cases = bounded(name, &text, || load_cases("hostile_test.yaml", &text));
        assert!(cases.is_err(), "{name}");
        assert!(bounded(name, &text, || load_proposal("hostile.yaml", &text, &[])).is_err(), "{name}");
    }
}
