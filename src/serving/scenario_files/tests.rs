//! One scenario file is loaded at a time.

use super::*;
use detente_core::scenario::limits::DEFAULT_FILE_BYTES;
use std::sync::mpsc;
use std::thread;

const SCENARIO: &str = include_str!("../../../tests/it/contracts/scenarios/bare.yaml");
/// Longer than loading the scenario takes.
const LONG_ENOUGH: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn starts_and_reloads_wait_for_the_load_of_another_file() {
    let folder = std::env::temp_dir().join(format!("detente-test-one-load-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("bare.yaml"), SCENARIO).unwrap();
    let load = |folder: &Path| {
        ScenarioFiles::load(ScenarioLocation::Folder(folder.to_owned()), None, DEFAULT_FILE_BYTES).unwrap()
    };
    let files = load(&folder);
    thread::scope(|threads| {
        let (tell, told) = mpsc::channel();
        let turn = lock(&LOADING);
        let (folder, files, other) = (&folder, &files, tell.clone());
        fs::write(folder.join("bare.yaml"), format!("{SCENARIO}# changed\n")).unwrap();
        threads.spawn(move || {
            load(folder);
            tell.send("start").unwrap();
        });
        threads.spawn(move || {
            files.reload_all(ReloadTrigger::Timer);
            other.send("reload").unwrap();
        });
        assert!(told.recv_timeout(LONG_ENOUGH).is_err(), "two files were loaded at a time");
        drop(turn);
        let mut done = [told.recv_timeout(PATIENCE).unwrap(), told.recv_timeout(PATIENCE).unwrap()];
        done.sort_unstable();
        assert_eq!(done, ["reload", "start"]);
    });
    fs::remove_dir_all(folder).unwrap();
}
