//! The service called as a library: the answers of different RPCs must agree with each other.

mod cache;
mod revisions;
mod several;
mod store;
