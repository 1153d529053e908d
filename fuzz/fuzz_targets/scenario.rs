//! Reads any text as a scenario file: it loads or has faults that can be printed, and nothing panics.
//!
//! A file that loads has the same revision (a hash of its content) when it is loaded again. The status quo can be
//! evaluated in every edition, a period in which nothing in the scenario changes, with basic and with full detail.

#![no_main]

use detente_core::engine::{Compiled, Detail};
use detente_core::scenario;
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

fuzz_target!(|text: &str| {
    let (scenario, places) = match scenario::load_with_places("scenario.yaml", text) {
        Ok(loaded) => loaded,
        Err(faults) => {
            assert!(!faults.to_string().is_empty(), "a rejected file has a fault with a message");
            return;
        }
    };
    let again = scenario::load("scenario.yaml", text).expect("what was read once can be read again");
    assert_eq!(scenario.revision, again.revision);
    match Compiled::new(Arc::new(scenario)) {
        Ok(compiled) => evaluate_status_quo(&compiled),
        Err(faults) => {
            let causes: Vec<_> = faults.iter().map(|fault| (fault.red_line.clone(), fault.cause.to_string())).collect();
            assert!(!places.diagnostics("scenario.yaml", text, &causes).to_string().is_empty());
        }
    }
});

fn evaluate_status_quo(compiled: &Compiled) {
    for day in compiled.edition_days().map(Some).chain([None]) {
        let basic = compiled.evaluate(&[], day, Detail::Basic).expect("an edition's first day is covered");
        let full = compiled.evaluate(&[], day, Detail::Full).expect("an edition's first day is covered");
        assert_eq!((basic.verdict, basic.could_become), (full.verdict, full.could_become));
    }
}
