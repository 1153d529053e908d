//! The engine: a compiled scenario, and what it finds in a proposal.
//!
//! Owns editions, ladders, statuses, reasons, stances and verdicts. Pure: must not know of the wire, of async
//! runtimes, of clocks or of files; the day comes in as an argument.

mod compiled;
mod edition;
mod evaluate;
mod evaluation;
mod footprint;
mod ladder;
mod reasons;
mod standing;
mod supposed;
mod verdict;

pub use compiled::{CompileFault, Compiled, Counted};
pub use evaluate::{Detail, EffectiveInput, Given, NotCovered, Origin};
pub use evaluation::{Cause, Certainty, Evaluation, Finding, PartyStance, Sighting, Status, WaiverFinding};
pub use reasons::Opening;
pub use supposed::Supposed;
pub use verdict::{Stance, Verdict};
