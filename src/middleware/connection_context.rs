//! What a call knows about its connection. The extensions of the call's request contain these values.
//!
//! Must not know how connections are served.

use crate::middleware::callers::CallerState;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

/// The client at the other end of the connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// IP address of the client, never an IPv4-mapped IPv6 address.
    pub address: IpAddr,
    /// The callers of this address.
    pub callers: Arc<CallerState>,
    /// Whether the client is a trusted proxy, so that the address is not that of the caller.
    pub is_proxy: bool,
    /// Name and expiry of the client's certificate, under mutual TLS.
    pub certificate: Option<(Arc<str>, SystemTime)>,
}
