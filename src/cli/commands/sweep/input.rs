//! Requests from JSON lines, one at a time.

use crate::cli::client::Turn;
use crate::cli::commands::sweep::Stop;
use crate::cli::line_reader::{Input, Line};
use crate::error::{ApiError, Violations};
use crate::schema::json::{JsonError, JsonForm};
use crate::schema::proto::v1;
use crate::schema::proto::v1::evaluate_proposal_request::Subject;
use crate::schema::proto::v1::stream_evaluate_proposals_response::Result as Item;
use crate::services::MAX_STREAM_ID_BYTES;
use anyhow::Result;
use serde_json::Value;

impl Line<'_> {
    /// The id that its answer repeats, where one can be made out.
    pub(super) fn id(&self) -> String {
        let Line::Text(text) = self else { return String::new() };
        let value = serde_json::from_str::<Value>(text).ok();
        value.as_ref().and_then(|value| value.get("id")?.as_str()).unwrap_or_default().to_owned()
    }

    /// Whether an answer with this id may be this line's.
    pub(super) fn is_answered_by(&self, answered: &str) -> bool {
        let id = self.id();
        // Of an id that is too long, enough to be recognised is repeated.
        id == answered || (id.len() > MAX_STREAM_ID_BYTES && !answered.is_empty() && id.starts_with(answered))
    }
}

/// Requests, each to be asked, or answered already since it can't be.
pub(super) struct Requests {
    input: Input,
    form: JsonForm,
    /// For requests that name none.
    scenario: String,
}

impl Requests {
    pub(super) fn new(input: Input, scenario: String) -> Result<Self, JsonError> {
        Ok(Self { input, form: JsonForm::of("StreamEvaluateProposalsRequest")?, scenario })
    }

    /// Whether the next line is not there yet in full.
    pub(super) fn may_wait(&self) -> bool {
        self.input.may_wait()
    }

    fn read(&mut self) -> Result<Option<Turn>> {
        let Some(line) = self.input.next_line()? else { return Ok(None) };
        let fault = match &line {
            Line::Unreadable(fault) => fault.clone(),
            Line::Text(text) => match self.form.read::<v1::StreamEvaluateProposalsRequest>(text) {
                Ok(mut message) => {
                    name_scenario(&self.scenario, &mut message);
                    return Ok(Some(Turn::Ask(message)));
                }
                Err(error) => format!("it is not a StreamEvaluateProposalsRequest: {error}"),
            },
        };
        let mut id = line.id();
        id.truncate((0..=MAX_STREAM_ID_BYTES).rev().find(|at| id.is_char_boundary(*at)).unwrap_or(0));
        let error = ApiError::InvalidRequest(Violations::one(format!("line {}", self.input.number()), fault));
        Ok(Some(Turn::Answered(v1::StreamEvaluateProposalsResponse { id, result: Some(Item::Error(error.into())) })))
    }
}

impl Iterator for Requests {
    type Item = Result<Turn, Stop>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().map_err(Stop::Failed).transpose()
    }
}

/// The name of a reference proposal says its scenario; whatever else is asked is asked of the one that is named.
fn name_scenario(scenario: &str, message: &mut v1::StreamEvaluateProposalsRequest) {
    if let Some(request) = &mut message.request {
        let is_named = !request.scenario.is_empty() || matches!(request.subject, Some(Subject::ProposalName(_)));
        if !is_named && !scenario.is_empty() {
            scenario.clone_into(&mut request.scenario);
        }
    }
}
