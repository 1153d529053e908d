//! The option that limits the size of scenario files, which every command that loads them has.
//!
//! Must not know the commands.

use super::parsers::scenario_size;
use clap::Args;

/// The maximum size of a scenario file.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct ScenarioSize {
    /// Size of the largest scenario file that is loaded, up to 16MiB.
    ///
    /// The default is four times what a Kubernetes ConfigMap can hold. Loading a file takes at most 16 MiB of memory and
    /// eight times the size of the file; the number of its values is limited in proportion to its size.
    #[arg(long = "max-scenario-bytes", env = "DETENTE_MAX_SCENARIO_BYTES", value_name = "SIZE", default_value = "4MiB",
        value_parser = scenario_size)]
    pub(crate) bytes: usize,
}
