//! The program itself: what stops its start, and its orderly end.

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const OTHER_KEY: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

/// The program with an environment of its own.
fn program(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_renkei-ingest"));
    command.env_clear().envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn fails(variables: &[(&str, &str)]) -> Output {
    program(variables).output().unwrap()
}

/// One line on standard error that says `parts`, and this exit code.
fn assert_stopped(output: &Output, code: i32, parts: &[&str]) {
    let line = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{line}");
    assert_eq!(line.trim_end().lines().count(), 1, "{line}");
    for part in parts.iter().chain(&["renkei-ingest: "]) {
        assert!(line.contains(part), "{line:?} does not say {part:?}");
    }
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn store_in(folder: &Path) -> String {
    format!("sqlite://{}/renkei.db", folder.display())
}

#[test]
fn a_bad_configuration_stops_the_start_with_exit_code_2() {
    let key = ("RENKEI_MASTER_KEY", KEY);
    assert_stopped(&fails(&[]), 2, &["RENKEI_MASTER_KEY", "is missing", "openssl rand -base64 32"]);
    assert_stopped(&fails(&[key, ("RENKEI_LISTN", "x")]), 2, &["RENKEI_LISTN", "unknown key"]);
    assert_stopped(&fails(&[key, ("RENKEI_LISTEN", "x")]), 2, &["RENKEI_LISTEN", "\"x\""]);
    assert_stopped(&fails(&[("RENKEI_MASTER_KEY", "c2hvcnQ=")]), 2, &["RENKEI_MASTER_KEY", "32 bytes"]);
    assert_stopped(&fails(&[key, ("RENKEI_CLOCK_SCALE", "60")]), 2, &["RENKEI_CLOCK_SCALE", "on this machine"]);
}

#[test]
fn a_store_that_does_not_answer_stops_the_start() {
    let nobody = free_port();
    let url = format!("postgres://renkei:hunter2@{nobody}/renkei");
    let output = fails(&[("RENKEI_MASTER_KEY", KEY), ("RENKEI_STORE", &url)]);
    assert_stopped(&output, 1, &["RENKEI_STORE"]);
    assert!(!String::from_utf8(output.stderr).unwrap().contains("hunter2"));
}

/// A program that answers; killed when dropped.
struct Running {
    child: Child,
    internal: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(address: SocketAddr, path: &str) -> Option<String> {
    use std::io::Write as _;
    let mut stream = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn running(folder: &Path, listen: &str) -> Running {
    let internal = free_port();
    let store = store_in(folder);
    let variables = [
        ("RENKEI_MASTER_KEY", KEY),
        ("RENKEI_STORE", store.as_str()),
        ("RENKEI_LISTEN", listen),
        ("RENKEI_INTERNAL_LISTEN", internal.as_str()),
    ];
    let child = program(&variables).arg("serve").spawn().unwrap();
    let mut running = Running { child, internal: internal.parse().unwrap() };
    for _ in 0..600 {
        if get(running.internal, "/readyz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            return running;
        }
        if let Some(status) = running.child.try_wait().unwrap() {
            let mut line = String::new();
            running.child.stderr.take().unwrap().read_to_string(&mut line).unwrap();
            panic!("ended with {status}: {line}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("never ready");
}

#[test]
fn it_serves_until_sigterm_and_ends_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let listen = free_port();
    let mut running = running(folder.path(), &listen);
    let answer = get(listen.parse().unwrap(), "/webhooks/roumumate/nobody").unwrap();
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");

    // The port is taken now, and the store knows its key.
    let store = store_in(folder.path());
    let base = [("RENKEI_MASTER_KEY", KEY), ("RENKEI_STORE", store.as_str()), ("RENKEI_LISTEN", listen.as_str())];
    let internal = free_port();
    let second = [base.as_slice(), &[("RENKEI_INTERNAL_LISTEN", internal.as_str())]].concat();
    assert_stopped(&fails(&second), 1, &["can not listen", listen.as_str(), "RENKEI_LISTEN"]);
    let mut wrong = second.clone();
    wrong[0].1 = OTHER_KEY;
    assert_stopped(&fails(&wrong), 1, &["RENKEI_MASTER_KEY", "master key"]);

    let pid = running.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    #[expect(clippy::disallowed_methods, reason = "a test measures real time")]
    let begun = Instant::now();
    let status = running.child.wait().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10));
    let mut lines = String::new();
    running.child.stdout.take().unwrap().read_to_string(&mut lines).unwrap();
    for line in lines.lines() {
        assert!(line.starts_with('{') && line.ends_with('}'), "one JSON object a line: {line}");
    }
    assert!(lines.contains("taking webhooks") && lines.contains("ended"), "{lines}");
}

#[test]
fn a_token_is_printed_once_and_listed_without_itself() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let base = [("RENKEI_MASTER_KEY", KEY), ("RENKEI_STORE", store.as_str())];
    let run = |arguments: &[&str]| program(&base).arg("token").args(arguments).output().unwrap();
    let made = run(&["create", "--platform", "--name", "ci", "--expires", "90d"]);
    let token = String::from_utf8(made.stdout).unwrap().trim_end().to_owned();
    assert!(token.starts_with("rnk_") && token.len() == 47, "{token}");
    let listed = String::from_utf8(run(&["list"]).stdout).unwrap();
    assert!(listed.contains("(platform) [ci] expires") && !listed.contains(&token[4..]), "{listed}");
    let id = listed.split(' ').next().unwrap();
    assert_eq!(run(&["revoke", id]).status.code(), Some(0));
    assert_stopped(&run(&["revoke", id]), 1, &[id, "token list"]);
    assert_stopped(&run(&["create", "--tenant", "nobody", "--name", "x"]), 1, &["no tenant nobody"]);
    assert_eq!(run(&["create", "--name", "x"]).status.code(), Some(2), "whose it is must be said");
}
