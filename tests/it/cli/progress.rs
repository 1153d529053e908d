//! Progress of long work, which is shown only on a terminal.

use crate::support::binary::{Folder, prints};
use crate::support::pigeons;
use std::process::Command;

#[test]
fn progress_is_shown_only_on_a_terminal() {
    let folder = Folder::new("progress");
    // An analysis of this scenario takes minutes.
    let file = folder.write("pigeons.yaml", &pigeons::pigeons(12, 11));
    let arguments = ["impasse", "--scenario", &file, "--timeout", "2s"];
    let text = prints(&arguments);
    assert!(text.contains("the time ran out") && !text.contains('\r'), "{text}");

    // `script` of util-linux runs a program in a terminal.
    let command = format!("'{}' {}", env!("CARGO_BIN_EXE_detente"), arguments.join(" "));
    let terminal = Command::new("script").args(["-qec", &command, "/dev/null"]).env("TERM", "xterm").output();
    let Ok(terminal) = terminal else {
        eprintln!("`script` is not installed, so the output on a terminal is not checked");
        return;
    };
    let shown = String::from_utf8_lossy(&terminal.stdout).into_owned();
    assert!(terminal.status.success(), "{shown}");
    let moved = shown.matches("searching").count();
    assert!(moved >= 5, "the spinner must move without reports, but moved {moved} times: {shown:?}");
    let answer = shown.find("Search for an impasse").unwrap();
    assert!(!shown[answer..].contains("searching"), "the spinner must be gone before the answer: {shown:?}");
}
