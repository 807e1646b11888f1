//! The servers start, survive a kill, and leave nothing behind.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop the test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use renkei_e2e::servers::{Folder, Kafka, Postgres, free_port, process, program_path};

/// Set in the process that [`a_killed_test_leaves_no_process_and_no_folder`] starts and kills.
const VICTIM: &str = "RENKEI_TEST_VICTIM";

#[test]
fn ports_are_given_once() {
    let ports: Vec<u16> = (0..50).map(|_| free_port().unwrap()).collect();
    let mut distinct = ports.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), ports.len());
}

#[test]
fn a_dropped_folder_is_gone() {
    let folder = Folder::new("test").unwrap();
    let path = folder.path().to_owned();
    folder.write("file", "content").unwrap();
    drop(folder);
    assert!(!path.exists());
}

#[test]
fn a_program_that_is_not_built_is_named() {
    let error = program_path("renkei-nothing").unwrap_err().to_string();
    assert!(error.contains("renkei-nothing") && error.contains("cargo build"), "{error}");
}

#[test]
fn postgres_keeps_its_data_over_a_kill() {
    let server = Postgres::start().unwrap();
    let first = server.database().unwrap();
    let second = server.database().unwrap();
    assert_ne!(first, second);
    server.sql("renkei_1", "create table t (a int); insert into t values (42)").unwrap();
    server.kill9();
    assert!(server.sql("renkei_1", "select 1").is_err());
    server.restart().unwrap();
    assert_eq!(server.sql("renkei_1", "select a from t").unwrap(), "42");
}

#[test]
fn a_killed_test_leaves_no_process_and_no_folder() {
    let notes = Folder::new("notes").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "victim", "--nocapture"]).env(VICTIM, notes.path());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut victim = process::start(command).unwrap();
    let note = notes.join("started");
    assert!(process::until(Duration::from_secs(120), || note.exists()), "the victim starts its servers");
    let started = std::fs::read_to_string(&note).unwrap();
    let folders: Vec<PathBuf> = started.lines().map(PathBuf::from).collect();
    assert_eq!(folders.len(), 2);
    for folder in &folders {
        assert!(folder.exists());
        assert!(!processes_naming(folder).is_empty(), "{} has a server", folder.display());
    }
    victim.kill().unwrap();
    victim.wait().unwrap();
    for folder in &folders {
        let gone = process::until(Duration::from_secs(20), || !folder.exists() && processes_naming(folder).is_empty());
        assert!(gone, "{}: {:?}", folder.display(), processes_naming(folder));
    }
}

/// Not a test by itself: starts servers on a thread that ends at once, says where they are, and waits to be killed.
#[test]
fn victim() {
    let Some(notes) = std::env::var_os(VICTIM).map(PathBuf::from) else { return };
    let servers = std::thread::spawn(|| (Kafka::start().unwrap(), Postgres::start().unwrap())).join().unwrap();
    assert!(servers.1.sql("postgres", "select 1").is_ok(), "a server outlives the thread that asked for it");
    let folders = format!("{}\n{}\n", servers.0.folder().display(), servers.1.folder().display());
    std::fs::write(notes.join("writing"), folders).unwrap();
    std::fs::rename(notes.join("writing"), notes.join("started")).unwrap();
    std::thread::sleep(Duration::from_secs(120));
}

/// The command lines of all processes that name `folder`.
fn processes_naming(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(folder)).collect()
}
