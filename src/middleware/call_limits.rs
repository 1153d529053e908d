//! What all open calls may take together, and what they take.
//!
//! Must not know how it is taken.

/// Part of the open calls that one caller may have, as a divisor: 4 stands for a quarter.
pub(super) const PART_OF_CALLER: usize = 4;
/// Part of the open calls that only callers with few open calls may have, as a divisor: 4 stands for a quarter.
///
/// Several callers that take all that they may have therefore do not keep the others out.
pub(super) const PART_FOR_FEW: usize = 4;
/// Part of the open calls that are few for one caller, as a divisor: 64 stands for a 64th, by default 64 calls.
pub(super) const PART_OF_FEW: usize = 64;
/// Maximum number of open calls of the health service on one connection.
pub(super) const MAX_HEALTH_OF_CONNECTION: usize = 8;
/// Part of the open calls that the health service may have, as a divisor: 8 stands for an eighth.
///
/// Its calls need no credentials, so strangers could take the places of all callers with them.
pub(super) const PART_FOR_HEALTH: usize = 8;
/// Maximum number of calls of one address that were refused and whose refusals have not left the server.
///
/// A refusal takes little memory and leaves at once, but a client that does not read could pile refusals up.
pub(super) const MAX_REFUSALS: usize = 256;
/// Maximum number of open streams of evaluations on one connection.
pub const MAX_STREAMS_OF_CONNECTION: usize = 8;
/// Maximum number of open streams of evaluations of one caller.
pub const MAX_STREAMS_OF_CALLER: usize = 32;
/// Maximum number of open streams of evaluations.
pub const MAX_STREAMS: usize = 128;

/// Bounds of what all open calls take together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// Open calls; 2,048 by default.
    pub calls: usize,
    /// Bytes of requests; 24 MiB by default.
    pub requests: usize,
    /// Bytes of answers; 24 MiB by default.
    pub answers: usize,
}

impl CallLimits {
    /// The defaults.
    pub const DEFAULT: Self = Self { calls: 2048, requests: 24 * 1024 * 1024, answers: 24 * 1024 * 1024 };
}

impl Default for CallLimits {
    /// Returns the defaults that the fields state.
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What all open calls take at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// Open calls.
    pub calls: usize,
    /// Bytes of requests.
    pub requests: usize,
    /// Bytes of answers.
    pub answers: usize,
    /// Calls that wait for room for their answers.
    pub waiting: usize,
    /// Calls and connections that were ended, so far, because their clients did not read while others needed room.
    pub evicted: u64,
}
