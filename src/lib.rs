//! Détente: which red lines a proposal crosses, whose, why, and who says so.
//!
//! A pure engine in the middle, a thin typed skin around it. Each module may use those below it, never those above:
//! `cli`, `grpc`, `serving`, `engine`, `scenario`, `condition`.

pub mod cli;
pub mod condition;
pub mod config;
pub mod engine;
pub mod grpc;
pub mod scenario;
pub mod serving;
pub mod shutdown;
pub mod telemetry;
