//! Generates scenarios of any size from a seed. Each red line rejects a combination of answers to up to four
//! neighbouring issues, as the issues of one chapter of an agreement depend on each other.

use std::fmt::Write;

/// A small random number generator (xorshift). A seed always gives the same scenario.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// The issues that one red line tests are all chosen from this many consecutive issues.
const CHAPTER: u64 = 8;

pub(crate) fn generated(issues: u64, red_lines: u64, seed: u64) -> String {
    let mut numbers = Numbers::new(seed);
    let mut text = String::from(
        "scenario: generated\ntitle: Generated\ncovers: {from: 2025-01-01, to: 2025-12-31}\nas_of: 2025-06-01\n\
         sources:\n  - {id: nowhere, title: None, publisher: Nobody}\nparties:\n",
    );
    for party in 0..6 {
        let role = if party < 3 { "principal" } else { "third_party" };
        writeln!(text, "  - {{id: p{party}, name: P{party}, role: {role}}}").unwrap();
    }
    text += "issues:\n";
    for issue in 0..issues {
        let domain = match issue % 5 {
            0 => "kind: flag, status_quo: false".to_owned(),
            1 => "kind: members, members: [a, b, c], status_quo: []".to_owned(),
            2 => "kind: quantity, unit: days, range: {min: 0, max: 100}, status_quo: 50".to_owned(),
            _ => "kind: choice, options: [a, b, c, d], status_quo: a".to_owned(),
        };
        writeln!(text, "  - {{id: i{issue}, title: T, question: Q, {domain}}}").unwrap();
    }
    text += "red_lines:\n";
    for line in 0..red_lines {
        let (first, mut tests) = (numbers.below(issues), Vec::new());
        let mut used = Vec::new();
        for _ in 0..2 + numbers.below(3) {
            let issue = (first + numbers.below(CHAPTER)) % issues;
            if used.contains(&issue) {
                continue;
            }
            used.push(issue);
            tests.push(match issue % 5 {
                0 => ["i{} == true", "i{} == false"][numbers.below(2) as usize].replace("{}", &issue.to_string()),
                1 => format!("\"{}\" in i{issue}", ["a", "b", "c"][numbers.below(3) as usize]),
                2 => format!("i{issue} {} {}", ["<", ">="][numbers.below(2) as usize], 25 * (1 + numbers.below(3))),
                _ => format!("i{issue} == \"{}\"", ["a", "b", "c", "d"][numbers.below(4) as usize]),
            });
        }
        let (party, firmness) =
            (numbers.below(6), ["tentative", "negotiable", "firm", "absolute"][numbers.below(4) as usize]);
        let condition = tests.join(" && ");
        writeln!(
            text,
            "  - id: line-{line}\n    party: p{party}\n    title: T\n    rejects: '{condition}'\n    firmness: \
             {firmness}\n    held: [{{from: 2025-01-01}}]\n    evidence: [{{source: nowhere, kind: reported, speaker: S, statement: \
             S}}]"
        )
        .unwrap();
    }
    text
}
