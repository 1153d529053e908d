//! Scenario files generated from a seed: a seed gives the same file in every run and on every machine.
//!
//! A file is generated as a tree and written in one of two equivalent styles.

mod styles;

use std::fmt::Write;
use styles::{block, inline};

/// The style in which a file is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// This style writes lists and maps in brackets, words without quotes, and decimals without superfluous digits.
    Plain,
    /// This style writes each value on its own line, keys in other orders, quotes, comments, and decimals such as
    /// `0.50` and `.5`.
    Ornate,
}

/// A node of a file's tree.
enum Node {
    Map(Vec<(String, Node)>),
    List(Vec<Node>),
    /// A value that must not be quoted: a boolean, an integer or a date.
    Word(String),
    Text(String),
    /// A decimal, in hundredths.
    Decimal(i64),
}

/// Random numbers that repeat on every run (SplitMix64, Steele, Lea and Flood 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).unwrap()
    }

    fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }

    fn holds(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A random choice of at least one of the elements, in their order.
    fn some<T: Clone>(&mut self, all: &[T]) -> Vec<T> {
        let mut some: Vec<T> = all.iter().filter(|_| self.holds(2)).cloned().collect();
        if some.is_empty() {
            some.push(self.pick(all).clone());
        }
        some
    }
}

fn text(text: impl Into<String>) -> Node {
    Node::Text(text.into())
}

fn word(word: impl ToString) -> Node {
    Node::Word(word.to_string())
}

fn texts(all: &[String]) -> Node {
    Node::List(all.iter().map(text).collect())
}

fn map(entries: Vec<(&str, Node)>) -> Node {
    Node::Map(entries.into_iter().map(|(key, node)| (key.to_owned(), node)).collect())
}

fn day(chance: &mut Chance) -> String {
    format!("2025-{:02}-{:02}", chance.between(1, 12), chance.between(1, 28))
}

/// The domain of an issue or circumstance, which is the set of its possible values.
#[derive(Clone)]
enum Domain {
    Flag,
    Choice(Vec<String>),
    Members(Vec<String>),
    Quantity(i64, i64),
}

impl Domain {
    fn new(at: usize, chance: &mut Chance) -> Self {
        let names = |kind: &str, count: usize| (1..=count).map(|number| format!("{kind}{at}_{number}")).collect();
        match chance.below(4) {
            0 => Self::Flag,
            1 => Self::Choice(names("option", chance.between(2, 5))),
            2 => Self::Members(names("member", chance.between(2, 6))),
            _ => {
                let min = i64::try_from(chance.below(40)).unwrap() - 20;
                Self::Quantity(min, min + i64::try_from(chance.between(2, 200)).unwrap())
            }
        }
    }

    fn value(&self, chance: &mut Chance) -> Node {
        match self {
            Self::Flag => word(chance.holds(2)),
            Self::Choice(options) => text(chance.pick(options)),
            Self::Members(members) if chance.holds(3) => texts(&members[..0]),
            Self::Members(members) => texts(&chance.some(members)),
            Self::Quantity(min, max) => word(min + i64::try_from(chance.next() % 10_000).unwrap() % (max - min + 1)),
        }
    }

    /// A value, or an answer that leaves something open.
    fn answer(&self, chance: &mut Chance) -> Node {
        if chance.holds(5) {
            return text("unsettled");
        }
        match self {
            Self::Choice(options) if options.len() > 2 && chance.holds(2) => {
                map(vec![("any_of", texts(&options[..options.len() - 1]))])
            }
            Self::Members(members) if chance.holds(2) => {
                map(vec![("includes", texts(&members[..1])), ("excludes", texts(&members[1..2]))])
            }
            Self::Quantity(min, max) if chance.holds(2) => map(vec![("min", word(min + 1)), ("max", word(max))]),
            _ => self.value(chance),
        }
    }

    /// A condition that holds for some values and fails for others.
    fn condition(&self, id: &str, chance: &mut Chance) -> String {
        match self {
            Self::Flag => (*chance.pick(&["", "!"])).to_owned() + id,
            Self::Choice(options) if options.len() > 2 && chance.holds(2) => {
                format!("{id} in [\"{}\", \"{}\"]", options[0], options[2])
            }
            Self::Choice(options) => format!("{id} {} \"{}\"", chance.pick(&["==", "!="]), chance.pick(options)),
            Self::Members(_) if chance.holds(3) => format!("size({id}) >= 2"),
            Self::Members(members) if chance.holds(2) => {
                format!("{id}.exists(m, m in [\"{}\", \"{}\"])", members[0], members[1])
            }
            Self::Members(members) => format!("\"{}\" in {id}", chance.pick(members)),
            Self::Quantity(min, max) => format!("{id} {} {}", chance.pick(&[">=", "<"]), (min + max) / 2 + 1),
        }
    }
}

/// One condition, or two that are joined. The two test different inputs, so they cannot contradict each other.
fn condition(inputs: &[(String, Domain)], chance: &mut Chance) -> Node {
    let (first, second) = (chance.below(inputs.len()), chance.below(inputs.len()));
    let mut condition = |at: usize| inputs[at].1.condition(&inputs[at].0, chance);
    let left = condition(first);
    if first == second {
        return text(left);
    }
    let right = condition(second);
    text(format!("{left} {} {right}", chance.pick(&["&&", "||"])))
}

fn evidence(sources: &[String], chance: &mut Chance) -> Node {
    let one = |chance: &mut Chance| {
        let mut one = vec![
            ("source", text(chance.pick(sources))),
            ("kind", text(*chance.pick(&["on_record", "attributed", "reported", "assessed"]))),
            ("speaker", text(*chance.pick(&["The head", "A delegate", "Zoë Müller"]))),
            ("statement", text(*chance.pick(&["Said so.", "Wrote: never.", "It was said, and \"meant\"."]))),
        ];
        if chance.holds(2) {
            one.push(("quote", text("not one metre")));
        }
        if chance.holds(2) {
            one.push(("date", word(day(chance))));
        }
        if chance.holds(3) {
            one.push(("speaks", text(*chance.pick(&["for", "against"]))));
        }
        if chance.holds(3) {
            one.push(("row", text(format!("P{}", chance.between(1, 99)))));
        }
        map(one)
    };
    let count = chance.between(1, 2);
    Node::List((0..count).map(|_| one(chance)).collect())
}

fn held(chance: &mut Chance) -> Node {
    let month = chance.between(1, 9);
    let begin = *chance.pick(&["from", "first_recorded"]);
    let mut span = vec![(begin, word(format!("2025-{month:02}-07")))];
    if chance.holds(2) {
        span.push(("until", word(format!("2025-{:02}-20", month + 1))));
        if chance.holds(2) {
            return Node::List(vec![map(span), map(vec![("from", word(format!("2025-{:02}-01", month + 2)))])]);
        }
    }
    Node::List(vec![map(span)])
}

/// The firmness of red lines, from the lowest.
const FIRMNESS: [&str; 4] = ["tentative", "negotiable", "firm", "absolute"];

fn red_line(at: usize, parties: &[String], inputs: &[(String, Domain)], sources: &[String], c: &mut Chance) -> Node {
    // A waiver must lower the firmness of some crossing. It always does if it tests a different input from the one that
    // its red line tests.
    let (last, others) = inputs.split_last().unwrap();
    let of_line = if others.is_empty() { inputs } else { others };
    let firmness = c.below(4);
    let mut line = vec![
        ("id", text(format!("line-{at}"))),
        ("party", text(c.pick(parties))),
        ("title", text(format!("Red line number {at}"))),
        (*c.pick(&["rejects", "requires"]), condition(of_line, c)),
        ("firmness", text(FIRMNESS[firmness])),
        ("held", held(c)),
        ("evidence", evidence(sources, c)),
    ];
    if firmness > 0 && !others.is_empty() && c.holds(2) {
        let mut waiver = vec![
            ("id", text("waiver")),
            ("title", text("Where it counts for less")),
            ("when", condition(std::slice::from_ref(last), c)),
            ("firmness", text(FIRMNESS[c.below(firmness)])),
            ("evidence", evidence(sources, c)),
        ];
        if c.holds(2) {
            waiver.push(("held", Node::List(vec![map(vec![("from", word("2025-01-01"))])])));
        }
        line.push(("waivers", Node::List(vec![map(waiver)])));
    }
    if c.holds(2) {
        line.push(("binding_probability", Node::Decimal(i64::try_from(c.below(101)).unwrap())));
    }
    map(line)
}

fn issue(id: &str, domain: &Domain, is_circumstance: bool, chance: &mut Chance) -> Node {
    let (kind, more): (&str, Vec<(&str, Node)>) = match domain {
        Domain::Flag => ("flag", vec![]),
        Domain::Choice(options) => {
            let titled = map(vec![("id", text(&options[0])), ("title", text("The first option"))]);
            let options = [titled].into_iter().chain(options[1..].iter().map(text)).collect();
            ("choice", vec![("options", Node::List(options))])
        }
        Domain::Members(members) => ("members", vec![("members", texts(members))]),
        Domain::Quantity(min, max) => {
            let range = map(vec![("min", word(min)), ("max", word(max))]);
            ("quantity", vec![("unit", text("days")), ("range", range)])
        }
    };
    let mut issue =
        vec![("id", text(id)), ("title", text(format!("Of {id}"))), ("question", text("Which: one, or two?"))];
    issue.push(("kind", text(kind)));
    issue.extend(more);
    match (is_circumstance, chance.below(3)) {
        (_, 0) => {}
        (true, _) => issue.push(("assumed", domain.value(chance))),
        (false, 1) => issue.push(("status_quo", domain.value(chance))),
        (false, _) => {
            let first = map(vec![("value", domain.value(chance))]);
            let then = map(vec![("from", word(day(chance))), ("value", domain.value(chance))]);
            issue.push(("status_quo", Node::List(vec![first, then])));
        }
    }
    if chance.holds(3) {
        issue.push(("taxonomy", texts(&["PAX-1".to_owned(), "PAX-2".to_owned()])));
        issue.push(("note", text("A remark: with a colon, and # no comment.")));
    }
    map(issue)
}

fn preferences(parties: &[String], issues: &[(String, Domain)], sources: &[String], chance: &mut Chance) -> Vec<Node> {
    let mut all = Vec::new();
    for party in parties {
        for (id, domain) in issues {
            let values = match domain {
                Domain::Flag => vec![word(true), word(false)],
                Domain::Choice(options) => options.iter().map(text).collect(),
                _ => continue,
            };
            let name = |node: &Node| match node {
                Node::Word(text) | Node::Text(text) => text.clone(),
                _ => unreachable!("flags and options are words"),
            };
            let ranking = match chance.below(3) {
                0 => continue,
                1 => ("order", Node::List(values)),
                _ => {
                    let number = |_: &Node| Node::Decimal(i64::try_from(chance.below(400)).unwrap() - 100);
                    let numbers: Vec<Node> = values.iter().map(number).collect();
                    ("values", Node::Map(values.iter().map(name).zip(numbers).collect()))
                }
            };
            let evidence = ("evidence", evidence(sources, chance));
            all.push(map(vec![("party", text(party)), ("issue", text(id)), ranking, evidence]));
        }
    }
    all
}

fn scenario(number: u64) -> Node {
    let chance = &mut Chance(number);
    let sources: Vec<String> = (1..=chance.between(1, 3)).map(|at| format!("source-{at}")).collect();
    let parties: Vec<String> = (1..=chance.between(1, 4)).map(|at| format!("party_{at}")).collect();
    let inputs = |kind: &str, count: usize, chance: &mut Chance| -> Vec<(String, Domain)> {
        (1..=count).map(|at| (format!("{kind}_{at}"), Domain::new(at, chance))).collect()
    };
    let (issues, facts) = (chance.between(1, 5), chance.below(3));
    let (issues, facts) = (inputs("issue", issues, chance), inputs("fact", facts, chance));
    let both: Vec<(String, Domain)> = issues.iter().chain(&facts).cloned().collect();
    let source = |id: &String| {
        let mut source = vec![("id", text(id)), ("title", text("A record")), ("publisher", text("An office"))];
        if chance.holds(2) {
            source.push(("authors", texts(&["A. Writer".to_owned(), "B. Writer".to_owned()])));
            source.push(("published", word(day(chance))));
        }
        map(source)
    };
    let sources_node = sources.iter().map(source).collect();
    let party = |id: &String| {
        let role = *chance.pick(&["principal", "third_party"]);
        let mut party = vec![("id", text(id)), ("name", text(format!("The {id}"))), ("role", text(role))];
        if chance.holds(2) {
            party.push(("reservation_value", Node::Decimal(i64::try_from(chance.below(2_000)).unwrap() - 1_000)));
        }
        map(party)
    };
    let parties_node = parties.iter().map(party).collect();
    let issues_node = issues.iter().map(|(id, domain)| issue(id, domain, false, chance)).collect();
    let facts_node: Vec<Node> = facts.iter().map(|(id, domain)| issue(id, domain, true, chance)).collect();
    let lines = (1..=chance.below(6)).map(|at| red_line(at, &parties, &both, &sources, chance)).collect();
    let constraint = map(vec![
        ("id", text("constraint")),
        ("title", text("One excludes the other")),
        ("forbids", condition(&issues, chance)),
    ]);
    let caution = map(vec![
        ("id", text("caution")),
        ("text", text("It was warned of such deals.")),
        ("when", condition(&both, chance)),
        ("evidence", evidence(&sources, chance)),
    ]);
    let proposal = |at: usize| {
        let terms = chance.some(&issues).iter().map(|(id, domain)| (id.clone(), domain.answer(chance))).collect();
        let (id, title) = (text(format!("proposal-{at}")), text(format!("Proposal number {at}")));
        map(vec![("id", id), ("title", title), ("terms", Node::Map(terms))])
    };
    let proposals: Vec<Node> = (1..=2).map(proposal).collect();
    let mut all = vec![
        ("scenario", text(name(number))),
        ("title", text(format!("Scenario number {number}"))),
        ("covers", map(vec![("from", word("2025-01-01")), ("to", word("2025-12-31"))])),
        ("as_of", word("2025-12-31")),
        ("sources", Node::List(sources_node)),
        ("parties", Node::List(parties_node)),
        ("issues", Node::List(issues_node)),
        ("red_lines", Node::List(lines)),
    ];
    if !facts_node.is_empty() {
        all.push(("circumstances", Node::List(facts_node)));
    }
    if chance.holds(2) {
        all.push(("description", text("Made by a program, for a test.")));
        all.push(("constraints", Node::List(vec![constraint])));
    }
    if chance.holds(2) {
        all.push(("cautions", Node::List(vec![caution])));
    }
    let preferences = preferences(&parties, &issues, &sources, chance);
    if !preferences.is_empty() {
        all.push(("preferences", Node::List(preferences)));
    }
    if chance.holds(2) {
        all.push(("proposals", Node::List(proposals)));
    }
    map(all)
}

/// The id of the scenario of this number.
pub(crate) fn name(number: u64) -> String {
    format!("generated-{number:03}")
}

/// The file that is generated from this number.
pub(crate) fn file(number: u64, style: Style) -> String {
    let Node::Map(entries) = scenario(number) else { unreachable!("a scenario is a map") };
    let mut out = String::new();
    match style {
        Style::Plain => {
            for (key, node) in &entries {
                let _ = writeln!(out, "{key}: {}", inline(node));
            }
        }
        Style::Ornate => {
            out.push_str("# The same content, written in another way.\n");
            block(&entries, 0, &mut out);
        }
    }
    out
}
