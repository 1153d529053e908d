//! Compiles a formula to prime implicants, within a work budget: all those of "the formula is true", and all those of
//! "the formula is false".
//!
//! A prime implicant of a statement is a minimal conjunction of tests on inputs that makes the statement true. Must not
//! know of CEL or of names.

use super::budget::{ComplexityError, WorkBudget};
use super::cubes::{Cube, Cubes, complement, conjunction, insert_maximal};
use super::domain::InputIndex;
use super::formula::{Atom, Formula};
use super::space::{Axis, Space};

/// A compiled condition: all prime implicants of its truth and of its falsehood.
///
/// Each prime implicant is a cube, a conjunction of tests on inputs. Because both sets are complete, the condition is
/// certainly true exactly if all possible values of the inputs pass the tests of one cube in `holds`. It is certainly
/// false exactly if they all pass the tests of one cube in `fails`. This is so for any knowledge about the inputs,
/// however partial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// All prime implicants of "the condition holds".
    pub holds: Cubes,
    /// All prime implicants of "the condition does not hold".
    pub fails: Cubes,
}

impl Decision {
    /// Compiles a formula in a space that cuts each quantity at the numbers that the formula mentions.
    ///
    /// # Errors
    /// Returns the limit that the formula exceeds.
    pub fn compile(formula: &Formula, space: &Space, mut work: WorkBudget) -> Result<Self, ComplexityError> {
        Self::compile_within(formula, space, &mut work)
    }

    /// Compiles a formula within the rest of a shared budget.
    ///
    /// # Errors
    /// Returns the limit that the formula exceeds.
    pub fn compile_within(formula: &Formula, space: &Space, work: &mut WorkBudget) -> Result<Self, ComplexityError> {
        let sides = sides(formula, space, work)?;
        Ok(Self { holds: Cubes::new(sides.holds), fails: Cubes::new(sides.fails) })
    }

    /// Returns the memory of the prime implicants, in bytes.
    pub fn bytes(&self) -> usize {
        self.holds.bytes() + self.fails.bytes()
    }
}

/// All prime implicants of a formula's truth and of its falsehood.
struct Sides {
    holds: Vec<Cube>,
    fails: Vec<Cube>,
}

impl Sides {
    fn swapped(self) -> Self {
        Self { holds: self.fails, fails: self.holds }
    }

    fn constant(truth: bool) -> Self {
        let always = Self { holds: vec![Cube::default()], fails: Vec::new() };
        if truth { always } else { always.swapped() }
    }
}

/// Steps of the work budget charged for every node of a formula, because each node allocates two sets of cubes.
const STEPS_OF_A_PART: u64 = 100;

fn sides(formula: &Formula, space: &Space, work: &mut WorkBudget) -> Result<Sides, ComplexityError> {
    work.spend(STEPS_OF_A_PART)?;
    match formula {
        Formula::Constant(truth) => Ok(Sides::constant(*truth)),
        Formula::Atom(atom) => atom_sides(atom, space, work),
        Formula::Not(inner) => Ok(sides(inner, space, work)?.swapped()),
        Formula::All(parts) => all(parts.iter().map(Part::Plain), space, work),
        // De Morgan: at least one part holds unless all parts fail.
        Formula::Any(parts) => Ok(all(parts.iter().map(Part::Negated), space, work)?.swapped()),
    }
}

enum Part<'a> {
    Plain(&'a Formula),
    Negated(&'a Formula),
}

/// Returns the prime implicants of the truth and of the falsehood of "all parts hold".
fn all<'a>(
    parts: impl Iterator<Item = Part<'a>>,
    space: &Space,
    work: &mut WorkBudget,
) -> Result<Sides, ComplexityError> {
    let mut holds = vec![Cube::default()];
    for part in parts {
        let part = match part {
            Part::Plain(formula) => sides(formula, space, work)?,
            Part::Negated(formula) => sides(formula, space, work)?.swapped(),
        };
        holds = conjunction(&holds, &part.holds, space, work)?;
    }
    let fails = complement(&holds, space, work)?;
    Ok(Sides { holds, fails })
}

fn atom_sides(atom: &Atom, space: &Space, work: &mut WorkBudget) -> Result<Sides, ComplexityError> {
    let input = atom.input();
    // INVARIANT: a formula is read against the vocabulary whose domains form the space, so that the axis exists.
    let Some(axis) = space.axis(input) else { return Ok(Sides::constant(false)) };
    let full = axis.full();
    let of_values = |allowed: u128| match allowed & full {
        0 => Sides::constant(false),
        some if some == full => Sides::constant(true),
        some => Sides { holds: vec![Cube::of(input, full & !some)], fails: vec![Cube::of(input, some)] },
    };
    Ok(match (atom, axis) {
        (Atom::Options { allowed, .. }, _) => of_values(u128::from(*allowed)),
        (Atom::Numbers { allowed, .. }, _) => {
            work.spend(10 * allowed.ranges().len() as u64)?;
            of_values(axis.numbers(allowed))
        }
        (Atom::Member { member, .. }, _) => {
            let must_be_out = u128::from(member.bit());
            let must_be_in = must_be_out.rotate_left(64);
            Sides { holds: vec![Cube::of(input, must_be_in)], fails: vec![Cube::of(input, must_be_out)] }
        }
        (Atom::Count { allowed, .. }, Axis::Members { count }) => {
            Sides { holds: counts(input, *count, *allowed, work)?, fails: counts(input, *count, !*allowed, work)? }
        }
        (Atom::Count { .. }, _) => Sides::constant(false),
    })
}

/// Returns all prime implicants of "the number of included members is one of `allowed`".
///
/// Bit `n` of `allowed` permits `n` members. For each run of permitted numbers `from..=to`, the prime implicants are
/// all ways to include `from` of the members and to exclude all but `to` of them.
fn counts(input: InputIndex, members: u8, allowed: u128, work: &mut WorkBudget) -> Result<Vec<Cube>, ComplexityError> {
    let mut cubes = Vec::new();
    let is_allowed = |count: u8| allowed >> count & 1 == 1;
    let mut count = 0;
    while count <= members {
        if !is_allowed(count) {
            count += 1;
            continue;
        }
        let from = count;
        while count < members && is_allowed(count + 1) {
            count += 1;
        }
        choose(input, members, from, members - count, &mut |cube, work| insert_maximal(&mut cubes, cube, work), work)?;
        count += 1;
    }
    Ok(cubes)
}

/// Calls `emit` with every cube in which `ins` of the members are included and `outs` others are excluded.
fn choose(
    input: InputIndex,
    members: u8,
    ins: u8,
    outs: u8,
    emit: &mut dyn FnMut(Cube, &mut WorkBudget) -> Result<(), ComplexityError>,
    work: &mut WorkBudget,
) -> Result<(), ComplexityError> {
    let mut pending = vec![(0u8, ins, outs, 0u128)];
    while let Some((member, ins, outs, forbids)) = pending.pop() {
        work.spend(4)?;
        if ins == 0 && outs == 0 {
            emit(if forbids == 0 { Cube::default() } else { Cube::of(input, forbids) }, work)?;
            continue;
        }
        if members - member < ins + outs {
            continue;
        }
        if members - member > ins + outs {
            pending.push((member + 1, ins, outs, forbids));
        }
        if ins > 0 {
            pending.push((member + 1, ins - 1, outs, forbids | 1 << (64 + u32::from(member))));
        }
        if outs > 0 {
            pending.push((member + 1, ins, outs - 1, forbids | 1 << u32::from(member)));
        }
    }
    Ok(())
}
