//! Makes worlds (small scenarios) and proposals from bytes. The test framework generates and shrinks the bytes, so that
//! a failure is reported in its smallest form. Missing bytes are read as zero, which is the simplest choice everywhere.

use super::expression::{Expression, Op, Quantifier};
use super::world::{Day, Input, Kind, Knowledge, LAST_DAY, RedLine, Span, Value, Waiver, World};
use detente_core::scenario::model::Firmness;

/// The bytes that are left. Each choice reads one.
pub struct Choices<'a> {
    bytes: &'a [u8],
}

impl<'a> Choices<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// A number below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(*first) % count.max(1)
    }

    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    fn mask(&mut self, bits: u32) -> u32 {
        u32::try_from(self.below(1 << bits)).unwrap()
    }
}

/// The limits on the size of generated worlds.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// The maximum number of combinations of values of all inputs. It keeps the cost of trying all of them low.
    pub completions: usize,
    pub inputs: usize,
    pub red_lines: usize,
    /// The maximum depth to which the condition of a red line is nested.
    pub depth: usize,
    pub constraints: usize,
    /// A choice has two options and fewer than this many further ones.
    pub options: usize,
    /// A quantity has two numbers and fewer than this many further ones.
    pub numbers: usize,
    /// One in this many inputs may have a kind other than flag.
    pub flags: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self { completions: 700, inputs: 5, red_lines: 4, depth: 3, constraints: 1, options: 3, numbers: 7, flags: 1 }
    }
}

pub fn world(choices: &mut Choices) -> World {
    world_of(choices, &Size::default())
}

pub fn world_of(choices: &mut Choices, size: &Size) -> World {
    let mut inputs: Vec<Input> = Vec::new();
    let mut completions = 1;
    for index in 0..2 + choices.below(size.inputs - 1) {
        let kind = match choices.below(4) {
            _ if size.flags > 1 && !choices.one_in(size.flags) => Kind::Flag,
            0 => Kind::Flag,
            1 => Kind::Choice(2 + u32::try_from(choices.below(size.options)).unwrap()),
            2 => Kind::Members(1 + u32::try_from(choices.below(3)).unwrap()),
            _ => {
                let min = i64::try_from(choices.below(5)).unwrap() - 2;
                Kind::Quantity(min, min + 1 + i64::try_from(choices.below(size.numbers)).unwrap())
            }
        };
        let mut input = Input { index, kind, is_issue: true, defaults: Vec::new() };
        let domain = input.domain();
        completions *= domain.len();
        if completions > size.completions {
            break;
        }
        if choices.one_in(2) {
            input.defaults = vec![(None, domain[choices.below(domain.len())])];
        }
        inputs.push(input);
    }
    // The last inputs may be circumstances, but at least one issue remains.
    let circumstances = choices.below(inputs.len().min(3));
    let issues = inputs.len() - circumstances;
    for input in &mut inputs[issues..] {
        input.is_issue = false;
    }
    // The status quo of an issue may change from day to day, or begin after the first day.
    for input in &mut inputs[..issues] {
        let domain = input.domain();
        if choices.one_in(4) {
            let mut day = 0;
            for _ in 0..choices.below(3) {
                day += 1 + u8::try_from(choices.below(8)).unwrap();
                input.defaults.push((Some(day), domain[choices.below(domain.len())]));
            }
        }
    }
    let parties = (0..1 + choices.below(3)).map(|_| choices.one_in(2)).collect::<Vec<bool>>();
    let day = 1 + u8::try_from(choices.below(usize::from(LAST_DAY))).unwrap();
    let mut world =
        World { inputs, parties, red_lines: Vec::new(), constraints: Vec::new(), preferences: Vec::new(), day };
    for _ in 0..1 + choices.below(size.red_lines) {
        if let Some(red_line) = red_line(&world, choices, size.depth) {
            world.red_lines.push(red_line);
        }
    }
    for _ in 0..size.constraints {
        if !choices.one_in(3) {
            continue;
        }
        let constraint = expression(&world, choices, 2);
        if !is_constant(&world, |values| constraint.holds(&world, values)) {
            world.constraints.push(constraint);
        }
    }
    world
}

fn everything(world: &World) -> Vec<Vec<Value>> {
    world.completions(&vec![Knowledge::Nothing; world.inputs.len()])
}

pub fn is_constant(world: &World, holds: impl Fn(&[Value]) -> bool) -> bool {
    let all = everything(world);
    let count = all.iter().filter(|values| holds(values)).count();
    count == 0 || count == all.len()
}

/// A red line that a scenario file may contain: it is crossed for some values but not for all, and every waiver lowers
/// the firmness of some crossing. `None` if the generated condition holds for all values or for none.
pub fn red_line(world: &World, choices: &mut Choices, depth: usize) -> Option<RedLine> {
    let condition = expression(world, choices, depth);
    if is_constant(world, |values| condition.holds(world, values)) {
        return None;
    }
    let firmness = Firmness::ALL[3 - choices.below(4)];
    let party = choices.below(world.parties.len());
    let held = held(choices);
    let mut red_line = RedLine { party, requires: choices.one_in(3), condition, firmness, held, waivers: Vec::new() };
    let lower: Vec<Firmness> = Firmness::ALL.into_iter().filter(|other| *other < firmness).collect();
    for _ in 0..choices.below(4) {
        if lower.is_empty() {
            break;
        }
        let when = expression(world, choices, 2);
        let waiver = Waiver { when, firmness: lower[choices.below(lower.len())], held: Vec::new() };
        let with = red_line.waivers.iter().cloned().chain([waiver]).collect::<Vec<_>>();
        if with.iter().enumerate().all(|(at, _)| lowers_something(world, &red_line, &with, at))
            && !is_constant(world, |values| with.last().unwrap().when.holds(world, values))
        {
            red_line.waivers = with;
        }
    }
    // If a red line has only one waiver, the waiver may have spans of its own, which must overlap with the red line's.
    if let [waiver] = red_line.waivers.as_mut_slice()
        && choices.one_in(2)
    {
        let days = self::held(choices);
        let meets = (1..=LAST_DAY).any(|day| {
            days.iter().any(|span| span.contains(day)) && red_line.held.iter().any(|span| span.contains(day))
        });
        if meets {
            waiver.held = days;
        }
    }
    Some(red_line)
}

/// The spans in which a red line is held. There are one to three, in order and disjoint. Each begins on a day that the
/// world covers.
fn held(choices: &mut Choices) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut earliest: Day = 1;
    for _ in 0..1 + choices.below(3) {
        let from = earliest + u8::try_from(choices.below(5)).unwrap();
        if from > LAST_DAY || spans.last().is_some_and(|last| last.until.is_none()) {
            break;
        }
        let until = if choices.one_in(3) { None } else { Some(from + 1 + u8::try_from(choices.below(6)).unwrap()) };
        let stated = !choices.one_in(3);
        spans.push(Span { from, stated, until });
        earliest = until.unwrap_or(from);
    }
    spans
}

fn lowers_something(world: &World, red_line: &RedLine, waivers: &[Waiver], at: usize) -> bool {
    everything(world).iter().any(|values| {
        let covered = waivers.iter().enumerate().any(|(other, waiver)| {
            other != at && waiver.firmness <= waivers[at].firmness && waiver.when.holds(world, values)
        });
        world.crossed(red_line, values) && waivers[at].when.holds(world, values) && !covered
    })
}

pub fn expression(world: &World, choices: &mut Choices, depth: usize) -> Expression {
    if depth == 0 || choices.one_in(3) {
        return atom(world, choices);
    }
    let mut inner = || Box::new(expression(world, choices, depth - 1));
    let (a, b, c) = (inner(), inner(), inner());
    match choices.below(5) {
        0 | 1 => Expression::And(a, b),
        2 => Expression::Or(a, b),
        3 => Expression::Not(a),
        _ => Expression::If(a, b, c),
    }
}

fn atom(world: &World, choices: &mut Choices) -> Expression {
    let input = choices.below(world.inputs.len());
    let quantifiers = [Quantifier::Exists, Quantifier::All, Quantifier::ExistsOne];
    match world.inputs[input].kind {
        Kind::Flag if choices.one_in(3) => Expression::FlagIs(input, choices.one_in(2)),
        Kind::Flag => Expression::Flag(input),
        Kind::Choice(options) => {
            let option = u32::try_from(choices.below(options as usize)).unwrap();
            match choices.below(3) {
                0 => Expression::Option(input, option),
                1 => Expression::NotOption(input, option),
                _ => Expression::OneOf(input, bits(choices.mask(options), options)),
            }
        }
        Kind::Members(members) => {
            let member = u32::try_from(choices.below(members as usize)).unwrap();
            let quantifier = quantifiers[choices.below(3)];
            match choices.below(4) {
                0 => Expression::Member(input, member),
                1 => {
                    // The format rejects a test of the size that has the same result for every set of members. In that
                    // case, test a single member instead.
                    let (op, count) = (Op::ALL[choices.below(6)], i64::try_from(choices.below(4)).unwrap());
                    let truths = (0..=i64::from(members)).filter(|size| op.holds(*size, count)).count();
                    let decided = truths == 0 || truths == members as usize + 1;
                    if decided { Expression::Member(input, member) } else { Expression::Size(input, op, count) }
                }
                2 => Expression::Walk(input, quantifier, bits(choices.mask(members), members)),
                _ => Expression::List(input, quantifier, bits(choices.mask(members), members)),
            }
        }
        Kind::Quantity(min, max) => {
            let span = usize::try_from(max - min).unwrap() + 1;
            let number = min + i64::try_from(choices.below(span)).unwrap();
            let op = Op::ALL[choices.below(6)];
            let truths = (min..=max).filter(|value| op.holds(*value, number)).count();
            let op = if truths == 0 || truths == span { Op::Equal } else { op };
            match choices.below(3) {
                0 => Expression::Number(input, op, number),
                1 => Expression::MirroredNumber(input, op, number),
                _ => {
                    let other = min + i64::try_from(choices.below(span)).unwrap();
                    // If the domain has only two numbers, a list of both would be the whole domain.
                    Expression::Numbers(input, if span > 2 { vec![other, number] } else { vec![number] })
                }
            }
        }
    }
}

fn bits(mask: u32, count: u32) -> Vec<u32> {
    (0..count).filter(|bit| mask >> bit & 1 == 1).collect()
}

/// What a request says about each input, in its proposal or its circumstances; `None` if it says nothing.
pub fn given(world: &World, choices: &mut Choices) -> Vec<Option<Knowledge>> {
    let each = world.inputs.iter().map(|input| match choices.below(6) {
        0 => None,
        1 => Some(Knowledge::Nothing),
        2 | 3 => Some(exactly(input, choices)),
        _ => Some(bracketed(input, choices)),
    });
    each.collect()
}

pub fn exactly(input: &Input, choices: &mut Choices) -> Knowledge {
    let domain = input.domain();
    Knowledge::Exactly(domain[choices.below(domain.len())])
}

/// An answer that may leave several values of an input possible. For a flag, it is always one value.
pub fn bracketed(input: &Input, choices: &mut Choices) -> Knowledge {
    match input.kind {
        Kind::Flag => exactly(input, choices),
        Kind::Choice(options) => {
            let some = bits(choices.mask(options), options);
            Knowledge::OneOf(if some.is_empty() { vec![0] } else { some })
        }
        Kind::Members(members) => {
            let (includes, out) = (choices.mask(members), choices.mask(members));
            Knowledge::Partly { includes, excludes: out & !includes }
        }
        Kind::Quantity(min, max) => {
            let span = usize::try_from(max - min).unwrap() + 1;
            let low = min + i64::try_from(choices.below(span)).unwrap();
            let rest = usize::try_from(max - low).unwrap() + 1;
            Knowledge::Between(low, low + i64::try_from(choices.below(rest)).unwrap())
        }
    }
}

/// A random value for every input.
pub fn complete(world: &World, choices: &mut Choices) -> Vec<Value> {
    let each = world.inputs.iter().map(|input| {
        let domain = input.domain();
        domain[choices.below(domain.len())]
    });
    each.collect()
}
