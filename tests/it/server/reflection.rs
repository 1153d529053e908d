//! Reflection, in both versions: the services, and whole file descriptors by symbol and by name.

use crate::support::{SERVICE, Server};
use detente::server::Settings;
use prost::Message;
use prost_types::FileDescriptorProto;
use std::collections::BTreeSet;
use tokio_stream::StreamExt;
use tonic::Code;

macro_rules! reflection_tests {
    ($version:ident) => {
        mod $version {
            use super::*;
            use tonic_reflection::pb::$version::ServerReflectionRequest;
            use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
            use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
            use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;

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

            #[tokio::test]
            async fn an_unknown_symbol_is_not_found() {
                let server = Server::start().await;
                let request = ServerReflectionRequest {
                    host: String::new(),
                    message_request: Some(MessageRequest::FileContainingSymbol("no.Such".to_owned())),
                };
                let mut client = ServerReflectionClient::new(server.channel().await);
                let mut answers =
                    client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
                assert_eq!(answers.next().await.unwrap().unwrap_err().code(), Code::NotFound);
                server.assert_answers().await;
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
