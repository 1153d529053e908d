//! The stock server, with which Détente's server is compared: unmodified tonic, with the codec that tonic generates
//! code for, and a prepared answer.
//!
//! It decodes only the outermost field of a request, which is the least that a server can do.

use bytes::Bytes;
use http::{Request, Response};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::Read;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio_stream::{Stream, StreamExt};
use tonic::Streaming;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, StreamingService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic_prost::ProstCodec;
use tower::Service;

/// `detente.v1.EvaluateProposalRequest`, with the only field that this server decodes.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Question {
    #[prost(bytes = "bytes", tag = "2")]
    proposal: Bytes,
}

/// `detente.v1.EvaluateProposalResponse`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Answer {
    #[prost(bytes = "bytes", tag = "1")]
    evaluation: Bytes,
}

/// `detente.v1.StreamEvaluateProposalsRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct StreamQuestion {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(bytes = "bytes", tag = "2")]
    request: Bytes,
}

/// `detente.v1.StreamEvaluateProposalsResponse`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct StreamAnswer {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(bytes = "bytes", tag = "2")]
    evaluation: Bytes,
}

/// Serves the evaluation that it reads from standard input, until it is killed.
pub(crate) async fn serve() {
    let mut evaluation = Vec::new();
    std::io::stdin().read_to_end(&mut evaluation).unwrap();
    let incoming = TcpIncoming::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap().with_nodelay(Some(true));
    eprintln!("listening on {}", incoming.local_addr().unwrap());
    let echo = Echo { evaluation: evaluation.into() };
    tonic::transport::Server::builder().add_service(echo).serve_with_incoming(incoming).await.unwrap();
}

#[derive(Clone, Debug)]
struct Echo {
    evaluation: Bytes,
}

impl NamedService for Echo {
    const NAME: &'static str = "detente.v1.RedLineService";
}

/// This impl is like the code that tonic generates for a service.
impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let echo = self.clone();
        match request.uri().path() {
            super::load::UNARY => {
                Box::pin(async move { Ok(Grpc::new(ProstCodec::default()).unary(echo, request).await) })
            }
            super::load::STREAM => {
                Box::pin(async move { Ok(Grpc::new(ProstCodec::default()).streaming(echo, request).await) })
            }
            path => panic!("unexpected call of {path}"),
        }
    }
}

impl UnaryService<Question> for Echo {
    type Response = Answer;
    type Future = Ready<Result<tonic::Response<Answer>, tonic::Status>>;

    fn call(&mut self, _: tonic::Request<Question>) -> Self::Future {
        ready(Ok(tonic::Response::new(Answer { evaluation: self.evaluation.clone() })))
    }
}

impl StreamingService<StreamQuestion> for Echo {
    type Response = StreamAnswer;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<StreamAnswer, tonic::Status>> + Send>>;
    type Future = Ready<Result<tonic::Response<Self::ResponseStream>, tonic::Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<StreamQuestion>>) -> Self::Future {
        let evaluation = self.evaluation.clone();
        let answers = request.into_inner().map(move |question| {
            question.map(|StreamQuestion { id, .. }| StreamAnswer { id, evaluation: evaluation.clone() })
        });
        ready(Ok(tonic::Response::new(Box::pin(answers))))
    }
}
