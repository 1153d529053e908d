//! The type of the keys whose values are conditions.
//!
//! Must not know the language of conditions.

use super::diagnostics::Faults;
use super::document::{Content, Node};
use super::record::{Read, expected};
use serde_json::{Map, Value, json};

/// The node with the text of a condition that is not parsed yet; the node gives the places of faults in the text.
#[derive(Clone, Debug)]
pub(crate) struct Cel {
    pub(crate) node: Node,
}

impl Cel {
    pub(crate) fn text(&self) -> &str {
        match &self.node.content {
            Content::Scalar { text, .. } => text,
            _ => "",
        }
    }
}

impl Read for Cel {
    fn read(node: &Node, faults: &mut Faults) -> Option<Self> {
        // `rejects: true` and `rejects: 3` are not texts. They are read as conditions, which produces better messages.
        if node.is_null() || !matches!(node.content, Content::Scalar { .. }) {
            return expected("a condition", node, faults);
        }
        Some(Self { node: node.clone() })
    }
    fn schema(_: &mut Map<String, Value>) -> Value {
        let most = detente_condition::MAX_CONDITION_BYTES;
        json!({"type": ["string", "boolean"], "minLength": 1, "maxLength": most})
    }
}
