//! Asking another server, for the command line.

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

/// Why a server cannot be asked.
#[derive(Debug, Error)]
pub(crate) enum ConnectError {
    /// Not a URL.
    #[error("`{0}` is not a server's URL; write one like http://127.0.0.1:50051 or https://detente.example:50051")]
    Url(String),
    /// What is no header.
    #[error("the token cannot be sent: it has characters that no header may have")]
    Token,
    /// TLS as it is asked for cannot be had.
    #[error("TLS cannot be had: {0}")]
    Tls(String),
    /// Nobody answers there.
    #[error("no server answers at {url}: {cause}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        cause: String,
    },
    /// No runtime to wait in.
    #[error("a client cannot be started")]
    Runtime(#[from] io::Error),
}

/// So many requests of a stream are read before their answers are: of a mebibyte each at most.
const READ_AHEAD: usize = 32;

/// One of a stream's requests.
#[derive(Debug)]
pub(crate) enum Turn {
    /// For the server to answer.
    Ask(v1::StreamEvaluateProposalsRequest),
    /// Answered already, and not to be sent: it keeps its place.
    Answered(v1::StreamEvaluateProposalsResponse),
}

/// Where a stream's answers go.
pub(crate) trait Sink {
    /// Why no more can be taken, or no more requests read.
    type Error: Send + 'static;

    /// Takes an answer.
    ///
    /// # Errors
    /// If it can't.
    fn put(&mut self, answer: v1::StreamEvaluateProposalsResponse) -> Result<(), Self::Error>;

    /// The next answer takes a while: hands on what was taken.
    ///
    /// # Errors
    /// If it can't.
    fn flush(&mut self) -> Result<(), Self::Error>;
}

/// Why a stream ended before its last answer.
#[derive(Debug)]
pub(crate) enum Unfinished<E> {
    /// The server, or the way to it, ended it.
    Broken(Status),
    /// This side did.
    Stopped(E),
}

/// What comes next in a stream's order.
enum Slot<E> {
    ProposalSource,
    Answered(Box<v1::StreamEvaluateProposalsResponse>),
    Stopped(E),
}

/// How a server is spoken to.
#[derive(Clone, Default)]
pub(crate) struct Credentials {
    /// The authorities whose word is taken for who the server is, in PEM; without any, those of the system.
    pub authorities: Option<String>,
    /// Who asks, to a server that knows its callers.
    pub token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("token", &self.token.is_some()).finish_non_exhaustive()
    }
}

/// A channel whose calls say who asks.
type Known = InterceptedService<Channel, Bearer>;

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

/// A connection to a server, for callers that wait.
#[derive(Debug)]
pub(crate) struct Client {
    runtime: Runtime,
    service: RedLineServiceClient<Known>,
    analysis: AnalysisServiceClient<Known>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// If there is no server.
    pub(crate) fn connect(url: &str, credentials: &Credentials) -> Result<Self, ConnectError> {
        let is_private = url.starts_with("https://");
        let endpoint = Endpoint::from_shared(url.to_owned()).ok().filter(|_| is_private || url.starts_with("http://"));
        let endpoint = endpoint.ok_or_else(|| ConnectError::Url(url.to_owned()))?;
        let mut endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT);
        if is_private {
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
        // Analyses have a time of their own.
        let unhurried = endpoint.clone();
        let endpoint = endpoint.timeout(CALL_TIMEOUT);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let channel = runtime.block_on(endpoint.connect()).map_err(|error| {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            ConnectError::Unreachable { url: url.to_owned(), cause: cause.to_string() }
        })?;
        let unhurried = runtime.block_on(async { unhurried.connect_lazy() });
        let analysis = AnalysisServiceClient::with_interceptor(unhurried, bearer.clone());
        Ok(Self { runtime, service: RedLineServiceClient::with_interceptor(channel, bearer), analysis })
    }

    /// EvaluateProposal.
    ///
    /// # Errors
    /// The server's.
    pub(crate) fn evaluate(
        &self,
        request: v1::EvaluateProposalRequest,
    ) -> Result<v1::EvaluateProposalResponse, Status> {
        self.runtime.block_on(self.service.clone().evaluate_proposal(request)).map(Response::into_inner)
    }

    /// EvaluateHistory.
    ///
    /// # Errors
    /// The server's.
    pub(crate) fn evaluate_history(
        &self,
        request: v1::EvaluateHistoryRequest,
    ) -> Result<v1::EvaluateHistoryResponse, Status> {
        self.runtime.block_on(self.service.clone().evaluate_history(request)).map(Response::into_inner)
    }

    /// CompareProposals.
    ///
    /// # Errors
    /// The server's.
    pub(crate) fn compare_proposals(
        &self,
        request: v1::CompareProposalsRequest,
    ) -> Result<v1::CompareProposalsResponse, Status> {
        self.runtime.block_on(self.service.clone().compare_proposals(request)).map(Response::into_inner)
    }

    /// ListProposals.
    ///
    /// # Errors
    /// The server's.
    pub(crate) fn list_proposals(
        &self,
        request: v1::ListProposalsRequest,
    ) -> Result<v1::ListProposalsResponse, Status> {
        self.runtime.block_on(self.service.clone().list_proposals(request)).map(Response::into_inner)
    }

    /// ListRedLines.
    ///
    /// # Errors
    /// The server's.
    pub(crate) fn list_red_lines(&self, request: v1::ListRedLinesRequest) -> Result<v1::ListRedLinesResponse, Status> {
        self.runtime.block_on(self.service.clone().list_red_lines(request)).map(Response::into_inner)
    }

    /// GetRedLine.
    ///
    /// # Errors
    /// The server's.
    pub(crate) fn get_red_line(&self, request: v1::GetRedLineRequest) -> Result<v1::RedLine, Status> {
        self.runtime.block_on(self.service.clone().get_red_line(request)).map(Response::into_inner)
    }

    /// GetScenario.
    ///
    /// # Errors
    /// The server's.
    pub(crate) fn get_scenario(&self, request: v1::GetScenarioRequest) -> Result<v1::Scenario, Status> {
        self.runtime.block_on(self.service.clone().get_scenario(request)).map(Response::into_inner)
    }

    /// SuggestAmendments.
    ///
    /// # Errors
    /// The server's.
    pub(crate) fn suggest_amendments(
        &self,
        request: v1::SuggestAmendmentsRequest,
        within: Duration,
    ) -> Result<v1::SuggestAmendmentsResponse, Status> {
        let request = self.timed(request, within);
        self.runtime.block_on(self.analysis.clone().suggest_amendments(request)).map(Response::into_inner)
    }

    /// FindPackages: all parts but progress, which is shown as it comes.
    ///
    /// # Errors
    /// The server's, and a stream that ends before its summary.
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

    /// ExplainImpasse.
    ///
    /// # Errors
    /// The server's.
    pub(crate) fn explain_impasse(
        &self,
        request: v1::ExplainImpasseRequest,
        within: Duration,
    ) -> Result<v1::ExplainImpasseResponse, Status> {
        let request = self.timed(request, within);
        self.runtime.block_on(self.analysis.clone().explain_impasse(request)).map(Response::into_inner)
    }

    /// AssessRobustness.
    ///
    /// # Errors
    /// The server's.
    pub(crate) fn assess_robustness(
        &self,
        request: v1::AssessRobustnessRequest,
        within: Duration,
    ) -> Result<v1::AssessRobustnessResponse, Status> {
        let request = self.timed(request, within);
        self.runtime.block_on(self.analysis.clone().assess_robustness(request)).map(Response::into_inner)
    }

    /// A request with a deadline: the server answers with what it has before it.
    fn timed<T>(&self, message: T, within: Duration) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(within);
        request
    }

    /// StreamEvaluateProposals: answers go into the sink in the order of turns, which are read on a thread of their
    /// own, and only so far ahead of the answers.
    ///
    /// # Errors
    /// If it ends before the last answer. All answers before that one were put.
    pub(crate) fn evaluate_stream<S: Sink>(
        &self,
        turns: impl Iterator<Item = Result<Turn, S::Error>> + Send + 'static,
        sink: &mut S,
    ) -> Result<(), Unfinished<S::Error>> {
        let (order, slots) = mpsc::channel(READ_AHEAD);
        let (ask, requests) = mpsc::channel(READ_AHEAD);
        let read = move || {
            for turn in turns {
                // The other ends are gone where the stream has ended.
                let goes_on = match turn {
                    Ok(Turn::Ask(request)) => {
                        order.blocking_send(Slot::ProposalSource).is_ok() && ask.blocking_send(request).is_ok()
                    }
                    Ok(Turn::Answered(answer)) => order.blocking_send(Slot::Answered(Box::new(answer))).is_ok(),
                    Err(error) => {
                        let _ = order.blocking_send(Slot::Stopped(error));
                        false
                    }
                };
                if !goes_on {
                    break;
                }
            }
        };
        // It is not waited for: it may be reading what nobody ever writes.
        let reader = thread::Builder::new().name("requests".to_owned()).spawn(read);
        reader.map_err(|error| Unfinished::Broken(Status::internal(format!("no thread can be started: {error}"))))?;
        self.runtime.block_on(self.put_answers(requests, slots, sink))
    }

    async fn put_answers<S: Sink>(
        &self,
        requests: mpsc::Receiver<v1::StreamEvaluateProposalsRequest>,
        mut slots: mpsc::Receiver<Slot<S::Error>>,
        sink: &mut S,
    ) -> Result<(), Unfinished<S::Error>> {
        let early = || Status::unavailable("the server ended the stream before the last answer");
        let mut service = self.service.clone();
        let answers = service.stream_evaluate_proposals(ReceiverStream::new(requests)).await;
        let mut answers = answers.map_err(Unfinished::Broken)?.into_inner();
        loop {
            let slot = match slots.try_recv() {
                Ok(slot) => Some(slot),
                Err(TryRecvError::Disconnected) => None,
                Err(TryRecvError::Empty) => {
                    sink.flush().map_err(Unfinished::Stopped)?;
                    tokio::select! {
                        // A slot is there before its answer.
                        biased;
                        slot = slots.recv() => slot,
                        // The next request may be long in coming: that the stream has ended is told at once.
                        ended = answers.message() => {
                            let why = ended.map_or_else(|status| status, |_| early());
                            return Err(Unfinished::Broken(why));
                        }
                    }
                }
            };
            let answer = match slot {
                None => return Ok(()),
                Some(Slot::Stopped(error)) => return Err(Unfinished::Stopped(error)),
                Some(Slot::Answered(answer)) => *answer,
                Some(Slot::ProposalSource) => {
                    let read = match answers.message().now_or_never() {
                        Some(read) => read,
                        None => {
                            sink.flush().map_err(Unfinished::Stopped)?;
                            answers.message().await
                        }
                    };
                    read.map_err(Unfinished::Broken)?.ok_or_else(|| Unfinished::Broken(early()))?
                }
            };
            sink.put(answer).map_err(Unfinished::Stopped)?;
        }
    }
}
