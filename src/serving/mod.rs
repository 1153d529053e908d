//! The state and the threads with which the server answers requests.
//!
//! Owns the scenario files and the store of their revisions (versions), the reloads of files, the cache of answers, the
//! threads for analyses (searches that take up to seconds) and other long work, on which callers take turns, and the decision log, which records
//! each evaluation of a proposal.
//!
//! Must not know about gRPC or its messages.

mod analyses;
pub mod bounded_file;
mod cache;
mod decisions;
mod reload;
mod scenario_files;
mod settled;
pub mod source;
mod store;
mod turns;
mod watch;
mod workers;

pub use analyses::{
    Analyses, AnalysisCounts, AnalysisError, AnalysisThreads, JobHandle, MAX_PARKED_ANALYSES, Stop, Ticket,
};
pub use cache::{Cache, CacheCounts, CacheKey, CachedAnswer};
pub use decisions::{
    DecisionCounts, DecisionLog, DecisionSettings, DecisionTarget, FIELDS as DECISION_FIELDS, MAX_HELD_BYTES,
    MAX_LINE_BYTES, Mask, MaskError, Outline, RequestPath,
};
pub use reload::{FileFault, MAX_RELOAD_TIME, Reload, ReloadCounts, ReloadOutcome, Reloader, Reloads};
pub use scenario_files::{DEFAULT_RETENTION, LoadError, ScenarioFiles, ScenarioLocation};
pub use settled::{ContentHash, Reading, SettleTime, read_settled};
pub use store::{
    DefaultScenario, DefaultState, DuplicateScenarioError, MAX_PAST_BYTES, MAX_PAST_REVISIONS, NotHeldError,
    RemovedFile, StaleFile, Store, list_revision,
};
pub use turns::TurnKey;
pub use watch::{ReloadTrigger, Watch, WatchError, folder_of};
pub use workers::{Workers, WorkersError};

#[cfg(test)]
mod tests;
