//! The cost of an evaluation, without the network.
//!
//! `cargo bench --bench engine`. Measures in one run the bundled scenario, which is the baseline, and generated
//! scenarios with 100 to 5,000 red lines.

use criterion::{Criterion, criterion_group, criterion_main};
use detente_condition::{Answer, EntryIndex, InputIndex, Value};
use detente_core::engine::{Compiled, Detail, Given, Origin};
use detente_core::scenario;
use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

fn compile(name: &str, text: &str) -> Compiled {
    let scenario = scenario::load(name, text).unwrap_or_else(|error| panic!("{error:.300}"));
    Compiled::new(Arc::new(scenario)).unwrap()
}

fn bundled(criterion: &mut Criterion) {
    let compiled = compile("ukraine-2025.yaml", include_str!("../scenarios/ukraine-2025.yaml"));
    let mut group = criterion.benchmark_group("bundled");
    for id in ["jeddah-ceasefire", "european-force", "moscow-june-2024"] {
        let proposal = compiled.scenario().proposal(id).unwrap();
        let given: Vec<Given> = proposal
            .terms
            .iter()
            .map(|term| Given { input: term.issue, answer: term.answer, origin: Origin::Proposal })
            .collect();
        for (view, detail) in [("basic", Detail::Basic), ("full", Detail::Full)] {
            group.bench_function(format!("{id}/{view}"), |bencher| {
                bencher.iter(|| compiled.evaluate(black_box(&given), None, detail).unwrap());
            });
        }
    }
    group.finish();
}

/// A scenario with `red_lines` red lines, of which a proposal on the first issue always affects 50.
fn generated(red_lines: usize) -> String {
    const TOUCHED: usize = 50;
    const ISSUES: usize = 200;
    let mut text = String::from(
        "scenario: generated\ntitle: Generated\ncovers: {from: 2025-01-01, to: 2025-12-31}\nas_of: 2025-06-01\n\
         sources:\n  - {id: nowhere, title: None, publisher: Nobody}\nparties:\n\
         \x20 - {id: alpha, name: Alpha, role: principal}\n  - {id: beta, name: Beta, role: third_party}\nissues:\n",
    );
    for issue in 0..ISSUES {
        writeln!(
            text,
            "  - {{id: i{issue}, title: T, question: Q, kind: choice, options: [a, b, c, d], status_quo: a}}"
        )
        .unwrap();
    }
    text += "red_lines:\n";
    for line in 0..red_lines {
        let party = if line % 2 == 0 { "alpha" } else { "beta" };
        // The first fifty red lines test the issue that the proposal settles. The others are spread over the other
        // issues.
        let issue = if line < TOUCHED { 0 } else { 1 + line % (ISSUES - 2) };
        let (option, other) = (["b", "c"][line % 2], ISSUES - 1);
        writeln!(
            text,
            "  - id: line-{line}\n    party: {party}\n    title: T\n    \
             rejects: 'i{issue} == \"{option}\" && i{other} != \"d\"'\n    firmness: firm\n    \
             held: [{{from: 2025-01-01}}]\n    \
             evidence: [{{source: nowhere, kind: on_record, speaker: Nobody, statement: Said}}]"
        )
        .unwrap();
    }
    text
}

fn scaling(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fifty-touched");
    let given =
        [Given { input: InputIndex(0), answer: Answer::Exact(Value::Choice(EntryIndex(1))), origin: Origin::Proposal }];
    for red_lines in [100, 1_000, 5_000] {
        let compiled = compile("generated.yaml", &generated(red_lines));
        group.bench_function(format!("{red_lines}-loaded"), |bencher| {
            bencher.iter(|| compiled.evaluate(black_box(&given), None, Detail::Basic).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, bundled, scaling);
criterion_main!(benches);
