//! The options that limit connections, calls, memory and time. Must not know how limits take effect.

use super::values::{count, header_size, message_size, small_count};
use crate::cli::args::parsers::{long_duration, size};
use crate::middleware::call_limits::CallLimits;
use crate::middleware::networks::TrustedProxies;
use crate::server::Settings;
use clap::Args;
use std::time::Duration;

/// Limits on connections, calls, memory and time.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// Number of connections that may be open at a time; a further one takes the place of one that is not in use, or
    /// waits until one closes.
    ///
    /// A connection with a call in progress keeps its place. Of the others, the first to go is one that has not begun
    /// HTTP/2, then one without a call answered OK for 5 seconds, then the longest idle one of the address with the most.
    /// An idle connection takes about 17 KiB of memory, over TLS about 25 KiB. The limit of file descriptors (`ulimit -n`)
    /// must be at least 128 higher: this reserve keeps probes and reloads working when all connections are open.
    #[arg(long, env = "DETENTE_MAX_CONNECTIONS", value_name = "COUNT", default_value_t = Settings::DEFAULT_CONNECTIONS,
        value_parser = count(1, 1_000_000))]
    pub(crate) max_connections: usize,

    /// Number of connections of one address; a further one takes the place of one of the same address that is not in use,
    /// or is closed. [default: a quarter of `--max-connections`, at least 16]
    ///
    /// IPv6 addresses count by /64 network, and a /48 network may have twice as many. `0` means the default. The limit does
    /// not hold for `--trusted-proxies`. Raise it where many clients share one address.
    #[arg(long, env = "DETENTE_MAX_CONNECTIONS_PER_ADDRESS", value_name = "COUNT", default_value_t = 0,
        hide_default_value = true, value_parser = count(0, 1_000_000))]
    pub(crate) max_connections_per_address: usize,

    /// Age, give or take a tenth, at which a connection is asked to end once its calls are answered.
    ///
    /// Clients then look up the address again and find new replicas. The random tenth keeps them from reconnecting all
    /// at once. Streams of health and reflection end 5 seconds later, because clients keep them open for ever.
    #[arg(long, env = "DETENTE_MAX_CONNECTION_AGE", value_name = "DURATION", default_value = "30m",
        value_parser = long_duration)]
    pub(crate) max_connection_age: Duration,

    /// Number of calls that one connection may have open at a time.
    ///
    /// The default is more than any client needs, and few enough that one connection cannot take all of `--max-calls`.
    #[arg(long, env = "DETENTE_MAX_STREAMS", value_name = "COUNT", default_value_t = 256,
        value_parser = small_count(1, 10_000))]
    pub(crate) max_streams: u32,

    /// Largest total size of the headers of one call.
    ///
    /// The default leaves room for a JSON Web Token of 8 KiB, the longest that the server accepts.
    #[arg(long, env = "DETENTE_MAX_HEADER_BYTES", value_name = "SIZE", default_value = "16KiB",
        value_parser = header_size)]
    pub(crate) max_header_bytes: u32,

    /// Idle time before a keepalive ping.
    #[arg(long, env = "DETENTE_KEEPALIVE_INTERVAL", value_name = "DURATION", default_value = "60s",
        value_parser = long_duration)]
    pub(crate) keepalive_interval: Duration,

    /// Time that a client has to answer a keepalive ping before its connection is closed.
    #[arg(long, env = "DETENTE_KEEPALIVE_TIMEOUT", value_name = "DURATION", default_value = "20s",
        value_parser = long_duration)]
    pub(crate) keepalive_timeout: Duration,

    /// Time that a new connection has to begin HTTP/2, TLS handshake included.
    #[arg(long, env = "DETENTE_HANDSHAKE_TIMEOUT", value_name = "DURATION", default_value = "10s",
        value_parser = long_duration)]
    pub(crate) handshake_timeout: Duration,

    /// Time that a request has to arrive in full; streams are exempt.
    ///
    /// In the default time, a request of 1 MiB arrives even over a slow mobile network.
    #[arg(long, env = "DETENTE_RECEIVE_TIMEOUT", value_name = "DURATION", default_value = "10s",
        value_parser = long_duration)]
    pub(crate) receive_timeout: Duration,

    /// Time that a client may leave an answer unread before the call is reset.
    #[arg(long, env = "DETENTE_STALL", value_name = "DURATION", default_value = "60s", value_parser = long_duration)]
    pub(crate) stall: Duration,

    /// Time that a stream of evaluations or reflection may go without a request before the server ends it.
    #[arg(long, env = "DETENTE_STREAM_IDLE", value_name = "DURATION", default_value = "60s", value_parser = long_duration)]
    pub(crate) stream_idle: Duration,

    /// Number of calls, and of messages of streams, that are processed at a time over all connections; further ones are
    /// rejected immediately.
    ///
    /// Beyond this number, waiting would only increase the latency of all calls.
    #[arg(long, env = "DETENTE_MAX_CALLS", value_name = "COUNT", default_value_t = 1024,
        value_parser = count(1, 1_000_000))]
    pub(crate) max_calls: usize,

    /// Number of calls that may be open at a time, on all connections, streams included.
    ///
    /// A call is open from its first headers until its client has read the answer. One caller may have a quarter of
    /// them. The default is far more than `--max-calls` answers at a time, and few enough that open calls that do
    /// nothing take little memory.
    #[arg(long, env = "DETENTE_MAX_OPEN_CALLS", value_name = "COUNT", default_value_t = CallLimits::DEFAULT.calls,
        value_parser = count(4, 1_000_000))]
    pub(crate) max_open_calls: usize,

    /// Networks of proxies, separated by commas, whose `x-forwarded-for` states the address of the caller.
    ///
    /// Callers without credentials are told apart by their address, for IPv6 by the /64 network. Behind a proxy that is
    /// not listed here, all of them are one caller, with one quota and one share of the memory. List only proxies that
    /// set the header themselves, because clients can send it, too.
    #[arg(long, env = "DETENTE_TRUSTED_PROXIES", value_name = "NETWORKS")]
    pub(crate) trusted_proxies: Option<TrustedProxies>,

    /// Requests per second for each caller. `0` sets no limit.
    ///
    /// Where callers are not identified, each IP address is a caller (see `--trusted-proxies`); for IPv6, each /64
    /// network, and a /48 network has 16 times the quota. A batch counts as
    /// the number of its requests, a comparison as the number of its proposals, a history as one. The default sets no
    /// limit because only the operator knows what is fair.
    #[arg(long, env = "DETENTE_CALLER_RATE", value_name = "COUNT", default_value_t = 0,
        value_parser = small_count(0, 10_000_000))]
    pub(crate) caller_rate: u32,

    /// Burst size: requests that a caller may make at once after a pause. `0` allows as many as `--caller-rate` allows
    /// in one second.
    ///
    /// A batch or comparison larger than the burst is always rejected; 1000 admits the largest batch.
    #[arg(long, env = "DETENTE_CALLER_BURST", value_name = "COUNT", default_value_t = 0,
        value_parser = small_count(0, 10_000_000))]
    pub(crate) caller_burst: u32,

    /// Size of the largest message that is read.
    ///
    /// A proposal of 500 terms has about 20 KiB.
    #[arg(long, env = "DETENTE_MAX_REQUEST_BYTES", value_name = "SIZE", default_value = "1MiB",
        value_parser = message_size)]
    pub(crate) max_request_bytes: usize,

    /// Memory for answers that are kept for repeated questions. `0` disables the cache.
    ///
    /// The default holds about 8,000 answers.
    #[arg(long, env = "DETENTE_CACHE", value_name = "SIZE", default_value = "12MiB", value_parser = size)]
    pub(crate) cache: u64,

    /// Number of threads that answer calls. [default: one for each processor]
    ///
    /// `0` means the default, which counts only the processors that a cgroup limit allows the server to use. The server
    /// does not read tokio's own variable (`TOKIO_WORKER_THREADS`).
    #[arg(long, env = "DETENTE_THREADS", value_name = "COUNT", default_value_t = 0, hide_default_value = true,
        value_parser = count(0, 1_024))]
    pub(crate) threads: usize,

    /// Number of analyses (amendments, packages, impasses, robustness) that run at a time; further analyses wait.
    /// [default: one for every two processors]
    ///
    /// `0` means the default, which leaves half of the processors to evaluations.
    #[arg(long, env = "DETENTE_ANALYSES", value_name = "COUNT", default_value_t = 0, hide_default_value = true,
        value_parser = count(0, 1_024))]
    pub(crate) analyses: usize,

    /// Longest time that one analysis may take, whatever deadline its caller sets.
    ///
    /// An analysis that takes longer answers with its results so far, and marks them as incomplete.
    #[arg(long, env = "DETENTE_ANALYSIS_TIME", value_name = "DURATION", default_value = "30s", value_parser = long_duration)]
    pub(crate) analysis_time: Duration,
}
