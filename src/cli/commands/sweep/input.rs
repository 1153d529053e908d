//! Reads requests from JSON lines, one at a time.
//!
//! Owns the answers to lines that are not requests. Must not know how requests are answered.

use crate::cli::client::Turn;
use crate::cli::commands::sweep::sweep_error::SweepError;
use crate::cli::line_reader::{Line, LineReader};
use crate::error::{ApiError, Violations};
use crate::schema::json::{JsonError, JsonForm};
use crate::schema::proto::v1;
use crate::schema::proto::v1::evaluate_proposal_request::Subject;
use crate::schema::proto::v1::stream_evaluate_proposals_response::Result as Item;
use crate::services::MAX_STREAM_ID_BYTES;
use anyhow::Result;
use serde_json::Value;

impl Line<'_> {
    /// The `id` of the line, which its answer repeats; empty if the line has none or is not JSON.
    pub(super) fn id(&self) -> String {
        let Line::Text(text) = self else { return String::new() };
        let value = serde_json::from_str::<Value>(text).ok();
        value.as_ref().and_then(|value| value.get("id")?.as_str()).unwrap_or_default().to_owned()
    }

    /// Whether an answer with this id may be the answer to this line.
    pub(super) fn is_answered_by(&self, answered: &str) -> bool {
        let id = self.id();
        // An answer repeats only the beginning of an id that is too long.
        id == answered || (id.len() > MAX_STREAM_ID_BYTES && !answered.is_empty() && id.starts_with(answered))
    }
}

/// Reads the input: requests to send, and error answers for lines that are not requests.
pub(super) struct Requests {
    input: LineReader,
    form: JsonForm,
    /// The name of the scenario for requests that name none.
    scenario: String,
}

impl Requests {
    pub(super) fn new(input: LineReader, scenario: String) -> Result<Self, JsonError> {
        Ok(Self { input, form: JsonForm::of("StreamEvaluateProposalsRequest")?, scenario })
    }

    /// Whether reading the next line may block.
    pub(super) fn may_block(&self) -> bool {
        self.input.may_block()
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
                Err(error) => format!("the line is not a StreamEvaluateProposalsRequest: {error}"),
            },
        };
        let mut id = line.id();
        id.truncate((0..=MAX_STREAM_ID_BYTES).rev().find(|at| id.is_char_boundary(*at)).unwrap_or(0));
        let error = ApiError::InvalidRequest(Violations::one(format!("line {}", self.input.number()), fault));
        Ok(Some(Turn::Answered(v1::StreamEvaluateProposalsResponse { id, result: Some(Item::Error(error.into())) })))
    }
}

impl Iterator for Requests {
    type Item = Result<Turn, SweepError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().map_err(SweepError::Failed).transpose()
    }
}

/// Sets the scenario of a request that names neither a scenario nor a reference proposal.
fn name_scenario(scenario: &str, message: &mut v1::StreamEvaluateProposalsRequest) {
    if let Some(request) = &mut message.request {
        let is_named = !request.scenario.is_empty() || matches!(request.subject, Some(Subject::ProposalName(_)));
        if !is_named && !scenario.is_empty() {
            scenario.clone_into(&mut request.scenario);
        }
    }
}
