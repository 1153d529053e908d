//! The file of figures: what each operation cost when it was last recorded, by the tools that counted it.

use super::callgrind::Tools;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::env::consts::{ARCH, OS};
use std::fmt::{self, Display, Formatter, Write};
use std::fs;
use std::path::{Path, PathBuf};

/// From the root of the repository.
pub(crate) const PATH: &str = "benches/instructions/figures.json";
/// How much more an operation may cost than recorded: this share, or this many instructions or bytes, whichever is more.
const MORE_SHARE: f64 = 0.03;
const MORE: f64 = 200.0;
/// Allocations are recorded in hundredths, because some happen once in several calls.
const HUNDREDTHS: f64 = 100.0;
/// Which call that is differs from process to process, so their number is only right to this. A hash table that grows
/// within the measured calls is one.
const ALLOCATIONS_VARY: f64 = 0.1;

/// What one item of an operation costs.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) instructions: f64,
    /// How often memory was allocated or grown.
    pub(crate) allocations: f64,
    /// By how many bytes.
    pub(crate) bytes: f64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.instructions += other.instructions;
        self.allocations += other.allocations;
        self.bytes += other.bytes;
    }

    /// Each divided by a number of items, and rounded to what is recorded.
    pub(crate) fn per_item(&self, items: f64) -> Self {
        Self {
            instructions: (self.instructions / items).round(),
            allocations: (self.allocations / items * HUNDREDTHS).round() / HUNDREDTHS,
            bytes: (self.bytes / items).round(),
        }
    }

    /// What costs more than it may, in words.
    fn excesses(&self, recorded: &Self) -> Vec<&'static str> {
        let limit = |figure: f64| figure + (figure * MORE_SHARE).max(MORE);
        let all = [
            ("instructions", self.instructions > limit(recorded.instructions)),
            ("allocations", self.allocations > recorded.allocations + ALLOCATIONS_VARY),
            ("bytes", self.bytes > limit(recorded.bytes)),
        ];
        all.into_iter().filter(|(_, is_more)| *is_more).map(|(name, _)| name).collect()
    }
}

/// Counts differ between versions of these, so only those of one key are held against each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Key {
    rustc: String,
    target: String,
    valgrind: String,
}

impl Key {
    pub(crate) fn of(tools: &Tools) -> Self {
        let abi = if cfg!(target_env = "gnu") { "gnu" } else { "other" };
        Self { rustc: tools.rustc.clone(), target: format!("{ARCH}-{OS}-{abi}"), valgrind: tools.valgrind.clone() }
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "rustc {}, {}, valgrind {}", self.rustc, self.target, self.valgrind)
    }
}

/// All that is recorded under one key.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Recorded {
    #[serde(flatten)]
    key: Key,
    operations: BTreeMap<String, Counts>,
}

/// The file. The newest record is first.
pub(crate) struct Figures(Vec<Recorded>);

impl Figures {
    pub(crate) fn read() -> Result<Self, String> {
        let text = match fs::read_to_string(file()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self(Vec::new())),
            read => read.map_err(|error| format!("cannot read {PATH}: {error}"))?,
        };
        serde_json::from_str(&text).map(Self).map_err(|error| format!("{PATH} is not a list of figures: {error}"))
    }

    /// Replaces what is recorded under `key`.
    pub(crate) fn record(&mut self, key: &Key, counted: &[(&str, Counts)]) {
        let operations = counted.iter().map(|(name, counts)| ((*name).to_owned(), *counts)).collect();
        self.0.retain(|recorded| recorded.key != *key);
        self.0.insert(0, Recorded { key: key.clone(), operations });
    }

    pub(crate) fn write(&self) -> Result<(), String> {
        let sections: Vec<String> = self.0.iter().map(Recorded::to_json).collect();
        fs::write(file(), format!("[\n{}\n]\n", sections.join(",\n")))
            .map_err(|error| format!("cannot write {PATH}: {error}"))
    }

    /// Prints what was counted beside what is recorded. Returns whether it may pass: with figures of this key, whether
    /// nothing is dearer than it may be; without, always. `is_all` says that no operation was left out on purpose.
    pub(crate) fn compare(&self, key: &Key, counted: &[(&str, Counts)], is_all: bool) -> bool {
        let same = self.0.iter().find(|recorded| recorded.key == *key);
        let Some(recorded) = same.or(self.0.first()) else {
            println!("{PATH} records nothing; run `cargo bench --bench instructions -- --record`");
            return false;
        };
        println!("counted: {key}\nrecorded: {}", recorded.key);
        let mut excesses = recorded.print(counted);
        if is_all {
            let gone = recorded.operations.keys().filter(|name| !counted.iter().any(|(counted, _)| counted == name));
            excesses.extend(gone.map(|name| format!("{name} is recorded, but no longer counted")));
        }
        println!();
        if same.is_none() {
            println!("nothing is held against figures of another key; record some for this one to compare from now on");
            return true;
        }
        if excesses.is_empty() {
            println!("instructions: no operation costs more than it may");
            return true;
        }
        for excess in &excesses {
            println!("FAILED: {excess}");
        }
        println!(
            "An operation may take {} % or {MORE} more instructions than recorded, whichever is more, and as many more \
             bytes, but no more allocations than 0.1. If the change is worth the cost, run `cargo bench --bench instructions -- \
             --record`, and commit {PATH} with the change and the reason.",
            MORE_SHARE * 100.0
        );
        false
    }
}

impl Recorded {
    /// One line an operation. Returns what costs more than it may.
    fn print(&self, counted: &[(&str, Counts)]) -> Vec<String> {
        println!(
            "\n| {:<32} | {:>12} | {:>12} | {:>9} | {:>11} | {:>8} | {:>9} |",
            "for each call", "recorded", "instructions", "change", "allocations", "change", "bytes"
        );
        println!("|{:-<34}|{:->13}:|{:->13}:|{:->10}:|{:->12}:|{:->9}:|{:->10}:|", "", "", "", "", "", "", "");
        let mut excesses = Vec::new();
        for (name, counts) in counted {
            let Some(recorded) = self.operations.get(*name) else {
                excesses.push(format!("{name} is not recorded"));
                continue;
            };
            let change = (counts.instructions / recorded.instructions - 1.0) * 100.0;
            println!(
                "| {name:<32} | {:>12} | {:>12} | {:>+7.2} % | {:>11} | {:>+8.2} | {:>9} |",
                recorded.instructions,
                counts.instructions,
                change,
                counts.allocations,
                counts.allocations - recorded.allocations,
                counts.bytes
            );
            let more = counts.excesses(recorded);
            if !more.is_empty() {
                excesses.push(format!("{name} takes more {}", more.join(" and ")));
            } else if !recorded.excesses(counts).is_empty() {
                println!("  {name} costs less than recorded: record it, so that it stays so");
            }
        }
        excesses
    }

    /// One line an operation, so that a change of one figure is a change of one line.
    fn to_json(&self) -> String {
        let Key { rustc, target, valgrind } = &self.key;
        let mut text = format!(
            "  {{\n    \"rustc\": \"{rustc}\",\n    \"target\": \"{target}\",\n    \"valgrind\": \"{valgrind}\",\n    \
             \"operations\": {{"
        );
        for (at, (name, Counts { instructions, allocations, bytes })) in self.operations.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let name = format!("\"{name}\":");
            write!(
                text,
                "{comma}\n      {name:<34} {{\"instructions\": {instructions:>9}, \"allocations\": {allocations:>7}, \
                 \"bytes\": {bytes:>8}}}"
            )
            .unwrap();
        }
        text + "\n    }\n  }"
    }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(PATH)
}
