//! A blocking gRPC client of a Détente server.
//!
//! Owns the connection, its TLS, its token and its timeouts. Must not know commands or how answers are printed.

use crate::schema::proto::v1;
use crate::schema::proto::v1::analysis_service_client::AnalysisServiceClient;
use crate::schema::proto::v1::red_line_service_client::RedLineServiceClient;
use futures_util::FutureExt;
use std::io;
use std::thread;
use std::time::Duration;
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Response, Status};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The client could not connect to the server.
#[derive(Debug, Error)]
pub(crate) enum ConnectError {
    /// The URL is invalid, or its scheme is neither `http` nor `https`.
    #[error("`{0}` is not a server's URL; use one like http://127.0.0.1:50051 or https://detente.example:50051")]
    Url(String),
    /// The token contains characters that an HTTP header must not contain.
    #[error("the token (--token-file) contains characters that are not allowed in an HTTP header")]
    Token,
    /// The TLS settings are not usable, for example because the file of authorities has no certificate.
    #[error("cannot set up TLS (--ca): {0}")]
    Tls(String),
    /// No connection was made.
    #[error("no server answers at {url}: {cause}")]
    Unreachable {
        /// The URL of the server.
        url: String,
        /// The innermost cause, because the outer ones only say "transport error".
        cause: String,
    },
    /// The runtime of the client could not start.
    #[error("the client cannot start")]
    Runtime(#[from] io::Error),
}

/// Number of requests of a stream that are read ahead of their answers.
///
/// It limits the memory in use, because a request has up to 1 MiB.
const READ_AHEAD: usize = 32;

/// What one line of a command's input becomes in a stream of evaluations.
#[derive(Debug)]
pub(crate) enum Turn {
    /// A request that the server answers.
    Ask(v1::StreamEvaluateProposalsRequest),
    /// An error that answers a line that is not a request. The line is not sent, but its answer keeps its place in the
    /// order.
    Answered(v1::StreamEvaluateProposalsResponse),
}

/// A receiver of the answers of a stream, which writes them to the command's output.
pub(crate) trait Sink {
    /// Why the answers cannot be written, or the requests cannot be read.
    type Error: Send + 'static;

    /// Takes the next answer.
    ///
    /// # Errors
    /// If the answer cannot be written.
    fn put(&mut self, answer: v1::StreamEvaluateProposalsResponse) -> Result<(), Self::Error>;

    /// Writes out all answers taken so far, because the next one may take a while.
    ///
    /// # Errors
    /// If the answers cannot be written.
    fn flush(&mut self) -> Result<(), Self::Error>;
}

/// Why a stream ended before its last answer.
#[derive(Debug)]
pub(crate) enum StreamError<E> {
    /// The server or the connection ended the stream.
    Server(Status),
    /// The input or the sink failed.
    Local(E),
}

/// Where the next answer comes from, in the order of the input.
enum Slot<E> {
    FromServer,
    /// An answer that needs no server.
    Local(Box<v1::StreamEvaluateProposalsResponse>),
    /// Nowhere: reading the input failed.
    Stopped(E),
}

/// The credentials of a connection: trusted authorities and the token of the caller.
#[derive(Clone, Default)]
pub(crate) struct Credentials {
    /// Authorities that may issue the certificate of the server, in PEM; `None` for those of the system.
    pub authorities: Option<String>,
    /// Bearer token, for a server that identifies its callers.
    pub token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("token", &self.token.is_some()).finish_non_exhaustive()
    }
}

/// A channel that adds the bearer token to each call.
type AuthenticatedChannel = InterceptedService<Channel, Bearer>;

#[derive(Clone, Debug)]
struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(bearer) = &self.0 {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        Ok(request)
    }
}

/// A connection to a server, with methods that block until the answer has arrived.
#[derive(Debug)]
pub(crate) struct Client {
    runtime: Runtime,
    service: RedLineServiceClient<AuthenticatedChannel>,
    analysis: AnalysisServiceClient<AuthenticatedChannel>,
}

impl Client {
    /// Connects to the server at `url`, within 5 seconds.
    ///
    /// # Errors
    /// If the URL or the credentials are not usable, or no server answers.
    pub(crate) fn connect(url: &str, credentials: &Credentials) -> Result<Self, ConnectError> {
        let is_tls = url.starts_with("https://");
        let endpoint = Endpoint::from_shared(url.to_owned()).ok().filter(|_| is_tls || url.starts_with("http://"));
        let endpoint = endpoint.ok_or_else(|| ConnectError::Url(url.to_owned()))?;
        let mut endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT);
        if is_tls {
            let tls = match &credentials.authorities {
                Some(authorities) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authorities)),
                None => ClientTlsConfig::new().with_native_roots(),
            };
            endpoint = endpoint.tls_config(tls).map_err(|error| ConnectError::Tls(error.to_string()))?;
        }
        let token = credentials.token.as_ref().map(|token| {
            let mut bearer = MetadataValue::try_from(format!("Bearer {token}")).map_err(|_| ConnectError::Token)?;
            bearer.set_sensitive(true);
            Ok::<_, ConnectError>(bearer)
        });
        let bearer = Bearer(token.transpose()?);
        // Analyses set their own deadline (`--timeout`), which may be longer than that of the other calls.
        let without_timeout = endpoint.clone();
        let endpoint = endpoint.timeout(CALL_TIMEOUT);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let channel = runtime.block_on(endpoint.connect()).map_err(|error| {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            ConnectError::Unreachable { url: url.to_owned(), cause: cause.to_string() }
        })?;
        let without_timeout = runtime.block_on(async { without_timeout.connect_lazy() });
        let analysis = AnalysisServiceClient::with_interceptor(without_timeout, bearer.clone());
        Ok(Self { runtime, service: RedLineServiceClient::with_interceptor(channel, bearer), analysis })
    }

    /// Calls EvaluateProposal.
    ///
    /// # Errors
    /// The status that the server returns.
    pub(crate) fn evaluate(
        &self,
        request: v1::EvaluateProposalRequest,
    ) -> Result<v1::EvaluateProposalResponse, Status> {
        self.runtime.block_on(self.service.clone().evaluate_proposal(request)).map(Response::into_inner)
    }

    /// Calls EvaluateHistory.
    ///
    /// # Errors
    /// The status that the server returns.
    pub(crate) fn evaluate_history(
        &self,
        request: v1::EvaluateHistoryRequest,
    ) -> Result<v1::EvaluateHistoryResponse, Status> {
        self.runtime.block_on(self.service.clone().evaluate_history(request)).map(Response::into_inner)
    }

    /// Calls CompareProposals.
    ///
    /// # Errors
    /// The status that the server returns.
    pub(crate) fn compare_proposals(
        &self,
        request: v1::CompareProposalsRequest,
    ) -> Result<v1::CompareProposalsResponse, Status> {
        self.runtime.block_on(self.service.clone().compare_proposals(request)).map(Response::into_inner)
    }

    /// Calls ListProposals.
    ///
    /// # Errors
    /// The status that the server returns.
    pub(crate) fn list_proposals(
        &self,
        request: v1::ListProposalsRequest,
    ) -> Result<v1::ListProposalsResponse, Status> {
        self.runtime.block_on(self.service.clone().list_proposals(request)).map(Response::into_inner)
    }

    /// Calls ListRedLines.
    ///
    /// # Errors
    /// The status that the server returns.
    pub(crate) fn list_red_lines(&self, request: v1::ListRedLinesRequest) -> Result<v1::ListRedLinesResponse, Status> {
        self.runtime.block_on(self.service.clone().list_red_lines(request)).map(Response::into_inner)
    }

    /// Calls GetRedLine.
    ///
    /// # Errors
    /// The status that the server returns.
    pub(crate) fn get_red_line(&self, request: v1::GetRedLineRequest) -> Result<v1::RedLine, Status> {
        self.runtime.block_on(self.service.clone().get_red_line(request)).map(Response::into_inner)
    }

    /// Calls GetScenario.
    ///
    /// # Errors
    /// The status that the server returns.
    pub(crate) fn get_scenario(&self, request: v1::GetScenarioRequest) -> Result<v1::Scenario, Status> {
        self.runtime.block_on(self.service.clone().get_scenario(request)).map(Response::into_inner)
    }

    /// Calls SuggestAmendments.
    ///
    /// # Errors
    /// The status that the server returns.
    pub(crate) fn suggest_amendments(
        &self,
        request: v1::SuggestAmendmentsRequest,
        within: Duration,
    ) -> Result<v1::SuggestAmendmentsResponse, Status> {
        let request = self.timed(request, within);
        self.runtime.block_on(self.analysis.clone().suggest_amendments(request)).map(Response::into_inner)
    }

    /// Calls FindPackages: returns all parts of the response except the progress, which goes to `show` as it arrives.
    ///
    /// # Errors
    /// The status that the server returns.
    pub(crate) fn find_packages(
        &self,
        request: v1::FindPackagesRequest,
        within: Duration,
        show: impl Fn(&v1::SearchProgress),
    ) -> Result<Vec<v1::FindPackagesResponse>, Status> {
        let request = self.timed(request, within);
        self.runtime.block_on(async {
            let mut parts = self.analysis.clone().find_packages(request).await?.into_inner();
            let mut all = Vec::new();
            while let Some(response) = parts.message().await? {
                match &response.part {
                    Some(v1::find_packages_response::Part::Progress(progress)) => show(progress),
                    _ => all.push(response),
                }
            }
            Ok(all)
        })
    }

    /// Calls ExplainImpasse.
    ///
    /// # Errors
    /// The status that the server returns.
    pub(crate) fn explain_impasse(
        &self,
        request: v1::ExplainImpasseRequest,
        within: Duration,
    ) -> Result<v1::ExplainImpasseResponse, Status> {
        let request = self.timed(request, within);
        self.runtime.block_on(self.analysis.clone().explain_impasse(request)).map(Response::into_inner)
    }

    /// Calls AssessRobustness.
    ///
    /// # Errors
    /// The status that the server returns.
    pub(crate) fn assess_robustness(
        &self,
        request: v1::AssessRobustnessRequest,
        within: Duration,
    ) -> Result<v1::AssessRobustnessResponse, Status> {
        let request = self.timed(request, within);
        self.runtime.block_on(self.analysis.clone().assess_robustness(request)).map(Response::into_inner)
    }

    /// A request with a deadline of `within`, before which the server answers with its results so far.
    fn timed<T>(&self, message: T, within: Duration) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(within);
        request
    }

    /// Calls StreamEvaluateProposals: puts the answers into `sink` in the order of `turns`.
    ///
    /// A separate thread reads the turns, up to [`READ_AHEAD`] ahead of the answers.
    ///
    /// # Errors
    /// If the stream ends before the last answer. The sink has all answers before that one.
    pub(crate) fn evaluate_stream<S: Sink>(
        &self,
        turns: impl Iterator<Item = Result<Turn, S::Error>> + Send + 'static,
        sink: &mut S,
    ) -> Result<(), StreamError<S::Error>> {
        let (order, slots) = mpsc::channel(READ_AHEAD);
        let (ask, requests) = mpsc::channel(READ_AHEAD);
        let read = move || {
            for turn in turns {
                // A send fails when the stream has ended and its receivers are dropped.
                let is_open = match turn {
                    Ok(Turn::Ask(request)) => {
                        order.blocking_send(Slot::FromServer).is_ok() && ask.blocking_send(request).is_ok()
                    }
                    Ok(Turn::Answered(answer)) => order.blocking_send(Slot::Local(Box::new(answer))).is_ok(),
                    Err(error) => {
                        let _ = order.blocking_send(Slot::Stopped(error));
                        false
                    }
                };
                if !is_open {
                    break;
                }
            }
        };
        // The thread is not joined: it may be blocked reading a pipe that nobody writes to.
        let reader = thread::Builder::new().name("requests".to_owned()).spawn(read);
        reader.map_err(|error| StreamError::Server(Status::internal(format!("cannot start a thread: {error}"))))?;
        self.runtime.block_on(self.put_answers(requests, slots, sink))
    }

    async fn put_answers<S: Sink>(
        &self,
        requests: mpsc::Receiver<v1::StreamEvaluateProposalsRequest>,
        mut slots: mpsc::Receiver<Slot<S::Error>>,
        sink: &mut S,
    ) -> Result<(), StreamError<S::Error>> {
        let early = || Status::unavailable("the server ended the stream before the last answer");
        let mut service = self.service.clone();
        let answers = service.stream_evaluate_proposals(ReceiverStream::new(requests)).await;
        let mut answers = answers.map_err(StreamError::Server)?.into_inner();
        loop {
            let slot = match slots.try_recv() {
                Ok(slot) => Some(slot),
                Err(TryRecvError::Disconnected) => None,
                Err(TryRecvError::Empty) => {
                    sink.flush().map_err(StreamError::Local)?;
                    tokio::select! {
                        // The slot of a request is sent before the request, so a ready slot comes before its answer.
                        biased;
                        slot = slots.recv() => slot,
                        // Report the end of the stream at once, because the next request may take long to arrive.
                        ended = answers.message() => {
                            let why = ended.map_or_else(|status| status, |_| early());
                            return Err(StreamError::Server(why));
                        }
                    }
                }
            };
            let answer = match slot {
                None => return Ok(()),
                Some(Slot::Stopped(error)) => return Err(StreamError::Local(error)),
                Some(Slot::Local(answer)) => *answer,
                Some(Slot::FromServer) => {
                    let read = match answers.message().now_or_never() {
                        Some(read) => read,
                        None => {
                            sink.flush().map_err(StreamError::Local)?;
                            answers.message().await
                        }
                    };
                    read.map_err(StreamError::Server)?.ok_or_else(|| StreamError::Server(early()))?
                }
            };
            sink.put(answer).map_err(StreamError::Local)?;
        }
    }
}
