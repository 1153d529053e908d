//! docs/settings.md is generated from the options of the program: each setting with its flag, environment variable,
//! default and help.

use clap::{Arg, Command, CommandFactory};
use detente::cli::Cli;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// If this variable is set and not empty, the test writes docs/settings.md instead of comparing it.
const UPDATE: &str = "UPDATE_GOLDEN";

const HEAD: &str = "\
# Settings

<!-- Generated from the help of the options: edit the options, then run `just golden`. -->

`detente serve` takes each setting as a flag or as an environment variable. A flag overrides its variable. An
invalid setting stops the server at startup (exit code 2); it is never only a warning. A variable that begins with
`DETENTE_` and is not in these tables has no effect, and the log warns of it.

Durations are written like `500ms`, `10s` or `30m`, sizes like `512KiB` or `32MiB`, shares as numbers from 0 to 1.
`detente serve --help` prints the same text.

[operations.md](operations.md) explains [tokens](operations.md#tokens), [certificates](operations.md#certificates),
[reloading](operations.md#reloading), [shutdown](operations.md#shutdown) and
[the decision log](operations.md#the-decision-log).
";

/// One setting as a row of a table.
struct Row {
    flag: String,
    variable: String,
    default: String,
    about: String,
}

impl Row {
    fn of(option: &Arg) -> Self {
        let name = option.get_long().unwrap();
        let help = option.get_long_help().or(option.get_help()).unwrap().to_string();
        let (about, default) = split_default(&help);
        Self {
            flag: format!("`--{name}{}`", value(option)),
            variable: format!("`{}`", option.get_env().unwrap_or_default().to_str().unwrap()),
            default: default.unwrap_or_else(|| default_values(option)),
            about: about + &choices(option),
        }
    }
}

/// How the value of a flag is written after it: ` NAME`, or `[=NAME]` if the value is optional.
fn value(option: &Arg) -> String {
    let name = option.get_value_names().unwrap().first().unwrap();
    match option.get_num_args() {
        Some(range) if range.min_values() == 0 => format!("[={name}]"),
        _ => format!(" {name}"),
    }
}

/// Splits the help of an option into its text, as one line, and the default that it states at its end (`[default:
/// ...]`), if any.
fn split_default(help: &str) -> (String, Option<String>) {
    let mut default = None;
    let mut about = String::new();
    for paragraph in help.split("\n\n") {
        let mut paragraph = paragraph.trim().to_owned();
        if let Some((before, after)) = paragraph.clone().split_once(" [default: ") {
            default = after.strip_suffix(']').map(str::to_owned);
            assert!(default.is_some(), "the default is not at the end of `{paragraph}`");
            before.clone_into(&mut paragraph);
        }
        if !about.is_empty() {
            about.push(' ');
        }
        about.push_str(&paragraph);
        if !about.ends_with('.') {
            about.push('.');
        }
    }
    (about.replace('\n', " ").replace('|', "\\|"), default)
}

fn default_values(option: &Arg) -> String {
    let values: Vec<_> = option.get_default_values().iter().map(|value| value.to_str().unwrap()).collect();
    if values.is_empty() { "none".to_owned() } else { format!("`{}`", values.join(",")) }
}

/// The values of an option with their meanings, for options that document their values.
fn choices(option: &Arg) -> String {
    let mut text = String::new();
    for choice in option.get_possible_values().iter().filter(|choice| choice.get_help().is_some()) {
        let about = choice.get_help().unwrap().to_string();
        let _ = write!(text, " `{}`: {}.", choice.get_name(), about.trim_end_matches('.'));
    }
    text
}

fn table(rows: &[Row]) -> String {
    let mut table = "| flag | variable | default | meaning |\n|---|---|---|---|\n".to_owned();
    for Row { flag, variable, default, about } in rows {
        let _ = writeln!(table, "| {flag} | {variable} | {default} | {about} |");
    }
    table
}

/// The flags of a command except `--help` and `--version`.
fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_opts().filter(|option| option.get_long().is_some_and(|name| name != "help" && name != "version"))
}

/// The text of docs/settings.md: a table for each group of settings, in the order of the help, and the variables that
/// other commands read.
fn document(program: &Command) -> String {
    let serve = program.find_subcommand("serve").unwrap();
    let mut groups: Vec<(String, Vec<Row>)> = Vec::new();
    for option in options(serve) {
        let heading = option.get_help_heading().unwrap_or_else(|| panic!("{option} has no group"));
        if groups.last().is_none_or(|(group, _)| group != heading) {
            groups.push((heading.to_owned(), Vec::new()));
        }
        groups.last_mut().unwrap().1.push(Row::of(option));
    }
    let mut document = HEAD.to_owned();
    for (heading, rows) in &groups {
        let _ = write!(document, "\n## {heading}\n{}", table(rows));
    }
    let mut others: BTreeMap<String, (Row, Vec<&str>)> = BTreeMap::new();
    for command in program.get_subcommands().filter(|command| command.get_name() != "serve") {
        for option in options(command).filter(|option| option.get_env().is_some()) {
            let row = Row::of(option);
            let (_, commands) = others.entry(row.flag.clone()).or_insert((row, Vec::new()));
            commands.push(command.get_name());
        }
    }
    document.push_str("\n## Other commands");
    for (row, commands) in others.into_values() {
        let names: Vec<_> = commands.iter().map(|name| format!("`detente {name}`")).collect();
        let _ = write!(document, "\nRead by {}:\n\n{}", names.join(", "), table(&[row]));
    }
    document
}

#[test]
fn the_settings_reference_matches_the_options() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    let mut program = Cli::command();
    program.build();
    let found = document(&program);
    if std::env::var_os(UPDATE).is_some_and(|set| !set.is_empty()) {
        fs::write(&path, &found).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    let at = golden.lines().zip(found.lines()).take_while(|(golden, found)| golden == found).count();
    assert!(
        golden == found,
        "{}:{}: expected from the options:\n  {}\nTo regenerate the file: {UPDATE}=1 cargo test --test it settings_reference",
        path.display(),
        at + 1,
        found.lines().nth(at).unwrap_or("(the end)")
    );
}

#[test]
fn every_setting_has_its_variable_and_help() {
    let mut program = Cli::command();
    program.build();
    let serve = program.find_subcommand("serve").unwrap();
    let mut count = 0;
    for option in options(serve) {
        let name = option.get_long().unwrap();
        let variable = format!("DETENTE_{}", name.to_uppercase().replace('-', "_"));
        assert_eq!(option.get_env().and_then(|variable| variable.to_str()), Some(variable.as_str()), "--{name}");
        assert!(option.get_help().is_some_and(|help| help.to_string().len() > 20), "--{name} has no help");
        count += 1;
    }
    assert!(count > 45, "{count} settings");
}

#[test]
fn the_settings_reference_links_to_sections_that_exist() {
    let operations = include_str!("../../../docs/operations.md");
    let sections: Vec<String> = operations
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|title| title.to_lowercase().replace(' ', "-"))
        .collect();
    let links: Vec<&str> = HEAD.split("(operations.md#").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert!(links.len() > 3, "{links:?}");
    for link in links {
        assert!(sections.iter().any(|section| section == link), "docs/operations.md has no section #{link}");
    }
}
