//! The scenario format, and the bundled scenario's sources.

mod quotes;
mod schema;
