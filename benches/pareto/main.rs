//! The time to find the efficient points (those that no other package dominates) of scenarios in which a party's
//! utility is a sum over issues, compared with a vectorised full enumeration of the same outcomes in numpy.
//!
//! `cargo bench --bench pareto`. Needs a Python with numpy: `PYTHON=/path/to/python3`, by default `python3`. Without
//! numpy the bench prints "no numpy" and measures Détente alone. It fails if Détente and numpy find different numbers
//! of points.

use detente::schema::proto::v1;
use detente::schema::proto::v1::find_packages_response::Part;
use detente::services::RedLines;
use detente::serving::Store;
use detente_analysis::Budget;
use detente_core::engine::Compiled;
use detente_core::scenario;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

const SPACES: [&[usize]; 5] =
    [&[10, 10, 10, 10, 10], &[8, 8, 8, 8, 8, 8], &[10, 10, 10, 10, 10, 5], &[32, 32, 32, 32], &[12, 12, 12, 12, 12, 8]];
const RUNS: usize = 5;

fn main() {
    println!("{:>10} {:>7} {:>7} {:>12} {:>12} {:>7}", "outcomes", "issues", "points", "here", "numpy", "ratio");
    // `--quick` checks that the bench works, with the smallest space.
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    for options in SPACES.into_iter().take(if is_quick { 1 } else { SPACES.len() }) {
        measure(options);
    }
}

/// Generates the value, in hundredths, that each of two parties assigns to each option of each issue.
fn tables(options: &[usize]) -> [Vec<Vec<i64>>; 2] {
    let mut state = 0x9E37_79B9_7F4A_7C15u64 ^ options.len() as u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        i64::try_from((state >> 11) % 10_000).unwrap()
    };
    let mut party = || options.iter().map(|count| (0..*count).map(|_| next()).collect()).collect();
    [party(), party()]
}

fn measure(options: &[usize]) {
    let tables = tables(options);
    let compiled = Compiled::new(Arc::new(scenario::load("profile.yaml", &profile(&tables)).unwrap())).unwrap();
    let service = RedLines::new(Arc::new(Store::new(vec![compiled]).unwrap()));
    let request = v1::FindPackagesRequest { max_packages: Some(0), efficient: true, ..Default::default() };
    let (mut here, mut points) = (f64::INFINITY, String::new());
    for _ in 0..RUNS {
        let begun = Instant::now();
        let parts = service.analyse(&request, &Budget::unhurried()).unwrap().decode().unwrap();
        here = here.min(begun.elapsed().as_secs_f64());
        let Some(Part::Summary(summary)) = parts.last().and_then(|part| part.part.clone()) else { panic!("a summary") };
        points = summary.efficient_points;
    }
    let outcomes: usize = options.iter().product();
    let (numpy, ratio) = match enumerated(&tables) {
        Some((found, seconds)) => {
            assert_eq!(found, points, "both enumerate the same space");
            (format!("{:.2} ms", seconds * 1e3), format!("{:.1}", seconds / here))
        }
        None => ("no numpy".to_owned(), "-".to_owned()),
    };
    println!("{outcomes:>10} {:>7} {points:>7} {:>9.2} ms {numpy:>12} {ratio:>7}", options.len(), here * 1e3);
}

/// Returns the text of a scenario that states these values as the parties' preferences.
fn profile([one, other]: &[Vec<Vec<i64>>; 2]) -> String {
    let mut text = String::from(
        "scenario: profile\ntitle: Profile\ncovers: {from: 2025-01-01, to: 2025-12-31}\nas_of: 2025-06-01\nsources:\n\
         \x20 - {id: nowhere, title: None, publisher: Nobody}\nparties:\n  - {id: one, name: One, role: principal}\n\
         \x20 - {id: other, name: Other, role: principal}\nissues:\n",
    );
    for (issue, table) in one.iter().enumerate() {
        let options: Vec<String> = (0..table.len()).map(|option| format!("o{option}")).collect();
        let options = options.join(", ");
        writeln!(text, "  - {{id: i{issue}, title: T, question: Q, kind: choice, options: [{options}]}}").unwrap();
    }
    text += "red_lines: []\npreferences:\n";
    for (party, tables) in [("one", one), ("other", other)] {
        for (issue, table) in tables.iter().enumerate() {
            let values: Vec<String> = table
                .iter()
                .enumerate()
                .map(|(option, number)| format!("o{option}: {}", hundredths(*number)))
                .collect();
            writeln!(
                text,
                "  - {{party: {party}, issue: i{issue}, values: {{{}}}, evidence: [{{source: nowhere, kind: reported, \
                 speaker: S, statement: S}}]}}",
                values.join(", ")
            )
            .unwrap();
        }
    }
    text
}

fn hundredths(number: i64) -> String {
    format!("{}.{:02}", number / 100, number % 100)
}

/// The number of efficient points that numpy finds, and the seconds that it takes; `None` without numpy.
fn enumerated(tables: &[Vec<Vec<i64>>; 2]) -> Option<(String, f64)> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/pareto/enumerate.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let input = serde_json::json!({ "tables": tables }).to_string();
    child.stdin.take()?.write_all(input.as_bytes()).ok()?;
    let output = child.wait_with_output().ok().filter(|output| output.status.success())?;
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    Some((found["points"].to_string(), found["seconds"].as_f64()?))
}
