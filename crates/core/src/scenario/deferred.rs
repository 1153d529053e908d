//! The parts of the file formats that can be read only when the domain of their issue is known: values and answers.
//!
//! Owns the JSON Schemas of these parts, and keeps their YAML nodes for `resolve`, which reads them when it knows the
//! domains. Must not know of domains.

use super::diagnostics::Faults;
use super::document::Node;
use super::limits::MAX_SPANS;
use super::record::{EntryId, Read, Snake, definition_name};
use serde_json::{Map, Value, json};

/// Declares a type that keeps its YAML node unread, and the JSON Schema of the type.
macro_rules! deferred {
    ($($(#[doc = $doc:literal])* $name:ident: |$definitions:ident| $schema:expr;)+) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        pub(crate) struct $name(pub(crate) Node);

        impl Read for $name {
            fn read(node: &Node, _: &mut Faults) -> Option<Self> {
                Some(Self(node.clone()))
            }
            fn schema($definitions: &mut Map<String, Value>) -> Value {
                let name = definition_name(stringify!($name));
                if !$definitions.contains_key(name) {
                    $definitions.insert(name.to_owned(), Value::Null);
                    let mut schema: Value = $schema;
                    if let Some(schema) = schema.as_object_mut() {
                        schema.insert("description".to_owned(), json!(concat!($($doc),*).trim()));
                    }
                    $definitions.insert(name.to_owned(), schema);
                }
                json!({"$ref": format!("#/$defs/{name}")})
            }
        }
    )+};
}

deferred! {
    /// A value: true or false (flag), an option's id (choice), a list of member ids (members) or an integer (quantity).
    ValueNode: |definitions| json!({"anyOf": [
        {"type": ["boolean", "integer"]},
        EntryId::schema(definitions),
        entries(definitions),
    ]});

    /// A value, or a list of dated values in ascending order of date.
    StatusQuoNode: |definitions| json!({"anyOf": [
        ValueNode::schema(definitions),
        {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_SPANS,
            "items": {
                "type": "object",
                "properties": {
                    "from": {"type": "string", "format": "date"},
                    "value": ValueNode::schema(definitions),
                },
                "required": ["value"],
                "additionalProperties": false,
            },
        },
    ]});

    /// A map from the id of an issue or circumstance to the answer.
    AnswersNode: |definitions| json!({
        "type": "object",
        "propertyNames": Snake::schema(definitions),
        "additionalProperties": answer(definitions),
    });

    /// A list of every value, each once, best first.
    OrderNode: |definitions| json!({"type": "array", "items": ValueNode::schema(definitions)});

    /// A map from every value to a number; greater is better.
    NumbersNode: |_definitions| json!({"type": "object", "additionalProperties": {"type": "number"}});
}

/// Returns the schema of an answer: a value, several possible values, or `unsettled`.
fn answer(definitions: &mut Map<String, Value>) -> Value {
    json!({"anyOf": [
        ValueNode::schema(definitions),
        {"const": "unsettled"},
        closed(&json!({"any_of": entries(definitions)}), &["any_of"]),
        closed(&json!({"min": {"type": "integer"}, "max": {"type": "integer"}}), &[]),
        closed(&json!({"includes": entries(definitions), "excludes": entries(definitions)}), &[]),
    ]})
}

fn entries(definitions: &mut Map<String, Value>) -> Value {
    json!({"type": "array", "items": EntryId::schema(definitions), "uniqueItems": true})
}

/// Returns the schema of an object without further properties.
fn closed(properties: &Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}
