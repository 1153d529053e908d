//! The limits of files: a file at a limit is accepted, and a file beyond it is rejected.
//!
//! The tests edit the good file, `GOOD`, which has no faults.

use super::{GOOD, edited, faults};
use crate::scenario::limits;
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
    accepted(&padded(limits::MAX_FILE_BYTES));
    rejected(&padded(limits::MAX_FILE_BYTES + 1), "the file is 16777217 bytes long; the limit is 16777216 bytes");
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
