//! The account of a call: its place among the open calls, and the memory of its request and answer.
//!
//! Every call has an account from its first headers until its answer has left the server. Requests and answers each
//! have a room, a bounded amount of memory; the account takes its parts before the memory is used, and gives them back
//! when it is freed. One caller can take half of a room at most, and the last quarter of each room is for small
//! requests and answers, so that neither one caller nor many large messages keep the usual calls out.
//!
//! A client can keep the server from sending an answer, by not reading it. As long as there is room, the answer waits.
//! When there is none, the server resets the call that has waited longest for the caller with the most.
//!
//! Must not know what requests and answers contain.

use crate::error::ApiError;
use crate::middleware::call_limits::{CallCounts, CallLimits, PART_OF_CALLER};
use crate::middleware::callers::{CallerState, SITE_SHARES};
use crate::middleware::progress::{ConnectionState, Progress};
use crate::middleware::room::{NoRoom, Room, add_within};
use crate::middleware::share::{give_back, take};
use bytes::Bytes;
use dashmap::DashMap;
use http::{Extensions, HeaderMap};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::task_local;
use tokio::time::{Instant, timeout_at};

/// Maximum time that an answer waits for room.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Time after which a waiting call looks for room again.
///
/// It is woken when room is given back, and looks again in between, because other clients may have stopped reading.
const BETWEEN_TRIES: Duration = Duration::from_millis(50);
/// Maximum number of calls that wait for room.
const MAX_WAITING: usize = 256;
/// Time without progress after which a client that keeps an answer from being sent does not read.
const NOT_READING: Duration = Duration::from_secs(1);
/// What a header takes in memory besides its text, in bytes: its entry in a map that may be half empty.
const HEADER_BYTES: usize = 208;

/// The bounds that all open calls share. Clones share them.
#[derive(Clone, Debug)]
pub struct CallBounds(Arc<Bounds>);

#[derive(Debug)]
struct Bounds {
    max_calls: usize,
    calls: AtomicUsize,
    /// Open calls of the health service.
    health: AtomicUsize,
    /// Open streams of evaluations.
    streams: AtomicUsize,
    requests: Room,
    answers: Room,
    /// The calls whose clients do not take their answers at the moment, by the addresses of their accounts.
    stuck: DashMap<usize, Arc<Account>>,
    /// The open connections, by the addresses of their states.
    connections: DashMap<usize, Weak<ConnectionState>>,
    is_evicting: AtomicBool,
    evicted: AtomicU64,
}

impl CallBounds {
    /// Creates bounds that nothing uses yet.
    pub fn new(limits: CallLimits) -> Self {
        Self(Arc::new(Bounds {
            max_calls: limits.calls,
            calls: AtomicUsize::default(),
            health: AtomicUsize::default(),
            streams: AtomicUsize::default(),
            requests: Room::new(limits.requests),
            answers: Room::new(limits.answers),
            stuck: DashMap::new(),
            connections: DashMap::new(),
            is_evicting: AtomicBool::default(),
            evicted: AtomicU64::default(),
        }))
    }

    /// Returns what the open calls take now.
    pub fn counts(&self) -> CallCounts {
        let Bounds { calls, requests, answers, evicted, .. } = &*self.0;
        CallCounts {
            calls: calls.load(Relaxed),
            requests: requests.used(),
            answers: answers.used(),
            waiting: answers.waiting(),
            evicted: evicted.load(Relaxed),
        }
    }

    /// Opens the state of a connection, whose calls can then have accounts.
    pub fn connect(&self) -> ConnectionAccount {
        let state = Arc::new(ConnectionState::default());
        self.0.connections.insert(address(&state), Arc::downgrade(&state));
        ConnectionAccount { bounds: self.clone(), state }
    }

    /// Ends answers that clients do not read, until `bytes` are free: the largest, of the callers that hold most.
    ///
    /// If one caller needs more than its share, these are its own answers.
    fn evict(&self, bytes: usize, of: Option<&Arc<CallerState>>) {
        let bounds = &*self.0;
        // Several calls may need room at the same time, and what one of them frees may be enough for all.
        if bounds.is_evicting.swap(true, Relaxed) {
            return;
        }
        let mut candidates = Vec::new();
        for account in &bounds.stuck {
            if account.answer.stuck_for() >= NOT_READING
                && let Some(payer) = account.payer.get()
                && of.is_none_or(|of| Arc::ptr_eq(of, payer))
            {
                let held = account.answers.load(Relaxed);
                candidates.push((payer.answers.load(Relaxed), held, Unread::Answer(account.clone())));
            }
        }
        for connection in &bounds.connections {
            let stuck = connection.upgrade().filter(|connection| connection.progress.stuck_for() >= NOT_READING);
            let is_of = |first: &Arc<CallerState>| of.is_none_or(|of| Arc::ptr_eq(of, first));
            if let Some(connection) = stuck.filter(|connection| connection.first.get().is_some_and(is_of)) {
                let held = connection.held.load(Relaxed);
                candidates.push((held, held, Unread::Connection(connection)));
            }
        }
        candidates.sort_unstable_by_key(|(of_caller, held, _)| std::cmp::Reverse((*of_caller, *held)));
        let mut freed = 0;
        for (_, held, unread) in candidates {
            if freed >= bytes {
                break;
            }
            freed += held;
            bounds.evicted.fetch_add(1, Relaxed);
            match unread {
                Unread::Answer(account) => account.answer.end(),
                Unread::Connection(connection) => connection.progress.end(),
            }
        }
        bounds.is_evicting.store(false, Relaxed);
    }
}

/// What a client does not read.
enum Unread {
    Answer(Arc<Account>),
    Connection(Arc<ConnectionState>),
}

impl Default for CallBounds {
    /// Creates bounds with the default limits.
    fn default() -> Self {
        Self::new(CallLimits::DEFAULT)
    }
}

/// The account of a connection, from which those of its calls are opened.
#[derive(Debug)]
pub struct ConnectionAccount {
    bounds: CallBounds,
    state: Arc<ConnectionState>,
}

impl ConnectionAccount {
    /// Opens the account of a call.
    pub fn open(&self) -> CallAccount {
        CallAccount(Arc::new(Account {
            bounds: self.bounds.clone(),
            payer: OnceLock::new(),
            refused: OnceLock::new(),
            received: AtomicUsize::default(),
            last_frame: AtomicUsize::default(),
            buffer: AtomicUsize::default(),
            requests: AtomicUsize::default(),
            answers: AtomicUsize::default(),
            reserved: AtomicUsize::default(),
            answer: Progress::default(),
            keeps_connection: AtomicBool::default(),
            is_health: AtomicBool::default(),
            connection: self.state.clone(),
        }))
    }

    pub(crate) fn state(&self) -> &Arc<ConnectionState> {
        &self.state
    }
}

impl Drop for ConnectionAccount {
    fn drop(&mut self) {
        self.bounds.0.connections.remove(&address(&self.state));
    }
}

/// The account of a call. Clones share it, and dropping the last one gives everything back.
#[derive(Clone, Debug)]
pub struct CallAccount(Arc<Account>);

#[derive(Debug)]
struct Account {
    bounds: CallBounds,
    /// The caller, once the call is admitted.
    payer: OnceLock<Arc<CallerState>>,
    /// The address, if the call was not admitted.
    refused: OnceLock<Arc<CallerState>>,
    /// Bytes of the request that have arrived and are not decoded yet.
    received: AtomicUsize,
    /// Bytes of the frame that arrived last.
    last_frame: AtomicUsize,
    /// The most bytes that the buffers for encoded messages have held, which stay as large as they were.
    buffer: AtomicUsize,
    /// Bytes taken for the request: its headers, buffers and decoded messages.
    requests: AtomicUsize,
    /// Bytes taken for the answer: those that are reserved for it, and its parts that have not left the server.
    answers: AtomicUsize,
    /// Bytes reserved for the answer, of which no part has been made yet.
    reserved: AtomicUsize,
    /// Whether the client reads the answer.
    answer: Progress,
    /// Whether the connection counts this call as one in progress.
    keeps_connection: AtomicBool,
    is_health: AtomicBool,
    connection: Arc<ConnectionState>,
}

task_local! {
    static CURRENT: CallAccount;
}

impl CallAccount {
    /// Returns the account in a request's extensions; `None` for a call that is made without the transport.
    pub fn of(extensions: &Extensions) -> Option<Self> {
        extensions.get::<Self>().cloned()
    }

    /// Runs a call, in which [`CallAccount::with_current`] finds this account.
    ///
    /// The decoder of messages needs it: tonic gives it nothing but bytes.
    pub fn run<F: Future>(self, call: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, call)
    }

    /// Does something with the account of the call that runs in this task, if there is one.
    pub fn with_current<R>(work: impl FnOnce(&Self) -> R) -> Option<R> {
        CURRENT.try_with(work).ok()
    }

    /// Admits the call of `payer`, who pays for everything that the call takes from now on.
    ///
    /// # Errors
    /// If the caller or the server has too many open calls, or too little room for the headers.
    pub(super) fn admit(&self, payer: Arc<CallerState>, headers: &HeaderMap) -> Result<(), ApiError> {
        let bounds = &*self.0.bounds.0;
        let limit = (bounds.max_calls / PART_OF_CALLER).max(1);
        let refused = || ApiError::TooManyCalls { limit };
        add_within(&payer.calls, 1, limit).ok_or_else(refused)?;
        let of_site = payer.site.as_ref().map(|site| &site.calls);
        if of_site.is_some_and(|calls| add_within(calls, 1, limit * SITE_SHARES).is_none()) {
            payer.calls.fetch_sub(1, Relaxed);
            return Err(refused());
        }
        if add_within(&bounds.calls, 1, bounds.max_calls).is_none() {
            [Some(&payer.calls), of_site].into_iter().flatten().for_each(subtract_one);
            return Err(ApiError::Overloaded);
        }
        if self.0.connection.first.get().is_none() {
            let _ = self.0.connection.first.set(payer.clone());
        }
        // A call is admitted once.
        let _ = self.0.payer.set(payer);
        let text = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
        self.take_request(headers.len() * HEADER_BYTES + text)
    }

    /// Returns the connection of the call.
    pub(crate) fn connection(&self) -> &ConnectionState {
        &self.0.connection
    }

    /// Returns the caller, once the call is admitted.
    pub fn payer(&self) -> Option<&Arc<CallerState>> {
        self.0.payer.get()
    }

    /// Takes room for bytes of the request that have arrived.
    ///
    /// # Errors
    /// If there is no room.
    pub(super) fn receive(&self, bytes: usize) -> Result<(), ApiError> {
        self.0.last_frame.store(bytes, Relaxed);
        let received = self.0.received.fetch_add(bytes, Relaxed) + bytes;
        self.buffer(received)
    }

    /// Takes room for a message of `encoded` bytes that takes `weight` bytes once it is decoded.
    ///
    /// # Errors
    /// If there is no room.
    pub(super) fn decode(&self, encoded: usize, weight: usize) -> Result<(), ApiError> {
        // A message that arrived compressed has more bytes now than have arrived.
        self.buffer(encoded)?;
        // tonic asks for a frame only when it has no whole message, so after a message only a part of the last frame is
        // left. The prefix of the message and its compression need not be known.
        let left = self.0.received.load(Relaxed).saturating_sub(encoded).min(self.0.last_frame.load(Relaxed));
        self.0.received.store(left, Relaxed);
        self.take_request(weight)
    }

    /// Makes sure that room is taken for a buffer of `bytes`.
    fn buffer(&self, bytes: usize) -> Result<(), ApiError> {
        let before = self.0.buffer.fetch_max(bytes, Relaxed);
        // Only the task of the call grows its buffer.
        if bytes > before { self.take_request(bytes - before) } else { Ok(()) }
    }

    fn take_request(&self, bytes: usize) -> Result<(), ApiError> {
        let account = &*self.0;
        let Some(payer) = account.payer.get() else { return Ok(()) };
        let taken = take(&account.bounds.0.requests, |state| &state.requests, payer, bytes, &account.requests);
        taken.map_err(|_| ApiError::Overloaded)
    }

    /// Gives back the room of the decoded messages, and keeps that of the buffers.
    pub(crate) fn forget_message(&self) {
        let account = &*self.0;
        self.give_back_request(account.requests.load(Relaxed).saturating_sub(account.buffer.load(Relaxed)));
    }

    /// Gives back the room of the whole request.
    pub(crate) fn forget_request(&self) {
        self.0.received.store(0, Relaxed);
        self.0.buffer.store(0, Relaxed);
        self.give_back_request(self.0.requests.load(Relaxed));
    }

    fn give_back_request(&self, bytes: usize) {
        let account = &*self.0;
        let Some(payer) = account.payer.get() else { return };
        account.requests.fetch_sub(bytes, Relaxed);
        give_back(&account.bounds.0.requests, |state| &state.requests, payer, bytes);
    }

    /// Makes sure that room is taken for an answer of `bytes`: waits for it, and ends answers that nobody reads.
    ///
    /// # Errors
    /// If there is no room after the maximum time, or too many calls wait.
    pub(crate) async fn reserve_answer(&self, bytes: usize) -> Result<(), ApiError> {
        let Err(no_room) = self.try_answer(bytes) else { return Ok(()) };
        let room = &self.0.bounds.0.answers;
        let error = move |no_room| match no_room {
            NoRoom::Caller => ApiError::AnswersUnread { limit: room.share() },
            NoRoom::Room => ApiError::Overloaded,
        };
        let Some(_waiting) = room.wait(MAX_WAITING) else { return Err(error(no_room)) };
        let until = Instant::now() + LONGEST_WAIT;
        loop {
            // Created before the try, so that it notices everything that is given back after it.
            let freed = room.freed.notified();
            match self.try_answer(bytes) {
                Ok(()) => return Ok(()),
                Err(no_room) if Instant::now() >= until => return Err(error(no_room)),
                Err(NoRoom::Caller) => self.0.bounds.evict(bytes, self.0.payer.get()),
                Err(NoRoom::Room) => self.0.bounds.evict(bytes, None),
            }
            let _ = timeout_at(until.min(Instant::now() + BETWEEN_TRIES), freed).await;
        }
    }

    fn try_answer(&self, bytes: usize) -> Result<(), NoRoom> {
        let reserved = self.0.reserved.load(Relaxed);
        let Some(more) = bytes.checked_sub(reserved).filter(|more| *more > 0) else { return Ok(()) };
        self.0.take_answer(more)?;
        self.0.reserved.fetch_add(more, Relaxed);
        Ok(())
    }

    /// Gives back what is reserved for the answer beyond `bytes`.
    pub(crate) fn shrink_answer(&self, bytes: usize) {
        let reserved = self.0.reserved.load(Relaxed);
        if let Some(less) = reserved.checked_sub(bytes).filter(|less| *less > 0) {
            self.0.reserved.fetch_sub(less, Relaxed);
            self.0.give_back_answer(less);
        }
    }

    /// Pays for a part of the answer until it has left the server: from what is reserved, and else from the room.
    ///
    /// `None` if there is no room.
    pub(crate) fn part(&self, data: Bytes) -> Option<Bytes> {
        let account = &*self.0;
        let reserved = account.reserved.load(Relaxed).min(data.len());
        account.take_answer(data.len() - reserved).ok()?;
        account.reserved.fetch_sub(reserved, Relaxed);
        Some(Bytes::from_owner(Part { data, account: self.clone() }))
    }

    /// Waits until the answer must end because its client does not read, while `sending` waits for the client.
    ///
    /// `None` if the answer must end.
    pub(crate) async fn while_stuck<F: Future>(&self, sending: F) -> Option<F::Output> {
        self.0.answer.stop();
        self.0.bounds.0.stuck.insert(address(&self.0), self.0.clone());
        let _stuck = Stuck(&self.0);
        tokio::select! {
            biased;
            sent = sending => Some(sent),
            () = self.0.answer.wait_for_end() => None,
        }
    }

    /// Notes that the client has taken a part of the answer, and waits for the next one.
    pub(crate) fn note_progress(&self) {
        self.0.answer.stop();
    }
}

impl Account {
    fn take_answer(&self, bytes: usize) -> Result<(), NoRoom> {
        let Some(payer) = self.payer.get().filter(|_| bytes > 0) else { return Ok(()) };
        take(&self.bounds.0.answers, |state| &state.answers, payer, bytes, &self.answers)?;
        self.connection.held.fetch_add(bytes, Relaxed);
        Ok(())
    }

    fn give_back_answer(&self, bytes: usize) {
        let Some(payer) = self.payer.get() else { return };
        self.answers.fetch_sub(bytes, Relaxed);
        self.connection.held.fetch_sub(bytes, Relaxed);
        give_back(&self.bounds.0.answers, |state| &state.answers, payer, bytes);
    }
}

/// A part of an answer, which is paid until it is dropped: when it has left the server.
struct Part {
    data: Bytes,
    account: CallAccount,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // The memory is freed first, and then given back.
        let bytes = std::mem::take(&mut self.data).len();
        self.account.0.give_back_answer(bytes);
    }
}

/// Takes an account out of the table of stuck calls when dropped.
struct Stuck<'a>(&'a Arc<Account>);

impl Drop for Stuck<'_> {
    fn drop(&mut self) {
        self.0.answer.go_on();
        self.0.bounds.0.stuck.remove(&address(self.0));
    }
}

fn address<T>(shared: &Arc<T>) -> usize {
    Arc::as_ptr(shared).addr()
}

impl Drop for Account {
    fn drop(&mut self) {
        let bounds = &*self.bounds.0;
        if *self.keeps_connection.get_mut() {
            subtract_one(&self.connection.calls);
        }
        if *self.is_health.get_mut() {
            [&self.connection.health, &bounds.health].into_iter().for_each(subtract_one);
        }
        if let Some(address) = self.refused.get() {
            subtract_one(&address.refused);
        }
        let Some(payer) = self.payer.get() else { return };
        let of_site = payer.site.as_ref().map(|site| &site.calls);
        [Some(&bounds.calls), Some(&payer.calls), of_site].into_iter().flatten().for_each(subtract_one);
        give_back(&bounds.requests, |state| &state.requests, payer, *self.requests.get_mut());
        let answers = *self.answers.get_mut();
        self.connection.held.fetch_sub(answers, Relaxed);
        give_back(&bounds.answers, |state| &state.answers, payer, answers);
    }
}

mod strangers;
pub(crate) mod stream_place;

fn subtract_one(counter: &AtomicUsize) {
    counter.fetch_sub(1, Relaxed);
}

#[cfg(test)]
mod tests;
