//! Both sides of the bounds of files.

use super::{GOOD, edited, faults};
use crate::scenario::limits;
use std::fmt::Write;

fn holds(text: &str) {
    assert_eq!(faults(text), Vec::<String>::new());
}

fn refused(text: &str, message: &str) {
    let found = faults(text);
    assert!(found.iter().any(|fault| fault.contains(message)), "{message}: {found:?}");
}

/// `count` lines made by `line`, in place of a line of the good file.
fn many(after: &str, count: usize, line: impl Fn(usize) -> String) -> String {
    let mut lines = String::new();
    for at in 0..count {
        writeln!(lines, "{}", line(at)).unwrap();
    }
    edited(after, &format!("{after}{lines}"))
}

#[test]
fn texts_and_ids() {
    let title = |length: usize| edited("title: Water\n", &format!("title: {}\n", "x".repeat(length)));
    holds(&title(limits::MAX_LINE));
    refused(&title(limits::MAX_LINE + 1), "the text has 301 characters; at most 300 are kept");
    let text = |length: usize| edited("description: Invented.", &format!("description: {}", "x".repeat(length)));
    holds(&text(limits::MAX_TEXT));
    refused(&text(limits::MAX_TEXT + 1), "the text has 4001 characters");
    let id = |length: usize| edited("scenario: water", &format!("scenario: {}", "x".repeat(length)));
    holds(&id(limits::MAX_ID));
    refused(&id(limits::MAX_ID + 1), "the id has 64 characters");
    let quote = |words: usize| edited("quote: at least forty", &format!("quote: {}", "word ".repeat(words)));
    holds(&quote(limits::MAX_QUOTE_WORDS));
    refused(&quote(limits::MAX_QUOTE_WORDS + 1), "the quote has 16 words; at most 15 are allowed");
}

#[test]
fn lists() {
    let party = |at| format!("  - {{id: p{at}, name: P, role: third_party}}");
    holds(&many("parties:\n", limits::MAX_PARTIES - 2, party));
    refused(&many("parties:\n", limits::MAX_PARTIES - 1, party), "there are 501 parties; at most 500 are allowed");
    let issue = |at| format!("  - {{id: i{at}, title: T, question: Q, kind: flag}}");
    holds(&many("issues:\n", limits::MAX_ISSUES - 4, issue));
    refused(&many("issues:\n", limits::MAX_ISSUES - 3, issue), "there are 501 issues; at most 500 are allowed");
    let fact = |at| format!("  - {{id: c{at}, title: T, question: Q, kind: flag}}");
    holds(&many("circumstances:\n", limits::MAX_CIRCUMSTANCES - 1, fact));
    refused(&many("circumstances:\n", limits::MAX_CIRCUMSTANCES, fact), "there are 101 circumstances");
    let group = |at| format!("  - {{id: g{at}, name: G, members: [north]}}");
    holds(&many("groups:\n", limits::MAX_GROUPS - 1, group));
    refused(&many("groups:\n", limits::MAX_GROUPS, group), "there are 201 groups");
}

#[test]
fn options_and_members() {
    let options = |count: usize| {
        let ids: Vec<String> = (0..count).map(|at| format!("o{at}")).collect();
        edited("members: [north, south, east], status_quo: []", &format!("members: [north, south, {}]", ids.join(", ")))
            .replace("includes: [east], ", "")
    };
    holds(&options(62));
    refused(&options(63), "65 members; 1 to 64 are needed");
}

#[test]
fn editions() {
    let status_quo = |count: usize| {
        let days =
            (0..count).map(|at| format!("{{from: {}-01-{:02}, value: {}}}", 2026 + at / 28, at % 28 + 1, at % 2 == 0));
        format!("status_quo: [{}]", days.collect::<Vec<_>>().join(", "))
    };
    let dated = "status_quo: [{value: false}, {from: 2025-03-01, value: true}]";
    let wide = |text: String| text.replace("to: 2025-12-31}", "to: 2099-12-31}");
    holds(&wide(edited(dated, &status_quo(limits::MAX_SPANS))));
    refused(&wide(edited(dated, &status_quo(limits::MAX_SPANS + 1))), "65 dated values; 1 to 64 are allowed");

    // Days on which something changes, spread over many flags of 60 days each; the good file has four of its own.
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
    holds(&flags(limits::MAX_EDITIONS - 4));
    refused(&flags(limits::MAX_EDITIONS - 3), "there are 1001 editions");
}

#[test]
fn depth_and_size() {
    let nested =
        |depth: usize| edited("{any_of: [alone, joint]}", &format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    refused(&nested(5), "the id of an option");
    refused(&nested(limits::MAX_DEPTH), "lists and maps nest more than 16 deep here");
    let padded = |bytes: usize| format!("{GOOD}#{}", "x".repeat(bytes - GOOD.len() - 1));
    holds(&padded(limits::MAX_FILE_BYTES));
    refused(&padded(limits::MAX_FILE_BYTES + 1), "the file has 16777217 bytes; at most 16777216 are read");
}

#[test]
fn waivers_spans_and_evidence() {
    let waiver = |at: usize| {
        format!(
            "      - {{id: w{at}, title: T, when: drought && release == {at}, firmness: negotiable, \
             evidence: [{{source: minutes, kind: assessed, speaker: E, statement: S}}]}}"
        )
    };
    // Beside the one that lowers to tentative in a drought, these would lower nothing.
    let base = edited("        firmness: tentative", "        firmness: negotiable")
        .replace("when: drought\n", "when: drought && release > 30\n");
    let with = |count: usize| {
        let lines: String = (0..count).map(|at| waiver(at) + "\n").collect();
        base.replacen("    waivers:\n", &format!("    waivers:\n{lines}"), 1)
    };
    holds(&with(limits::MAX_WAIVERS - 1));
    refused(&with(limits::MAX_WAIVERS), "there are 17 waivers; at most 16 are allowed");
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
    holds(&spans(limits::MAX_SPANS));
    refused(&spans(limits::MAX_SPANS + 1), "there are 65 spans; at most 64 are allowed");
    let pieces = |count: usize| {
        let one = "{source: minutes, kind: reported, speaker: Taker, statement: Said.}";
        edited(&format!("evidence: [{one}]"), &format!("evidence: [{}]", vec![one; count].join(", ")))
    };
    holds(&pieces(limits::MAX_EVIDENCE));
    refused(&pieces(limits::MAX_EVIDENCE + 1), "there are 101 pieces of evidence; at most 100 are allowed");
}
