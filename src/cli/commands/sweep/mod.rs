//! `detente sweep`: evaluates any number of proposals from a file of JSON lines.
//!
//! Owns the order of the answers. Must not know how proposals are evaluated. Memory is bounded: without a server, one
//! line is read at a time; with a server, a bounded number of requests is sent ahead of the answers, through one
//! stream.

mod input;
mod output;
mod sweep_error;

use crate::cli::backend::{Backend, Target};
use crate::cli::client::{Sink, StreamError, Turn};
use crate::cli::line_reader::LineReader;
use crate::cli::render::text::thousands;
use crate::error::CallError;
use crate::services::{MAX_REQUEST_BYTES, RedLines};
use anyhow::{Result, anyhow};
use clap::Args;
use input::Requests;
use output::{Output, Resumed};
use std::path::PathBuf;
use std::process::ExitCode;
use sweep_error::SweepError;

pub(super) const EXAMPLES: &str = "\
Each line of FILE is a StreamEvaluateProposalsRequest of the API:
  {\"id\":\"a\",\"request\":{\"proposalName\":\"scenarios/ukraine-2025/proposals/jeddah-ceasefire\"}}
  {\"id\":\"b\",\"request\":{\"proposal\":{\"terms\":[{\"issue\":\"sanctions\",\"choice\":\"lift\"}]}}}
Each answer is a StreamEvaluateProposalsResponse with the same id, in the order of the requests. A
line that is not a request, or is longer than 1 MiB, is answered with an error; blank lines are
skipped.

Exit codes: 0, all lines are answered, even if with errors; 1, the sweep stopped early; 2, wrong
usage.

Examples:
  detente sweep drafts.jsonl --out answers.jsonl
  detente sweep drafts.jsonl --out answers.jsonl --resume --server http://127.0.0.1:50051
  generate | detente sweep - | jq -c '[.id, .evaluation.verdict]'";

/// The options of `detente sweep`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// File of requests as JSON lines; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    target: Target,

    /// File to write the answers to. [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Continue an interrupted sweep after the answers that the file of `--out` already has.
    #[arg(long, requires = "out")]
    resume: bool,
}

pub(super) fn run(options: &Options) -> Result<ExitCode> {
    let mut input = LineReader::open(&options.file, MAX_REQUEST_BYTES, "a request")?;
    let (mut output, resumed) = match &options.out {
        None => (Output::to_stdout()?, Resumed::default()),
        Some(path) => Output::to_file(path, options.resume, &mut input)?,
    };
    let backend = options.target.open()?;
    let requests = Requests::new(input, options.target.scenario_name())?;
    let ended = match &backend {
        Backend::Local(service) => answer_locally(service, requests, &mut output),
        Backend::Remote(client) => {
            client.evaluate_stream(requests, &mut output).map_err(|unfinished| match unfinished {
                StreamError::Server(status) => SweepError::Failed(CallError::from(status).into()),
                StreamError::Local(error) => error,
            })
        }
    };
    // The answers so far are written even if the sweep failed.
    let ended = ended.and(output.flush());
    output.clear_progress();
    match ended {
        Ok(()) => {
            anstream::eprintln!("{}", output.summary(&resumed));
            Ok(ExitCode::SUCCESS)
        }
        Err(SweepError::ReaderGone) => Ok(ExitCode::SUCCESS),
        Err(SweepError::Failed(error)) => {
            let answered = thousands(output.answered() + resumed.answered);
            let advice = match options.out {
                Some(_) => "add --resume to continue",
                None => "with --out FILE, an interrupted sweep can continue (--resume)",
            };
            Err(anyhow!("sweep stopped after {answered} answers; {advice}\n  {error:#}"))
        }
    }
}

fn answer_locally(service: &RedLines, mut requests: Requests, output: &mut Output) -> Result<(), SweepError> {
    loop {
        if requests.may_block() {
            output.flush()?;
        }
        match requests.next().transpose()? {
            None => return Ok(()),
            Some(Turn::Ask(request)) => output.put(service.stream_item(&request))?,
            Some(Turn::Answered(answer)) => output.put(answer)?,
        }
    }
}
