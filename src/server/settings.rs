//! The settings of a server.

use crate::services::MAX_REQUEST_BYTES;
use crate::shutdown::Drain;
use crate::transport::connection::ConnectionLimits;
use std::num::NonZeroU32;
use std::time::Duration;

/// What can be chosen about the server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether to serve reflection, by which clients learn the schema from the server.
    pub reflection: bool,
    /// How many connections may be open; more wait in the listener's backlog.
    pub max_connections: usize,
    /// What each of them may do.
    pub connection: ConnectionLimits,
    /// How many calls are worked on at a time, over all connections; more are turned away.
    pub max_calls: usize,
    /// What each caller may ask: so many a second, and so many at once. `None`: no quota.
    pub quota: Option<(NonZeroU32, NonZeroU32)>,
    /// How long a request may take to come whole.
    pub receive: Duration,
    /// The largest message that is read, in bytes.
    pub max_request_bytes: usize,
    /// How many bytes of answers to keep; 0: none.
    pub cache_bytes: u64,
    /// How long a stream of evaluations may be without a request.
    pub stream_idle: Duration,
    /// How many analyses are worked on at a time; 0: one for every two processors.
    pub analyses: usize,
    /// How long one analysis may take.
    pub analysis_time: Duration,
    /// Whether requests are told with their calls, in the log and in spans.
    pub content: bool,
    /// How the end goes.
    pub drain: Drain,
}

impl Default for Settings {
    /// Reflection, 1,024 connections and calls, no quotas, 10 seconds for a request of a mebibyte, a cache of 32 MiB, a
    /// minute's patience, and the default drain.
    fn default() -> Self {
        Self {
            reflection: true,
            max_connections: 1024,
            connection: ConnectionLimits::default(),
            max_calls: 1024,
            quota: None,
            receive: Duration::from_secs(10),
            max_request_bytes: MAX_REQUEST_BYTES,
            cache_bytes: 32 * 1024 * 1024,
            stream_idle: Duration::from_secs(60),
            analyses: 0,
            analysis_time: Duration::from_secs(30),
            content: false,
            drain: Drain::default(),
        }
    }
}
