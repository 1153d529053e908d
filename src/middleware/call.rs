//! What is known of a call, to its layers and its handler alike: who asks, under which id, and what was answered.
//!
//! It is in the extensions of every request that passed the layers. Calls that are made without a wire have one of
//! their own that nobody reads.

use crate::access::Caller;
use crate::middleware::request_id::RequestId;
use crate::middleware::room::ConnectionBudget;
use http::{Extensions, HeaderMap, HeaderName};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// The W3C's header of trace contexts.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A call. A clone is the same one.
#[derive(Clone, Default)]
pub struct Call {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    id: Option<RequestId>,
    trace: Option<Box<str>>,
    room: Option<ConnectionBudget>,
    caller: OnceLock<Caller>,
    told: Mutex<CallSummary>,
    decided: Mutex<Vec<Decided>>,
}

/// What is done once it is certain that something is answered.
type Decided = Box<dyn FnOnce() + Send>;

/// What a handler tells of a call, for its span and its line in the log. Never what was proposed.
#[derive(Clone, Debug, Default)]
pub struct CallSummary {
    /// The scenario's id.
    pub scenario: Option<Arc<str>>,
    /// Its revision.
    pub revision: Option<Box<str>>,
    /// The verdict, of a call with one evaluation.
    pub verdict: Option<&'static str>,
    /// Whether the answer came from the cache.
    pub cached: Option<bool>,
    /// Of batches and streams: how many evaluations were made.
    pub evaluations: u64,
    /// The request as JSON, where the operator asked for it.
    pub content: Option<String>,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Call {
    /// A call with these headers.
    pub(crate) fn new(id: Option<RequestId>, room: Option<ConnectionBudget>, headers: &HeaderMap) -> Self {
        let trace = headers.get(TRACEPARENT).and_then(|parent| trace_id(parent.as_bytes()));
        Self { inner: Arc::new(Inner { id, room, trace: trace.map(Into::into), ..Inner::default() }) }
    }

    /// The call that a request belongs to.
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// Its id; empty without a wire.
    pub fn id(&self) -> &str {
        self.inner.id.as_ref().map_or("", RequestId::as_str)
    }

    /// The id of the trace that its caller began: 32 hexadecimal digits.
    pub fn trace_id(&self) -> Option<&str> {
        self.inner.trace.as_deref()
    }

    /// The room for the answers of its connection.
    pub(crate) fn room(&self) -> Option<&ConnectionBudget> {
        self.inner.room.as_ref()
    }

    /// Who asks, once that is known.
    pub fn caller(&self) -> Option<&Caller> {
        self.inner.caller.get()
    }

    pub(crate) fn set_caller(&self, caller: Caller) {
        // The first who knows it says it.
        let _ = self.inner.caller.set(caller);
    }

    /// Puts off what is to be done once it is certain that this call is answered.
    pub(crate) fn when_answered(&self, decided: impl FnOnce() + Send + 'static) {
        self.inner.decided.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(decided));
    }

    /// It is answered.
    pub(crate) fn answered(&self) {
        let decided = std::mem::take(&mut *self.inner.decided.lock().unwrap_or_else(PoisonError::into_inner));
        decided.into_iter().for_each(|decided| decided());
    }

    /// What is told of it.
    pub fn told(&self) -> MutexGuard<'_, CallSummary> {
        self.inner.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The trace's id in a `traceparent` of version 00, or of a later one that begins alike.
fn trace_id(parent: &[u8]) -> Option<&str> {
    let parent = std::str::from_utf8(parent).ok()?;
    let mut parts = parent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let whole = version != "00" || parts.next().is_none();
    let fit = hex(version, 2) && version != "ff" && hex(trace, 32) && hex(span, 16) && hex(flags, 2) && whole;
    (fit && trace.bytes().any(|byte| byte != b'0')).then_some(trace)
}

#[cfg(test)]
mod tests {
    use crate::middleware::call::trace_id;

    #[test]
    fn trace_ids_are_read_as_the_w3c_writes_them() {
        let (trace, rest) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7-01");
        let read = |text: &str| trace_id(text.as_bytes()).map(str::to_owned);
        assert_eq!(read(&format!("00-{trace}-{rest}")).as_deref(), Some(trace));
        assert_eq!(read(&format!("cc-{trace}-{rest}-what-is-new")).as_deref(), Some(trace));
        for unfit in [
            String::new(),
            format!("00-{trace}"),
            format!("00-{trace}-{rest}-more"),
            format!("ff-{trace}-{rest}"),
            format!("00-{}-{rest}", "0".repeat(32)),
            format!("00-{}-{rest}", trace.to_uppercase()),
            format!("00-{trace}0-{rest}"),
        ] {
            assert_eq!(read(&unfit), None, "{unfit}");
        }
    }
}
