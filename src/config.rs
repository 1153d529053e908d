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

    /// How many bytes of answers to keep, for questions that are asked again: like 32MiB; 0 keeps none.
    #[arg(long, env = "DETENTE_CACHE", value_name = "SIZE", default_value = "32MiB", value_parser = size)]
    pub cache: u64,

    /// How long a stream of evaluations may be without a request until it is ended.
    #[arg(long, env = "DETENTE_STREAM_IDLE", value_name = "DURATION", default_value = "60s", value_parser = patience)]
    pub stream_idle: Duration,

    /// How long a client may leave an answer unread until the call is reset.
    #[arg(long, env = "DETENTE_STALL", value_name = "DURATION", default_value = "60s", value_parser = patience)]
    pub stall: Duration,

    /// How many analyses (amendments, packages, impasses, robustness) to work on at a time; further ones wait.
    /// [default: one for every two processors]
    #[arg(long, env = "DETENTE_ANALYSES", value_name = "COUNT", default_value_t = 0, hide_default_value = true,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(0..=1_024))]
    pub analyses: usize,

    /// How long one analysis may take, whatever deadline its caller sets: then it is answered with what was found, and
    /// says so.
    #[arg(long, env = "DETENTE_ANALYSIS_TIME", value_name = "DURATION", default_value = "30s", value_parser = patience)]
    pub analysis_time: Duration,

    /// At the end, how long to answer as NOT_SERVING before clients are told to go. Behind a load balancer: as long as
    /// it takes to notice.
    #[arg(long, env = "DETENTE_DRAIN_PAUSE", value_name = "DURATION", default_value = "500ms", value_parser = duration)]
    pub drain_pause: Duration,

    /// At the end, after the pause, what calls under way may take before they are cut. At half of it, analyses are told
    /// to answer with what they have.
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

pub(crate) fn patience(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration < Duration::from_secs(1) { Err("at least a second".to_owned()) } else { Ok(duration) }
}

/// A number of bytes, with or without a unit.
fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];
    let unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (number, bytes) = unit.unwrap_or((text, 1));
    let number: Option<u64> = number.trim_end().parse().ok();
    let size = number.and_then(|number| number.checked_mul(bytes));
    match size {
        Some(size) if size <= 64 << 30 => Ok(size),
        Some(_) => Err("at most 64GiB".to_owned()),
        None => Err("write a size like `32MiB`, `512KiB` or `0`".to_owned()),
    }
}

fn filter(text: &str) -> Result<String, String> {
    check_filter(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}
