//! The load that the bench puts on a server. The client does not decode the answers, so that its own cost is the same
//! for every server.

use bytes::{Buf, BufMut, Bytes};
use detente::schema::proto::v1;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::schema::proto::v1::term;
use detente::services::RedLines;
use futures_util::stream::unfold;
use http::uri::PathAndQuery;
use prost::Message;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

pub(crate) const UNARY: &str = "/detente.v1.RedLineService/EvaluateProposal";
pub(crate) const STREAM: &str = "/detente.v1.RedLineService/StreamEvaluateProposals";

/// The number of concurrent callers of unary calls; each sends one call after the other.
const CONCURRENT: usize = 64;
/// The number of connections that the callers share.
const CONNECTIONS: usize = 4;
/// The maximum number of unanswered requests of a stream.
const WINDOW: usize = 256;

/// Which proposals the calls use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Questions {
    /// One proposal, repeated.
    One,
    /// A thousand proposals in turn.
    Thousand,
    /// A new proposal for each call of the run.
    EverNew,
}

/// The number of answers received, and their total size.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) calls: u64,
    pub(crate) bytes: u64,
}

/// Returns a request to evaluate the terms of the Jeddah ceasefire as a caller's own proposal.
pub(crate) fn jeddah(service: &RedLines) -> v1::EvaluateProposalRequest {
    let name = "scenarios/ukraine-2025/proposals/jeddah-ceasefire".to_owned();
    let terms = service.get_proposal(v1::GetProposalRequest { name, ..Default::default() }).unwrap().terms;
    v1::EvaluateProposalRequest {
        subject: Some(Subject::Proposal(v1::Proposal { terms, ..v1::Proposal::default() })),
        view: v1::EvaluationView::Basic.into(),
        ..v1::EvaluateProposalRequest::default()
    }
}

/// Returns the same request with a ceasefire of another length. No red line depends on the length, so all responses are
/// alike.
fn other_length(mut request: v1::EvaluateProposalRequest, number: u64) -> v1::EvaluateProposalRequest {
    // Each of these numbers takes two bytes on the wire.
    const SHORTEST: i64 = 128;
    const LENGTHS: i64 = 3_650 - SHORTEST;
    let number = i64::try_from(number).unwrap();
    let min = SHORTEST + number % LENGTHS;
    let max = SHORTEST + 1 + number / LENGTHS % LENGTHS;
    let value = term::Value::Range(v1::Range { min: Some(min.min(max)), max: Some(min.max(max)) });
    if let Some(Subject::Proposal(proposal)) = &mut request.subject {
        let days = proposal.terms.iter_mut().find(|term| term.issue == "ceasefire_days");
        days.unwrap().value = Some(value);
    }
    request
}

/// Connections to one server.
pub(crate) struct Connections {
    channels: Vec<Channel>,
    question: v1::EvaluateProposalRequest,
    /// The number of new proposals used so far.
    asked: Arc<AtomicU64>,
}

impl Connections {
    pub(crate) async fn open(address: SocketAddr, question: v1::EvaluateProposalRequest) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            channels.push(endpoint.connect().await.unwrap());
        }
        Self { channels, question, asked: Arc::default() }
    }

    /// Makes one call, and returns the answer's bytes.
    pub(crate) async fn ask(&self) -> Bytes {
        call(&mut Grpc::new(self.channels[0].clone()), self.question.encode_to_vec().into()).await
    }

    /// Makes unary calls for the given time, with [`CONCURRENT`] callers.
    pub(crate) async fn unary(&self, questions: Questions, lasting: Duration) -> Measured {
        let thousand: Arc<[Bytes]> = match questions {
            Questions::One => [self.question.encode_to_vec().into()].into(),
            Questions::Thousand => {
                (0..1_000).map(|number| other_length(self.question.clone(), number).encode_to_vec().into()).collect()
            }
            Questions::EverNew => [].into(),
        };
        let end = Instant::now() + lasting;
        let mut callers = JoinSet::new();
        for caller in 0..CONCURRENT {
            let mut client = Grpc::new(self.channels[caller % CONNECTIONS].clone());
            let (thousand, asked, question) = (thousand.clone(), self.asked.clone(), self.question.clone());
            callers.spawn(async move {
                let mut measured = Measured::default();
                // Each caller sends the prepared requests in rotation, and starts at a different position.
                let mut next = caller * thousand.len() / CONCURRENT;
                while Instant::now() < end {
                    let question = match thousand.get(next) {
                        Some(question) => question.clone(),
                        None => other_length(question.clone(), asked.fetch_add(1, Relaxed)).encode_to_vec().into(),
                    };
                    next = if next + 1 < thousand.len() { next + 1 } else { 0 };
                    measured.calls += 1;
                    measured.bytes += call(&mut client, question).await.len() as u64;
                }
                measured
            });
        }
        let mut sum = Measured::default();
        while let Some(measured) = callers.join_next().await {
            let Measured { calls, bytes } = measured.unwrap();
            sum = Measured { calls: sum.calls + calls, bytes: sum.bytes + bytes };
        }
        sum
    }

    /// Sends requests on one stream for the given time, with up to [`WINDOW`] unanswered ones.
    pub(crate) async fn stream(&self, lasting: Duration) -> Measured {
        let window = Arc::new(Semaphore::new(WINDOW));
        let end = Instant::now() + lasting;
        let request = self.question.clone();
        let open = window.clone();
        let requests = unfold(0_u32, move |number| {
            let (open, request) = (open.clone(), request.clone());
            async move {
                open.acquire().await.unwrap().forget();
                let request = v1::StreamEvaluateProposalsRequest { id: format!("{number:08}"), request: Some(request) };
                (Instant::now() < end).then(|| (Bytes::from(request.encode_to_vec()), number + 1))
            }
        });
        let mut client = Grpc::new(self.channels[0].clone());
        client.ready().await.unwrap();
        let path = PathAndQuery::from_static(STREAM);
        let mut answers = client.streaming(Request::new(requests), path, Raw).await.unwrap().into_inner();
        let mut measured = Measured::default();
        while let Some(answer) = answers.message().await.unwrap() {
            window.add_permits(1);
            // Every evaluation is longer than this, so a shorter response is an error.
            assert!(answer.starts_with(b"\x0a\x08") && answer.len() > 256, "{answer:?}");
            measured.calls += 1;
            measured.bytes += answer.len() as u64;
        }
        measured
    }
}

async fn call(client: &mut Grpc<Channel>, question: Bytes) -> Bytes {
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static(UNARY);
    client.unary(Request::new(question), path, Raw).await.unwrap().into_inner()
}

/// A codec that passes bytes through.
#[derive(Clone, Copy, Debug)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
