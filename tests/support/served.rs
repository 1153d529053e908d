//! The program, run as a server in a process of its own, for tests that need little more than its address.

use super::binary::command;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

/// A running server of one test, killed when it is dropped.
pub struct Server {
    child: Child,
    log: BufReader<ChildStderr>,
    /// The log up to and including the line that contains the address.
    pub told: String,
    pub url: String,
}

impl Server {
    pub fn start(options: &[&str]) -> Self {
        Self::spawn(command(&[&["serve", "--listen", "127.0.0.1:0"], options].concat()))
    }

    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut server = Self { child, log, told: String::new(), url: String::new() };
        while server.url.is_empty() {
            let mut line = String::new();
            assert_ne!(server.log.read_line(&mut line).unwrap(), 0, "the server ended: {}", server.told);
            if let Some((_, after)) = line.split_once("listening on ") {
                server.url = format!("http://{}", after.split_once(": ").unwrap().0);
            }
            server.told += &line;
        }
        server
    }

    /// The id of the server's process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM, and waits until the server has exited. Returns the exit status and the rest of the log.
    pub fn terminate(mut self) -> (ExitStatus, String) {
        let kill = format!("kill {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap(), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
