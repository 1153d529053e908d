//! As many calls are worked on at a time as the server can bear, over all connections; one more is turned away at once,
//! with the time after which to come back.
//!
//! A call counts from its headers until its answer is there; who doesn't read it takes room ([`super::room`]), but nobody's
//! place. What is answered bit by bit counts until its last bit. Streams of evaluations don't count while they wait: each of
//! their messages does, while it is answered. Health and reflection don't count.

use super::super::error::ApiError;
use super::super::proto::red_line_service_server;
use super::gate::Gate;
use http::Request;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

/// The places for calls.
#[derive(Clone, Debug)]
pub struct Places(Arc<Semaphore>);

impl Places {
    /// So many.
    pub fn new(calls: usize) -> Self {
        Self(Arc::new(Semaphore::new(calls.min(Semaphore::MAX_PERMITS))))
    }

    /// A place until it is dropped.
    ///
    /// # Errors
    /// If all are taken.
    pub fn take(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.0.clone().try_acquire_owned().map_err(|_| ApiError::Overloaded)
    }

    /// How many are free.
    pub fn free(&self) -> usize {
        self.0.available_permits()
    }
}

/// A call's place.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
    /// Whether its answer is a stream, which goes on being made while it is sent.
    is_stream: bool,
}

impl Gate for Places {
    type Pass = Option<Place>;

    fn admit<B>(&self, request: &mut Request<B>) -> Result<Self::Pass, Box<Status>> {
        match counts(request.uri().path()) {
            true => {
                let is_stream = request.uri().path().ends_with("/FindPackages");
                let place = self.take().map_err(|error| Box::new(error.into()))?;
                Ok(Some(Place { _permit: place, is_stream }))
            }
            false => Ok(None),
        }
    }

    fn answered(place: Self::Pass) -> Option<Self::Pass> {
        place.filter(|place| place.is_stream).map(Some)
    }
}

fn counts(path: &str) -> bool {
    !path.starts_with("/grpc.") && !is_stream_of_evaluations(path)
}

/// Whether a call may stay open as long as its client likes.
pub fn is_stream_of_evaluations(path: &str) -> bool {
    let method = path.strip_prefix('/').and_then(|path| path.strip_prefix(red_line_service_server::SERVICE_NAME));
    method == Some("/StreamEvaluateProposals")
}

#[cfg(test)]
mod tests {
    use super::{Gate, Places, counts};

    #[test]
    fn calls_count_but_streams_health_and_reflection() {
        assert!(counts("/detente.v1.RedLineService/EvaluateProposal"));
        assert!(counts("/detente.v1.AnalysisService/FindPackages"));
        assert!(counts("/what.ever/Method"));
        assert!(!counts("/detente.v1.RedLineService/StreamEvaluateProposals"));
        assert!(!counts("/grpc.health.v1.Health/Check"));
        assert!(!counts("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"));
    }

    #[test]
    fn a_place_is_given_back_with_the_answer_but_by_a_stream_with_its_last_part() {
        let places = Places::new(1);
        let admit = |path: &str| places.admit(&mut http::Request::get(path).body(()).unwrap());
        let pass = admit("/detente.v1.RedLineService/EvaluateProposal").unwrap();
        assert!(admit("/detente.v1.RedLineService/EvaluateProposal").is_err());
        assert!(Places::answered(pass).is_none());
        let pass = admit("/detente.v1.AnalysisService/FindPackages").unwrap();
        let sent = Places::answered(pass);
        assert!(sent.is_some() && admit("/detente.v1.AnalysisService/FindPackages").is_err());
        drop(sent);
        assert!(admit("/detente.v1.AnalysisService/FindPackages").is_ok());
    }
}
