//! A world (a small scenario) with a question about it to the analyses, generated from a seed. The question is kept in
//! the types of the oracle and translated to those of the engine.
//!
//! `ORACLE_SEED=20007 cargo test --test it analysis` runs one seed; `ORACLE_TIMES=50` runs fifty times as many seeds.

use super::agreement::{compile, day, in_order};
use super::expression::Expression;
use super::generate::{self, Choices, Size};
use super::world::{Knowledge, LAST_DAY, Preference, Ranking, RedLine, Span, Value, World};
use detente_analysis::{Aim, Goal, Problem, ProblemError, SearchQuestion};
use detente_condition::{Answer, CallConditions, InputIndex, compile_for_call};
use detente_core::engine::{Compiled, Given, Origin, Status, Supposed};
use detente_core::scenario::ids::RedLineId;
use detente_core::scenario::index::{IndexVec, PartyIndex, RedLineIndex};
use detente_core::scenario::model;
use detente_core::scenario::model::{Beginning, Condition, Firmness, Polarity};
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ops::Range;
use std::sync::Arc;

/// A question about a world. If a check fails, it prints the case, which includes the seed.
pub struct Case {
    pub seed: u64,
    pub world: World,
    /// What the question states about each circumstance, by input.
    pub circumstances: Vec<Option<Knowledge>>,
    /// The terms of the proposal that the question is about, by input.
    pub terms: Vec<Option<Knowledge>>,
    /// The terms that every package (deal) must have. Each is an issue and an answer.
    pub pins: Vec<(usize, Knowledge)>,
    /// The condition that every package must meet.
    pub goal: Option<Expression>,
    /// The lowest firmness with which a red line counts.
    pub floor: Firmness,
    /// For each party, whether its red lines count.
    pub counts: Vec<bool>,
    /// The recorded red lines that a hypothesis drops.
    pub dropped: BTreeSet<usize>,
    /// The recorded red lines to which a hypothesis gives another firmness, each with that firmness.
    pub firmness: BTreeMap<usize, Firmness>,
    /// The red lines that hypotheses add.
    pub added: Vec<RedLine>,
}

/// How cases are generated.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub size: Size,
    /// One in this many issues is pinned.
    pub pins: usize,
    /// A party has no preference on one in this many issues, chosen at random. If this is 0, no preferences are
    /// generated.
    pub preferences: usize,
    /// In one in this many cases, the floor is chosen at random. In the others, it is the lowest firmness, so that more
    /// red lines count.
    pub floors: usize,
}

impl Kind {
    /// Selects one of three kinds by the seed: worlds of the default size; worlds with many issues and simple red
    /// lines, so that there are many packages and many ways to reach one; worlds with choices of many options and
    /// quantities of many numbers.
    pub fn of(seed: u64) -> Self {
        let size = Size { constraints: 2, ..Size::default() };
        match seed % 3 {
            0 => Self { size, pins: 4, preferences: 0, floors: 1 },
            1 => Self {
                size: Size { inputs: 10, red_lines: 10, depth: 1, constraints: 1, flags: 3, ..size },
                pins: 12,
                preferences: 0,
                floors: 4,
            },
            _ => Self {
                size: Size { inputs: 4, red_lines: 8, depth: 2, options: 7, numbers: 14, ..size },
                pins: 6,
                preferences: 0,
                floors: 2,
            },
        }
    }
}

/// Runs a check for each seed, and for `others`, which are seeds that once found rare faults. Environment variables can
/// select a single seed or add further ones. Returns whether all seeds were run.
pub fn for_seeds(seeds: Range<u64>, others: &[u64], mut check: impl FnMut(u64)) -> bool {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    if let Some(seed) = number("ORACLE_SEED") {
        if seeds.contains(&seed) || seed >> 32 == seeds.start {
            check(seed);
        }
        return false;
    }
    seeds.clone().chain(others.iter().copied()).for_each(&mut check);
    // The upper 32 bits of each further seed are the start of the test's range, so that `ORACLE_SEED` runs a seed only
    // in the test to which it belongs.
    let further = (number("ORACLE_TIMES").unwrap_or(1) - 1) * (seeds.end - seeds.start);
    (0..further).map(|at| seeds.start << 32 | at).for_each(check);
    true
}

/// The bytes that SplitMix64 generates from a seed.
fn bytes(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(1 << 14);
    while bytes.len() < 1 << 14 {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = state;
        word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        bytes.extend((word ^ word >> 31).to_le_bytes());
    }
    bytes
}

impl Case {
    pub fn new(seed: u64, kind: &Kind) -> Self {
        Self::with_choices(seed, kind, |_| ()).0
    }

    /// A case, and a value that `also` makes from those bytes of the seed that the case has not used.
    pub fn with_choices<T>(seed: u64, kind: &Kind, also: impl FnOnce(&mut Choices) -> T) -> (Self, T) {
        let bytes = bytes(seed);
        let choices = &mut Choices::new(&bytes);
        let mut world = generate::world_of(choices, &kind.size);
        if choices.one_in(2) {
            let held = |day: &u8| world.red_lines.iter().filter(|line| line.held_on(*day) == Some(true)).count();
            world.day = (1..=LAST_DAY).max_by_key(held).unwrap();
        }
        if kind.preferences > 0 {
            world.preferences = preferences(&world, choices, kind.preferences);
        }
        let circumstances = of_kind(&world, generate::given(&world, choices), false);
        let terms = of_kind(&world, generate::given(&world, choices), true);
        let mut pins = Vec::new();
        for input in world.inputs.iter().filter(|input| input.is_issue) {
            if choices.one_in(kind.pins) {
                let exact = choices.one_in(2);
                let known = if exact { generate::exactly(input, choices) } else { generate::bracketed(input, choices) };
                pins.push((input.index, known));
            }
        }
        let goal = choices.one_in(2).then(|| generate::expression(&world, choices, 2));
        let floor = if choices.one_in(kind.floors) { Firmness::ALL[choices.below(4)] } else { Firmness::Tentative };
        let all = choices.one_in(2);
        let counts = world.parties.iter().map(|principal| *principal || all || choices.one_in(2)).collect();
        let (mut dropped, mut firmness, mut added) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
        if choices.one_in(3) {
            for (at, line) in world.red_lines.iter().enumerate() {
                match choices.below(4) {
                    0 if line.held_on(world.day) == Some(true) => drop(dropped.insert(at)),
                    1 if line.held_on(world.day) == Some(true) => {
                        firmness.insert(at, Firmness::ALL[choices.below(4)]);
                    }
                    _ => {}
                }
            }
            for _ in 0..choices.below(3) {
                if let Some(line) = generate::red_line(&world, choices, 2) {
                    let held = vec![Span { from: 1, stated: true, until: None }];
                    added.push(RedLine { held, waivers: Vec::new(), ..line });
                }
            }
        }
        let also = also(choices);
        let case = Self { seed, world, circumstances, terms, pins, goal, floor, counts, dropped, firmness, added };
        (case, also)
    }

    /// The red lines that are held on the day of the case if its hypotheses apply, with their positions.
    pub fn held(&self) -> Vec<(usize, RedLine)> {
        let recorded = self
            .world
            .red_lines
            .iter()
            .enumerate()
            .filter(|(at, line)| line.held_on(self.world.day) == Some(true) && !self.dropped.contains(at));
        let recorded = recorded.map(|(at, line)| {
            let firmness = self.firmness.get(&at).copied().unwrap_or(line.firmness);
            (at, RedLine { firmness, ..line.clone() })
        });
        let added = (self.world.red_lines.len()..).zip(self.added.iter().cloned());
        recorded.chain(added).collect()
    }

    /// The held red lines that count at the floor.
    pub fn counted(&self) -> Vec<(usize, RedLine)> {
        let counts = |line: &RedLine| self.counts[line.party] && line.firmness >= self.floor;
        self.held().into_iter().filter(|(_, line)| counts(line)).collect()
    }

    /// Whether these values cross a red line with a firmness of at least the floor.
    pub fn is_crossed(&self, line: &RedLine, values: &[Value]) -> bool {
        self.world.crossed(line, values) && self.world.counts_as(line, values) >= self.floor
    }

    /// What is known about each input, given these terms and the circumstances of the case.
    pub fn known(&self, terms: &[Option<Knowledge>]) -> Vec<Knowledge> {
        let given: Vec<Option<Knowledge>> =
            terms.iter().zip(&self.circumstances).map(|(term, given)| term.clone().or(given.clone())).collect();
        self.world.known(&given)
    }

    /// The red lines that are certainly crossed: first the positions of all of them, then those that do not count, with
    /// their firmness. An answer lists the latter as crossings that do not prevent a package from passing.
    pub fn crossed_for_certain(
        &self,
        terms: &[Option<Knowledge>],
    ) -> (Vec<RedLineIndex>, Vec<(RedLineIndex, Firmness)>) {
        let completions = self.world.completions(&self.known(terms));
        let (mut all, mut besides) = (Vec::new(), Vec::new());
        for (position, line) in self.held() {
            let (Status::Crossed, Some((lowest, highest))) = self.world.judge(&line, &completions) else { continue };
            all.push(RedLineIndex(position));
            if highest < self.floor || !self.counts[line.party] {
                besides.push((RedLineIndex(position), lowest));
            }
        }
        (all, besides)
    }

    /// The proposal of the case, in the types of the engine.
    pub fn given(&self) -> Vec<Given> {
        self.world.given(&self.terms)
    }

    pub fn compiled(&self) -> Arc<Compiled> {
        Arc::new(compile(&self.world.yaml(&in_order(&self.world))))
    }

    /// The question, prepared for the analyses that compare packages: the values that preferences state divide
    /// quantities into further intervals.
    pub fn problem(&self) -> Problem {
        self.made_ready(Problem::comparing)
    }

    /// The question, prepared by `ready`. Fails unless the same red lines count for the analyses as for the oracle.
    pub fn made_ready(&self, ready: impl FnOnce(SearchQuestion) -> Result<Problem, ProblemError>) -> Problem {
        let compiled = self.compiled();
        let conditions = |texts: &[String]| -> CallConditions {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let domains = compiled.scenario().inputs.iter().map(|input| &input.domain);
            compile_for_call(&texts, &compiled.scenario().vocabulary, domains)
                .unwrap_or_else(|faults| panic!("{faults:?}"))
        };
        let goal = self.goal.as_ref().map(|goal| {
            let mut compiled = conditions(&[goal.cel(&self.world)]);
            Goal { decision: compiled.conditions.pop().unwrap().1, space: compiled.space }
        });
        let texts: Vec<String> = self.added.iter().map(|line| line.condition.cel(&self.world)).collect();
        let CallConditions { space, conditions } = conditions(&texts);
        let added = self.added.iter().zip(texts).zip(conditions).enumerate();
        let added = added.map(|(at, ((line, text), (formula, decision)))| model::RedLine {
            id: RedLineId::new(format!("added-{at}")),
            party: PartyIndex(line.party),
            title: text.clone(),
            polarity: if line.requires { Polarity::Requires } else { Polarity::Rejects },
            condition: Condition { text, formula, decision },
            firmness: line.firmness,
            held: vec![model::Span { from: day(&self.world).unwrap(), beginning: Beginning::Stated, until: None }],
            evidence: Vec::new(),
            waivers: IndexVec::default(),
            binding_probability: None,
        });
        let dropped = self.dropped.iter().copied().map(RedLineIndex).collect();
        let firmness = self.firmness.iter().map(|(at, firmness)| (RedLineIndex(*at), *firmness)).collect();
        let supposed = Supposed::new(dropped, firmness, added.collect(), space);
        let supposes = !(self.dropped.is_empty() && self.firmness.is_empty() && self.added.is_empty());
        let pin = |(input, known): &(usize, Knowledge)| (id(*input), known.answer());
        let mut circumstances = self.world.given(&self.circumstances);
        circumstances.iter_mut().for_each(|given| given.origin = Origin::Circumstance);
        let question = SearchQuestion {
            day: day(&self.world).unwrap(),
            supposed: supposes.then(|| Arc::new(supposed)),
            circumstances,
            aim: Aim {
                pins: self.pins.iter().map(pin).collect::<Vec<(InputIndex, Answer)>>(),
                goal,
                floor: self.floor,
                counts: self.counts.clone().into(),
            },
            compiled,
        };
        let problem = ready(question).unwrap();
        let ours: Vec<_> = self.counted().iter().map(|(at, line)| (*at, line.party, line.firmness)).collect();
        let engines: Vec<_> =
            problem.lines.iter().map(|line| (line.index.index(), line.party.index(), line.firmness)).collect();
        assert_eq!(engines, ours, "the red lines that count");
        problem
    }

    fn tell(&self) -> String {
        let line = |line: &RedLine| {
            let verb = if line.requires { "requires" } else { "rejects" };
            format!("p{} {verb} {} ({:?})", line.party, line.condition.cel(&self.world), line.firmness)
        };
        format!(
            "{}\nday: {}\ncircumstances: {:?}\nterms: {:?}\npins: {:?}\ngoal: {:?}\nfloor: {:?}\ncounts: {:?}\n\
             dropped: {:?}\nfirmness: {:?}\nadded: {:?}\nseed: {}",
            self.world.yaml(&in_order(&self.world)),
            self.world.day,
            self.circumstances,
            self.terms,
            self.pins,
            self.goal.as_ref().map(|goal| goal.cel(&self.world)),
            self.floor,
            self.counts,
            self.dropped,
            self.firmness,
            self.added.iter().map(line).collect::<Vec<_>>(),
            self.seed,
        )
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.tell());
        }
    }
}

pub fn id(input: usize) -> InputIndex {
    InputIndex(u16::try_from(input).unwrap())
}

/// What is given about issues only, or, if `issues` is false, about circumstances only.
fn of_kind(world: &World, given: Vec<Option<Knowledge>>, issues: bool) -> Vec<Option<Knowledge>> {
    let each = given.into_iter().zip(&world.inputs);
    each.map(|(given, input)| given.filter(|_| input.is_issue == issues)).collect()
}

fn preferences(world: &World, choices: &mut Choices, sparse: usize) -> Vec<Preference> {
    let mut preferences = Vec::new();
    let pairs = (0..world.parties.len()).flat_map(|party| world.inputs.iter().map(move |input| (party, input)));
    for (party, input) in pairs.filter(|(_, input)| input.is_issue) {
        if choices.one_in(sparse) {
            continue;
        }
        let domain = input.domain();
        let ranking = match input.kind {
            super::world::Kind::Members(_) => continue,
            super::world::Kind::Flag | super::world::Kind::Choice(_) if choices.one_in(3) => {
                let mut left = domain;
                let mut order = Vec::new();
                while !left.is_empty() {
                    order.push(left.remove(choices.below(left.len())));
                }
                Ranking::Order(order)
            }
            _ => {
                // A quantity has many numbers. The preference changes at about one in three of them, so that neighbouring
                // numbers are often equally good.
                let changes = if matches!(input.kind, super::world::Kind::Quantity(..)) { 3 } else { 1 };
                let mut last = 0;
                let mut tenths = |choices: &mut Choices| {
                    if choices.one_in(changes) {
                        last = [-3, 0, 1, 2, 3, 7, 10, 11, 20][choices.below(9)];
                    }
                    last
                };
                Ranking::Tenths(domain.into_iter().map(|value| (value, tenths(choices))).collect())
            }
        };
        preferences.push(Preference { party, issue: input.index, ranking });
    }
    preferences
}
