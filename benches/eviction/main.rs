//! A comparison of bounded maps for the cache of answers: hit rates, times and memory in use.
//!
//! `cargo bench --bench eviction`. Keys and answers have realistic sizes. All maps have the same bound in bytes, count
//! the same weight for an entry, and use the same hash function. Every map runs the same operations. The times are
//! medians of rounds in which the maps take turns.

mod maps;
mod workloads;

use bytes::Bytes;
use maps::{Clock, Map, Moka, Quick};
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;
use workloads::{KEYS, OPERATIONS, Operation};

/// The bound of each map in bytes: the default of the server's option `--cache`.
const BOUND: u64 = 32 * 1024 * 1024;
/// The size of a short answer.
const ANSWER_BYTES: usize = 700;
/// The size of an answer about a proposal of several terms.
const LONG_ANSWER_BYTES: usize = 5_000;
const THREADS: [(usize, &str); 2] = [(1, "1 thread"), (4, "4 threads")];
const ROUNDS: usize = 5;
/// The number of timed operations of all threads together.
const TIMED: usize = 400_000;
/// With `--quick`, which only checks that the bench works, the numbers of operations are divided by this.
const QUICK: usize = 100;
/// The number of entries in the map when lookups are timed. Every lookup finds its key, because the entries take much
/// less memory than the bound, so none is evicted.
const PRESENT: usize = 8_000;

/// A function that makes a map with the given bound in bytes.
type New = fn(u64) -> Box<dyn Map>;

const MAPS: [(&str, New); 3] = [
    ("quick_cache", |bound| Box::new(Quick::new(bound))),
    ("moka", |bound| Box::new(Moka::new(bound))),
    ("DashMap + CLOCK", |bound| Box::new(Clock::new(bound))),
];

fn answer() -> Bytes {
    vec![7; ANSWER_BYTES].into()
}

fn long_answer() -> Bytes {
    vec![7; LONG_ANSWER_BYTES].into()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--held") {
        let is_long = arguments[at + 2] == "long";
        let operations = arguments[at + 3].parse().unwrap();
        return held(arguments[at + 1].parse().unwrap(), if is_long { long_answer } else { answer }, operations);
    }
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let (rounds, divisor) = if is_quick { (1, QUICK) } else { (ROUNDS, 1) };
    hits(OPERATIONS / divisor);
    times(rounds, TIMED / divisor);
    memory(OPERATIONS / divisor);
}

/// Looks each key up and inserts it if it is missing. Returns the share of hits among the operations that count.
fn run(map: &dyn Map, operations: &[Operation], answer: fn() -> Bytes) -> f64 {
    let (mut counted, mut hits) = (0_u32, 0_u32);
    for operation in operations {
        let key = workloads::key(operation.number);
        let hit = map.get(&key).is_some();
        if !hit {
            map.insert(&key, answer());
        }
        counted += u32::from(operation.counts);
        hits += u32::from(operation.counts && hit);
    }
    f64::from(hits) / f64::from(counted)
}

fn hits(operations: usize) {
    println!("\nHits, in percent\n");
    print_row("", MAPS.map(|(name, _)| name.to_owned()));
    print_rule();
    for (name, operations) in workloads::all(operations) {
        print_row(name, MAPS.map(|(_, new)| format!("{:.1}", 100.0 * run(&*new(BOUND), &operations, answer))));
    }
}

fn times(rounds: usize, operations: usize) {
    println!("\nNanoseconds per operation and thread, including making the key: median (least..most)\n");
    print_row("", MAPS.map(|(name, _)| name.to_owned()));
    print_rule();
    for (threads, label) in THREADS {
        let mut found: [Vec<f64>; 3] = Default::default();
        let mut kept: [Vec<f64>; 3] = Default::default();
        for _ in 0..rounds {
            for (at, (_, new)) in MAPS.iter().enumerate() {
                let map = new(BOUND);
                (0..PRESENT).for_each(|number| map.insert(&workloads::key(number), answer()));
                found[at].push(timed(threads, operations, |thread, step| {
                    let key = workloads::key((step * 31 + thread * 977) % PRESENT);
                    black_box(map.get(&key));
                }));
                kept[at].push(timed(threads, operations, |thread, step| {
                    let key = workloads::key(KEYS + thread * TIMED + step);
                    map.insert(&key, answer());
                }));
            }
        }
        print_row(&format!("get, found, {label}"), found.map(spread));
        print_row(&format!("insert, evicting, {label}"), kept.map(spread));
    }
}

/// Shares the operations out among the threads. Returns the nanoseconds that a thread takes for one operation, which
/// assumes that each thread has a processor of its own.
fn timed(threads: usize, operations: usize, operation: impl Fn(usize, usize) + Sync) -> f64 {
    let steps = operations / threads;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let operation = &operation;
            scope.spawn(move || (0..steps).for_each(|step| operation(thread, step)));
        }
    });
    #[expect(clippy::cast_precision_loss, reason = "both numbers are far below 2^53")]
    let nanos = begun.elapsed().as_nanos() as f64 / steps as f64;
    nanos
}

fn spread(mut figures: Vec<f64>) -> String {
    figures.sort_by(f64::total_cmp);
    format!("{:.0} ({:.0}..{:.0})", figures[figures.len() / 2], figures[0], figures[figures.len() - 1])
}

/// Measures the size of each map in a process of its own, whose memory is read from /proc.
fn memory(operations: usize) {
    println!("\nSize after Zipf 0.9, in MiB (bound: {})\n", BOUND >> 20);
    print_row("", MAPS.map(|(name, _)| name.to_owned()));
    print_rule();
    for (length, bytes) in [("short", ANSWER_BYTES), ("long", LONG_ANSWER_BYTES)] {
        let figures = [0, 1, 2].map(|at: usize| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            let output =
                command.args(["--held", &at.to_string(), length, &operations.to_string()]).output().unwrap().stdout;
            String::from_utf8(output).unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        });
        for (at, name) in ["weight", "highest weight", "memory", "highest memory"].iter().enumerate() {
            print_row(&format!("{name}, {bytes} bytes"), [0, 1, 2].map(|map: usize| figures[map][at].clone()));
        }
    }
}

fn held(at: usize, answer: fn() -> Bytes, operations: usize) {
    #[expect(clippy::cast_precision_loss, reason = "numbers of bytes far below 2^53")]
    let mib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
    let operations = workloads::zipf(0.9, operations);
    let before = resident("VmRSS");
    let map = MAPS[at].1(BOUND);
    let mut most = 0;
    for operations in operations.chunks(1_000) {
        run(&*map, operations, answer);
        most = most.max(map.weight());
    }
    let (now, peak) = (resident("VmRSS"), resident("VmHWM"));
    println!("{} {} {} {}", mib(map.weight()), mib(most), mib(now - before), mib(peak - before));
}

fn resident(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

fn print_row(name: &str, columns: [String; 3]) {
    println!("| {name:<32} | {:>22} | {:>22} | {:>22} |", columns[0], columns[1], columns[2]);
}

fn print_rule() {
    println!("|{:-<34}|{:->23}:|{:->23}:|{:->23}:|", "", "", "", "");
}
