//! The generated types of the schema and the schema's descriptors.

#![expect(missing_docs, clippy::all, reason = "generated code; the schema's comments are its documentation")]

#[allow(
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    reason = "generated: public inside a private module, with attributes of its own"
)]
mod schema {
    include!(concat!(env!("OUT_DIR"), "/schema.rs"));
}

pub use schema::detente::v1;
pub use schema::google::r#type::Date;

/// The encoded `FileDescriptorSet` of the schema and its imports.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
