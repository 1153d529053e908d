//! The middleware that every call passes.
//!
//! The layers, outermost first: [`request_id`], [`grpc_only`], [`calls`], [`panics`], [`deadline`], [`access`] (with
//! [`quota`]), [`admission`], [`compression`], [`receive`], [`decompression`].
//!
//! Each layer is a generic tower service over any HTTP body, so that no call pays for boxed bodies between the layers.
//! The middleware gives calls their ids, observes them and bounds what they take; it must not know how a call is
//! answered.

pub mod access;
pub mod account;
pub mod admission;
pub mod call;
pub mod call_limits;
pub mod callers;
pub mod calls;
pub(crate) mod clock;
pub(crate) mod codec;
pub mod compression;
pub mod connection_context;
pub mod deadline;
pub mod decompression;
mod decompression_turn;
pub mod failure_log;
mod gate;
pub mod grpc_only;
pub mod networks;
pub mod panics;
pub(crate) mod progress;
pub mod quota;
mod random_id;
pub mod receive;
mod refusal;
pub mod request_id;
mod retry_budget;
mod room;
mod share;
mod status_headers;

pub use gate::{Gate, GateLayer};
