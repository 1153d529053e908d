//! Reloading of scenario files: whatever is written into the folder, unusable content never replaces usable content.

mod default_scenario;

use crate::support::binary::Folder;
use detente::schema::proto::v1::GetScenarioRequest;
use detente::services::RedLines;
use detente::serving::{
    MAX_RELOAD_TIME, Reload, ReloadOutcome, ReloadTrigger, Reloader, Reloads, ScenarioFiles, ScenarioLocation, Watch,
    source,
};
use detente_core::scenario::ids::ScenarioId;
use detente_core::scenario::limits::DEFAULT_FILE_BYTES;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tokio::time::timeout;

fn text(id: &str, title: &str) -> String {
    let text = source::EMBEDDED.replacen("scenario: ukraine-2025", &format!("scenario: {id}"), 1);
    let line = text.lines().find(|line| line.starts_with("title: ")).unwrap();
    text.replacen(line, &format!("title: {title}"), 1)
}

fn load(folder: &Folder) -> Arc<ScenarioFiles> {
    Arc::new(ScenarioFiles::load(ScenarioLocation::Folder(folder.0.clone()), None, DEFAULT_FILE_BYTES).unwrap())
}

/// The ids and titles of the scenarios that are being served.
fn served(files: &ScenarioFiles) -> Vec<(String, String)> {
    let list = files.store().list();
    list.iter().map(|held| (held.scenario().id.to_string(), held.scenario().title.clone())).collect()
}

fn titles(files: &ScenarioFiles) -> Vec<String> {
    served(files).into_iter().map(|(id, title)| format!("{id}={title}")).collect()
}

#[test]
fn additions_changes_and_removals_are_served() {
    let folder = Folder::new("reload-changes");
    folder.write("b.yaml", &text("b", "B1"));
    folder.write("a.yml", &text("a", "A1"));
    folder.write("a_test.yaml", "not a scenario");
    folder.write(".hidden.yaml", "not a scenario either");
    folder.write("notes.txt", "nor this");
    let files = load(&folder);
    assert_eq!(titles(&files), ["a=A1", "b=B1"]);
    assert_eq!(files.store().default_id().as_ref().map(ScenarioId::as_str), Some("a"));
    assert_eq!(files.reload(ReloadTrigger::FileEvent), ReloadOutcome::default());

    let before = files.store().get("b").unwrap().scenario().revision.to_string();
    folder.write("b.yaml", &text("b", "B2"));
    folder.write("c.yaml", &text("c", "C1"));
    let outcome = files.reload(ReloadTrigger::FileEvent);
    assert_eq!(outcome.changed.len(), 2, "{outcome:?}");
    assert!(outcome.changed[0].contains("scenarios/b: revision") && outcome.changed[0].contains(&before));
    assert_eq!(titles(&files), ["a=A1", "b=B2", "c=C1"]);
    // A caller that has pinned the previous revision is still answered.
    assert!(files.store().revision_of("b", &before).is_ok());

    fs::remove_file(folder.0.join("a.yml")).unwrap();
    let outcome = files.reload(ReloadTrigger::FileEvent);
    assert_eq!(outcome.changed, ["scenarios/a is no longer served because its file was removed"]);
    assert_eq!(titles(&files), ["b=B2", "c=C1"]);
    assert_eq!(files.store().default_id().as_ref().map(ScenarioId::as_str), Some("b"));
    // The file is restored: the revision is the same as before, and nothing else has changed.
    folder.write("b.yaml", &text("b", "B1"));
    files.reload(ReloadTrigger::FileEvent);
    assert_eq!(files.store().get("b").unwrap().scenario().revision.as_str(), before);
    assert_eq!(titles(&load(&folder)), titles(&files));
}

#[test]
fn unusable_files_are_reported_and_replace_nothing() {
    let folder = Folder::new("reload-faults");
    let path = folder.write("a.yaml", &text("a", "A1"));
    let files = load(&folder);
    let service = RedLines::new(files.store().clone());
    let stale = || service.get_scenario(GetScenarioRequest::default()).unwrap().stale_file;
    let whole = text("a", "A2");
    for broken in [
        String::new(),
        whole[..whole.len() / 2].to_owned(),
        whole.replace("ceasefire_scope ==", "ceasefire_scop =="),
        "scenario: a".to_owned(),
        "\u{0}\u{1}".to_owned(),
    ] {
        folder.write("a.yaml", &broken);
        let outcome = files.reload(ReloadTrigger::FileEvent);
        assert!(outcome.changed.is_empty(), "{outcome:?}");
        assert_eq!(outcome.faults.len(), 1);
        assert_eq!(outcome.faults[0].file, path);
        assert_eq!(titles(&files), ["a=A1"]);
        let stale_file = stale().unwrap();
        assert_eq!(stale_file.file, "a.yaml", "the path of the folder is not disclosed");
        assert!(!stale_file.diagnostics.is_empty() && stale_file.since.is_some());
        // The next reload reports the same outcome.
        assert_eq!(files.reload(ReloadTrigger::FileEvent), outcome);
    }
    // Two unreadable files: a dangling link and, further below, a file without permissions, which only root can read.
    fs::remove_file(&path).unwrap();
    symlink(folder.0.join("nowhere"), &path).unwrap();
    let outcome = files.reload(ReloadTrigger::FileEvent);
    assert!(outcome.faults[0].message.contains("cannot be read"), "{outcome:?}");
    assert_eq!(titles(&files), ["a=A1"]);
    fs::remove_file(&path).unwrap();
    folder.write("a.yaml", &text("a", "A1"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    files.reload(ReloadTrigger::FileEvent);
    assert_eq!(titles(&files), ["a=A1"]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    folder.write("a.yaml", &whole);
    assert!(files.reload(ReloadTrigger::FileEvent).faults.is_empty());
    assert_eq!(titles(&files), ["a=A2"]);
    assert_eq!(stale(), None);
    // A named pipe is not read, because reading it would block.
    let pipe = folder.0.join("pipe.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let outcome = files.reload(ReloadTrigger::FileEvent);
    assert!(outcome.faults[0].message.contains("not a regular file"), "{outcome:?}");
    fs::remove_file(&pipe).unwrap();
    // A fault of a file that never held a scenario is not attributed to any scenario.
    folder.write("new.yaml", "nothing");
    assert_eq!(files.reload(ReloadTrigger::FileEvent).faults.len(), 1);
    assert_eq!((titles(&files), stale()), (vec!["a=A2".to_owned()], None));
    // A missing folder also leaves the scenarios in place.
    fs::rename(&folder.0, folder.0.with_extension("away")).unwrap();
    assert_eq!(files.reload(ReloadTrigger::FileEvent).faults.len(), 1);
    assert_eq!(titles(&files), ["a=A2"]);
    fs::rename(folder.0.with_extension("away"), &folder.0).unwrap();
}

#[test]
fn the_first_file_name_wins_if_two_files_hold_one_scenario() {
    let folder = Folder::new("reload-two");
    folder.write("m.yaml", &text("a", "first"));
    let files = load(&folder);
    folder.write("n.yaml", &text("a", "later"));
    let outcome = files.reload(ReloadTrigger::FileEvent);
    assert!(outcome.faults[0].file.ends_with("n.yaml") && outcome.faults[0].message.contains("m.yaml"), "{outcome:?}");
    assert_eq!(titles(&files), ["a=first"]);
    // The file whose name comes first is served, even if the other one was served before.
    folder.write("b.yaml", &text("a", "second"));
    fs::remove_file(folder.0.join("n.yaml")).unwrap();
    let outcome = files.reload(ReloadTrigger::FileEvent);
    assert!(outcome.faults[0].file.ends_with("m.yaml") && outcome.faults[0].message.contains("b.yaml"), "{outcome:?}");
    assert_eq!(titles(&files), ["a=second"]);
    // After the removal the other file takes over, and there is no moment at which the scenario is missing.
    fs::remove_file(folder.0.join("m.yaml")).unwrap();
    assert!(files.reload(ReloadTrigger::FileEvent).faults.is_empty());
    assert_eq!(titles(&files), ["a=second"]);
    // A file whose scenario gets another id counts as a removal and an addition.
    folder.write("b.yaml", &text("z", "renamed"));
    assert_eq!(files.reload(ReloadTrigger::FileEvent).changed.len(), 2);
    assert_eq!(titles(&files), ["z=renamed"]);
    // Two files are swapped: each now holds the scenario that the other one held.
    folder.write("c.yaml", &text("y", "Y"));
    files.reload(ReloadTrigger::FileEvent);
    folder.write("b.yaml", &text("y", "Y2"));
    folder.write("c.yaml", &text("z", "Z2"));
    assert!(files.reload(ReloadTrigger::FileEvent).faults.is_empty());
    assert_eq!(titles(&files), ["y=Y2", "z=Z2"]);
}

#[test]
fn a_partially_written_file_is_not_served() {
    let folder = Folder::new("reload-writing");
    folder.write("a.yaml", &text("a", "A1"));
    let files = load(&folder);
    let whole = text("a", "A2");
    let path = folder.0.join("a.yaml");
    fs::write(&path, "").unwrap();
    // Write the file in pieces, each of which could be mistaken for the whole file.
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        for piece in whole.as_bytes().chunks(whole.len().div_ceil(12)) {
            file.write_all(piece).unwrap();
            std::thread::sleep(Duration::from_millis(40));
        }
    });
    while !writer.is_finished() {
        let outcome = files.reload(ReloadTrigger::FileEvent);
        assert!(outcome.faults.is_empty(), "half a file is reported as faulty: {outcome:?}");
    }
    writer.join().unwrap();
    files.reload(ReloadTrigger::FileEvent);
    assert_eq!(titles(&files), ["a=A2"]);
}

/// Writes a folder like one in which a kubelet mounts a ConfigMap: the files are links into `..data`, which is itself a
/// link. To change the files, `..data` is replaced by a link to another folder.
fn swap(folder: &Path, version: usize, files: &[(&str, String)]) {
    let data = folder.join(format!("..2026_11_{version:02}"));
    fs::create_dir_all(&data).unwrap();
    for (name, text) in files {
        fs::write(data.join(name), text).unwrap();
        if fs::symlink_metadata(folder.join(name)).is_err() {
            symlink(Path::new("..data").join(name), folder.join(name)).unwrap();
        }
    }
    symlink(data.file_name().unwrap(), folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let listed = files.iter().any(|(file, _)| *file == name);
        if !listed && !name.starts_with("..") {
            fs::remove_file(entry.path()).unwrap();
        }
        if name.starts_with("..2026") && entry.path() != data {
            fs::remove_dir_all(entry.path()).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_map_is_followed_by_file_events_alone() {
    let folder = Folder::new("reload-map");
    swap(&folder.0, 1, &[("a.yaml", text("a", "A1")), ("b.yaml", text("b", "B1"))]);
    let files = load(&folder);
    let reloads = Reloads::new(vec![files.clone()]);
    let mut reloader = reloads.watch(None).unwrap().pop().unwrap();
    let next = async |reloader: &mut Reloader, wanted: &[&str]| {
        let seen = async {
            while titles(&files) != wanted {
                reloader.reload_on_change().await;
            }
        };
        timeout(Duration::from_secs(20), seen).await.unwrap_or_else(|_| panic!("{:?}, not {wanted:?}", titles(&files)));
    };
    swap(&folder.0, 2, &[("a.yaml", text("a", "A2")), ("b.yaml", text("b", "B1"))]);
    next(&mut reloader, &["a=A2", "b=B1"]).await;
    swap(&folder.0, 3, &[("a.yaml", text("a", "A3")), ("c.yaml", text("c", "C1"))]);
    next(&mut reloader, &["a=A3", "c=C1"]).await;
    // A partial ConfigMap is never seen, and a faulty file changes nothing.
    swap(&folder.0, 4, &[("a.yaml", "broken".to_owned()), ("c.yaml", text("c", "C2"))]);
    next(&mut reloader, &["a=A3", "c=C2"]).await;
    let counts = reloads.counts()["scenarios"];
    assert_eq!((counts.failed, counts.faulty), (1, 1), "{counts:?}");
    swap(&folder.0, 5, &[("a.yaml", text("a", "A5")), ("c.yaml", text("c", "C2"))]);
    next(&mut reloader, &["a=A5", "c=C2"]).await;
    let counts = reloads.counts()["scenarios"];
    assert_eq!((counts.failed, counts.faulty), (1, 0), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_folder_is_followed() {
    let around = Folder::new("reload-replaced");
    let place = around.0.join("scenarios");
    let make = |name: &str, title: &str| {
        let folder = around.0.join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.yaml"), text("a", title)).unwrap();
        folder
    };
    make("scenarios", "A1");
    let files =
        Arc::new(ScenarioFiles::load(ScenarioLocation::Folder(place.clone()), None, DEFAULT_FILE_BYTES).unwrap());
    let reloads = Reloads::new(vec![files.clone()]);
    let mut reloader = reloads.watch(None).unwrap().pop().unwrap();
    for round in 2..5 {
        let title = format!("A{round}");
        let other = make(&format!("other{round}"), &title);
        fs::rename(&place, around.0.join(format!("old{round}"))).unwrap();
        fs::rename(other, &place).unwrap();
        let wanted = [format!("a={title}")];
        let seen = async {
            while titles(&files) != wanted {
                reloader.reload_on_change().await;
            }
        };
        timeout(Duration::from_secs(20), seen).await.unwrap_or_else(|_| panic!("{:?}, not {title}", titles(&files)));
        // A later change in the new folder is also noticed.
        let title = format!("A{round}b");
        fs::write(place.join("a.yaml"), text("a", &title)).unwrap();
        let wanted = [format!("a={title}")];
        let seen = async {
            while titles(&files) != wanted {
                reloader.reload_on_change().await;
            }
        };
        timeout(Duration::from_secs(20), seen).await.unwrap_or_else(|_| panic!("{:?}, not {title}", titles(&files)));
    }
}

#[tokio::test]
async fn a_folder_may_be_given_as_a_relative_path() {
    // File events contain absolute paths, and the folder is given as a relative one.
    let here = std::env::current_dir().unwrap();
    let folder = Folder(here.join("target").join(format!("reload-relative-{}", std::process::id())));
    fs::create_dir_all(&folder.0).unwrap();
    folder.write("a.yaml", &text("a", "A1"));
    let relative = folder.0.strip_prefix(&here).unwrap().to_owned();
    let files = Arc::new(ScenarioFiles::load(ScenarioLocation::Folder(relative), None, DEFAULT_FILE_BYTES).unwrap());
    let reloads = Reloads::new(vec![files.clone()]);
    let mut reloader = reloads.watch(None).unwrap().pop().unwrap();
    folder.write("a.yaml", &text("a", "A2"));
    let seen = async {
        while titles(&files) != ["a=A2"] {
            reloader.reload_on_change().await;
        }
    };
    timeout(Duration::from_secs(20), seen).await.expect("a change is noticed in a folder with a relative path");
}

#[test]
fn a_file_that_is_moved_away_and_back_is_served_throughout() {
    let folder = Folder::new("reload-moved");
    let path = folder.write("a.yaml", &text("a", "A1"));
    let files = load(&folder);
    let away = folder.0.join("a.away");
    fs::rename(&path, &away).unwrap();
    let back = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        fs::rename(away, path).unwrap();
    });
    assert_eq!(files.reload(ReloadTrigger::FileEvent), ReloadOutcome::default());
    back.join().unwrap();
    assert_eq!(titles(&files), ["a=A1"]);
}

#[tokio::test]
async fn reading_files_does_not_trigger_a_reload() {
    let folder = Folder::new("reload-quiet");
    folder.write("a.yaml", &text("a", "A1"));
    let files = load(&folder);
    let reloads = Reloads::new(vec![files.clone()]);
    let mut reloader = reloads.watch(None).unwrap().pop().unwrap();
    reloader.reload(ReloadTrigger::Start).await;
    let next = timeout(Duration::from_millis(600), reloader.reload_on_change()).await;
    assert!(next.is_err(), "reading the files triggered a reload");
    // A watch without folders reports only that its interval has passed.
    let mut watch = Watch::new(&BTreeSet::new(), Some(Duration::from_millis(50))).unwrap();
    assert_eq!(timeout(Duration::from_secs(5), watch.next(None)).await.unwrap(), ReloadTrigger::Timer);
    let mut watch = Watch::new(&BTreeSet::new(), None).unwrap();
    let soon = Some(Duration::from_millis(50));
    assert_eq!(timeout(Duration::from_secs(5), watch.next(soon)).await.unwrap(), ReloadTrigger::Timer);
}

#[test]
fn a_server_does_not_start_with_faulty_files() {
    let folder = Folder::new("reload-start");
    folder.write("a.yaml", &text("a", "A1"));
    folder.write("b.yaml", &text("a", "A2"));
    let load = || {
        ScenarioFiles::load(ScenarioLocation::Folder(folder.0.clone()), None, DEFAULT_FILE_BYTES)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert!(load().contains("b.yaml contains the scenario `a`, and so does"), "{}", load());
    folder.write("b.yaml", "broken");
    assert!(load().contains("fault"), "{}", load());
    fs::remove_file(folder.0.join("b.yaml")).unwrap();
    for at in 0..1_000 {
        fs::write(folder.0.join(format!("x{at}.yaml")), "").unwrap();
    }
    assert!(load().contains("more than 1000"), "{}", load());
}

#[test]
fn a_pipe_swapped_in_for_a_file_does_not_block_a_reader() {
    let folder = Folder::new("reload-swapped");
    let path = folder.0.join("a.yaml");
    fs::write(folder.0.join("file"), "content").unwrap();
    assert!(std::process::Command::new("mkfifo").arg(folder.0.join("pipe")).status().unwrap().success());
    fs::hard_link(folder.0.join("file"), &path).unwrap();
    let (stop, stopped) = mpsc::channel::<()>();
    let swapped = folder.0.clone();
    let swapper = std::thread::spawn(move || {
        // Each renaming puts another link over the path, in one step.
        while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
            for name in ["pipe", "file"] {
                let next = swapped.join("next");
                let _ = fs::remove_file(&next);
                fs::hard_link(swapped.join(name), &next).unwrap();
                fs::rename(&next, swapped.join("a.yaml")).unwrap();
            }
        }
    });
    let (end, ended) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let (mut read, mut refused) = (0, 0);
        while read < 20_000 || refused < 20_000 {
            match source::read_regular(&path, DEFAULT_FILE_BYTES) {
                Ok(text) => {
                    assert_eq!(text, "content");
                    read += 1;
                }
                Err(error) => {
                    assert!(error.to_string().contains("not a regular file"), "{error}");
                    refused += 1;
                }
            }
        }
        end.send(()).unwrap();
    });
    ended.recv_timeout(Duration::from_secs(20)).expect("the reader waits for a writer of the pipe");
    stop.send(()).unwrap();
    swapper.join().unwrap();
    reader.join().unwrap();
}

/// Files whose reloads wait until the test releases them.
struct Slow {
    what: &'static str,
    begun: AtomicUsize,
    release: Mutex<mpsc::Receiver<Result<(), ()>>>,
}

impl Slow {
    fn new(what: &'static str) -> (Arc<Self>, mpsc::Sender<Result<(), ()>>) {
        let (send, release) = mpsc::channel();
        (Arc::new(Self { what, begun: AtomicUsize::new(0), release: Mutex::new(release) }), send)
    }
}

impl Reload for Slow {
    fn what(&self) -> &'static str {
        self.what
    }

    fn folders(&self) -> Vec<std::path::PathBuf> {
        Vec::new()
    }

    fn reload(&self, _: ReloadTrigger) -> ReloadOutcome {
        self.begun.fetch_add(1, Relaxed);
        // The lock is released before the panic.
        let released = self.release.lock().unwrap().recv();
        assert_ne!(released, Ok(Err(())), "the test asks for a panic");
        ReloadOutcome { changed: vec!["changed".to_owned()], ..ReloadOutcome::default() }
    }
}

#[tokio::test]
async fn a_reload_that_hangs_is_reported_and_holds_up_only_its_own_kind() {
    let (stuck, release_stuck) = Slow::new("stuck");
    let (free, release_free) = Slow::new("free");
    let reloads = Reloads::new(vec![stuck.clone(), free.clone()]);
    let counts = |what: &str| reloads.counts()[what];
    assert!(counts("stuck").completed > 0 && counts("stuck").running_since == 0);
    let tasks: Vec<_> = reloads
        .watch(Some(Duration::from_millis(20)))
        .unwrap()
        .into_iter()
        .map(|mut reloader| {
            tokio::spawn(async move {
                loop {
                    reloader.reload_on_change().await;
                }
            })
        })
        .collect();
    let until = async |holds: &dyn Fn() -> bool| {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let patience = MAX_RELOAD_TIME * 3;
    timeout(patience, until(&|| counts("stuck").running_since > 0)).await.unwrap();
    // The other kind of file is reloaded again and again in the meantime.
    for _ in 0..5 {
        release_free.send(Ok(())).unwrap();
    }
    timeout(patience, until(&|| counts("free").changed == 5)).await.unwrap();
    assert!(counts("stuck").running_since > 0 && counts("stuck").changed == 0);
    timeout(patience, until(&|| counts("stuck").overdue == 1)).await.unwrap();
    assert_eq!(stuck.begun.load(Relaxed), 1, "no second reload begins while the first one hangs");
    // The result of the late reload counts, and the next one begins.
    release_stuck.send(Ok(())).unwrap();
    timeout(patience, until(&|| counts("stuck").changed == 1 && stuck.begun.load(Relaxed) == 2)).await.unwrap();
    // A panic ends neither the reloads of this kind nor those of others.
    release_stuck.send(Err(())).unwrap();
    timeout(patience, until(&|| counts("stuck").failed == 1 && stuck.begun.load(Relaxed) == 3)).await.unwrap();
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    // The threads end.
    drop((release_stuck, release_free));
}
