//! Who serves what: the compiled scenarios that are held, the cache of answers, and the threads for work that takes
//! longer than an evaluation and for analyses. Must not know of the wire.

mod analyses;
mod cache;
mod decisions;
mod scenario_files;
pub mod source;
mod outline;
mod reload;
mod store;
mod watch;
mod workers;

pub use analyses::{Analyses, AnalysisCounts, Failed, Going, Stop, Ticket};
pub use cache::{Cache, CacheCounts, Kept, Key};
pub use decisions::{DecisionCounts, DecisionLog, DecisionSettings, Mask, Target};
pub use outline::Outline;
pub use reload::{Fault, Outcome, Reload, ReloadCounts, Reloads};
pub use scenario_files::{LoadError, ScenarioFiles, Where};
pub use watch::{Watch, WatchError, folder_of};
pub use store::{DefaultScenario, DuplicateScenario, MAX_PAST_BYTES, MAX_PAST_REVISIONS, NotHeld, StaleFile, Store, list_revision};
pub use workers::{Refused, Workers};

#[cfg(test)]
mod tests;
