//! The real binary, as a shell runs it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder of a test's own, gone at its end.
pub struct Folder(pub PathBuf);

impl Folder {
    /// Two tests of one program may choose the same name: the number tells their folders apart.
    pub fn new(name: &str) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("detente-test-{name}-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Names another binary to test in place of the one that cargo built, such as the last release's.
const TESTED_PROGRAM: &str = "TESTED_PROGRAM";

/// The binary, without what this shell has set for it.
pub fn command(arguments: &[&str]) -> Command {
    let program = std::env::var_os(TESTED_PROGRAM).unwrap_or_else(|| env!("CARGO_BIN_EXE_detente").into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DETENTE_")) {
        command.env_remove(name);
    }
    command.env_remove("CLICOLOR_FORCE");
    // Several servers at a time: each would want the same port.
    command.env("DETENTE_ADMIN_LISTEN", "off");
    command
}

/// Exit code, standard output and standard error, neither with colours.
pub fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command(arguments).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(!stdout.contains('\u{1b}') && !stderr.contains('\u{1b}'), "colour in a pipe: {stdout}{stderr}");
    (status.code().unwrap(), stdout, stderr)
}

/// What a command prints that ends well.
pub fn prints(arguments: &[&str]) -> String {
    let (code, stdout, stderr) = run(arguments);
    assert_eq!((code, stderr.as_str()), (0, ""), "{arguments:?}: {stdout}");
    stdout
}

/// A refused command, with its code: nothing on standard output.
pub fn refuses(arguments: &[&str]) -> (i32, String) {
    let (code, stdout, stderr) = run(arguments);
    assert_eq!(stdout, "", "{arguments:?}");
    (code, stderr)
}

/// The scenario that README.md tells to save.
pub fn reservoir() -> &'static str {
    let (_, after) = include_str!("../../README.md").split_once("```yaml\n# reservoir.yaml\n").unwrap();
    after.split_once("```").unwrap().0
}
