//! Requests from JSON lines, one at a time.

use super::Stop;
use crate::grpc::client::Turn;
use crate::grpc::error::{ApiError, Violations};
use crate::grpc::json::{JsonError, JsonForm};
use crate::grpc::proto::v1::{
    self, evaluate_proposal_request::Subject, stream_evaluate_proposals_response::Result as Item,
};
use crate::grpc::service::{MAX_REQUEST_BYTES, MAX_STREAM_ID_BYTES};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

const READ_BYTES: usize = 64 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Lines of a file or of standard input, blank ones left out.
pub(super) struct Input {
    reader: BufReader<Box<dyn Read + Send>>,
    name: String,
    /// Of the line read last, from one, blank ones counted.
    number: u64,
    line: Vec<u8>,
}

/// A line, as far as it can be read.
pub(super) enum Line<'a> {
    Text(&'a str),
    Unreadable(String),
}

impl Input {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (reader, name): (Box<dyn Read + Send>, _) = if path == Path::new("-") {
            (Box::new(io::stdin()), "standard input".to_owned())
        } else {
            let name = path.display().to_string();
            (Box::new(File::open(path).with_context(|| format!("{name} cannot be read"))?), name)
        };
        let reader = BufReader::with_capacity(READ_BYTES, reader);
        Ok(Self { reader, name, number: 0, line: Vec::new() })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Of the line read last, from one.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line that is not blank.
    pub(super) fn next_line(&mut self) -> Result<Option<Line<'_>>> {
        let too_long = loop {
            let read = self.read_line().with_context(|| format!("{} cannot be read", self.name))?;
            let Some(too_long) = read else { return Ok(None) };
            self.number += 1;
            if self.number == 1 && self.line.starts_with(BYTE_ORDER_MARK) {
                self.line.drain(..BYTE_ORDER_MARK.len());
            }
            if too_long || !self.line.trim_ascii().is_empty() {
                break too_long;
            }
        };
        Ok(Some(if too_long {
            Line::Unreadable(format!("it is longer than the {MAX_REQUEST_BYTES} bytes that are read of a request"))
        } else {
            match std::str::from_utf8(&self.line) {
                Ok(text) => Line::Text(text),
                Err(error) => Line::Unreadable(format!("it is not UTF-8: {error}")),
            }
        }))
    }

    /// Reads a line without its end, and says whether it is too long, which is then not kept; `None` at the end.
    fn read_line(&mut self) -> io::Result<Option<bool>> {
        self.line.clear();
        let (mut some, mut too_long) = (false, false);
        loop {
            let chunk = match self.reader.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            if chunk.is_empty() {
                return Ok(some.then_some(too_long));
            }
            some = true;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
            too_long |= self.line.len() + part.len() > MAX_REQUEST_BYTES;
            if too_long {
                self.line.clear();
            } else {
                self.line.extend_from_slice(part);
            }
            let read = end.map_or(chunk.len(), |end| end + 1);
            self.reader.consume(read);
            if end.is_some() {
                return Ok(Some(too_long));
            }
        }
    }
}

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
        !self.input.reader.buffer().contains(&b'\n')
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
