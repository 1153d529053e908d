//! `detente serve`, run as a process of the compiled binary.

mod addresses;
mod logs;
#[cfg(feature = "otlp")]
mod otlp;
mod process;
mod reloading;
mod running;
mod settings;
mod settings_reference;
mod wrong_port;
