//! `detente test`: runs the test cases of a scenario.
//!
//! Must not know how an expectation is checked.

use crate::cli::args::scenario_size::ScenarioSize;
use crate::cli::exit::faults;
use crate::cli::render::text::{BAD, GOOD, count};
use crate::cli::report::Report;
use crate::serving::source;
use anyhow::Result;
use clap::Args;
use detente_core::cases::{differences, load_cases};
use detente_core::scenario::limits::MAX_TEST_FILE_BYTES;
use std::fmt::Write;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// The options of `detente test`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// Test files to run (NAME_test.yaml).
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    size: ScenarioSize,

    /// Also print the names of the cases that hold, not only of those that fail.
    #[arg(long, short)]
    verbose: bool,
}

pub(super) fn run(options: &Options) -> Report {
    let mut report = Report::of(String::new());
    for path in &options.files {
        if let Err(error) = run_file(path, options, &mut report) {
            let text = match faults(&error) {
                Some(faults) => faults.render(std::io::stdout().is_terminal()),
                None => format!("{BAD}error:{BAD:#} {error:#}"),
            };
            let _ = writeln!(report.text, "{text}");
            report.holds = false;
        }
    }
    report
}

fn run_file(path: &Path, options: &Options, report: &mut Report) -> Result<()> {
    let name = path.display().to_string();
    let file = load_cases(&name, &source::read(path, MAX_TEST_FILE_BYTES)?)?;
    let scenario = path.parent().unwrap_or(Path::new("")).join(file.scenario_path());
    let compiled = source::load_one(&scenario, options.size.bytes)?;
    let cases = file.resolve(compiled.scenario())?;
    let mut failed = 0;
    for case in &cases {
        let differences = differences(&compiled, case);
        if differences.is_empty() {
            if options.verbose {
                let _ = writeln!(report.text, "{GOOD}holds{GOOD:#}  {}", case.name);
            }
            continue;
        }
        failed += 1;
        let _ = writeln!(report.text, "{BAD}fails{BAD:#}  {}", case.name);
        for difference in differences {
            let _ = writeln!(report.text, "       {difference}");
        }
    }
    let all = count(cases.len(), "case", "cases");
    let _ = match failed {
        0 => writeln!(report.text, "{name}: {all}, {GOOD}all hold{GOOD:#}"),
        _ => writeln!(report.text, "{name}: {all}, {BAD}{failed} failed{BAD:#}"),
    };
    report.holds &= failed == 0;
    Ok(())
}
