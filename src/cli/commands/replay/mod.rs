//! `detente replay`: evaluates the requests of a decision log again and reports what changed.
//!
//! Owns what counts as a change. Must not know how proposals are evaluated. Memory is bounded: without a server, one
//! line is read at a time; with a server, a bounded number of requests is sent ahead of the answers.

mod change;
mod decision;
mod outcome;
mod output;
mod replay_error;

use crate::cli::backend::{Backend, Target};
use crate::cli::client::{Sink, StreamError, Turn};
use crate::cli::line_reader::LineReader;
use crate::cli::report::OutputFormat;
use crate::error::CallError;
use crate::services::RedLines;
use anyhow::{Result, anyhow};
use clap::Args;
use decision::{Decisions, ReplayState};
use outcome::Outcomes;
use output::Output;
use replay_error::ReplayError;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

pub(super) const EXAMPLES: &str = "\
LOG is a file that `detente serve --decision-log` writes. Each request in it is evaluated again
with the scenario as it is now, even if the request pins an older revision. A request that names
no day is evaluated on the day of the logged decision, so that a later default day does not count
as a change.

A decision counts as changed if the verdict, the verdict that it could become, the set of crossed
red lines or the firmness of one of them differs, or if the request is now refused. Lines that
cannot be replayed (not a decision, without a request, with masked values that are needed) are
counted by reason, with the first line of each. Decisions on other scenarios are counted, too.

Exit codes: 0, nothing changed; 1, something changed, or the replay stopped early; 2, wrong usage.

--output json prints one line per changed decision:
  change                            changed or refused
  time, request_id, caller, item    the logged call
  log, line                         the position in the logs
  was, is                           verdict and could_become in the log and now
  reason, message                   in place of `is`: why the request is refused
  newly_crossed, no_longer_crossed  lists of red_line and firmness
  firmness                          list of red_line, was and is, for a different firmness
and a last line {\"summary\":{...}} with scenario, revision, replayed, same, changed, refused,
other_scenarios, not_replayable, and reasons (reason, count, and the log, line and detail of the
first line).

Examples:
  detente replay decisions.jsonl.2 decisions.jsonl.1 decisions.jsonl --scenario new.yaml
  detente replay decisions.jsonl --server http://127.0.0.1:50051
  zcat decisions-*.gz | detente replay - --output json | jq -c 'select(.change)'";

/// The longest line that is read, in bytes.
const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;

/// The options of `detente replay`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// Decision logs, from the oldest to the newest; `-` is standard input.
    #[arg(value_name = "LOG", required = true)]
    logs: Vec<PathBuf>,

    #[command(flatten)]
    target: Target,

    /// Format of the report.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
}

/// Exit code if a request gets a different answer than the logged one, or is refused now.
const CHANGED: u8 = 1;

pub(super) fn run(options: &Options) -> Result<ExitCode> {
    // All logs are opened first, so that a wrong name is reported before any work is done.
    let open = |path: &PathBuf| LineReader::open(path, MAX_LINE_BYTES, "a decision");
    let logs = options.logs.iter().map(open).collect::<Result<Vec<_>>>()?;
    let backend = options.target.open()?;
    let scenario = backend.get_scenario(options.target.scenario_name())?;
    let state = Arc::new(Mutex::new(ReplayState::default()));
    let decisions = Decisions::new(logs, scenario.name.clone(), state.clone())?;
    let mut outcomes = Outcomes::new(state, Output::new(options.output, options.logs.len() > 1));
    let ended = match &backend {
        Backend::Local(service) => answer_locally(service, decisions, &mut outcomes),
        Backend::Remote(client) => {
            client.evaluate_stream(decisions, &mut outcomes).map_err(|unfinished| match unfinished {
                StreamError::Server(status) => ReplayError::Failed(CallError::from(status).into()),
                StreamError::Local(error) => error,
            })
        }
    };
    // The changes found so far are printed even if the replay failed.
    let printed = outcomes.end(&scenario, ended.is_ok());
    match ended.and(printed) {
        Ok(()) | Err(ReplayError::ReaderGone) if outcomes.has_changed() => Ok(ExitCode::from(CHANGED)),
        Ok(()) | Err(ReplayError::ReaderGone) => Ok(ExitCode::SUCCESS),
        Err(ReplayError::Failed(error)) => Err(anyhow!("replay stopped after {}\n  {error:#}", outcomes.replayed())),
    }
}

fn answer_locally(service: &RedLines, mut decisions: Decisions, outcomes: &mut Outcomes) -> Result<(), ReplayError> {
    loop {
        if decisions.may_block() {
            outcomes.flush()?;
        }
        match decisions.next().transpose()? {
            None => return Ok(()),
            Some(Turn::Ask(request)) => outcomes.put(service.stream_item(&request))?,
            Some(Turn::Answered(answer)) => outcomes.put(answer)?,
        }
    }
}
