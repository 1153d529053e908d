//! Reads any text as a condition, an expression over a few inputs. The text is rejected with faults whose positions lie
//! within the text, or it compiles to a decision that agrees with a direct evaluation of the formula at many points.
//!
//! A point gives every input a value. A decision consists of cubes, each a conjunction of tests on inputs: those in
//! which the condition holds, and those in which it does not. The points are made of the values at which the result may
//! change: every flag, option and set of members, and the numbers at the ends of the ranges in the formula. If the
//! combinations are few, all are tried, otherwise a sample.

#![no_main]

use detente_condition::{
    Answer, Atom, ConditionError, ConditionErrorKind, Cubes, Decision, Domain, EntryIndex, Formula, InputIndex, Space,
    Value, Vocabulary, WorkBudget, read,
};
use libfuzzer_sys::{Corpus, fuzz_target};
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

/// The maximum number of points that are tried.
const MAX_POINTS: usize = 1_000;
/// The maximum number of parts of the formula that are evaluated, summed over all points.
///
/// A formula may have 20,000 parts, so fewer points are tried for a long formula.
const MAX_STEPS: usize = 500_000;
/// All points are numbered. This is the distance between the numbers of two points that are tried one after the other.
///
/// It is a prime that does not divide the number of points, so no point is tried twice.
const STRIDE: usize = 1_000_003;

static DOMAINS: LazyLock<Vec<(&str, Domain)>> = LazyLock::new(|| {
    vec![
        ("backed", Domain::Flag),
        ("scope", Domain::Choice(ids(&["none", "air", "all"]))),
        ("force", Domain::Members(ids(&["uk", "france", "china", "denmark"]))),
        ("days", Domain::Quantity { min: -5, max: 100 }),
        ("money", Domain::Quantity { min: i64::MIN, max: i64::MAX }),
    ]
});

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let mut vocabulary = Vocabulary::default();
    for (at, (name, domain)) in (0..).zip(&*DOMAINS) {
        vocabulary.add_input((*name).into(), InputIndex(at), domain.clone());
    }
    vocabulary.add_group("nato".into(), ids(&["uk", "france", "denmark", "canada"]));
    vocabulary
});

fn ids(ids: &[&str]) -> Arc<[Arc<str>]> {
    ids.iter().map(|id| Arc::from(*id)).collect()
}

fuzz_target!(|text: &str| -> Corpus {
    let formula = match read(text, &VOCABULARY) {
        Ok(formula) => formula,
        Err(faults) => return check_faults(text, &faults),
    };
    let domains = DOMAINS.iter().map(|(_, domain)| domain);
    let Ok(space) = Space::new(domains, [&formula]) else { return Corpus::Keep };
    let Ok(decision) = Decision::compile(&formula, &space, WorkBudget::default()) else { return Corpus::Keep };

    let mut facts = Facts { parts: 0, numbers: vec![BTreeSet::new(); DOMAINS.len()] };
    facts.gather(&formula);
    let values = facts.values();
    let all: usize = values.iter().map(Vec::len).product();
    for turn in 0..all.min(MAX_POINTS).min(MAX_STEPS / facts.parts + 1) {
        let point = point(&values, turn.wrapping_mul(STRIDE) % all);
        let state: Vec<u128> =
            space.axes().iter().zip(&point).map(|(axis, value)| axis.possible(&Answer::Exact(*value))).collect();
        let expected = holds(&formula, &point);
        assert_eq!(within(&decision.holds, &state), expected, "{text} holds at {point:?}");
        assert_eq!(within(&decision.fails, &state), !expected, "{text} fails at {point:?}");
    }
    Corpus::Keep
});

fn check_faults(text: &str, faults: &[ConditionError]) -> Corpus {
    assert!(!faults.is_empty(), "a refused condition has a fault");
    for fault in faults {
        assert!(text.is_char_boundary(fault.at), "{fault:?} lies outside of the text");
        assert!(!fault.kind.to_string().is_empty());
    }
    // Most mutations break the syntax. Keeping them in the corpus would leave no time for the others.
    let broken = faults.iter().any(|fault| matches!(fault.kind, ConditionErrorKind::Syntax { .. }));
    if broken { Corpus::Reject } else { Corpus::Keep }
}

/// The number of parts of a formula, and the numbers at which its result may change.
struct Facts {
    parts: usize,
    /// For each quantity, the numbers just before and just after every change of the result. Other inputs have none.
    numbers: Vec<BTreeSet<i64>>,
}

impl Facts {
    fn gather(&mut self, formula: &Formula) {
        self.parts += 1;
        match formula {
            Formula::Constant(_) => {}
            Formula::Atom(Atom::Numbers { input, allowed }) => {
                for (low, high) in allowed.ranges() {
                    self.numbers[input.index()].extend([low.saturating_sub(1), *low, *high, high.saturating_add(1)]);
                }
            }
            Formula::Atom(_) => {}
            Formula::Not(inner) => self.gather(inner),
            Formula::All(parts) | Formula::Any(parts) => parts.iter().for_each(|part| self.gather(part)),
        }
    }

    /// The values of each input that are worth trying.
    fn values(&self) -> Vec<Vec<Value>> {
        let each = DOMAINS.iter().zip(&self.numbers).map(|((_, domain), numbers)| match domain {
            Domain::Flag => vec![Value::Flag(false), Value::Flag(true)],
            Domain::Choice(options) => {
                (0..).map(EntryIndex).zip(&**options).map(|(option, _)| Value::Choice(option)).collect()
            }
            Domain::Members(members) => (0..1 << members.len()).map(Value::Members).collect(),
            Domain::Quantity { min, max } => {
                let numbers: BTreeSet<i64> = numbers.range(min..=max).chain([min, max]).copied().collect();
                numbers.into_iter().map(Value::Quantity).collect()
            }
        });
        each.collect()
    }
}

/// The point with this number, if all combinations of the values are numbered.
fn point(values: &[Vec<Value>], mut number: usize) -> Vec<Value> {
    let each = values.iter().map(|values| {
        let value = values[number % values.len()];
        number /= values.len();
        value
    });
    each.collect()
}

/// Evaluates a formula at a point directly, without compiling it.
fn holds(formula: &Formula, point: &[Value]) -> bool {
    match formula {
        Formula::Constant(truth) => *truth,
        Formula::Atom(atom) => match (atom, point[atom.input().index()]) {
            (Atom::Options { allowed, .. }, Value::Flag(flag)) => allowed >> u32::from(flag) & 1 == 1,
            (Atom::Options { allowed, .. }, Value::Choice(option)) => option.is_in(*allowed),
            (Atom::Member { member, .. }, Value::Members(members)) => member.is_in(members),
            (Atom::Count { allowed, .. }, Value::Members(members)) => allowed >> members.count_ones() & 1 == 1,
            (Atom::Numbers { allowed, .. }, Value::Quantity(number)) => allowed.contains(number),
            (atom, value) => panic!("{atom:?} does not apply to {value:?}"),
        },
        Formula::Not(inner) => !holds(inner, point),
        Formula::All(parts) => parts.iter().all(|part| holds(part, point)),
        Formula::Any(parts) => parts.iter().any(|part| holds(part, point)),
    }
}

/// Whether a point passes all tests of one of the cubes.
fn within(cubes: &Cubes, state: &[u128]) -> bool {
    cubes.iter().any(|cube| cube.iter().all(|literal| state[literal.input.index()] & literal.forbids == 0))
}
