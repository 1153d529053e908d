//! The files of certificates, tokens and keys: read at the start, and again when they may have changed.
//!
//! Owns when the server starts to use new contents. Must not know how connections and callers are authenticated.

use crate::access::{Authority, JwtRules, Keys, MAX_JWKS_BYTES, MAX_TOKEN_FILE_BYTES, Tokens};
use crate::cli::commands::serve::options::{Callers, TlsOptions};
use crate::cli::report::UsageError;
use crate::cli::variables::setting;
use crate::serving::bounded_file::{self, BoundedReadError};
use crate::serving::{ContentHash, FileFault, Reading, Reload, ReloadOutcome, ReloadTrigger, SettleTime, read_settled};
use crate::transport::tls::{MAX_AUTHORITIES_BYTES, MAX_CERTIFICATE_BYTES, MAX_KEY_BYTES, Tls, TlsFiles};
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::info;

/// The target of the log events of this module. Log filters name it, so it must not change.
const LOG_TARGET: &str = "detente::cli::serve::credentials";

/// How often, and for how long, a changed file is re-read until its content stays the same.
///
/// A file whose content still changes may be only partly written.
const SETTLE_TIME: SettleTime = SettleTime { pause: Duration::from_millis(500), readings: 10 };

/// Files that can be reloaded.
type ReloadableFiles = Arc<dyn Reload>;
/// Makes the server use the contents of the files, or returns a message that says why it cannot.
type Apply = dyn Fn(&[Vec<u8>]) -> Result<(), String> + Send + Sync;

/// A file, and its maximum size in bytes. A larger file is not read.
#[derive(Clone)]
struct BoundedPath {
    path: PathBuf,
    max_bytes: usize,
}

/// Files that are reloaded together, such as a certificate and its key.
struct Credentials {
    what: &'static str,
    paths: Vec<BoundedPath>,
    last_read: Mutex<LastRead>,
    apply: Box<Apply>,
}

/// The hash of the contents that the server uses, and the fault of the contents that were last read.
///
/// The hash is `None` after a fault.
#[derive(Default)]
struct LastRead {
    hash: Option<ContentHash>,
    fault: Option<FileFault>,
}

impl Credentials {
    /// Creates credentials whose `contents` the server already uses.
    fn in_force(
        what: &'static str,
        paths: Vec<BoundedPath>,
        contents: &[Vec<u8>],
        apply: impl Fn(&[Vec<u8>]) -> Result<(), String> + Send + Sync + 'static,
    ) -> ReloadableFiles {
        let last_read = Mutex::new(LastRead { hash: Some(hash(contents)), fault: None });
        Arc::new(Self { what, paths, last_read, apply: Box::new(apply) })
    }

    /// The paths of all files, for messages.
    fn all(&self) -> String {
        let names: Vec<_> = self.paths.iter().map(|file| file.path.display().to_string()).collect();
        names.join(", ")
    }
}

impl Reload for Credentials {
    fn what(&self) -> &'static str {
        self.what
    }

    fn folders(&self) -> Vec<PathBuf> {
        self.paths.iter().map(|file| crate::serving::folder_of(&file.path)).collect()
    }

    fn reload(&self, _: ReloadTrigger) -> ReloadOutcome {
        let mut last_read = crate::locks::lock(&self.last_read);
        let mut changed = Vec::new();
        let known = last_read.hash;
        let read = |(): &()| match read_all(&self.paths) {
            Err(error) => Reading::Final(Err(error)),
            Ok(contents) => match hash(&contents) {
                hash if known == Some(hash) => Reading::Known,
                hash => Reading::Unsettled(Some(hash), Ok((hash, contents))),
            },
        };
        // If the files did not change, or kept changing, the contents in use stay in use until the next reload.
        read_settled([()], SETTLE_TIME, read, |(), read| match read {
            Err((path, error)) => {
                let message = format!("cannot be read: {error}");
                *last_read =
                    LastRead { hash: None, fault: Some(FileFault { file: path.display().to_string(), message }) };
            }
            Ok((hash, contents)) => {
                let fault = (self.apply)(&contents).err().map(|message| FileFault { file: self.all(), message });
                if fault.is_none() {
                    changed.push(format!("{} from {}", self.what, self.all()));
                }
                // Faulty contents are tried again at each reload: a certificate that is not valid yet becomes valid
                // without a change of its file.
                *last_read = LastRead { hash: fault.is_none().then_some(hash), fault };
            }
        });
        ReloadOutcome { changed, warnings: Vec::new(), faults: last_read.fault.iter().cloned().collect() }
    }
}

/// Sets up TLS as the options say, and returns it with its files; `None` without a certificate.
pub(super) fn tls(options: &TlsOptions) -> Result<Option<(Tls, ReloadableFiles)>, UsageError> {
    let (Some(certificate), Some(key)) = (&options.tls_cert, &options.tls_key) else { return Ok(None) };
    let bounded = |path: &PathBuf, max_bytes| BoundedPath { path: path.clone(), max_bytes };
    let mut paths = vec![bounded(certificate, MAX_CERTIFICATE_BYTES), bounded(key, MAX_KEY_BYTES)];
    paths.extend(options.tls_client_ca.as_ref().map(|path| bounded(path, MAX_AUTHORITIES_BYTES)));
    let flags = ["--tls-cert", "--tls-key", "--tls-client-ca"];
    let contents = read_required(&paths, &flags)?;
    let tls = Tls::new(&files(&contents)).map_err(|error| {
        let settings: Vec<_> = flags.iter().take(paths.len()).map(|flag| setting(flag)).collect();
        UsageError(format!("cannot set up TLS with {}: {error}", settings.join(", ")))
    })?;
    let replaced = tls.clone();
    let reload = Credentials::in_force("tls", paths, &contents, move |contents| {
        replaced.replace(&files(contents)).map_err(|error| error.to_string())
    });
    Ok(Some((tls, reload)))
}

fn files(contents: &[Vec<u8>]) -> TlsFiles {
    let file = |at: usize| contents.get(at).cloned();
    TlsFiles { certificate: file(0).unwrap_or_default(), key: file(1).unwrap_or_default(), client_authorities: file(2) }
}

/// Sets up the authority that identifies callers, and returns it with its files of tokens and keys.
pub(super) fn callers(options: &Callers) -> Result<(Arc<Authority>, Vec<ReloadableFiles>), UsageError> {
    let mut reloads: Vec<(&'static str, BoundedPath, Vec<Vec<u8>>)> = Vec::new();
    let invalid =
        |flag: &str, path: &Path, error: String| UsageError(format!("{}: {}: {error}", setting(flag), path.display()));
    let tokens = match &options.tokens {
        None => None,
        Some(path) => {
            let file = BoundedPath { path: path.clone(), max_bytes: MAX_TOKEN_FILE_BYTES };
            let contents = read_required(std::slice::from_ref(&file), &["--tokens"])?;
            let tokens = read_tokens(&contents).map_err(|error| invalid("--tokens", path, error))?;
            reloads.push(("tokens", file, contents));
            Some(tokens)
        }
    };
    let rules = JwtRules {
        issuer: options.jwt_issuer.clone().unwrap_or_default(),
        audience: options.jwt_audience.clone().unwrap_or_default(),
        algorithms: options.jwt_algorithms.clone(),
    };
    let keys = match &options.jwks {
        None => None,
        Some(path) => {
            let file = BoundedPath { path: path.clone(), max_bytes: MAX_JWKS_BYTES };
            let contents = read_required(std::slice::from_ref(&file), &["--jwks"])?;
            let keys = read_keys(path, &contents, &rules).map_err(|error| invalid("--jwks", path, error))?;
            reloads.push(("jwks", file, contents));
            Some(keys)
        }
    };
    let authority = Arc::new(Authority::new(tokens, keys));
    let reloads = reloads.into_iter().map(|(what, file, contents)| {
        let (authority, rules, path) = (authority.clone(), rules.clone(), file.path.clone());
        let paths = vec![file];
        Credentials::in_force(what, paths, &contents, move |contents| {
            match what {
                "tokens" => authority.replace_tokens(read_tokens(contents)?),
                _ => authority.replace_keys(read_keys(&path, contents, &rules)?),
            }
            Ok(())
        })
    });
    let reloads = reloads.collect();
    Ok((authority, reloads))
}

fn text(contents: &[Vec<u8>]) -> Result<&str, String> {
    let bytes = contents.first().map_or(&[][..], Vec::as_slice);
    std::str::from_utf8(bytes).map_err(|_| "the file is not UTF-8 text".to_owned())
}

fn read_tokens(contents: &[Vec<u8>]) -> Result<Tokens, String> {
    Tokens::read(text(contents)?).map_err(|error| error.to_string())
}

fn read_keys(path: &Path, contents: &[Vec<u8>], rules: &JwtRules) -> Result<Keys, String> {
    let keys = Keys::read(text(contents)?, rules.clone()).map_err(|error| error.to_string())?;
    for why in keys.skipped_keys() {
        info!(target: LOG_TARGET, file = %path.display(), "ignoring a key: {why}");
    }
    Ok(keys)
}

/// Reads files at the start, when a missing file is an error. `flags` are the flags that name the files.
fn read_required(paths: &[BoundedPath], flags: &[&str]) -> Result<Vec<Vec<u8>>, UsageError> {
    let read = paths.iter().zip(flags).map(|(file, flag)| {
        read(file)
            .map_err(|error| UsageError(format!("{}: {} cannot be read: {error}", setting(flag), file.path.display())))
    });
    read.collect()
}

fn read_all(paths: &[BoundedPath]) -> Result<Vec<Vec<u8>>, (&PathBuf, io::Error)> {
    paths.iter().map(|file| read(file).map_err(|error| (&file.path, error))).collect()
}

fn read(BoundedPath { path, max_bytes }: &BoundedPath) -> io::Result<Vec<u8>> {
    bounded_file::read_regular(path, *max_bytes as u64).map_err(|error| match error {
        BoundedReadError::TooLarge => io::Error::other(format!("larger than {max_bytes} bytes")),
        BoundedReadError::Unreadable(error) => error,
    })
}

fn hash(contents: &[Vec<u8>]) -> ContentHash {
    let mut hash = Sha256::new();
    for content in contents {
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(content);
    }
    hash.finalize().into()
}
