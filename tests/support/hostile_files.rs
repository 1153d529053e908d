//! Scenario files that take as much memory or time for their size as possible.
//!
//! A family of files repeats the same construct until the file has the wanted size. Some files are rejected and some
//! load: the most expensive file of a kind is often the last one that is not rejected. All files are the same on every
//! run.

use std::fmt::Write;

/// A family's name, and the function that makes a file of about this many bytes.
pub(crate) type Family = (&'static str, fn(usize) -> String);

const HEAD: &str = "\
scenario: big
title: T
covers: {from: 2000-01-01, to: 2099-12-31}
as_of: 2025-06-30
sources: [{id: s, title: T, publisher: P}]
parties: [{id: p, name: P, role: principal}]
";
const EVIDENCE: &str = "evidence: [{source: s, kind: assessed, speaker: S, statement: S}]";

/// 400 flags, 60 sets of 20 members, 40 quantities, and a group of 64 entries.
fn issues() -> String {
    let mut text = String::from("issues:\n");
    for at in 0..400 {
        writeln!(text, "- {{id: f{at}, title: T, question: Q, kind: flag}}").unwrap();
    }
    let ids: Vec<String> = (0..64).map(|at| format!("m{at}")).collect();
    for at in 0..60 {
        let members = ids[..20].join(", ");
        writeln!(text, "- {{id: s{at}, title: T, question: Q, kind: members, members: [{members}]}}").unwrap();
    }
    for at in 0..40 {
        writeln!(text, "- {{id: q{at}, title: T, question: Q, kind: quantity, unit: U, range: {{min: 0, max: 9999}}}}")
            .unwrap();
    }
    writeln!(
        text,
        "circumstances:\n- {{id: all, title: T, question: Q, kind: members, members: [{}]}}",
        ids.join(", ")
    )
    .unwrap();
    let group = format!("groups: [{{id: g, name: G, members: [{}]}}]\n", ids.join(", "));
    group + &text.replace("id: all", "id: everyone")
}

/// Repeats what `part` makes until the text has `bytes` bytes.
fn filled(mut text: String, bytes: usize, mut part: impl FnMut(usize) -> String) -> String {
    for at in 0.. {
        let part = part(at);
        if text.len() + part.len() > bytes {
            break;
        }
        text.push_str(&part);
    }
    text
}

/// Repeats a unit as often as `values` and the size allow, then fills the file with a comment.
fn padded(head: &str, values: usize, unit: impl Fn(usize) -> String, tail: &str, bytes: usize) -> String {
    let mut text = head.to_owned();
    for at in 0..values {
        let unit = unit(at);
        if text.len() + unit.len() + tail.len() + 2 > bytes {
            break;
        }
        text.push_str(&unit);
    }
    text.push_str(tail);
    let left = bytes.saturating_sub(text.len() + 2);
    text + "\n#" + &"x".repeat(left)
}

/// The number of values that a file of this size may have.
fn values(bytes: usize) -> usize {
    detente_core::scenario::limits::max_nodes(bytes) - 8
}

/// The values of a red line without waivers, keys included, and at most those of everything before the red lines.
const NODES_OF_A_LINE: usize = 27;
const NODES_OF_THE_HEAD: usize = 8_000;

/// A file with as many red lines, of so many values each, as fit; a comment fills the rest.
fn listed(nodes: usize, bytes: usize, line: impl Fn(usize) -> String) -> String {
    let head = format!("{HEAD}{}red_lines:\n", issues());
    padded(&head, (values(bytes) - NODES_OF_THE_HEAD) / nodes, line, "", bytes)
}

/// A file with red lines whose conditions `condition` makes.
fn red_lines(bytes: usize, condition: impl Fn(usize) -> String) -> String {
    listed(NODES_OF_A_LINE, bytes, |at| {
        format!(
            "- {{id: r{at}, party: p, title: T, rejects: '{}', firmness: firm, held: [{{from: 2025-01-01}}], {EVIDENCE}}}\n",
            condition(at).replace('\'', "''")
        )
    })
}

/// As many parts as fit into a condition, with a separator between them.
fn joined(separator: &str, part: impl Fn(usize) -> String) -> String {
    let mut text = part(0);
    for at in 1.. {
        let next = part(at);
        if text.len() + separator.len() + next.len() > 4_096 {
            break;
        }
        text.push_str(separator);
        text.push_str(&next);
    }
    text
}

fn flag(at: usize) -> String {
    format!("f{}", at % 400)
}

fn pairs(count: usize, from: usize) -> String {
    let pairs: Vec<String> =
        (0..count).map(|at| format!("({} || {})", flag(from + 2 * at), flag(from + 2 * at + 1))).collect();
    pairs.join(" && ")
}

fn parity(count: usize, from: usize) -> String {
    fn odd(from: usize, to: usize) -> String {
        if to - from == 1 {
            return flag(from);
        }
        let (a, b) = (odd(from, (from + to) / 2), odd((from + to) / 2, to));
        format!("({a} && !{b} || !{a} && {b})")
    }
    odd(from, from + count)
}

/// Clauses of three flags each, chosen at random (SplitMix64).
fn clauses(count: usize, flags: usize, seed: usize) -> String {
    let mut state = seed as u64;
    let mut below = move |bound: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % bound as u64) as usize
    };
    let mut literal = move || format!("{}{}", ["", "!"][below(2)], flag(below(flags)));
    let clauses: Vec<String> =
        (0..count).map(|_| format!("({} || {} || {})", literal(), literal(), literal())).collect();
    clauses.join(" && ")
}

/// Spans of one day, each a week after the one before.
fn spans(count: usize, offset: usize) -> String {
    let day = |at: usize| format!("20{:02}-{:02}-{:02}", at / 336, at / 28 % 12 + 1, at % 28 + 1);
    let spans: Vec<String> = (0..count)
        .map(|at| format!("{{from: {}, until: {}}}", day(offset + 14 * at), day(offset + 14 * at + 1)))
        .collect();
    spans.join(", ")
}

/// Files that the parser or the reader rejects, or that have no conditions to speak of.
pub(crate) const OF_THE_FORMAT: [Family; 28] = [
    ("plain keys", |bytes| filled(String::new(), bytes, |at| format!("k{at}:\n"))),
    ("plain keys, as many as allowed", |bytes| padded("", values(bytes) / 2, |at| format!("k{at}:\n"), "", bytes)),
    ("plain keys in red lines", |bytes| {
        padded(&format!("{HEAD}red_lines:\n- "), values(bytes) / 2, |at| format!("k{at}:\n  "), "", bytes)
    }),
    ("a flow sequence", |bytes| filled(String::from("a: ["), bytes - 1, |_| "1,".to_owned()) + "]"),
    ("a flow sequence, as long as allowed", |bytes| padded("a: [", values(bytes), |_| "1,".to_owned(), "]", bytes)),
    ("nested sequences", |bytes| {
        let nested = format!("{}{},", "[".repeat(14), "]".repeat(14));
        padded("a: [", values(bytes) / 14, |_| nested.clone(), "]", bytes)
    }),
    ("sequences that nest too deeply", |bytes| "[".repeat(bytes)),
    ("maps that nest too deeply", |bytes| "? ".repeat(bytes / 2)),
    ("anchors and aliases", |bytes| filled(String::new(), bytes, |at| format!("a{at}: &a{at} 1\nb{at}: *a{at}\n"))),
    ("directives", |bytes| filled(String::new(), bytes, |at| format!("%TAG !a{at}! x\n"))),
    ("a double-quoted text", |bytes| format!("a: \"{}\"", "\\L".repeat(bytes / 2 - 3))),
    ("a text in brackets, with commas", |bytes| format!("{{a: [\"{}\"]}}", "x,".repeat(bytes / 2 - 5))),
    ("a text in brackets, with few commas", |bytes| {
        format!("{{a: [\"{}\"]}}", format!("{},", "x".repeat(60_000)).repeat(bytes / 60_001 + 1))
    }),
    ("lists in brackets, of JSON", |bytes| {
        let items = |_| "[{\"b\":1}],".to_owned();
        let list = filled("{\"b\":[".to_owned(), bytes.min(80_000), items) + "0]},";
        padded("{\"a\":[", values(bytes) / 50_000, |_| list.clone(), "0]}", bytes)
    }),
    ("numbers in brackets, of JSON", |bytes| {
        let list = format!("[[{}0]],", "1,".repeat(32_000.min(bytes / 3)));
        padded("{\"a\":[", values(bytes) / 32_010, |_| list.clone(), "0]}", bytes)
    }),
    ("a single-quoted text of blanks", |bytes| format!("a: '{}x'", " ".repeat(bytes - 7))),
    ("a literal block", |bytes| filled(String::from("a: |\n"), bytes, |_| "  text\n".to_owned())),
    ("a folded block on one line", |bytes| format!("a: >\n  {}", "x".repeat(bytes - 8))),
    ("a plain text of many lines", |bytes| filled(String::from("a: x\n"), bytes, |_| "  text\n".to_owned())),
    ("texts that are almost too long", |bytes| {
        filled(String::new(), bytes, |at| format!("k{at}: \"{}\"\n", "x".repeat(65_000)))
    }),
    ("comments", |bytes| filled(String::new(), bytes, |_| "# a comment of one line\n".to_owned())),
    ("one comment", |bytes| format!("{HEAD}#{}", "x".repeat(bytes - HEAD.len() - 1))),
    ("documents", |bytes| filled(String::new(), bytes, |_| "---\na\n".to_owned())),
    ("empty red lines", |bytes| {
        padded(&format!("{HEAD}red_lines: ["), values(bytes) - 40, |_| "{},".to_owned(), "]", bytes)
    }),
    ("empty spans", |bytes| {
        let head = format!("{HEAD}red_lines: [{{id: a, held: [\n");
        padded(&head, values(bytes) - 40, |_| "{},".to_owned(), "]}]", bytes)
    }),
    ("red lines that are faulty", |bytes| {
        padded(&format!("{HEAD}red_lines: ["), values(bytes) / 3 - 40, |at| format!("{{id: r{at}}},"), "]", bytes)
    }),
    ("sources", |bytes| {
        let head = HEAD.replace("sources: [{id: s, title: T, publisher: P}]\n", "") + "sources: [";
        padded(&head, values(bytes) / 7 - 40, |at| format!("{{id: s{at},title: T,publisher: P}},"), "]", bytes)
    }),
    ("proposals", |bytes| {
        let terms: Vec<String> = (0..400).map(|at| format!("f{at}: true")).collect();
        let head = format!("{HEAD}{}red_lines: []\nproposals: [", issues());
        let proposal = |at| format!("{{id: p{at}, title: T, terms: {{{}}}}},", terms.join(","));
        padded(&head, values(bytes) / 810 - 10, proposal, "]", bytes)
    }),
];

/// Files with many conditions, or with expensive ones.
pub(crate) const OF_CONDITIONS: [Family; 24] = [
    ("short red lines", |bytes| red_lines(bytes, flag)),
    ("red lines with long texts", |bytes| {
        let long = EVIDENCE.replace("statement: S}", &format!("statement: {}}}", "x".repeat(3_900)));
        listed(NODES_OF_A_LINE, bytes, |at| {
            format!(
                "- {{id: r{at}, party: p, title: T, rejects: f0, firmness: firm, held: [{{from: 2025-01-01}}], {long}}}\n"
            )
        })
    }),
    ("unknown names", |bytes| red_lines(bytes, |at| format!("nothing{at}"))),
    ("many unknown names", |bytes| red_lines(bytes, |at| joined(" && ", |part| format!("no{at}x{part}")))),
    ("wide any", |bytes| red_lines(bytes, |at| joined(" || ", |part| flag(at + part)))),
    ("wide all", |bytes| red_lines(bytes, |at| joined(" && ", |part| flag(at + part)))),
    ("deep parentheses", |bytes| red_lines(bytes, |at| format!("{}{}{}", "(".repeat(24), flag(at), ")".repeat(24)))),
    ("nine pairs", |bytes| red_lines(bytes, |at| pairs(9, at))),
    ("ten pairs", |bytes| red_lines(bytes, |at| pairs(10, at))),
    ("eleven pairs, too many", |bytes| red_lines(bytes, |at| pairs(11, at))),
    ("parity of nine", |bytes| red_lines(bytes, |at| parity(9, at))),
    ("parity of ten", |bytes| red_lines(bytes, |at| parity(10, at))),
    ("parity of eleven, too many", |bytes| red_lines(bytes, |at| parity(11, at))),
    ("random clauses", |bytes| red_lines(bytes, |at| clauses(24, 20, at))),
    ("many random clauses", |bytes| red_lines(bytes, |at| clauses(150, 18, at))),
    ("heavy cases", |bytes| {
        red_lines(bytes, |at| {
            let carried: Vec<String> = (0..60).map(|part| flag(200 + at + part)).collect();
            format!("{} && {}", carried.join(" && "), pairs(9, at))
        })
    }),
    ("very heavy cases, too many", |bytes| {
        red_lines(bytes, |at| {
            let carried: Vec<String> = (0..200).map(|part| flag(200 + at + part)).collect();
            format!("{} && {}", carried.join(" && "), pairs(9, at))
        })
    }),
    ("counts", |bytes| red_lines(bytes, |at| format!("size(s{}) >= 4", at % 60))),
    ("counts, too many", |bytes| red_lines(bytes, |at| format!("size(s{}) >= 8", at % 60))),
    ("quantifiers", |bytes| {
        red_lines(bytes, |at| format!("g.all(a, g.exists(b, b in everyone && a in everyone || f{}))", at % 400))
    }),
    ("lists of numbers", |bytes| {
        red_lines(bytes, |at| {
            format!(
                "q{} in [{}]",
                at % 40,
                joined(",", |part| (3 * (part % 40)).to_string())[..4_000].trim_end_matches(',')
            )
            .replace(",]", "]")
        })
    }),
    ("waivers with many spans", |bytes| {
        listed(NODES_OF_A_LINE + 16 * (21 + 64 * 5), bytes, |at| {
            let waivers: Vec<String> = (0..16)
                .map(|waiver| {
                    format!(
                        "{{id: w{waiver}, title: T, when: f{}, firmness: tentative, held: [{}], {EVIDENCE}}}",
                        (at + waiver) % 399 + 1,
                        spans(64, waiver % 14)
                    )
                })
                .collect();
            format!(
                "- {{id: r{at}, party: p, title: T, rejects: f0, firmness: firm, held: [{{from: 2000-01-01}}], {EVIDENCE}, waivers: [{}]}}\n",
                waivers.join(", ")
            )
        })
    }),
    ("waivers with pairs", |bytes| {
        listed(NODES_OF_A_LINE + 2 + 16 * 20, bytes, |at| {
            let waivers: Vec<String> = (0..16)
                .map(|waiver| {
                    format!(
                        "{{id: w{waiver}, title: T, when: {}, firmness: tentative, {EVIDENCE}}}",
                        pairs(2, at + 4 * waiver)
                    )
                })
                .collect();
            format!(
                "- {{id: r{at}, party: p, title: T, rejects: f0, firmness: firm, held: [{{from: 2000-01-01}}], {EVIDENCE}, waivers: [{}]}}\n",
                waivers.join(", ")
            )
        })
    }),
    ("editions", |bytes| {
        red_lines(bytes, flag).replace("held: [{from: 2025-01-01}]", "held: [DAYS]").split("DAYS").enumerate().fold(
            String::new(),
            |text, (at, part)| match at {
                0 => part.to_owned(),
                at => text + &spans(1, 7 * (at % 490)) + part,
            },
        )
    }),
];
