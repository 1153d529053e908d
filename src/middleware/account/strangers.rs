//! Calls of strangers, for which nobody pays: refused calls, and those of the health service.
//!
//! Must not know why a call is refused.

use crate::error::ApiError;
use crate::middleware::account::{CallAccount, subtract_one};
use crate::middleware::call_limits::{MAX_HEALTH_OF_CONNECTION, MAX_REFUSALS, PART_FOR_HEALTH};
use crate::middleware::callers::CallerState;
use crate::middleware::room::add_within;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

impl CallAccount {
    /// Counts a call that was not admitted for its address, until the refusal has left the server; `false` if there are
    /// too many.
    ///
    /// Such a call must be reset.
    pub(crate) fn count_refusal(&self, address: &Arc<CallerState>) -> bool {
        if self.0.payer.get().is_some() {
            return true;
        }
        let counted = add_within(&address.refused, 1, MAX_REFUSALS).is_some();
        if counted {
            // A call is refused once.
            let _ = self.0.refused.set(address.clone());
        }
        counted
    }

    /// Counts a call of the health service, which needs no credentials.
    ///
    /// # Errors
    /// If the connection or the server has too many of them.
    pub(in crate::middleware) fn count_health(&self) -> Result<(), ApiError> {
        let (account, limit) = (&*self.0, MAX_HEALTH_OF_CONNECTION);
        let error = ApiError::TooManyStreams { what: "calls of the health service", limit };
        add_within(&account.connection.health, 1, limit).ok_or(error)?;
        if add_within(&account.bounds.0.health, 1, account.bounds.0.max_calls.div_ceil(PART_FOR_HEALTH)).is_none() {
            subtract_one(&account.connection.health);
            return Err(ApiError::Overloaded);
        }
        // A call is counted once.
        account.is_health.store(true, Relaxed);
        Ok(())
    }
}
