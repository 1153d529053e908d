//! Who serves what: the compiled scenarios that are held, the cache of answers, and the threads for work that takes
//! longer than an evaluation and for analyses. Must not know of the wire.

mod analyses;
mod cache;
mod store;
mod workers;

pub use analyses::{Analyses, AnalysisCounts, Failed, Going, Stop, Ticket};
pub use cache::{Cache, CacheCounts, Key};
pub use store::{DuplicateScenario, MAX_PAST_BYTES, MAX_PAST_REVISIONS, NotHeld, Store, list_revision};
pub use workers::{Refused, Workers};

#[cfg(test)]
mod tests;
