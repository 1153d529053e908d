//! Reads the lines of decision logs, which a server writes: the request to evaluate again, and the answer that was
//! logged.
//!
//! Owns which lines cannot be replayed, and why. Must not know how answers are compared or printed.

use crate::cli::args::parsers::date;
use crate::cli::client::Turn;
use crate::cli::commands::replay::replay_error::ReplayError;
use crate::cli::line_reader::{Line, LineReader};
use crate::convert::date::from_date;
use crate::schema::json::{JsonError, JsonForm};
use crate::schema::proto::v1;
use anyhow::Result;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

/// The text that a log has in place of a masked value, which the operator of the server chose not to log.
const MASKED: &str = "masked";
/// Number of characters after which a text from a log is cut off when it is shown.
const MAX_SHOWN: usize = 80;

/// The parts of an evaluation that a replay compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EvaluationSummary {
    pub(super) verdict: v1::Verdict,
    pub(super) could_become: v1::Verdict,
    /// The firmness of each crossed red line, by its full name.
    pub(super) crossed: BTreeMap<String, v1::Firmness>,
}

/// A decision in a log, and its position.
#[derive(Clone, Debug)]
pub(super) struct LoggedDecision {
    pub(super) log: Arc<str>,
    pub(super) line: u64,
    pub(super) time: String,
    pub(super) request_id: String,
    pub(super) caller: String,
    pub(super) item: String,
    pub(super) evaluation: EvaluationSummary,
}

/// The reason why a line is not replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SkipReason {
    Unreadable,
    NotJson,
    CutOff,
    NoDecision,
    Masked,
    NoRequest,
    OtherRequest,
    NoDay,
}

impl SkipReason {
    pub(super) const fn words(self) -> &'static str {
        match self {
            SkipReason::Unreadable => "the line cannot be read",
            SkipReason::NotJson => "the line is not JSON",
            SkipReason::CutOff => "the line is cut off",
            SkipReason::NoDecision => "the line is not a decision",
            SkipReason::Masked => "a needed value is masked",
            SkipReason::NoRequest => "the request is missing",
            SkipReason::OtherRequest => "the request is of another version",
            SkipReason::NoDay => "the day is missing",
        }
    }
}

/// The lines that share one reason for which they are not replayed.
#[derive(Clone, Debug)]
pub(super) struct SkippedLines {
    pub(super) count: u64,
    /// The first of these lines: its log, its number, and details of the reason.
    pub(super) log: Arc<str>,
    pub(super) line: u64,
    pub(super) detail: String,
}

/// State that the reader of the logs and the receiver of the answers share.
#[derive(Debug, Default)]
pub(super) struct ReplayState {
    /// Decisions whose requests are not answered yet, in order.
    pending: VecDeque<LoggedDecision>,
    pub(super) other_scenarios: u64,
    pub(super) skipped: BTreeMap<SkipReason, SkippedLines>,
}

pub(super) fn locked(state: &Mutex<ReplayState>) -> MutexGuard<'_, ReplayState> {
    crate::locks::lock(state)
}

impl ReplayState {
    /// Takes the decision whose request is answered next.
    pub(super) fn next_pending(&mut self) -> Option<LoggedDecision> {
        self.pending.pop_front()
    }
}

/// Reads the decisions of several logs, one after the other.
pub(super) struct Decisions {
    /// The logs that are not yet read to the end, in reverse order: the one that is being read is last.
    logs: Vec<(LineReader, Arc<str>)>,
    scenario: String,
    form: JsonForm,
    state: Arc<Mutex<ReplayState>>,
}

/// A request to replay and its decision, or the reason to skip the line; `None` for a decision on another scenario.
type ReadDecision = Result<(v1::EvaluateProposalRequest, LoggedDecision), Option<(SkipReason, String)>>;

impl Decisions {
    pub(super) fn new(
        logs: Vec<LineReader>,
        scenario: String,
        state: Arc<Mutex<ReplayState>>,
    ) -> Result<Self, JsonError> {
        let named = |log: LineReader| {
            let name = shown(log.name()).into();
            (log, name)
        };
        let logs = logs.into_iter().rev().map(named).collect();
        Ok(Self { logs, scenario, form: JsonForm::of("EvaluateProposalRequest")?, state })
    }

    /// Whether reading the next line may block.
    pub(super) fn may_block(&self) -> bool {
        self.logs.last().is_some_and(|(log, _)| log.may_block())
    }

    fn read(&mut self) -> Result<Option<Turn>> {
        loop {
            let Some((log, name)) = self.logs.last_mut() else { return Ok(None) };
            let Some(line) = log.next_line()? else {
                self.logs.pop();
                continue;
            };
            let read = match line {
                Line::Unreadable(why) => Err(Some((SkipReason::Unreadable, why))),
                Line::Text(text) => decision(text, &self.form, &self.scenario),
            };
            let number = log.number();
            let mut state = locked(&self.state);
            match read {
                Ok((request, was)) => {
                    state.pending.push_back(LoggedDecision { log: name.clone(), line: number, ..was });
                    let message = v1::StreamEvaluateProposalsRequest { id: String::new(), request: Some(request) };
                    return Ok(Some(Turn::Ask(message)));
                }
                Err(None) => state.other_scenarios += 1,
                Err(Some((reason, detail))) => {
                    let is_cut_off = reason == SkipReason::NotJson && !log.has_ended();
                    let reason = if is_cut_off { SkipReason::CutOff } else { reason };
                    let first = || SkippedLines { count: 0, log: name.clone(), line: number, detail: shown(&detail) };
                    state.skipped.entry(reason).or_insert_with(first).count += 1;
                }
            }
        }
    }
}

impl Iterator for Decisions {
    type Item = Result<Turn, ReplayError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().map_err(ReplayError::Failed).transpose()
    }
}

/// Reads a line of a log as a request to replay.
fn decision(text: &str, form: &JsonForm, scenario: &str) -> ReadDecision {
    let skip = |reason: SkipReason, detail: String| Some((reason, detail));
    let line = serde_json::from_str::<Value>(text).map_err(|error| skip(SkipReason::NotJson, error.to_string()))?;
    let Value::Object(mut fields) = line else { return Err(skip(SkipReason::NoDecision, "not an object".to_owned())) };
    let masked = |field: &str| skip(SkipReason::Masked, format!("`{field}`"));
    for field in ["verdict", "could_become", "scenario", "crossed"] {
        let value = fields.get(field).ok_or_else(|| skip(SkipReason::NoDecision, format!("no `{field}`")))?;
        if is_masked(value) {
            return Err(masked(field));
        }
    }
    let of = |field: &str| fields.get(field).and_then(Value::as_str).unwrap_or_default();
    if of("scenario") != scenario {
        return Err(None);
    }
    let unknown = |field: &str| skip(SkipReason::NoDecision, format!("unknown value of `{field}`"));
    let verdict = |field: &str| v1::Verdict::from_str_name(of(field)).ok_or_else(|| unknown(field));
    let evaluation = EvaluationSummary {
        verdict: verdict("verdict")?,
        could_become: verdict("could_become")?,
        crossed: fields.get("crossed").and_then(crossed).ok_or_else(|| unknown("crossed"))?,
    };
    let text = |field: &str| shown(of(field));
    let (time, request_id, caller) = (text("time"), text("request_id"), text("caller"));
    // The items of a batch have numbers, those of a stream have ids.
    let item = fields.get("item").and_then(Value::as_u64).map_or_else(|| text("item"), |item| item.to_string());
    let day = of("as_of").to_owned();
    let left_out = text("left_out");
    let request = fields.remove("request").ok_or_else(|| skip(SkipReason::NoRequest, left_out))?;
    if is_masked(&request) {
        return Err(masked("request"));
    }
    let read = form.of_value::<v1::EvaluateProposalRequest>(request);
    let mut request = read.map_err(|error| skip(SkipReason::OtherRequest, error.to_string()))?;
    if request.as_of.is_none() {
        if day == MASKED {
            return Err(masked("as_of"));
        }
        let day = date(&day).map_err(|_| skip(SkipReason::NoDay, format!("`as_of` is `{day}`")))?;
        request.as_of = Some(from_date(day));
    }
    if request.scenario.is_empty() {
        scenario.clone_into(&mut request.scenario);
    }
    request.revision.clear();
    // The basic view of an evaluation is enough, because it lists all crossed red lines.
    request.set_view(v1::EvaluationView::Basic);
    Ok((request, LoggedDecision { log: "".into(), line: 0, time, request_id, caller, item, evaluation }))
}

fn crossed(value: &Value) -> Option<BTreeMap<String, v1::Firmness>> {
    let lines = value.as_array()?.iter().map(|line| {
        let firmness = v1::Firmness::from_str_name(line.get("firmness")?.as_str()?)?;
        Some((line.get("red_line")?.as_str()?.to_owned(), firmness))
    });
    lines.collect()
}

/// Whether a value is masked or contains a masked value.
fn is_masked(value: &Value) -> bool {
    match value {
        Value::String(text) => text == MASKED,
        Value::Array(values) => values.iter().any(is_masked),
        Value::Object(fields) => fields.values().any(is_masked),
        _ => false,
    }
}

/// An untrusted text in a form that is safe to print: one short line without control characters.
///
/// A log may contain escape sequences, which a terminal would execute.
pub(super) fn shown(text: &str) -> String {
    let safe = |letter: char| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter };
    text.chars().take(MAX_SHOWN).map(safe).collect()
}
