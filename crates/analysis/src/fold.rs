//! Folding a diagram from its ends to its root: counting, weighing and ranking are folds of one diagram, with other
//! algebras.

use super::budget::CutShort;
use super::diagram::Diagrams;
use biodivine_lib_bdd::{Bdd, BddPointer};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a place in a map takes that grows by doubling, and a choice that an algebra may note for it.
const BYTES_OF_A_PLACE: usize = 96;

/// What a fold makes of a coordinate.
pub(super) trait Algebra {
    /// What is known of a part of the diagram.
    type Value: Clone;

    /// Of the end that admits.
    fn admitted(&mut self) -> Self::Value;

    /// Of a place before a coordinate: from what is known after it, for each value that leads anywhere. None: nowhere.
    fn level(&mut self, coordinate: usize, after: &[(usize, Self::Value)]) -> Result<Option<Self::Value>, CutShort>;

    /// About how many bytes a value takes, beside its place in a map.
    fn bytes(&self, _value: &Self::Value) -> usize {
        size_of::<Self::Value>()
    }

    /// The values of a coordinate that are looked at.
    fn values(&self, coordinate: usize) -> Vec<usize>;
}

impl Diagrams<'_> {
    /// Folds a diagram; `None` if it admits nothing.
    pub(super) fn fold<A: Algebra>(&self, bdd: &Bdd, algebra: &mut A) -> Result<Option<A::Value>, CutShort> {
        let (known, lifted, end) = (HashMap::new(), HashMap::new(), algebra.admitted());
        let mut fold = Fold { diagrams: self, bdd, known, lifted, end, bytes: 0 };
        let values: Vec<Vec<usize>> = (0..self.coordinates.len()).map(|at| algebra.values(at)).collect();
        let of = |at: usize| values.get(at).map_or(&[][..], |values| values);
        let root = bdd.root_pointer();
        // The nodes at which a coordinate begins, from the top.
        let mut begins: BTreeMap<usize, BTreeSet<BddPointer>> = BTreeMap::new();
        begins.entry(self.coordinate_of(bdd, root)).or_default().insert(root);
        for at in 0..self.coordinates.len() {
            let Some(nodes) = begins.get(&at).cloned() else { continue };
            for node in nodes {
                self.budget.check()?;
                for value in of(at) {
                    let next = self.follow(bdd, node, at, *value);
                    if !next.is_terminal() {
                        begins.entry(self.coordinate_of(bdd, next)).or_default().insert(next);
                    }
                }
            }
        }
        for (at, nodes) in begins.iter().rev().filter(|(at, _)| **at < self.coordinates.len()) {
            for node in nodes {
                let mut after = Vec::with_capacity(of(*at).len());
                for value in of(*at) {
                    let next = self.follow(bdd, *node, *at, *value);
                    if let Some(lifted) = fold.lifted(next, at + 1, algebra, &values)? {
                        after.push((*value, lifted));
                    }
                }
                let known = if after.is_empty() { None } else { algebra.level(*at, &after)? };
                fold.make_room(known.as_ref(), algebra)?;
                fold.known.insert(*node, known);
            }
        }
        fold.lifted(root, 0, algebra, &values)
    }
}

struct Fold<'a, V> {
    diagrams: &'a Diagrams<'a>,
    bdd: &'a Bdd,
    /// Of the nodes at which a coordinate begins.
    known: HashMap<BddPointer, Option<V>>,
    /// The same, from earlier coordinates on that the node does not test.
    lifted: HashMap<(BddPointer, usize), Option<V>>,
    end: V,
    /// What all these take, about.
    bytes: usize,
}

impl<V: Clone> Fold<'_, V> {
    fn make_room<A: Algebra<Value = V>>(&mut self, value: Option<&V>, algebra: &A) -> Result<(), CutShort> {
        let value = value.map_or(0, |value| algebra.bytes(value));
        self.bytes = self.bytes.saturating_add(BYTES_OF_A_PLACE).saturating_add(value);
        if self.bytes > self.diagrams.budget.bounds.bytes { Err(CutShort::Work) } else { Ok(()) }
    }

    /// What is known of a node from a coordinate on.
    fn lifted<A: Algebra<Value = V>>(
        &mut self,
        node: BddPointer,
        from: usize,
        algebra: &mut A,
        values: &[Vec<usize>],
    ) -> Result<Option<V>, CutShort> {
        let own = self.diagrams.coordinate_of(self.bdd, node);
        if node.is_zero() {
            return Ok(None);
        }
        let mut at = own;
        let mut known = if node.is_one() { Some(self.end.clone()) } else { self.known.get(&node).cloned().flatten() };
        // The nearest place that is known already.
        for place in from..own {
            if let Some(lifted) = self.lifted.get(&(node, place)) {
                (at, known) = (place, lifted.clone());
                break;
            }
        }
        while at > from {
            at -= 1;
            if let Some(below) = known {
                let all = values.get(at).map_or(&[][..], |values| values);
                let after: Vec<(usize, V)> = all.iter().map(|value| (*value, below.clone())).collect();
                known = if after.is_empty() { None } else { algebra.level(at, &after)? };
            }
            self.make_room(known.as_ref(), algebra)?;
            self.lifted.insert((node, at), known.clone());
        }
        Ok(known)
    }
}
