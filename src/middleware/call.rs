//! The context of one call, shared by its layers and its handler.
//!
//! It contains the caller, the request id, the trace id, and a summary for telemetry.
//!
//! Every request that passed the layers has its call's context in its extensions. A call made without the middleware
//! has a default context of its own, which nothing reads. Must not know how a call is answered.

use crate::access::Caller;
use crate::error::ApiError;
use crate::locks::lock;
use crate::middleware::account::CallAccount;
use crate::middleware::callers::CallerState;
use crate::middleware::request_id::RequestId;
use http::{Extensions, HeaderMap, HeaderName};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::SystemTime;
use tonic::Status;

/// The trace-context header of the W3C.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The context of a call. Clones share it.
#[derive(Clone, Default)]
pub struct Call {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    id: Option<RequestId>,
    trace: Option<Box<str>>,
    account: Option<CallAccount>,
    caller: OnceLock<Caller>,
    source: OnceLock<Arc<CallerState>>,
    summary: Mutex<CallSummary>,
    when_answered: Mutex<Vec<Action>>,
}

/// An action that runs once it is certain that the call is answered, such as writing to the decision log.
type Action = Box<dyn FnOnce() + Send>;

/// What a handler records about its call, for the call's span and log event.
///
/// It never contains the proposal's terms, except in [`CallSummary::content`].
#[derive(Clone, Debug, Default)]
pub struct CallSummary {
    /// Id of the scenario.
    pub scenario: Option<Arc<str>>,
    /// Revision of the scenario.
    pub revision: Option<Box<str>>,
    /// Verdict, if the call makes exactly one evaluation.
    pub verdict: Option<&'static str>,
    /// Whether the answer came from the cache.
    pub cached: Option<bool>,
    /// Number of evaluations that a batch, stream, comparison or history made; 0 for any other call.
    pub evaluations: u64,
    /// The request as JSON, if the operator enabled it.
    pub content: Option<String>,
    /// The error that ends the call, if its status is sent in trailers.
    ///
    /// A response has the error in its extensions, but trailers have none.
    pub error: Option<ApiError>,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Call {
    /// Creates the context of a call with these headers.
    pub(crate) fn new(id: Option<RequestId>, account: Option<CallAccount>, headers: &HeaderMap) -> Self {
        let trace = headers.get(TRACEPARENT).and_then(|parent| trace_id(parent.as_bytes()));
        Self { inner: Arc::new(Inner { id, account, trace: trace.map(Into::into), ..Inner::default() }) }
    }

    /// Returns the context in a request's extensions, or a default one.
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// Returns the request id; empty for a call made without the middleware.
    pub fn id(&self) -> &str {
        self.inner.id.as_ref().map_or("", RequestId::as_str)
    }

    /// Returns the id of the trace that the caller began: 32 hexadecimal digits.
    pub fn trace_id(&self) -> Option<&str> {
        self.inner.trace.as_deref()
    }

    /// Returns the call's account; `None` for a call that is made without the transport.
    pub(crate) fn account(&self) -> Option<&CallAccount> {
        self.inner.account.as_ref()
    }

    /// Returns the caller, once it is identified.
    pub fn caller(&self) -> Option<&Caller> {
        self.inner.caller.get()
    }

    /// Sets who counts as the origin of the call: the caller, or its address if it is not identified.
    pub(super) fn set_source(&self, source: Arc<CallerState>) {
        let _ = self.inner.source.set(source);
    }

    /// Returns who counts as the origin of the call, once it is known.
    pub(super) fn source(&self) -> Option<&CallerState> {
        self.inner.source.get().map(Arc::as_ref)
    }

    pub(crate) fn set_caller(&self, caller: Caller) {
        // A call has one caller: the first one set stays.
        let _ = self.inner.caller.set(caller);
    }

    /// Checks that the caller's credentials are still valid: they may expire or be revoked while a stream is open.
    ///
    /// # Errors
    /// [`ApiError::Unauthenticated`] if they are not.
    pub(crate) fn check_credentials(&self) -> Result<(), ApiError> {
        match self.caller() {
            Some(caller) if !caller.is_valid_at(SystemTime::now()) => Err(ApiError::Unauthenticated {
                denied: "the credentials have expired or were revoked; open a new stream".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Registers an action to run once it is certain that this call is answered.
    pub(crate) fn when_answered(&self, action: impl FnOnce() + Send + 'static) {
        lock(&self.inner.when_answered).push(Box::new(action));
    }

    /// Forgets the registered actions, because the answer is dropped and made again.
    pub(crate) fn forget_actions(&self) {
        lock(&self.inner.when_answered).clear();
    }

    /// Marks the call as answered: runs the registered actions.
    pub(crate) fn mark_answered(&self) {
        let actions = std::mem::take(&mut *lock(&self.inner.when_answered));
        actions.into_iter().for_each(|action| action());
    }

    /// Records the error with which a stream ends, and returns its status.
    pub(crate) fn ended_by(&self, status: Status) -> Status {
        if let Some(error) = ApiError::of(&status) {
            self.summary().error = Some(error.clone());
        }
        status
    }

    /// Locks the summary, to read it or to add to it.
    pub fn summary(&self) -> MutexGuard<'_, CallSummary> {
        lock(&self.inner.summary)
    }
}

/// Returns the trace id of a `traceparent`; `None` if the header is invalid.
///
/// Accepts version 00, and later versions that begin in the same way.
fn trace_id(parent: &[u8]) -> Option<&str> {
    let parent = std::str::from_utf8(parent).ok()?;
    let mut parts = parent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let has_known_length = version != "00" || parts.next().is_none();
    let is_valid =
        hex(version, 2) && version != "ff" && hex(trace, 32) && hex(span, 16) && hex(flags, 2) && has_known_length;
    (is_valid && trace.bytes().any(|byte| byte != b'0')).then_some(trace)
}

#[cfg(test)]
mod tests {
    use crate::middleware::call::trace_id;

    #[test]
    fn trace_ids_follow_the_w3c_format() {
        let (trace, rest) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7-01");
        let read = |text: &str| trace_id(text.as_bytes()).map(str::to_owned);
        assert_eq!(read(&format!("00-{trace}-{rest}")).as_deref(), Some(trace));
        assert_eq!(read(&format!("cc-{trace}-{rest}-a-later-field")).as_deref(), Some(trace));
        for invalid in [
            String::new(),
            format!("00-{trace}"),
            format!("00-{trace}-{rest}-more"),
            format!("ff-{trace}-{rest}"),
            format!("00-{}-{rest}", "0".repeat(32)),
            format!("00-{}-{rest}", trace.to_uppercase()),
            format!("00-{trace}0-{rest}"),
        ] {
            assert_eq!(read(&invalid), None, "{invalid}");
        }
    }
}
