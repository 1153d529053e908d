//! `detente replay`: what a log of decisions says was asked is asked again, and what is answered differently is told.
//!
//! Owns what counts as a change. Memory is constant: a line at a time here, a bounded number ahead of the answers with
//! a server.

mod change;
mod decision;
mod outcome;
mod output;

use crate::cli::backend::{Backend, Target};
use crate::cli::client::{Sink, Turn, Unfinished};
use crate::cli::line_reader::Input;
use crate::cli::report::OutputFormat;
use crate::error::Refusal;
use crate::services::RedLines;
use anyhow::{Error, Result, anyhow};
use clap::Args;
use decision::{Decisions, Shared};
use outcome::Outcomes;
use output::Output;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

pub(super) const EXAMPLES: &str = "\
A LOG is what `detente serve --decision-log` writes. Every request in it is asked again, of the
scenario as it is now: the revision that a request pinned is passed over. A request that named no
day is asked of the day that it was answered for, so that a default day that has moved is no change.

A decision has changed if its verdict has, or what it could become, or which red lines are crossed,
or how firmly. One that is refused now has, too. Lines without a request, with masked values that
are needed, or that are no decisions are counted, with the first of each kind; so are those of
other scenarios than the one that is asked.

Ends with 0 if nothing changed; with 1 if something did, or if it breaks off; with 2 on wrong usage.

With --output json, a line for each decision that changed:
  change             changed or refused
  time, request_id, caller, item, log, line      where it is
  was, is            verdict and could_become; without `is`, reason and message: it is refused
  newly_crossed, no_longer_crossed               each with red_line and firmness
  firmness           red_line, was and is of what is crossed with another firmness
and a last one, {\"summary\":{...}}, with scenario, revision, replayed, same, changed, refused,
other_scenarios, not_replayable, and reasons (reason, count, and log, line and detail of the first).

Examples:
  detente replay decisions.jsonl.2 decisions.jsonl.1 decisions.jsonl --scenario new.yaml
  detente replay decisions.jsonl --server http://127.0.0.1:50051
  zcat decisions-*.gz | detente replay - --output json | jq -c 'select(.change)'";

/// The longest line that is read, in bytes.
const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;

/// The options of `detente replay`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Options {
    /// Logs of decisions, in their order; `-` is standard input.
    #[arg(value_name = "LOG", required = true)]
    logs: Vec<PathBuf>,

    #[command(flatten)]
    target: Target,

    /// How to print what changed.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
}

/// Why a replay ends before its last line.
#[derive(Debug)]
enum Stop {
    /// Who reads what changed has seen enough.
    ReaderGone,
    Failed(Error),
}

/// It breaks off, or something changed.
const CHANGED: u8 = 1;

pub(super) fn run(options: &Options) -> Result<ExitCode> {
    // All are opened first: a name that is wrong is told before anything is done.
    let open = |path: &PathBuf| Input::open(path, MAX_LINE_BYTES, "a decision");
    let logs = options.logs.iter().map(open).collect::<Result<Vec<_>>>()?;
    let answerer = options.target.open()?;
    let scenario = answerer.get_scenario(options.target.scenario_name())?;
    let shared = Arc::new(Mutex::new(Shared::default()));
    let decisions = Decisions::new(logs, scenario.name.clone(), shared.clone())?;
    let mut outcomes = Outcomes::new(shared, Output::new(options.output, options.logs.len() > 1));
    let ended = match &answerer {
        Backend::Here(service) => answer_here(service, decisions, &mut outcomes),
        Backend::There(client) => {
            client.evaluate_stream(decisions, &mut outcomes).map_err(|unfinished| match unfinished {
                Unfinished::Broken(status) => Stop::Failed(Refusal::from(status).into()),
                Unfinished::Stopped(stop) => stop,
            })
        }
    };
    // What was found is told, however it ended.
    let told = outcomes.end(&scenario, ended.is_ok());
    match ended.and(told) {
        Ok(()) | Err(Stop::ReaderGone) if outcomes.has_changed() => Ok(ExitCode::from(CHANGED)),
        Ok(()) | Err(Stop::ReaderGone) => Ok(ExitCode::SUCCESS),
        Err(Stop::Failed(error)) => Err(anyhow!("broke off after {}\n  {error:#}", outcomes.replayed())),
    }
}

fn answer_here(service: &RedLines, mut decisions: Decisions, outcomes: &mut Outcomes) -> Result<(), Stop> {
    loop {
        if decisions.may_wait() {
            outcomes.flush()?;
        }
        match decisions.next().transpose()? {
            None => return Ok(()),
            Some(Turn::Ask(request)) => outcomes.put(service.stream_item(request))?,
            Some(Turn::Answered(answer)) => outcomes.put(answer)?,
        }
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Stop::ReaderGone,
            _ => Stop::Failed(anyhow!("standard output cannot be written: {error}")),
        }
    }
}
