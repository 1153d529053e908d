//! The accept loop: serves any service behind the middleware, and drains.

use crate::middleware::GateLayer;
use crate::middleware::calls::CallsLayer;
use crate::middleware::compression::InKindLayer;
use crate::middleware::deadline::DeadlineLayer;
use crate::middleware::panics::PanicsLayer;
use crate::middleware::receive;
use crate::middleware::request_id::RequestIdLayer;
use crate::server::gates::Gates;
use crate::server::health::Readiness;
use crate::server::settings::Settings;
use crate::shutdown::Drained;
use crate::transport::connection::{self, Serving};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceBuilder, ServiceExt};
use tracing::{debug, info, warn};

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::grpc::server";

/// When accepting fails (out of file descriptors, mostly), the pause before the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// When the last call of a drain is over: what connections may take to close before they are cut.
const LINGER: Duration = Duration::from_secs(1);
/// Those that come and go where as many are open as may be would fill the log.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(10);

/// Serves any service behind the layers of this server, until `stop` completes; then drains. `ending` is cancelled
/// when clients are told to go: calls that could go on for ever end themselves.
pub async fn serve_routes<S, B>(
    listener: TcpListener,
    service: S,
    mut readiness: Readiness,
    settings: Settings,
    gates: Gates,
    ending: CancellationToken,
    stop: impl Future<Output = ()>,
) -> Drained
where
    S: Service<Request<receive::Timely<Incoming>>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Gates { metrics, access, places, tls, connections: open, calls, stalled } = gates;
    let receive = settings.receive;
    let service = ServiceBuilder::new()
        .layer(RequestIdLayer)
        .layer(CallsLayer::new(calls.clone(), metrics.clone(), settings.max_request_bytes))
        .layer(PanicsLayer)
        .layer(DeadlineLayer)
        .layer(GateLayer(access))
        .layer(GateLayer(places))
        .layer(InKindLayer)
        .service(service.map_request(move |request| receive::in_time(request, receive)));
    let (close, closing) = watch::channel(false);
    let http2 = connection::http2(&settings.connection, stalled);
    let serving = Serving { http2, limits: settings.connection, tls, closing };
    let mut connections = JoinSet::new();
    let (mut is_full, mut told_full) = (false, None::<Instant>);
    let mut stop = pin!(async {
        stop.await;
        readiness.draining().await;
        sleep(settings.drain.pause).await;
        readiness.close().await;
    });
    loop {
        open.store(connections.len(), Relaxed);
        let has_room = connections.len() < settings.max_connections;
        if !has_room && !is_full {
            metrics.connection_refused("full");
        }
        if !has_room && told_full.is_none_or(|told| told.elapsed() > BETWEEN_WARNINGS) {
            told_full = Some(Instant::now());
            warn!(
                target: LOG_TARGET,
                connections = connections.len(),
                "as many connections are open as may be: more wait until one closes"
            );
        }
        is_full = !has_room;
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if has_room => match accepted {
                Ok((stream, address)) => {
                    metrics.connection();
                    let connection = connection::serve(stream, address.ip(), serving.clone(), service.clone());
                    let metrics = metrics.clone();
                    connections.spawn(connection.map(move |ended| match ended {
                        Ok(ended) => metrics.connection_ended(ended.reason()),
                        Err(refused) => {
                            metrics.connection_refused(refused.reason());
                            debug!(
                                target: LOG_TARGET,
                                error = &refused as &dyn std::error::Error,
                                "a connection is not served"
                            );
                        }
                    }));
                }
                // A client that left while it waited is no reason to pause.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    warn!(target: LOG_TARGET, %error, "can't accept connections");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    // New clients are refused at once, rather than after a wait.
    drop(listener);
    ending.cancel();
    close.send_replace(true);
    calls.close();
    info!(target: LOG_TARGET, calls = calls.len(), connections = connections.len(), "draining");
    let all_closed = async { while connections.join_next().await.is_some() {} };
    let all_answered = async {
        // Who has not read yet that it is to go may still call: until none has for a while.
        loop {
            calls.wait().await;
            sleep(LINGER).await;
            if calls.is_empty() {
                break;
            }
        }
    };
    let drained = timeout(settings.drain.timeout, async {
        tokio::select! {
            () = all_closed => {}
            () = all_answered => {}
        }
    });
    match drained.await {
        Ok(()) if calls.is_empty() => Drained::Whole,
        _ => Drained::Cut { calls: calls.len() },
    }
}
