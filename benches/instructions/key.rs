//! The key of figures: the versions of the tools that the counts depend on.

use serde::{Deserialize, Serialize};
use std::env::consts::{ARCH, OS};
use std::fmt::{self, Display, Formatter};
use std::process::Command;

/// The versions of the tools. Counts differ between versions, so only counts with equal keys are compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) rustc: String,
    pub(crate) target: String,
    pub(crate) valgrind: String,
}

impl Key {
    /// Finds the versions of the tools on this machine: the compiler that builds the operations, and valgrind.
    pub(crate) fn detect() -> Result<Self, String> {
        let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
        let abi = if cfg!(target_env = "gnu") { "gnu" } else { "other" };
        Ok(Self {
            rustc: version(&rustc, "")?,
            target: format!("{ARCH}-{OS}-{abi}"),
            valgrind: version("valgrind", "; install the package valgrind")?,
        })
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "rustc {}, {}, valgrind {}", self.rustc, self.target, self.valgrind)
    }
}

/// Runs a program with `--version`, and returns the version, which follows the program's name in the output.
fn version(program: &str, remedy: &str) -> Result<String, String> {
    let output = Command::new(program).arg("--version").output();
    let output = output.map_err(|error| format!("cannot run {program}: {error}{remedy}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.trim().split([' ', '-']).nth(1);
    version.map(str::to_owned).ok_or_else(|| format!("`{program} --version` printed `{}`, not a version", text.trim()))
}
