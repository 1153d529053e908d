//! Scenario files, and what is served of them: read again when they may have changed.
//!
//! What is served is decided file by file. A file that cannot be used now keeps what it last held; a file that is gone
//! takes its scenario along, if it was one of a folder; of two files of one scenario the first by name is served. Files that
//! can be used always give the same revisions, whatever was there before.

use crate::serving::reload::{Fault, Outcome, Reload};
use crate::serving::source::{self, SourceError};
use crate::serving::{DefaultScenario, StaleFile, Store};
use detente_core::engine::Compiled;
use detente_core::scenario::model::Id;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, SystemTime};
use std::{fs, io};
use thiserror::Error;

/// The most scenario files in a folder.
const MAX_FILES: usize = 1_000;
/// A file that has changed is read once more after this time, until it is twice the same: someone may be writing it.
const SETTLING: Duration = Duration::from_millis(100);
/// A file that is gone is looked for once more after this time.
const ABSENCE: Duration = Duration::from_secs(1);
/// How often, before it is left for the next time.
const MAX_READS: usize = 20;

/// Where scenarios come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// These files; without any, the one that comes with the program.
    Files(Vec<PathBuf>),
    /// All scenario files of a folder: `*.yaml` and `*.yml`, but not `*_test.*`, nor those that begin with a dot.
    Folder(PathBuf),
}

/// Why a server cannot start with these files.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The folder cannot be read.
    #[error("the folder {folder} cannot be read: {cause}")]
    Folder {
        /// The folder.
        folder: String,
        /// Why.
        cause: io::Error,
    },
    /// It has no scenario.
    #[error("the folder {0} has no scenario file (*.yaml, *.yml)")]
    Empty(String),
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] SourceError),
    /// Two files hold one scenario.
    #[error("{file} holds the scenario `{id}`, and so does {other}")]
    Duplicate {
        /// The later file.
        file: String,
        /// The earlier one.
        other: String,
        /// The scenario.
        id: Id,
    },
    /// The default scenario is not there.
    #[error("there is no scenario `{0}`, which was to be the default one")]
    NoDefault(Id),
}

/// The files, and what is served of them.
#[derive(Debug)]
pub struct ScenarioFiles {
    place: Where,
    store: Arc<Store>,
    known: Mutex<BTreeMap<PathBuf, Known>>,
}

/// What is known of a file.
#[derive(Debug)]
struct Known {
    /// Of its bytes as they were last looked at; `None` where it could not be read.
    hash: Option<[u8; 32]>,
    /// What it holds now, or what is wrong with it.
    now: Result<Arc<Compiled>, String>,
    /// What it last held.
    good: Option<Arc<Compiled>>,
}

impl ScenarioFiles {
    /// Reads the files. `default`: which scenario answers requests that name none; without it the first of the files
    /// given, or the first by id of a folder's.
    ///
    /// # Errors
    /// If any file cannot be used: what a server starts with is whole.
    pub fn load(place: Where, default: Option<Id>) -> Result<Self, LoadError> {
        let paths = paths(&place)?;
        let (mut scenarios, mut read) = (Vec::new(), Vec::new());
        let mut files: BTreeMap<Id, String> = BTreeMap::new();
        if paths.is_empty() {
            match &place {
                Where::Folder(folder) => return Err(LoadError::Empty(folder.display().to_string())),
                Where::Files(_) => scenarios = source::load(&[])?,
            }
        }
        for path in paths {
            let (file, text) = (path.display().to_string(), source::read_regular(&path)?);
            let compiled = source::compile(&file, &text)?;
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
        match (default, &place) {
            (Some(id), _) if store.get(&id).is_none() => return Err(LoadError::NoDefault(id)),
            (Some(id), _) => store.set_default(DefaultScenario::Named(id)),
            (None, Where::Folder(_)) => store.set_default(DefaultScenario::FirstById),
            (None, Where::Files(_)) => {}
        }
        let known = read.into_iter().filter_map(|(path, hash, id)| {
            let held = store.get(&id)?;
            Some((path, Known { hash: Some(hash), now: Ok(held.clone()), good: Some(held) }))
        });
        Ok(Self { known: Mutex::new(known.collect()), place, store: Arc::new(store) })
    }

    /// What is served.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Looks at all files again, and makes what can be used of them what is served.
    fn look(&self) -> Outcome {
        let mut outcome = Outcome::default();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_whole = |found: &Vec<PathBuf>| known.keys().all(|path| found.contains(path));
        let found = paths(&self.place).and_then(|found| match is_whole(&found) {
            true => Ok(found),
            // What is gone may be on its way back: some programs write a file by moving the old one away.
            false => {
                sleep(ABSENCE);
                paths(&self.place)
            }
        });
        let paths = match found {
            Ok(paths) => paths,
            Err(error) => {
                outcome.faults.push(Fault { file: self.folder(), message: error.to_string() });
                return outcome;
            }
        };
        // The bundled scenario is not one that changes.
        if paths.is_empty() && matches!(self.place, Where::Files(_)) {
            return outcome;
        }
        let there: BTreeSet<&PathBuf> = paths.iter().collect();
        known.retain(|path, _| there.contains(path));
        let hashes = |path: &PathBuf| known.get(path).and_then(|known| known.hash);
        for (path, read) in settled(&paths, hashes) {
            // What is said of it is said to callers, too: where it is, is nobody's business.
            let (hash, now) = match read {
                Ok((hash, text)) => {
                    (Some(hash), source::compile(&file_name(&path), &text).map_err(|error| error.to_string()))
                }
                Err(SourceError::Unreadable { cause, .. }) => (None, Err(format!("it cannot be read: {cause}"))),
                Err(error) => (None, Err(error.to_string())),
            };
            let good = known.remove(&path).and_then(|before| before.good);
            let now = now.map(Arc::new);
            let good = now.as_ref().ok().cloned().or(good);
            known.insert(path, Known { hash, now, good });
        }
        self.serve(&known, &mut outcome);
        outcome
    }

    /// Makes what the files hold what is served.
    fn serve(&self, known: &BTreeMap<PathBuf, Known>, outcome: &mut Outcome) {
        let mut served: BTreeMap<&Id, (&PathBuf, &Arc<Compiled>)> = BTreeMap::new();
        // Those that can be used as they are come first; of two of one scenario the first by name, on every replica.
        let is_served = |compiled: &Arc<Compiled>| {
            self.store.get(&compiled.scenario().id).is_some_and(|held| Arc::ptr_eq(&held, compiled))
        };
        let mut claims: Vec<_> =
            known.iter().filter_map(|(path, known)| Some((path, known.good.as_ref()?, known.now.is_err()))).collect();
        claims.sort_by_key(|(path, _, is_stale)| (*is_stale, *path));
        for (path, compiled, is_stale) in claims {
            let id = &compiled.scenario().id;
            match served.get(id) {
                None => drop(served.insert(id, (path, compiled))),
                // What it held is elsewhere now.
                Some(_) if is_stale => {}
                Some((other, _)) => outcome.faults.push(Fault {
                    file: path.display().to_string(),
                    message: format!("it holds the scenario `{id}`, and so does {}", other.display()),
                }),
            }
        }
        for held in self.store.list() {
            let id = &held.scenario().id;
            if !served.contains_key(id) {
                self.store.remove(id);
                outcome.changed.push(format!("scenarios/{id} is no longer served: its file is gone"));
            }
        }
        for (id, (path, compiled)) in served {
            if !is_served(compiled) {
                let before = self.store.get(id).map(|held| held.scenario().revision.to_string());
                let revision = &compiled.scenario().revision;
                match before {
                    Some(before) if before == revision.as_str() => {}
                    Some(before) => outcome.changed.push(format!("scenarios/{id}: revision {revision}, was {before}")),
                    None => outcome.changed.push(format!("scenarios/{id}: revision {revision}, is new")),
                }
                self.store.put_shared(compiled.clone());
            }
            let fault = known.get(path).and_then(|known| known.now.as_ref().err());
            let since = self.store.stale(id).map_or_else(SystemTime::now, |stale| stale.since);
            self.store.set_stale(
                id,
                fault.map(|fault| StaleFile { file: file_name(path), since, diagnostics: fault.clone() }),
            );
        }
        for (path, known) in known {
            if let Err(message) = &known.now {
                outcome.faults.push(Fault { file: path.display().to_string(), message: message.clone() });
            }
        }
    }

    fn folder(&self) -> String {
        match &self.place {
            Where::Folder(folder) => folder.display().to_string(),
            Where::Files(_) => String::new(),
        }
    }
}

impl Reload for ScenarioFiles {
    fn what(&self) -> &'static str {
        "scenarios"
    }

    fn folders(&self) -> Vec<PathBuf> {
        match &self.place {
            Where::Folder(folder) => vec![folder.clone()],
            Where::Files(files) => files.iter().map(|file| crate::serving::watch::folder_of(file)).collect(),
        }
    }

    fn reload(&self) -> Outcome {
        self.look()
    }
}

/// Callers of the service see a file's name, not where it is.
fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// The files, in order of their names where it is a folder.
fn paths(place: &Where) -> Result<Vec<PathBuf>, LoadError> {
    let folder = match place {
        Where::Files(files) => return Ok(files.clone()),
        Where::Folder(folder) => folder,
    };
    let refused = |cause| LoadError::Folder { folder: folder.display().to_string(), cause };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        // A link leads where it leads: in a ConfigMap all files are links.
        if is_scenario_file(&path) && !path.is_dir() {
            paths.push(path);
        }
        if paths.len() > MAX_FILES {
            return Err(refused(io::Error::other(format!("it has more than {MAX_FILES} scenario files"))));
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

type Read = Result<([u8; 32], String), SourceError>;

/// What the files hold of which that is not what is known of them; each once it is the same at two looks in a row.
fn settled(paths: &[PathBuf], known: impl Fn(&PathBuf) -> Option<[u8; 32]>) -> Vec<(PathBuf, Read)> {
    let read = |path: &PathBuf| source::read_regular(path).map(|text| (hash(&text), text));
    let is_new = |path: &PathBuf, read: &Read| !read.as_ref().is_ok_and(|(hash, _)| Some(*hash) == known(path));
    let mut settled = Vec::new();
    let first = paths.iter().map(|path| (path.clone(), read(path)));
    let mut waiting: Vec<(PathBuf, Read)> = first.filter(|(path, read)| is_new(path, read)).collect();
    for _ in 0..MAX_READS {
        if waiting.is_empty() {
            break;
        }
        // All of them wait together.
        sleep(SETTLING);
        let mut changing = Vec::new();
        for (path, last) in waiting {
            let again = read(&path);
            let same = match (&last, &again) {
                (Ok((before, _)), Ok((after, _))) => before == after,
                (Err(_), Err(_)) => true,
                _ => false,
            };
            match same {
                true => settled.push((path, again)),
                false if is_new(&path, &again) => changing.push((path, again)),
                false => {}
            }
        }
        waiting = changing;
    }
    // What is being written all the time is left for the next time.
    settled
}
