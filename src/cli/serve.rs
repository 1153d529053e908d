//! `detente serve`: loads the scenarios, binds, serves, drains.

use super::source;
use crate::config::ServeOptions;
use crate::engine::Compiled;
use crate::grpc::server::{self, Settings};
use crate::serving::Store;
use crate::shutdown::{Drained, Signals};
use crate::telemetry;
use anyhow::{Context, Result, anyhow};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tracing::{info, warn};

/// Ended by a second signal, or with calls cut.
const UNCLEAN: u8 = 1;

/// Runs the server until a signal ends it.
///
/// # Errors
/// If a scenario can't be loaded, or the address can't be bound.
pub(super) fn run(options: &ServeOptions) -> Result<ExitCode> {
    telemetry::init(options.log_format, &options.log)?;
    let store = Arc::new(Store::new(source::load(&options.scenarios)?)?);
    let runtime = Runtime::new().context("the runtime can't be started")?;
    let code = runtime.block_on(serve(options, store));
    // Connections that were cut are left to the operating system.
    runtime.shutdown_background();
    code
}

async fn serve(options: &ServeOptions, store: Arc<Store>) -> Result<ExitCode> {
    let signals = Signals::new().context("signals can't be watched")?;
    let listener = bind(&options.listen).await?;
    let address = listener.local_addr()?;
    announce(address, options, &store);
    let settings = Settings {
        reflection: options.reflection,
        max_connections: options.max_connections,
        cache_bytes: options.cache,
        stream_idle: options.stream_idle,
        stall: options.stall,
        analyses: options.analyses,
        analysis_time: options.analysis_time,
        drain: options.drain(),
    };
    let ended = signals.heeded_by(|stop| async {
        // The signals' end of it never goes first.
        server::serve(listener, store, settings, async { stop.await.unwrap_or_default() }).await
    });
    Ok(match ended.await.transpose()? {
        Some(Drained::Whole) => {
            info!("ended");
            ExitCode::SUCCESS
        }
        Some(Drained::Cut { calls }) => {
            warn!(calls, "ended with calls cut: they took longer than --drain-timeout");
            ExitCode::from(UNCLEAN)
        }
        None => ExitCode::from(UNCLEAN),
    })
}

async fn bind(address: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            anyhow!(
                "{address} is taken, perhaps by another instance: choose another address with --listen (DETENTE_LISTEN)"
            )
        }
        ErrorKind::InvalidInput => {
            anyhow!("`{address}` is not an address: give --listen (DETENTE_LISTEN) one like 127.0.0.1:50051")
        }
        _ => anyhow!("can't listen on {address} (--listen, DETENTE_LISTEN): {error}"),
    })
}

fn announce(address: SocketAddr, options: &ServeOptions, store: &Store) {
    for compiled in store.list() {
        log_scenario(&compiled, Some(&compiled.scenario().id) == store.default_id());
    }
    let reach = if address.ip().is_loopback() { "from this machine only" } else { "from the network" };
    info!(%address, reflection = options.reflection, "listening on {address}: gRPC in plaintext, {reach}");
}

fn log_scenario(compiled: &Compiled, default: bool) {
    let scenario = compiled.scenario();
    info!(
        revision = %scenario.revision,
        default,
        parties = scenario.parties.len(),
        issues = scenario.issues().len(),
        red_lines = scenario.red_lines.len(),
        proposals = scenario.proposals.len(),
        "scenarios/{}",
        scenario.id
    );
}
