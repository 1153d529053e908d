//! TLS and mutual TLS over real sockets: accepted and rejected clients, and certificates that are rotated under load.

use crate::support::credentials::{Authorities, Identity};
use crate::support::{Client, LIST, PATIENCE, Server, frame, quick};
use detente::schema::proto::v1::red_line_service_client::RedLineServiceClient;
use detente::schema::proto::v1::{
    ListScenariosRequest, StreamEvaluateProposalsRequest, StreamEvaluateProposalsResponse,
};
use detente::server::Settings;
use detente::serving::{Store, source};
use detente::transport::config::ConnectionLimits;
use detente::transport::tls::{Tls, TlsError, TlsFiles};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::{Code, Streaming};
use tower::service_fn;

fn files(server: &Identity, authority: Option<&Authorities>) -> TlsFiles {
    TlsFiles {
        certificate: server.certificate.clone().into_bytes(),
        key: server.key.clone().into_bytes(),
        client_authorities: authority.map(|authority| authority.pem().into_bytes()),
    }
}

async fn server(tls: &Tls) -> Server {
    server_with(tls, ConnectionLimits::default()).await
}

async fn server_with(tls: &Tls, connection: ConnectionLimits) -> Server {
    let store = Arc::new(Store::new(source::load(&[]).unwrap()).unwrap());
    let settings = Settings { connection, drain: quick(), ..Settings::default() };
    let tls = Some(tls.clone());
    Server::run(store, settings, |server| server.with_tls(tls)).await
}

fn config(trusted: &Authorities, identity: Option<&Identity>, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    config_of(trusted, identity, protocols, rustls::DEFAULT_VERSIONS)
}

fn config_of(
    trusted: &Authorities,
    identity: Option<&Identity>,
    protocols: &[&[u8]],
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

async fn connect(server: &Server, config: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(server.address).await?;
    let mut stream = TlsConnector::from(config).connect(ServerName::try_from("localhost").unwrap(), stream).await?;
    // In TLS 1.3 the client's handshake is complete before the server has checked the client's certificate.
    stream.flush().await?;
    Ok(stream)
}

/// Makes a call over a new connection. Returns the status code of the call, or the error of the connection.
async fn answers(server: &Server, config: Arc<ClientConfig>) -> Result<Code, String> {
    let stream = connect(server, config).await.map_err(|error| error.to_string())?;
    let call = async {
        let client = Client::over(stream).await.map_err(|error| error.to_string())?;
        Ok(client.try_call(LIST, frame(&[])).await.ok_or("no answer")?.code())
    };
    timeout(PATIENCE, call).await.map_err(|error| error.to_string())?
}

#[tokio::test]
async fn calls_are_answered_over_tls() {
    let authority = Authorities::new("authority");
    let tls = Tls::new(&files(&authority.server(), None)).unwrap();
    let server = server(&tls).await;
    assert_eq!(answers(&server, config(&authority, None, &[b"h2"])).await, Ok(Code::Ok));
    // A client without ALPN is accepted; a client that offers only another protocol is rejected.
    assert_eq!(answers(&server, config(&authority, None, &[])).await, Ok(Code::Ok));
    assert!(answers(&server, config(&authority, None, &[b"http/1.1"])).await.is_err());
    // A client that trusts a different authority closes the connection.
    let other = Authorities::new("other");
    assert!(answers(&server, config(&other, None, &[b"h2"])).await.unwrap_err().contains("UnknownIssuer"));
}

/// A client that asks for new keys again and again makes the server derive keys, and asks for a response each time.
#[tokio::test]
async fn key_updates_without_data_are_bounded() {
    let authority = Authorities::new("authority");
    let tls = Tls::new(&files(&authority.server(), None)).unwrap();
    let server = server(&tls).await;
    let config = config_of(&authority, None, &[b"h2"], &[&rustls::version::TLS13]);
    let update = async |stream: &mut TlsStream<TcpStream>, times: usize| {
        for _ in 0..times {
            stream.get_mut().1.refresh_traffic_keys().unwrap();
        }
        stream.flush().await
    };
    let mut stream = connect(&server, config.clone()).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    // 32 between two records with data are permitted.
    for _ in 0..4 {
        update(&mut stream, 32).await.unwrap();
        stream.write_all(b"\0\0\x08\x06\0\0\0\0\0pingpong").await.unwrap();
    }
    let mut read = vec![0; 1024];
    assert!(timeout(PATIENCE, stream.read(&mut read)).await.unwrap().unwrap() > 0);
    let _ = update(&mut stream, 33).await;
    // The server closes the connection: a read fails, or ends.
    timeout(PATIENCE, async { while stream.read(&mut read).await.is_ok_and(|read| read > 0) {} }).await.unwrap();
    assert_eq!(answers(&server, config).await, Ok(Code::Ok));
}

/// Every handshake sends the server's certificates and the names of the client authorities.
#[test]
fn numbers_of_certificates_are_limited() {
    let authority = Authorities::new("authority");
    let with = |chain: usize, authorities: usize, name: usize| {
        let mut files = files(&authority.server(), None);
        for _ in 1..chain {
            files.certificate.extend(authority.pem().into_bytes());
        }
        let name = "n".repeat(name);
        let authorities: String = (0..authorities).map(|at| Authorities::new(&format!("{name}{at}")).pem()).collect();
        files.client_authorities = Some(authorities.into_bytes());
        Tls::new(&files).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(with(16, 100, 10), Ok(()));
    assert!(with(17, 1, 10).unwrap_err().contains("more than 16 certificates"));
    assert!(with(1, 101, 10).unwrap_err().contains("more than 100 certificates"));
    assert_eq!(with(1, 30, 1_000), Ok(()));
    assert!(with(1, 40, 1_000).unwrap_err().contains("bytes together; the limit is 32768"));
}

#[tokio::test]
async fn plaintext_is_rejected_on_a_tls_listener() {
    let authority = Authorities::new("authority");
    let server = server(&Tls::new(&files(&authority.server(), None)).unwrap()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut read = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut read)).await.unwrap();
    assert!(ended.is_err() || read.len() < 16, "{read:?}");
}

#[tokio::test]
async fn mutual_tls_requires_a_client_certificate_of_a_trusted_authority() {
    let (authority, clients, others) =
        (Authorities::new("servers"), Authorities::new("clients"), Authorities::new("others"));
    let server = server(&Tls::new(&files(&authority.server(), Some(&clients))).unwrap()).await;
    let with = |identity: Option<&Identity>| config(&authority, identity, &[b"h2"]);
    assert_eq!(answers(&server, with(Some(&clients.client("desk")))).await, Ok(Code::Ok));
    assert!(answers(&server, with(None)).await.is_err());
    assert!(answers(&server, with(Some(&others.client("desk")))).await.is_err());
    // A server certificate is not accepted from a client.
    assert!(answers(&server, with(Some(&clients.server()))).await.is_err());
    // A certificate is not accepted outside the time in which it is valid.
    let now = SystemTime::now();
    let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3_600));
    for (from, until, is_valid) in
        [(now + minute, now + hour, false), (now - hour, now - minute, false), (now - minute, now + minute, true)]
    {
        let identity = clients.client_between("desk", from, until);
        assert_eq!(answers(&server, with(Some(&identity))).await.is_ok(), is_valid, "{from:?} to {until:?}");
    }
}

#[tokio::test]
async fn mutual_tls_does_not_resume_sessions() {
    let authority = Authorities::new("authority");
    let identity = authority.client("desk");
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        for (clients, again) in [(None, HandshakeKind::Resumed), (Some(&authority), HandshakeKind::Full)] {
            let server = server(&Tls::new(&files(&authority.server(), clients)).unwrap()).await;
            let config = config_of(&authority, Some(&identity), &[b"h2"], &[version]);
            // The session ticket arrives with the first response.
            assert_eq!(answers(&server, config.clone()).await, Ok(Code::Ok));
            let stream = connect(&server, config).await.unwrap();
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(again), "{version:?}");
        }
    }
}

#[tokio::test]
async fn a_client_is_authenticated_until_its_certificate_expires() {
    let authority = Authorities::new("authority");
    let server = server(&Tls::new(&files(&authority.server(), Some(&authority))).unwrap()).await;
    let until = SystemTime::now() + Duration::from_secs(3);
    let config = config(&authority, Some(&authority.client_until("desk", until)), &[b"h2"]);
    let idle = Client::over(connect(&server, config.clone()).await.unwrap()).await.unwrap();
    assert_eq!(idle.try_call(LIST, frame(&[])).await.unwrap().code(), Code::Ok);
    let (send, mut answers) = stream(&server, config).await;
    tokio::time::sleep(until.duration_since(SystemTime::now()).unwrap()).await;
    send.send(StreamEvaluateProposalsRequest::default()).await.unwrap();
    assert_eq!(answers.message().await.unwrap_err().code(), Code::Unauthenticated);
    assert!(timeout(PATIENCE, idle.try_call(LIST, frame(&[]))).await.unwrap().is_none());
}

/// Opens a stream of evaluations on a connection of its own, and waits for its first answer.
async fn stream(
    server: &Server,
    config: Arc<ClientConfig>,
) -> (Sender<StreamEvaluateProposalsRequest>, Streaming<StreamEvaluateProposalsResponse>) {
    let stream = Arc::new(Mutex::new(Some(connect(server, config).await.unwrap())));
    let dial = service_fn(move |_| {
        let stream = stream.lock().unwrap().take();
        async { stream.map(hyper_util::rt::TokioIo::new).ok_or(std::io::Error::other("the connection is used up")) }
    });
    let endpoint = tonic::transport::Endpoint::from_static("http://localhost");
    let mut client = RedLineServiceClient::new(endpoint.connect_with_connector(dial).await.unwrap());
    let (send, requests) = tokio::sync::mpsc::channel(4);
    let requests = tokio_stream::wrappers::ReceiverStream::new(requests);
    let mut answers = client.stream_evaluate_proposals(requests).await.unwrap().into_inner();
    send.send(StreamEvaluateProposalsRequest::default()).await.unwrap();
    assert!(answers.message().await.unwrap().is_some());
    (send, answers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn removing_an_authority_closes_the_connections_of_its_clients() {
    let (servers, staying, leaving) =
        (Authorities::new("servers"), Authorities::new("staying"), Authorities::new("leaving"));
    let with = |authorities: &str| TlsFiles {
        client_authorities: Some(authorities.as_bytes().to_vec()),
        ..files(&servers.server(), None)
    };
    let both = format!("{}{}", staying.pem(), leaving.pem());
    let tls = Tls::new(&with(&both)).unwrap();
    let server = server(&tls).await;
    let config = |authority: &Authorities| config(&servers, Some(&authority.client("desk")), &[b"h2"]);
    let (send_stays, mut answers_stays) = stream(&server, config(&staying)).await;
    let idle = Client::over(connect(&server, config(&leaving)).await.unwrap()).await.unwrap();
    let (send_gone, mut answers_gone) = stream(&server, config(&leaving)).await;
    // Neither a new server certificate nor an added authority affects connected clients.
    let third = Authorities::new("third");
    for authorities in [both.clone(), format!("{both}{}", third.pem())] {
        tls.replace(&with(&authorities)).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(idle.try_call(LIST, frame(&[])).await.unwrap().code(), Code::Ok);
        send_gone.send(StreamEvaluateProposalsRequest::default()).await.unwrap();
        assert!(answers_gone.message().await.unwrap().is_some());
    }
    let taken = std::time::Instant::now();
    tls.replace(&with(&format!("{}{}", staying.pem(), third.pem()))).unwrap();
    let closed = async { while idle.try_call(LIST, frame(&[])).await.is_some() {} };
    timeout(PATIENCE, closed).await.unwrap();
    assert!(answers(&server, config(&leaving)).await.is_err());
    // An open stream gets a grace period. It then ends even if its client does nothing.
    assert!(timeout(PATIENCE, answers_gone.message()).await.unwrap().is_err());
    assert!(taken.elapsed() > Duration::from_secs(9), "{:?}", taken.elapsed());
    send_stays.send(StreamEvaluateProposalsRequest::default()).await.unwrap();
    assert!(timeout(PATIENCE, answers_stays.message()).await.unwrap().unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_outlives_its_connections_age_does_not_outlive_its_authority() {
    let (servers, others) = (Authorities::new("servers"), Authorities::new("others"));
    let identity = servers.server();
    let tls = Tls::new(&files(&identity, Some(&servers))).unwrap();
    let old = ConnectionLimits { max_age: Duration::from_millis(100), ..ConnectionLimits::default() };
    let server = server_with(&tls, old).await;
    let config = config(&servers, Some(&servers.client("desk")), &[b"h2"]);
    let (send, mut answers) = stream(&server, config).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    send.send(StreamEvaluateProposalsRequest::default()).await.unwrap();
    assert!(timeout(PATIENCE, answers.message()).await.unwrap().unwrap().is_some());
    tls.replace(&files(&identity, Some(&others))).unwrap();
    assert!(timeout(PATIENCE, answers.message()).await.expect("the stream is cut").is_err());
}

#[test]
fn unusable_files_are_rejected() {
    let authority = Authorities::new("authority");
    let (one, other) = (authority.server(), authority.server());
    let good = files(&one, Some(&authority));
    assert!(Tls::new(&good).is_ok());
    let refused = |files: TlsFiles| Tls::new(&files).unwrap_err();
    let key = other.key.clone().into_bytes();
    assert!(matches!(refused(TlsFiles { key, ..good.clone() }), TlsError::Pair(_)));
    assert!(matches!(refused(TlsFiles { certificate: Vec::new(), ..good.clone() }), TlsError::NoCertificate));
    let half = good.certificate[..good.certificate.len() / 2].to_vec();
    assert!(matches!(
        refused(TlsFiles { certificate: half, ..good.clone() }),
        TlsError::Certificate(_) | TlsError::NoCertificate
    ));
    let half = good.key[..good.key.len() / 2].to_vec();
    assert!(matches!(refused(TlsFiles { key: half, ..good.clone() }), TlsError::Key(_)));
    let expired = authority.server_until(SystemTime::now() - Duration::from_secs(10));
    assert!(matches!(refused(files(&expired, None)), TlsError::Expired));
    let now = SystemTime::now();
    let until = now + Duration::from_secs(3_600);
    let early = refused(files(&authority.server_between(now + Duration::from_secs(60), until), None));
    assert!(matches!(early, TlsError::NotYetValid(_)) && early.to_string().contains("not valid before 20"), "{early}");
    assert!(Tls::new(&files(&authority.server_between(now - Duration::from_secs(1), until), None)).is_ok());
    assert!(matches!(
        refused(TlsFiles { client_authorities: Some(Vec::new()), ..good.clone() }),
        TlsError::Verifier(_)
    ));
    // Debug output does not contain a private key either.
    assert!(!format!("{good:?}").contains("PRIVATE"));
}

#[tokio::test]
async fn unusable_files_leave_the_previous_certificate_in_use() {
    let authority = Authorities::new("authority");
    let tls = Tls::new(&files(&authority.server(), None)).unwrap();
    let server = server(&tls).await;
    let before = tls.expires();
    let mut broken = files(&authority.server(), None);
    broken.key.truncate(10);
    assert!(tls.replace(&broken).is_err());
    assert_eq!(tls.expires(), before);
    assert_eq!(answers(&server, config(&authority, None, &[b"h2"])).await, Ok(Code::Ok));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_rotated_under_load_and_no_call_is_lost() {
    let authority = Authorities::new("authority");
    let tls = Tls::new(&files(&authority.server(), None)).unwrap();
    let server = Arc::new(server(&tls).await);
    let config = config(&authority, None, &[b"h2"]);
    let done = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicUsize::new(0));
    let shown: Arc<Mutex<BTreeSet<Vec<u8>>>> = Arc::default();
    // One caller keeps its connection, the others open a new one every few calls.
    let callers: Vec<_> = [usize::MAX, 5, 5]
        .into_iter()
        .map(|calls_each| {
            let (server, config, done) = (server.clone(), config.clone(), done.clone());
            let (calls, shown) = (calls.clone(), shown.clone());
            tokio::spawn(async move {
                while !done.load(Relaxed) {
                    let (server, config, shown) = (server.clone(), config.clone(), shown.clone());
                    let dial = service_fn(move |_| {
                        let (server, config, shown) = (server.clone(), config.clone(), shown.clone());
                        async move {
                            let stream = connect(&server, config).await?;
                            let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
                            shown.lock().unwrap().insert(certificate);
                            Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(stream))
                        }
                    });
                    let endpoint = tonic::transport::Endpoint::from_static("http://localhost");
                    let mut client = RedLineServiceClient::new(endpoint.connect_with_connector(dial).await.unwrap());
                    for _ in 0..calls_each {
                        client.list_scenarios(ListScenariosRequest::default()).await.unwrap();
                        calls.fetch_add(1, Relaxed);
                        if done.load(Relaxed) {
                            break;
                        }
                    }
                }
            })
        })
        .collect();
    let enough = async {
        while calls.load(Relaxed) < 300 || shown.lock().unwrap().len() < 10 {
            tls.replace(&files(&authority.server(), None)).unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE * 2, enough).await.expect("calls go on, and new connections see new certificates");
    done.store(true, Relaxed);
    for caller in callers {
        timeout(PATIENCE, caller).await.unwrap().expect("no call is lost");
    }
}
