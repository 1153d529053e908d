//! Positions in the lists of a problem: a type for each kind of list.
//!
//! Must not know what a list contains.

detente_core::index_types! {
    /// The position of a counted line in [`Problem::lines`](crate::Problem::lines), from zero.
    CountedLineIndex
}
