//! The generated routers and traits of the services. They use the codec of the middleware.

#![allow(
    missing_docs,
    clippy::all,
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    clippy::too_many_lines,
    reason = "generated code; the schema's comments are its documentation"
)]

include!(concat!(env!("OUT_DIR"), "/server/detente.v1.rs"));
