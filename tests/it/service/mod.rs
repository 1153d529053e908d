//! The service called as a library: what one RPC answers must agree with what another answers.

mod cache;
mod revisions;
mod several;
mod store;
