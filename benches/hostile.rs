//! The cost of hostile conditions and of hostile scenario files, in CPU time and in memory.
//!
//! `cargo bench --bench hostile`. A family is one kind of condition that is expensive to read, in 20 sizes; the bench
//! prints the most expensive one of each family. It then prints the cost of each hostile file. The bench does not judge
//! the figures; each condition should take at most 100 ms and 64 MiB, each file at most 2 s and the memory that
//! `load_peak_bytes` says.

#[path = "../tests/support/hostile.rs"]
mod conditions;
#[path = "../tests/support/hostile_files.rs"]
mod files;

use detente_condition::{WorkBudget, compile_for_call_within, read};
use detente_core::engine::load_compiled;
use detente_core::scenario::limits::{DEFAULT_FILE_BYTES, load_peak_bytes};
use peak_alloc::PeakAlloc;
use rustix::time::{ClockId, clock_gettime};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

fn cpu_ms() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// Returns the CPU time of `work` in milliseconds, and its peak memory in MiB above the usage before.
fn cost(work: impl FnOnce()) -> (f64, f64) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let start = cpu_ms();
    work();
    (cpu_ms() - start, MEMORY.peak_usage().saturating_sub(before) as f64 / f64::from(1 << 20))
}

#[derive(Clone, Copy, Default)]
struct Worst {
    ms: f64,
    mib: f64,
    steps: u64,
    compiled: usize,
}

fn main() {
    // Cargo may pass `--list`; it may also pass other arguments, which are ignored.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let (vocabulary, domains) = conditions::vocabulary();
    let mut calls = [Worst::default(); conditions::FAMILIES.len()];
    let mut files = [Worst::default(); conditions::FAMILIES.len()];
    // With `--quick`, which only checks that the bench works, measure only two sizes of each family.
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let every = if is_quick { conditions::SIZES / 2 } else { 1 };
    for (family, text) in conditions::all().into_iter().step_by(every) {
        let (call, file) = (&mut calls[family], &mut files[family]);
        let mut work = WorkBudget::for_call();
        let mut compiled = false;
        let (ms, mib) = cost(|| {
            compiled = compile_for_call_within(&[&text], &vocabulary, &domains, &mut work).is_ok();
        });
        (call.ms, call.mib) = (call.ms.max(ms), call.mib.max(mib));
        call.steps = call.steps.max(work.spent());
        call.compiled += usize::from(compiled);
        let (ms, mib) = cost(|| drop(read(&text, &vocabulary)));
        (file.ms, file.mib) = (file.ms.max(ms), file.mib.max(mib));
    }
    println!("{:24} {:>9} {:>9} {:>10} {:>9} {:>9} {:>9}", "", "call ms", "MiB", "steps", "compiled", "read ms", "MiB");
    let mut worst = Worst::default();
    for ((name, _), (call, file)) in conditions::FAMILIES.iter().zip(calls.iter().zip(&files)) {
        println!(
            "{name:24} {:9.2} {:9.2} {:10} {:9} {:9.2} {:9.2}",
            call.ms, call.mib, call.steps, call.compiled, file.ms, file.mib
        );
        worst.ms = worst.ms.max(call.ms).max(file.ms);
        worst.mib = worst.mib.max(call.mib).max(file.mib);
    }
    println!("{:24} {:9.2} {:9.2}", "worst of all", worst.ms, worst.mib);
    print_files(is_quick);
}

/// Prints the cost of each hostile file of 1 MiB and of the default limit.
fn print_files(is_quick: bool) {
    println!("\n{:36} {:>9} {:>9} {:>9} {:>9}", "file", "bytes", "ms", "MiB", "MiB/MiB");
    let sizes: &[usize] = if is_quick { &[64 << 10] } else { &[1 << 20, DEFAULT_FILE_BYTES] };
    for (name, make) in files::OF_THE_FORMAT.iter().chain(&files::OF_CONDITIONS) {
        for size in sizes {
            let text = make(*size);
            let mut outcome = "loads";
            let (ms, mib) = cost(|| {
                if load_compiled("hostile.yaml", &text, text.len()).is_err() {
                    outcome = "rejected";
                }
            });
            let own = text.len() as f64 / f64::from(1 << 20);
            let most = load_peak_bytes(text.len() as u64) / (1 << 20);
            let all = mib + own;
            println!("{name:36} {:9} {ms:9.0} {all:9.1} {:9.1} of {most} MiB, {outcome}", text.len(), all / own);
        }
    }
}
