//! The limits of files: a file at a limit is accepted, and a file beyond it is rejected.
//!
//! The tests edit the good file, `GOOD`, which has no faults.

use super::{GOOD, edited, faults};
use crate::cases::load_cases;
use crate::engine::load_compiled;
use crate::scenario::limits;
use crate::scenario::{load, load_proposal};
use std::fmt::Write;

fn accepted(text: &str) {
    assert_eq!(faults(text), Vec::<String>::new());
}

fn rejected(text: &str, message: &str) {
    let found = faults(text);
    assert!(found.iter().any(|fault| fault.contains(message)), "{message}: {found:?}");
}

/// Returns the good file with `count` more lines, made by `line`, after the passage `after`.
fn many(after: &str, count: usize, line: impl Fn(usize) -> String) -> String {
    let mut lines = String::new();
    for at in 0..count {
        writeln!(lines, "{}", line(at)).unwrap();
    }
    edited(after, &format!("{after}{lines}"))
}

#[test]
fn lengths_of_texts_and_ids_are_limited() {
    let title = |length: usize| edited("title: Water\n", &format!("title: {}\n", "x".repeat(length)));
    accepted(&title(limits::MAX_LINE));
    rejected(&title(limits::MAX_LINE + 1), "the text has 301 characters; the limit is 300");
    let text = |length: usize| edited("description: Invented.", &format!("description: {}", "x".repeat(length)));
    accepted(&text(limits::MAX_TEXT));
    rejected(&text(limits::MAX_TEXT + 1), "the text has 4001 characters");
    let id = |length: usize| edited("scenario: water", &format!("scenario: {}", "x".repeat(length)));
    accepted(&id(limits::MAX_ID));
    rejected(&id(limits::MAX_ID + 1), "the id has 64 characters");
    let quote = |words: usize| edited("quote: at least forty", &format!("quote: {}", "word ".repeat(words)));
    accepted(&quote(limits::MAX_QUOTE_WORDS));
    rejected(&quote(limits::MAX_QUOTE_WORDS + 1), "the quote has 16 words; the limit is 15");
}

#[test]
fn lengths_of_lists_are_limited() {
    let party = |at| format!("  - {{id: p{at}, name: P, role: third_party}}");
    accepted(&many("parties:\n", limits::MAX_PARTIES - 2, party));
    rejected(&many("parties:\n", limits::MAX_PARTIES - 1, party), "there are 501 parties; the limit is 500");
    let issue = |at| format!("  - {{id: i{at}, title: T, question: Q, kind: flag}}");
    accepted(&many("issues:\n", limits::MAX_ISSUES - 4, issue));
    rejected(&many("issues:\n", limits::MAX_ISSUES - 3, issue), "there are 501 issues; the limit is 500");
    let fact = |at| format!("  - {{id: c{at}, title: T, question: Q, kind: flag}}");
    accepted(&many("circumstances:\n", limits::MAX_CIRCUMSTANCES - 1, fact));
    rejected(&many("circumstances:\n", limits::MAX_CIRCUMSTANCES, fact), "there are 101 circumstances");
    let group = |at| format!("  - {{id: g{at}, name: G, members: [north]}}");
    accepted(&many("groups:\n", limits::MAX_GROUPS - 1, group));
    rejected(&many("groups:\n", limits::MAX_GROUPS, group), "there are 201 groups");
}

#[test]
fn numbers_of_options_and_members_are_limited() {
    let options = |count: usize| {
        let ids: Vec<String> = (0..count).map(|at| format!("o{at}")).collect();
        edited("members: [north, south, east], status_quo: []", &format!("members: [north, south, {}]", ids.join(", ")))
            .replace("includes: [east], ", "")
    };
    accepted(&options(62));
    rejected(&options(63), "65 members; expected 1 to 64");
}

#[test]
fn numbers_of_dated_values_and_editions_are_limited() {
    let status_quo = |count: usize| {
        let days =
            (0..count).map(|at| format!("{{from: {}-01-{:02}, value: {}}}", 2026 + at / 28, at % 28 + 1, at % 2 == 0));
        format!("status_quo: [{}]", days.collect::<Vec<_>>().join(", "))
    };
    let dated = "status_quo: [{value: false}, {from: 2025-03-01, value: true}]";
    let wide = |text: String| text.replace("to: 2025-12-31}", "to: 2099-12-31}");
    accepted(&wide(edited(dated, &status_quo(limits::MAX_SPANS))));
    rejected(&wide(edited(dated, &status_quo(limits::MAX_SPANS + 1))), "65 dated values; expected 1 to 64");

    // An edition begins on every day on which something changes. Each flag has up to 60 dated values, and the good file
    // has four editions of its own.
    let flags = |days: usize| {
        let mut text = String::from("issues:\n");
        for flag in 0..days.div_ceil(60) {
            let of_flag = (flag * 60..days.min(flag * 60 + 60)).map(|at| {
                format!("{{from: {}-{:02}-{:02}, value: true}}", 2026 + at / 336, at / 28 % 12 + 1, at % 28 + 1)
            });
            let values = of_flag.collect::<Vec<_>>().join(", ");
            writeln!(text, "  - {{id: f{flag}, title: T, question: Q, kind: flag, status_quo: [{values}]}}").unwrap();
        }
        wide(edited("issues:\n", &text))
    };
    accepted(&flags(limits::MAX_EDITIONS - 4));
    rejected(&flags(limits::MAX_EDITIONS - 3), "divide the covered days into 1001 ranges");
}

#[test]
fn depth_and_size_of_a_file_are_limited() {
    let nested =
        |depth: usize| edited("{any_of: [alone, joint]}", &format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    rejected(&nested(5), "the id of an option");
    rejected(&nested(limits::MAX_DEPTH), "lists and maps nest more than 16 levels deep");
    let padded = |bytes: usize| format!("{GOOD}#{}", "x".repeat(bytes - GOOD.len() - 1));
    accepted(&padded(limits::DEFAULT_FILE_BYTES));
    rejected(&padded(limits::DEFAULT_FILE_BYTES + 1), "the file is 4194305 bytes long; the limit is 4194304 bytes");
    // No caller can choose a higher limit than MAX_FILE_BYTES.
    let load = |bytes: usize| load_compiled("water.yaml", &padded(bytes), usize::MAX).map(|_| ());
    assert!(load(limits::MAX_FILE_BYTES).is_ok());
    let fault = load(limits::MAX_FILE_BYTES + 1).unwrap_err().to_string();
    assert!(fault.contains("the file is 16777217 bytes long; the limit is 16777216 bytes"), "{fault}");
}

/// The values of a file are limited in proportion to its size, and counted before any of them is kept.
#[test]
fn values_are_limited_in_proportion_to_the_size_of_a_file() {
    let of = |values: usize, bytes: usize| {
        // The outermost map, the key and the list are values, too.
        let text = format!("rows: [{}]", "1,".repeat(values - 3));
        format!("{text}\n#{}", "x".repeat(bytes - text.len() - 2))
    };
    for bytes in [200_000, 1_000_000] {
        let most = limits::max_nodes(bytes);
        assert_eq!(most, 65_536 + bytes / 10);
        let found = faults(&of(most, bytes));
        assert!(!found.iter().any(|fault| fault.contains("values")), "{found:?}");
        rejected(&of(most + 1, bytes), &format!("the file has more than {most} values, keys included"));
    }
}

#[test]
fn a_value_that_is_too_long_is_rejected_before_it_is_collected() {
    let most = limits::MAX_SPAN;
    let too_long = format!("the next value, with the white space before it, takes more than {most} characters");
    // What comes after the value does not matter, because the file is not read further.
    for (before, unit, after) in [
        ("\"", "x", "\""),
        ("\"", "\\L", "\""),
        ("'", "x", "'"),
        ("'", " ", "'"),
        ("'", "\n ", "'"),
        ("|\n", "  x\n", ""),
        ("|\n  ", "x", ""),
        (">\n  ", "x", ""),
        ("", "x", ""),
        ("", "x\n  ", ""),
        ("", "\n", "x"),
    ] {
        let of = |characters: usize| {
            let text = before.to_owned() + &unit.repeat(characters / unit.len()) + after;
            edited("description: Invented.", &format!("description: {text}"))
        };
        let found = faults(&of(most - 64));
        assert!(!found.iter().any(|fault| fault.contains(&too_long)), "{before:?} {unit:?}: {found:?}");
        rejected(&of(most + 64), &too_long);
    }
    rejected(
        &format!("{}{GOOD}", (0..most / 12 + 1).map(|at| format!("%TAG !a{at}! x\n")).collect::<String>()),
        &too_long,
    );
    // Comments are not collected.
    accepted(&format!("{GOOD}#{}", "x".repeat(most + 1)));
    accepted(&format!("{}{GOOD}", "# a comment\n".repeat(most - 64)));
    rejected(&format!("{}{GOOD}", "# a comment\n".repeat(most + 64)), &too_long);
}

/// Lists in brackets within other brackets, of which files in JSON consist, are kept by the parser until they end.
#[test]
fn brackets_within_brackets_are_limited() {
    // Each item has six brackets, commas and colons, and the list itself has two.
    let of = |items: usize| format!("{{\"a\": [{}]}}", "{\"b\": [\"c\"]},".repeat(items));
    let most = (limits::MAX_MARKS - 2) / 6;
    let too_many = "the next list or map in brackets has more than 32768 brackets, commas and colons";
    let found = faults(&of(most - 1));
    assert!(!found.iter().any(|fault| fault.contains(too_many)), "{found:?}");
    rejected(&of(most + 1), too_many);
    let text = |length: usize| format!("{{\"a\": [\"{}\"]}}", "x".repeat(length));
    let too_long = "the next value, with the white space before it, takes more than 65536 characters";
    let found = faults(&text(limits::MAX_SPAN - 8));
    assert!(!found.iter().any(|fault| fault.contains(too_long)), "{found:?}");
    rejected(&text(limits::MAX_SPAN + 1), too_long);
    rejected(&format!("{{\"a\": {}}}", "[".repeat(limits::MAX_MARKS + 1)), "YAML");
}

/// A file whose conditions are cheap one by one, and too expensive together. The error names the costliest condition
/// and its line.
#[test]
fn the_work_for_all_conditions_of_a_file_is_limited() {
    // Each token of a condition takes 4,000 steps, so that each of these conditions takes about 8 million.
    let numbers = |count: usize| format!("release in [{}]", vec!["7"; count].join(","));
    let line = |id: &str, condition: &str| {
        format!(
            "  - {{id: {id}, party: upstream, title: T, rejects: '{condition}', firmness: firm, held: [{{from: \
             2025-01-01}}], \
             evidence: [{{source: minutes, kind: reported, speaker: Taker, statement: Said.}}]}}"
        )
    };
    let file = |count: usize| {
        let costliest = line("costliest", &numbers(1_100));
        let others = (0..count).map(|at| line(&format!("r{at}"), &numbers(1_000))).collect::<Vec<_>>().join("\n");
        edited("red_lines:\n", &format!("red_lines:\n{costliest}\n{others}\n"))
    };
    accepted(&file(80));
    let message = format!(
        "the conditions and editions of the file take more than {} steps to read and compile; of those reached, red \
         line `costliest` takes most",
        limits::MAX_STEPS
    );
    let number = GOOD.lines().position(|line| line == "red_lines:").unwrap() + 2;
    let found = faults(&file(100));
    let [fault] = &found[..] else { panic!("{found:?}") };
    assert!(fault.starts_with(&format!("{number}:")) && fault.contains(&message), "{fault}");
    assert!(fault.contains("simplify its conditions"), "{fault}");
}

#[test]
fn the_memory_of_all_compiled_conditions_of_a_file_is_limited() {
    // The condition is true in 512 cases with nine tests each, which take 150 KB.
    let flags: String = (0..18).map(|at| format!("  - {{id: f{at}, title: T, question: Q, kind: flag}}\n")).collect();
    let pairs: Vec<String> = (0..9).map(|at| format!("(f{} || f{})", 2 * at, 2 * at + 1)).collect();
    let file = |count: usize| {
        let lines: String = (0..count)
            .map(|at| {
                format!(
                    "  - {{id: r{at}, party: upstream, title: T, rejects: {}, firmness: firm, held: [{{from: \
                     2025-01-01}}], evidence: [{{source: minutes, kind: reported, speaker: Taker, statement: \
                     Said.}}]}}\n",
                    pairs.join(" && ")
                )
            })
            .collect();
        edited("red_lines:\n", &format!("red_lines:\n{lines}")).replace("issues:\n", &format!("issues:\n{flags}"))
    };
    accepted(&file(50));
    rejected(&file(65), "bytes of memory once compiled; of those reached, red line `r");
}

/// Editions are made after the file was read, from the same budget.
#[test]
fn the_memory_of_all_editions_of_a_file_is_limited() {
    let inputs: String = (0..496).map(|at| format!("  - {{id: f{at}, title: T, question: Q, kind: flag}}\n")).collect();
    let file = |days: usize| {
        let dated: String = (0..days.div_ceil(60))
            .map(|flag| {
                let days = (flag * 60..days.min(flag * 60 + 60)).map(|at| {
                    format!("{{from: {}-{:02}-{:02}, value: true}}", 2026 + at / 336, at / 28 % 12 + 1, at % 28 + 1)
                });
                let days = days.collect::<Vec<_>>().join(", ");
                format!("  - {{id: f{flag}, title: T, question: Q, kind: flag, status_quo: [{days}]}}\n")
            })
            .collect();
        let rest = inputs.split_inclusive('\n').skip(days.div_ceil(60)).collect::<String>();
        edited("issues:\n", &format!("issues:\n{dated}{rest}")).replace("to: 2025-12-31}", "to: 2099-12-31}")
    };
    let load = |days: usize| load_compiled("water.yaml", &file(days), usize::MAX).map(|_| ());
    assert!(load(100).is_ok());
    let fault = load(limits::MAX_EDITIONS - 4).unwrap_err().to_string();
    assert!(fault.contains("the editions (ranges of days without changes) takes most"), "{fault}");
}

#[test]
fn numbers_of_waivers_spans_and_evidence_are_limited() {
    let waiver = |at: usize| {
        format!(
            "      - {{id: w{at}, title: T, when: drought && release == {at}, firmness: negotiable, \
             evidence: [{{source: minutes, kind: assessed, speaker: E, statement: S}}]}}"
        )
    };
    // The waiver of the good file is weakened, because otherwise the generated waivers would have no effect, which is a
    // fault.
    let base = edited("        firmness: tentative", "        firmness: negotiable")
        .replace("when: drought\n", "when: drought && release > 30\n");
    let with = |count: usize| {
        let lines: String = (0..count).map(|at| waiver(at) + "\n").collect();
        base.replacen("    waivers:\n", &format!("    waivers:\n{lines}"), 1)
    };
    accepted(&with(limits::MAX_WAIVERS - 1));
    rejected(&with(limits::MAX_WAIVERS), "there are 17 waivers; the limit is 16");
    let spans = |count: usize| {
        let days = (0..count).map(|at| {
            format!(
                "{{from: 2025-{:02}-{:02}, until: 2025-{:02}-{:02}}}",
                at / 14 + 1,
                at % 14 * 2 + 1,
                at / 14 + 1,
                at % 14 * 2 + 2
            )
        });
        let held = days.collect::<Vec<_>>().join(", ");
        edited(
            "held: [{from: 2025-01-01}]\n    evidence: [{source: minutes, kind: reported",
            &format!("held: [{held}]\n    evidence: [{{source: minutes, kind: reported"),
        )
    };
    accepted(&spans(limits::MAX_SPANS));
    rejected(&spans(limits::MAX_SPANS + 1), "there are 65 spans; the limit is 64");
    let pieces = |count: usize| {
        let one = "{source: minutes, kind: reported, speaker: Taker, statement: Said.}";
        edited(&format!("evidence: [{one}]"), &format!("evidence: [{}]", vec![one; count].join(", ")))
    };
    accepted(&pieces(limits::MAX_EVIDENCE));
    rejected(&pieces(limits::MAX_EVIDENCE + 1), "there are 101 pieces of evidence; the limit is 100");
}

#[test]
fn sizes_of_test_files_and_proposals_are_limited() {
    let case = "  - {name: C, terms: {paid: true}, expect: {verdict: blocked}}\n";
    let cases =
        |count: usize| load_cases("water_test.yaml", &format!("scenario: water.yaml\ncases:\n{}", case.repeat(count)));
    assert!(cases(limits::MAX_CASES).is_ok());
    let fault = cases(limits::MAX_CASES + 1).unwrap_err().to_string();
    assert!(fault.contains("the file has 1001 cases; the limit is 1000"), "{fault}");
    let padded = |text: &str, bytes: usize| format!("{text}#{}", "x".repeat(bytes - text.len() - 1));
    let file = |bytes: usize| load_cases("water_test.yaml", &padded(&format!("scenario: w\ncases:\n{case}"), bytes));
    assert!(file(limits::MAX_TEST_FILE_BYTES).is_ok());
    assert!(file(limits::MAX_TEST_FILE_BYTES + 1).unwrap_err().to_string().contains("the limit is 1048576 bytes"));
    let scenario = load("water.yaml", GOOD).unwrap();
    let proposal = |bytes: usize| load_proposal("p.yaml", &padded("terms: {paid: true}\n", bytes), scenario.issues());
    assert!(proposal(limits::MAX_PROPOSAL_FILE_BYTES).is_ok());
    let fault = proposal(limits::MAX_PROPOSAL_FILE_BYTES + 1).unwrap_err().to_string();
    assert!(fault.contains("the limit is 1048576 bytes"), "{fault}");
}

/// 10,000 red lines with the shortest texts that people write, about 210 bytes each, are within the limit on values.
#[test]
fn a_file_of_10_000_short_red_lines_loads() {
    let head = "scenario: short\ntitle: Short\ncovers: {from: 2025-01-01, to: 2025-12-31}\nas_of: 2025-06-30\n\
        sources: [{id: s, title: T, publisher: P}]\nparties: [{id: ukraine, name: Ukraine, role: principal}]\n\
        issues: [{id: troops, title: Troops, question: Which?, kind: flag}]\nred_lines:\n";
    let lines = (0..10_000).map(|at| {
        format!(
            "- {{id: no-troops-{at}, party: ukraine, title: No foreign troops, rejects: troops, firmness: firm, \
             held: [{{from: 2025-01-01}}], evidence: [{{source: s, kind: assessed, speaker: S, \
             statement: They refuse troops.}}]}}\n"
        )
    });
    let text: String = std::iter::once(head.to_owned()).chain(lines).collect();
    let compiled = load_compiled("short.yaml", &text, limits::DEFAULT_FILE_BYTES).unwrap();
    assert_eq!(compiled.scenario().red_lines.len(), 10_000);
}
