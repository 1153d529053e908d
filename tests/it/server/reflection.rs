//! Reflection, in both versions: the services, and whole file descriptors by symbol and by name.

use crate::support::credentials::entry;
use crate::support::{PATIENCE, SERVICE, Server, quick};
use detente::access::{Authority, Tokens};
use detente::middleware::connection_context::STREAM_GRACE;
use detente::middleware::quota::QuotaLimit;
use detente::server::Settings;
use detente::serving::{Store, source};
use detente::transport::config::ConnectionLimits;
use prost::Message;
use prost_types::FileDescriptorProto;
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tonic::{Code, Streaming};
use tonic_types::StatusExt;

macro_rules! reflection_tests {
    ($version:ident) => {
        mod $version {
            use super::*;
            use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
            use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
            use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
            use tonic_reflection::pb::$version::{ExtensionRequest, ServerReflectionRequest, ServerReflectionResponse};

            async fn ask(server: &Server, question: MessageRequest) -> MessageResponse {
                let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
                let mut client = ServerReflectionClient::new(server.channel().await);
                let mut answers =
                    client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
                answers.next().await.unwrap().unwrap().message_response.unwrap()
            }

            async fn file(server: &Server, question: MessageRequest) -> FileDescriptorProto {
                match ask(server, question).await {
                    MessageResponse::FileDescriptorResponse(found) => {
                        FileDescriptorProto::decode(found.file_descriptor_proto[0].as_slice()).unwrap()
                    }
                    other => panic!("{other:?}"),
                }
            }

            #[tokio::test]
            async fn reflection_lists_the_services() {
                let server = Server::start().await;
                match ask(&server, MessageRequest::ListServices(String::new())).await {
                    MessageResponse::ListServicesResponse(list) => {
                        let names: BTreeSet<_> = list.service.iter().map(|service| service.name.as_str()).collect();
                        let expected = [
                            SERVICE,
                            "detente.v1.AnalysisService",
                            "grpc.health.v1.Health",
                            "grpc.reflection.v1.ServerReflection",
                            "grpc.reflection.v1alpha.ServerReflection",
                        ];
                        assert_eq!(names, BTreeSet::from(expected));
                    }
                    other => panic!("{other:?}"),
                }
            }

            #[tokio::test]
            async fn a_symbol_returns_its_file_and_all_imported_files() {
                let server = Server::start().await;
                let mut names = BTreeSet::new();
                for symbol in [
                    SERVICE,
                    "detente.v1.RedLineService.EvaluateProposal",
                    "google.rpc.BadRequest",
                    "grpc.health.v1.Health",
                ] {
                    let file = file(&server, MessageRequest::FileContainingSymbol(symbol.to_owned())).await;
                    names.extend(file.dependency);
                }
                // Follow the imports as a client does, until no file is missing.
                let mut known = BTreeSet::new();
                while let Some(name) = names.pop_first() {
                    let file = file(&server, MessageRequest::FileByFilename(name.clone())).await;
                    known.insert(name);
                    names.extend(file.dependency.into_iter().filter(|name| !known.contains(name)));
                }
                assert!(known.contains("google/protobuf/descriptor.proto"), "{known:?}");
            }

            fn request(question: MessageRequest) -> ServerReflectionRequest {
                ServerReflectionRequest { host: "here".to_owned(), message_request: Some(question) }
            }

            #[tokio::test]
            async fn the_stream_goes_on_after_unknown_names() {
                let server = Server::start().await;
                let nothing = ExtensionRequest { containing_type: SERVICE.to_owned(), extension_number: -1 };
                let unknown = [
                    MessageRequest::FileContainingSymbol("no.Such".to_owned()),
                    MessageRequest::FileContainingSymbol(String::new()),
                    MessageRequest::FileByFilename("no/such.proto".to_owned()),
                    MessageRequest::FileContainingExtension(nothing),
                    MessageRequest::AllExtensionNumbersOfType("no.Such".to_owned()),
                ];
                let known = MessageRequest::FileContainingSymbol(SERVICE.to_owned());
                let asked: Vec<_> =
                    unknown.iter().flat_map(|unknown| [unknown.clone(), known.clone()]).map(request).collect();
                let empty = ServerReflectionRequest { host: String::new(), message_request: None };
                let asked = [asked, vec![empty, request(known.clone())]].concat();
                let mut client = ServerReflectionClient::new(server.channel().await);
                // The client leaves its side of the stream open.
                let requests = tokio_stream::iter(asked.clone()).chain(tokio_stream::pending());
                let mut answers = client.server_reflection_info(requests).await.unwrap().into_inner();
                for (at, asked) in asked.into_iter().enumerate() {
                    let answer = answers.next().await.unwrap().unwrap();
                    assert_eq!(answer.valid_host, asked.host);
                    assert_eq!(answer.original_request.as_ref(), Some(&asked));
                    match answer.message_response.unwrap() {
                        MessageResponse::FileDescriptorResponse(_) => assert_eq!(at % 2, 1, "{asked:?}"),
                        MessageResponse::ErrorResponse(error) => {
                            let expected =
                                if asked.message_request.is_some() { Code::NotFound } else { Code::InvalidArgument };
                            assert_eq!((at % 2, Code::from(error.error_code)), (0, expected), "{asked:?}");
                            assert!(!error.error_message.is_empty());
                        }
                        other => panic!("{other:?}"),
                    }
                }
            }

            #[tokio::test]
            async fn enum_values_are_found_by_their_protobuf_names() {
                let server = Server::start().await;
                let value = "detente.v1.ERROR_REASON_INTERNAL".to_owned();
                let found = file(&server, MessageRequest::FileContainingSymbol(value)).await;
                assert_eq!(found.name(), "detente/v1/error_reason.proto");
                let wrong = "detente.v1.ErrorReason.ERROR_REASON_INTERNAL".to_owned();
                let answer = ask(&server, MessageRequest::FileContainingSymbol(wrong)).await;
                assert!(matches!(answer, MessageResponse::ErrorResponse(_)), "{answer:?}");
            }

            #[tokio::test]
            async fn extensions_are_found_by_their_numbers() {
                let server = Server::start().await;
                let options = "google.protobuf.MethodOptions";
                let numbers = MessageRequest::AllExtensionNumbersOfType(options.to_owned());
                let MessageResponse::AllExtensionNumbersResponse(numbers) = ask(&server, numbers).await else {
                    panic!("no numbers")
                };
                assert_eq!(numbers.base_type_name, options);
                for number in numbers.extension_number {
                    let extension = ExtensionRequest { containing_type: options.to_owned(), extension_number: number };
                    file(&server, MessageRequest::FileContainingExtension(extension)).await;
                }
            }

            /// Opens a stream, and reads the answer to its first request. Dropping the sender ends the client's side.
            async fn open(
                server: &Server,
                token: Option<&str>,
            ) -> (Sender<ServerReflectionRequest>, Streaming<ServerReflectionResponse>) {
                let (send, requests) = tokio::sync::mpsc::channel(4);
                let mut call = tonic::Request::new(tokio_stream::wrappers::ReceiverStream::new(requests));
                if let Some(token) = token {
                    call.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
                }
                send.send(request(MessageRequest::ListServices(String::new()))).await.unwrap();
                let mut client = ServerReflectionClient::new(server.channel().await);
                let mut answers = client.server_reflection_info(call).await.unwrap().into_inner();
                answers.message().await.unwrap().unwrap();
                (send, answers)
            }

            #[tokio::test]
            async fn idle_streams_end() {
                let idle = Duration::from_secs(1);
                let server = Server::with(Settings { stream_idle: idle, drain: quick(), ..Settings::default() }).await;
                let (send, mut answers) = open(&server, None).await;
                tokio::time::sleep(idle / 2).await;
                send.send(request(MessageRequest::ListServices(String::new()))).await.unwrap();
                answers.message().await.unwrap().unwrap();
                let begun = Instant::now();
                let ended = timeout(PATIENCE, answers.message()).await.unwrap().unwrap_err();
                assert_eq!(ended.get_error_details().error_info().unwrap().reason, "STREAM_IDLE");
                assert!(begun.elapsed() > idle * 9 / 10, "{:?}", begun.elapsed());
            }

            #[tokio::test]
            async fn streams_end_when_the_server_shuts_down() {
                let server = Server::start().await;
                let (_send, mut answers) = open(&server, None).await;
                let stopped = server.stop();
                let ended = timeout(PATIENCE, answers.message()).await.unwrap().unwrap_err();
                assert_eq!(ended.get_error_details().error_info().unwrap().reason, "SHUTTING_DOWN");
                stopped.await.unwrap().unwrap();
            }

            #[tokio::test]
            async fn streams_end_after_the_maximum_age_of_their_connection() {
                let connection = ConnectionLimits { max_age: Duration::from_secs(1), ..ConnectionLimits::default() };
                let server = Server::with(Settings { connection, drain: quick(), ..Settings::default() }).await;
                let (send, mut answers) = open(&server, None).await;
                let begun = Instant::now();
                let ended = loop {
                    // Fails once the stream has ended, which the client has not read yet.
                    let _ = send.send(request(MessageRequest::ListServices(String::new()))).await;
                    match timeout(PATIENCE, answers.message()).await.unwrap() {
                        Ok(answer) => assert!(answer.is_some()),
                        Err(ended) => break ended,
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                };
                assert_eq!(ended.code(), Code::Unavailable, "{ended}");
                assert!(ended.message().contains("maximum age"), "{ended}");
                let lasted = begun.elapsed();
                assert!((STREAM_GRACE..STREAM_GRACE + Duration::from_secs(3)).contains(&lasted), "{lasted:?}");
            }

            #[tokio::test]
            async fn a_stream_ends_when_its_token_is_revoked() {
                let tokens = |caller: &str, token: &str| {
                    Tokens::read(&format!("tokens:\n{}", entry(caller, token, "reader", ""))).unwrap()
                };
                let authority = Arc::new(Authority::new(Some(tokens("desk", "d")), None));
                let (given, store) = (authority.clone(), Store::new(source::load(&[]).unwrap()).unwrap());
                let settings = Settings { drain: quick(), ..Settings::default() };
                let server = Server::run(Arc::new(store), settings, |server| server.with_authority(given)).await;
                let (send, mut answers) = open(&server, Some("d")).await;
                authority.replace_tokens(tokens("other", "o"));
                send.send(request(MessageRequest::ListServices(String::new()))).await.unwrap();
                let ended = timeout(PATIENCE, answers.message()).await.unwrap().unwrap_err();
                assert_eq!(ended.code(), Code::Unauthenticated, "{ended}");
            }

            #[tokio::test]
            async fn each_request_counts_against_the_quota() {
                let quota = Some(QuotaLimit { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(3).unwrap() });
                let server = Server::with(Settings { quota, drain: quick(), ..Settings::default() }).await;
                // The call takes one, and its first request takes another one.
                let (send, mut answers) = open(&server, None).await;
                let mut refused = 0;
                for _ in 0..8 {
                    send.send(request(MessageRequest::ListServices(String::new()))).await.unwrap();
                    let answer = answers.message().await.unwrap().unwrap();
                    if let Some(MessageResponse::ErrorResponse(error)) = answer.message_response {
                        assert_eq!(Code::from(error.error_code), Code::ResourceExhausted, "{error:?}");
                        refused += 1;
                    }
                }
                assert!(refused >= 5, "{refused}");
            }

            #[tokio::test]
            async fn reflection_can_be_disabled() {
                let server = Server::with(Settings { reflection: false, ..Settings::default() }).await;
                let request = ServerReflectionRequest {
                    host: String::new(),
                    message_request: Some(MessageRequest::ListServices(String::new())),
                };
                let mut client = ServerReflectionClient::new(server.channel().await);
                let refused = client.server_reflection_info(tokio_stream::once(request)).await;
                assert_eq!(refused.unwrap_err().code(), Code::Unimplemented);
            }
        }
    };
}

reflection_tests!(v1);
reflection_tests!(v1alpha);
