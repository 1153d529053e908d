//! What can be chosen when the server is started: by flags, or by variables of the environment (`DETENTE_*`), which
//! flags override. docs/operations.md gives the reasons for the defaults.

mod values;

pub(in crate::cli) use values::patience;

use crate::access::JwtAlgorithm;
use crate::grpc::connection::ConnectionLimits;
use crate::grpc::server::Settings;
use crate::scenario::model::Id;
use crate::serving::{DecisionSettings, DecisionTarget as Target, Mask, Where};
use crate::shutdown::Drain;
use crate::telemetry::{LogFormat, Otlp};
use clap::{ArgAction, Args};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;
use values::{count, duration, endpoint, file_size, filter, header_size, message_size, share, size, small_count};

/// The options of `detente serve`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ServeOptions {
    /// Where to listen, and to whom.
    #[command(flatten)]
    pub(in crate::cli) listening: Listening,
    /// What to serve.
    #[command(flatten)]
    pub(in crate::cli) scenarios: Scenarios,
    /// How to be spoken to in private.
    #[command(flatten)]
    pub(in crate::cli) tls: TlsOptions,
    /// Who may call.
    #[command(flatten)]
    pub(in crate::cli) callers: Callers,
    /// What is too much.
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
    /// What to tell those who look after it.
    #[command(flatten)]
    pub(in crate::cli) observability: Observability,
    /// How to end.
    #[command(flatten)]
    pub(in crate::cli) end: End,
}

/// Where to listen, and to whom.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Listening")]
pub(in crate::cli) struct Listening {
    /// The address to serve on. Port 0: any free one; the log names it.
    #[arg(long, env = "DETENTE_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:50051")]
    pub(in crate::cli) listen: String,

    /// The address for those who look after the server, in plaintext: grpc.health.v1.Health, /livez, /readyz, /metrics,
    /// /version. `off`: none.
    #[arg(long, env = "DETENTE_ADMIN_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:50052")]
    pub(in crate::cli) admin_listen: String,

    /// Serve beyond this machine without TLS: whoever sees the traffic can read it.
    #[arg(long, env = "DETENTE_ALLOW_PLAINTEXT", value_name = "BOOL", action = ArgAction::Set, default_value_t = false,
        default_missing_value = "true", num_args = 0..=1, require_equals = true)]
    pub(in crate::cli) allow_plaintext: bool,

    /// Serve beyond this machine without knowing who calls: everyone may ask everything.
    #[arg(long, env = "DETENTE_ALLOW_ANONYMOUS", value_name = "BOOL", action = ArgAction::Set, default_value_t = false,
        default_missing_value = "true", num_args = 0..=1, require_equals = true)]
    pub(in crate::cli) allow_anonymous: bool,

    /// Whether clients may learn the schema from the server (gRPC reflection, v1 and v1alpha).
    #[arg(long, env = "DETENTE_REFLECTION", value_name = "BOOL", action = ArgAction::Set, default_value_t = true)]
    pub(in crate::cli) reflection: bool,
}

/// What to serve.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Scenarios")]
pub(in crate::cli) struct Scenarios {
    /// A scenario to hold; may be repeated, and the first is the default one. In the environment: separated by commas.
    /// [default: the one that comes with the program]
    #[arg(long = "scenario", env = "DETENTE_SCENARIO", value_name = "FILE", value_delimiter = ',')]
    pub(in crate::cli) files: Vec<PathBuf>,

    /// A folder, of which all scenarios are held (*.yaml, *.yml, but no *_test.yaml): those that come and go, too. A
    /// mounted ConfigMap is one.
    #[arg(long = "scenarios", env = "DETENTE_SCENARIOS", value_name = "DIR", conflicts_with = "files")]
    pub(in crate::cli) folder: Option<PathBuf>,

    /// The scenario that answers requests that name none. [default: the first --scenario; of a folder the first by id]
    #[arg(long, env = "DETENTE_DEFAULT_SCENARIO", value_name = "ID")]
    pub(in crate::cli) default_scenario: Option<String>,

    /// How often to look whether scenarios, certificates, tokens or keys have changed, besides when the system tells of
    /// it and on SIGHUP. 0s: never by time.
    #[arg(long, env = "DETENTE_RELOAD_INTERVAL", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(in crate::cli) reload_interval: Duration,
}

/// How to be spoken to in private.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "TLS")]
pub(in crate::cli) struct TlsOptions {
    /// The server's certificate and those between it and an authority, in PEM: then only TLS is spoken.
    #[arg(long, env = "DETENTE_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub(in crate::cli) tls_cert: Option<PathBuf>,

    /// Its private key, in PEM.
    #[arg(long, env = "DETENTE_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub(in crate::cli) tls_key: Option<PathBuf>,

    /// The authorities whose clients are let in, in PEM: then every client must show a certificate of theirs.
    #[arg(long, env = "DETENTE_TLS_CLIENT_CA", value_name = "FILE", requires = "tls_cert")]
    pub(in crate::cli) tls_client_ca: Option<PathBuf>,
}

/// Who may call.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Callers")]
pub(in crate::cli) struct Callers {
    /// The callers' bearer tokens, hashed, with their roles and scenarios.
    #[arg(long, env = "DETENTE_TOKENS", value_name = "FILE")]
    pub(in crate::cli) tokens: Option<PathBuf>,

    /// The public keys by which callers' JWTs are verified (a JWKS).
    #[arg(long, env = "DETENTE_JWKS", value_name = "FILE", requires_all = ["jwt_issuer", "jwt_audience"])]
    pub(in crate::cli) jwks: Option<PathBuf>,

    /// Who must have issued a JWT (`iss`).
    #[arg(long, env = "DETENTE_JWT_ISSUER", value_name = "TEXT", requires = "jwks",
        value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(in crate::cli) jwt_issuer: Option<String>,

    /// Whom a JWT must be for (`aud`).
    #[arg(long, env = "DETENTE_JWT_AUDIENCE", value_name = "TEXT", requires = "jwks",
        value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(in crate::cli) jwt_audience: Option<String>,

    /// The algorithms with which a JWT may be signed.
    #[arg(
        long,
        env = "DETENTE_JWT_ALGORITHMS",
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "RS256,ES256,EdDSA"
    )]
    pub(in crate::cli) jwt_algorithms: Vec<JwtAlgorithm>,
}

/// What is too much.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub(in crate::cli) struct Limits {
    /// How many connections may be open at a time; more wait until one closes.
    #[arg(long, env = "DETENTE_MAX_CONNECTIONS", value_name = "COUNT", default_value_t = 1024,
        value_parser = count(1, 1_000_000))]
    pub(in crate::cli) max_connections: usize,

    /// After this age, give or take a tenth, a connection is asked to end once its calls are answered, so that clients
    /// find new replicas.
    #[arg(long, env = "DETENTE_MAX_CONNECTION_AGE", value_name = "DURATION", default_value = "30m",
        value_parser = patience)]
    pub(in crate::cli) max_connection_age: Duration,

    /// How many calls one connection may have open at a time.
    #[arg(long, env = "DETENTE_MAX_STREAMS", value_name = "COUNT", default_value_t = 256,
        value_parser = small_count(1, 10_000))]
    pub(in crate::cli) max_streams: u32,

    /// What the headers of one call may be, in all.
    #[arg(long, env = "DETENTE_MAX_HEADER_BYTES", value_name = "SIZE", default_value = "16KiB",
        value_parser = header_size)]
    pub(in crate::cli) max_header_bytes: u32,

    /// After so long without traffic a connection is asked for a sign of life...
    #[arg(long, env = "DETENTE_KEEPALIVE_INTERVAL", value_name = "DURATION", default_value = "60s",
        value_parser = patience)]
    pub(in crate::cli) keepalive_interval: Duration,

    /// ...and closed without one after so long.
    #[arg(long, env = "DETENTE_KEEPALIVE_TIMEOUT", value_name = "DURATION", default_value = "20s",
        value_parser = patience)]
    pub(in crate::cli) keepalive_timeout: Duration,

    /// How long a connection may take until it speaks HTTP/2, TLS included.
    #[arg(long, env = "DETENTE_HANDSHAKE_TIMEOUT", value_name = "DURATION", default_value = "10s",
        value_parser = patience)]
    pub(in crate::cli) handshake_timeout: Duration,

    /// How long a request may take to come whole; streams are exempt.
    #[arg(long, env = "DETENTE_RECEIVE_TIMEOUT", value_name = "DURATION", default_value = "10s",
        value_parser = patience)]
    pub(in crate::cli) receive_timeout: Duration,

    /// How long a client may leave an answer unread until the call is reset.
    #[arg(long, env = "DETENTE_STALL", value_name = "DURATION", default_value = "60s", value_parser = patience)]
    pub(in crate::cli) stall: Duration,

    /// How long a stream of evaluations may be without a request until it is ended.
    #[arg(long, env = "DETENTE_STREAM_IDLE", value_name = "DURATION", default_value = "60s", value_parser = patience)]
    pub(in crate::cli) stream_idle: Duration,

    /// How many calls, and messages of streams, are worked on at a time over all connections; more are turned away.
    #[arg(long, env = "DETENTE_MAX_CALLS", value_name = "COUNT", default_value_t = 1024,
        value_parser = count(1, 1_000_000))]
    pub(in crate::cli) max_calls: usize,

    /// How many calls each caller may make a second; a batch counts as many as it has requests. 0: any number.
    #[arg(long, env = "DETENTE_CALLER_RATE", value_name = "COUNT", default_value_t = 0,
        value_parser = small_count(0, 10_000_000))]
    pub(in crate::cli) caller_rate: u32,

    /// How many at once, after a rest. 0: as many as in one second.
    #[arg(long, env = "DETENTE_CALLER_BURST", value_name = "COUNT", default_value_t = 0,
        value_parser = small_count(0, 10_000_000))]
    pub(in crate::cli) caller_burst: u32,

    /// The largest message that is read.
    #[arg(long, env = "DETENTE_MAX_REQUEST_BYTES", value_name = "SIZE", default_value = "1MiB",
        value_parser = message_size)]
    pub(in crate::cli) max_request_bytes: usize,

    /// How many bytes of answers to keep, for questions that are asked again: like 32MiB; 0 keeps none.
    #[arg(long, env = "DETENTE_CACHE", value_name = "SIZE", default_value = "32MiB", value_parser = size)]
    pub(in crate::cli) cache: u64,

    /// How many threads answer calls. [default: one for every processor]
    #[arg(long, env = "DETENTE_THREADS", value_name = "COUNT", default_value_t = 0, hide_default_value = true,
        value_parser = count(0, 1_024))]
    pub(in crate::cli) threads: usize,

    /// How many analyses (amendments, packages, impasses, robustness) to work on at a time; further ones wait.
    /// [default: one for every two processors]
    #[arg(long, env = "DETENTE_ANALYSES", value_name = "COUNT", default_value_t = 0, hide_default_value = true,
        value_parser = count(0, 1_024))]
    pub(in crate::cli) analyses: usize,

    /// How long one analysis may take, whatever deadline its caller sets: then it is answered with what was found, and
    /// says so.
    #[arg(long, env = "DETENTE_ANALYSIS_TIME", value_name = "DURATION", default_value = "30s", value_parser = patience)]
    pub(in crate::cli) analysis_time: Duration,
}

/// What to tell those who look after it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Observability")]
pub(in crate::cli) struct Observability {
    /// What to log: a level (error, warn, info, debug, trace), or levels by target. With
    /// `info,detente::call=debug` every call is logged.
    #[arg(long, env = "DETENTE_LOG", value_name = "FILTER", default_value = "info", value_parser = filter)]
    pub(in crate::cli) log: String,

    /// How to log, to standard error.
    #[arg(long, env = "DETENTE_LOG_FORMAT", value_enum, default_value_t)]
    pub(in crate::cli) log_format: LogFormat,

    /// Whether logs and traces of evaluations hold what was proposed.
    #[arg(long, env = "DETENTE_LOG_CONTENT", value_name = "BOOL", action = ArgAction::Set, default_value_t = false)]
    pub(in crate::cli) log_content: bool,

    /// A collector to send traces and metrics to (OpenTelemetry, OTLP over gRPC). Needs a build with the feature `otlp`,
    /// as the image and the packages are.
    #[arg(long, env = "DETENTE_OTLP_ENDPOINT", value_name = "URL", value_parser = endpoint)]
    pub(in crate::cli) otlp_endpoint: Option<String>,

    /// How often it gets the metrics.
    #[arg(long, env = "DETENTE_OTLP_INTERVAL", value_name = "DURATION", default_value = "30s", value_parser = patience)]
    pub(in crate::cli) otlp_interval: Duration,

    /// Of the calls whose callers don't say whether to trace them: the share that is traced.
    #[arg(long, env = "DETENTE_TRACE_SAMPLE", value_name = "SHARE", default_value = "1", value_parser = share)]
    pub(in crate::cli) trace_sample: f64,

    /// Where to write down every evaluation, a JSON line each: a file, or `-` for standard output.
    #[arg(long, env = "DETENTE_DECISION_LOG", value_name = "FILE")]
    pub(in crate::cli) decision_log: Option<PathBuf>,

    /// When the file would pass this size, another one is begun.
    #[arg(long, env = "DETENTE_DECISION_LOG_MAX_BYTES", value_name = "SIZE", default_value = "64MiB",
        value_parser = file_size)]
    pub(in crate::cli) decision_log_max_bytes: u64,

    /// How many files before it are kept, as FILE.1 (the newest), FILE.2, ...
    #[arg(long, env = "DETENTE_DECISION_LOG_KEEP", value_name = "COUNT", default_value_t = 5,
        value_parser = count(0, 1_000))]
    pub(in crate::cli) decision_log_keep: usize,

    /// The share of evaluations that is written down.
    #[arg(long, env = "DETENTE_DECISION_LOG_SAMPLE", value_name = "SHARE", default_value = "1", value_parser = share)]
    pub(in crate::cli) decision_log_sample: f64,

    /// Fields that are not written down, by their paths, separated by commas: like `caller,request.proposal`.
    #[arg(long, env = "DETENTE_DECISION_LOG_MASK", value_name = "FIELDS", value_delimiter = ',')]
    pub(in crate::cli) decision_log_mask: Vec<Mask>,

    /// How many evaluations may wait to be written down; more are dropped, and counted.
    #[arg(long, env = "DETENTE_DECISION_LOG_QUEUE", value_name = "COUNT", default_value_t = 4096,
        value_parser = count(1, 1_000_000))]
    pub(in crate::cli) decision_log_queue: usize,
}

/// How to end.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "End")]
pub(in crate::cli) struct End {
    /// At the end, how long to answer as NOT_SERVING before clients are told to go. Behind a load balancer: as long as
    /// it takes to notice.
    #[arg(long, env = "DETENTE_DRAIN_PAUSE", value_name = "DURATION", default_value = "500ms", value_parser = duration)]
    pub(in crate::cli) drain_pause: Duration,

    /// At the end, after the pause, what calls under way may take before they are cut. At half of it, analyses are told
    /// to answer with what they have.
    #[arg(long, env = "DETENTE_DRAIN_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(in crate::cli) drain_timeout: Duration,
}

impl ServeOptions {
    /// What the server is to be.
    pub(in crate::cli) fn settings(&self) -> Settings {
        let limits = &self.limits;
        let quota = NonZeroU32::new(limits.caller_rate)
            .map(|rate| (rate, NonZeroU32::new(limits.caller_burst).unwrap_or(rate)));
        Settings {
            reflection: self.listening.reflection,
            max_connections: limits.max_connections,
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
            quota,
            receive: limits.receive_timeout,
            max_request_bytes: limits.max_request_bytes,
            cache_bytes: limits.cache,
            stream_idle: limits.stream_idle,
            analyses: limits.analyses,
            analysis_time: limits.analysis_time,
            content: self.observability.log_content,
            drain: Drain { pause: self.end.drain_pause, timeout: self.end.drain_timeout },
        }
    }

    /// Where the scenarios come from, and which answers requests that name none.
    pub(in crate::cli) fn place(&self) -> (Where, Option<Id>) {
        let scenarios = &self.scenarios;
        let place = match &scenarios.folder {
            Some(folder) => Where::Folder(folder.clone()),
            None => Where::Files(scenarios.files.clone()),
        };
        (place, scenarios.default_scenario.as_deref().map(Id::from))
    }

    /// The collector.
    pub(in crate::cli) fn otlp(&self) -> Option<Otlp> {
        let Observability { otlp_endpoint, otlp_interval, trace_sample, .. } = &self.observability;
        let endpoint = otlp_endpoint.clone()?;
        Some(Otlp { endpoint, interval: *otlp_interval, sample: *trace_sample })
    }

    /// The decision log.
    pub(in crate::cli) fn decisions(&self) -> Option<DecisionSettings> {
        let chosen = &self.observability;
        let target = chosen.decision_log.clone()?;
        Some(DecisionSettings {
            target: if target.as_os_str() == "-" { Target::Stdout } else { Target::File(target) },
            max_bytes: chosen.decision_log_max_bytes,
            keep: chosen.decision_log_keep,
            sample: chosen.decision_log_sample,
            mask: chosen.decision_log_mask.clone(),
            queue: chosen.decision_log_queue,
        })
    }
}

impl ServeOptions {
    /// Settings that don't go together.
    ///
    /// # Errors
    /// What is wrong, and what to say instead.
    pub(in crate::cli) fn check(&self) -> Result<(), String> {
        let Limits { caller_rate, caller_burst, .. } = self.limits;
        if caller_rate == 0 && caller_burst > 0 {
            return Err("--caller-burst is of no use without --caller-rate: give both, or neither".to_owned());
        }
        let observability = &self.observability;
        if observability.decision_log.is_none() && !observability.decision_log_mask.is_empty() {
            return Err("--decision-log-mask is of no use without --decision-log".to_owned());
        }
        Ok(())
    }
}
