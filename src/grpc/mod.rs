//! The wire: the only place that names tonic or prost.
//!
//! Owns the generated schema, the conversions to and from the engine's types, the services, and the server around
//! them. Handlers are a few lines: convert, call, convert. Must not decide anything about a negotiation.

pub mod client;
mod coalesce;
pub mod codec;
mod connection;
pub mod convert;
pub mod encoded;
pub mod error;
pub mod health;
pub mod json;
pub mod layers;
pub mod names;
pub mod page;
pub mod proto;
pub mod server;
pub mod service;
mod stall;
