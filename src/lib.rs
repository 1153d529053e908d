//! Détente: which red lines a proposal crosses, whose, why, and who says so.

pub mod condition;
pub mod engine;
pub mod scenario;
