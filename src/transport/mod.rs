//! One connection: TLS, the preface, HTTP/2 and its limits, writes that leave together, clients that stop reading.
//!
//! Must not know of methods or of messages.

pub(crate) mod client_certificate;
pub mod connection;
pub(crate) mod preface;
pub(crate) mod stall_guard;
pub mod tls;
pub(crate) mod write_buffer;
