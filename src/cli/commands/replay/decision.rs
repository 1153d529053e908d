//! Lines of a log, as questions to be asked again and what was answered then.

use crate::cli::args::parsers::date;
use crate::cli::client::Turn;
use crate::cli::commands::replay::Stop;
use crate::cli::line_reader::{Input, Line};
use crate::convert::date::from_date;
use crate::schema::json::{JsonError, JsonForm};
use crate::schema::proto::v1;
use anyhow::Result;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a log has in the place of a masked value.
const MASKED: &str = "masked";
/// More of a text that a log brings is not shown.
const MAX_SHOWN: usize = 80;

/// What is found of a proposal, as far as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) verdict: v1::Verdict,
    pub(super) could_become: v1::Verdict,
    /// By their names.
    pub(super) crossed: BTreeMap<String, v1::Firmness>,
}

/// A decision as it was.
#[derive(Clone, Debug)]
pub(super) struct Was {
    pub(super) log: Arc<str>,
    pub(super) line: u64,
    pub(super) time: String,
    pub(super) request_id: String,
    pub(super) caller: String,
    pub(super) item: String,
    pub(super) found: Found,
}

/// Why a line is not asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unfit {
    Unreadable,
    NotJson,
    Torn,
    NoDecision,
    Masked,
    NoRequest,
    OtherRequest,
    NoDay,
}

impl Unfit {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Unfit::Unreadable => "the line cannot be read",
            Unfit::NotJson => "the line is not JSON",
            Unfit::Torn => "the line has no end",
            Unfit::NoDecision => "the line is no decision",
            Unfit::Masked => "what is needed is masked",
            Unfit::NoRequest => "the request is not there",
            Unfit::OtherRequest => "the request is none of this version's",
            Unfit::NoDay => "the day is not there",
        }
    }
}

/// Lines of one kind that are not asked again.
#[derive(Clone, Debug)]
pub(super) struct Unfits {
    pub(super) count: u64,
    /// The first one: its log, its line, and what more there is to say of it.
    pub(super) log: Arc<str>,
    pub(super) line: u64,
    pub(super) detail: String,
}

/// What the reader of lines leaves for whoever takes the answers.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// In the order of what is asked; no more than are read ahead.
    asked: VecDeque<Was>,
    pub(super) other_scenarios: u64,
    pub(super) unfit: BTreeMap<Unfit, Unfits>,
}

pub(super) fn locked(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// The decision whose request is answered next.
    pub(super) fn answered(&mut self) -> Option<Was> {
        self.asked.pop_front()
    }
}

/// The decisions of logs, one after the other.
pub(super) struct Decisions {
    /// The one that is read, and those after it; the first is the last one.
    logs: Vec<(Input, Arc<str>)>,
    scenario: String,
    form: JsonForm,
    shared: Arc<Mutex<Shared>>,
}

/// A line that is asked again, or why it isn't: `None` for another scenario's.
type Read = Result<(v1::EvaluateProposalRequest, Was), Option<(Unfit, String)>>;

impl Decisions {
    pub(super) fn new(logs: Vec<Input>, scenario: String, shared: Arc<Mutex<Shared>>) -> Result<Self, JsonError> {
        let named = |log: Input| {
            let name = shown(log.name()).into();
            (log, name)
        };
        let logs = logs.into_iter().rev().map(named).collect();
        Ok(Self { logs, scenario, form: JsonForm::of("EvaluateProposalRequest")?, shared })
    }

    /// Whether the next line is not there yet in full.
    pub(super) fn may_wait(&self) -> bool {
        self.logs.last().is_some_and(|(log, _)| log.may_wait())
    }

    fn read(&mut self) -> Result<Option<Turn>> {
        loop {
            let Some((log, name)) = self.logs.last_mut() else { return Ok(None) };
            let Some(line) = log.next_line()? else {
                self.logs.pop();
                continue;
            };
            let read = match line {
                Line::Unreadable(why) => Err(Some((Unfit::Unreadable, why))),
                Line::Text(text) => decision(text, &self.form, &self.scenario),
            };
            let number = log.number();
            let mut shared = locked(&self.shared);
            match read {
                Ok((request, was)) => {
                    shared.asked.push_back(Was { log: name.clone(), line: number, ..was });
                    let message = v1::StreamEvaluateProposalsRequest { id: String::new(), request: Some(request) };
                    return Ok(Some(Turn::Ask(message)));
                }
                Err(None) => shared.other_scenarios += 1,
                Err(Some((unfit, detail))) => {
                    let unfit = if unfit == Unfit::NotJson && !log.has_ended() { Unfit::Torn } else { unfit };
                    let first = || Unfits { count: 0, log: name.clone(), line: number, detail: shown(&detail) };
                    shared.unfit.entry(unfit).or_insert_with(first).count += 1;
                }
            }
        }
    }
}

impl Iterator for Decisions {
    type Item = Result<Turn, Stop>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().map_err(Stop::Failed).transpose()
    }
}

/// Reads a line of a log.
fn decision(text: &str, form: &JsonForm, scenario: &str) -> Read {
    let unfit = |unfit: Unfit, detail: String| Some((unfit, detail));
    let line = serde_json::from_str::<Value>(text).map_err(|error| unfit(Unfit::NotJson, error.to_string()))?;
    let Value::Object(mut fields) = line else { return Err(unfit(Unfit::NoDecision, "not an object".to_owned())) };
    let masked = |field: &str| unfit(Unfit::Masked, format!("`{field}`"));
    for field in ["verdict", "could_become", "scenario", "crossed"] {
        let value = fields.get(field).ok_or_else(|| unfit(Unfit::NoDecision, format!("it has no `{field}`")))?;
        if is_masked(value) {
            return Err(masked(field));
        }
    }
    let of = |field: &str| fields.get(field).and_then(Value::as_str).unwrap_or_default();
    if of("scenario") != scenario {
        return Err(None);
    }
    let unknown = |field: &str| unfit(Unfit::NoDecision, format!("its `{field}` is none that is known"));
    let verdict = |field: &str| v1::Verdict::from_str_name(of(field)).ok_or_else(|| unknown(field));
    let found = Found {
        verdict: verdict("verdict")?,
        could_become: verdict("could_become")?,
        crossed: fields.get("crossed").and_then(crossed).ok_or_else(|| unknown("crossed"))?,
    };
    let text = |field: &str| shown(of(field));
    let (time, request_id, caller) = (text("time"), text("request_id"), text("caller"));
    // A batch's items are numbered, a stream's are named.
    let item = fields.get("item").and_then(Value::as_u64).map_or_else(|| text("item"), |item| item.to_string());
    let day = of("as_of").to_owned();
    let left_out = text("left_out");
    let request = fields.remove("request").ok_or_else(|| unfit(Unfit::NoRequest, left_out))?;
    if is_masked(&request) {
        return Err(masked("request"));
    }
    let read = form.of_value::<v1::EvaluateProposalRequest>(request);
    let mut request = read.map_err(|error| unfit(Unfit::OtherRequest, error.to_string()))?;
    if request.as_of.is_none() {
        if day == MASKED {
            return Err(masked("as_of"));
        }
        let day = date(&day).map_err(|_| unfit(Unfit::NoDay, format!("`as_of` is `{day}`")))?;
        request.as_of = Some(from_date(day));
    }
    if request.scenario.is_empty() {
        scenario.clone_into(&mut request.scenario);
    }
    request.revision.clear();
    // What is crossed is in either view.
    request.set_view(v1::EvaluationView::Basic);
    Ok((request, Was { log: "".into(), line: 0, time, request_id, caller, item, found }))
}

fn crossed(value: &Value) -> Option<BTreeMap<String, v1::Firmness>> {
    let lines = value.as_array()?.iter().map(|line| {
        let firmness = v1::Firmness::from_str_name(line.get("firmness")?.as_str()?)?;
        Some((line.get("red_line")?.as_str()?.to_owned(), firmness))
    });
    lines.collect()
}

/// Whether it is masked, or anything in it.
fn is_masked(value: &Value) -> bool {
    match value {
        Value::String(text) => text == MASKED,
        Value::Array(values) => values.iter().any(is_masked),
        Value::Object(fields) => fields.values().any(is_masked),
        _ => false,
    }
}

/// A text of somebody else's, for a terminal: a line of it, and nothing that the terminal would take for an order.
pub(super) fn shown(text: &str) -> String {
    let safe = |letter: char| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter };
    text.chars().take(MAX_SHOWN).map(safe).collect()
}
