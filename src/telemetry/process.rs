//! Metrics of the process: CPU time, memory, threads, file descriptors.
//!
//! Asks the operating system for the figures at each scrape. Only the start time of the process is read once: it must
//! not vary between scrapes, because an alert takes each change of it for a restart. The names are those that
//! Prometheus' client libraries give these metrics, so that common dashboards and alerts work. A figure that the system
//! does not report is left out: a system without `/proc` reports only the CPU time and the maximum number of file
//! descriptors. Must not know what the process does.

use super::metrics::Metrics;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::fs;

/// Registers the metrics of this process.
pub fn register_process(metrics: &Metrics) {
    metrics.counter("process_cpu_seconds", "User and system CPU time of the process, in seconds", || {
        value(Some(cpu_seconds()))
    });
    metrics.gauge("process_open_fds", "Open file descriptors", || value(open_descriptors()));
    metrics.gauge("process_max_fds", "Maximum number of open file descriptors", || {
        value(getrlimit(Resource::Nofile).current.map(|limit| limit as f64))
    });
    metrics.gauge("process_virtual_memory_bytes", "Virtual memory of the process, in bytes", || {
        value(statistic(VIRTUAL_BYTES))
    });
    metrics.gauge("process_resident_memory_bytes", "Resident memory of the process, in bytes", || {
        value(statistic(RESIDENT_PAGES).map(|pages| pages * page_size() as f64))
    });
    metrics.gauge("process_threads", "Threads of the process", || value(statistic(THREADS)));
    let start = start_seconds();
    metrics.gauge("process_start_time_seconds", "Start of the process, in seconds since the Unix epoch", move || {
        value(start)
    });
}

/// The positions of figures in `/proc/self/stat`, counted from 0 after the program's name; see proc_pid_stat(5).
const THREADS: usize = 17;
const START_TICKS: usize = 19;
const VIRTUAL_BYTES: usize = 20;
const RESIDENT_PAGES: usize = 21;

fn value(figure: Option<f64>) -> Vec<super::Sample> {
    figure.map(|figure| (Vec::new(), figure)).into_iter().collect()
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn open_descriptors() -> Option<f64> {
    // One of the entries is the directory that is being read.
    Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as f64)
}

fn statistic(position: usize) -> Option<f64> {
    figure(&fs::read_to_string("/proc/self/stat").ok()?, position)
}

/// Reads the figure at `position` in the text of `/proc/self/stat`.
///
/// Positions are counted after the last parenthesis, because the program's name, which is in parentheses, may itself
/// contain spaces and parentheses.
fn figure(stat: &str, position: usize) -> Option<f64> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(position)?.parse().ok()
}

/// Returns the start of the process, in seconds since the Unix epoch: the start of the system, plus the clock ticks
/// from then until the start of the process.
fn start_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let boot: f64 = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + statistic(START_TICKS)? / clock_ticks_per_second() as f64)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

    #[test]
    fn figures_are_read_after_a_name_with_spaces_and_parentheses() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 106 0 0 0 3 4 0 0 20 0 17 0 1234 5678000 91 18446744073709551615";
        assert_eq!(figure(stat, THREADS), Some(17.0));
        assert_eq!(figure(stat, START_TICKS), Some(1234.0));
        assert_eq!(figure(stat, VIRTUAL_BYTES), Some(5_678_000.0));
        assert_eq!(figure(stat, RESIDENT_PAGES), Some(91.0));
        assert_eq!(figure("7 (a", THREADS), None);
        assert_eq!(figure("7 (a) S 1", THREADS), None);
    }

    #[test]
    fn the_figures_are_plausible() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let start = start_seconds().unwrap();
        assert!(start <= now + 1.0 && start > now - 86_400.0, "{start} beside {now}");
        assert!(statistic(THREADS).unwrap() >= 1.0);
        let resident = statistic(RESIDENT_PAGES).unwrap() * page_size() as f64;
        assert!(resident > 1e6 && resident < statistic(VIRTUAL_BYTES).unwrap());
        let files: Vec<_> = (0..9).map(|_| fs::File::open("/proc/self/stat").unwrap()).collect();
        assert!(open_descriptors().unwrap() >= 3.0 + files.len() as f64);
    }

    #[test]
    fn cpu_time_has_fractions() {
        let before = cpu_seconds();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(5) {
            std::hint::spin_loop();
        }
        let used = cpu_seconds() - before;
        assert!(used > 0.0, "{used}");
    }
}
