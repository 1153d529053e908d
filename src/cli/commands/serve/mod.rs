//! `detente serve`: reads what it is asked for, binds, serves, drains.

mod credentials;
mod options;

pub(crate) use options::ServeOptions;

use crate::cli::report::UsageError;
use crate::server::Server;
use crate::serving::{DecisionLog, LoadError, Reload, Reloads, ScenarioFiles, Store, Watch};
use crate::shutdown::{Drained, Signals};
use crate::telemetry::{self, Metrics};
use anyhow::{Context, Result};
use detente_core::engine::Compiled;
use options::Listening;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;
use tokio::net::{TcpListener, lookup_host};
use tokio::runtime::Builder;
use tracing::{info, warn};

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::cli::serve";

/// Ended by a second signal, or with calls cut.
const UNCLEAN: u8 = 1;
/// At the end, how long the decision log may take to write what waits.
const LAST_DECISIONS: Duration = Duration::from_secs(2);
/// What turns the admin listener off.
const OFF: &str = "off";

/// Runs the server until a signal ends it.
///
/// # Errors
/// If what is asked for can't be had.
pub(super) fn run(options: &ServeOptions) -> Result<ExitCode> {
    options.check().map_err(UsageError)?;
    let threads = match options.limits.threads {
        0 => available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    // Always given: without a number tokio reads a variable of its own, and panics if it is unfit.
    let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let runtime = runtime.context("the runtime can't be started")?;
    let within = runtime.enter();
    let otlp = options.otlp();
    let observability = &options.observability;
    let telemetry = telemetry::init(observability.log_format, &observability.log, otlp.as_ref())?;
    let code = runtime.block_on(serve(options));
    drop((telemetry, within));
    // Connections that were cut are left to the operating system.
    runtime.shutdown_background();
    code
}

async fn serve(options: &ServeOptions) -> Result<ExitCode> {
    let signals = Signals::new().context("signals can't be watched")?;
    let (place, default) = options.scenario_location();
    let scenarios = Arc::new(ScenarioFiles::load(place, default).map_err(faulty)?);
    let store = scenarios.store().clone();
    let mut sources: Vec<Arc<dyn Reload>> = Vec::new();
    let (tls, files) = credentials::tls(&options.tls)?.unzip();
    sources.extend(files);
    let (authority, files) = credentials::callers(&options.callers)?;
    sources.extend(files);
    // Last: who is let in no longer must not wait for a thousand files.
    sources.push(scenarios);
    let reloads = Reloads::new(sources);
    let interval = Some(options.scenarios.reload_interval).filter(|interval| !interval.is_zero());
    let watch = Watch::new(&reloads.folders(), interval)?;
    let decisions = options.decisions().map(DecisionLog::open).transpose();
    let decisions = decisions
        .map_err(|error| UsageError(format!("the decision log can't be written (--decision-log): {error}")))?;
    let metrics = Metrics::new(options.otlp().as_ref())?;

    let is_encrypted = options.tls.tls_cert.is_some();
    let is_authenticated = authority.is_needed() || options.tls.tls_client_ca.is_some();
    let listener = bind(&options.listening, is_encrypted, is_authenticated).await?;
    let admin = match options.listening.admin_listen.as_str() {
        OFF => None,
        address => {
            let (flag, variable) = ("--admin-listen", "DETENTE_ADMIN_LISTEN");
            Some(bind_to(address, &resolve(address, flag, variable).await?, flag, variable).await?)
        }
    };
    announce(&listener.local_addr()?, options, &store, is_authenticated);
    if let Some(admin) = &admin {
        let address = admin.local_addr()?;
        info!(
            target: LOG_TARGET,
            %address,
            "admin listener on {address}: health, metrics, in plaintext, {}",
            reach(&address)
        );
    }
    let server = Server::new(listener, store, options.settings())
        .with_admin(admin)
        .with_tls(tls)
        .with_authority(authority)
        .with_decisions(decisions.clone())
        .with_metrics(metrics.clone())
        .with_reloads(reloads, watch);
    let ended = signals.heeded_by(|stop| async {
        // The signals' end of it never goes first.
        server.run(async { stop.await.unwrap_or_default() }).await
    });
    let ended = ended.await.transpose()?;
    if ended.is_some() {
        if let Some(decisions) = decisions {
            decisions.end(LAST_DECISIONS);
        }
        metrics.end();
    }
    Ok(match ended {
        Some(Drained::Whole) => {
            info!(target: LOG_TARGET, "ended");
            ExitCode::SUCCESS
        }
        Some(Drained::Cut { calls }) => {
            warn!(target: LOG_TARGET, calls, "ended with calls cut: they took longer than --drain-timeout");
            ExitCode::from(UNCLEAN)
        }
        None => ExitCode::from(UNCLEAN),
    })
}

/// Faults of a scenario file are shown with their places; the rest is a sentence.
fn faulty(error: LoadError) -> anyhow::Error {
    match error {
        LoadError::File(error) => error.into(),
        error => UsageError(error.to_string()).into(),
    }
}

/// Binds the main listener, unless that would show to others what nobody said they may see.
async fn bind(listening: &Listening, is_encrypted: bool, is_authenticated: bool) -> Result<TcpListener> {
    let address = &listening.listen;
    let resolved = resolve(address, "--listen", "DETENTE_LISTEN").await?;
    if resolved.iter().any(|address| !address.ip().is_loopback()) {
        if !is_encrypted && !listening.allow_plaintext {
            let text = format!(
                "{address} is reached from the network, and TLS is not set up: give --tls-cert and --tls-key, or say \
                 --allow-plaintext (DETENTE_ALLOW_PLAINTEXT=true)"
            );
            return Err(UsageError(text).into());
        }
        if !is_authenticated && !listening.allow_anonymous {
            let text = format!(
                "{address} is reached from the network, and everyone could ask everything: give --tokens, --jwks or \
                 --tls-client-ca, or say --allow-anonymous (DETENTE_ALLOW_ANONYMOUS=true)"
            );
            return Err(UsageError(text).into());
        }
    }
    bind_to(address, &resolved, "--listen", "DETENTE_LISTEN").await
}

/// Once: what is bound is what was looked at.
async fn resolve(address: &str, flag: &str, variable: &str) -> Result<Vec<SocketAddr>> {
    match lookup_host(address).await {
        Ok(resolved) => Ok(resolved.collect()),
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            let text = format!("`{address}` is not an address: give {flag} ({variable}) one like 127.0.0.1:50051");
            Err(UsageError(text).into())
        }
        Err(error) => Err(UsageError(format!("{address} can't be resolved ({flag}, {variable}): {error}")).into()),
    }
}

async fn bind_to(address: &str, resolved: &[SocketAddr], flag: &str, variable: &str) -> Result<TcpListener> {
    TcpListener::bind(resolved).await.map_err(|error| {
        let text = match error.kind() {
            ErrorKind::AddrInUse => {
                format!(
                    "{address} is taken, perhaps by another instance: choose another address with {flag} ({variable})"
                )
            }
            _ => format!("can't listen on {address} ({flag}, {variable}): {error}"),
        };
        UsageError(text).into()
    })
}

fn announce(address: &SocketAddr, options: &ServeOptions, store: &Store, is_authenticated: bool) {
    for compiled in store.list() {
        log_scenario(&compiled, store.default_id().as_ref() == Some(&compiled.scenario().id));
    }
    let how = match (&options.tls.tls_cert, &options.tls.tls_client_ca) {
        (None, _) => "in plaintext",
        (Some(_), None) => "over TLS",
        (Some(_), Some(_)) => "over mutual TLS",
    };
    let whom = if is_authenticated { "to known callers" } else { "to everyone" };
    let reflection = options.listening.reflection;
    info!(target: LOG_TARGET, %address, reflection, "listening on {address}: gRPC {how}, {whom}, {}", reach(address));
}

fn reach(address: &SocketAddr) -> &'static str {
    if address.ip().is_loopback() { "from this machine only" } else { "from the network" }
}

fn log_scenario(compiled: &Compiled, default: bool) {
    let scenario = compiled.scenario();
    info!(
        target: LOG_TARGET,
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
