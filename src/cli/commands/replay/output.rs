//! Prints the changes and the summary of a replay, as text or as JSON.
//!
//! Owns the layout. The keys of the JSON are documented in `detente replay --help`, and programs rely on them.

use crate::cli::commands::replay::change::{Change, Difference};
use crate::cli::commands::replay::decision::{
    EvaluationSummary, LoggedDecision, ReplayState, SkipReason, SkippedLines, shown,
};
use crate::cli::render::evaluation::verdict_style;
use crate::cli::render::text::{BAD, DIM, HEAD, table, thousands, wrapped};
use crate::cli::render::words::{firmness_word, last_segment, verdict_words};
use crate::cli::report::OutputFormat;
use crate::schema::proto::v1;
use serde_json::{Map, Value, json};
use std::io::{self, BufWriter, Write};

const WRITE_BYTES: usize = 64 * 1024;
/// Widths of the columns: those of a time in a log, and of the longest verdict.
const TIME: usize = 27;
const VERDICT: usize = 13;

/// The numbers of decisions by outcome.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) same: u64,
    pub(super) changed: u64,
    pub(super) refused: u64,
}

impl Totals {
    pub(super) fn replayed(&self) -> u64 {
        self.same + self.changed + self.refused
    }
}

/// Writes to standard output.
pub(super) struct Output {
    format: OutputFormat,
    out: BufWriter<Box<dyn Write>>,
    /// Whether the position of a decision names its log, because several logs are replayed.
    names_logs: bool,
    /// Whether the head of the table has been written.
    has_head: bool,
}

impl Output {
    pub(super) fn new(format: OutputFormat, names_logs: bool) -> Self {
        let out: Box<dyn Write> = Box::new(anstream::stdout());
        Self { format, out: BufWriter::with_capacity(WRITE_BYTES, out), names_logs, has_head: false }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes a decision whose answer is different now.
    pub(super) fn change(&mut self, was: &LoggedDecision, change: &Change<'_>) -> io::Result<()> {
        match self.format {
            OutputFormat::Json => writeln!(self.out, "{}", change_json(was, change)),
            OutputFormat::Table => {
                if !self.has_head {
                    self.has_head = true;
                    let (time, verdict) = (TIME, VERDICT);
                    let row = format!("{:time$}  {:verdict$}  {:verdict$}  REQUEST", "TIME", "WAS", "IS");
                    writeln!(self.out, "{HEAD}{row}{HEAD:#}")?;
                }
                self.out.write_all(change_text(was, change, self.names_logs).as_bytes())
            }
        }
    }

    /// Writes the totals and the lines that were not replayed.
    pub(super) fn summary(&mut self, scenario: &v1::Scenario, totals: &Totals, state: &ReplayState) -> io::Result<()> {
        match self.format {
            OutputFormat::Json => writeln!(self.out, "{}", summary_json(scenario, totals, state)),
            OutputFormat::Table => {
                let space = if self.has_head { "\n" } else { "" };
                write!(self.out, "{space}{}", summary_text(scenario, totals, state))
            }
        }
    }
}

fn change_text(was: &LoggedDecision, change: &Change<'_>, names_log: bool) -> String {
    let before = was.evaluation.verdict;
    let (style, now) = match change {
        Change::Changed(difference) => (verdict_style(difference.is.verdict), verdict_words(difference.is.verdict)),
        Change::Refused(_) => (BAD, "refused"),
    };
    let by = if was.caller.is_empty() { String::new() } else { format!(" of {}", was.caller) };
    let item = if was.item.is_empty() { String::new() } else { format!(", item {}", was.item) };
    let place = if names_log { format!("{}, line {}", was.log, was.line) } else { format!("line {}", was.line) };
    let row = format!("{:TIME$}  {:VERDICT$}  {style}{now:VERDICT$}{style:#}", was.time, verdict_words(before));
    let mut out = format!("{row}  {}{item}{by} {DIM}({place}){DIM:#}\n", was.request_id);
    match change {
        Change::Refused(refusal) => {
            let message = refusal.to_string();
            let message: Vec<String> = message.lines().map(|line| shown_whole(line.trim())).collect();
            out += &wrapped(&format!("{}: {}", shown(refusal.reason()), message.join("; ")), 4);
        }
        Change::Changed(Difference { is, newly_crossed, no_longer_crossed, other_firmness }) => {
            if was.evaluation.could_become != is.could_become {
                let (was, is) = (verdict_words(was.evaluation.could_become), verdict_words(is.could_become));
                out += &wrapped(&format!("could become {is}, was {was}"), 4);
            }
            let named = |lines: &[(&str, v1::Firmness)]| {
                let lines = lines.iter().map(|(line, firmness)| format!("{} ({})", id(line), firmness_word(*firmness)));
                lines.collect::<Vec<_>>().join(", ")
            };
            for (label, lines) in [("newly crossed", newly_crossed), ("no longer crossed", no_longer_crossed)] {
                if !lines.is_empty() {
                    out += &wrapped(&format!("{label}: {}", named(lines)), 4);
                }
            }
            let firmness = other_firmness
                .iter()
                .map(|(line, was, is)| format!("{} ({}, was {})", id(line), firmness_word(*is), firmness_word(*was)));
            let firmness: Vec<String> = firmness.collect();
            if !firmness.is_empty() {
                out += &wrapped(&format!("crossed with a different firmness: {}", firmness.join(", ")), 4);
            }
        }
    }
    out
}

fn id(line: &str) -> String {
    shown(last_segment(line))
}

/// An untrusted text of any length in a form that is safe to print, without control characters.
fn shown_whole(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter }).collect()
}

fn summary_text(scenario: &v1::Scenario, totals: &Totals, state: &ReplayState) -> String {
    let Totals { same, changed, refused } = totals;
    let revision: String = scenario.revision.chars().take(12).collect();
    let skipped: u64 = state.skipped.values().map(|lines| lines.count).sum();
    let mut out = if totals.replayed() + skipped + state.other_scenarios == 0 {
        "Nothing to replay: the log is empty\n".to_owned()
    } else if totals.replayed() == 0 {
        format!("{HEAD}Nothing to replay{HEAD:#}\n")
    } else {
        let s = if totals.replayed() == 1 { "" } else { "s" };
        format!(
            "{HEAD}{} decision{s} replayed{HEAD:#}: {} the same, {} changed, {} refused\n",
            thousands(totals.replayed()),
            thousands(*same),
            thousands(*changed),
            thousands(*refused)
        )
    };
    out += &format!("{DIM}{}, revision {revision}{DIM:#}\n", scenario.name);
    if state.other_scenarios > 0 {
        out += &format!("{} on other scenarios left out\n", lines(state.other_scenarios));
    }
    if skipped > 0 {
        out += &format!("\n{} not replayed\n", lines(skipped));
        let rows = state.skipped.iter().map(|(reason, skipped)| {
            let detail = if skipped.detail.is_empty() { String::new() } else { format!(": {}", skipped.detail) };
            let first = format!("{}, line {}{detail}", skipped.log, skipped.line);
            vec![thousands(skipped.count), reason.words().to_owned(), first]
        });
        out += &table(&["LINES", "REASON", "FIRST"], &rows.collect::<Vec<_>>());
    }
    out
}

fn lines(number: u64) -> String {
    format!("{} line{}", thousands(number), if number == 1 { "" } else { "s" })
}

fn change_json(was: &LoggedDecision, change: &Change<'_>) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("change", if matches!(change, Change::Refused(_)) { "refused" } else { "changed" }.into());
    for (key, text) in
        [("time", &was.time), ("request_id", &was.request_id), ("caller", &was.caller), ("item", &was.item)]
    {
        if !text.is_empty() {
            put(key, text.as_str().into());
        }
    }
    put("log", was.log.as_ref().into());
    put("line", was.line.into());
    put("was", verdicts(&was.evaluation));
    match change {
        Change::Refused(refusal) => {
            put("reason", refusal.reason().into());
            put("message", refusal.to_string().into());
        }
        Change::Changed(Difference { is, newly_crossed, no_longer_crossed, other_firmness }) => {
            put("is", verdicts(is));
            let crossed = |lines: &[(&str, v1::Firmness)]| {
                let line = |(line, firmness): &(&str, v1::Firmness)| json!({ "red_line": line, "firmness": firmness.as_str_name() });
                lines.iter().map(line).collect::<Value>()
            };
            put("newly_crossed", crossed(newly_crossed));
            put("no_longer_crossed", crossed(no_longer_crossed));
            let other = other_firmness
                .iter()
                .map(|(line, was, is)| json!({ "red_line": line, "was": was.as_str_name(), "is": is.as_str_name() }));
            put("firmness", other.collect());
        }
    }
    Value::Object(object)
}

fn verdicts(found: &EvaluationSummary) -> Value {
    json!({ "verdict": found.verdict.as_str_name(), "could_become": found.could_become.as_str_name() })
}

fn summary_json(scenario: &v1::Scenario, totals: &Totals, state: &ReplayState) -> Value {
    let row = |(reason, skipped): (&SkipReason, &SkippedLines)| {
        let first = json!({ "log": &*skipped.log, "line": skipped.line, "detail": skipped.detail });
        json!({ "reason": reason.words(), "count": skipped.count, "first": first })
    };
    json!({ "summary": {
        "scenario": scenario.name,
        "revision": scenario.revision,
        "replayed": totals.replayed(),
        "same": totals.same,
        "changed": totals.changed,
        "refused": totals.refused,
        "other_scenarios": state.other_scenarios,
        "not_replayable": state.skipped.values().map(|skipped| skipped.count).sum::<u64>(),
        "reasons": state.skipped.iter().map(row).collect::<Vec<_>>(),
    }})
}
