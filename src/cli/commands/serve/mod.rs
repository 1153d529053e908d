//! `detente serve`: reads the settings and files, binds the listeners, serves, and drains on a signal.
//!
//! Owns the order of these steps and the log lines about them. Must not know how a call is answered.

mod credentials;
mod listen;
mod options;

pub(crate) use options::ServeOptions;

use crate::cli::report::UsageError;
use crate::cli::variables::setting;
use crate::server::memory::MemoryPlan;
use crate::server::{Server, TooFewDescriptors, reserve_descriptors};
use crate::serving::{DecisionLog, DefaultState, LoadError, Reload, Reloads, ScenarioFiles, Store};
use crate::shutdown::{DrainOutcome, Signals};
use crate::telemetry::{self, Metrics, memory_limit};
use anyhow::{Context, Result};
use detente_core::engine::Compiled;
use listen::{has_no_ipv6, listen};
use options::{Listening, Scenarios};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;
use tokio::net::{TcpListener, lookup_host};
use tokio::runtime::Builder;
use tracing::{info, warn};

/// The target of the log events of this module. Log filters name it, so it must not change.
const LOG_TARGET: &str = "detente::cli::serve";

/// Exit code after a second signal, or if open calls were cut off on shutdown.
const UNCLEAN: u8 = 1;
/// Time that the decision log has on shutdown to write its queue.
const LAST_DECISIONS: Duration = Duration::from_secs(2);
/// The value of `--admin-listen` that disables the admin listener.
const OFF: &str = "off";

/// Runs the server until a signal ends it. Logs `warnings` about the settings first.
///
/// # Errors
/// If a setting is wrong, or a file or address cannot be used.
pub(super) fn run(options: &ServeOptions, warnings: &[String]) -> Result<ExitCode> {
    options.check().map_err(UsageError)?;
    reserve_descriptors(options.limits.max_connections).map_err(too_few)?;
    let threads = match options.limits.threads {
        0 => available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    // Always set the number of threads. Otherwise tokio reads TOKIO_WORKER_THREADS, and panics if its value is not a
    // number.
    let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let runtime = runtime.context("the runtime cannot start")?;
    let entered = runtime.enter();
    let otlp = options.otlp();
    let observability = &options.observability;
    let telemetry = telemetry::init(observability.log_format, &observability.log, otlp.as_ref())?;
    warnings.iter().for_each(|warning| warn!(target: LOG_TARGET, "{warning}"));
    let code = runtime.block_on(serve(options, threads));
    drop((telemetry, entered));
    // Do not wait for the tasks of connections whose calls were cut off. The operating system closes their sockets.
    runtime.shutdown_background();
    code
}

async fn serve(options: &ServeOptions, threads: usize) -> Result<ExitCode> {
    let signals = Signals::new().context("cannot handle signals")?;
    let (place, default) = options.scenario_location();
    let loaded = ScenarioFiles::load(place, default, options.scenarios.size.bytes);
    let scenarios = Arc::new(loaded.map_err(|error| faulty(error, &options.scenarios))?);
    let store = scenarios.store().clone();
    check_memory(options, threads, &store)?;
    let mut sources: Vec<Arc<dyn Reload>> = Vec::new();
    let (tls, files) = credentials::tls(&options.tls)?.unzip();
    sources.extend(files);
    let (authority, files) = credentials::callers(&options.callers)?;
    sources.extend(files);
    sources.push(scenarios);
    let reloads = Reloads::new(sources);
    let interval = Some(options.scenarios.reload_interval).filter(|interval| !interval.is_zero());
    let reloaders = reloads.watch(interval)?;
    let decisions = options.decisions().map(DecisionLog::open).transpose();
    let decisions =
        decisions.map_err(|error| UsageError(format!("{}: cannot write: {error}", setting("--decision-log"))))?;
    let metrics = Metrics::new(options.otlp().as_ref())?;

    let is_encrypted = options.tls.tls_cert.is_some();
    let is_authenticated = authority.is_needed() || options.tls.tls_client_ca.is_some();
    let listener = bind(&options.listening, is_encrypted, is_authenticated).await?;
    let admin = match options.listening.admin_listen.as_str() {
        OFF => None,
        address => {
            let (flag, variable) = ("--admin-listen", "DETENTE_ADMIN_LISTEN");
            Some(bind_to(address, &resolve(address, flag, variable).await?, flag, variable)?)
        }
    };
    announce(&listener.local_addr()?, options, &store, is_authenticated);
    if let Some(admin) = &admin {
        let address = admin.local_addr()?;
        info!(
            target: LOG_TARGET,
            %address,
            "admin listener on {address}: health and metrics in plaintext, {}",
            reach(&address)
        );
    }
    let server = Server::new(listener, store, options.settings())
        .with_admin(admin)
        .with_tls(tls)
        .with_authority(authority)
        .with_decisions(decisions.clone())
        .with_metrics(metrics.clone())
        .with_reloads(reloads, reloaders);
    let drained = signals.run_until_signal(|stop| async {
        // `unwrap_or_default` never applies, because the sender outlives this future.
        server.run(async { stop.await.unwrap_or_default() }).await
    });
    let drained = drained.await.transpose()?;
    if drained.is_some() {
        if let Some(decisions) = decisions {
            decisions.end(LAST_DECISIONS);
        }
        metrics.end();
    }
    Ok(match drained {
        Some(DrainOutcome::Complete) => {
            info!(target: LOG_TARGET, "ended");
            ExitCode::SUCCESS
        }
        Some(DrainOutcome::Cut { calls }) => {
            warn!(target: LOG_TARGET, calls, "ended with calls cut off: they took longer than --drain-timeout");
            ExitCode::from(UNCLEAN)
        }
        None => ExitCode::from(UNCLEAN),
    })
}

/// Says how there can be enough file descriptors.
fn too_few(error: TooFewDescriptors) -> UsageError {
    let needed = error.needed();
    let lower = error.allowed().map_or_else(String::new, |allowed| format!("lower the setting to {allowed}, or "));
    UsageError(format!(
        "{}: {error}; {lower}raise the hard limit to {needed} (`ulimit -n {needed}`, or `LimitNOFILE={needed}` in a \
         systemd unit)",
        setting("--max-connections")
    ))
}

/// Checks that the memory of the process suffices for the settings and the loaded scenarios.
fn check_memory(options: &ServeOptions, threads: usize, store: &Store) -> Result<()> {
    let scenarios: usize = store.list().iter().map(|compiled| compiled.bytes()).sum();
    let plan = MemoryPlan {
        scenarios: scenarios as u64,
        scenario_file: options.scenarios.size.bytes as u64,
        has_credentials: [&options.callers.tokens, &options.callers.jwks, &options.tls.tls_client_ca]
            .iter()
            .any(|file| file.is_some()),
        has_decision_log: options.decisions().is_some(),
        ..MemoryPlan::of(&options.settings(), threads)
    };
    let (most, limit) = (plan.total(), memory_limit());
    if let Some(limit) = limit {
        plan.check(limit).map_err(|error| UsageError(error.to_string()))?;
    }
    let mib = |bytes: u64| bytes.div_ceil(1024 * 1024);
    let (most, limit) = (mib(most), limit.map(mib));
    info!(target: LOG_TARGET, most, limit, "with these settings, the server needs at most {most} MiB of memory");
    Ok(())
}

/// Converts an error of loading scenarios to a usage error, which names the setting and exits with 2.
///
/// Faults in a file keep their own error, which names their positions.
fn faulty(error: LoadError, scenarios: &Scenarios) -> anyhow::Error {
    let flag = match error {
        LoadError::File(error) if error.faults().is_some() => return error.into(),
        LoadError::NoDefault(_) => "--default-scenario",
        _ if scenarios.folder.is_some() => "--scenarios",
        _ => "--scenario",
    };
    UsageError(format!("{}: {error}", setting(flag))).into()
}

/// Binds the main listener.
///
/// Rejects an address that other machines can reach without TLS or authentication, unless the settings allow it.
async fn bind(listening: &Listening, is_encrypted: bool, is_authenticated: bool) -> Result<TcpListener> {
    let address = &listening.listen;
    let resolved = resolve(address, "--listen", "DETENTE_LISTEN").await?;
    if resolved.iter().any(|address| !address.ip().is_loopback()) {
        if !is_encrypted && !listening.allow_plaintext {
            let text = format!(
                "{address} is reachable from the network, and TLS is not set up; set --tls-cert and --tls-key, or \
                 --allow-plaintext (DETENTE_ALLOW_PLAINTEXT=true)"
            );
            return Err(UsageError(text).into());
        }
        if !is_authenticated && !listening.allow_anonymous {
            let text = format!(
                "{address} is reachable from the network, and callers are not identified; set --tokens, --jwks or \
                 --tls-client-ca, or --allow-anonymous (DETENTE_ALLOW_ANONYMOUS=true)"
            );
            return Err(UsageError(text).into());
        }
    }
    bind_to(address, &resolved, "--listen", "DETENTE_LISTEN")
}

/// Resolves an address once, so that the addresses that were checked are the ones that are bound.
///
/// IPv4-mapped IPv6 addresses become the IPv4 addresses that they stand for, so that the check for loopback knows them.
async fn resolve(address: &str, flag: &str, variable: &str) -> Result<Vec<SocketAddr>> {
    match lookup_host(address).await {
        Ok(resolved) => Ok(resolved.map(|address| (address.ip().to_canonical(), address.port()).into()).collect()),
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            let text = format!(
                "`{address}` is not an address; expected HOST:PORT for {flag} ({variable}), like 127.0.0.1:50051"
            );
            Err(UsageError(text).into())
        }
        Err(error) => Err(UsageError(format!("cannot resolve {address} ({flag}, {variable}): {error}")).into()),
    }
}

fn bind_to(address: &str, resolved: &[SocketAddr], flag: &str, variable: &str) -> Result<TcpListener> {
    listen(resolved).map_err(|error| {
        let text = match error.kind() {
            ErrorKind::AddrInUse => {
                format!(
                    "{address} is in use, perhaps by another instance; choose another address with {flag} ({variable})"
                )
            }
            ErrorKind::AddrNotAvailable => format!(
                "this host does not have the address {address}; set {flag} ({variable}) to one that it has, or to \
                 [::]:PORT for all of its addresses"
            ),
            _ if has_no_ipv6(&error) => format!(
                "cannot listen on {address}, because this host has no IPv6; set {flag} ({variable}) to an IPv4 \
                 address, such as 0.0.0.0:PORT for all of them"
            ),
            _ => format!("cannot listen on {address} ({flag}, {variable}): {error}"),
        };
        UsageError(text).into()
    })
}

fn announce(address: &SocketAddr, options: &ServeOptions, store: &Store, is_authenticated: bool) {
    for compiled in store.list() {
        log_scenario(&compiled, store.default_id().as_ref() == Some(&compiled.scenario().id));
    }
    if let Some(id) = store.named_default().filter(|_| store.default_state() == DefaultState::Missing) {
        warn!(
            target: LOG_TARGET,
            "no scenario file contains the default scenario scenarios/{id}: calls that name no scenario are refused \
             until one does; add the file, or name another scenario with --default-scenario"
        );
    }
    let transport = match (&options.tls.tls_cert, &options.tls.tls_client_ca) {
        (None, _) => "in plaintext",
        (Some(_), None) => "over TLS",
        (Some(_), Some(_)) => "over mutual TLS",
    };
    let callers = if is_authenticated { "to authenticated callers" } else { "to everyone" };
    let reflection = options.listening.reflection;
    info!(
        target: LOG_TARGET,
        %address,
        reflection,
        "listening on {address}: gRPC {transport}, {callers}, {}",
        reach(address)
    );
}

/// Where an address can be reached from, for log lines.
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
