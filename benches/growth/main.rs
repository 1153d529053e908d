//! How the time and memory of the analyses grow with the numbers of issues and red lines, and from which sizes on an
//! analysis takes longer than ten seconds.
//!
//! `cargo bench --bench growth`. Prints the table of `docs/benchmarks.md`. The floor of the analyses is the lowest
//! firmness, tentative, so that every red line counts. The time includes reading and compiling the file. The bench then
//! prints how long an analysis continues after its time limit.

mod scenarios;

use detente::error::ApiError;
use detente::schema::proto::v1;
use detente::schema::proto::v1::binding_probability::Of;
use detente::schema::proto::v1::find_packages_response::Part;
use detente::schema::proto::v1::{assess_robustness_request, suggest_amendments_request};
use detente::services::{AnalysisRequest, PackageParts, RedLines};
use detente::serving::Store;
use detente_analysis::Budget;
use detente_core::engine::Compiled;
use detente_core::scenario;
use peak_alloc::PeakAlloc;
use scenarios::generated;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const PATIENCE: Duration = Duration::from_secs(10);
const ISSUES: [u64; 4] = [20, 50, 100, 200];
const LINES: [u64; 5] = [50, 100, 200, 500, 1_000];
/// The number of runs of an analysis with different time limits. The limits are 1 ms, 2 ms, 4 ms and further powers of
/// two.
const STOPS: u32 = 13;

fn main() {
    // `--quick` checks that the bench works, with the smallest scenario.
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let (issues, lines, stops) =
        if is_quick { (&ISSUES[..1], &LINES[..1], 3) } else { (&ISSUES[..], &LINES[..], STOPS) };
    let head = |question: &str, width: usize| format!(" | {question:>10} {:>7} {:<width$}", "MiB", "");
    let heads = [head("amend", 14), head("count", 28), head("impasse", 20), head("robustness", 0)].concat();
    println!("{:>6} {:>9}{heads}", "issues", "red lines");
    let all = || issues.iter().flat_map(|issues| lines.iter().map(|lines| (*issues, *lines)));
    for (issues, red_lines) in all() {
        row(issues, red_lines);
    }
    println!("\nLongest time for which an analysis continued after its time limit (limits of 1 ms to 4 s):");
    let mut longest = [("amend", Duration::ZERO); 4];
    for (issues, red_lines) in all() {
        let service = service(&generated(issues, red_lines, 1));
        let each = [
            ("amend", overrun(&service, &amend(), stops)),
            ("count", overrun(&service, &packages(), stops)),
            ("impasse", overrun(&service, &impasse(), stops)),
            ("robustness", overrun(&service, &robustness(), stops)),
        ];
        for (longest, (question, overrun)) in longest.iter_mut().zip(each) {
            *longest = (question, longest.1.max(overrun));
        }
    }
    for (question, longest) in longest {
        println!("{question:>10} {:>9.1} ms", longest.as_secs_f64() * 1e3);
    }
}

/// Runs an analysis with `stops` different time limits. Returns the longest time for which it continued after its
/// limit.
fn overrun<R: AnalysisRequest>(service: &RedLines, request: &R, stops: u32) -> Duration {
    let times = (0..stops).map(|power| Duration::from_millis(1 << power));
    let overruns = times.map(|time| {
        let begun = Instant::now();
        let stop = || begun.elapsed() > time;
        let _ = service.analyse(request, &Budget::new(&stop, &|_| {}));
        begun.elapsed().saturating_sub(time)
    });
    overruns.max().unwrap_or_default()
}

fn service(text: &str) -> RedLines {
    let compiled = Compiled::new(Arc::new(scenario::load("generated.yaml", text).unwrap())).unwrap();
    RedLines::new(Arc::new(Store::new(vec![compiled]).unwrap()))
}

fn row(issues: u64, red_lines: u64) {
    let text = generated(issues, red_lines, 1);
    let amend = measured(&text, &amend(), |answer: &v1::SuggestAmendmentsResponse| {
        let outcome = answer.amendments.first().and_then(|amendment| amendment.distance);
        let nearest = outcome.map_or_else(|| "none".to_owned(), |distance| format!("{} terms", distance.terms_changed));
        labelled(&nearest, answer.cut_short())
    });
    let count = measured(&text, &packages(), |answer: &PackageParts| {
        let answer = answer.decode().unwrap();
        let Some(Part::Summary(summary)) = answer.last().and_then(|last| last.part.as_ref()) else {
            return "no summary".to_owned();
        };
        let digits = summary.packages.len();
        let outcome = if digits < 8 { summary.packages.clone() } else { format!("1e{}", digits - 1) };
        labelled(&outcome, summary.cut_short())
    });
    let impasse = measured(&text, &impasse(), |answer: &v1::ExplainImpasseResponse| {
        let impasse = answer.impasse.as_ref().unwrap();
        let outcome = match impasse.is_impasse {
            Some(true) => format!("{}/{}", impasse.conflicts.len(), impasse.concessions.len()),
            Some(false) => "passes".to_owned(),
            None => "not known".to_owned(),
        };
        labelled(&outcome, impasse.cut_short())
    });
    let robust = measured(&text, &robustness(), |answer: &v1::AssessRobustnessResponse| {
        let outcome = answer.best.as_ref().and_then(|best| best.probability);
        let outcome = outcome.map_or_else(|| "none".to_owned(), |range| format!("{:.3}", range.low));
        labelled(&outcome, answer.cut_short())
    });
    println!(
        "{issues:>6} {red_lines:>9} | {:>10} {:>7.1} {:<14} | {:>10} {:>7.1} {:<28} | {:>10} {:>7.1} {:<20} | {:>10} {:>7.1} {}",
        amend.time,
        amend.mebibytes,
        amend.outcome,
        count.time,
        count.mebibytes,
        count.outcome,
        impasse.time,
        impasse.mebibytes,
        impasse.outcome,
        robust.time,
        robust.mebibytes,
        robust.outcome
    );
}

fn labelled(outcome: &str, cut: v1::CutShort) -> String {
    match cut {
        v1::CutShort::Unspecified => outcome.to_owned(),
        v1::CutShort::Deadline => format!("{outcome} (so far)"),
        v1::CutShort::Work => format!("{outcome} (too large)"),
        v1::CutShort::Results => format!("{outcome} (first)"),
    }
}

struct Measured {
    time: String,
    mebibytes: f32,
    outcome: String,
}

fn measured<R: AnalysisRequest>(text: &str, request: &R, describe: impl Fn(&R::Answer) -> String) -> Measured {
    MEMORY.reset_peak_usage();
    let (before, begun) = (MEMORY.current_usage_as_mb(), Instant::now());
    let service = service(text);
    let stop = || begun.elapsed() > PATIENCE;
    let budget = Budget::new(&stop, &|_| {});
    let answer: Result<R::Answer, ApiError> = service.analyse(request, &budget);
    let time = format!("{:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    let outcome = answer.as_ref().map_or_else(|error| error.to_string(), describe);
    Measured { time, mebibytes: MEMORY.peak_usage_as_mb() - before, outcome }
}

fn aim() -> Option<v1::Aim> {
    Some(v1::Aim { floor: v1::Firmness::Tentative.into(), ..v1::Aim::default() })
}

fn amend() -> v1::SuggestAmendmentsRequest {
    use suggest_amendments_request::Subject;
    let subject = Some(Subject::Proposal(v1::Proposal::default()));
    v1::SuggestAmendmentsRequest { subject, aim: aim(), ..Default::default() }
}

fn packages() -> v1::FindPackagesRequest {
    v1::FindPackagesRequest { aim: aim(), max_packages: Some(10), ..Default::default() }
}

fn impasse() -> v1::ExplainImpasseRequest {
    v1::ExplainImpasseRequest { aim: aim(), ..Default::default() }
}

fn robustness() -> v1::AssessRobustnessRequest {
    use assess_robustness_request::Subject;
    let probabilities = [1, 2, 3, 4].map(|firmness| v1::BindingProbability {
        of: Some(Of::Firmness(firmness)),
        probability: [0.2, 0.5, 0.8, 0.95][firmness as usize - 1],
    });
    let subject = Some(Subject::Proposal(v1::Proposal::default()));
    v1::AssessRobustnessRequest { subject, aim: aim(), probabilities: probabilities.to_vec(), ..Default::default() }
}
