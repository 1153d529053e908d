//! Messages as protobuf JSON: what grpcurl prints and takes.

use super::proto::DESCRIPTORS;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value;
use std::sync::LazyLock;
use thiserror::Error;

static POOL: LazyLock<Option<DescriptorPool>> = LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).ok());

/// Why a message has no JSON form, or a text is not a message.
#[derive(Debug, Error)]
pub enum JsonError {
    /// The schema has no message of that name.
    #[error("the schema has no message `{0}`")]
    UnknownMessage(String),
    /// The bytes and the schema disagree.
    #[error("the message cannot be read by the schema: {0}")]
    Decode(#[from] prost::DecodeError),
    /// Not JSON, or not of that message.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

/// A message of `detente.v1` as JSON. `name` is its name without the package.
///
/// # Errors
/// A name that is not the message's.
pub fn to_json(name: &str, message: &impl Message) -> Result<Value, JsonError> {
    let mut dynamic = DynamicMessage::new(descriptor(name)?);
    dynamic.transcode_from(message)?;
    let options = SerializeOptions::new().skip_default_fields(true);
    Ok(dynamic.serialize_with_options(serde_json::value::Serializer, &options)?)
}

/// A message of `detente.v1` from JSON. Unknown fields are refused.
///
/// # Errors
/// Text that is not JSON, or not this message.
pub fn from_json<M: Message + Default>(name: &str, text: &str) -> Result<M, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let dynamic = DynamicMessage::deserialize(descriptor(name)?, &mut deserializer)?;
    deserializer.end()?;
    Ok(dynamic.transcode_to()?)
}

fn descriptor(name: &str) -> Result<prost_reflect::MessageDescriptor, JsonError> {
    let found = POOL.as_ref().and_then(|pool| pool.get_message_by_name(&format!("detente.v1.{name}")));
    found.ok_or_else(|| JsonError::UnknownMessage(name.to_owned()))
}
