//! The memory that the server may need at most: one table, whose sum must fit into what the process may use.
//!
//! Each row is something that callers or files can make the server keep, with the bound on its number and on its size.
//! The bounds themselves are enforced where the memory is used; this module only adds them up. A server whose memory
//! does not suffice for its settings would be killed under load, at the worst time. It therefore does not start.
//!
//! Must not know how a bound is enforced.

use crate::middleware::account::answers::{MAX_FINISHED, MAX_FINISHED_BYTES};
use crate::middleware::call_limits::{CallLimits, MAX_STREAMS};
use crate::middleware::callers::MAX_CALLERS;
use crate::server::settings::{Settings, threads_for};
use crate::services::{MAX_ANSWER_BYTES, MAX_QUESTION_BYTES};
use crate::serving::{MAX_HELD_BYTES, MAX_PARKED_ANALYSES, MAX_PAST_BYTES};
use crate::telemetry::MAX_WAITING_LINES;
use crate::transport::http2::{ARRIVED_HEADERS_BYTES, CONNECTION_WINDOW, STREAM_WINDOW, WAITING_FRAMES_BYTES};
use detente_core::scenario::limits::{DEFAULT_FILE_BYTES, load_peak_bytes};
use std::fmt::{self, Display, Formatter};
use thiserror::Error;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * 1024;

/// Maximum memory that the server needs with the default settings on two processors, in bytes: half of what the
/// Kubernetes manifests and the systemd unit permit.
///
/// The other half is for what the kernel counts for the process: buffers of sockets, page tables, pages of files.
pub const MOST_BY_DEFAULT: u64 = 256 * MIB;

/// What the program takes that answers no call, without the memory of its threads.
const PROGRAM: u64 = 6 * MIB;
/// The memory of token, key and certificate files: of those in use, and of one of each kind while it is loaded.
///
/// Nearly all of it is for the largest token file, whose callers have lists of scenarios.
pub const CREDENTIALS: u64 = 48 * MIB;
/// What a thread takes: its part of the allocator, and its stack.
const THREAD: u64 = MIB;
/// What the entry of a caller takes.
const CALLER: u64 = 320;
/// What a line of the log takes. Lines with the content of requests are longer, and rare.
const LOG_LINE: u64 = KIB;
/// What an idle connection takes, TLS included.
const CONNECTION: u64 = 25 * KIB;
/// What an open call takes besides its request, of which the headers are a part, and its answer.
const CALL: u64 = 10 * KIB;
/// What an answer takes while it is made, besides its encoded form: messages take more memory than their encoded form.
const ANSWER_IN_THE_MAKING: u64 = 2 * MAX_ANSWER_BYTES as u64;

/// Something that takes memory: at most `count` of it, each of at most `each` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUse {
    /// What takes the memory.
    pub what: &'static str,
    /// Maximum number.
    pub count: u64,
    /// Maximum size of each, in bytes.
    pub each: u64,
}

impl MemoryUse {
    /// Returns the memory of all together, in bytes.
    pub const fn total(&self) -> u64 {
        self.count.saturating_mul(self.each)
    }
}

/// The settings that the memory of a server depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Threads that answer calls.
    pub threads: u64,
    /// Analyses that run at a time.
    pub analyses: u64,
    /// Workers: threads for other work that takes longer than an evaluation.
    pub workers: u64,
    /// Connections that may be open.
    pub connections: u64,
    /// What all open calls may take together.
    pub calls: CallLimits,
    /// Size of the cache of answers, in bytes.
    pub cache: u64,
    /// Size of the largest scenario file, in bytes.
    pub scenario_file: u64,
    /// Memory of the scenarios that are loaded, in bytes.
    pub scenarios: u64,
    /// Whether callers are identified by tokens or certificates.
    pub has_credentials: bool,
    /// Whether there is a decision log.
    pub has_decision_log: bool,
}

impl MemoryPlan {
    /// The defaults on two processors, without the scenarios.
    pub const DEFAULT: Self = Self {
        threads: 2,
        analyses: 1,
        workers: 1,
        connections: Settings::DEFAULT_CONNECTIONS as u64,
        calls: CallLimits::DEFAULT,
        cache: Settings::DEFAULT_CACHE_BYTES,
        scenario_file: DEFAULT_FILE_BYTES as u64,
        scenarios: 0,
        has_credentials: false,
        has_decision_log: false,
    };

    /// Returns the table.
    pub const fn rows(&self) -> [MemoryUse; 20] {
        const fn row(what: &'static str, count: u64, each: u64) -> MemoryUse {
            MemoryUse { what, count, each }
        }
        let making = self.threads + self.analyses + self.workers;
        let (credentials, decision_log) = (self.has_credentials as u64, self.has_decision_log as u64);
        [
            row("the program", 1, PROGRAM),
            row("threads that answer calls, compute analyses or do other long work", making, THREAD),
            row("an answer in the making, on each of these threads", making, ANSWER_IN_THE_MAKING),
            row(
                "analyses that run or are parked",
                self.analyses + MAX_PARKED_ANALYSES as u64,
                MAX_QUESTION_BYTES as u64,
            ),
            row("callers that are told apart", MAX_CALLERS as u64, CALLER),
            row("connections", self.connections, CONNECTION),
            row("requests that no call has read yet, on each connection", self.connections, CONNECTION_WINDOW as u64),
            row("frames of these requests, on each connection", self.connections, WAITING_FRAMES_BYTES as u64),
            row(
                "headers of calls that have not begun, on each connection",
                self.connections,
                ARRIVED_HEADERS_BYTES as u64,
            ),
            row(
                "requests that no stream of evaluations or reflection has read yet",
                MAX_STREAMS as u64,
                STREAM_WINDOW as u64,
            ),
            row("open calls, without what they send and receive", self.calls.calls as u64, CALL),
            row(
                "requests: headers, bodies on their way, decoded messages, conditions of analyses that wait",
                1,
                self.calls.requests as u64,
            ),
            row("answers that are made, or that their clients have not read", 1, self.calls.answers as u64),
            row("answers of analyses that wait for room", MAX_FINISHED as u64, MAX_FINISHED_BYTES as u64),
            row("the cache of answers", 1, self.cache),
            row("earlier revisions of scenarios", 1, MAX_PAST_BYTES as u64),
            row("a scenario file while it is loaded", 1, load_peak_bytes(self.scenario_file)),
            row("credentials in use, and their files while they are loaded", credentials, CREDENTIALS),
            row("log lines that wait to be written", MAX_WAITING_LINES as u64, LOG_LINE),
            row("evaluations that wait for the decision log", decision_log, MAX_HELD_BYTES as u64),
        ]
    }

    /// Returns the sum of the table and of the loaded scenarios, in bytes.
    pub const fn total(&self) -> u64 {
        let (rows, mut sum) = (self.rows(), self.scenarios);
        let mut rest = rows.as_slice();
        while let [row, others @ ..] = rest {
            sum = sum.saturating_add(row.total());
            rest = others;
        }
        sum
    }

    /// Returns what follows from the settings on `threads` threads, with the defaults for all else.
    pub fn of(settings: &Settings, threads: usize) -> Self {
        Self {
            threads: threads as u64,
            analyses: threads_for(settings.analyses) as u64,
            workers: threads_for(0) as u64,
            connections: settings.max_connections as u64,
            calls: settings.calls,
            cache: settings.cache_bytes,
            ..Self::DEFAULT
        }
    }

    /// Checks that a limit of memory, in bytes, suffices.
    ///
    /// # Errors
    /// If the server may need more.
    pub fn check(&self, limit: u64) -> Result<(), TooLittleMemory> {
        if self.total() <= limit { Ok(()) } else { Err(TooLittleMemory { plan: *self, limit }) }
    }
}

// The defaults must fit everywhere where the manifests run them.
const _: () = assert!(MemoryPlan::DEFAULT.total() <= MOST_BY_DEFAULT);

/// The process may use less memory than the server could need with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub struct TooLittleMemory {
    plan: MemoryPlan,
    limit: u64,
}

impl Display for TooLittleMemory {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes.div_ceil(MIB);
        let (needed, limit) = (mib(self.plan.total()), self.limit / MIB);
        writeln!(
            f,
            "with these settings the server may need {needed} MiB of memory, and its control group permits {limit} MiB:"
        )?;
        let scenarios = MemoryUse { what: "the loaded scenarios", count: 1, each: self.plan.scenarios };
        let mut rows: Vec<_> = self.plan.rows().into_iter().chain([scenarios]).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.total()));
        for row in rows.iter().take(6) {
            writeln!(f, "  {:>6} MiB  {}", mib(row.total()), row.what)?;
        }
        write!(
            f,
            "raise the memory limit to at least {needed} MiB, or lower --max-connections, --max-open-calls, --cache, \
             --analyses or --max-scenario-bytes"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a size as the table in the documentation does.
    fn size(bytes: u64) -> String {
        match bytes {
            0..KIB => format!("{bytes} bytes"),
            KIB..MIB => format!("{} KiB", bytes / KIB),
            _ => format!("{} MiB", bytes / MIB),
        }
    }

    fn grouped(count: u64) -> String {
        if count < 1_000 { count.to_string() } else { format!("{},{:03}", count / 1_000, count % 1_000) }
    }

    #[test]
    fn the_documentation_has_the_table() {
        let text = include_str!("../../docs/operations.md");
        for row in MemoryPlan::DEFAULT.rows().iter().filter(|row| row.total() > 0) {
            let together = row.total().div_ceil(MIB);
            let line = format!("| {} | {} | {} | {together} MiB |", row.what, grouped(row.count), size(row.each));
            assert!(text.contains(&line), "docs/operations.md has no row {line}");
        }
        let sum = format!("| all together | | | {} MiB |", MemoryPlan::DEFAULT.total().div_ceil(MIB));
        assert!(text.contains(&sum), "docs/operations.md has no row {sum}");
    }

    #[test]
    fn a_caller_takes_as_much_as_its_row_says() {
        use crate::access::CallerKey;
        use crate::middleware::callers::CallerState;
        // An entry of a table that may be half empty, and an allocation with two counters.
        let entry = 2 * (size_of::<CallerKey>() + size_of::<usize>());
        let state = 2 * size_of::<usize>() + size_of::<CallerState>();
        // Callers with compressed requests have a semaphore.
        let semaphore = 2 * size_of::<usize>() + size_of::<tokio::sync::Semaphore>();
        assert!((entry + state + semaphore) as u64 <= CALLER, "{}", entry + state + semaphore);
    }

    #[test]
    fn the_defaults_follow_from_the_default_settings() {
        let default = MemoryPlan { analyses: 1, workers: 1, ..MemoryPlan::of(&Settings::default(), 2) };
        assert_eq!(default, MemoryPlan::DEFAULT);
    }

    #[test]
    fn a_limit_below_the_sum_is_refused_with_the_largest_parts() {
        let plan = MemoryPlan { connections: 10_000, scenarios: 30 * MIB, ..MemoryPlan::DEFAULT };
        assert_eq!(plan.check(plan.total()), Ok(()));
        let text = plan.check(plan.total() - 1).unwrap_err().to_string();
        assert!(text.contains("  625 MiB  requests that no call has read yet, on each connection"), "{text}");
        assert!(text.contains("raise the memory limit to at least"), "{text}");
    }

    #[test]
    fn sums_do_not_overflow() {
        let plan = MemoryPlan { connections: u64::MAX, cache: u64::MAX, ..MemoryPlan::DEFAULT };
        assert_eq!(plan.total(), u64::MAX);
        assert!(plan.check(u64::MAX - 1).is_err());
    }
}
