//! Conversion between messages and protobuf JSON, the format that grpcurl prints and reads.
//!
//! Owns the JSON form of every message of the schema. Must not know what messages mean.

use crate::schema::descriptors::POOL;
use prost::Message;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, SerializeOptions};
use serde_json::Value;
use thiserror::Error;

/// An error of a conversion between a message and JSON.
#[derive(Debug, Error)]
pub enum JsonError {
    /// The schema has no message with this name.
    #[error("the schema has no message `{0}`")]
    UnknownMessage(String),
    /// The encoded message does not match the schema.
    #[error("the encoded message does not match the schema")]
    Decode(#[from] prost::DecodeError),
    /// The text is not JSON, or does not match the message.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// The JSON form of one message type of `detente.v1`, looked up once for any number of conversions.
#[derive(Clone, Debug)]
pub struct JsonForm(MessageDescriptor);

impl JsonForm {
    /// Looks up a message type by its name without the package, for example `Evaluation`.
    ///
    /// # Errors
    /// If the schema has no message with this name.
    pub fn of(name: &str) -> Result<Self, JsonError> {
        let found = POOL.get_message_by_name(&format!("detente.v1.{name}"));
        found.map(Self).ok_or_else(|| JsonError::UnknownMessage(name.to_owned()))
    }

    /// Converts a message to a JSON value.
    ///
    /// # Errors
    /// If the message has a different type.
    pub fn value(&self, message: &impl Message) -> Result<Value, JsonError> {
        Ok(self.dynamic(message)?.serialize_with_options(serde_json::value::Serializer, &options())?)
    }

    /// Appends a message to `text` as JSON on one line.
    ///
    /// # Errors
    /// If the message has a different type.
    pub fn append(&self, message: &impl Message, text: &mut Vec<u8>) -> Result<(), JsonError> {
        Ok(self.dynamic(message)?.serialize_with_options(&mut serde_json::Serializer::new(text), &options())?)
    }

    /// Parses a message from JSON text. Unknown fields are errors.
    ///
    /// # Errors
    /// If the text is not JSON, or does not match the message type.
    pub fn read<M: Message + Default>(&self, text: &str) -> Result<M, JsonError> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let dynamic = DynamicMessage::deserialize(self.0.clone(), &mut deserializer)?;
        deserializer.end()?;
        Ok(dynamic.transcode_to()?)
    }

    /// Converts a JSON value to a message. Unknown fields are errors.
    ///
    /// # Errors
    /// If the value does not match the message type.
    pub fn of_value<M: Message + Default>(&self, value: Value) -> Result<M, JsonError> {
        Ok(DynamicMessage::deserialize(self.0.clone(), value)?.transcode_to()?)
    }

    /// Returns the paths of all fields in the message and in the messages within it, parents first.
    ///
    /// Each path is given as the schema spells its names (`proposal.terms.any_of`), and as the JSON form does
    /// (`proposal.terms.anyOf`). A message within itself, a map and a well-known type end a path, because their JSON
    /// form does not have the fields that the schema says, or has them at any depth.
    pub fn paths(&self) -> Vec<(String, String)> {
        let mut paths = Vec::new();
        add_paths(&self.0, ("", ""), &mut vec![self.0.clone()], &mut paths);
        paths
    }

    fn dynamic(&self, message: &impl Message) -> Result<DynamicMessage, JsonError> {
        let mut dynamic = DynamicMessage::new(self.0.clone());
        dynamic.transcode_from(message)?;
        Ok(dynamic)
    }
}

/// Adds the paths of the fields of `message`, which is at the path `at` and within the messages `around`.
fn add_paths(
    message: &MessageDescriptor,
    at: (&str, &str),
    around: &mut Vec<MessageDescriptor>,
    paths: &mut Vec<(String, String)>,
) {
    for field in message.fields() {
        let (schema, json) = (format!("{}{}", at.0, field.name()), format!("{}{}", at.1, field.json_name()));
        paths.push((schema.clone(), json.clone()));
        if let Kind::Message(inner) = field.kind()
            && !field.is_map()
            && inner.package_name() != "google.protobuf"
            && !around.contains(&inner)
        {
            around.push(inner.clone());
            add_paths(&inner, (&format!("{schema}."), &format!("{json}.")), around, paths);
            around.pop();
        }
    }
}

fn options() -> SerializeOptions {
    SerializeOptions::new().skip_default_fields(true)
}

/// Converts a message of `detente.v1` to JSON. `name` is the message's name without the package.
///
/// # Errors
/// If `name` is not the name of the message's type.
pub fn to_json(name: &str, message: &impl Message) -> Result<Value, JsonError> {
    JsonForm::of(name)?.value(message)
}

/// Parses the message `name` of `detente.v1` from JSON text. Unknown fields are errors.
///
/// # Errors
/// If the text is not JSON, or does not match the message type.
pub fn from_json<M: Message + Default>(name: &str, text: &str) -> Result<M, JsonError> {
    JsonForm::of(name)?.read(text)
}
