//! Generates a small scenario, called a world, and a proposal from bytes, and checks that the engine agrees with an
//! oracle: simple code that tries every completion, every way to settle what the proposal leaves open.
//!
//! The worlds and checks are those of `tests/it/engine/exactness.rs`; here coverage guides the choice of the bytes.

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
