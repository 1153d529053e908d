//! Who serves what: the compiled scenarios that are held. Must not know of the wire.

mod store;

pub use store::{DuplicateScenario, Store};
