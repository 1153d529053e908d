//! `detente sweep`: any number of proposals from a file of JSON lines, here or through one stream of a server.
//!
//! Owns the order of lines and where they go. Memory is constant: a line at a time here, a bounded number ahead of the
//! answers with a server.

mod input;
mod output;

use crate::cli::backend::{Backend, Target};
use crate::cli::client::{Sink, Turn, Unfinished};
use crate::cli::line_reader::Input;
use crate::cli::render::text::thousands;
use crate::error::Refusal;
use crate::services::{MAX_REQUEST_BYTES, RedLines};
use anyhow::{Error, Result, anyhow};
use clap::Args;
use input::Requests;
use output::{Output, Resumed};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) const EXAMPLES: &str = "\
A line of FILE is a StreamEvaluateProposalsRequest of the API:
  {\"id\":\"a\",\"request\":{\"proposalName\":\"scenarios/ukraine-2025/proposals/jeddah-ceasefire\"}}
  {\"id\":\"b\",\"request\":{\"proposal\":{\"terms\":[{\"issue\":\"sanctions\",\"choice\":\"lift\"}]}}}
and its answer, in its place, a StreamEvaluateProposalsResponse with the same id. A line that
cannot be read, or is longer than 1 MiB, is answered by an error; blank lines are not answered.

Ends with 0 if all lines are answered, with errors or without; with 1 if it breaks off; with 2
on wrong usage.

Examples:
  detente sweep drafts.jsonl --out answers.jsonl
  detente sweep drafts.jsonl --out answers.jsonl --resume --server http://127.0.0.1:50051
  generate | detente sweep - | jq -c '[.id, .evaluation.verdict]'";

/// The options of `detente sweep`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Options {
    /// Requests as JSON lines; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    target: Target,

    /// Write the answers to a file. [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Go on after the answers that the file given with --out has already.
    #[arg(long, requires = "out")]
    resume: bool,
}

/// Why a sweep ends before its last line.
#[derive(Debug)]
enum Stop {
    /// Who reads the answers has seen enough.
    ReaderGone,
    Failed(Error),
}

pub(super) fn run(options: &Options) -> Result<ExitCode> {
    let mut input = Input::open(&options.file, MAX_REQUEST_BYTES, "a request")?;
    let (mut output, resumed) = match &options.out {
        None => (Output::to_stdout()?, Resumed::default()),
        Some(path) => Output::to_file(path, options.resume, &mut input)?,
    };
    let answerer = options.target.open()?;
    let requests = Requests::new(input, options.target.scenario_name())?;
    let ended = match &answerer {
        Backend::Here(service) => answer_here(service, requests, &mut output),
        Backend::There(client) => {
            client.evaluate_stream(requests, &mut output).map_err(|unfinished| match unfinished {
                Unfinished::Broken(status) => Stop::Failed(Refusal::from(status).into()),
                Unfinished::Stopped(stop) => stop,
            })
        }
    };
    // What was answered is kept, however it ended.
    let ended = ended.and(output.flush());
    output.clear_progress();
    match ended {
        Ok(()) => {
            anstream::eprintln!("{}", output.summary(&resumed));
            Ok(ExitCode::SUCCESS)
        }
        Err(Stop::ReaderGone) => Ok(ExitCode::SUCCESS),
        Err(Stop::Failed(error)) => {
            let answered = thousands(output.answered() + resumed.answered);
            let again = match options.out {
                Some(_) => "run it again with --resume to go on",
                None => "with --out FILE it can go on where it broke off (--resume)",
            };
            Err(anyhow!("broke off after {answered} answers; {again}\n  {error:#}"))
        }
    }
}

fn answer_here(service: &RedLines, mut requests: Requests, output: &mut Output) -> Result<(), Stop> {
    loop {
        if requests.may_wait() {
            output.flush()?;
        }
        match requests.next().transpose()? {
            None => return Ok(()),
            Some(Turn::Ask(request)) => output.put(service.stream_item(request))?,
            Some(Turn::Answered(answer)) => output.put(answer)?,
        }
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Stop::ReaderGone,
            _ => Stop::Failed(error.into()),
        }
    }
}
