//! The file of figures: the recorded cost of each operation, with the versions of the tools that counted it.

use super::key::Key;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The path of the file, from the root of the repository.
pub(crate) const PATH: &str = "benches/instructions/figures.json";
/// The permitted increase of instructions or bytes, as a share of the recorded number. See [`MORE`].
const MORE_SHARE: f64 = 0.03;
/// The permitted increase of instructions or bytes as a number. It applies if it is more than [`MORE_SHARE`] allows.
const MORE: f64 = 200.0;
/// Allocations are recorded in hundredths, because some happen only once in several calls.
const HUNDREDTHS: f64 = 100.0;
/// The permitted increase of the number of allocations. Some allocations, such as the growth of a hash table, happen
/// within the measured calls in one process and not in another.
const ALLOCATIONS_VARY: f64 = 0.1;

/// The cost of one item of an operation.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) instructions: f64,
    /// The number of allocations and reallocations.
    pub(crate) allocations: f64,
    /// The allocated bytes.
    pub(crate) bytes: f64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.instructions += other.instructions;
        self.allocations += other.allocations;
        self.bytes += other.bytes;
    }

    /// The counts divided by a number of items, and rounded to the recorded precision.
    pub(crate) fn per_item(&self, items: f64) -> Self {
        Self {
            instructions: (self.instructions / items).round(),
            allocations: (self.allocations / items * HUNDREDTHS).round() / HUNDREDTHS,
            bytes: (self.bytes / items).round(),
        }
    }

    /// The names of the costs that exceed the permitted increase.
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

/// The figures recorded under one key. The key consists of the versions of the tools that counted them.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Recorded {
    #[serde(flatten)]
    key: Key,
    operations: BTreeMap<String, Counts>,
}

/// The content of the file. The newest record comes first.
pub(crate) struct Figures(Vec<Recorded>);

impl Figures {
    pub(crate) fn read() -> Result<Self, String> {
        let text = match fs::read_to_string(file()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self(Vec::new())),
            read => read.map_err(|error| format!("cannot read {PATH}: {error}"))?,
        };
        serde_json::from_str(&text).map(Self).map_err(|error| format!("{PATH} is not a list of figures: {error}"))
    }

    /// Replaces the figures recorded under `key`.
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

    /// Prints the counts beside the recorded ones, and returns whether the comparison passes.
    ///
    /// If figures are recorded under this key, it passes if every operation is recorded and no cost exceeds the
    /// permitted increase. If figures are recorded under other keys only, it passes; if none are recorded at all, it
    /// fails. `is_all` means that all operations were counted, so that it is a failure if a recorded one is missing.
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
            println!("no figures are recorded for these tools, so nothing can fail; record some with `-- --record`");
            return true;
        }
        if excesses.is_empty() {
            println!("instructions: no operation exceeds its limit");
            return true;
        }
        for excess in &excesses {
            println!("FAILED: {excess}");
        }
        println!(
            "An operation may exceed its recorded instructions and bytes by {} % or {MORE}, whichever is more, and its \
             allocations by {ALLOCATIONS_VARY}. If the change is worth the cost, run `cargo bench --bench \
             instructions -- --record`, and commit {PATH} with the change and the reason.",
            MORE_SHARE * 100.0
        );
        false
    }
}

impl Recorded {
    /// Prints one line per operation. Returns the costs that exceed the permitted increase.
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
                excesses.push(format!("{name} exceeds its limit of {}", more.join(" and ")));
            } else if !recorded.excesses(counts).is_empty() {
                println!("  {name} costs less than recorded; record the lower figure");
            }
        }
        excesses
    }

    /// Writes one line per operation, so that the change of one figure is the change of one line.
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
