//! What is counted elsewhere anyway, as metrics: read when somebody looks.

use crate::server::Gates;
use crate::services::{AnalysisThreads, Record};
use crate::serving::{AnalysisCounts, Cache, CacheCounts, Reloads, Store};
use crate::telemetry::{Labels, Metrics, Sample};
use crate::transport::tls::Tls;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::UNIX_EPOCH;

/// One sample without labels.
fn one(value: u64) -> Vec<Sample> {
    vec![(Labels::new(), value as f64)]
}

fn labelled<'a>(name: &'static str, values: impl IntoIterator<Item = (&'a str, u64)>) -> Vec<Sample> {
    values.into_iter().map(|(label, value)| (vec![(name, label.to_owned())], value as f64)).collect()
}

pub(crate) fn watch(
    metrics: &Metrics,
    gates: &Gates,
    store: &Arc<Store>,
    cache: Option<&Arc<Cache>>,
    threads: &AnalysisThreads,
    record: &Record,
    tls: Option<&Tls>,
) {
    let calls = gates.calls.clone();
    metrics.gauge("detente_calls_in_flight", "Calls that are under way, streams included", move || {
        one(calls.len() as u64)
    });
    let stalled = gates.stalled.clone();
    metrics.counter(
        "detente_calls_stalled",
        "Calls that were reset because their answers were left unread",
        move || one(stalled.load(Relaxed)),
    );
    let connections = gates.connections.clone();
    metrics
        .gauge("detente_connections_open", "Connections that are open", move || one(connections.load(Relaxed) as u64));
    let verdicts = record.clone();
    metrics.counter("detente_evaluations", "Evaluations answered, by verdict", move || {
        labelled("verdict", verdicts.verdicts())
    });
    if let Some(cache) = cache {
        let counts = |read: fn(CacheCounts) -> u64| {
            let cache = cache.clone();
            move || one(read(cache.counts()))
        };
        metrics.counter("detente_cache_hits", "Answers found in the cache", counts(|counts| counts.hits));
        metrics.counter("detente_cache_misses", "Answers not found in the cache", counts(|counts| counts.misses));
        metrics.counter("detente_cache_evictions", "Answers that the cache let go", counts(|counts| counts.evictions));
        metrics.gauge("detente_cache_entries", "Answers in the cache", counts(|counts| counts.entries));
        metrics.gauge("detente_cache_bytes", "What the cache takes, in bytes", counts(|counts| counts.bytes));
    }
    let counts = |read: fn(AnalysisCounts) -> u64| {
        let threads = threads.clone();
        move || one(read(threads.counts()))
    };
    metrics.gauge("detente_analyses_running", "Analyses that are worked on", counts(|counts| counts.running as u64));
    metrics.gauge(
        "detente_analyses_waiting",
        "Analyses that wait for a thread",
        counts(|counts| counts.waiting as u64),
    );
    metrics.counter("detente_analyses_shared", "Analyses that joined an equal one", counts(|counts| counts.shared));
    metrics.counter(
        "detente_analyses_refused",
        "Analyses turned away since the queue was full",
        counts(|counts| counts.refused),
    );
    metrics.counter("detente_analyses_abandoned", "Analyses whose callers all left", counts(|counts| counts.abandoned));
    let held = store.clone();
    metrics.gauge("detente_scenario_info", "The scenarios that are served, and their revisions", move || {
        let info = held.list().into_iter().map(|compiled| {
            let scenario = compiled.scenario();
            (vec![("scenario", scenario.id.to_string()), ("revision", scenario.revision.to_string())], 1.0)
        });
        info.collect()
    });
    if let Some(decisions) = record.decisions.clone() {
        metrics.counter("detente_decisions", "Evaluations for the decision log, by what became of them", move || {
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
    if let Some(tls) = tls.cloned() {
        let description = "When the server's certificate expires, in seconds since 1970";
        metrics.gauge("detente_tls_certificate_expiry_timestamp_seconds", description, move || {
            one(tls.expires().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
        });
    }
}

pub(crate) fn watch_reloads(metrics: &Metrics, reloads: &Reloads) {
    let all = reloads.clone();
    metrics.counter(
        "detente_reloads",
        "Reloads of files that were otherwise, by what they are and what came of it",
        move || {
            let counts = all.counts().into_iter().flat_map(|(what, counts)| {
                [("changed", counts.changed), ("failed", counts.failed)].map(|(outcome, count)| {
                    (vec![("what", what.to_owned()), ("outcome", outcome.to_owned())], count as f64)
                })
            });
            counts.collect()
        },
    );
    let all = reloads.clone();
    let description = "Files that can't be used as they are now; what they last held is served";
    metrics.gauge("detente_faulty_files", description, move || {
        labelled("what", all.counts().into_iter().map(|(what, counts)| (what, counts.faulty)))
    });
}
