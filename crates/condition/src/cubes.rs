//! Cubes (conjunctions of tests on inputs) and operations on sets of cubes.
//!
//! A literal is one of these tests. It stores the mask of the values that it forbids. One `&` with the mask of possible
//! values then decides the literal, the intersection of two cubes merges their masks with `|`, and containment is a
//! subset test.
//!
//! Must not know of formulas.

use super::budget::{ComplexityError, WorkBudget};
use super::domain::InputIndex;
use super::space::Space;

/// A test on one input. It certainly holds if none of the forbidden values is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Literal {
    /// The input tested.
    pub input: InputIndex,
    /// The mask of the forbidden values; never zero. The input's [`Axis`](super::Axis) says what each bit means.
    pub forbids: u128,
}

/// A conjunction of literals in input order, at most one per input.
///
/// Without literals it is always true.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cube {
    literals: Vec<Literal>,
}

impl Cube {
    pub(super) fn of(input: InputIndex, forbids: u128) -> Self {
        Self { literals: vec![Literal { input, forbids }] }
    }

    /// Returns the literals, in input order.
    pub fn literals(&self) -> &[Literal] {
        &self.literals
    }

    /// Returns the intersection of two cubes; `None` if it is empty.
    pub(super) fn meet(&self, other: &Cube, space: &Space) -> Option<Cube> {
        let mut literals = Vec::with_capacity(self.literals.len() + other.literals.len());
        let (mut ours, mut theirs) = (self.literals.iter().peekable(), other.literals.iter().peekable());
        loop {
            let next = match (ours.peek(), theirs.peek()) {
                (Some(a), Some(b)) if a.input == b.input => {
                    let forbids = a.forbids | b.forbids;
                    if space.axis(a.input).is_none_or(|axis| axis.contradicts(forbids)) {
                        return None;
                    }
                    let input = a.input;
                    theirs.next();
                    ours.next();
                    literals.push(Literal { input, forbids });
                    continue;
                }
                (Some(a), Some(b)) if a.input < b.input => ours.next(),
                (Some(_), None) => ours.next(),
                (_, Some(_)) => theirs.next(),
                (None, None) => return Some(Cube { literals }),
            };
            literals.extend(next);
        }
    }

    /// Whether this cube contains `other`: whatever passes the tests of `other` also passes the tests of this cube.
    ///
    /// Adds the number of literals examined to `compared`.
    pub(super) fn contains(&self, other: &Cube, compared: &mut u64) -> bool {
        let mut theirs = other.literals.iter();
        self.literals.iter().all(|ours| {
            theirs
                .by_ref()
                .find(|literal| {
                    *compared += 1;
                    literal.input >= ours.input
                })
                .is_some_and(|literal| literal.input == ours.input && ours.forbids & !literal.forbids == 0)
        })
    }

    /// Returns the cost, in steps of the work budget, of writing a cube with this cube's literals and `others` further
    /// ones.
    fn writing(&self, others: usize) -> u64 {
        STEPS_OF_A_WRITTEN_CUBE + STEPS_OF_A_WRITTEN_LITERAL * (self.literals.len() + others) as u64
    }
}

/// Steps of the work budget charged for writing a literal.
///
/// The number allows for the 32 bytes that a literal takes, so that the budget also bounds memory.
const STEPS_OF_A_WRITTEN_LITERAL: u64 = 8;
/// Steps of the work budget charged for allocating and freeing the literals of a cube.
const STEPS_OF_A_WRITTEN_CUBE: u64 = 40;

/// Adds a cube to a set unless a cube of the set contains it, and removes the cubes that the new one contains.
pub(super) fn insert_maximal(set: &mut Vec<Cube>, cube: Cube, work: &mut WorkBudget) -> Result<(), ComplexityError> {
    // Visiting a cube costs steps even if few of its literals are compared, because each cube has its own memory.
    let mut compared = 1 + 4 * set.len() as u64;
    let covered = set.iter().any(|kept| kept.contains(&cube, &mut compared));
    if !covered {
        set.retain(|kept| !cube.contains(kept, &mut compared));
        set.push(cube);
    }
    work.spend(compared)?;
    work.admit(set.len(), set.iter().map(|cube| cube.literals.len()).sum())
}

/// Returns all prime implicants of "a and b", given all prime implicants of each.
///
/// They are those pairwise intersections that no other pairwise intersection contains.
pub(super) fn conjunction(
    a: &[Cube],
    b: &[Cube],
    space: &Space,
    work: &mut WorkBudget,
) -> Result<Vec<Cube>, ComplexityError> {
    let mut meets = Vec::new();
    for ours in a {
        for theirs in b {
            work.spend(ours.writing(theirs.literals.len()))?;
            if let Some(meet) = ours.meet(theirs, space) {
                insert_maximal(&mut meets, meet, work)?;
            }
        }
    }
    Ok(meets)
}

/// Returns all prime implicants of "in none of these cubes".
///
/// The negation of a cube is a clause: a disjunction of negated literals. Multiplying out these clauses, and dropping
/// each cube that another one contains, leaves exactly the prime implicants (Nelson 1954, "Simplest normal truth
/// functions"). The proof also applies to literals with more than two values: if every combination of some possible
/// values of each input satisfies a clause, then all possible values of one input satisfy one literal of the clause.
pub(super) fn complement(cubes: &[Cube], space: &Space, work: &mut WorkBudget) -> Result<Vec<Cube>, ComplexityError> {
    let mut order: Vec<&Cube> = cubes.iter().collect();
    order.sort_by_key(|cube| cube.literals.len());
    let mut outside = vec![Cube::default()];
    for cube in order {
        let mut next = Vec::new();
        for kept in &outside {
            work.spend(kept.writing(cube.literals.len()))?;
            if kept.meet(cube, space).is_none() {
                insert_maximal(&mut next, kept.clone(), work)?;
                continue;
            }
            for literal in &cube.literals {
                let Some(axis) = space.axis(literal.input) else { continue };
                for forbids in axis.negations(literal.forbids) {
                    work.spend(kept.writing(1))?;
                    if let Some(meet) = kept.meet(&Cube::of(literal.input, forbids), space) {
                        insert_maximal(&mut next, meet, work)?;
                    }
                }
            }
        }
        outside = next;
    }
    Ok(outside)
}

/// An immutable set of cubes in one contiguous piece of memory, in a canonical order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cubes {
    literals: Box<[Literal]>,
    ends: Box<[u32]>,
}

impl Cubes {
    pub(super) fn new(mut cubes: Vec<Cube>) -> Self {
        // The order is canonical, so that results do not depend on the way in which a condition is written.
        cubes.sort_unstable();
        let mut literals = Vec::with_capacity(cubes.iter().map(|cube| cube.literals.len()).sum());
        let mut ends = Vec::with_capacity(cubes.len());
        for cube in cubes {
            literals.extend(cube.literals);
            ends.push(u32::try_from(literals.len()).unwrap_or(u32::MAX));
        }
        Self { literals: literals.into(), ends: ends.into() }
    }

    /// Iterates over the cubes, each as its literals in input order.
    pub fn iter(&self) -> impl Iterator<Item = &[Literal]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let end = *end as usize;
            let cube = self.literals.get(start..end).unwrap_or_default();
            start = end;
            cube
        })
    }

    /// Returns the number of cubes.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether the set has no cubes, which means that the statement whose prime implicants they are is never true.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the number of literals of all cubes together.
    pub fn literal_count(&self) -> usize {
        self.literals.len()
    }

    /// Returns the memory of the set, in bytes.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.literals) + size_of_val(&*self.ends)
    }

    /// Returns the literals of all cubes.
    pub fn literals(&self) -> &[Literal] {
        &self.literals
    }
}
