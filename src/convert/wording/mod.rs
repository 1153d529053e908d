//! Puts answers into words: every sentence that an answer contains is made here.
//!
//! Each kind of answer has a file of its own; phrases that several kinds use are in `terms` and `grammar`. No sentence
//! may say more than the finding does: absence of an objection is not consent. Must not know how an answer is computed
//! or sent.

pub mod amendments;
mod evaluation;
mod grammar;
pub mod hypotheses;
pub mod impasse;
pub mod packages;
pub mod robustness;
pub mod search;
mod terms;

pub use evaluation::{reason, summary};
pub use grammar::list;
pub use robustness::probability_range;
pub use terms::{answer, answer_alone, input_id, settled_terms, settlement};
