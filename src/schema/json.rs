//! Messages as protobuf JSON: what grpcurl prints and takes.

use crate::schema::proto::DESCRIPTORS;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
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
    #[error("the message cannot be read by the schema")]
    Decode(#[from] prost::DecodeError),
    /// Not JSON, or not of that message.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// A kind of message of `detente.v1`, looked up once for any number of conversions.
#[derive(Clone, Debug)]
pub struct JsonForm(MessageDescriptor);

impl JsonForm {
    /// The form of the message of that name, without the package.
    ///
    /// # Errors
    /// A name that the schema does not have.
    pub fn of(name: &str) -> Result<Self, JsonError> {
        let found = POOL.as_ref().and_then(|pool| pool.get_message_by_name(&format!("detente.v1.{name}")));
        found.map(Self).ok_or_else(|| JsonError::UnknownMessage(name.to_owned()))
    }

    /// A message as a JSON value.
    ///
    /// # Errors
    /// A message of another kind.
    pub fn value(&self, message: &impl Message) -> Result<Value, JsonError> {
        Ok(self.dynamic(message)?.serialize_with_options(serde_json::value::Serializer, &options())?)
    }

    /// A message as JSON on one line, put at the end of a text.
    ///
    /// # Errors
    /// A message of another kind.
    pub fn append(&self, message: &impl Message, text: &mut Vec<u8>) -> Result<(), JsonError> {
        Ok(self.dynamic(message)?.serialize_with_options(&mut serde_json::Serializer::new(text), &options())?)
    }

    /// A message from JSON. Unknown fields are refused.
    ///
    /// # Errors
    /// Text that is not JSON, or not this message.
    pub fn read<M: Message + Default>(&self, text: &str) -> Result<M, JsonError> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let dynamic = DynamicMessage::deserialize(self.0.clone(), &mut deserializer)?;
        deserializer.end()?;
        Ok(dynamic.transcode_to()?)
    }

    /// A message from a JSON value. Unknown fields are refused.
    ///
    /// # Errors
    /// A value that is not this message.
    pub fn of_value<M: Message + Default>(&self, value: Value) -> Result<M, JsonError> {
        Ok(DynamicMessage::deserialize(self.0.clone(), value)?.transcode_to()?)
    }

    fn dynamic(&self, message: &impl Message) -> Result<DynamicMessage, JsonError> {
        let mut dynamic = DynamicMessage::new(self.0.clone());
        dynamic.transcode_from(message)?;
        Ok(dynamic)
    }
}

fn options() -> SerializeOptions {
    SerializeOptions::new().skip_default_fields(true)
}

/// A message of `detente.v1` as JSON. `name` is its name without the package.
///
/// # Errors
/// A name that is not the message's.
pub fn to_json(name: &str, message: &impl Message) -> Result<Value, JsonError> {
    JsonForm::of(name)?.value(message)
}

/// A message of `detente.v1` from JSON. Unknown fields are refused.
///
/// # Errors
/// Text that is not JSON, or not this message.
pub fn from_json<M: Message + Default>(name: &str, text: &str) -> Result<M, JsonError> {
    JsonForm::of(name)?.read(text)
}
