//! Records each evaluation: in the counts of verdicts, in the call's summary and in the decision log.
//!
//! The decision log has one JSON line for each evaluation. Must not know how an evaluation is computed, or where the
//! decision log is written.

use crate::convert::red_line::from_firmness;
use crate::error::{ApiError, reason_name};
use crate::schema::json::JsonForm;
use crate::schema::names;
use crate::schema::proto::v1;
use crate::services::RedLines;
use crate::services::record::{count, verdict_name};
use crate::serving::Outline;
use detente_core::engine::{Compiled, Evaluation, Status, Verdict};
use prost::Message;
use serde_json::{Map, Value, json};
use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime};

static REQUEST: LazyLock<Option<JsonForm>> = LazyLock::new(|| JsonForm::of("EvaluateProposalRequest").ok());

/// One evaluation of a call.
pub(super) struct EvaluationRecord<'a> {
    /// The name of the method, without the service.
    pub(super) method: &'static str,
    /// Identifies the evaluation if the call makes several; otherwise `None`.
    ///
    /// It is the message's id in a stream, the label in a comparison, and the index in a batch or history.
    pub(super) item: Option<String>,
    /// Whether the answer came from the cache.
    pub(super) cached: bool,
    /// When the work on the evaluation began.
    pub(super) begun: Instant,
    /// The request for this evaluation alone.
    pub(super) request: &'a v1::EvaluateProposalRequest,
}

impl RedLines {
    /// Whether the cache or the decision log needs the outline of an evaluation, which is its summary.
    pub(super) fn needs_outline(&self) -> bool {
        self.shared.cache.is_some() || self.shared.record.decisions.is_some()
    }

    /// Records an evaluation in the call's summary, the counts of verdicts and the decision log.
    ///
    /// The counts and the log include it only once the call is answered.
    pub(super) fn record(&self, evaluated: EvaluationRecord<'_>, verdict: Verdict, outline: Option<Arc<Outline>>) {
        let record = &self.shared.record;
        let verdicts = record.verdicts.clone();
        self.call.when_answered(move || count(&*verdicts, verdict));
        let mut summary = self.call.summary();
        match evaluated.item {
            None => (summary.verdict, summary.cached) = (Some(verdict_name(verdict)), Some(evaluated.cached)),
            Some(_) => summary.evaluations += 1,
        }
        if record.content && evaluated.item.is_none() {
            let form = REQUEST.as_ref().and_then(|form| form.value(evaluated.request).ok());
            summary.content = form.map(|form| form.to_string());
        }
        drop(summary);
        let (Some(decisions), Some(outline)) = (&record.decisions, outline) else { return };
        if !decisions.wants() {
            return;
        }
        let (time, took) = (SystemTime::now(), evaluated.begun.elapsed());
        let (call, request) = (&self.call, evaluated.request.clone());
        // The line may wait to be written for longer than the call is open, so it does not hold the call.
        let (id, trace_id, caller) = (call.id().to_owned(), call.trace_id().map(str::to_owned), call.caller().cloned());
        let EvaluationRecord { method, item, cached, .. } = evaluated;
        let (decisions, bytes) = (decisions.clone(), request.encoded_len());
        let line = move || {
            let mut line = Map::new();
            let mut put = |name: &str, value: Value| drop(line.insert(name.to_owned(), value));
            let time = jiff::Timestamp::try_from(time).unwrap_or_default();
            put("time", json!(format!("{time:.6}")));
            put("request_id", json!(id));
            trace_id.into_iter().for_each(|id| put("trace_id", json!(id)));
            if let Some(caller) = caller {
                put("caller", json!(caller.name()));
                put("caller_kind", json!(caller.kind().as_str()));
            }
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

    /// Records an evaluation that did not come from the cache.
    pub(super) fn record_evaluation(&self, evaluated: EvaluationRecord<'_>, compiled: &Compiled, found: &Evaluation) {
        self.record(evaluated, found.verdict, self.outline_of(compiled, found));
    }

    /// Returns the outline of an evaluation that did not come from the cache. `None` if there is no decision log,
    /// because nothing else needs this outline.
    pub(super) fn outline_of(&self, compiled: &Compiled, found: &Evaluation) -> Option<Arc<Outline>> {
        self.shared.record.decisions.as_ref().map(|_| Arc::new(outline(compiled, found)))
    }

    /// Counts an error of one item of a batch or stream in the metrics.
    pub(super) fn count_refused_item(&self, error: &ApiError) {
        if let Some(metrics) = &self.shared.record.metrics {
            metrics.refused(reason_name(error.reason()));
            error.limits().iter().for_each(|limit| metrics.over_limit(limit));
        }
    }
}

/// Returns an evaluation in brief, as the decision log records it.
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
