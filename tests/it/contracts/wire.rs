//! Calls with messages written as JSON. They are encoded with the schema and without generated Rust types, whose names
//! are not a contract.

use crate::support::{Client, frame};
use detente::schema::proto::DESCRIPTORS;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, SerializeOptions};
use serde_json::Value;
use tonic::Code;
use tonic_types::ErrorDetails;

const PACKAGE: &str = "detente.v1";

/// The reply to a call.
pub(crate) struct Reply {
    pub code: Code,
    /// The response messages. If the call succeeded, there is exactly one, unless the method returns a stream.
    pub messages: Vec<Value>,
    /// The details of an error.
    pub details: ErrorDetails,
}

impl Reply {
    /// The only message of the reply. Panics if there is not exactly one.
    pub(crate) fn message(self) -> Value {
        let [message] = <[Value; 1]>::try_from(self.messages).unwrap_or_else(|all| panic!("{:?}: {all:?}", self.code));
        message
    }
}

/// The whole schema.
pub(crate) fn schema() -> DescriptorPool {
    DescriptorPool::decode(DESCRIPTORS).unwrap()
}

/// The method of this name.
fn method(name: &str) -> MethodDescriptor {
    let schema = schema();
    let mut methods = schema.services().filter(|service| service.package_name() == PACKAGE).flat_map(|service| {
        let methods: Vec<_> = service.methods().collect();
        methods
    });
    methods.find(|method| method.name() == name).unwrap_or_else(|| panic!("there is no method {name}"))
}

/// Calls a method with these messages. There must be exactly one, unless the method takes a stream.
pub(crate) async fn call(client: &Client, name: &str, headers: &[(&str, &str)], messages: &[Value]) -> Reply {
    let method = method(name);
    let mut body = Vec::new();
    for message in messages {
        let message = DynamicMessage::deserialize(method.input(), message.clone()).unwrap();
        body.extend_from_slice(&frame(&message.encode_to_vec()));
    }
    let path = format!("/{}/{name}", method.parent_service().full_name());
    let answer = client.call(&path, headers, body).await;
    let (mut rest, mut messages) = (answer.data.as_slice(), Vec::new());
    while let Some((head, after)) = rest.split_first_chunk::<5>() {
        let length = usize::try_from(u32::from_be_bytes([head[1], head[2], head[3], head[4]])).unwrap();
        let message = DynamicMessage::decode(method.output(), &after[..length]).unwrap();
        let options = SerializeOptions::new().skip_default_fields(true);
        messages.push(message.serialize_with_options(serde_json::value::Serializer, &options).unwrap());
        rest = &after[length..];
    }
    let status = answer.status();
    Reply { code: status.code(), messages, details: tonic_types::StatusExt::get_error_details(&status) }
}
