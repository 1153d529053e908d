//! The command line: commands, flags, variables, defaults, words that options take, and exit codes.

use crate::contracts::golden::assert_golden;
use crate::support::binary::{Folder, command, reservoir};
use clap::{Arg, ArgAction, Command, CommandFactory};
use detente::cli::Cli;
use detente::error::CallError;
use std::fmt::Write;
use tonic::{Code, Status};

/// Describes an option in one line: how it is written, and its default.
fn row(arg: &Arg) -> String {
    let mut row = match (arg.get_long(), arg.get_short()) {
        (Some(long), Some(short)) => format!("-{short}, --{long}"),
        (Some(long), None) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => String::new(),
    };
    for alias in arg.get_all_aliases().unwrap_or_default() {
        let _ = write!(row, ", --{alias}");
    }
    if arg.get_action().takes_values() {
        for name in arg.get_value_names().unwrap_or_default() {
            let _ = write!(row, " <{name}>");
        }
        let _ =
            write!(row, " ({} values)", arg.get_num_args().map_or_else(|| "1".to_owned(), |count| count.to_string()));
    }
    row = row.trim_start().to_owned();
    if matches!(arg.get_action(), ArgAction::Append | ArgAction::Count) {
        row += ", repeated";
    }
    if arg.is_required_set() {
        row += ", required";
    }
    if let Some(delimiter) = arg.get_value_delimiter() {
        let _ = write!(row, ", separated by `{delimiter}`");
    }
    if let Some(variable) = arg.get_env() {
        let _ = write!(row, ", variable {}", variable.to_string_lossy());
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        let _ = write!(row, ", default {}", defaults.join(" "));
    }
    let is_truth = matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::SetFalse);
    let words: Vec<_> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if !words.is_empty() && !is_truth {
        let _ = write!(row, ", one of {}", words.join(" "));
    }
    row
}

fn describe(command: &Command, path: &str, text: &mut String) {
    let _ = writeln!(text, "{path}");
    for alias in command.get_all_aliases() {
        let _ = writeln!(text, "    also called {alias}");
    }
    for arg in command.get_arguments() {
        let mut row = row(arg);
        for other in command.get_arg_conflicts_with(arg) {
            if let Some(long) = other.get_long() {
                let _ = write!(row, ", not with --{long}");
            }
        }
        let _ = writeln!(text, "    {row}");
    }
    for sub in command.get_subcommands() {
        describe(sub, &format!("{path} {}", sub.get_name()), text);
    }
}

#[test]
fn options_and_variables_are_those_of_earlier_versions() {
    let mut cli = Cli::command();
    cli.build();
    let mut text = String::new();
    describe(&cli, "detente", &mut text);
    assert_golden("options.txt", &text);
}

#[test]
fn exit_codes_are_those_of_earlier_versions() {
    let folder = Folder::new("contracts-codes");
    let good = folder.write("reservoir.yaml", reservoir());
    let changed = folder.write("changed.yaml", &reservoir().replacen("firmness: firm", "firmness: tentative", 1));
    let faulty = folder.write("faulty.yaml", "scenario: [");
    let test = |verdict: &str| {
        format!(
            "scenario: reservoir.yaml\ncases:\n  - name: one\n    proposal: draft\n    expect: {{verdict: {verdict}}}\n"
        )
    };
    let holds = folder.write("holds_test.yaml", &test("undetermined"));
    let fails = folder.write("fails_test.yaml", &test("unopposed"));
    let requests = folder.write("requests.jsonl", "{\"request\": {}}\n");
    let bad_requests = folder.write("bad.jsonl", "{\"request\": {\"proposalName\": \"x\"}}\nnothing\n");
    let log = folder.write("log.jsonl", "not a decision\n");
    let mut text = String::new();
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["no-such-command"],
        &["check"],
        &["check", &good],
        &["check", &faulty],
        &["check", "no-such-file.yaml"],
        &["diff", &good, &good],
        &["diff", &good, &changed],
        &["diff", &good, &faulty],
        &["test", &holds],
        &["test", &fails],
        &["test", &faulty],
        &["evaluate", "european-force"],
        &["evaluate"],
        &["evaluate", "no-such-proposal"],
        &["evaluate", "--set", "nothing=1"],
        &["evaluate", "--as-of", "yesterday"],
        &["evaluate", "--as-of", "1999-01-01"],
        &["evaluate", "--no-such-flag"],
        &["evaluate", "--scenario", &faulty],
        &["evaluate", "--server", "http://127.0.0.1:1"],
        &["evaluate", "--server", "nothing"],
        &["history", "christmas-truce"],
        &["compare"],
        &["compare", "strong-army", "european-force"],
        &["amend", "european-force"],
        &["packages", "--max", "1"],
        &["impasse"],
        &["impasse", "--goal", "nothing == 1"],
        &["robustness", "strong-army"],
        &["sweep", &requests],
        &["sweep", &bad_requests],
        &["sweep", "no-such-file.jsonl"],
        &["replay", &log],
        &["replay", "tests/it/contracts/old-decisions.jsonl"],
        &["replay", "tests/it/contracts/old-decisions.jsonl", "--scenario", &good],
        &["replay", "no-such-file.jsonl"],
        &["red-lines"],
        &["red-lines", "us-no-troops"],
        &["red-lines", "nothing"],
        &["red-lines", "--order-by", "nothing"],
        &["import", "genius"],
        &["import", "genius", "no-such-file.xml"],
        &["schema"],
        &["completions", "bash"],
        &["completions", "no-such-shell"],
        &["serve", "--listen", "nothing"],
        &["serve", "--listen", "0.0.0.0:0"],
        &["serve", "--scenario", "no-such-file.yaml"],
        &["serve", "--scenario", &faulty],
        &["serve", "--caller-burst", "1"],
        &["serve", "--tokens", "no-such-file.yaml"],
        &["serve", "--decision-log", "/no/such/folder/log"],
    ] {
        let output = command(arguments).output().unwrap();
        let shown = arguments.join(" ").replace(&folder.0.display().to_string(), "FOLDER");
        let code = output.status.code().map_or_else(|| "none".to_owned(), |code| code.to_string());
        let _ = writeln!(text, "{code}  detente {shown}");
    }
    assert_golden("exit-codes.txt", &text);
}

#[test]
fn status_codes_are_written_as_by_earlier_versions() {
    let mut text = String::new();
    for number in 0..=16 {
        let refusal = CallError::from(Status::new(Code::from(number), "The message"));
        let _ = writeln!(text, "{number}  {}  {refusal}", refusal.reason());
    }
    assert_golden("status-codes.txt", &text);
}
