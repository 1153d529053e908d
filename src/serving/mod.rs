//! Who serves what: the compiled scenarios that are held, the cache of answers, and the threads for work that takes
//! longer than an evaluation and for analyses; the log of decisions. Must not know of the wire.

mod analyses;
mod cache;
mod decisions;
mod store;
mod workers;

pub use analyses::{Analyses, AnalysisCounts, Failed, Going, Stop, Ticket};
pub use cache::{Cache, CacheCounts, Key};
pub use decisions::{
    DecisionCounts, DecisionLog, DecisionSettings, FIELDS as DECISION_FIELDS, MAX_HELD_BYTES, MAX_LINE_BYTES, Mask,
    MaskError, Target as DecisionTarget,
};
pub use store::{DuplicateScenario, MAX_PAST_BYTES, MAX_PAST_REVISIONS, NotHeld, Store, list_revision};
pub use workers::{Refused, Workers};

#[cfg(test)]
mod tests;
