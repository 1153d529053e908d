//! Hostile conditions neither crash the compiler of conditions nor exceed their limits: 2 MiB of stack, which tokio's
//! blocking threads have, 64 MiB of memory, and the budget of steps that one call may spend on compiling.
//!
//! A condition is an expression that a request may contain. A hostile one takes as much time or memory as possible. The
//! hostile conditions form families, each of which grows in size. `benches/hostile.rs` measures the times.

use crate::support::hostile;
use crate::turn;
use detente_condition::{Formula, WorkBudget, compile_for_call_within, read};
use peak_alloc::PeakAlloc;

#[global_allocator]
pub(crate) static MEMORY: PeakAlloc = PeakAlloc;

const STACK_BYTES: usize = 2 << 20;
const MOST_BYTES: usize = 64 << 20;

fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).unwrap().join().unwrap();
}

/// Does the work, and returns its result. Fails if the work uses [`MOST_BYTES`] of memory or more.
fn bounded<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let answer = work();
    let peak = MEMORY.peak_usage().saturating_sub(before);
    assert!(peak < MOST_BYTES, "{what}: {peak} bytes");
    answer
}

/// All conditions are in one test, because memory is counted for the whole process.
#[test]
fn hostile_conditions_stay_within_their_bounds() {
    let _turn = turn();
    on_a_small_stack(|| {
        let (vocabulary, domains) = hostile::vocabulary();
        let (mut compiled, mut refused) = (0, 0);
        for (family, text) in hostile::all() {
            let what = format!("{}, {} bytes", hostile::FAMILIES[family].0, text.len());
            let mut work = WorkBudget::for_call();
            let answer = bounded(&what, || compile_for_call_within(&[&text], &vocabulary, &domains, &mut work));
            assert!(work.spent() <= WorkBudget::MAX_STEPS_OF_CALL, "{what}");
            match answer {
                Ok(answer) => {
                    compiled += 1;
                    assert_eq!(answer.conditions.len(), 1, "{what}");
                }
                Err(faults) => {
                    refused += 1;
                    assert!(!faults.is_empty(), "{what}");
                    assert!(faults.iter().all(|fault| text.is_char_boundary(fault.at)), "{what}: {faults:?}");
                }
            }
            let read: Option<Formula> = bounded(&what, || read(&text, &vocabulary).ok());
            drop(read);
        }
        // Many conditions must lie on each side of the limits; otherwise the test would check one side only.
        assert!(compiled > 150 && refused > 500, "{compiled} compiled, {refused} refused");

        let texts: Vec<String> = hostile::all().into_iter().map(|(_, text)| text).collect();
        for together in texts.chunks(50) {
            let together: Vec<&str> = together.iter().map(String::as_str).collect();
            let mut work = WorkBudget::for_call();
            let answer = bounded("together", || compile_for_call_within(&together, &vocabulary, &domains, &mut work));
            assert!(work.spent() <= WorkBudget::MAX_STEPS_OF_CALL);
            drop(answer);
        }
    });
}
