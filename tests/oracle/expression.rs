//! Conditions as the oracle represents them: written to scenario files in CEL, the language of conditions, and
//! evaluated directly for given values.

use super::world::{Kind, Value, World};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    Equal,
    Different,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Op {
    pub const ALL: [Op; 6] = [Op::Equal, Op::Different, Op::Less, Op::AtMost, Op::Greater, Op::AtLeast];

    fn text(self) -> &'static str {
        match self {
            Op::Equal => "==",
            Op::Different => "!=",
            Op::Less => "<",
            Op::AtMost => "<=",
            Op::Greater => ">",
            Op::AtLeast => ">=",
        }
    }

    pub fn holds(self, a: i64, b: i64) -> bool {
        match self {
            Op::Equal => a == b,
            Op::Different => a != b,
            Op::Less => a < b,
            Op::AtMost => a <= b,
            Op::Greater => a > b,
            Op::AtLeast => a >= b,
        }
    }

    /// The operator that gives the same result if the two sides are exchanged.
    fn mirrored(self) -> Op {
        match self {
            Op::Less => Op::Greater,
            Op::AtMost => Op::AtLeast,
            Op::Greater => Op::Less,
            Op::AtLeast => Op::AtMost,
            same => same,
        }
    }
}

/// A condition. In each variant that does not contain other conditions, the first number is the position of the input
/// that it tests.
#[derive(Clone, Debug)]
pub enum Expression {
    Flag(usize),
    FlagIs(usize, bool),
    Option(usize, u32),
    NotOption(usize, u32),
    OneOf(usize, Vec<u32>),
    Member(usize, u32),
    Size(usize, Op, i64),
    Number(usize, Op, i64),
    /// A comparison in CEL with the number on the left side: `3 < x`.
    MirroredNumber(usize, Op, i64),
    Numbers(usize, Vec<i64>),
    /// `x.exists(m, m in [..])`, or the same with `all` or `exists_one`.
    Walk(usize, Quantifier, Vec<u32>),
    /// `[..].exists(m, m in x)`, or the same with `all` or `exists_one`.
    List(usize, Quantifier, Vec<u32>),
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    If(Box<Expression>, Box<Expression>, Box<Expression>),
}

#[derive(Clone, Copy, Debug)]
pub enum Quantifier {
    Exists,
    All,
    ExistsOne,
}

impl Quantifier {
    fn text(self) -> &'static str {
        match self {
            Quantifier::Exists => "exists",
            Quantifier::All => "all",
            Quantifier::ExistsOne => "exists_one",
        }
    }

    fn holds(self, truths: impl Iterator<Item = bool>) -> bool {
        let truths: Vec<bool> = truths.collect();
        let count = truths.iter().filter(|truth| **truth).count();
        match self {
            Quantifier::Exists => count > 0,
            Quantifier::All => count == truths.len(),
            Quantifier::ExistsOne => count == 1,
        }
    }
}

impl Expression {
    pub fn cel(&self, world: &World) -> String {
        let name = |input: usize| world.inputs[input].name();
        let entry = |entry: u32| format!("\"e{entry}\"");
        let list = |entries: &[u32]| entries.iter().map(|e| entry(*e)).collect::<Vec<_>>().join(", ");
        match self {
            Expression::Flag(input) => name(*input),
            Expression::FlagIs(input, flag) => format!("{} == {flag}", name(*input)),
            Expression::Option(input, option) => format!("{} == {}", name(*input), entry(*option)),
            Expression::NotOption(input, option) => format!("{} != {}", entry(*option), name(*input)),
            Expression::OneOf(input, options) => format!("{} in [{}]", name(*input), list(options)),
            Expression::Member(input, member) => format!("{} in {}", entry(*member), name(*input)),
            Expression::Size(input, op, count) => format!("size({}) {} {count}", name(*input), op.text()),
            Expression::Number(input, op, number) => format!("{} {} {number}", name(*input), op.text()),
            Expression::MirroredNumber(input, op, number) => {
                format!("{number} {} {}", op.mirrored().text(), name(*input))
            }
            Expression::Numbers(input, numbers) => format!("{} in {numbers:?}", name(*input)),
            Expression::Walk(input, quantifier, entries) => {
                format!("{}.{}(m, m in [{}])", name(*input), quantifier.text(), list(entries))
            }
            Expression::List(input, quantifier, entries) => {
                format!("[{}].{}(m, m in {})", list(entries), quantifier.text(), name(*input))
            }
            Expression::Not(inner) => format!("!({})", inner.cel(world)),
            Expression::And(a, b) => format!("({}) && ({})", a.cel(world), b.cel(world)),
            Expression::Or(a, b) => format!("({}) || ({})", a.cel(world), b.cel(world)),
            Expression::If(test, a, b) => format!("({}) ? ({}) : ({})", test.cel(world), a.cel(world), b.cel(world)),
        }
    }

    pub fn holds(&self, world: &World, values: &[Value]) -> bool {
        let member = |input: usize, entry: u32| match values[input] {
            Value::Members(members) => members >> entry & 1 == 1,
            _ => unreachable!("a members input has members"),
        };
        let option = |input: usize| match values[input] {
            Value::Choice(option) => option,
            _ => unreachable!("a choice has an option"),
        };
        let number = |input: usize| match values[input] {
            Value::Quantity(number) => number,
            _ => unreachable!("a quantity has a number"),
        };
        match self {
            Expression::Flag(input) => values[*input] == Value::Flag(true),
            Expression::FlagIs(input, flag) => values[*input] == Value::Flag(*flag),
            Expression::Option(input, chosen) => option(*input) == *chosen,
            Expression::NotOption(input, chosen) => option(*input) != *chosen,
            Expression::OneOf(input, options) => options.contains(&option(*input)),
            Expression::Member(input, entry) => member(*input, *entry),
            Expression::Size(input, op, count) => match values[*input] {
                Value::Members(members) => op.holds(i64::from(members.count_ones()), *count),
                _ => unreachable!("a members input has members"),
            },
            Expression::Number(input, op, bound) | Expression::MirroredNumber(input, op, bound) => {
                op.holds(number(*input), *bound)
            }
            Expression::Numbers(input, numbers) => numbers.contains(&number(*input)),
            Expression::Walk(input, quantifier, entries) => {
                let Kind::Members(count) = world.inputs[*input].kind else { unreachable!("walks members") };
                let present = (0..count).filter(|entry| member(*input, *entry));
                quantifier.holds(present.map(|entry| entries.contains(&entry)))
            }
            Expression::List(input, quantifier, entries) => {
                quantifier.holds(entries.iter().map(|entry| member(*input, *entry)))
            }
            Expression::Not(inner) => !inner.holds(world, values),
            Expression::And(a, b) => a.holds(world, values) && b.holds(world, values),
            Expression::Or(a, b) => a.holds(world, values) || b.holds(world, values),
            Expression::If(test, a, b) => {
                if test.holds(world, values) {
                    a.holds(world, values)
                } else {
                    b.holds(world, values)
                }
            }
        }
    }
}
