//! The key by which callers take turns on workers and threads for analyses.
//!
//! Must not know what runs there.

use crate::middleware::account::CallAccount;
use crate::middleware::call::Call;
use crate::serving::TurnKey;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

/// The hash function is different in each process, so that no caller can choose a name with the key of another.
static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Returns the key of the caller that pays for a call. Calls that did not pass the middleware share a key.
pub(super) fn turn_key(call: &Call) -> TurnKey {
    let payer = call.account().and_then(CallAccount::payer);
    payer.map_or_else(TurnKey::default, |payer| TurnKey(KEYS.hash_one(&payer.key)))
}
