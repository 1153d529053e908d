//! The account of a call: its place among the open calls, and the memory of its request and answer.
//!
//! Every call has an account from its first headers until its answer has left the server. Requests and answers each
//! have a room, a bounded amount of memory; the account takes its parts before the memory is used, and gives them back
//! when it is freed. One caller can take half of a room at most, and the last quarter of each room is for small
//! requests and answers, so that neither one caller nor many large messages keep the usual calls out.
//!
//! Must not know what requests and answers contain.

use crate::error::ApiError;
use crate::locks::lock;
use crate::middleware::account::needs::Needs;
use crate::middleware::call_limits::{CallCounts, CallLimits, PART_FOR_FEW, PART_OF_CALLER, PART_OF_FEW};
use crate::middleware::callers::{CallerState, SITE_SHARES};
use crate::middleware::decompression_turn::{self, Turn};
use crate::middleware::progress::{ConnectionState, Pace, Progress};
use crate::middleware::room::{Room, add_within};
use crate::middleware::share::{give_back, take};
use dashmap::DashMap;
use http::{Extensions, HeaderMap};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use tokio::sync::Semaphore;
use tokio::task_local;

/// What a header takes in memory besides its text, in bytes: its entry in a map that may be half empty.
pub(crate) const HEADER_BYTES: usize = 208;

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
    /// The needs of the calls that wait for room.
    needs: Mutex<Needs>,
    /// Calls that wait for room although they hold an answer.
    finished: AtomicUsize,
    /// The messages that may be decompressed now.
    decompression_turns: Arc<Semaphore>,
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
            needs: Mutex::default(),
            finished: AtomicUsize::default(),
            decompression_turns: Arc::new(Semaphore::new(decompression_turn::in_all())),
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
            items: AtomicUsize::default(),
            answer: Progress::default(),
            pace: Pace::default(),
            refusal: Mutex::default(),
            turn: Mutex::default(),
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
    /// Bytes reserved for messages that are handed to the encoder and that no part contains yet.
    items: AtomicUsize,
    /// Whether the client reads the answer.
    answer: Progress,
    /// How fast the client reads the answer.
    pace: Pace,
    /// Why the message of a stream that was read last is refused.
    refusal: Mutex<Option<ApiError>>,
    /// The turn of the message that is decompressed at the moment.
    turn: Mutex<Option<Turn>>,
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
    pub(crate) fn admit(&self, payer: Arc<CallerState>, headers: &HeaderMap) -> Result<(), ApiError> {
        let bounds = &*self.0.bounds.0;
        let limit = (bounds.max_calls / PART_OF_CALLER).max(1);
        let refused = || ApiError::TooManyCalls { limit };
        add_within(&payer.calls, 1, limit).ok_or_else(refused)?;
        let of_site = payer.site.as_ref().map(|site| &site.calls);
        if of_site.is_some_and(|calls| add_within(calls, 1, limit * SITE_SHARES).is_none()) {
            payer.calls.fetch_sub(1, Relaxed);
            return Err(refused());
        }
        let has_few = payer.calls.load(Relaxed) <= (bounds.max_calls / PART_OF_FEW).max(1);
        let places = if has_few { bounds.max_calls } else { bounds.max_calls - bounds.max_calls / PART_FOR_FEW };
        if add_within(&bounds.calls, 1, places).is_none() {
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
        // The message has been decompressed, if it was compressed.
        self.end_turn();
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

    /// Returns what a message takes its turn from before it is decompressed: the turns of the caller, and of all.
    pub(super) fn decompression_turns(&self) -> Option<(Arc<Semaphore>, Arc<Semaphore>)> {
        let of_caller = self.0.payer.get()?.decompression_turns();
        Some((of_caller, self.0.bounds.0.decompression_turns.clone()))
    }

    /// Keeps the turn of a message until it has been decompressed.
    pub(super) fn begin_turn(&self, turn: Turn) {
        *lock(&self.0.turn) = Some(turn);
    }

    /// Lets another message be decompressed.
    pub(super) fn end_turn(&self) {
        drop(lock(&self.0.turn).take());
    }

    /// Takes room for something that is kept as long as the request.
    ///
    /// # Errors
    /// If there is no room.
    pub(crate) fn keep_with_request(&self, bytes: usize) -> Result<(), ApiError> {
        self.take_request(bytes)
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

pub(crate) mod answers;
mod needs;
mod strangers;
pub(crate) mod stream_place;
mod unread;

fn subtract_one(counter: &AtomicUsize) {
    counter.fetch_sub(1, Relaxed);
}

#[cfg(test)]
mod tests;
