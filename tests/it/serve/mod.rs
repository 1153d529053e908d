//! `detente serve`, run as the real binary.

mod otlp;
mod running;
mod settings;
mod settings_reference;
