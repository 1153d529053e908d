//! Positions in the lists of a problem: a type for each kind of list.
//!
//! Must not know what a list contains.

detente_core::index_types! {
    /// The position of a counted line in [`Problem::lines`](crate::Problem::lines), from zero.
    CountedLineIndex
    /// The position of a coordinate in the order of a diagram, from zero.
    CoordinateIndex
    /// The position of a choice that a fold recorded, from zero.
    ChoiceIndex
    /// The position of a criterion by which packages are compared, from zero.
    CriterionIndex
    /// The position of an efficient point, from zero.
    PointIndex
}
