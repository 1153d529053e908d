//! Contracts: what clients, operators and other replicas rely on, compared with golden files that an earlier version
//! made. A change of a module, a type or a variant must not change any of them unseen.
//!
//! The golden files are in `tests/contracts/golden`. A test writes its file anew where `UPDATE_GOLDEN=1` is set:
//!
//! ```sh
//! UPDATE_GOLDEN=1 cargo test --test contracts && git diff tests/contracts
//! ```
//!
//! With `TESTED_PROGRAM=PATH` the tests run another binary in place of the one that cargo built, such as the last
//! release's: what it gives must be the same. Only flags, variables and status codes come from this build's library.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable,
    reason = "a test that fails says where"
)]

#[path = "support/binary.rs"]
mod binary;
#[path = "support/collector.rs"]
mod collector;
#[path = "contracts/command_line.rs"]
mod command_line;
#[path = "support/credentials.rs"]
mod credentials;
#[path = "contracts/decisions.rs"]
mod decisions;
#[path = "contracts/errors.rs"]
mod errors;
#[path = "contracts/generated.rs"]
mod generated;
#[path = "contracts/golden.rs"]
mod golden;
#[path = "contracts/page_tokens.rs"]
mod page_tokens;
#[path = "support/program.rs"]
mod program;
#[path = "contracts/revisions.rs"]
mod revisions;
#[path = "contracts/source.rs"]
mod source;
mod support;
#[path = "contracts/telemetry.rs"]
mod telemetry;
#[path = "contracts/wire.rs"]
mod wire;
