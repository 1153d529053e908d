//! The words of test files for verdicts, stances, statuses, certainties and firmnesses.

use crate::engine::{Certainty, Stance, Status, Verdict};
use crate::scenario::diagnostics::Faults;
use crate::scenario::document::Node;
use crate::scenario::model::Firmness;
use crate::scenario::record::{Read, word};
use serde_json::{Map, Value, json};

/// A status that a test case expects of a red line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedStatus {
    /// The red line has a finding with this status.
    Found(Status),
    /// The red line is not held that day, so there is no finding.
    NotHeld,
}

/// A value that test files write as one word.
pub(super) trait Word {
    /// The word.
    fn word(&self) -> &'static str;
}

macro_rules! vocabulary {
    ($($type:ty: $($word:literal = $value:path $(: $inner:path)?),+;)+) => {$(
        impl Word for $type {
            fn word(&self) -> &'static str {
                match self {
                    $($value $(($inner))? => $word),+
                }
            }
        }

        impl Read for $type {
            fn read(node: &Node, faults: &mut Faults) -> Option<Self> {
                word(node, &[$(($word, $value $(($inner))?)),+], faults)
            }

            fn schema(_: &mut Map<String, Value>) -> Value {
                json!({"enum": [$($word),+]})
            }
        }
    )+};
}

vocabulary! {
    Verdict:
        "blocked" = Verdict::Blocked,
        "undeliverable" = Verdict::Undeliverable,
        "contested" = Verdict::Contested,
        "undetermined" = Verdict::Undetermined,
        "unopposed" = Verdict::Unopposed;
    Stance:
        "rejects" = Stance::Rejects,
        "resists" = Stance::Resists,
        "may_resist" = Stance::MayResist,
        "undecided" = Stance::Undecided,
        "no_stated_objection" = Stance::NoStatedObjection;
    ExpectedStatus:
        "crossed" = ExpectedStatus::Found: Status::Crossed,
        "undetermined" = ExpectedStatus::Found: Status::Undetermined,
        "clear" = ExpectedStatus::Found: Status::Clear,
        "not_recorded" = ExpectedStatus::Found: Status::NotRecorded,
        "not_held" = ExpectedStatus::NotHeld;
    Certainty:
        "certain" = Certainty::Certain,
        "possible" = Certainty::Possible;
}

impl Word for Firmness {
    fn word(&self) -> &'static str {
        Firmness::word(*self)
    }
}
