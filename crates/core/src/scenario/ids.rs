//! The ids of a scenario and of its parts: a type for each kind, so that an id of one kind is not taken for another.
//!
//! Must not know which ids exist: an id is the text that a file or a request gives.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

macro_rules! ids {
    ($($(#[doc = $doc:literal])* $name:ident)+) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a text as an id of this kind.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// Returns the text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl From<$name> for Arc<str> {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )+};
}

ids! {
    /// The id of a scenario, as in `scenarios/{id}`.
    ScenarioId
    /// The id of a source: a publication or record that evidence cites.
    SourceId
    /// The id of a party.
    PartyId
    /// The id of a group of options or members; different from the ids of all inputs of the scenario.
    GroupId
    /// The id of an issue or of a circumstance, which share one namespace.
    InputId
    /// The id of a red line.
    RedLineId
    /// The id of a waiver, unique within its red line.
    WaiverId
    /// The id of a constraint.
    ConstraintId
    /// The id of a caution.
    CautionId
    /// The id of a reference proposal.
    ProposalId
}
