//! Scenario files: loads and reloads them, and puts their scenarios into the store.
//!
//! A fault in one file does not affect the other files. While a file cannot be used, its last valid scenario stays in
//! the store. If a file is removed from a folder, its scenario is removed, too; only the default scenario that a setting
//! names stays for a time, because a removed default usually is a mistake. If two usable files contain the same
//! scenario, the one whose path sorts first is used. Replicas with the same files, all of them usable, therefore have
//! the same revisions (versions of scenarios), whatever they loaded before. Must not know which callers use scenarios.
use crate::locks::lock;
use crate::serving::reload::{FileFault, Reload, ReloadOutcome};
use crate::serving::settled::{ContentHash, Reading, SettleTime, read_settled};
use crate::serving::source::{self, SourceError};
use crate::serving::watch::ReloadTrigger;
use crate::serving::{DefaultScenario, RemovedFile, StaleFile, Store};
use detente_core::engine::Compiled;
use detente_core::scenario::ids::ScenarioId;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};
use std::{fs, io};
use thiserror::Error;

/// Maximum number of scenario files in a folder.
const MAX_FILES: usize = 1_000;
/// How often, and after which pauses, a changed file is re-read until its content stays the same.
const SETTLE_TIME: SettleTime = SettleTime { pause: Duration::from_millis(100), readings: 20 };
/// Pause before the folder is listed once more, if a file that was in it is missing.
const ABSENCE_PAUSE: Duration = Duration::from_secs(1);

/// Longest time for which the default scenario answers requests after its file was removed.
///
/// A mistake in a deployment then breaks no caller that names no scenario, and a day is enough for someone to see the
/// alert. It is not longer, because what was removed on purpose must not be served for ever. SIGHUP ends it at once.
pub const DEFAULT_RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// Held while a scenario file is loaded, so that the process never needs the memory for loading two files at a time.
static LOADING: Mutex<()> = Mutex::new(());

/// The location of scenario files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScenarioLocation {
    /// These files; if the list is empty, the scenario built into the program.
    Files(Vec<PathBuf>),
    /// The files `*.yaml` and `*.yml` of a folder, but not tests (`*_test.*`) or files with a leading dot.
    Folder(PathBuf),
}

/// Why the scenario files cannot be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The folder cannot be read, or contains too many scenario files.
    #[error("the folder {folder} cannot be read: {cause}")]
    Folder {
        /// Path of the folder.
        folder: String,
        /// The error of the file system.
        cause: io::Error,
    },
    /// The folder contains no scenario file.
    #[error("the folder {0} has no scenario file (*.yaml, *.yml)")]
    Empty(String),
    /// A scenario file cannot be used.
    #[error(transparent)]
    File(#[from] SourceError),
    /// Two files contain scenarios with the same id.
    #[error("{file} contains the scenario `{id}`, and so does {other}; remove one of them")]
    Duplicate {
        /// Path of the later file.
        file: String,
        /// Path of the earlier file.
        other: String,
        /// Id of the scenario.
        id: ScenarioId,
    },
    /// Only the bundled scenario is served, and it is not the default scenario. No file can change that.
    #[error("the bundled scenario is not the default scenario `{0}`; name the files to serve with --scenario")]
    NoDefault(ScenarioId),
}

/// The scenario files, and the store of their scenarios.
#[derive(Debug)]
pub struct ScenarioFiles {
    location: ScenarioLocation,
    /// The maximum size of each file, in bytes.
    max_bytes: usize,
    store: Arc<Store>,
    states: Mutex<BTreeMap<PathBuf, FileState>>,
    /// When the default scenario was found to be without a file; `None` while it has one, or is not served.
    default_kept_since: Mutex<Option<Instant>>,
    default_retention: Duration,
}

/// The state of one file at its last reading.
#[derive(Debug)]
struct FileState {
    /// Hash of the file's bytes; `None` if it could not be read.
    hash: Option<ContentHash>,
    /// The scenario that the file contained, or what was wrong with the file.
    now: Result<Arc<Compiled>, String>,
    /// The last valid scenario that was read from the file.
    good: Option<Arc<Compiled>>,
}

impl ScenarioFiles {
    /// Loads the files.
    ///
    /// `default` is the id of the scenario that answers requests that name none. If it is `None`, the scenario of the
    /// first file answers them if files are listed; in a folder, the scenario whose id sorts first does. If no file
    /// contains the scenario `default`, these requests are refused until one does; the other scenarios are served.
    ///
    /// Each file may have at most `max_bytes`.
    ///
    /// # Errors
    /// If any file cannot be used, because a server starts only with all of its scenarios, or if the bundled scenario is
    /// the only one, and not the default.
    pub fn load(location: ScenarioLocation, default: Option<ScenarioId>, max_bytes: usize) -> Result<Self, LoadError> {
        let paths = paths(&location)?;
        let (mut scenarios, mut read) = (Vec::new(), Vec::new());
        let mut files: BTreeMap<ScenarioId, String> = BTreeMap::new();
        if paths.is_empty() {
            match &location {
                ScenarioLocation::Folder(folder) => return Err(LoadError::Empty(folder.display().to_string())),
                ScenarioLocation::Files(_) => scenarios = source::load_within(&[], max_bytes)?,
            }
        }
        let is_bundled = paths.is_empty();
        for path in paths {
            let _turn = lock(&LOADING);
            let (file, text) = (path.display().to_string(), source::read_regular(&path, max_bytes)?);
            let compiled = source::compile_within(&file, &text, max_bytes)?;
            let id = compiled.scenario().id.clone();
            if let Some(other) = files.insert(id.clone(), file.clone()) {
                return Err(LoadError::Duplicate { file, other, id });
            }
            read.push((path, hash(&text), id));
            scenarios.push(compiled);
        }
        let store = Store::new(scenarios).map_err(|duplicate| LoadError::Duplicate {
            file: String::new(),
            other: String::new(),
            id: duplicate.id,
        })?;
        match (default, &location) {
            (Some(id), _) if is_bundled && store.get(id.as_str()).is_none() => return Err(LoadError::NoDefault(id)),
            (Some(id), _) => store.set_default(DefaultScenario::Named(id)),
            (None, ScenarioLocation::Folder(_)) => store.set_default(DefaultScenario::FirstById),
            (None, ScenarioLocation::Files(_)) => {}
        }
        let states = read.into_iter().filter_map(|(path, hash, id)| {
            let held = store.get(id.as_str())?;
            Some((path, FileState { hash: Some(hash), now: Ok(held.clone()), good: Some(held) }))
        });
        Ok(Self {
            states: Mutex::new(states.collect()),
            location,
            max_bytes,
            store: Arc::new(store),
            default_kept_since: Mutex::default(),
            default_retention: DEFAULT_RETENTION,
        })
    }

    /// Replaces the time for which the default scenario is kept without a file, [`DEFAULT_RETENTION`] by default.
    #[must_use]
    pub fn with_default_retention(self, default_retention: Duration) -> Self {
        Self { default_retention, ..self }
    }

    /// Returns the store of the loaded scenarios.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Reads all files again, and puts the usable scenarios into the store.
    fn reload_all(&self, trigger: ReloadTrigger) -> ReloadOutcome {
        let mut outcome = ReloadOutcome::default();
        let mut states = lock(&self.states);
        let default_file = self.file_of_default(&states);
        let is_complete = |found: &Vec<PathBuf>| states.keys().all(|path| found.contains(path));
        let found = paths(&self.location).and_then(|found| match is_complete(&found) {
            true => Ok(found),
            // A missing file may come back: some programs write a file by first moving the old one away.
            false => {
                sleep(ABSENCE_PAUSE);
                paths(&self.location)
            }
        });
        let paths = match found {
            Ok(paths) => paths,
            Err(error) => {
                outcome.faults.push(FileFault { file: self.folder(), message: error.to_string() });
                self.end_kept_default(trigger, &mut outcome);
                return outcome;
            }
        };
        // Without files, the built-in scenario is in use, which does not change.
        if paths.is_empty() && matches!(self.location, ScenarioLocation::Files(_)) {
            return outcome;
        }
        let present: BTreeSet<&PathBuf> = paths.iter().collect();
        states.retain(|path, _| present.contains(path));
        let known: BTreeMap<PathBuf, Option<ContentHash>> =
            states.iter().map(|(path, state)| (path.clone(), state.hash)).collect();
        let read = |path: &PathBuf| match source::read_regular(path, self.max_bytes).map(|text| (hash(&text), text)) {
            Ok((hash, _)) if known.get(path) == Some(&Some(hash)) => Reading::Known,
            Ok((hash, text)) => Reading::Unsettled(Some(hash), Ok((hash, text))),
            Err(error) => Reading::Unsettled(None, Err(error)),
        };
        // Each file is compiled as soon as its content settles, so that only one text is in memory.
        read_settled(paths, SETTLE_TIME, read, |path, read| {
            let _turn = lock(&LOADING);
            // GetScenario returns the diagnostics to callers, so the diagnostics name the file without its path.
            let (hash, now) = match read {
                Ok((hash, text)) => {
                    let compiled = source::compile_within(&file_name(&path), &text, self.max_bytes);
                    (Some(hash), compiled.map_err(|error| error.to_string()))
                }
                Err(SourceError::Unreadable { cause, .. }) => (None, Err(format!("the file cannot be read: {cause}"))),
                Err(error) => (None, Err(error.to_string())),
            };
            let good = states.remove(&path).and_then(|before| before.good);
            let now = now.map(Arc::new);
            let good = now.as_ref().ok().cloned().or(good);
            states.insert(path, FileState { hash, now, good });
        });
        let default = self.store.default_id();
        let served = claimed(&states, &mut outcome);
        self.remove_others(&served, trigger, &default_file, &mut outcome);
        self.serve(&states, served, &mut outcome);
        self.report_change_of_default(default, &mut outcome);
        outcome
    }

    /// Removes the scenarios that no file contains from the store, unless the default scenario is kept.
    fn remove_others(&self, served: &Claims<'_>, trigger: ReloadTrigger, file: &str, outcome: &mut ReloadOutcome) {
        for held in self.store.list() {
            let id = &held.scenario().id;
            if served.contains_key(id) || self.keeps_default(id, trigger, file, outcome) {
                continue;
            }
            self.store.remove(id);
            outcome.changed.push(format!("scenarios/{id} is no longer served because its file was removed"));
        }
    }

    /// Removes the kept default scenario if its time has passed, although the folder cannot be read.
    fn end_kept_default(&self, trigger: ReloadTrigger, outcome: &mut ReloadOutcome) {
        let kept = self.store.named_default().filter(|id| self.store.removed(id.as_str()).is_some());
        if let Some(id) = kept
            && !self.keeps_default(&id, trigger, "", outcome)
        {
            self.store.remove(&id);
        }
    }

    /// Whether a scenario without a file stays in the store, because a setting names it as the default scenario.
    fn keeps_default(&self, id: &ScenarioId, trigger: ReloadTrigger, file: &str, outcome: &mut ReloadOutcome) -> bool {
        if self.store.named_default().as_ref() != Some(id) {
            return false;
        }
        let mut kept_since = lock(&self.default_kept_since);
        let time = kept_since.map_or(Duration::ZERO, |since| since.elapsed());
        if trigger == ReloadTrigger::Hangup || time >= self.default_retention {
            *kept_since = None;
            outcome.warnings.push(format!(
                "the default scenario scenarios/{id} is no longer served, because its file was removed: calls that \
                 name no scenario are refused; put the file back, or name another scenario with --default-scenario"
            ));
            return false;
        }
        if kept_since.is_none() {
            *kept_since = Some(Instant::now());
            let since = SystemTime::now();
            let until = since.checked_add(self.default_retention).unwrap_or(since);
            let seconds = until.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
            let end = Timestamp::from_second(seconds.cast_signed()).unwrap_or(Timestamp::MAX);
            self.store.set_stale(id, None);
            self.store.set_removed(id, Some(RemovedFile { file: file.to_owned(), since, until }));
            outcome.warnings.push(format!(
                "no file contains the default scenario scenarios/{id} any more: its last content is served until \
                 {end}, or until SIGHUP; put the file back, or name another scenario with --default-scenario"
            ));
        }
        true
    }

    /// Reports that another scenario is the default because scenarios were added or removed, not because of a setting.
    fn report_change_of_default(&self, before: Option<ScenarioId>, outcome: &mut ReloadOutcome) {
        let now = self.store.default_id();
        if self.store.named_default().is_some() || now == before {
            return;
        }
        self.store.count_default_change();
        let name = |id: Option<ScenarioId>| id.map_or_else(|| "none".to_owned(), |id| format!("scenarios/{id}"));
        outcome.warnings.push(format!(
            "the default scenario is now {}, previously {}: calls that name no scenario are answered from another \
             one; to prevent this, name the default scenario with --default-scenario",
            name(now),
            name(before)
        ));
    }

    /// Returns the name of the file that contains the default scenario.
    fn file_of_default(&self, states: &BTreeMap<PathBuf, FileState>) -> String {
        let default = self.store.named_default();
        let of_default = |state: &FileState| state.good.as_ref().map(|good| &good.scenario().id) == default.as_ref();
        let found = default.is_some().then(|| states.iter().find(|(_, state)| of_default(state))).flatten();
        found.map_or_else(String::new, |(path, _)| file_name(path))
    }

    /// Puts the last valid scenario of each file into the store.
    fn serve(&self, states: &BTreeMap<PathBuf, FileState>, served: Claims<'_>, outcome: &mut ReloadOutcome) {
        let is_served = |compiled: &Arc<Compiled>| {
            self.store.get(compiled.scenario().id.as_str()).is_some_and(|held| Arc::ptr_eq(&held, compiled))
        };
        for (id, (path, compiled)) in served {
            if !is_served(compiled) {
                let before = self.store.get(id.as_str()).map(|held| held.scenario().revision.to_string());
                let revision = &compiled.scenario().revision;
                match before {
                    Some(before) if before == revision.as_str() => {}
                    Some(before) => {
                        outcome.changed.push(format!("scenarios/{id}: revision {revision}, previously {before}"))
                    }
                    None => outcome.changed.push(format!("scenarios/{id}: revision {revision}, new")),
                }
                self.store.put_shared(compiled.clone());
            }
            if self.store.removed(id.as_str()).is_some() {
                *lock(&self.default_kept_since) = None;
                self.store.set_removed(id, None);
                outcome.changed.push(format!("a file contains scenarios/{id} again, the default scenario"));
            }
            let fault = states.get(path).and_then(|state| state.now.as_ref().err());
            let since = self.store.stale(id.as_str()).map_or_else(SystemTime::now, |stale| stale.since);
            self.store.set_stale(
                id,
                fault.map(|fault| StaleFile { file: file_name(path), since, diagnostics: fault.clone() }),
            );
        }
        for (path, state) in states {
            if let Err(message) = &state.now {
                outcome.faults.push(FileFault { file: path.display().to_string(), message: message.clone() });
            }
        }
    }

    fn folder(&self) -> String {
        match &self.location {
            ScenarioLocation::Folder(folder) => folder.display().to_string(),
            ScenarioLocation::Files(_) => String::new(),
        }
    }
}

impl Reload for ScenarioFiles {
    fn what(&self) -> &'static str {
        "scenarios"
    }

    fn folders(&self) -> Vec<PathBuf> {
        match &self.location {
            ScenarioLocation::Folder(folder) => vec![folder.clone()],
            ScenarioLocation::Files(files) => files.iter().map(|file| crate::serving::watch::folder_of(file)).collect(),
        }
    }

    fn reload(&self, trigger: ReloadTrigger) -> ReloadOutcome {
        self.reload_all(trigger)
    }

    fn reload_within(&self) -> Option<Duration> {
        let since = *lock(&self.default_kept_since);
        since.map(|since| self.default_retention.saturating_sub(since.elapsed()))
    }
}

/// The scenarios to serve, each with its file.
type Claims<'a> = BTreeMap<&'a ScenarioId, (&'a PathBuf, &'a Arc<Compiled>)>;

/// Returns the last valid scenario of each file. If two files contain the same scenario, reports one of them.
fn claimed<'a>(states: &'a BTreeMap<PathBuf, FileState>, outcome: &mut ReloadOutcome) -> Claims<'a> {
    let mut served = Claims::new();
    let mut claims: Vec<_> =
        states.iter().filter_map(|(path, state)| Some((path, state.good.as_ref()?, state.now.is_err()))).collect();
    // Sort files that are usable now before the others, and then by path. Every replica then chooses the same one
    // of two usable files with the same scenario.
    claims.sort_by_key(|(path, _, is_stale)| (*is_stale, *path));
    for (path, compiled, is_stale) in claims {
        let id = &compiled.scenario().id;
        match served.get(id) {
            None => drop(served.insert(id, (path, compiled))),
            // This file cannot be used now, and another one provides its scenario. That is not a duplicate; the
            // fault of this file is reported below.
            Some(_) if is_stale => {}
            Some((other, _)) => outcome.faults.push(FileFault {
                file: path.display().to_string(),
                message: format!(
                    "the file contains the scenario `{id}`, and so does {}; remove one of them",
                    other.display()
                ),
            }),
        }
    }
    served
}

/// Returns a file's name without its path, which callers of the service must not see.
fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn hash(text: &str) -> ContentHash {
    Sha256::digest(text.as_bytes()).into()
}

/// Lists the scenario files. Those of a folder are in order of their names.
fn paths(location: &ScenarioLocation) -> Result<Vec<PathBuf>, LoadError> {
    let folder = match location {
        ScenarioLocation::Files(files) => return Ok(files.clone()),
        ScenarioLocation::Folder(folder) => folder,
    };
    let refused = |cause| LoadError::Folder { folder: folder.display().to_string(), cause };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        // Follow links: every file of a Kubernetes ConfigMap is a link.
        if is_scenario_file(&path) && !path.is_dir() {
            paths.push(path);
        }
        if paths.len() > MAX_FILES {
            return Err(refused(io::Error::other(format!("more than {MAX_FILES} scenario files"))));
        }
    }
    paths.sort();
    Ok(paths)
}

fn is_scenario_file(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    is_yaml && !stem.is_empty() && !stem.starts_with('.') && !stem.ends_with("_test")
}

#[cfg(test)]
mod tests;
