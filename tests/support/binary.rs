//! Runs the program's binary as a shell does, and provides temporary folders for its files.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A temporary folder of one test, removed when it is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    /// Creates a folder. Two tests of one program may choose the same name, so the folder's name also contains a
    /// counter.
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

/// This environment variable names a binary to test in place of the one that cargo built, such as that of the last
/// release.
const TESTED_PROGRAM: &str = "TESTED_PROGRAM";

/// A command that runs the binary without the environment variables that the developer's shell may have set for it.
pub fn command(arguments: &[&str]) -> Command {
    let program = std::env::var_os(TESTED_PROGRAM).unwrap_or_else(|| env!("CARGO_BIN_EXE_detente").into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DETENTE_")) {
        command.env_remove(name);
    }
    command.env_remove("CLICOLOR_FORCE");
    // Tests run several servers at a time, which cannot all listen on the default admin port.
    command.env("DETENTE_ADMIN_LISTEN", "off");
    command
}

/// A command that runs the binary in a shell that first runs another command; without one, without a shell.
pub fn command_after(before: &str, arguments: &[&str]) -> Command {
    let command = command(arguments);
    if before.is_empty() {
        return command;
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{before} && exec \"$@\""), "sh"]).arg(command.get_program()).args(command.get_args());
    shell.current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// Runs the binary. Returns its exit code, standard output and standard error, which must not contain colours.
pub fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command(arguments).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(!stdout.contains('\u{1b}') && !stderr.contains('\u{1b}'), "colour in a pipe: {stdout}{stderr}");
    (status.code().unwrap(), stdout, stderr)
}

/// The standard output of a command, which must succeed.
pub fn prints(arguments: &[&str]) -> String {
    let (code, stdout, stderr) = run(arguments);
    assert_eq!((code, stderr.as_str()), (0, ""), "{arguments:?}: {stdout}");
    stdout
}

/// The exit code and standard error of a command, which must fail and print nothing on standard output.
pub fn refuses(arguments: &[&str]) -> (i32, String) {
    let (code, stdout, stderr) = run(arguments);
    assert_eq!(stdout, "", "{arguments:?}");
    (code, stderr)
}

/// The example scenario that README.md asks the reader to save.
pub fn reservoir() -> &'static str {
    let (_, after) = include_str!("../../README.md").split_once("```yaml\n# reservoir.yaml\n").unwrap();
    after.split_once("```").unwrap().0
}
