//! Opens listening sockets: for IPv4 and IPv6 alike on `[::]`, and for IPv4 alone on a host without IPv6.
//!
//! Must not know what is served, or which setting names the address.

use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;
use tracing::warn;

/// The target of the log events of this module. Log filters name it, so it must not change.
const LOG_TARGET: &str = "detente::cli::serve";

/// Maximum number of connections that wait to be accepted: the number that tokio and the Rust standard library use.
const BACKLOG: i32 = 1024;

/// Opens a listening socket on the first of `addresses` that can be bound.
///
/// On a host without IPv6, `0.0.0.0` replaces `[::]`, and a warning says so. `[::]` asks for all addresses of the host,
/// and these are all that it has, so the replacement exposes nothing that the setting does not name. Without it, the
/// same manifest could not run on every node of a cluster, because some operators disable IPv6 in the kernel. Go's
/// `net` package and gRPC's C core replace the address in the same way.
///
/// # Errors
/// The error of the last address, if none can be bound.
pub(super) fn listen(addresses: &[SocketAddr]) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for &address in addresses {
        match open(address) {
            Ok(listener) => return Ok(listener),
            Err(error) if is_everywhere(address) && has_no_ipv6(&error) => {
                let fallback = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
                let listener = open(fallback)?;
                warn!(
                    target: LOG_TARGET,
                    %error,
                    "this host has no IPv6: {fallback} replaces {address}, so only IPv4 clients can connect"
                );
                return Ok(listener);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether an error of [`listen`] means that the kernel, or a filter of system calls, does not provide IPv6.
pub(super) fn has_no_ipv6(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::AFNOSUPPORT)
}

fn is_everywhere(address: SocketAddr) -> bool {
    address.is_ipv6() && address.ip().is_unspecified()
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // Without this, the host decides whether `[::]` includes IPv4: on Linux by the sysctl net.ipv6.bindv6only.
        socket.set_only_v6(false)?;
    }
    // Lets a restarted server bind its port while connections of its predecessor are in TIME_WAIT. On Windows, the
    // option would let two programs share the port.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
