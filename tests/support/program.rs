//! The program, run as a server in a process of its own, and its log.

use super::{Client, PATIENCE, binary};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A running program, killed when it is dropped.
pub struct Program {
    child: Child,
    pub address: SocketAddr,
    /// The lines of the log that have been read so far. Once [`ended`](Self::ended) has returned, these are all lines.
    pub log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Program {
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_after("", arguments)
    }

    /// Starts the program in a shell that first runs a command, such as `ulimit -n 300`.
    pub fn start_after(before: &str, arguments: &[&str]) -> Self {
        let listen = if arguments.contains(&"--listen") { &[][..] } else { &["--listen", "127.0.0.1:0"] };
        let format = if arguments.contains(&"--log-format") { &[][..] } else { &["--log-format", "json"] };
        let all = [&["serve"], format, listen, arguments].concat();
        let mut command = binary::command_after(before, &all);
        // The program must not read this variable, although tokio does so by default. With this value, tokio would
        // panic.
        command.env("TOKIO_WORKER_THREADS", "0");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let address = loop {
            let line = lines.next().expect("the program logs its address").unwrap();
            // Human-readable lines may have colours.
            let address = line.split("listening on ").nth(1).map(|rest| {
                let end = rest.find(|at: char| !(at.is_ascii_digit() || ".:[]".contains(at))).unwrap_or(rest.len());
                rest[..end].trim_end_matches(':').parse().unwrap()
            });
            log.lock().unwrap().push(line);
            if let Some(address) = address {
                break address;
            }
        };
        let shared_log = log.clone();
        let read = move || lines.map_while(Result::ok).for_each(|line| shared_log.lock().unwrap().push(line));
        let reader = Some(std::thread::spawn(read));
        Self { child, address, log, reader }
    }

    /// The number of the program's threads that tokio started, both worker threads and blocking ones.
    pub fn threads(&self) -> usize {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.trim() == "tokio-rt-worker").count()
    }

    pub fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Waits until the program has exited and its log is read to the end. Returns the exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.reader.take().expect("the program has ended only once").join().unwrap();
                return status.code();
            }
            assert!(begun.elapsed() < PATIENCE, "the program did not exit");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Waits until the condition holds. Panics after [`PATIENCE`].
    pub async fn until(&self, what: &str, mut holds: impl AsyncFnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self).await {
            assert!(begun.elapsed() < PATIENCE, "{what}: {:#?}", self.log.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn logged(&self, text: &str) -> bool {
        self.log.lock().unwrap().iter().any(|line| line.contains(text))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
