//! The standard gRPC health service: readiness of the server (under the empty name) and of each service by name.
//!
//! Owns the readiness state; must not know why the server is ready or not. Every name starts as NOT_SERVING, whereas
//! tonic-health starts the empty name as SERVING before any scenario is loaded. Readiness is not liveness: a process
//! that answers `Check` at all is alive, whatever the answer.

use crate::schema::methods::{ANALYSIS_SERVICE, RED_LINE_SERVICE};
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthApi, HealthServer};
use tonic_health::server::{HealthReporter, HealthService};

/// Service names that `Check` and `Watch` accept.
const NAMES: [&str; 3] = ["", RED_LINE_SERVICE, ANALYSIS_SERVICE];
/// Largest health request, in bytes; a request contains one service name.
const MAX_REQUEST_BYTES: usize = 4 * 1024;

/// The readiness state, reported by the health service. Clones share it.
#[derive(Clone, Debug)]
pub struct Readiness {
    reporter: HealthReporter,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    NotReady,
    Ready,
    Draining,
}

impl Readiness {
    /// Creates the state as not ready.
    pub async fn new() -> Self {
        let readiness = Self { reporter: HealthReporter::new(), state: Arc::new(Mutex::new(State::NotReady)) };
        readiness.put(readiness.state.lock().await, State::NotReady).await;
        readiness
    }

    /// Marks the server as ready for calls; has no effect once the drain has begun.
    pub async fn ready(&self) {
        self.set_ready(true).await;
    }

    /// Sets whether the server is ready for calls; has no effect once the drain has begun.
    pub async fn set_ready(&self, is_ready: bool) {
        let state = self.state.lock().await;
        if *state != State::Draining {
            self.put(state, if is_ready { State::Ready } else { State::NotReady }).await;
        }
    }

    /// Marks the server as draining: not ready, for good.
    pub async fn draining(&self) {
        self.put(self.state.lock().await, State::Draining).await;
    }

    /// Whether the server is ready for calls.
    pub async fn is_ready(&self) -> bool {
        *self.state.lock().await == State::Ready
    }

    /// Ends the open `Watch` streams, which would otherwise outlast every drain.
    pub async fn close(&mut self) {
        for name in NAMES {
            self.reporter.clear_service_status(name).await;
        }
    }

    /// Creates the service that answers `Check` and `Watch`.
    pub fn server(&self) -> HealthServer<impl HealthApi> {
        HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()))
            .max_decoding_message_size(MAX_REQUEST_BYTES)
    }

    // The caller passes the lock, so that concurrent changes are reported in the order in which they are made.
    async fn put(&self, mut held: MutexGuard<'_, State>, state: State) {
        *held = state;
        let status = if state == State::Ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in NAMES {
            self.reporter.set_service_status(name, status).await;
        }
    }
}
