//! Folds of a decision diagram from its terminals to its root.
//!
//! A fold computes one value for each part of the diagram from the values of the parts below it. A diagram decides
//! coordinate by coordinate; each coordinate has a few values and takes one or more bits of the diagram. Owns the
//! traversal, and the size limit on its intermediate values. Counting, weighing and ranking differ only in their
//! [`Algebra`]; this module must not know of any of them.

use super::budget::{Held, SearchLimit};
use super::diagram::Diagrams;
use super::index::CoordinateIndex;
use biodivine_lib_bdd::{Bdd, BddPointer};
use detente_core::scenario::index::IndexVec;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The assumed size, in bytes, of one map entry together with the choice that an algebra may record for it.
///
/// The size allows for the unused capacity of a map and of a list that grow by doubling.
const BYTES_PER_ENTRY: usize = 192;
/// The memory of the lists of nodes that a fold visits, in bytes for each node of the diagram.
const BYTES_PER_VISITED_NODE: usize = 24;

/// The operations that give a fold its meaning.
pub(super) trait Algebra {
    /// The value that the fold computes for a part of the diagram.
    type Value: Clone;

    /// Returns the value of the terminal "true".
    fn admitted(&mut self) -> Self::Value;

    /// Combines the values of the parts below a coordinate; `None` if the combined part is never true.
    ///
    /// `after` has one entry for each value of the coordinate with which the diagram can still become true: that value,
    /// and what the fold computed for the part of the diagram below it.
    fn level(
        &mut self,
        coordinate: CoordinateIndex,
        after: &[(usize, Self::Value)],
    ) -> Result<Option<Self::Value>, SearchLimit>;

    /// Returns the approximate size of a computed value in bytes, without its map entry.
    fn bytes(&self, _value: &Self::Value) -> usize {
        size_of::<Self::Value>()
    }

    /// Returns those values of a coordinate that the fold visits.
    fn values(&self, coordinate: CoordinateIndex) -> Vec<usize>;
}

impl Diagrams<'_> {
    /// Folds a diagram; returns `None` if the diagram is never true.
    pub(super) fn fold<A: Algebra>(&self, bdd: &Bdd, algebra: &mut A) -> Result<Option<A::Value>, SearchLimit> {
        let (known, lifted, end) = (HashMap::new(), HashMap::new(), algebra.admitted());
        let held = self.budget.hold(bdd.size().saturating_mul(BYTES_PER_VISITED_NODE))?;
        let mut fold = Fold { diagrams: self, bdd, known, lifted, end, held };
        let values: IndexVec<CoordinateIndex, Vec<usize>> =
            self.coordinates.indices().map(|at| algebra.values(at)).collect();
        let of = |at: CoordinateIndex| values.get(at).map_or(&[][..], |values| values);
        let root = bdd.root_pointer();
        // For each coordinate, the nodes at which its bits begin. They are found from the root down.
        let mut begins: BTreeMap<CoordinateIndex, BTreeSet<BddPointer>> = BTreeMap::new();
        begins.entry(self.coordinate_of(bdd, root)).or_default().insert(root);
        for at in self.coordinates.indices() {
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
        for (at, nodes) in begins.iter().rev().filter(|(at, _)| at.index() < self.coordinates.len()) {
            for node in nodes {
                let mut after = Vec::with_capacity(of(*at).len());
                for value in of(*at) {
                    let next = self.follow(bdd, *node, *at, *value);
                    if let Some(lifted) = fold.lifted(next, CoordinateIndex(at.index() + 1), algebra, &values)? {
                        after.push((*value, lifted));
                    }
                }
                let known = if after.is_empty() { None } else { algebra.level(*at, &after)? };
                fold.reserve(known.as_ref(), algebra)?;
                fold.known.insert(*node, known);
            }
        }
        fold.lifted(root, CoordinateIndex(0), algebra, &values)
    }
}

struct Fold<'a, V> {
    diagrams: &'a Diagrams<'a>,
    bdd: &'a Bdd,
    /// The computed value of each node that is the first, on some path from the root, to test a bit of its coordinate.
    ///
    /// `None` stands for a part of the diagram that is never true.
    known: HashMap<BddPointer, Option<V>>,
    /// The value of a node, combined over all values of the coordinates from the given one up to the node's own
    /// coordinate, which is not included.
    ///
    /// A path that leads straight from an earlier coordinate to the node does not test these coordinates.
    lifted: HashMap<(BddPointer, CoordinateIndex), Option<V>>,
    end: V,
    /// The approximate size of both maps, and of what the algebra records.
    held: Held<'a>,
}

impl<V: Clone> Fold<'_, V> {
    /// Adds the size of a new map entry.
    ///
    /// # Errors
    /// Returns [`SearchLimit::Work`] if the question then uses more memory than it may.
    fn reserve<A: Algebra<Value = V>>(&self, value: Option<&V>, algebra: &A) -> Result<(), SearchLimit> {
        let value = value.map_or(0, |value| algebra.bytes(value));
        self.held.add(BYTES_PER_ENTRY.saturating_add(value))
    }

    /// Returns the value of a node, combined over all values of the coordinates from `from` up to the node's own
    /// coordinate, which is not included.
    fn lifted<A: Algebra<Value = V>>(
        &mut self,
        node: BddPointer,
        from: CoordinateIndex,
        algebra: &mut A,
        values: &IndexVec<CoordinateIndex, Vec<usize>>,
    ) -> Result<Option<V>, SearchLimit> {
        let own = self.diagrams.coordinate_of(self.bdd, node);
        if node.is_zero() {
            return Ok(None);
        }
        let mut at = own;
        let mut known = if node.is_one() { Some(self.end.clone()) } else { self.known.get(&node).cloned().flatten() };
        // Start from the earliest coordinate for which the value of this node is cached.
        for earlier in (from.index()..own.index()).map(CoordinateIndex) {
            if let Some(lifted) = self.lifted.get(&(node, earlier)) {
                (at, known) = (earlier, lifted.clone());
                break;
            }
        }
        while at > from {
            at = CoordinateIndex(at.index() - 1);
            if let Some(below) = known {
                let all = values.get(at).map_or(&[][..], |values| values);
                let after: Vec<(usize, V)> = all.iter().map(|value| (*value, below.clone())).collect();
                known = if after.is_empty() { None } else { algebra.level(at, &after)? };
            }
            self.reserve(known.as_ref(), algebra)?;
            self.lifted.insert((node, at), known.clone());
        }
        Ok(known)
    }
}
