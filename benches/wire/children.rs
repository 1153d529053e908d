//! The measured servers: child processes, ended with this one, whose CPU time and memory are read from /proc.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// The number of ticks per second in which the kernel reports CPU times: 100 on all common Linux systems.
const TICKS: u64 = 100;

pub(crate) struct Server {
    name: String,
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a build of Détente with the bundled scenario and a cache of this size.
    pub(crate) fn detente(binary: &Path, cache: &str) -> Self {
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--cache", cache]);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DETENTE_")) {
            command.env_remove(name);
        }
        // Several servers run at a time and cannot share the default admin port, so it is turned off. A variable does
        // this, because `--also` may name older builds, which may not know the flag.
        command.env("DETENTE_ADMIN_LISTEN", "off");
        Self::start(format!("{} --cache {cache}", binary.display()), command, &[])
    }

    /// Starts this program as the stock server (unmodified tonic), which answers every request with `evaluation`.
    pub(crate) fn echo(evaluation: &[u8]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("--echo");
        Self::start("stock echo".to_owned(), command, evaluation)
    }

    fn start(name: String, mut command: Command, input: &[u8]) -> Self {
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut seen = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "{name} did not start: {seen}");
            let listening = line.split_once("listening on ").map(|(_, rest)| rest.trim());
            let address = listening.and_then(|rest| rest.split([' ', ':']).nth(1));
            if let Some(port) = address.and_then(|port| port.parse().ok()) {
                break SocketAddr::from(([127, 0, 0, 1], port));
            }
            seen += &line;
        };
        // Read the rest of the log: if the pipe were full, the server would block.
        thread::spawn(move || log.read_to_end(&mut Vec::new()));
        Self { name, child, address }
    }

    pub(crate) fn cpu(&self) -> Duration {
        cpu(&self.child.id().to_string())
    }

    /// The nanoseconds for which each thread of the server has been on a processor, by the scheduler's clock.
    pub(crate) fn time_on_processors(&self) -> BTreeMap<String, u64> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let time = |task: fs::DirEntry| {
            // A thread may end between the listing and the read.
            let schedstat = fs::read_to_string(task.path().join("schedstat")).ok()?;
            let nanos = schedstat.split_whitespace().next()?.parse().ok()?;
            Some((task.file_name().to_string_lossy().into_owned(), nanos))
        };
        tasks.filter_map(|task| time(task.unwrap())).collect()
    }

    /// The processor time of all threads since `before`. Threads that have ended since do not count; they were idle.
    pub(crate) fn time_on_processors_after(&self, before: &BTreeMap<String, u64>) -> Duration {
        let now = self.time_on_processors();
        let nanos = now.iter().map(|(thread, nanos)| nanos - before.get(thread).copied().unwrap_or_default()).sum();
        assert!(nanos > 0, "the kernel keeps no schedstat");
        Duration::from_nanos(nanos)
    }

    /// The current and the highest resident memory.
    pub(crate) fn memory(&self) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim_start_matches(':').trim().to_owned()
        };
        format!("memory {} (at most {}): {}", of("VmRSS"), of("VmHWM"), self.name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of this process.
pub(crate) fn own_cpu() -> Duration {
    cpu("self")
}

/// The user and system time of all threads.
fn cpu(process: &str) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The second field is the process's name in brackets, which may contain any character. So the fields are counted
    // from the last bracket, after which the third field begins. The user and system times are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 1_000 / TICKS)
}
