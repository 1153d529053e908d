//! The settings of the server. Must not know which flags or variables set them.

use crate::middleware::call_limits::CallLimits;
use crate::middleware::networks::TrustedProxies;
use crate::middleware::quota::QuotaLimit;
use crate::services::MAX_REQUEST_BYTES;
use crate::shutdown::Drain;
use crate::transport::config::ConnectionLimits;
use std::thread::available_parallelism;
use std::time::Duration;

/// The settings of the server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether to serve gRPC reflection, from which clients learn the schema; true by default.
    pub reflection: bool,
    /// Connections that may be open at a time; one more takes the place of one that is not in use, or waits.
    ///
    /// 256 by default. [`reserve_descriptors`](super::reserve_descriptors) makes sure that there are enough file
    /// descriptors for them.
    pub max_connections: usize,
    /// Connections of one address, except of trusted proxies; one more takes the place of one of the same address that
    /// is not in use, or is closed. IPv6 addresses count by /64 network, and a /48 network may have twice as many.
    ///
    /// 0, the default, stands for a quarter of `max_connections`, and 16 at least.
    pub max_connections_per_address: usize,
    /// Limits of each connection.
    pub connection: ConnectionLimits,
    /// Calls that the server works on at a time, over all connections; more are rejected.
    ///
    /// 1,024 by default.
    pub max_calls: usize,
    /// What all open calls may take together.
    pub calls: CallLimits,
    /// The requests that each caller may send; `None`, the default, sets no quota.
    pub quota: Option<QuotaLimit>,
    /// The proxies whose `x-forwarded-for` is trusted; none by default.
    pub trusted_proxies: TrustedProxies,
    /// Time within which a request must arrive in full; 10 seconds by default.
    pub receive: Duration,
    /// Largest request message, in bytes; 1 MiB by default.
    pub max_request_bytes: usize,
    /// Size of the answer cache, in bytes; 0 turns it off. 12 MiB by default.
    pub cache_bytes: u64,
    /// Time without a request after which a stream of evaluations or reflection ends; 60 seconds by default.
    pub stream_idle: Duration,
    /// Analyses that run at a time; 0, the default, stands for one for every two processors.
    pub analyses: usize,
    /// Time limit of one analysis; 30 seconds by default.
    pub analysis_time: Duration,
    /// Whether the log and the spans contain the requests; false by default.
    pub content: bool,
    /// Durations of the drain at shutdown.
    pub drain: Drain,
}

impl Settings {
    /// The default of [`Settings::max_connections`].
    pub const DEFAULT_CONNECTIONS: usize = 256;
    /// The default of [`Settings::cache_bytes`].
    pub const DEFAULT_CACHE_BYTES: u64 = 12 * 1024 * 1024;
}

impl Default for Settings {
    /// Returns the defaults that the fields state.
    fn default() -> Self {
        Self {
            reflection: true,
            max_connections: Self::DEFAULT_CONNECTIONS,
            max_connections_per_address: 0,
            connection: ConnectionLimits::default(),
            max_calls: 1024,
            calls: CallLimits::DEFAULT,
            quota: None,
            trusted_proxies: TrustedProxies::default(),
            receive: Duration::from_secs(10),
            max_request_bytes: MAX_REQUEST_BYTES,
            cache_bytes: Self::DEFAULT_CACHE_BYTES,
            stream_idle: Duration::from_secs(60),
            analyses: 0,
            analysis_time: Duration::from_secs(30),
            content: false,
            drain: Drain::default(),
        }
    }
}

/// Returns the number of analysis threads.
///
/// The default, for 0, is one for every two processors, so that analyses do not slow evaluations down.
pub(super) fn threads_for(analyses: usize) -> usize {
    match analyses {
        0 => available_parallelism().map_or(1, |processors| (usize::from(processors) / 2).max(1)),
        chosen => chosen,
    }
}
