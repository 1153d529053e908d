//! Instructions, allocations and bytes per call. They are counted, not timed, so that the figures of different machines
//! can be compared.
//!
//! `cargo bench --bench instructions` compares its counts with `figures.json` and fails if a call has become more
//! expensive; `-- --record` writes the file. docs/benchmarks.md explains the figures and when to record them.
//!
//! Each operation runs in a process of its own under valgrind's callgrind, which counts only within
//! [`measured_region`]: loading a scenario and the first calls, which fill buffers and caches, do not count.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed measurement panics, and the panic shows where"
)]

mod callgrind;
mod calls;
mod figures;
mod key;
mod operations;

use clap::Parser;
use figures::{Counts, Figures};
use key::Key;
use operations::Operation;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::process::ExitCode;
use std::thread;

/// Counts allocations and passes them on to the system's allocator. The shipped program allocates with mimalloc, whose
/// instructions are therefore not in these figures.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[derive(Parser)]
struct Options {
    /// Write the counts to figures.json, in place of those recorded with the same versions of the tools
    #[arg(long, conflicts_with_all = ["quick", "only"])]
    record: bool,
    /// Run each operation a few times without valgrind and compare nothing, to check that the bench works
    #[arg(long)]
    quick: bool,
    /// Run only the operations whose names contain this text
    #[arg(long, default_value = "")]
    only: String,
    /// Run one operation in this process, and print its allocations
    #[arg(long, hide = true)]
    operation: Option<String>,
    /// Has no effect; cargo passes it
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(name) = &options.operation {
        let operation = operations::ALL.iter().find(|operation| operation.name == name).unwrap();
        let (allocations, bytes) = run(operation, operation.calls);
        println!("{allocations} {bytes}");
        return ExitCode::SUCCESS;
    }
    let chosen: Vec<&Operation> = operations::ALL.iter().filter(|one| one.name.contains(&options.only)).collect();
    if chosen.is_empty() {
        eprintln!("no operation has a name that contains `{}`", options.only);
        return ExitCode::FAILURE;
    }
    if options.quick {
        const QUICK_CALLS: u32 = 3;
        for operation in chosen {
            let (allocations, bytes) = run(operation, QUICK_CALLS);
            let per_call = |total: usize| total / (QUICK_CALLS * operation.items) as usize;
            println!("{:<32} {:>6} allocations {:>9} bytes", operation.name, per_call(allocations), per_call(bytes));
        }
        return ExitCode::SUCCESS;
    }
    match count(&options, &chosen) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn count(options: &Options, chosen: &[&'static Operation]) -> Result<ExitCode, String> {
    if cfg!(debug_assertions) {
        return Err("built without optimisation; run `cargo bench --bench instructions` without --profile".to_owned());
    }
    let key = Key::detect()?;
    let counted: Vec<(&str, Counts)> = callgrind::count_all(chosen)?;
    let mut figures = Figures::read()?;
    if options.record {
        figures.record(&key, &counted);
        figures.write()?;
        println!("recorded {} operations for {key} in {}", counted.len(), figures::PATH);
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if figures.compare(&key, &counted, options.only.is_empty()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prepares an operation, warms it up, and runs `calls` of it in the measured region. Returns the number of allocations
/// and reallocations there, and the allocated bytes.
///
/// The calls run on a thread of their own, for which the system's allocator has a separate arena. On the thread that
/// prepared the operation, the allocator would have to search the fragments that loading a scenario leaves, which takes
/// longer in one process than in another.
fn run(operation: &Operation, calls: u32) -> (usize, usize) {
    // Some calls set timers, which need a runtime. No task runs on this one.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let entered = runtime.enter();
    let mut call = (operation.prepare)(operations::WARM_UP + calls);
    drop(entered);
    let measure = || {
        let _entered = runtime.enter();
        for _ in 0..operations::WARM_UP {
            call();
        }
        let region = Region::new(ALLOCATOR);
        measured_region(&mut *call, calls);
        let stats = region.change();
        (stats.allocations + stats.reallocations, stats.bytes_allocated)
    };
    thread::scope(|scope| scope.spawn(measure).join().unwrap())
}

/// The function within which callgrind counts. `--toggle-collect` refers to it by this name.
#[inline(never)]
fn measured_region(call: &mut dyn FnMut(), calls: u32) {
    for _ in 0..calls {
        call();
    }
}
