//! The standard gRPC health service: readiness of the server (under the empty name) and of each service by name.
//!
//! Owns the readiness state and the limits of `Watch`; must not know why the server is ready or not. Every name starts
//! as NOT_SERVING. Readiness is not liveness: a process that answers `Check` at all is alive, whatever the answer.
//!
//! The service of tonic-health is not used: it reports SERVING before any scenario is loaded, ends the `Watch` of an
//! unknown service, which the [specification](https://github.com/grpc/grpc/blob/master/doc/health-checking.md) does not
//! allow, and bounds neither the number nor the duration of `Watch` calls, which callers without credentials may open.

use crate::error::ApiError;
use crate::middleware::connection_context::StreamLimit;
use crate::schema::methods::{ANALYSIS_SERVICE, RED_LINE_SERVICE};
use futures_util::stream::unfold;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_stream::Stream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthApi, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// Names of the services whose readiness is reported, and the empty name of the server.
const NAMES: [&str; 3] = ["", RED_LINE_SERVICE, ANALYSIS_SERVICE];
/// Name under which the health service reports whether calls that name no scenario are answered.
///
/// It is apart from the readiness of the server, so that a missing default scenario takes no replica out of service that
/// can answer calls that name a scenario. Where callers name none, a probe can ask for this name.
pub const DEFAULT_SCENARIO: &str = "detente.v1.DefaultScenario";
/// Largest health request, in bytes; a request contains one service name.
const MAX_REQUEST_BYTES: usize = 4 * 1024;
/// Maximum number of open `Watch` calls on one listener, over all connections.
///
/// With the default limit of connections, each client can open as many as one connection may have. An open call takes a few
/// KiB of memory and, at each change of the readiness, a message.
pub const MAX_ALL_WATCHES: usize = 1024;

/// The readiness state, reported by the health service. Clones share it.
#[derive(Clone, Debug)]
pub struct Readiness {
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    NotReady,
    /// Ready for calls that name a scenario; there is no default one.
    WithoutDefault,
    Ready,
    Draining,
    /// Draining, and connections close: `Watch` calls end.
    Closing,
}

/// What a service name stands for.
#[derive(Clone, Copy, Debug)]
enum Subject {
    Server,
    DefaultScenario,
    Unknown,
}

impl Subject {
    fn of(request: &HealthCheckRequest) -> Self {
        match request.service.as_str() {
            DEFAULT_SCENARIO => Self::DefaultScenario,
            name if NAMES.contains(&name) => Self::Server,
            _ => Self::Unknown,
        }
    }
}

impl State {
    fn serving_status(self, subject: Subject) -> ServingStatus {
        let serves = match subject {
            Subject::Server => self.is_ready(),
            Subject::DefaultScenario => self == State::Ready,
            Subject::Unknown => return ServingStatus::ServiceUnknown,
        };
        if serves { ServingStatus::Serving } else { ServingStatus::NotServing }
    }

    fn is_ready(self) -> bool {
        matches!(self, State::WithoutDefault | State::Ready)
    }
}

impl Default for Readiness {
    /// Creates the state as not ready.
    fn default() -> Self {
        Self { state: watch::Sender::new(State::NotReady) }
    }
}

impl Readiness {
    /// Sets whether the server is ready for calls; has no effect once the drain has begun.
    pub fn set_ready(&self, is_ready: bool) {
        self.set(if is_ready { State::Ready } else { State::NotReady });
    }

    /// Marks the server as ready, but not for calls that name no scenario; has no effect once the drain has begun.
    pub fn set_ready_without_default(&self) {
        self.set(State::WithoutDefault);
    }

    fn set(&self, next: State) {
        self.state.send_if_modified(|state| {
            let may_change = !matches!(state, State::Draining | State::Closing);
            may_change && std::mem::replace(state, next) != next
        });
    }

    /// Marks the server as draining: not ready, for good.
    pub fn draining(&self) {
        self.state.send_replace(State::Draining);
    }

    /// Ends the open `Watch` calls, which would otherwise outlast every drain.
    pub fn close(&self) {
        self.state.send_replace(State::Closing);
    }

    /// Whether the server is ready for calls.
    pub fn is_ready(&self) -> bool {
        self.state.borrow().is_ready()
    }

    /// Creates the service that answers `Check` and `Watch` on one listener.
    pub fn server(&self) -> HealthServer<impl HealthApi> {
        let health = Health { state: self.state.clone(), watches: Arc::new(Semaphore::new(MAX_ALL_WATCHES)) };
        HealthServer::new(health).max_decoding_message_size(MAX_REQUEST_BYTES)
    }
}

/// The health service of one listener.
struct Health {
    state: watch::Sender<State>,
    watches: Arc<Semaphore>,
}

#[tonic::async_trait]
impl HealthApi for Health {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        match self.state.borrow().serving_status(Subject::of(request.get_ref())) {
            ServingStatus::ServiceUnknown => {
                Err(Status::not_found("unknown service; name a service of `detente.v1`, or none for the server"))
            }
            status => Ok(Response::new(answer(status))),
        }
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let connection = request.extensions().get::<StreamLimit>().cloned();
        let permit = connection.as_ref().map(StreamLimit::take_watch).transpose()?;
        let of_all = self.watches.clone().try_acquire_owned();
        let of_all = of_all.map_err(|_| ApiError::TooManyWatches { limit: MAX_ALL_WATCHES })?;
        let watch = Watch {
            state: self.state.subscribe(),
            subject: Subject::of(request.get_ref()),
            sent: None,
            connection: connection.unwrap_or_default(),
            _permits: (permit, of_all),
        };
        Ok(Response::new(Box::pin(unfold(watch, |mut watch| async {
            let status = watch.next().await?;
            Some((Ok(answer(status)), watch))
        }))))
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

/// An open `Watch` call.
struct Watch {
    state: watch::Receiver<State>,
    subject: Subject,
    sent: Option<ServingStatus>,
    connection: StreamLimit,
    _permits: (Option<OwnedSemaphorePermit>, OwnedSemaphorePermit),
}

impl Watch {
    /// Waits until the status differs from the one that was sent last; `None` if the call ends.
    async fn next(&mut self) -> Option<ServingStatus> {
        loop {
            let state = *self.state.borrow_and_update();
            if state == State::Closing {
                return None;
            }
            let status = state.serving_status(self.subject);
            if self.sent.replace(status) != Some(status) {
                return Some(status);
            }
            tokio::select! {
                changed = self.state.changed() => changed.ok()?,
                () = self.connection.ended() => return None,
            }
        }
    }
}
