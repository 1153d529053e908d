//! A server on a free port, and a client that sends exactly the bytes and headers that a test gives it.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

pub mod binary;
#[cfg(feature = "otlp")]
pub mod collector;
pub mod credentials;
pub mod hostile;
pub mod hostile_files;
pub mod pigeons;
pub mod program;
pub mod served;

use bytes::{Bytes, BytesMut};
use detente::server;
use detente::server::{ServeError, Settings};
use detente::serving::Store;
use detente::serving::source;
use detente::shutdown::{Drain, DrainOutcome};
use detente::telemetry::Metrics;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::response::Parts;
use http::{HeaderMap, Request, StatusCode};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::{ErrorInfo, StatusExt};

/// The path of EvaluateProposal.
pub const EVALUATE: &str = "/detente.v1.RedLineService/EvaluateProposal";
/// The path of ListScenarios, which every server can answer.
pub const LIST: &str = "/detente.v1.RedLineService/ListScenarios";
/// The full name of the service.
pub const SERVICE: &str = "detente.v1.RedLineService";
/// The longest time for which a test waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running server in the test process.
pub struct Server {
    pub address: SocketAddr,
    /// The metrics that the server counts.
    pub metrics: Metrics,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<DrainOutcome, ServeError>>,
}

impl Server {
    /// Starts the real service with the bundled scenario and without a pause before the drain.
    pub async fn start() -> Self {
        Self::with(Settings { drain: quick(), ..Settings::default() }).await
    }

    pub async fn with(settings: Settings) -> Self {
        Self::of(Arc::new(Store::new(source::load(&[]).unwrap()).unwrap()), settings).await
    }

    pub async fn of(store: Arc<Store>, settings: Settings) -> Self {
        Self::run(store, settings, |server| server).await
    }

    /// Starts a server. `furnish` can configure what is not part of the settings.
    pub async fn run(
        store: Arc<Store>,
        settings: Settings,
        furnish: impl FnOnce(server::Server) -> server::Server,
    ) -> Self {
        // CI runs the suite a second time with `DETENTE_CACHE=0`, the variable that the program itself reads.
        let off = std::env::var("DETENTE_CACHE").is_ok_and(|cache| cache == "0");
        let settings = Settings { cache_bytes: if off { 0 } else { settings.cache_bytes }, ..settings };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let metrics = Metrics::new(None).unwrap();
        let server = furnish(server::Server::new(listener, store, settings).with_metrics(metrics.clone()));
        let task = tokio::spawn(server.run(async { stopped.await.unwrap_or_default() }));
        Self { address, metrics, stop, task }
    }

    /// Starts the shutdown. The returned task ends with its outcome.
    pub fn stop(self) -> JoinHandle<Result<DrainOutcome, ServeError>> {
        let _ = self.stop.send(());
        self.task
    }

    /// The value of a metric in the text format for Prometheus; 0 if the metric is absent.
    pub fn value(&self, metric: &str) -> f64 {
        value(&self.metrics, metric)
    }

    /// Waits until the value of a metric meets a condition. Panics after [`PATIENCE`].
    pub async fn until(&self, metric: &str, holds: impl Fn(f64) -> bool) {
        until(&self.metrics, metric, holds).await;
    }

    pub async fn channel(&self) -> Channel {
        channel(self.address).await
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Fails unless the server answers a call on a new connection.
    pub async fn assert_answers(&self) {
        assert_eq!(self.client().await.call(LIST, &[], frame(&[])).await.code(), Code::Ok);
    }
}

/// The value of a metric in the text format for Prometheus; 0 if the metric is absent.
pub fn value(metrics: &Metrics, metric: &str) -> f64 {
    let text = metrics.text().unwrap();
    text.lines().find_map(|line| line.strip_prefix(metric)?.trim().parse().ok()).unwrap_or(0.0)
}

/// Waits until the value of a metric meets a condition. Panics after [`PATIENCE`].
pub async fn until(metrics: &Metrics, metric: &str, holds: impl Fn(f64) -> bool) {
    let begun = Instant::now();
    while !holds(value(metrics, metric)) {
        assert!(begun.elapsed() < PATIENCE, "{metric} is {}:\n{}", value(metrics, metric), metrics.text().unwrap());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A drain (the end of a server's work at shutdown) without a pause, which ends calls that still run after two seconds.
pub fn quick() -> Drain {
    Drain { pause: Duration::ZERO, timeout: Duration::from_secs(2) }
}

pub async fn channel(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// A message in gRPC's framing, uncompressed.
pub fn frame(message: &[u8]) -> Bytes {
    flagged(0, message)
}

/// A message in gRPC's framing, with the given compression flag.
pub fn flagged(flag: u8, message: &[u8]) -> Bytes {
    let mut framed = BytesMut::new();
    framed.extend_from_slice(&[flag]);
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend_from_slice(message);
    framed.freeze()
}

/// An HTTP/2 client that adds gRPC's headers but not its framing: the caller passes framed bytes.
#[derive(Clone)]
pub struct Client {
    send: SendRequest<Bytes>,
}

impl From<SendRequest<Bytes>> for Client {
    fn from(send: SendRequest<Bytes>) -> Self {
        Self { send }
    }
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap()).await.unwrap()
    }

    /// A client over an existing connection.
    pub async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Self, h2::Error> {
        Self::with_windows(stream, 8 * 1024 * 1024).await
    }

    /// A client that buffers up to `window` bytes of each unread response.
    pub async fn with_windows(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        window: u32,
    ) -> Result<Self, h2::Error> {
        let (send, connection) = h2::client::Builder::new()
            .initial_window_size(window)
            .initial_connection_window_size(8 * 1024 * 1024)
            .handshake(stream)
            .await?;
        tokio::spawn(connection);
        Ok(Self { send })
    }

    /// Opens a call, or returns the error of the connection.
    pub async fn try_open(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let mut request = Request::post(format!("http://detente{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send.clone().ready().await?.send_request(request.body(()).unwrap(), false)
    }

    /// Opens a call. Panics if the connection fails.
    pub async fn open(&self, path: &str, headers: &[(&str, &str)]) -> (ResponseFuture, SendStream<Bytes>) {
        self.try_open(path, headers).await.unwrap()
    }

    /// Sends the bytes as the whole request, and reads the response; `None` if the connection fails.
    pub async fn try_call(&self, path: &str, body: impl Into<Bytes>) -> Option<Answer> {
        let opened = self.try_open(path, &[]).await.ok()?;
        let answer = Self::finish(opened, body.into()).await;
        answer.http.is_some().then_some(answer)
    }

    /// Sends the bytes as the whole request, and reads the response. Panics if the call cannot be opened.
    pub async fn call(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        Self::finish(self.open(path, headers).await, body.into()).await
    }

    /// Sends the whole request of an open call, and reads the response.
    async fn finish((answer, mut send): (ResponseFuture, SendStream<Bytes>), body: Bytes) -> Answer {
        // The server may have responded, and reset the stream, before it has read everything.
        let _ = send.send_data(body, true);
        Answer::read(answer).await
    }
}

/// A response as the client received it, even if it is an error or was reset before it was complete.
#[derive(Debug, Default)]
pub struct Answer {
    pub http: Option<StatusCode>,
    pub headers: HeaderMap,
    pub data: Vec<u8>,
    pub trailers: Option<HeaderMap>,
    pub reset: Option<h2::Reason>,
}

impl Answer {
    pub async fn read(answer: ResponseFuture) -> Self {
        tokio::time::timeout(PATIENCE, async {
            match answer.await {
                Ok(response) => {
                    let (parts, body) = response.into_parts();
                    Self::read_body(parts, body).await
                }
                Err(error) => Self { reset: error.reason(), ..Self::default() },
            }
        })
        .await
        .expect("an answer in time")
    }

    /// Reads the body and trailers of a response whose headers have arrived.
    pub async fn rest(response: http::Response<RecvStream>) -> Self {
        let (parts, body) = response.into_parts();
        tokio::time::timeout(PATIENCE, Self::read_body(parts, body)).await.expect("an answer in time")
    }

    async fn read_body(parts: Parts, mut body: RecvStream) -> Self {
        let mut answer = Self { http: Some(parts.status), headers: parts.headers, ..Self::default() };
        while let Some(data) = body.data().await {
            match data {
                Ok(data) => {
                    let _ = body.flow_control().release_capacity(data.len());
                    answer.data.extend_from_slice(&data);
                }
                Err(error) => {
                    answer.reset = error.reason();
                    return answer;
                }
            }
        }
        answer.trailers = body.trailers().await.ok().flatten();
        answer
    }

    pub fn status(&self) -> Status {
        let headers = self.trailers.as_ref().unwrap_or(&self.headers);
        Status::from_header_map(headers).unwrap_or_else(|| panic!("no status in {self:?}"))
    }

    pub fn code(&self) -> Code {
        self.status().code()
    }

    pub fn request_id(&self) -> &str {
        self.headers.get("x-request-id").unwrap().to_str().unwrap()
    }

    pub fn error_info(&self) -> ErrorInfo {
        self.status().get_error_details().error_info().cloned().expect("ErrorInfo")
    }
}
