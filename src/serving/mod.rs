//! Who serves what: where scenarios come from, and which are held in which revisions; the cache of answers; the threads
//! for work that takes longer than an evaluation and for analyses; the log of decisions. Must not know of the wire.

mod analyses;
mod cache;
mod decisions;
mod reload;
mod scenario_files;
pub mod source;
mod store;
mod watch;
mod workers;

pub use analyses::{Analyses, AnalysisCounts, AnalysisError, JobHandle, Stop, Ticket};
pub use cache::{Cache, CacheCounts, Kept, Key};
pub use decisions::{
    DecisionCounts, DecisionLog, DecisionSettings, FIELDS as DECISION_FIELDS, MAX_HELD_BYTES, MAX_LINE_BYTES, Mask,
    MaskError, Outline, Target as DecisionTarget,
};
pub use reload::{Fault, Outcome, Reload, ReloadCounts, Reloads};
pub use scenario_files::{LoadError, ScenarioFiles, Where};
pub use store::{
    DefaultScenario, DuplicateScenarioError, MAX_PAST_BYTES, MAX_PAST_REVISIONS, NotHeldError, StaleFile, Store,
    list_revision,
};
pub use watch::{Watch, WatchError, folder_of};
pub use workers::{Workers, WorkersError};

#[cfg(test)]
mod tests;
