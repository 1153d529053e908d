//! Metrics that other modules already count: registered here, and read at each scrape.
//!
//! Owns the names and help texts of these metrics; must not count anything itself.

use crate::middleware::call_limits::CallCounts;
use crate::server::Gates;
use crate::services::{AnalysisThreads, Record};
use crate::serving::{AnalysisCounts, Cache, CacheCounts, DecisionLog, DefaultState, Reloads, Store};
use crate::telemetry::{Labels, Metrics, Sample, register_process};
use crate::transport::tls::Tls;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::UNIX_EPOCH;

/// Creates one sample without labels.
fn unlabelled(value: u64) -> Vec<Sample> {
    vec![(Labels::new(), value as f64)]
}

fn labelled<'a>(name: &'static str, values: impl IntoIterator<Item = (&'a str, u64)>) -> Vec<Sample> {
    values.into_iter().map(|(label, value)| (vec![(name, label.to_owned())], value as f64)).collect()
}

/// Registers the metrics of a server and of its process, except those of its reloads: see [`register_reloads`].
pub(crate) fn register(
    metrics: &Metrics,
    gates: &Gates,
    store: &Arc<Store>,
    cache: Option<&Arc<Cache>>,
    threads: &AnalysisThreads,
    record: &Record,
    tls: Option<&Tls>,
) {
    register_process(metrics);
    register_calls(metrics, gates, record);
    if let Some(cache) = cache {
        register_cache(metrics, cache);
    }
    register_analyses(metrics, threads);
    register_scenarios(metrics, store);
    register_default_scenario(metrics, store);
    if let Some(decisions) = record.decisions.clone() {
        register_decisions(metrics, decisions);
    }
    if let Some(tls) = tls.cloned() {
        register_certificate(metrics, tls);
    }
}

fn register_calls(metrics: &Metrics, gates: &Gates, record: &Record) {
    let calls = gates.calls.clone();
    metrics.gauge("detente_calls_in_flight", "Open calls, streams included", move || unlabelled(calls.len() as u64));
    let stalled = gates.stalled.clone();
    metrics.counter("detente_calls_stalled", "Calls reset because the client left the answer unread", move || {
        unlabelled(stalled.load(Relaxed))
    });
    let counts = |read: fn(CallCounts) -> u64| {
        let bounds = gates.bounds.clone();
        move || unlabelled(read(bounds.counts()))
    };
    metrics.gauge(
        "detente_calls_open",
        "Admitted calls whose answers have not left the server",
        counts(|counts| counts.calls as u64),
    );
    metrics.gauge(
        "detente_calls_waiting",
        "Calls that wait for memory for their answers",
        counts(|counts| counts.waiting as u64),
    );
    metrics.counter(
        "detente_calls_evicted",
        "Calls and connections ended because others needed the memory of their unread answers",
        counts(|counts| counts.evicted),
    );
    let bounds = gates.bounds.clone();
    metrics.gauge("detente_call_memory_bytes", "Memory taken by open calls, by its use", move || {
        let CallCounts { requests, answers, .. } = bounds.counts();
        labelled("use", [("requests", requests as u64), ("answers", answers as u64)])
    });
    let callers = gates.callers.clone();
    metrics.gauge("detente_callers", "Callers that the server has counted lately", move || {
        unlabelled(callers.len() as u64)
    });
    let connections = gates.connections.clone();
    metrics.gauge("detente_connections_open", "Open connections", move || unlabelled(connections.load(Relaxed) as u64));
    let verdicts = record.clone();
    metrics.counter("detente_evaluations", "Evaluations answered, by verdict", move || {
        labelled("verdict", verdicts.verdicts())
    });
}

fn register_cache(metrics: &Metrics, cache: &Arc<Cache>) {
    let counts = |read: fn(CacheCounts) -> u64| {
        let cache = cache.clone();
        move || unlabelled(read(cache.counts()))
    };
    metrics.counter("detente_cache_hits", "Answers found in the cache", counts(|counts| counts.hits));
    metrics.counter("detente_cache_misses", "Answers not found in the cache", counts(|counts| counts.misses));
    metrics.counter("detente_cache_evictions", "Answers evicted from the cache", counts(|counts| counts.evictions));
    metrics.gauge("detente_cache_entries", "Answers in the cache", counts(|counts| counts.entries));
    metrics.gauge("detente_cache_bytes", "Size of the cache in bytes", counts(|counts| counts.bytes));
}

fn register_analyses(metrics: &Metrics, threads: &AnalysisThreads) {
    let counts = |read: fn(AnalysisCounts) -> u64| {
        let threads = threads.clone();
        move || unlabelled(read(threads.counts()))
    };
    metrics.gauge("detente_analyses_running", "Analyses that are running", counts(|counts| counts.running as u64));
    metrics.gauge(
        "detente_analyses_parked",
        "Analyses that have begun and gave way to another caller's",
        counts(|counts| counts.parked as u64),
    );
    metrics.gauge("detente_analyses_waiting", "Analyses waiting for a thread", counts(|counts| counts.waiting as u64));
    metrics.counter(
        "detente_analyses_shared",
        "Analyses that joined an identical one already running or waiting",
        counts(|counts| counts.shared),
    );
    metrics.counter(
        "detente_analyses_refused",
        "Analyses rejected because the queue, or their caller's half of it, was full",
        counts(|counts| counts.refused),
    );
    metrics.counter(
        "detente_analyses_abandoned",
        "Analyses cancelled because all of their callers left",
        counts(|counts| counts.abandoned),
    );
}

fn register_scenarios(metrics: &Metrics, store: &Arc<Store>) {
    let held = store.clone();
    metrics.gauge("detente_scenario_info", "Scenarios being served, with their current revisions", move || {
        let info = held.list().into_iter().map(|compiled| {
            let scenario = compiled.scenario();
            (vec![("scenario", scenario.id.to_string()), ("revision", scenario.revision.to_string())], 1.0)
        });
        info.collect()
    });
}

fn register_default_scenario(metrics: &Metrics, store: &Arc<Store>) {
    let held = store.clone();
    let description = "State of the default scenario: 1 for its current state, 0 for the others";
    metrics.gauge("detente_default_scenario", description, move || {
        let now = held.default_state();
        let states =
            [("served", DefaultState::Served), ("kept", DefaultState::Kept), ("missing", DefaultState::Missing)];
        labelled("state", states.map(|(name, state)| (name, u64::from(state == now))))
    });
    let held = store.clone();
    let description = "Changes of the default scenario because scenarios were added or removed";
    metrics.counter("detente_default_scenario_changes", description, move || unlabelled(held.default_changes()));
}

fn register_decisions(metrics: &Metrics, decisions: DecisionLog) {
    metrics.counter("detente_decisions", "Evaluations offered to the decision log, by outcome", move || {
        let counts = decisions.counts();
        labelled(
            "outcome",
            [
                ("written", counts.written),
                ("dropped", counts.dropped),
                ("failed", counts.failed),
                ("left_out", counts.left_out),
            ],
        )
    });
}

fn register_certificate(metrics: &Metrics, tls: Tls) {
    let description = "Expiry of the server's certificate, in seconds since 1970";
    metrics.gauge("detente_tls_certificate_expiry_timestamp_seconds", description, move || {
        unlabelled(tls.expires().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
    });
}

/// Registers the metrics of the reloads of scenario and credential files.
pub(crate) fn register_reloads(metrics: &Metrics, reloads: &Reloads) {
    let all = reloads.clone();
    metrics.counter(
        "detente_reloads",
        "Reloads that changed something, failed or took too long, by file kind and outcome",
        move || {
            let counts = all.counts().into_iter().flat_map(|(what, counts)| {
                let outcomes = [("changed", counts.changed), ("failed", counts.failed), ("overdue", counts.overdue)];
                outcomes.map(|(outcome, count)| {
                    (vec![("what", what.to_owned()), ("outcome", outcome.to_owned())], count as f64)
                })
            });
            counts.collect()
        },
    );
    let all = reloads.clone();
    let description = "Files that cannot be used in their current state; their last valid content stays in use";
    metrics.gauge("detente_faulty_files", description, move || {
        labelled("what", all.counts().into_iter().map(|(what, counts)| (what, counts.faulty)))
    });
    let all = reloads.clone();
    let description = "When the last reload ended, by file kind, in seconds since 1970";
    metrics.gauge("detente_reload_completed_timestamp_seconds", description, move || {
        labelled("what", all.counts().into_iter().map(|(what, counts)| (what, counts.completed)))
    });
    let all = reloads.clone();
    let description = "When the current reload began, by file kind, in seconds since 1970; 0 if none is running";
    metrics.gauge("detente_reload_running_since_timestamp_seconds", description, move || {
        labelled("what", all.counts().into_iter().map(|(what, counts)| (what, counts.running_since)))
    });
}
