//! Positions in the lists of a scenario: a type for each kind of list, and lists that accept only positions of their
//! kind.
//!
//! Must not know what a list contains.

use detente_condition::InputIndex;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// A position in lists of one kind, from zero.
pub trait Index: Copy {
    /// Iterates over all positions, ascending from zero.
    fn all() -> impl Iterator<Item = Self>;

    /// Returns the position as a number.
    fn index(self) -> usize;
}

impl Index for InputIndex {
    fn all() -> impl Iterator<Item = Self> {
        (0..).map(Self)
    }

    fn index(self) -> usize {
        InputIndex::index(self)
    }
}

/// Declares types of positions in lists: one type for each kind of list. Each type implements [`Index`].
#[macro_export]
macro_rules! index_types {
    ($($(#[doc = $doc:literal])* $name:ident)+) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub usize);

        impl $name {
            /// Returns the position as a number.
            pub fn index(self) -> usize {
                self.0
            }
        }

        impl $crate::scenario::index::Index for $name {
            fn all() -> impl Iterator<Item = Self> {
                (0..).map(Self)
            }

            fn index(self) -> usize {
                self.0
            }
        }
    )+};
}

index_types! {
    /// The position of a source in its scenario, from zero.
    SourceIndex
    /// The position of a party in its scenario, from zero.
    PartyIndex
    /// The position of a red line, from zero; hypothetical red lines follow those of the scenario.
    RedLineIndex
    /// The position of a waiver in its red line, from zero.
    WaiverIndex
    /// The position of a constraint in its scenario, from zero.
    ConstraintIndex
    /// The position of a caution in its scenario, from zero.
    CautionIndex
}

/// A list whose items are looked up by positions of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IndexVec<I, T> {
    items: Vec<T>,
    kind: PhantomData<fn(I)>,
}

impl<I: Index, T> IndexVec<I, T> {
    /// Returns the item at a position; `None` beyond the end of the list.
    pub fn get(&self, index: I) -> Option<&T> {
        self.items.get(index.index())
    }

    /// Returns the item at a position, so that it can be changed; `None` beyond the end of the list.
    pub fn get_mut(&mut self, index: I) -> Option<&mut T> {
        self.items.get_mut(index.index())
    }

    /// Iterates over the positions of the items.
    pub fn indices(&self) -> impl Iterator<Item = I> + use<I, T> {
        I::all().take(self.items.len())
    }

    /// Iterates over the items, each with its position.
    pub fn indexed(&self) -> impl Iterator<Item = (I, &T)> {
        I::all().zip(&self.items)
    }

    /// Returns the position of the first item that meets a condition.
    pub fn index_of(&self, mut is_wanted: impl FnMut(&T) -> bool) -> Option<I> {
        self.indexed().find(|(_, item)| is_wanted(item)).map(|(index, _)| index)
    }
}

impl<I, T> Default for IndexVec<I, T> {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl<I, T> From<Vec<T>> for IndexVec<I, T> {
    fn from(items: Vec<T>) -> Self {
        Self { items, kind: PhantomData }
    }
}

impl<I, T> FromIterator<T> for IndexVec<I, T> {
    fn from_iter<Items: IntoIterator<Item = T>>(items: Items) -> Self {
        Vec::from_iter(items).into()
    }
}

impl<I, T> IntoIterator for IndexVec<I, T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a, I, T> IntoIterator for &'a IndexVec<I, T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl<I, T> Deref for IndexVec<I, T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.items
    }
}

impl<I, T> DerefMut for IndexVec<I, T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.items
    }
}
