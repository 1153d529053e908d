//! A world, which is a small scenario, and the consequences of a proposal in it, found by the definitions alone:
//! through all completions, the ways to settle everything that the proposal leaves open.

use super::expression::Expression;
use detente_condition::{Answer, EntryIndex, InputIndex};
use detente_core::engine::{Certainty, Given, Origin, Stance, Status, Verdict};
use detente_core::scenario::model::Firmness;
use std::fmt::Write;

/// A value of an input: true or false, the position of an option, a bit mask of members, or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    Flag(bool),
    Choice(u32),
    Members(u32),
    Quantity(i64),
}

/// The kind of an input, with the number of its options or members, or its smallest and greatest number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Flag,
    Choice(u32),
    Members(u32),
    Quantity(i64, i64),
}

/// A day of January 2025, counted from 1.
pub type Day = u8;
/// The last day that worlds cover.
pub const LAST_DAY: Day = 20;

/// A time in which a red line or waiver is held.
#[derive(Clone, Debug)]
pub struct Span {
    pub from: Day,
    /// Whether the scenario file states the first day of holding (`from`). Otherwise, it only says when the first
    /// record was made (`first_recorded`).
    pub stated: bool,
    pub until: Option<Day>,
}

impl Span {
    pub fn contains(&self, day: Day) -> bool {
        day >= self.from && self.until.is_none_or(|until| day < until)
    }

    fn yaml(&self) -> String {
        let key = if self.stated { "from" } else { "first_recorded" };
        let until = self.until.map_or_else(String::new, |until| format!(", until: {}", date(until)));
        format!("{{{key}: {}{until}}}", date(self.from))
    }
}

fn date(day: Day) -> String {
    format!("2025-01-{day:02}")
}

fn spans(spans: &[Span]) -> String {
    format!("[{}]", spans.iter().map(Span::yaml).collect::<Vec<_>>().join(", "))
}

/// An issue or a circumstance.
#[derive(Clone, Debug)]
pub struct Input {
    pub index: usize,
    pub kind: Kind,
    pub is_issue: bool,
    /// The values that apply if nothing else is given: the status quo of an issue, or the assumed value of a
    /// circumstance. Each applies from its day on or, if it has no day, from the beginning.
    pub defaults: Vec<(Option<Day>, Value)>,
}

impl Input {
    pub fn name(&self) -> String {
        format!("i{}", self.index)
    }

    /// The whole domain.
    pub fn domain(&self) -> Vec<Value> {
        match self.kind {
            Kind::Flag => vec![Value::Flag(false), Value::Flag(true)],
            Kind::Choice(options) => (0..options).map(Value::Choice).collect(),
            Kind::Members(members) => (0..1 << members).map(Value::Members).collect(),
            Kind::Quantity(min, max) => (min..=max).map(Value::Quantity).collect(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Waiver {
    pub when: Expression,
    pub firmness: Firmness,
    /// If this is empty, the waiver is held whenever the red line is.
    pub held: Vec<Span>,
}

#[derive(Clone, Debug)]
pub struct RedLine {
    pub party: usize,
    /// Whether the party requires the condition; otherwise it rejects the condition.
    pub requires: bool,
    pub condition: Expression,
    pub firmness: Firmness,
    pub held: Vec<Span>,
    pub waivers: Vec<Waiver>,
}

impl RedLine {
    /// Whether it is held (`Some(true)`), not yet recorded (`Some(false)`), or neither (`None`).
    pub fn held_on(&self, day: Day) -> Option<bool> {
        if self.held.iter().any(|span| span.contains(day)) {
            return Some(true);
        }
        let next = self.held.iter().filter(|span| span.from > day).min_by_key(|span| span.from);
        next.filter(|next| !next.stated).map(|_| false)
    }

    fn waivers_on(&self, day: Day) -> impl Iterator<Item = &Waiver> {
        let is_held =
            move |waiver: &&Waiver| waiver.held.is_empty() || waiver.held.iter().any(|span| span.contains(day));
        self.waivers.iter().filter(is_held)
    }
}

/// The preference of a party on an issue.
#[derive(Clone, Debug)]
pub struct Preference {
    pub party: usize,
    pub issue: usize,
    pub ranking: Ranking,
}

#[derive(Clone, Debug)]
pub enum Ranking {
    /// An order of values, from the best to the worst.
    Order(Vec<Value>),
    /// A number for every value, in tenths.
    Tenths(Vec<(Value, i64)>),
}

impl Preference {
    fn yaml(&self) -> String {
        let ranking = match &self.ranking {
            Ranking::Order(order) => {
                format!("order: [{}]", order.iter().map(|value| literal(*value)).collect::<Vec<_>>().join(", "))
            }
            Ranking::Tenths(tenths) => {
                let each = tenths.iter().map(|(value, tenths)| format!("{}: {}", literal(*value), decimal(*tenths)));
                format!("values: {{{}}}", each.collect::<Vec<_>>().join(", "))
            }
        };
        format!("party: p{}, issue: i{}, {ranking}", self.party, self.issue)
    }
}

/// A number, given in tenths, as scenario files write it.
fn decimal(tenths: i64) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    match (tenths.abs() / 10, tenths.abs() % 10) {
        (whole, 0) => format!("{sign}{whole}"),
        (whole, rest) => format!("{sign}{whole}.{rest}"),
    }
}

#[derive(Clone, Debug)]
pub struct World {
    pub inputs: Vec<Input>,
    /// For each party, whether it is a principal.
    pub parties: Vec<bool>,
    pub red_lines: Vec<RedLine>,
    pub constraints: Vec<Expression>,
    pub preferences: Vec<Preference>,
    /// The day of the evaluation.
    pub day: Day,
}

/// What is known about an input: which of its values are possible. This is the oracle's own type for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Knowledge {
    Nothing,
    Exactly(Value),
    OneOf(Vec<u32>),
    Between(i64, i64),
    Partly { includes: u32, excludes: u32 },
}

impl Knowledge {
    pub fn admits(&self, value: Value) -> bool {
        match (self, value) {
            (Knowledge::Nothing, _) => true,
            (Knowledge::Exactly(known), value) => *known == value,
            (Knowledge::OneOf(options), Value::Choice(option)) => options.contains(&option),
            (Knowledge::Between(low, high), Value::Quantity(number)) => (*low..=*high).contains(&number),
            (Knowledge::Partly { includes, excludes }, Value::Members(members)) => {
                members & includes == *includes && members & excludes == 0
            }
            _ => false,
        }
    }

    pub fn answer(&self) -> Answer {
        use detente_condition::Value as Engine;
        let mask = |options: &[u32]| options.iter().fold(0u64, |mask, option| mask | 1 << option);
        match self {
            Knowledge::Nothing => Answer::Unsettled,
            Knowledge::Exactly(Value::Flag(flag)) => Answer::Exact(Engine::Flag(*flag)),
            Knowledge::Exactly(Value::Choice(option)) => {
                Answer::Exact(Engine::Choice(EntryIndex(u8::try_from(*option).unwrap())))
            }
            Knowledge::Exactly(Value::Members(members)) => Answer::Exact(Engine::Members(u64::from(*members))),
            Knowledge::Exactly(Value::Quantity(number)) => Answer::Exact(Engine::Quantity(*number)),
            Knowledge::OneOf(options) => Answer::AnyOf(mask(options)),
            Knowledge::Between(min, max) => Answer::Range { min: *min, max: *max },
            Knowledge::Partly { includes, excludes } => {
                Answer::Partial { includes: u64::from(*includes), excludes: u64::from(*excludes) }
            }
        }
    }
}

impl From<Answer> for Knowledge {
    fn from(answer: Answer) -> Self {
        use detente_condition::Value as Engine;
        let mask = |mask: u64| u32::try_from(mask).unwrap();
        match answer {
            Answer::Unsettled => Knowledge::Nothing,
            Answer::Exact(Engine::Flag(flag)) => Knowledge::Exactly(Value::Flag(flag)),
            Answer::Exact(Engine::Choice(option)) => Knowledge::Exactly(Value::Choice(u32::from(option.0))),
            Answer::Exact(Engine::Members(members)) => Knowledge::Exactly(Value::Members(mask(members))),
            Answer::Exact(Engine::Quantity(number)) => Knowledge::Exactly(Value::Quantity(number)),
            Answer::AnyOf(options) => Knowledge::OneOf((0..64).filter(|bit| options >> bit & 1 == 1).collect()),
            Answer::Range { min, max } => Knowledge::Between(min, max),
            Answer::Partial { includes, excludes } => {
                Knowledge::Partly { includes: mask(includes), excludes: mask(excludes) }
            }
        }
    }
}

/// The status of a red line, and the lowest and the highest firmness with which completions cross it. There are no such
/// firmnesses if no completion crosses it.
pub type Judgement = (Status, Option<(Firmness, Firmness)>);

impl World {
    /// What is known about every input: what is given for it or, if nothing is given, its default.
    pub fn known(&self, given: &[Option<Knowledge>]) -> Vec<Knowledge> {
        let default = |input: &Input| {
            let mut begun = input.defaults.iter().filter(|(from, _)| from.is_none_or(|from| from <= self.day));
            begun.next_back().map_or(Knowledge::Nothing, |(_, value)| Knowledge::Exactly(*value))
        };
        self.inputs.iter().zip(given).map(|(input, given)| given.clone().unwrap_or_else(|| default(input))).collect()
    }

    /// Every completion: a combination of values, one for each input, that the knowledge permits.
    pub fn completions(&self, known: &[Knowledge]) -> Vec<Vec<Value>> {
        let mut completions = vec![Vec::new()];
        for (input, known) in self.inputs.iter().zip(known) {
            let values: Vec<Value> = input.domain().into_iter().filter(|value| known.admits(*value)).collect();
            completions = completions
                .into_iter()
                .flat_map(|so_far: Vec<Value>| {
                    values.iter().map(move |value| {
                        let mut next = so_far.clone();
                        next.push(*value);
                        next
                    })
                })
                .collect();
        }
        completions
    }

    pub fn crossed(&self, red_line: &RedLine, values: &[Value]) -> bool {
        red_line.condition.holds(self, values) != red_line.requires
    }

    pub fn counts_as(&self, red_line: &RedLine, values: &[Value]) -> Firmness {
        let waived = red_line.waivers_on(self.day).filter(|waiver| waiver.when.holds(self, values));
        waived.map(|waiver| waiver.firmness).min().map_or(red_line.firmness, |waived| waived.min(red_line.firmness))
    }

    pub fn judge(&self, red_line: &RedLine, completions: &[Vec<Value>]) -> Judgement {
        let crossings: Vec<&Vec<Value>> = completions.iter().filter(|values| self.crossed(red_line, values)).collect();
        let status = match crossings.len() {
            0 => Status::Clear,
            all if all == completions.len() => Status::Crossed,
            _ => Status::Undetermined,
        };
        let firmness = crossings.iter().map(|values| self.counts_as(red_line, values));
        let lowest = firmness.clone().min();
        (status, lowest.zip(firmness.max()))
    }

    /// Whether a waiver certainly applies to a crossing of the red line (it applies in every completion that crosses
    /// it) or possibly (in some). `None` if it applies in none.
    pub fn judge_waiver(&self, red_line: &RedLine, waiver: &Waiver, completions: &[Vec<Value>]) -> Option<Certainty> {
        if !waiver.held.is_empty() && !waiver.held.iter().any(|span| span.contains(self.day)) {
            return None;
        }
        let crossings = completions.iter().filter(|values| self.crossed(red_line, values));
        let lowered: Vec<bool> = crossings.map(|values| waiver.when.holds(self, values)).collect();
        match lowered.iter().filter(|lowered| **lowered).count() {
            0 => None,
            all if all == lowered.len() => Some(Certainty::Certain),
            _ => Some(Certainty::Possible),
        }
    }

    /// The stance of each party, and the verdict. Each is given as it is and as it could become. They follow from the
    /// judgements of all held red lines.
    pub fn conclude(&self, judgements: &[Option<Judgement>]) -> (Vec<(Stance, Stance)>, Verdict, Verdict) {
        let of = |firmness: Firmness| match firmness {
            Firmness::Absolute | Firmness::Firm => Stance::Rejects,
            Firmness::Negotiable => Stance::Resists,
            Firmness::Tentative => Stance::MayResist,
        };
        let stances: Vec<(Stance, Stance)> = (0..self.parties.len())
            .map(|party| {
                let mine = self.red_lines.iter().zip(judgements).filter(|(red_line, _)| red_line.party == party);
                let each = mine.filter_map(|(_, judgement)| {
                    let (status, firmness) = (*judgement)?;
                    let (lowest, highest) = firmness?;
                    let now = if status == Status::Crossed { of(lowest) } else { Stance::Undecided };
                    Some((now, of(highest)))
                });
                each.fold((Stance::NoStatedObjection, Stance::NoStatedObjection), |so_far, next| {
                    (so_far.0.max(next.0), so_far.1.max(next.1))
                })
            })
            .collect();
        let verdict = |pick: fn(&(Stance, Stance)) -> Stance| {
            let has = |stance: Stance, principal: Option<bool>| {
                stances.iter().zip(&self.parties).any(|(found, is_principal)| {
                    pick(found) == stance && principal.is_none_or(|wanted| wanted == *is_principal)
                })
            };
            if has(Stance::Rejects, Some(true)) {
                Verdict::Blocked
            } else if has(Stance::Rejects, Some(false)) {
                Verdict::Undeliverable
            } else if has(Stance::Resists, None) {
                Verdict::Contested
            } else if has(Stance::MayResist, None) || has(Stance::Undecided, None) {
                Verdict::Undetermined
            } else {
                Verdict::Unopposed
            }
        };
        let (now, later) = (verdict(|stance| stance.0), verdict(|stance| stance.1));
        (stances, now, later)
    }

    pub fn given(&self, given: &[Option<Knowledge>]) -> Vec<Given> {
        let each = self.inputs.iter().zip(given).filter_map(|(input, known)| {
            let origin = if input.is_issue { Origin::Proposal } else { Origin::Circumstance };
            let id = InputIndex(u16::try_from(input.index).unwrap());
            Some(Given { input: id, answer: known.as_ref()?.answer(), origin })
        });
        each.collect()
    }

    /// The world as a scenario file, with the red lines in the given order.
    pub fn yaml(&self, order: &[usize]) -> String {
        let mut text = String::from(
            "scenario: generated\ntitle: Generated\ncovers: {from: 2025-01-01, to: 2025-01-20}\nas_of: 2025-01-10\n\
             sources:\n  - {id: nowhere, title: None, publisher: Nobody}\nparties:\n",
        );
        for (party, principal) in self.parties.iter().enumerate() {
            let role = if *principal { "principal" } else { "third_party" };
            writeln!(text, "  - {{id: p{party}, name: Party {party}, role: {role}}}").unwrap();
        }
        for issues in [true, false] {
            let inputs: Vec<&Input> = self.inputs.iter().filter(|input| input.is_issue == issues).collect();
            if inputs.is_empty() {
                continue;
            }
            text += if issues { "issues:\n" } else { "circumstances:\n" };
            for input in inputs {
                let entries = |count: u32| (0..count).map(|e| format!("e{e}")).collect::<Vec<_>>().join(", ");
                let kind = match input.kind {
                    Kind::Flag => "kind: flag".to_owned(),
                    Kind::Choice(options) => format!("kind: choice, options: [{}]", entries(options)),
                    Kind::Members(members) => format!("kind: members, members: [{}]", entries(members)),
                    Kind::Quantity(min, max) => {
                        format!("kind: quantity, unit: days, range: {{min: {min}, max: {max}}}")
                    }
                };
                let key = if issues { "status_quo" } else { "assumed" };
                let default = match input.defaults.as_slice() {
                    [] => String::new(),
                    [(None, value)] => format!(", {key}: {}", literal(*value)),
                    dated => {
                        let each = dated.iter().map(|(from, value)| {
                            let from = from.map_or_else(String::new, |from| format!("from: {}, ", date(from)));
                            format!("{{{from}value: {}}}", literal(*value))
                        });
                        format!(", {key}: [{}]", each.collect::<Vec<_>>().join(", "))
                    }
                };
                writeln!(text, "  - {{id: {}, title: T, question: Q, {kind}{default}}}", input.name()).unwrap();
            }
        }
        let evidence = "[{source: nowhere, kind: on_record, speaker: Nobody, statement: Said}]";
        text += if order.is_empty() { "red_lines: []\n" } else { "red_lines:\n" };
        for position in order {
            let red_line = &self.red_lines[*position];
            let verb = if red_line.requires { "requires" } else { "rejects" };
            writeln!(
                text,
                "  - id: line-{position}\n    party: p{}\n    title: T\n    {verb}: '{}'\n    firmness: {}\n    \
                 held: {}\n    evidence: {evidence}",
                red_line.party,
                red_line.condition.cel(self),
                red_line.firmness.word(),
                spans(&red_line.held),
            )
            .unwrap();
            if !red_line.waivers.is_empty() {
                text += "    waivers:\n";
            }
            for (at, waiver) in red_line.waivers.iter().enumerate() {
                writeln!(
                    text,
                    "      - id: waiver-{at}\n        title: T\n        when: '{}'\n        firmness: {}\n        \
                     {}evidence: {evidence}",
                    waiver.when.cel(self),
                    waiver.firmness.word(),
                    if waiver.held.is_empty() {
                        String::new()
                    } else {
                        format!("held: {}\n        ", spans(&waiver.held))
                    },
                )
                .unwrap();
            }
        }
        if !self.constraints.is_empty() {
            text += "constraints:\n";
        }
        for (at, constraint) in self.constraints.iter().enumerate() {
            writeln!(text, "  - {{id: constraint-{at}, title: T, forbids: '{}'}}", constraint.cel(self)).unwrap();
        }
        if !self.preferences.is_empty() {
            text += "preferences:\n";
        }
        for preference in &self.preferences {
            writeln!(text, "  - {{{}, evidence: {evidence}}}", preference.yaml()).unwrap();
        }
        text
    }
}

fn literal(value: Value) -> String {
    match value {
        Value::Flag(flag) => flag.to_string(),
        Value::Choice(option) => format!("e{option}"),
        Value::Members(members) => {
            let entries = (0..32).filter(|entry| members >> entry & 1 == 1).map(|entry| format!("e{entry}"));
            format!("[{}]", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Quantity(number) => number.to_string(),
    }
}
