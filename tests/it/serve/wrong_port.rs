//! Clients that speak plaintext to a TLS port, or TLS to a plaintext port: the log of the running program says so.

use crate::support::PATIENCE;
use crate::support::binary::Folder;
use crate::support::credentials::Authorities;
use crate::support::program::Program;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The first bytes of a TLS client.
const CLIENT_HELLO: &[u8] = &[22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3];
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Sends bytes on new connections, which the server closes, and returns what the server logged.
async fn warnings(mut program: Program, connections: &[&[u8]]) -> Vec<String> {
    for bytes in connections {
        let mut stream = TcpStream::connect(program.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.expect("the server closes the connection");
    }
    program.signal("-TERM");
    assert_eq!(program.ended().await, Some(0));
    let log = program.log.lock().unwrap();
    log.iter().filter(|line| line.contains("use TLS on both sides or on neither")).cloned().collect()
}

#[tokio::test]
async fn tls_on_a_plaintext_port_leaves_one_line() {
    let said = warnings(Program::start(&[]), &[CLIENT_HELLO, CLIENT_HELLO, &CLIENT_HELLO[..1], CLIENT_HELLO]).await;
    let [line] = said.as_slice() else { panic!("{said:#?}") };
    for part in ["\"WARN\"", "the client speaks TLS to a plaintext port", "\"client\":\"127.0.0.1\""] {
        assert!(line.contains(part), "no {part} in {line}");
    }
}

#[tokio::test]
async fn plaintext_on_a_tls_port_leaves_one_line() {
    let (folder, authority) = (Folder::new("serve-wrong-port"), Authorities::new("authority"));
    let identity = authority.server();
    let (cert, key) = (folder.write("tls.crt", &identity.certificate), folder.write("tls.key", &identity.key));
    let start = || Program::start(&["--tls-cert", &cert, "--tls-key", &key]);
    let said = warnings(start(), &[PREFACE, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", PREFACE]).await;
    let [line] = said.as_slice() else { panic!("{said:#?}") };
    assert!(line.contains("\"WARN\"") && line.contains("to a port that requires TLS"), "{line}");
    // A handshake that fails for another reason leaves no such line.
    let hello = [&[22, 3, 1, 0, 4], &[255; 4][..]].concat();
    assert_eq!(warnings(start(), &[&hello]).await, Vec::<String>::new());
}

#[tokio::test]
async fn other_protocols_on_a_plaintext_port_leave_no_line() {
    let said = warnings(Program::start(&[]), &[b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"\x00\x01", b"hello"]).await;
    assert_eq!(said, Vec::<String>::new());
}
