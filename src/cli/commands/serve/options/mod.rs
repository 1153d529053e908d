//! The settings of `detente serve`: flags, or environment variables (`DETENTE_*`), which flags override.
//!
//! docs/settings.md is generated from the help of these options. The first paragraph of an option gives its meaning,
//! the second the reason for its default. Must not know how settings take effect.

mod limits;
mod values;

pub(crate) use limits::Limits;

use crate::access::JwtAlgorithm;
use crate::cli::args::parsers::{duration, long_duration};
use crate::cli::args::scenario_size::ScenarioSize;
use crate::cli::variables::setting;
use crate::middleware::call_limits::CallLimits;
use crate::middleware::quota::QuotaLimit;
use crate::server::Settings;
use crate::serving::{DecisionSettings, DecisionTarget, Mask, ScenarioLocation};
use crate::shutdown::Drain;
use crate::telemetry::{LogFormat, Otlp};
use crate::transport::config::ConnectionLimits;
use clap::{ArgAction, Args};
use detente_core::scenario::ids::ScenarioId;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;
use values::{count, endpoint, file_size, filter, mask, share};

/// The options of `detente serve`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServeOptions {
    /// Addresses and access to them.
    #[command(flatten)]
    pub(crate) listening: Listening,
    /// Scenario files.
    #[command(flatten)]
    pub(crate) scenarios: Scenarios,
    /// TLS certificates.
    #[command(flatten)]
    pub(crate) tls: TlsOptions,
    /// Authentication of callers.
    #[command(flatten)]
    pub(crate) callers: Callers,
    /// Limits on connections, calls, memory and time.
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// Logs, traces, metrics and the decision log.
    #[command(flatten)]
    pub(crate) observability: Observability,
    /// Times of a shutdown.
    #[command(flatten)]
    pub(crate) shutdown: ShutdownOptions,
}

/// The addresses to listen on, and the conditions for addresses beyond this machine.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Listening")]
pub(crate) struct Listening {
    /// Address on which to serve callers. `[::]:PORT` means all addresses, of IPv4 as well. Port 0 takes any free port,
    /// which the log names.
    ///
    /// The default accepts only callers on this machine.
    #[arg(long, env = "DETENTE_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:50051")]
    pub(crate) listen: String,

    /// Address for probes and scrapers, always in plaintext: `grpc.health.v1.Health`, `/livez`, `/readyz`, `/metrics`,
    /// `/version`. `off` disables it.
    ///
    /// The metrics contain the names of scenarios: restrict the address to clients that may know them.
    #[arg(long, env = "DETENTE_ADMIN_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:50052")]
    pub(crate) admin_listen: String,

    /// Serve beyond this machine without TLS: anyone who sees the traffic can read it.
    ///
    /// Required to listen on an address other than loopback without `--tls-cert`.
    #[arg(long, env = "DETENTE_ALLOW_PLAINTEXT", value_name = "BOOL", action = ArgAction::Set, default_value_t = false,
        default_missing_value = "true", num_args = 0..=1, require_equals = true)]
    pub(crate) allow_plaintext: bool,

    /// Serve beyond this machine without identifying callers: anyone may send any request.
    ///
    /// Required to listen on an address other than loopback without `--tokens`, `--jwks` or `--tls-client-ca`.
    #[arg(long, env = "DETENTE_ALLOW_ANONYMOUS", value_name = "BOOL", action = ArgAction::Set, default_value_t = false,
        default_missing_value = "true", num_args = 0..=1, require_equals = true)]
    pub(crate) allow_anonymous: bool,

    /// Whether clients may read the schema from the server (gRPC reflection, v1 and v1alpha).
    ///
    /// Clients such as grpcurl depend on it. Where callers are identified, reflection answers only them.
    #[arg(long, env = "DETENTE_REFLECTION", value_name = "BOOL", action = ArgAction::Set, default_value_t = true)]
    pub(crate) reflection: bool,
}

/// The scenario files to serve.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Scenarios")]
pub(crate) struct Scenarios {
    /// Scenario file to serve. Repeat the flag for several files; the first one is the default scenario. In the
    /// environment, separate files by commas. [default: the bundled scenario]
    #[arg(long = "scenario", env = "DETENTE_SCENARIO", value_name = "FILE", value_delimiter = ',')]
    pub(crate) files: Vec<PathBuf>,

    /// Folder whose scenario files are served (`*.yaml` and `*.yml`, except `*_test.*`), including files that are added
    /// or removed later. A mounted ConfigMap works.
    ///
    /// Files whose names begin with a dot are ignored. A folder may hold up to 1,000 scenario files.
    #[arg(long = "scenarios", env = "DETENTE_SCENARIOS", value_name = "DIR", conflicts_with = "files")]
    pub(crate) folder: Option<PathBuf>,

    /// Id of the scenario to use for requests that name none. [default: the first --scenario; of a folder, the first by
    /// id]
    ///
    /// Set it for a folder, because the first scenario by id changes when files are added or removed. If no file
    /// contains this scenario, the server serves the others and refuses requests that name none. If its file is removed
    /// later, its last content is served for up to 24 hours, or until SIGHUP.
    #[arg(long, env = "DETENTE_DEFAULT_SCENARIO", value_name = "ID")]
    pub(crate) default_scenario: Option<String>,

    /// Size of scenario files.
    #[command(flatten)]
    pub(crate) size: ScenarioSize,

    /// Interval at which scenario files, certificates, tokens and keys are checked for changes, besides file events and
    /// SIGHUP. `0s` disables the interval.
    ///
    /// File events do not report every change (links, network file systems), so the interval bounds how long a change
    /// stays unnoticed.
    #[arg(long, env = "DETENTE_RELOAD_INTERVAL", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) reload_interval: Duration,
}

/// The certificates of TLS and mutual TLS.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsOptions {
    /// Certificate of the server, followed by its intermediates, in PEM. The server then accepts TLS only (1.2 and
    /// 1.3).
    #[arg(long, env = "DETENTE_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Private key of the certificate in `--tls-cert`, in PEM.
    #[arg(long, env = "DETENTE_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Authorities of client certificates, in PEM. Every client must then show a certificate that one of them issued.
    ///
    /// Without `--tokens` and `--jwks`, any client with such a certificate may do everything.
    #[arg(long, env = "DETENTE_TLS_CLIENT_CA", value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_client_ca: Option<PathBuf>,
}

/// The files and rules that authenticate callers.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Callers")]
pub(crate) struct Callers {
    /// File of the callers' hashed bearer tokens, with their roles and scenarios.
    #[arg(long, env = "DETENTE_TOKENS", value_name = "FILE")]
    pub(crate) tokens: Option<PathBuf>,

    /// File of the public keys (JWKS) that verify callers' JSON Web Tokens.
    ///
    /// Requires `--jwt-issuer` and `--jwt-audience`.
    #[arg(long, env = "DETENTE_JWKS", value_name = "FILE", requires_all = ["jwt_issuer", "jwt_audience"])]
    pub(crate) jwks: Option<PathBuf>,

    /// Issuer (`iss`) that a JSON Web Token must name. Required with `--jwks`.
    #[arg(long, env = "DETENTE_JWT_ISSUER", value_name = "TEXT", requires = "jwks",
        value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) jwt_issuer: Option<String>,

    /// Audience (`aud`) that a JSON Web Token must name. Required with `--jwks`.
    #[arg(long, env = "DETENTE_JWT_AUDIENCE", value_name = "TEXT", requires = "jwks",
        value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) jwt_audience: Option<String>,

    /// Algorithms with which a JSON Web Token may be signed, separated by commas.
    ///
    /// The default has the algorithms that issuers commonly use, all of them asymmetric: the key of a verifier cannot
    /// sign tokens.
    #[arg(
        long,
        env = "DETENTE_JWT_ALGORITHMS",
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "RS256,ES256,EdDSA"
    )]
    pub(crate) jwt_algorithms: Vec<JwtAlgorithm>,
}

/// Logs, traces, metrics and the decision log.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Observability")]
pub(crate) struct Observability {
    /// Log filter: a level (error, warn, info, debug, trace), or levels by target. `info,detente::call=debug` logs
    /// every call.
    #[arg(long, env = "DETENTE_LOG", value_name = "FILTER", default_value = "info", value_parser = filter)]
    pub(crate) log: String,

    /// Format of the log on standard error.
    ///
    /// Log lines pass through a queue: lines that nobody reads are dropped and counted, and never hold up a call.
    #[arg(long, env = "DETENTE_LOG_FORMAT", value_enum, default_value_t)]
    pub(crate) log_format: LogFormat,

    /// Whether logs and traces of evaluations contain the proposals.
    ///
    /// Off by default because drafts are confidential.
    #[arg(long, env = "DETENTE_LOG_CONTENT", value_name = "BOOL", action = ArgAction::Set, default_value_t = false)]
    pub(crate) log_content: bool,

    /// Collector to which traces and metrics are sent (OpenTelemetry, OTLP over gRPC), like `http://127.0.0.1:4317`.
    ///
    /// The connection is in plaintext: use a collector on the same node, or one behind a mesh. Requires a build with
    /// the feature `otlp`, which released binaries and the image have.
    #[arg(long, env = "DETENTE_OTLP_ENDPOINT", value_name = "URL", value_parser = endpoint)]
    pub(crate) otlp_endpoint: Option<String>,

    /// Interval at which the collector receives the metrics.
    #[arg(long, env = "DETENTE_OTLP_INTERVAL", value_name = "DURATION", default_value = "30s", value_parser = long_duration)]
    pub(crate) otlp_interval: Duration,

    /// Share of calls that are traced, among calls whose callers do not say whether to trace them (W3C `traceparent`).
    #[arg(long, env = "DETENTE_TRACE_SAMPLE", value_name = "SHARE", default_value = "1", value_parser = share)]
    pub(crate) trace_sample: f64,

    /// File to which every evaluation is written as a line of JSON, or `-` for standard output.
    #[arg(long, env = "DETENTE_DECISION_LOG", value_name = "FILE")]
    pub(crate) decision_log: Option<PathBuf>,

    /// Size at which the decision log begins another file.
    #[arg(long, env = "DETENTE_DECISION_LOG_MAX_BYTES", value_name = "SIZE", default_value = "64MiB",
        value_parser = file_size)]
    pub(crate) decision_log_max_bytes: u64,

    /// Number of earlier files of the decision log that are kept, as FILE.1 (the newest), FILE.2 and so on.
    #[arg(long, env = "DETENTE_DECISION_LOG_KEEP", value_name = "COUNT", default_value_t = 5,
        value_parser = count(0, 1_000))]
    pub(crate) decision_log_keep: usize,

    /// Share of evaluations that are written to the decision log.
    #[arg(long, env = "DETENTE_DECISION_LOG_SAMPLE", value_name = "SHARE", default_value = "1", value_parser = share)]
    pub(crate) decision_log_sample: f64,

    /// Paths of fields that are left out of the decision log, separated by commas, like `caller,request.proposal`.
    ///
    /// A path that leads to no field is rejected, because it would hide nothing.
    #[arg(long, env = "DETENTE_DECISION_LOG_MASK", value_name = "FIELDS", value_delimiter = ',', value_parser = mask)]
    pub(crate) decision_log_mask: Vec<Mask>,

    /// Number of evaluations that may wait to be written to the decision log; further ones are dropped and counted.
    #[arg(long, env = "DETENTE_DECISION_LOG_QUEUE", value_name = "COUNT", default_value_t = 4096,
        value_parser = count(1, 1_000_000))]
    pub(crate) decision_log_queue: usize,
}

/// The times of a shutdown.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Shutdown")]
pub(crate) struct ShutdownOptions {
    /// Time on shutdown during which health checks answer NOT_SERVING before the server sends GOAWAY.
    ///
    /// Behind a load balancer, set the time that the load balancer takes to stop sending calls.
    #[arg(long, env = "DETENTE_DRAIN_PAUSE", value_name = "DURATION", default_value = "500ms", value_parser = duration)]
    pub(crate) drain_pause: Duration,

    /// Time that open calls have to finish on shutdown, after `--drain-pause`; calls that take longer are cut off.
    ///
    /// After half of this time, analyses stop and answer with their results so far.
    #[arg(long, env = "DETENTE_DRAIN_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) drain_timeout: Duration,
}

impl ServeOptions {
    /// The settings of the server.
    pub(crate) fn settings(&self) -> Settings {
        let limits = &self.limits;
        let quota = NonZeroU32::new(limits.caller_rate).map(|per_second| QuotaLimit {
            per_second,
            burst: NonZeroU32::new(limits.caller_burst).unwrap_or(per_second),
        });
        Settings {
            reflection: self.listening.reflection,
            max_connections: limits.max_connections,
            max_connections_per_address: limits.max_connections_per_address,
            connection: ConnectionLimits {
                max_streams: limits.max_streams,
                max_header_bytes: limits.max_header_bytes,
                handshake: limits.handshake_timeout,
                keepalive_interval: limits.keepalive_interval,
                keepalive_timeout: limits.keepalive_timeout,
                max_age: limits.max_connection_age,
                stall: limits.stall,
            },
            max_calls: limits.max_calls,
            calls: CallLimits { calls: limits.max_open_calls, ..CallLimits::DEFAULT },
            quota,
            trusted_proxies: limits.trusted_proxies.clone().unwrap_or_default(),
            receive: limits.receive_timeout,
            max_request_bytes: limits.max_request_bytes,
            cache_bytes: limits.cache,
            stream_idle: limits.stream_idle,
            analyses: limits.analyses,
            analysis_time: limits.analysis_time,
            content: self.observability.log_content,
            drain: Drain { pause: self.shutdown.drain_pause, timeout: self.shutdown.drain_timeout },
        }
    }

    /// The location of the scenario files, and the default scenario if it is set.
    pub(crate) fn scenario_location(&self) -> (ScenarioLocation, Option<ScenarioId>) {
        let scenarios = &self.scenarios;
        let location = match &scenarios.folder {
            Some(folder) => ScenarioLocation::Folder(folder.clone()),
            None => ScenarioLocation::Files(scenarios.files.clone()),
        };
        (location, scenarios.default_scenario.as_deref().map(ScenarioId::new))
    }

    /// The settings of the OpenTelemetry collector; `None` without `--otlp-endpoint`.
    pub(crate) fn otlp(&self) -> Option<Otlp> {
        let Observability { otlp_endpoint, otlp_interval, trace_sample, .. } = &self.observability;
        let endpoint = otlp_endpoint.clone()?;
        Some(Otlp { endpoint, interval: *otlp_interval, sample: *trace_sample })
    }

    /// The settings of the decision log; `None` without `--decision-log`.
    pub(crate) fn decisions(&self) -> Option<DecisionSettings> {
        let options = &self.observability;
        let target = options.decision_log.clone()?;
        Some(DecisionSettings {
            target: if target.as_os_str() == "-" { DecisionTarget::Stdout } else { DecisionTarget::File(target) },
            max_bytes: options.decision_log_max_bytes,
            keep: options.decision_log_keep,
            sample: options.decision_log_sample,
            mask: options.decision_log_mask.clone(),
            queue: options.decision_log_queue,
        })
    }
}

impl ServeOptions {
    /// Checks settings that depend on each other, beyond what clap checks.
    ///
    /// # Errors
    /// A message that names the flag that is missing, and its variable.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Limits { caller_rate, caller_burst, .. } = self.limits;
        if caller_rate == 0 && caller_burst > 0 {
            return Err(format!("{} requires {}", setting("--caller-burst"), setting("--caller-rate")));
        }
        let observability = &self.observability;
        if observability.decision_log.is_none() && !observability.decision_log_mask.is_empty() {
            return Err(format!("{} requires {}", setting("--decision-log-mask"), setting("--decision-log")));
        }
        Ok(())
    }
}
