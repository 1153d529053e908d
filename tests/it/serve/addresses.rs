//! The addresses that the program listens on: IPv4 and IPv6, hosts without IPv6, and addresses that a host lacks.

use crate::support::binary::{command, refuses};
use crate::support::program::Program;
use crate::support::{Client, LIST, frame};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tonic::Code;

const EVERYWHERE: [&str; 4] = ["--listen", "[::]:0", "--allow-plaintext", "--allow-anonymous"];
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOCAL_6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// The loopback addresses of this host. Containers often have no IPv6.
fn local_addresses() -> Vec<IpAddr> {
    [LOCAL, LOCAL_6].into_iter().filter(|&address| std::net::TcpListener::bind((address, 0)).is_ok()).collect()
}

/// A client at one of the addresses of this host.
async fn client_at(source: IpAddr, port: u16) -> Client {
    let socket = if source.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.unwrap();
    socket.bind((source, 0).into()).unwrap();
    let server = if source.is_ipv4() { LOCAL } else { LOCAL_6 };
    Client::over(socket.connect((server, port).into()).await.unwrap()).await.unwrap()
}

async fn code_at(source: IpAddr, port: u16) -> Code {
    client_at(source, port).await.call(LIST, &[], frame(&[])).await.code()
}

/// The address of the admin listener, from the log.
fn admin_of(program: &Program) -> SocketAddr {
    let log = program.log.lock().unwrap();
    let after = log.iter().find_map(|line| line.split("admin listener on ").nth(1)).expect("the log names the address");
    after.split(": ").next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn listeners_on_all_addresses_serve_ipv4_and_ipv6_clients() {
    let program = Program::start(&[&EVERYWHERE[..], &["--admin-listen", "[::]:0"]].concat());
    assert!(program.address.ip() == Ipv6Addr::UNSPECIFIED && program.logged("from the network"));
    program.until("the admin listener", async |program| program.logged("admin listener on ")).await;
    let admin = admin_of(&program);
    for address in local_addresses() {
        assert_eq!(code_at(address, program.address.port()).await, Code::Ok, "{address}");
        let mut probe = TcpStream::connect((address, admin.port())).await.unwrap();
        probe.write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        probe.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{address}: {answer}");
    }
}

#[tokio::test]
async fn ipv4_clients_of_a_dual_stack_listener_have_a_quota_for_each_address() {
    let program = Program::start(&[&EVERYWHERE[..], &["--caller-rate", "1", "--caller-burst", "2"]].concat());
    let port = program.address.port();
    program.until("the quota is used up", async |_| code_at(LOCAL, port).await == Code::ResourceExhausted).await;
    // As mapped addresses, these clients would all be in one /64 network, and share its quota.
    for number in 2..=9 {
        assert_eq!(code_at(Ipv4Addr::new(127, 0, 0, number).into(), port).await, Code::Ok, "127.0.0.{number}");
    }
    if local_addresses().contains(&LOCAL_6) {
        assert_eq!(code_at(LOCAL_6, port).await, Code::Ok);
    }
}

#[test]
fn an_ipv4_mapped_loopback_address_is_this_machine_only() {
    let program = Program::start(&["--listen", "[::ffff:127.0.0.1]:0"]);
    assert!(program.address.ip() == LOCAL && program.logged("from this machine only"), "{}", program.address);
    let (code, output) = refuses(&["serve", "--listen", "[::ffff:0.0.0.0]:0"]);
    assert!(code == 2 && output.contains("--allow-plaintext"), "{output}");
}

#[test]
fn an_address_that_the_host_lacks_is_rejected_with_advice() {
    // 192.0.2.0/24 is reserved for documentation, so no host has an address in it.
    let allowed = ["--allow-plaintext", "--allow-anonymous"];
    let (code, output) = refuses(&[&["serve", "--listen", "192.0.2.1:0"][..], &allowed].concat());
    assert!(code == 2 && output.contains("does not have the address 192.0.2.1:0"), "{output}");
    assert!(output.contains("DETENTE_LISTEN") && output.contains("[::]:PORT"), "{output}");
    let (code, output) = refuses(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "192.0.2.1:0"]);
    assert!(code == 2 && output.contains("DETENTE_ADMIN_LISTEN"), "{output}");
}

/// Starts the program where `[::]` excludes IPv4 by default, and asks it over IPv4. Exits with 77 if that needs rights
/// or tools that are not there.
#[cfg(target_os = "linux")]
const WITH_BINDV6ONLY: &str = r#"
  ip link set lo up && echo 1 >/proc/sys/net/ipv6/bindv6only || exit 77
  "$0" serve --listen '[::]:50051' --admin-listen off --allow-plaintext --allow-anonymous &
  for _ in $(seq 100); do
    if "$0" evaluate european-force --server http://127.0.0.1:50051; then kill $!; wait; exit 0; fi
    sleep 0.1
  done
  kill $!; exit 1
"#;

#[cfg(target_os = "linux")]
#[test]
fn all_addresses_include_ipv4_whatever_the_host_prefers() {
    let program = command(&[]).get_program().to_owned();
    let isolated = ["--map-root-user", "--net", "bash", "-c", WITH_BINDV6ONLY];
    let Ok(output) = std::process::Command::new("unshare").args(isolated).arg(program).output() else {
        eprintln!("not tested: unshare is not installed");
        return;
    };
    let (printed, log) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    if output.status.code() == Some(77) || log.starts_with("unshare: ") {
        eprintln!("not tested: {log}");
        return;
    }
    assert!(output.status.success() && printed.contains("BLOCKED"), "{printed}{log}");
}

/// Hosts without IPv6, which a filter of system calls imitates.
#[cfg(target_os = "linux")]
mod without_ipv6 {
    use super::*;
    use rustix::io::Errno;
    use seccompiler::SeccompCmpArgLen::Dword;
    use seccompiler::{BpfProgram, SeccompAction, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule};
    use std::thread;

    /// The number of the system call `socket`.
    const SOCKET: i64 = if cfg!(target_arch = "x86_64") { 41 } else { 198 };
    /// Linux's number of the address family of IPv6.
    const AF_INET6: u64 = 10;

    /// Runs `test` on a thread where the kernel refuses IPv6 sockets, as a kernel without IPv6 does. Processes that the
    /// thread starts inherit the refusal.
    fn run<R: Send + 'static>(test: impl FnOnce() -> R + Send + 'static) -> R {
        let filtered = thread::spawn(|| {
            let is_ipv6 = SeccompCondition::new(0, Dword, SeccompCmpOp::Eq, AF_INET6).unwrap();
            let rules = [(SOCKET, vec![SeccompRule::new(vec![is_ipv6]).unwrap()])];
            let refused = SeccompAction::Errno(Errno::AFNOSUPPORT.raw_os_error().unsigned_abs());
            let architecture = std::env::consts::ARCH.try_into().unwrap();
            let filter = SeccompFilter::new(rules.into(), SeccompAction::Allow, refused, architecture).unwrap();
            seccompiler::apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
            test()
        });
        filtered.join().unwrap()
    }

    #[tokio::test]
    async fn ipv4_clients_are_served() {
        let program = run(|| Program::start(&EVERYWHERE));
        assert_eq!(program.address.ip(), Ipv4Addr::UNSPECIFIED);
        assert!(program.logged("this host has no IPv6: 0.0.0.0:0 replaces [::]:0"));
        assert_eq!(code_at(LOCAL, program.address.port()).await, Code::Ok);
    }

    #[test]
    fn a_single_ipv6_address_is_rejected_with_advice() {
        let (code, output) = run(|| refuses(&["serve", "--listen", "[::1]:50051"]));
        assert!(code == 2 && output.contains("no IPv6") && output.contains("0.0.0.0:PORT"), "{output}");
    }

    #[test]
    fn the_address_that_replaces_all_is_as_protected() {
        let (code, output) = run(|| refuses(&["serve", "--listen", "[::]:0"]));
        assert!(code == 2 && output.contains("--allow-plaintext"), "{output}");
    }
}
