//! Tests of reading, typing and compiling conditions, against one small vocabulary.

mod call;
mod cubes;
mod limits;
mod reading;

use super::{Domain, InputIndex, Vocabulary};
use std::sync::Arc;

/// The domains of `scope` (a choice of three), `days` (1 to 100), `backed` (a flag) and `force` (four members).
fn domains() -> Vec<(&'static str, Domain)> {
    let ids = |ids: &[&str]| ids.iter().map(|id| Arc::from(*id)).collect::<Arc<[Arc<str>]>>();
    vec![
        ("scope", Domain::Choice(ids(&["none", "air", "all"]))),
        ("days", Domain::Quantity { min: 1, max: 100 }),
        ("backed", Domain::Flag),
        ("force", Domain::Members(ids(&["uk", "france", "china", "denmark"]))),
    ]
}

/// The inputs of [`domains`] and the group `nato`, one member of which (`canada`) is not a member of any input.
fn vocabulary() -> Vocabulary {
    let mut vocabulary = Vocabulary::default();
    for (at, (name, domain)) in (0..).zip(domains()) {
        vocabulary.add_input(name.into(), InputIndex(at), domain);
    }
    vocabulary.add_group("nato".into(), ["uk".into(), "france".into(), "canada".into()].into());
    vocabulary
}
