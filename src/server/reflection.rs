//! The standard gRPC reflection service, v1 and v1alpha, from which clients learn the schema.
//!
//! Owns the streams of reflection: when they end, and what they answer. Must not know what the schema means.
//!
//! The service of tonic-reflection is not used: it ends the stream when a client asks for an unknown name, where the
//! [specification](https://github.com/grpc/grpc/blob/master/doc/server-reflection.md) has an answer for it; it knows
//! enum values by names that protobuf does not use; and its streams end neither when their clients are idle nor when
//! the credentials are revoked.

use crate::error::ApiError;
use crate::middleware::account::CallAccount;
use crate::middleware::account::stream_place::StreamPlace;
use crate::middleware::call::Call;
use crate::middleware::callers::CallerState;
use crate::middleware::connection_context::StreamLimit;
use crate::schema::descriptors::{POOL, file_with};
use crate::services::{Answer, Streams};
use futures_util::stream::unfold;
use http::Uri;
use prost_reflect::FileDescriptor;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::task::coop::consume_budget;
use tokio::time::timeout;
use tokio_stream::Stream;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Request, Response, Status, Streaming};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::server_reflection_server::{ServerReflection, ServerReflectionServer};
use tonic_reflection::pb::v1::{
    ErrorResponse, ExtensionNumberResponse, ExtensionRequest, FileDescriptorResponse, ListServiceResponse,
    ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
};
use tonic_reflection::pb::v1alpha;
use tower::Service;

/// Largest reflection request, in bytes; a request contains one name.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

const V1_PATH: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const V1ALPHA_PATH: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

/// Creates the service of reflection v1. `streams` says when its streams end.
pub(super) fn v1(streams: Streams) -> ServerReflectionServer<impl ServerReflection> {
    ServerReflectionServer::new(Reflection { streams }).max_decoding_message_size(MAX_REQUEST_BYTES)
}

/// Creates the service of reflection v1alpha from that of v1.
pub(super) fn v1alpha<S>(v1: S) -> V1Alpha<S> {
    V1Alpha(v1)
}

/// Serves v1alpha through the service of v1: the versions differ in the name of the package only.
#[derive(Clone, Debug)]
pub(super) struct V1Alpha<S>(S);

impl<S> NamedService for V1Alpha<S> {
    const NAME: &'static str = v1alpha::server_reflection_server::SERVICE_NAME;
}

impl<S: Service<http::Request<Body>>> Service<http::Request<Body>> for V1Alpha<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> S::Future {
        if request.uri().path() == V1ALPHA_PATH {
            *request.uri_mut() = Uri::from_static(V1_PATH);
        }
        self.0.call(request)
    }
}

struct Reflection {
    streams: Streams,
}

#[tonic::async_trait]
impl ServerReflection for Reflection {
    type ServerReflectionInfoStream =
        Pin<Box<dyn Stream<Item = Result<ServerReflectionResponse, Status>> + Send + 'static>>;

    async fn server_reflection_info(
        &self,
        requests: Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let extensions = requests.extensions();
        let account = CallAccount::of(extensions);
        let place = account.as_ref().map(CallAccount::open_stream).transpose()?;
        let stream = ReflectionStream {
            call: Call::of(extensions),
            account,
            _place: place,
            payer: extensions.get::<Arc<CallerState>>().cloned(),
            connection: extensions.get::<StreamLimit>().cloned().unwrap_or_default(),
            streams: self.streams.clone(),
            requests: requests.into_inner(),
        };
        // A request is read when the transport asks for the next answer, so nothing is queued for slow readers.
        Ok(Response::new(Box::pin(unfold(Some(stream), |open| async {
            let mut stream = open?;
            match stream.next().await {
                Ok(Some(request)) => match stream.paid_answer(request) {
                    Ok(answer) => Some((Ok(answer), Some(stream))),
                    Err(error) => Some((Err(stream.call.ended_by(error.into())), None)),
                },
                Ok(None) => None,
                Err(status) => Some((Err(stream.call.ended_by(status)), None)),
            }
        }))))
    }
}

/// An open stream of reflection.
struct ReflectionStream {
    call: Call,
    account: Option<CallAccount>,
    _place: Option<StreamPlace>,
    payer: Option<Arc<CallerState>>,
    connection: StreamLimit,
    streams: Streams,
    requests: Streaming<ServerReflectionRequest>,
}

impl ReflectionStream {
    /// Reads the next request; `None` if the client has ended its side of the stream.
    async fn next(&mut self) -> Result<Option<ServerReflectionRequest>, Status> {
        // Requests that have arrived already are read without waiting; this leaves the thread to other tasks at times.
        consume_budget().await;
        let idle = self.streams.idle;
        let read = tokio::select! {
            biased;
            () = self.streams.ending.cancelled() => return Err(ApiError::ShuttingDown.into()),
            () = self.connection.ended() => {
                let text = "the connection has reached its maximum age; open a new stream on another connection";
                return Err(Status::unavailable(text));
            }
            read = timeout(idle, self.requests.message()) => {
                read.map_err(|_| ApiError::StreamIdle { seconds: idle.as_secs() })??
            }
        };
        // The generated codec of reflection does not say when a message has left the buffer, and messages are small.
        if let Some(account) = &self.account {
            account.forget_request();
        }
        self.call.check_credentials()?;
        Ok(read)
    }

    /// Answers a request, and takes room for the answer.
    ///
    /// # Errors
    /// [`ApiError::Overloaded`] if the room for answers is full. The users of reflection can ask again, so it does not
    /// wait for room that other calls need.
    fn paid_answer(&self, request: ServerReflectionRequest) -> Result<ServerReflectionResponse, ApiError> {
        let answer = self.answer(request);
        let is_paid = self.account.as_ref().is_none_or(|account| account.try_reserve_item(answer.bytes()));
        if is_paid { Ok(answer) } else { Err(ApiError::Overloaded) }
    }

    /// Answers a request. An error is an answer, after which the stream goes on.
    fn answer(&self, request: ServerReflectionRequest) -> ServerReflectionResponse {
        let admitted = self.payer.as_ref().map_or(Ok(()), |payer| payer.take_quota(1)).map_err(Status::from);
        let answer = admitted.and_then(|()| find(request.message_request.as_ref()));
        let message_response = answer.unwrap_or_else(|status| {
            let (error_code, error_message) = (status.code().into(), status.message().to_owned());
            MessageResponse::ErrorResponse(ErrorResponse { error_code, error_message })
        });
        ServerReflectionResponse {
            valid_host: request.host.clone(),
            original_request: Some(request),
            message_response: Some(message_response),
        }
    }
}

fn find(request: Option<&MessageRequest>) -> Result<MessageResponse, Status> {
    match request {
        None => Err(Status::invalid_argument("the request has no question; set one of `message_request`")),
        Some(MessageRequest::FileByFilename(name)) => file(POOL.get_file_by_name(name), "file"),
        Some(MessageRequest::FileContainingSymbol(symbol)) => file(file_with(symbol), "symbol"),
        Some(MessageRequest::FileContainingExtension(extension)) => file(file_with_extension(extension), "extension"),
        Some(MessageRequest::AllExtensionNumbersOfType(name)) => extension_numbers(name),
        Some(MessageRequest::ListServices(_)) => {
            let service = POOL.services().map(|service| ServiceResponse { name: service.full_name().to_owned() });
            Ok(MessageResponse::ListServicesResponse(ListServiceResponse { service: service.collect() }))
        }
    }
}

/// Answers with a file. Clients ask for the files that it imports by their names.
fn file(found: Option<FileDescriptor>, what: &str) -> Result<MessageResponse, Status> {
    let found = found.ok_or_else(|| Status::not_found(format!("this server has no such {what}")))?;
    let file_descriptor_proto = vec![found.encode_to_vec()];
    Ok(MessageResponse::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto }))
}

fn file_with_extension(extension: &ExtensionRequest) -> Option<FileDescriptor> {
    let number = u32::try_from(extension.extension_number).ok()?;
    Some(POOL.get_message_by_name(&extension.containing_type)?.get_extension(number)?.parent_file())
}

fn extension_numbers(name: &str) -> Result<MessageResponse, Status> {
    let message = POOL.get_message_by_name(name).ok_or_else(|| Status::not_found("this server has no such message"))?;
    let numbers = message.extensions().filter_map(|extension| i32::try_from(extension.number()).ok());
    Ok(MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
        base_type_name: name.to_owned(),
        extension_number: numbers.collect(),
    }))
}
