//! Bytes to a small negotiation and a proposal: the engine finds what an oracle finds that enumerates every completion.
//!
//! The same worlds and the same agreement as in `tests/it/engine/exactness.rs`; here the bytes are chosen by what they reach.

#![no_main]

#[path = "../../tests/oracle/mod.rs"]
mod oracle;

use libfuzzer_sys::fuzz_target;
use oracle::agreement::check_everything;
use oracle::generate::{self, Choices};

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let world = generate::world(&mut choices);
    let given = generate::given(&world, &mut choices);
    check_everything(&world, &given, true);
});
