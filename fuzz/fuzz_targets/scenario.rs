//! Reads any text as a scenario file: it loads or has faults that can be printed, and nothing panics.
//!
//! A file that loads has the same revision (a hash of its content) when it is loaded again. The status quo can be
//! evaluated in every edition, a period in which nothing in the scenario changes, with basic and with full detail.

#![no_main]

use detente_core::engine::{Compiled, Detail, load_compiled};
use detente_core::scenario::limits::DEFAULT_FILE_BYTES;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let load = || load_compiled("scenario.yaml", text, DEFAULT_FILE_BYTES);
    match load() {
        Ok(compiled) => {
            let again = load().expect("what was read once can be read again");
            assert_eq!(compiled.scenario().revision, again.scenario().revision);
            evaluate_status_quo(&compiled);
        }
        Err(faults) => assert!(!faults.to_string().is_empty(), "a rejected file has a fault with a message"),
    }
});

fn evaluate_status_quo(compiled: &Compiled) {
    for day in compiled.edition_days().map(Some).chain([None]) {
        let basic = compiled.evaluate(&[], day, Detail::Basic).expect("an edition's first day is covered");
        let full = compiled.evaluate(&[], day, Detail::Full).expect("an edition's first day is covered");
        assert_eq!((basic.verdict, basic.could_become), (full.verdict, full.could_become));
    }
}
