//! A scenario whose analyses take minutes: every office of a party gets a town, there are fewer towns than offices, and
//! red lines reject two offices in one town.

#![allow(dead_code, unreachable_pub, reason = "each program uses a part")]

use std::fmt::Write;

/// A scenario with this many issues and options, and with red lines against equal answers to any two issues. With more
/// issues than options, every deal crosses a red line (the pigeonhole principle). A SAT solver needs very long to prove
/// that.
pub fn pigeons(issues: usize, options: usize) -> String {
    let options: Vec<String> = (0..options).map(|option| format!("town_{option}")).collect();
    let mut text = String::from(
        "scenario: pigeons\ntitle: Pigeons\ncovers: {from: 2025-01-01, to: 2025-12-31}\nas_of: 2025-06-01\nsources:\n\
         \x20 - {id: nowhere, title: None, publisher: Nobody}\nparties:\n  - {id: owner, name: Owner, role: principal}\n\
         issues:\n",
    );
    for issue in 0..issues {
        let options = options.join(", ");
        writeln!(text, "  - {{id: i{issue}, title: T, question: Q, kind: choice, options: [{options}]}}").unwrap();
    }
    text += "red_lines:\n";
    for one in 0..issues {
        for other in one + 1..issues {
            for (town, option) in options.iter().enumerate() {
                writeln!(
                    text,
                    "  - id: line-{one}-{other}-{town}\n    party: owner\n    title: T\n    rejects: 'i{one} == \"{option}\" && \
                     i{other} == \"{option}\"'\n    firmness: firm\n    held: [{{from: 2025-01-01}}]\n    evidence: \
                     [{{source: nowhere, kind: reported, speaker: S, statement: S}}]"
                )
                .unwrap();
            }
        }
    }
    text
}
