//! The protobuf schema: the generated types and services, resource names, descriptors, the JSON form of messages, their weights.
//!
//! Must not know which scenarios exist or what they contain.

pub(crate) mod descriptors;
pub mod encoded;
pub mod json;
pub(crate) mod methods;
pub mod names;
pub mod proto;
pub mod weight;
