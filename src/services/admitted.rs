//! What a call holds while it is answered: its permit, and the room of its request.
//!
//! Must not know which method is called.

use crate::middleware::account::CallAccount;
use crate::middleware::admission::CallPermit;

/// What a call holds from the arrival of its whole request until its answer is ready.
#[derive(Debug)]
pub(super) struct Admitted {
    _permit: Option<CallPermit>,
    account: Option<CallAccount>,
}

impl Admitted {
    pub(super) fn new(permit: Option<CallPermit>, account: Option<CallAccount>) -> Self {
        Self { _permit: permit, account }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        // The handler has dropped the request, or does so right after this.
        if let Some(account) = &self.account {
            account.forget_request();
        }
    }
}
