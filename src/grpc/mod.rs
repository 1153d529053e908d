//! The wire: the only place that names tonic or prost.
//!
//! Owns the generated schema, the conversions to and from the engine's types, the services, and the server around
//! them. Handlers are a few lines: convert, call, convert. Must not decide anything about a negotiation.

mod admin;
pub mod call;
mod certificate;
pub mod client;
mod coalesce;
pub mod codec;
pub mod connection;
pub mod convert;
pub mod encoded;
pub mod error;
pub mod health;
pub mod json;
pub mod layers;
mod methods;
pub mod names;
mod numbers;
pub mod page;
mod preface;
pub mod proto;
pub mod server;
pub mod service;
mod stall;
pub mod tls;
