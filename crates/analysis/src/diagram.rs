//! Decision diagrams over inputs: which answers to all issues break every cube.
//!
//! An input with options or intervals takes as many bits as its number of values asks for, highest first, side by side;
//! a member takes one. Codes that are no value are read as the last one, so that whatever a diagram admits, some values
//! do.

use super::budget::{Budget, CutShort};
use super::problem::Cube;
use biodivine_lib_bdd::{Bdd, BddPointer, BddVariable, BddVariableSet, op_function};
use detente_condition::{Axis, InputId, Literal, Space};
use std::collections::HashMap;

/// What a coordinate stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Of {
    /// An input's options or intervals.
    Values(InputId),
    /// One member: 0 is out, 1 is in.
    Member(InputId, u8),
    /// Whether a line binds, by its place: 1 if it does.
    Binding(usize),
}

/// A place in the order, with the bits that it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coordinate {
    pub(super) of: Of,
    /// How many values it has.
    pub(super) count: usize,
    first: u16,
    bits: u16,
}

impl Coordinate {
    /// The input whose it is.
    pub(super) fn input(&self) -> Option<InputId> {
        match self.of {
            Of::Values(input) | Of::Member(input, _) => Some(input),
            Of::Binding(_) => None,
        }
    }

    /// The values that a mask of the input leaves possible.
    pub(super) fn admitted(&self, mask: u128) -> Vec<usize> {
        let is_set = |bit: usize| mask.checked_shr(u32::try_from(bit).unwrap_or(128)).unwrap_or(0) & 1 == 1;
        match self.of {
            Of::Values(_) => (0..self.count).filter(|value| is_set(*value)).collect(),
            Of::Member(_, member) => {
                let member = usize::from(member);
                [64 + member, member]
                    .iter()
                    .enumerate()
                    .filter(|(_, bit)| is_set(**bit))
                    .map(|(value, _)| value)
                    .collect()
            }
            Of::Binding(_) => vec![0, 1],
        }
    }
}

/// What diagrams are made of.
pub(super) struct Diagrams<'a> {
    pub(super) coordinates: Vec<Coordinate>,
    /// For each bit, its coordinate.
    coordinate_of: Vec<usize>,
    variables: Vec<BddVariable>,
    set: BddVariableSet,
    members: HashMap<(InputId, u8), usize>,
    values: HashMap<InputId, usize>,
    bindings: HashMap<usize, usize>,
    tests: HashMap<(InputId, u128), Bdd>,
    pub(super) budget: &'a Budget<'a>,
}

impl<'a> Diagrams<'a> {
    /// Coordinates for these inputs, in this order; after each input, the lines whose binding is told there.
    pub(super) fn new(
        order: &[(InputId, Vec<usize>)],
        space: &Space,
        budget: &'a Budget<'a>,
    ) -> Result<Self, CutShort> {
        let mut coordinates = Vec::new();
        let mut first = 0u16;
        let mut push = |of: Of, count: usize| -> Result<(), CutShort> {
            let bits = u16::try_from(usize::BITS - count.saturating_sub(1).leading_zeros()).unwrap_or(u16::MAX);
            coordinates.push(Coordinate { of, count, first, bits });
            // The crate takes a few variables fewer than its numbers would allow.
            first = first.checked_add(bits).filter(|bits| *bits < u16::MAX - 8).ok_or(CutShort::Work)?;
            Ok(())
        };
        for (input, bindings) in order {
            match space.axis(*input) {
                Some(Axis::Members { count }) => {
                    (0..*count).try_for_each(|member| push(Of::Member(*input, member), 2))?;
                }
                Some(axis) => push(Of::Values(*input), axis.full().count_ones() as usize)?,
                None => {}
            }
            bindings.iter().try_for_each(|line| push(Of::Binding(*line), 2))?;
        }
        let set = BddVariableSet::new_anonymous(first);
        let mut diagrams = Self {
            variables: set.variables(),
            set,
            coordinate_of: Vec::new(),
            members: HashMap::new(),
            values: HashMap::new(),
            bindings: HashMap::new(),
            tests: HashMap::new(),
            budget,
            coordinates,
        };
        for (at, coordinate) in diagrams.coordinates.iter().enumerate() {
            diagrams.coordinate_of.extend(std::iter::repeat_n(at, usize::from(coordinate.bits)));
            match coordinate.of {
                Of::Values(input) => drop(diagrams.values.insert(input, at)),
                Of::Member(input, member) => drop(diagrams.members.insert((input, member), at)),
                Of::Binding(line) => drop(diagrams.bindings.insert(line, at)),
            }
        }
        Ok(diagrams)
    }

    pub(super) fn and(&self, one: &Bdd, other: &Bdd) -> Result<Bdd, CutShort> {
        self.apply(one, other, op_function::and)
    }

    fn or(&self, one: &Bdd, other: &Bdd) -> Result<Bdd, CutShort> {
        self.apply(one, other, op_function::or)
    }

    pub(super) fn and_not(&self, one: &Bdd, other: &Bdd) -> Result<Bdd, CutShort> {
        self.apply(one, other, op_function::and_not)
    }

    /// One operation, bounded in what it builds and in what it does: of the latter the crate's own limit knows nothing.
    fn apply(
        &self,
        one: &Bdd,
        other: &Bdd,
        operation: impl Fn(Option<bool>, Option<bool>) -> Option<bool> + Copy,
    ) -> Result<Bdd, CutShort> {
        self.budget.check()?;
        // Every pair of nodes is met once at the most.
        let bounds = &self.budget.bounds;
        if one.size().saturating_mul(other.size()) > bounds.steps {
            Bdd::check_binary_op(bounds.steps, one, other, operation).ok_or(CutShort::Work)?;
            self.budget.check()?;
        }
        Bdd::binary_op_with_limit(bounds.nodes, one, other, operation).ok_or(CutShort::Work)
    }

    /// Where some of the cubes hold.
    pub(super) fn any_of(&mut self, cubes: &[Cube]) -> Result<Bdd, CutShort> {
        let mut any = self.set.mk_false();
        for cube in cubes {
            let mut all = self.set.mk_true();
            for literal in cube.iter().rev() {
                let test = self.test(literal);
                all = self.and(&test, &all)?;
            }
            any = self.or(&any, &all)?;
        }
        Ok(any)
    }

    /// Where all these values are taken.
    pub(super) fn exactly(&self, values: &[(usize, usize)]) -> Result<Bdd, CutShort> {
        let mut all = self.set.mk_true();
        for (at, value) in values {
            let Some(coordinate) = self.coordinates.get(*at) else { continue };
            let test = if coordinate.count == 2 {
                self.bit(coordinate, 0, *value == 1)
            } else {
                let allowed = 1u128.checked_shl(u32::try_from(*value).unwrap_or(128)).unwrap_or(0);
                self.values_test(coordinate, !allowed, 0, 0)
            };
            all = self.and(&all, &test)?;
        }
        Ok(all)
    }

    /// Where a line does not bind, or is not crossed.
    pub(super) fn unless_binding(&self, line: usize, crossed: &Bdd) -> Result<Bdd, CutShort> {
        match self.bindings.get(&line).and_then(|at| self.coordinates.get(*at)) {
            Some(coordinate) => {
                let binds = self.bit(coordinate, 0, true);
                Ok(self.and(crossed, &binds)?.not())
            }
            None => Ok(crossed.not()),
        }
    }

    /// Where all hold, taken together from the last coordinates up: what is below changes no more.
    pub(super) fn all_of(&self, mut parts: Vec<Bdd>, phase: &'static str) -> Result<Bdd, CutShort> {
        if parts.iter().map(Bdd::size).sum::<usize>() > 4 * self.budget.bounds.nodes {
            return Err(CutShort::Work);
        }
        parts.sort_by_key(|part| std::cmp::Reverse(part.var_of(part.root_pointer()).to_index()));
        let (mut all, total) = (self.set.mk_true(), parts.len());
        for (done, part) in parts.iter().enumerate() {
            self.budget.report(phase, done, total);
            all = self.and(&all, part)?;
        }
        Ok(all)
    }

    /// Where a mask's test is passed.
    fn test(&mut self, literal: &Literal) -> Bdd {
        if let Some(test) = self.tests.get(&(literal.input, literal.forbids)) {
            return test.clone();
        }
        let test = match self.values.get(&literal.input).and_then(|at| self.coordinates.get(*at)) {
            Some(coordinate) => self.values_test(coordinate, literal.forbids, 0, 0),
            None => self.members_test(literal),
        };
        self.tests.insert((literal.input, literal.forbids), test.clone());
        test
    }

    fn members_test(&self, literal: &Literal) -> Bdd {
        let mut test = self.set.mk_true();
        for bit in (0..128u32).filter(|bit| literal.forbids >> bit & 1 == 1) {
            let member = u8::try_from(bit % 64).unwrap_or(u8::MAX);
            let coordinate = self.members.get(&(literal.input, member)).and_then(|at| self.coordinates.get(*at));
            if let Some(coordinate) = coordinate {
                // Forbidden to be in: it is out.
                test = test.and(&self.bit(coordinate, 0, bit >= 64));
            }
        }
        test
    }

    /// Where the values whose code begins with these bits are not forbidden.
    fn values_test(&self, coordinate: &Coordinate, forbids: u128, prefix: usize, bit: u16) -> Bdd {
        if bit == coordinate.bits {
            let value = prefix.min(coordinate.count.saturating_sub(1));
            let forbidden = forbids.checked_shr(u32::try_from(value).unwrap_or(128)).unwrap_or(0) & 1 == 1;
            return if forbidden { self.set.mk_false() } else { self.set.mk_true() };
        }
        let low = self.values_test(coordinate, forbids, prefix << 1, bit + 1);
        let high = self.values_test(coordinate, forbids, prefix << 1 | 1, bit + 1);
        if low == high {
            return low;
        }
        let is_high = self.bit(coordinate, bit, true);
        is_high.and(&high).or(&low.and_not(&is_high))
    }

    fn bit(&self, coordinate: &Coordinate, bit: u16, value: bool) -> Bdd {
        let variable = self.variables.get(usize::from(coordinate.first + bit)).copied();
        variable.map_or_else(|| self.set.mk_true(), |variable| self.set.mk_literal(variable, value))
    }

    /// The coordinate that a node of a diagram tests; past the last one for the ends.
    pub(super) fn coordinate_of(&self, bdd: &Bdd, node: BddPointer) -> usize {
        if node.is_terminal() {
            return self.coordinates.len();
        }
        self.coordinate_of.get(bdd.var_of(node).to_index()).copied().unwrap_or(self.coordinates.len())
    }

    /// Where a value of a coordinate leads from a node.
    pub(super) fn follow(&self, bdd: &Bdd, mut node: BddPointer, at: usize, value: usize) -> BddPointer {
        let Some(coordinate) = self.coordinates.get(at) else { return node };
        while self.coordinate_of(bdd, node) == at {
            let bit = bdd.var_of(node).to_index().saturating_sub(usize::from(coordinate.first));
            let shift = usize::from(coordinate.bits).saturating_sub(1 + bit);
            node = if value >> shift & 1 == 1 { bdd.high_link_of(node) } else { bdd.low_link_of(node) };
        }
        node
    }
}

#[cfg(test)]
mod tests;
