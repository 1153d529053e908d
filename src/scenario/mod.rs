//! The data: what a scenario is, the file format, its checks, and the revision.
//!
//! Owns the [`Scenario`] model and everything about reading one from text. Must not know of evaluation, of the wire,
//! of clocks or of the file system: a file enters as its name and its text.

pub mod limits;
pub mod model;

pub use model::Scenario;
