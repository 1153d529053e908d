//! Contracts: outputs that clients, operators and other replicas depend on, compared with golden files from an earlier
//! version. A renamed module, type or variant must not change them unnoticed.
//!
//! The golden files are in `tests/it/contracts/golden`. With `UPDATE_GOLDEN=1` each test writes its file:
//!
//! ```sh
//! UPDATE_GOLDEN=1 cargo test --test it contracts && git diff tests/it/contracts
//! ```
//!
//! With `TESTED_PROGRAM=PATH` the tests run another binary, such as the last release, in place of the one that cargo
//! built. Its output must be the same. The tests of telemetry wait for log messages with the wording of this version, so
//! they need a binary with that wording. Flags, variables and status codes always come from the library of this build.

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
