//! The generated types of the schema, and its descriptors.

#![expect(missing_docs, clippy::all, reason = "generated code; the schema's comments are its documentation")]

#[allow(
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    reason = "generated: public inside a private module, with attributes of its own"
)]
mod schema {
    include!(concat!(env!("OUT_DIR"), "/schema.rs"));
}

#[allow(
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    clippy::too_many_lines,
    reason = "generated: public inside a private module, with attributes and long functions of its own"
)]
mod services {
    include!(concat!(env!("OUT_DIR"), "/server/detente.v1.rs"));
}

pub use schema::detente::v1;
pub use schema::google::r#type::Date;
pub use services::{analysis_service_server, red_line_service_server};

/// The encoded `FileDescriptorSet` of the whole schema, imports included.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
