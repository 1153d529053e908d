//! The standard health service: readiness, of the server (``) and of each of its services by name.
//!
//! Everything is NOT_SERVING from the beginning: tonic-health would start with `` SERVING, before anything is held.
//! Liveness is another question: a process that answers `Check` at all is alive, whatever it answers.

use crate::schema::proto::{analysis_service_server, red_line_service_server};
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthApi, HealthServer};
use tonic_health::server::{HealthReporter, HealthService};

/// The names under which health can be asked.
const NAMES: [&str; 3] = ["", red_line_service_server::SERVICE_NAME, analysis_service_server::SERVICE_NAME];
/// Requests hold one service name.
const MAX_REQUEST_BYTES: usize = 4 * 1024;

/// What the health service reports.
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
    /// Not ready.
    pub async fn new() -> Self {
        let readiness = Self { reporter: HealthReporter::new(), state: Arc::new(Mutex::new(State::NotReady)) };
        readiness.put(readiness.state.lock().await, State::NotReady).await;
        readiness
    }

    /// Ready for calls.
    pub async fn ready(&self) {
        self.set_ready(true).await;
    }

    /// Whether it is ready for calls. Once it is about to end, it never is again.
    pub async fn set_ready(&self, is_ready: bool) {
        let state = self.state.lock().await;
        if *state != State::Draining {
            self.put(state, if is_ready { State::Ready } else { State::NotReady }).await;
        }
    }

    /// About to end: answers still, but wants no new callers.
    pub async fn draining(&self) {
        self.put(self.state.lock().await, State::Draining).await;
    }

    /// Whether it wants callers.
    pub async fn is_ready(&self) -> bool {
        *self.state.lock().await == State::Ready
    }

    /// Ends the open `Watch` streams, which would otherwise outlast every drain.
    pub async fn close(&mut self) {
        for name in NAMES {
            self.reporter.clear_service_status(name).await;
        }
    }

    /// The service that answers `Check` and `Watch`.
    pub fn server(&self) -> HealthServer<impl HealthApi> {
        HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()))
            .max_decoding_message_size(MAX_REQUEST_BYTES)
    }

    // With the lock held, so that what is reported last is what holds.
    async fn put(&self, mut held: MutexGuard<'_, State>, state: State) {
        *held = state;
        let status = if state == State::Ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in NAMES {
            self.reporter.set_service_status(name, status).await;
        }
    }
}
