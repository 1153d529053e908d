//! Contracts: what clients, operators and other replicas rely on, compared with golden files that an earlier version
//! made. A change of a module, a type or a variant must not change any of them unseen.
//!
//! The golden files are in `tests/it/contracts/golden`. A test writes its file anew where `UPDATE_GOLDEN=1` is set:
//!
//! ```sh
//! UPDATE_GOLDEN=1 cargo test --test it contracts && git diff tests/it/contracts
//! ```
//!
//! With `TESTED_PROGRAM=PATH` the tests run another binary in place of the one that cargo built, such as the last
//! release's: what it gives must be the same. The tests of telemetry wait for log messages by their wording, so they
//! need a program with the wording of this version. Only flags, variables and status codes come from this build's library.

mod command_line;
mod decisions;
mod errors;
#[cfg(feature = "otlp")]
mod exported;
mod generated;
mod golden;
mod page_tokens;
mod revisions;
mod source;
mod telemetry;
mod wire;
