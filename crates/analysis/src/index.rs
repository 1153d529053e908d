//! Positions in the lists of a problem (a question in the form in which it is solved): a type for each kind of list.
//!
//! Must not know what a list contains.

detente_core::index_types! {
    /// The position in [`Problem::lines`](crate::Problem::lines) of a red line that counts for a question, from zero.
    CountedLineIndex
    /// The position of a coordinate (an input, a member or a binding) in the order of a decision diagram, from zero.
    CoordinateIndex
    /// The position of a value in the list of the values that a fold over a diagram chose for coordinates, from zero.
    ChoiceIndex
    /// The position of a criterion by which packages are compared, from zero.
    CriterionIndex
    /// The position of an efficient point (the results of packages that no other package dominates), from zero.
    PointIndex
}
