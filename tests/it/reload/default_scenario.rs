//! What a reload does with the default scenario when its file is removed, changes or is not there yet.

use super::{load, text, titles};
use crate::support::binary::Folder;
use detente::schema::proto::v1::GetScenarioRequest;
use detente::services::RedLines;
use detente::serving::{DefaultState, FileFault, Reload, ReloadTrigger, ScenarioFiles, ScenarioLocation};
use detente_core::scenario::ids::ScenarioId;
use detente_core::scenario::limits::DEFAULT_FILE_BYTES;
use std::fs;
use std::time::Duration;

/// Loads a folder with the scenarios `a` and `z`, of which a setting names `z` as the default.
fn with_default(name: &str) -> (Folder, ScenarioFiles) {
    let folder = Folder::new(name);
    folder.write("a.yaml", &text("a", "A1"));
    folder.write("z.yaml", &text("z", "Z1"));
    let default = Some(ScenarioId::new("z"));
    let files = ScenarioFiles::load(ScenarioLocation::Folder(folder.0.clone()), default, DEFAULT_FILE_BYTES).unwrap();
    (folder, files)
}

#[test]
fn a_removed_default_scenario_is_kept_until_a_file_contains_it_again() {
    let (folder, files) = with_default("reload-default-kept");
    let service = RedLines::new(files.store().clone());
    let removed = || service.get_scenario(GetScenarioRequest::default()).unwrap().removed_file;
    assert_eq!((files.store().default_state(), removed()), (DefaultState::Served, None));
    assert_eq!(files.reload_within(), None);
    fs::remove_file(folder.0.join("z.yaml")).unwrap();
    let outcome = files.reload(ReloadTrigger::FileEvent);
    assert!(outcome.warnings[0].contains("no file contains the default scenario scenarios/z"), "{outcome:?}");
    assert_eq!((outcome.changed.len(), outcome.faults.len(), outcome.warnings.len()), (0, 0, 1));
    assert_eq!(titles(&files), ["a=A1", "z=Z1"]);
    let before = removed().unwrap();
    assert_eq!(before.file, "z.yaml", "the path of the folder is not disclosed");
    let seconds = before.until.unwrap().seconds - before.since.unwrap().seconds;
    assert_eq!(seconds, 24 * 60 * 60);
    assert!(files.reload_within().unwrap() > Duration::from_secs(seconds as u64 - 60));
    assert_eq!(files.store().default_state(), DefaultState::Kept);
    // Further reloads say nothing new, and other scenarios are still removed.
    fs::remove_file(folder.0.join("a.yaml")).unwrap();
    let outcome = files.reload(ReloadTrigger::Timer);
    assert_eq!((outcome.changed.len(), outcome.warnings.len()), (1, 0), "{outcome:?}");
    assert_eq!((titles(&files), removed().unwrap()), (vec!["z=Z1".to_owned()], before));
    folder.write("other.yaml", &text("z", "Z2"));
    let outcome = files.reload(ReloadTrigger::FileEvent);
    assert_eq!((outcome.changed.len(), outcome.warnings.len()), (2, 0), "{outcome:?}");
    assert_eq!((titles(&files), removed()), (vec!["z=Z2".to_owned()], None));
    assert_eq!((files.store().default_state(), files.reload_within()), (DefaultState::Served, None));
    // A file whose scenario gets another id is like a removal, and a stale file that is removed is no longer stale.
    folder.write("other.yaml", "broken");
    files.reload(ReloadTrigger::FileEvent);
    folder.write("other.yaml", &text("y", "Y"));
    files.reload(ReloadTrigger::FileEvent);
    let answer = service.get_scenario(GetScenarioRequest::default()).unwrap();
    assert_eq!((answer.stale_file, answer.removed_file.unwrap().file), (None, "other.yaml".to_owned()));
    assert_eq!(files.store().default_changes(), 0);
}

#[test]
fn a_removed_default_scenario_is_kept_no_longer_than_a_day_or_until_sighup() {
    for (retention, trigger) in
        [(Duration::from_secs(60), ReloadTrigger::Hangup), (Duration::from_millis(1), ReloadTrigger::Timer)]
    {
        let (folder, files) = with_default("reload-default-ends");
        let files = files.with_default_retention(retention);
        let service = RedLines::new(files.store().clone());
        fs::remove_file(folder.0.join("z.yaml")).unwrap();
        files.reload(ReloadTrigger::FileEvent);
        assert_eq!(files.store().default_state(), DefaultState::Kept);
        std::thread::sleep(Duration::from_millis(5));
        let outcome = files.reload(trigger);
        assert!(outcome.warnings[0].contains("scenarios/z is no longer served"), "{outcome:?}");
        assert_eq!((titles(&files), files.store().default_state()), (vec!["a=A1".to_owned()], DefaultState::Missing));
        let error = service.get_scenario(GetScenarioRequest::default()).unwrap_err();
        assert!(error.to_string().contains("no default scenario; name a scenario"), "{error}");
        assert!(files.reload(trigger).warnings.is_empty());
        assert_eq!(files.reload_within(), None);
        // It is the default again when its file is back, and then is kept again.
        folder.write("z.yaml", &text("z", "Z2"));
        files.reload(ReloadTrigger::FileEvent);
        assert_eq!(files.store().default_state(), DefaultState::Served);
        fs::remove_file(folder.0.join("z.yaml")).unwrap();
        files.reload(ReloadTrigger::FileEvent);
        assert_eq!(files.store().default_state(), DefaultState::Kept);
        // Its time also ends while the folder cannot be read, which removes no other scenario.
        std::thread::sleep(Duration::from_millis(5));
        let away = folder.0.with_extension("away");
        fs::rename(&folder.0, &away).unwrap();
        let outcome = files.reload(trigger);
        assert_eq!((outcome.faults.len(), outcome.warnings.len()), (1, 1), "{outcome:?}");
        assert_eq!((titles(&files), files.reload_within()), (vec!["a=A1".to_owned()], None));
        fs::rename(&away, &folder.0).unwrap();
    }
}

#[test]
fn a_default_scenario_that_no_setting_names_changes_with_a_warning() {
    let folder = Folder::new("reload-default-first");
    folder.write("b.yaml", &text("b", "B1"));
    let files = load(&folder);
    folder.write("a.yaml", &text("a", "A1"));
    let outcome = files.reload(ReloadTrigger::FileEvent);
    assert!(outcome.warnings[0].contains("is now scenarios/a, previously scenarios/b"), "{outcome:?}");
    // Another revision of the default, or a scenario that sorts later, does not change which one is the default.
    folder.write("a.yaml", &text("a", "A2"));
    folder.write("c.yaml", &text("c", "C1"));
    assert!(files.reload(ReloadTrigger::FileEvent).warnings.is_empty());
    assert_eq!(files.store().default_changes(), 1);
    for name in ["a.yaml", "b.yaml", "c.yaml"] {
        fs::remove_file(folder.0.join(name)).unwrap();
    }
    let outcome = files.reload(ReloadTrigger::FileEvent);
    assert!(outcome.warnings[0].contains("is now none, previously scenarios/a"), "{outcome:?}");
    assert_eq!((files.store().default_changes(), files.store().default_state()), (2, DefaultState::Missing));
}

#[test]
fn a_server_starts_without_the_named_default() {
    let folder = Folder::new("reload-no-default");
    folder.write("a.yaml", &text("a", "A1"));
    let default = Some(ScenarioId::new("z"));
    let files = ScenarioFiles::load(ScenarioLocation::Folder(folder.0.clone()), default, DEFAULT_FILE_BYTES).unwrap();
    assert_eq!((titles(&files), files.store().default_state()), (vec!["a=A1".to_owned()], DefaultState::Missing));
    folder.write("z.yaml", &text("z", "Z1"));
    let outcome = files.reload(ReloadTrigger::FileEvent);
    assert_eq!((outcome.warnings, outcome.faults), (Vec::<String>::new(), Vec::<FileFault>::new()));
    assert_eq!(files.store().default_state(), DefaultState::Served);
}
