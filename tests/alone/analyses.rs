//! The memory that one analysis takes at most, whatever the request and the scenario.
//!
//! The scenarios are within their limits, and each is as expensive as possible for one of the searches: for the SAT
//! solver, for decision diagrams, for the comparison of packages, and for the problem that all searches start from.

use crate::hostile_conditions::MEMORY;
use crate::support::hostile;
use crate::support::pigeons::pigeons;
use crate::turn;
use detente::schema::proto::v1;
use detente::schema::proto::v1::binding_probability::Of;
use detente::schema::proto::v1::{assess_robustness_request, suggest_amendments_request};
use detente::services::{AnalysisRequest, RedLines};
use detente::serving::{Store, source};
use detente_analysis::{Budget, MAX_QUESTION_BYTES};
use detente_condition::{Decision, Formula, WorkBudget, compile_for_call_within};
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time for each analysis: long enough to reach a bound, as the searches take memory faster than 1 MiB a second.
const TIME: Duration = Duration::from_secs(4);

/// Most memory of the conditions of one call, in bytes: those of 32 hypotheses, and the goal.
const MOST_OF_CONDITIONS: usize = 1024 * 1024;

const HEAD: &str = "scenario: made\ntitle: Made\ncovers: {from: 2025-01-01, to: 2025-12-31}\nas_of: 2025-06-01\n\
                    sources:\n  - {id: nowhere, title: None, publisher: Nobody}\nparties:\n  - {id: one, name: One, role: \
                    principal}\n  - {id: two, name: Two, role: principal}\n  - {id: three, name: Three, role: principal}\n";
const EVIDENCE: &str = "evidence: [{source: nowhere, kind: reported, speaker: S, statement: S}]";

/// Random numbers that repeat on every run (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % bound as u64) as usize
    }
}

fn red_line(text: &mut String, number: usize, rejects: &str) {
    writeln!(
        text,
        "  - {{id: line-{number}, party: one, title: T, rejects: '{rejects}', firmness: firm, held: \
         [{{from: 2025-01-01}}], {EVIDENCE}}}"
    )
    .unwrap();
}

/// Choices of several options, and red lines against random combinations of `tests` answers.
fn random(issues: usize, options: usize, lines: usize, tests: usize, preferences: bool) -> String {
    let mut random = Random(7);
    let names: Vec<String> = (0..options).map(|option| format!("o{option}")).collect();
    let mut text = format!("{HEAD}issues:\n");
    for issue in 0..issues {
        let options = names.join(", ");
        writeln!(text, "  - {{id: i{issue}, title: T, question: Q, kind: choice, options: [{options}]}}").unwrap();
    }
    text += "red_lines:\n";
    for line in 0..lines {
        let mut tested = Vec::new();
        while tested.len() < tests {
            let issue = random.below(issues);
            if !tested.contains(&issue) {
                tested.push(issue);
            }
        }
        let tests = tested.iter().map(|issue| format!("i{issue} == \"o{}\"", random.below(options)));
        red_line(&mut text, line, &tests.collect::<Vec<_>>().join(" && "));
    }
    if preferences {
        text += "preferences:\n";
        for party in ["one", "two", "three"] {
            for issue in 0..issues {
                let values: Vec<String> =
                    names.iter().map(|name| format!("{name}: 0.{:04}", random.below(10_000))).collect();
                writeln!(
                    text,
                    "  - {{party: {party}, issue: i{issue}, values: {{{}}}, {EVIDENCE}}}",
                    values.join(", ")
                )
                .unwrap();
            }
        }
    }
    text
}

/// Sets of 64 members, and red lines that each have many long cases.
fn long_cases(issues: usize, lines: usize) -> String {
    let members: Vec<String> = (0..64).map(|member| format!("m{member}")).collect();
    let mut text = format!("{HEAD}issues:\n");
    for issue in 0..issues {
        let members = members.join(", ");
        writeln!(text, "  - {{id: i{issue}, title: T, question: Q, kind: members, members: [{members}]}}").unwrap();
    }
    text += "red_lines:\n";
    for line in 0..lines {
        let carried: Vec<String> =
            (0..40).map(|at| format!("\"m{}\" in i{}", (at + line) % 64, (at * 7 + line) % issues)).collect();
        let choices: Vec<String> = (0..5)
            .map(|at| {
                format!("(\"m{at}\" in i{} || \"m{}\" in i{})", (line + at) % issues, at + 9, (line + 3) % issues)
            })
            .collect();
        red_line(&mut text, line, &format!("{} && {}", carried.join(" && "), choices.join(" && ")));
    }
    text
}

fn aim() -> Option<v1::Aim> {
    Some(v1::Aim { floor: v1::Firmness::Tentative.into(), ..v1::Aim::default() })
}

fn packages(diverse: bool, efficient: bool) -> v1::FindPackagesRequest {
    let order = if diverse { v1::PackageOrder::Diverse } else { v1::PackageOrder::Stable };
    let most = Some(if diverse { 1_000 } else { 20 });
    v1::FindPackagesRequest { aim: aim(), max_packages: most, order: order.into(), efficient, ..Default::default() }
}

/// Answers a request, and returns the most memory that this took besides the scenario, in bytes.
fn peak<R: AnalysisRequest>(service: &RedLines, request: &R) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let begun = Instant::now();
    let stop = || begun.elapsed() > TIME;
    let answer = service.analyse(request, &Budget::new(&stop, &|_| {}));
    let peak = MEMORY.peak_usage().saturating_sub(before);
    assert!(answer.is_ok());
    peak
}

fn peaks(name: &str, text: &str) -> usize {
    let compiled = source::compile("made.yaml", text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let service = RedLines::new(Arc::new(Store::new(vec![compiled]).unwrap()));
    let subject = Some(suggest_amendments_request::Subject::Proposal(v1::Proposal::default()));
    let amend = v1::SuggestAmendmentsRequest { subject, aim: aim(), max_amendments: 20, ..Default::default() };
    let impasse = v1::ExplainImpasseRequest { aim: aim(), max_results: 1_000, ..Default::default() };
    let probabilities = (1..=4)
        .map(|firmness| v1::BindingProbability {
            of: Some(Of::Firmness(firmness)),
            probability: 0.2 * f64::from(firmness),
        })
        .collect();
    let subject = Some(assess_robustness_request::Subject::Proposal(v1::Proposal::default()));
    let robust = v1::AssessRobustnessRequest { subject, aim: aim(), probabilities, ..Default::default() };
    let all = [
        ("amend", peak(&service, &amend)),
        ("impasse", peak(&service, &impasse)),
        ("count", peak(&service, &packages(false, false))),
        ("diverse", peak(&service, &packages(true, false))),
        ("efficient", peak(&service, &packages(false, text.contains("preferences:")))),
        ("robustness", peak(&service, &robust)),
    ];
    let mib = all.map(|(search, bytes)| format!("{search} {:.1}", bytes as f64 / f64::from(1 << 20)));
    println!("{name}: {} MiB", mib.join(", "));
    all.map(|(_, bytes)| bytes).into_iter().max().unwrap_or_default()
}

#[test]
fn no_analysis_takes_more_than_its_bound() {
    let _turn = turn();
    let scenarios = [
        ("pigeons", pigeons(14, 13)),
        ("sparse", random(100, 4, 500, 3, false)),
        ("dense", random(40, 8, 3_000, 3, false)),
        ("wide", random(60, 64, 2_000, 4, false)),
        ("many lines", random(400, 4, 6_000, 4, false)),
        ("preferences", random(24, 12, 20, 3, true)),
        ("impasse", random(30, 2, 2_000, 5, false)),
        ("long cases", long_cases(20, 300)),
        ("bundled", source::EMBEDDED.to_owned()),
    ];
    let mut highest = 0;
    for (name, text) in scenarios {
        let peak = peaks(name, &text);
        highest = highest.max(peak);
    }
    assert!(highest <= MAX_QUESTION_BYTES, "{highest} bytes");
}

/// A question that waits holds its conditions: those of up to 32 hypotheses, and the goal.
#[test]
fn no_waiting_question_holds_more_than_its_bound() {
    let _turn = turn();
    let (vocabulary, domains) = hostile::vocabulary();
    let mut highest = (0, "");
    // The parser makes its tables when it is first used.
    compile_for_call_within(&["true"], &vocabulary, &domains, &mut WorkBudget::for_call()).unwrap();
    for (family, text) in hostile::all() {
        let compile = |count: usize| {
            let (before, mut work) = (MEMORY.current_usage(), WorkBudget::for_call());
            let compiled = compile_for_call_within(&vec![&*text; count], &vocabulary, &domains, &mut work).ok()?;
            let held = MEMORY.current_usage().saturating_sub(before);
            let sizes = compiled.conditions.iter().map(|(formula, decision)| formula.bytes() + decision.bytes());
            // As `SearchQuestion::bytes` counts them.
            let counted = 2 * (compiled.space.bytes() + sizes.sum::<usize>());
            let own = compiled.conditions.capacity() * size_of::<(Formula, Decision)>();
            // A call has 10 KiB besides.
            assert!(held <= counted + own + 8 * 1024, "{held} bytes are counted as {counted}");
            Some(held)
        };
        // If all conditions together exceed the limits of one call, then as many as fit.
        let held = [33, 16, 8, 4, 2, 1].into_iter().find_map(compile).unwrap_or_default();
        highest = highest.max((held, hostile::FAMILIES[family].0));
    }
    println!("a waiting question: {highest:?}");
    assert!(highest.0 <= MOST_OF_CONDITIONS, "{highest:?}");
}
