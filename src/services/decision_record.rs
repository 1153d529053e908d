//! The decision record: what is counted and written down of each evaluation besides its answer.

use crate::convert::evaluation::from_verdict;
use crate::convert::red_line::from_firmness;
use crate::error::{ApiError, reason_name};
use crate::schema::json::JsonForm;
use crate::schema::names;
use crate::schema::proto::v1;
use crate::services::RedLines;
use crate::serving::{DecisionLog, Outline};
use crate::telemetry::Metrics;
use detente_core::engine::{Compiled, Evaluation, Status, Verdict};
use prost::Message;
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime};

static REQUEST: LazyLock<Option<JsonForm>> = LazyLock::new(|| JsonForm::of("EvaluateProposalRequest").ok());

/// What becomes of evaluations besides their answers.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Where each is written down.
    pub decisions: Option<DecisionLog>,
    /// Where errors of single items are counted.
    pub metrics: Option<Metrics>,
    /// Whether requests are told with their calls, in the log and in spans.
    pub content: bool,
    verdicts: Arc<[AtomicU64; VERDICTS.len()]>,
}

/// The verdicts, in the order in which they are counted.
const VERDICTS: [Verdict; 5] =
    [Verdict::Blocked, Verdict::Undeliverable, Verdict::Contested, Verdict::Undetermined, Verdict::Unopposed];

impl Record {
    /// How many evaluations came to each verdict.
    pub fn verdicts(&self) -> Vec<(&'static str, u64)> {
        let counted = VERDICTS.iter().zip(self.verdicts.iter());
        counted.map(|(verdict, count)| (verdict_name(*verdict), count.load(Relaxed))).collect()
    }
}

fn count(verdicts: &[AtomicU64], verdict: Verdict) {
    let counter = VERDICTS.iter().position(|counted| *counted == verdict).and_then(|at| verdicts.get(at));
    if let Some(counter) = counter {
        counter.fetch_add(1, Relaxed);
    }
}

/// A verdict as the API and the logs name it.
fn verdict_name(verdict: Verdict) -> &'static str {
    from_verdict(verdict).as_str_name()
}

/// Which evaluation of which call.
pub(super) struct Evaluated<'a> {
    /// The method's name.
    pub(super) method: &'static str,
    /// Of several in one call: the message's id, or its place.
    pub(super) item: Option<String>,
    pub(super) cached: bool,
    pub(super) begun: Instant,
    /// What was asked.
    pub(super) request: &'a v1::EvaluateProposalRequest,
}

impl RedLines {
    /// Whether what was found needs to be known in brief.
    pub(super) fn needs_outline(&self) -> bool {
        self.shared.cache.is_some() || self.shared.record.decisions.is_some()
    }

    /// Counts and writes down what was evaluated, once it is answered.
    pub(super) fn record(&self, evaluated: Evaluated<'_>, verdict: Verdict, outline: Option<Arc<Outline>>) {
        let record = &self.shared.record;
        let verdicts = record.verdicts.clone();
        self.call.when_answered(move || count(&*verdicts, verdict));
        let mut told = self.call.summary();
        match evaluated.item {
            None => (told.verdict, told.cached) = (Some(verdict_name(verdict)), Some(evaluated.cached)),
            Some(_) => told.evaluations += 1,
        }
        if record.content && evaluated.item.is_none() {
            let form = REQUEST.as_ref().and_then(|form| form.value(evaluated.request).ok());
            told.content = form.map(|form| form.to_string());
        }
        drop(told);
        let (Some(decisions), Some(outline)) = (&record.decisions, outline) else { return };
        if !decisions.wants() {
            return;
        }
        let (time, took) = (SystemTime::now(), evaluated.begun.elapsed());
        let (call, request) = (self.call.clone(), evaluated.request.clone());
        let Evaluated { method, item, cached, .. } = evaluated;
        let (decisions, bytes) = (decisions.clone(), request.encoded_len());
        let line = move || {
            let mut line = Map::new();
            let mut put = |name: &str, value: Value| drop(line.insert(name.to_owned(), value));
            let time = jiff::Timestamp::try_from(time).unwrap_or_default();
            put("time", json!(format!("{time:.6}")));
            put("request_id", json!(call.id()));
            call.trace_id().into_iter().for_each(|id| put("trace_id", json!(id)));
            call.caller().into_iter().for_each(|caller| put("caller", json!(caller.name())));
            put("method", json!(method));
            item.into_iter().for_each(|item| put("item", json!(item)));
            put("scenario", json!(outline.scenario));
            put("revision", json!(outline.revision));
            put("as_of", json!(outline.as_of));
            put("verdict", json!(verdict_name(outline.verdict)));
            put("could_become", json!(verdict_name(outline.could_become)));
            let crossed = outline.crossed.iter();
            let crossed = crossed
                .map(|(name, firmness)| json!({"red_line": name, "firmness": from_firmness(*firmness).as_str_name()}));
            put("crossed", crossed.collect());
            put("cached", json!(cached));
            put("duration_us", json!(u64::try_from(took.as_micros()).unwrap_or(u64::MAX)));
            let request = REQUEST.as_ref().and_then(|form| form.value(&request).ok());
            request.into_iter().for_each(|request| put("request", request));
            Value::Object(line)
        };
        self.call.when_answered(move || decisions.offer_holding(bytes, line));
    }

    /// Counts and writes down an evaluation that did not come from the cache.
    pub(super) fn record_found(&self, evaluated: Evaluated<'_>, compiled: &Compiled, found: &Evaluation) {
        self.record(evaluated, found.verdict, self.outline_of(compiled, found));
    }

    /// The outline of an evaluation, if there is a decision log.
    pub(super) fn outline_of(&self, compiled: &Compiled, found: &Evaluation) -> Option<Arc<Outline>> {
        self.shared.record.decisions.as_ref().map(|_| Arc::new(outline(compiled, found)))
    }

    /// Counts an error that is answered for one item among others.
    pub(super) fn refused_item(&self, error: &ApiError) {
        if let Some(metrics) = &self.shared.record.metrics {
            metrics.refused(reason_name(error.reason()));
            error.limits().iter().for_each(|limit| metrics.over_limit(limit));
        }
    }
}

/// An evaluation in brief.
pub(super) fn outline(compiled: &Compiled, found: &Evaluation) -> Outline {
    let scenario = compiled.scenario();
    let crossed = found.findings.iter().filter(|finding| finding.status == Status::Crossed);
    let crossed = crossed.filter_map(|finding| {
        let (lowest, _) = finding.firmness?;
        Some((names::red_line(&scenario.id, &found.red_line(scenario, finding)?.id), lowest))
    });
    Outline {
        scenario: names::scenario(&scenario.id),
        revision: scenario.revision.to_string(),
        as_of: found.day.to_string(),
        verdict: found.verdict,
        could_become: found.could_become,
        crossed: crossed.collect(),
    }
}
