//! What can be chosen when the server is started: by flags, or by variables of the environment (`DETENTE_*`), which
//! flags override.

use crate::shutdown::Drain;
use crate::telemetry::{LogFormat, check_filter};
use clap::{ArgAction, Args};
use jiff::SignedDuration;
use std::path::PathBuf;
use std::time::Duration;

/// The options of `detente serve`.
#[derive(Args, Clone, Debug)]
pub struct ServeOptions {
    /// The address to serve on, in plaintext. Port 0: any free one; the log names it.
    #[arg(long, env = "DETENTE_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:50051")]
    pub listen: String,

    /// A scenario to hold; may be repeated, and the first is the default one. In the environment: separated by commas.
    /// [default: the one that comes with the program]
    #[arg(long = "scenario", env = "DETENTE_SCENARIO", value_name = "FILE", value_delimiter = ',')]
    pub scenarios: Vec<PathBuf>,

    /// Whether clients may learn the schema from the server (gRPC reflection, v1 and v1alpha).
    #[arg(long, env = "DETENTE_REFLECTION", value_name = "BOOL", action = ArgAction::Set, default_value_t = true)]
    pub reflection: bool,

    /// How many connections may be open at a time; more wait until one closes.
    #[arg(long, env = "DETENTE_MAX_CONNECTIONS", value_name = "COUNT", default_value_t = 1024,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub max_connections: usize,

    /// At the end, how long to answer as NOT_SERVING before clients are told to go. Behind a load balancer: as long as
    /// it takes to notice.
    #[arg(long, env = "DETENTE_DRAIN_PAUSE", value_name = "DURATION", default_value = "500ms", value_parser = duration)]
    pub drain_pause: Duration,

    /// At the end, after the pause, what calls under way may take before they are cut.
    #[arg(long, env = "DETENTE_DRAIN_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub drain_timeout: Duration,

    /// How to log, to standard error.
    #[arg(long, env = "DETENTE_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,

    /// What to log: a level (error, warn, info, debug, trace), or levels by target. With
    /// `info,detente::call=debug` every call is logged.
    #[arg(long, env = "DETENTE_LOG", value_name = "FILTER", default_value = "info", value_parser = filter)]
    pub log: String,
}

impl ServeOptions {
    /// How the end goes.
    pub fn drain(&self) -> Drain {
        Drain { pause: self.drain_pause, timeout: self.drain_timeout }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let signed: SignedDuration = text.parse().map_err(|_| "write a duration like `10s` or `500ms`".to_owned())?;
    let duration = Duration::try_from(signed).map_err(|_| "a duration can't be negative".to_owned())?;
    if duration > Duration::from_secs(3_600) { Err("at most an hour".to_owned()) } else { Ok(duration) }
}

fn filter(text: &str) -> Result<String, String> {
    check_filter(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}
