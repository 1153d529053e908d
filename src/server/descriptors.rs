//! File descriptors: enough for every connection that the settings allow, and a reserve for everything else.
//!
//! A process that has no descriptors left can neither answer a probe nor read a revoked credential again, and its
//! orchestrator restarts it, although it works. Therefore the server makes sure at its start that callers can never
//! take the last descriptors: it raises its soft limit to the hard limit, and starts only if both the allowed
//! connections and the reserve fit. Must not know what the descriptors are used for.

use crate::server::accept::MAX_WAITING;
use crate::server::admin;
use crate::server::places::MAX_LEAVING;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;

/// Descriptors that the connections of callers never take.
pub const RESERVED_DESCRIPTORS: usize = 128;
/// Descriptors for all but connections: standard streams, listeners, those of the runtime and of the signals, file
/// events, the decision log, the connection to a collector, files that are being read. The server has about 20 of them
/// open.
const OTHER_DESCRIPTORS: usize = 38;

/// Descriptors of connections that make room for others, and of newcomers for whom there is no place yet.
const CHANGING_DESCRIPTORS: usize = MAX_LEAVING + MAX_WAITING + 1;

// The admin listener accepts a connection before it closes the oldest one.
const _: () = assert!(admin::MAX_CONNECTIONS + 1 + CHANGING_DESCRIPTORS + OTHER_DESCRIPTORS <= RESERVED_DESCRIPTORS);

/// The process may not open enough file descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "{connections} connections need {needed} file descriptors, and this process may open {limit}",
    needed = self.needed()
)]
pub struct TooFewDescriptors {
    /// The number of connections that the settings allow.
    pub connections: usize,
    /// The limit of the process.
    pub limit: u64,
}

impl TooFewDescriptors {
    /// The limit that the connections need.
    pub fn needed(&self) -> usize {
        self.connections.saturating_add(RESERVED_DESCRIPTORS)
    }

    /// The number of connections for which the limit is enough; `None` if it is not enough for any.
    pub fn allowed(&self) -> Option<u64> {
        self.limit.checked_sub(RESERVED_DESCRIPTORS as u64).filter(|allowed| *allowed > 0)
    }
}

/// Raises the soft limit of this process to its hard limit.
///
/// # Errors
/// If the limit is not enough for this number of connections and [`RESERVED_DESCRIPTORS`].
pub fn reserve_descriptors(connections: usize) -> Result<(), TooFewDescriptors> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Some systems have a hard limit that they do not accept as a soft limit. The soft limit then stays as it is, and
    // what counts is whether it is enough.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    check(connections, getrlimit(Resource::Nofile).current)
}

/// Checks a limit; `None` is no limit.
fn check(connections: usize, limit: Option<u64>) -> Result<(), TooFewDescriptors> {
    let Some(limit) = limit else { return Ok(()) };
    let error = TooFewDescriptors { connections, limit };
    if error.needed() as u64 <= limit { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_the_reserve_must_fit() {
        assert_eq!(check(1024, Some(1152)), Ok(()));
        assert_eq!(check(usize::MAX, None), Ok(()));
        let error = check(1024, Some(1151)).unwrap_err();
        let text = "1024 connections need 1152 file descriptors, and this process may open 1151";
        assert_eq!((error.to_string().as_str(), error.allowed()), (text, Some(1023)));
        assert_eq!(check(1, Some(128)).unwrap_err().allowed(), None);
        assert!(check(usize::MAX, Some(u64::MAX - 1)).is_err() || usize::BITS < 64);
    }
}
