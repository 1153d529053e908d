//! The engine: compiles a scenario and evaluates proposals against it.
//!
//! An evaluation says whether the proposal certainly crosses each red line, certainly does not, or does so only for
//! some values of what it leaves open. An edition is a range of days on which nothing in the scenario changes. A ladder
//! is the compiled form of a red line's waivers: it says with which firmness a crossing counts.
//!
//! Owns editions, ladders, statuses, reasons, stances and verdicts. Must not know of gRPC, async runtimes, clocks or
//! files; the day is an argument.

mod comparison;
mod compiled;
mod edition;
mod evaluate;
mod evaluation;
mod footprint;
mod history;
mod input;
mod ladder;
mod load;
mod reasons;
mod standing;
mod supposed;
mod verdict;
mod watcher;

pub use comparison::{ComparedLine, FindingChange, FindingOutline, differing_lines};
pub use compiled::{CompileError, Compiled, Counted};
pub use evaluation::{Certainty, Evaluation, Finding, PartyStance, Sighting, Status, WaiverFinding};
pub use history::{History, HistorySpan};
pub use input::{Detail, EffectiveInput, Given, NotCoveredError, Origin};
pub use load::load_compiled;
pub use reasons::{Cause, Opening};
pub use supposed::Supposed;
pub use verdict::{Stance, Verdict};
