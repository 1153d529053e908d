//! Runs operations under callgrind, valgrind's counter of instructions, in an environment that is equal on all
//! machines.

use super::figures::Counts;
use super::operations::Operation;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

/// Fixed values for settings that glibc would otherwise choose by the processor or change while the program runs. The
/// first settings decide how it copies and compares memory: for these cache sizes, and without the wider instructions,
/// which some processors lack. Most others are limits and thresholds of the allocator.
const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-RTM:\
     glibc.cpu.x86_data_cache_size=32768:glibc.cpu.x86_shared_cache_size=1048576:\
     glibc.cpu.x86_non_temporal_threshold=786432:glibc.malloc.arena_max=8:glibc.malloc.mmap_threshold=1048576:\
     glibc.malloc.trim_threshold=1073741824:glibc.rtld.optional_static_tls=512";

/// The number of processes in which each operation is counted; the result is their mean. Hash tables have random keys
/// in each process, so the number of collisions varies a little.
const PROCESSES: usize = 5;

/// Counts the cost of each operation. As many processes run at a time as there are processors, because other load on
/// the machine does not change the counts.
pub(crate) fn count_all(operations: &[&'static Operation]) -> Result<Vec<(&'static str, Counts)>, String> {
    let folder = std::env::temp_dir().join(format!("detente-instructions-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let processors = allowed_processors()?;
    thread::scope(|scope| {
        for processor in &processors {
            let (next, results, folder) = (&next, &results, &folder);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Relaxed);
                    let Some(operation) = operations.get(at / PROCESSES) else { return };
                    let result = count(operation, processor, &folder.join(at.to_string()));
                    results.lock().unwrap().push((at / PROCESSES, result));
                }
            });
        }
    });
    let _ = fs::remove_dir_all(&folder);
    let mut sums = vec![Counts::default(); operations.len()];
    for (at, result) in results.into_inner().unwrap() {
        sums[at].add(&result?);
    }
    let means = operations.iter().zip(sums).map(|(operation, sum)| {
        #[expect(clippy::cast_precision_loss, reason = "the number of processes is small")]
        let items = f64::from(operation.calls * operation.items) * PROCESSES as f64;
        (operation.name, sum.per_item(items))
    });
    Ok(means.collect())
}

/// Counts an operation in one process, and returns the totals of all its calls. The process runs on one processor only,
/// because the cache of answers has more shards if there are more processors.
fn count(operation: &Operation, processor: &str, out: &Path) -> Result<Counts, String> {
    let this = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let mut command = Command::new("taskset");
    command
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("GLIBC_TUNABLES", TUNABLES)
        .args(["--cpu-list", processor, "valgrind", "--tool=callgrind", "--collect-atstart=no"])
        .arg("--toggle-collect=*::measured_region*")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(this)
        .args(["--operation", operation.name]);
    let output = command.output().map_err(|error| format!("cannot run taskset: {error}"))?;
    let failed = |why: &str| {
        format!("{}: {why} ({})\n{}", operation.name, output.status, String::from_utf8_lossy(&output.stderr))
    };
    if !output.status.success() {
        return Err(failed("the operation failed under valgrind"));
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let mut numbers = printed.split_whitespace().map(str::parse);
    let (Some(Ok(allocations)), Some(Ok(bytes))) = (numbers.next(), numbers.next()) else {
        return Err(failed("no allocations were printed"));
    };
    let profile = fs::read_to_string(out).map_err(|error| failed(&format!("no profile: {error}")))?;
    let total = profile.lines().find_map(|line| line.strip_prefix("totals: "));
    match total.and_then(|total| total.trim().parse().ok()) {
        Some(instructions) if instructions > 0.0 => Ok(Counts { instructions, allocations, bytes }),
        _ => Err(failed("callgrind did not find the function `measured_region`")),
    }
}

/// Returns the numbers of the processors that this process may use.
fn allowed_processors() -> Result<Vec<String>, String> {
    let status = fs::read_to_string("/proc/self/status").map_err(|error| format!("/proc/self/status: {error}"))?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or("0").trim();
    let mut processors = Vec::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| text.parse::<u32>().map_err(|_| format!("`{list}` is not a list of processors"));
        processors.extend((number(first)?..=number(last)?).map(|processor| processor.to_string()));
    }
    Ok(processors)
}
