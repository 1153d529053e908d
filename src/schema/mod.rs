//! The protobuf schema: the generated types and services, resource names, the JSON form of messages, the codec.
//!
//! Must not know scenarios, or which of them are served.

pub mod codec;
pub mod encoded;
pub mod json;
pub(crate) mod methods;
pub mod names;
pub mod proto;
