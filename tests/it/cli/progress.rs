//! Long work is shown on a terminal, and nowhere else.

use crate::support::binary::{Folder, prints};
use crate::support::pigeons;
use std::process::Command;

#[test]
fn long_work_is_shown_on_a_terminal_only() {
    let folder = Folder::new("progress");
    let file = folder.write("pigeons.yaml", &pigeons::pigeons(12, 11));
    let arguments = ["impasse", "--scenario", &file, "--timeout", "2s"];
    let told = prints(&arguments);
    assert!(told.contains("the time ran out") && !told.contains('\r'), "{told}");

    // `script`, of util-linux, gives a program a terminal.
    let command = format!("'{}' {}", env!("CARGO_BIN_EXE_detente"), arguments.join(" "));
    let terminal = Command::new("script").args(["-qec", &command, "/dev/null"]).env("TERM", "xterm").output();
    let Ok(terminal) = terminal else {
        eprintln!("there is no `script` here: nothing is looked at on a terminal");
        return;
    };
    let shown = String::from_utf8_lossy(&terminal.stdout).into_owned();
    assert!(terminal.status.success(), "{shown}");
    let moved = shown.matches("searching").count();
    assert!(moved >= 5, "while nothing is reported it moves, too, here {moved} times: {shown:?}");
    let answer = shown.find("Why nothing passes").unwrap();
    assert!(!shown[answer..].contains("searching"), "it is gone before the answer: {shown:?}");
}
