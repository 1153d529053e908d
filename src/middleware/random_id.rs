//! Random ids: of calls without an id of their own, and of incidents.
//!
//! Must not know what an id names.

use data_encoding::HEXLOWER;
use std::time::{SystemTime, UNIX_EPOCH};

/// Returns 128 random bits as 32 hexadecimal digits.
pub(super) fn random_id() -> String {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        // Without a source of randomness, the time makes the id differ from other ids.
        bytes = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_be_bytes();
    }
    HEXLOWER.encode(&bytes)
}
