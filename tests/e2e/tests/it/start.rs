//! What stops a start: one line that says what, where and what to do, an exit code, and no secret in it.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use renkei_e2e::servers::{Folder, Program, free_port, run_program};

use crate::support::servers::postgres;
use crate::support::world::{MASTER_KEY, READY, is_ready};
use crate::support::{Watch, pause};

const OTHER_KEY: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";
/// Stands where passwords stand; must never be printed.
const PASSWORD: &str = "hunter2-hunter2";
const BOTH: &[&str] = &["renkei-ingest", "renkei-workers"];
const INGEST: &[&str] = &["renkei-ingest"];
/// Runs at once; most of them only wait.
const LANES: usize = 5;
const LONGEST: Duration = Duration::from_secs(40);

struct Case {
    name: &'static str,
    programs: &'static [&'static str],
    /// Over a configuration that would start; an empty value takes a variable away.
    environment: Vec<(&'static str, String)>,
    code: i32,
    says: Vec<String>,
}

fn case(
    name: &'static str,
    programs: &'static [&'static str],
    environment: &[(&'static str, &str)],
    code: i32,
    says: &[&str],
) -> Case {
    let environment = environment.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Case { name, programs, environment, code, says: says.iter().map(|text| (*text).to_owned()).collect() }
}

fn store_at(folder: &Folder, name: &str) -> String {
    format!("sqlite://{}", folder.join(name).display())
}

/// Runs every case with every program, a few at a time, and complains about all that is wrong.
fn check(folder: &Folder, cases: Vec<Case>) {
    let runs: Vec<(&str, &Case)> =
        cases.iter().flat_map(|case| case.programs.iter().map(move |program| (*program, case))).collect();
    let next = AtomicUsize::new(0);
    let problems: Vec<String> = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|_| {
                scope.spawn(|| {
                    let mut problems = Vec::new();
                    while let Some((program, case)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        problems.extend(fails(folder, program, case));
                    }
                    problems
                })
            })
            .collect();
        lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect()
    });
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn fails(folder: &Folder, program: &str, case: &Case) -> Vec<String> {
    let mut environment: Vec<(&str, String)> = vec![
        ("RENKEI_STORE", store_at(folder, &format!("{}.db", free_port().unwrap()))),
        ("RENKEI_MASTER_KEY", MASTER_KEY.to_owned()),
        ("RENKEI_LISTEN", format!("127.0.0.1:{}", free_port().unwrap())),
        ("RENKEI_INTERNAL_LISTEN", format!("127.0.0.1:{}", free_port().unwrap())),
    ];
    for (name, value) in &case.environment {
        environment.retain(|(known, _)| known != name);
        if !value.is_empty() {
            environment.push((name, value.clone()));
        }
    }
    let watch = Watch::start();
    let pairs = environment.iter().map(|(name, value)| (*name, value.as_str()));
    let finished = run_program(program, &[], pairs, LONGEST).unwrap();
    let mut problems = Vec::new();
    let mut complain = |what: String| {
        problems.push(format!(
            "{program}, {}: {what}\n    after {:?}: {:?}",
            case.name,
            watch.elapsed(),
            finished.stderr
        ));
    };
    if finished.code != Some(case.code) {
        complain(format!("exit code {:?}, not {}", finished.code, case.code));
    }
    if finished.stderr.trim_end().lines().count() != 1 || !finished.stderr.starts_with(&format!("{program}: ")) {
        complain("not one line that begins with the program's name".to_owned());
    }
    for part in case.says.iter().filter(|part| !finished.stderr.contains(part.as_str())) {
        complain(format!("does not say {part:?}"));
    }
    let all = format!("{}{}", finished.stdout, finished.stderr);
    for secret in [PASSWORD, MASTER_KEY, OTHER_KEY, "c2hvcnQ="].iter().filter(|secret| all.contains(**secret)) {
        complain(format!("prints a secret: {secret}"));
    }
    problems
}

#[test]
fn a_bad_configuration_stops_the_start_naming_key_value_and_reason() {
    let folder = Folder::new("start").unwrap();
    let unknown = folder.write("unknown.toml", "clock_scale = 1\n\n[ingest]\nrate_per_secnd = 5\n").unwrap();
    let broken = folder.write("broken.toml", "clock_scale = \n").unwrap();
    let wrong = folder.write("wrong.toml", "[workers]\nwake_hints = \"maybe\"\n").unwrap();
    let (unknown, broken, wrong) =
        (unknown.display().to_string(), broken.display().to_string(), wrong.display().to_string());
    let nowhere = folder.join("nowhere").display().to_string();
    let cases = vec![
        case(
            "no master key",
            BOTH,
            &[("RENKEI_MASTER_KEY", "")],
            2,
            &["RENKEI_MASTER_KEY", "missing", "openssl rand -base64 32"],
        ),
        case(
            "a short master key",
            BOTH,
            &[("RENKEI_MASTER_KEY", "c2hvcnQ=")],
            2,
            &["RENKEI_MASTER_KEY", "32 bytes", "openssl rand -base64 32"],
        ),
        case(
            "a master key that is no base64",
            BOTH,
            &[("RENKEI_MASTER_KEY", PASSWORD)],
            2,
            &["RENKEI_MASTER_KEY", "32 bytes"],
        ),
        case(
            "a master key's file that is not there",
            BOTH,
            &[("RENKEI_MASTER_KEY", ""), ("RENKEI_MASTER_KEY_FILE", &nowhere)],
            2,
            &["RENKEI_MASTER_KEY_FILE", &nowhere],
        ),
        case("an unknown variable", BOTH, &[("RENKEI_KAFKA_CLIENT", "x")], 2, &["RENKEI_KAFKA_CLIENT", "unknown key"]),
        case(
            "an unknown key in the file",
            BOTH,
            &[("RENKEI_CONFIG", &unknown)],
            2,
            &["ingest.rate_per_secnd", &unknown, "unknown key"],
        ),
        case("a file that is no TOML", BOTH, &[("RENKEI_CONFIG", &broken)], 2, &[&broken]),
        case("a file that is not there", BOTH, &[("RENKEI_CONFIG", &nowhere)], 2, &["RENKEI_CONFIG", &nowhere]),
        case(
            "a bad value in the file",
            BOTH,
            &[("RENKEI_CONFIG", &wrong)],
            2,
            &["workers.wake_hints", "maybe", "true or false"],
        ),
        case(
            "a bad number",
            BOTH,
            &[("RENKEI_INGEST_RATE_PER_SECOND", "many")],
            2,
            &["RENKEI_INGEST_RATE_PER_SECOND", "many", "whole number from"],
        ),
        case(
            "a number out of range",
            BOTH,
            &[("RENKEI_CLOCK_SCALE", "0")],
            2,
            &["RENKEI_CLOCK_SCALE", "\"0\"", "from 1 to"],
        ),
        case(
            "a bad address",
            BOTH,
            &[("RENKEI_LISTEN", "here")],
            2,
            &["RENKEI_LISTEN", "\"here\"", "like 127.0.0.1:8080"],
        ),
        case(
            "a bad store",
            BOTH,
            &[("RENKEI_STORE", &format!("mysql://root:{PASSWORD}@localhost/x"))],
            2,
            &["RENKEI_STORE", "sqlite:// or postgres://"],
        ),
        case("a bad log", BOTH, &[("RENKEI_LOG", "rabbit")], 2, &["RENKEI_LOG", "\"rabbit\"", "kafka://"]),
        case(
            "a login without a user",
            BOTH,
            &[
                ("RENKEI_LOG", "kafka://localhost:9092"),
                ("RENKEI_KAFKA_SECURITY_PROTOCOL", "sasl_ssl"),
                ("RENKEI_KAFKA_SASL_PASSWORD", PASSWORD),
            ],
            2,
            &["RENKEI_KAFKA_SASL_USERNAME"],
        ),
        case(
            "a faster clock against the real カオナビ",
            BOTH,
            &[("RENKEI_CLOCK_SCALE", "60")],
            2,
            &["RENKEI_CLOCK_SCALE", "60", "kaonavi_base_url", "on this machine"],
        ),
        case(
            "a private base URL",
            BOTH,
            &[("RENKEI_KAONAVI_BASE_URL", "https://10.1.2.3/api")],
            2,
            &["RENKEI_KAONAVI_BASE_URL", "10.1.2.3", "allow_private_base_urls"],
        ),
        case(
            "a log filter that can not be read",
            BOTH,
            &[("RENKEI_LOG_FILTER", "a=b=c")],
            2,
            &["RENKEI_LOG_FILTER", "a=b=c"],
        ),
    ];
    check(&folder, cases);
}

#[test]
fn a_store_that_can_not_be_used_stops_the_start() {
    let folder = Folder::new("start").unwrap();
    let closed = format!("postgres://renkei:{PASSWORD}@127.0.0.1:{}/renkei", free_port().unwrap());
    let place = closed.rsplit('@').next().unwrap().to_owned();
    let missing = postgres().url("nobody_made_this");
    let no_host = format!("postgres://renkei:{PASSWORD}@no-such-host.invalid:5432/renkei");
    let garbage = folder.write("garbage.db", &"this is no database. ".repeat(400)).unwrap();
    let inside_a_file = format!("sqlite://{}/renkei.db", garbage.display());
    let garbage = format!("sqlite://{}", garbage.display());
    let a_folder = format!("sqlite://{}", folder.path().display());
    let cases = vec![
        case(
            "nobody answers",
            BOTH,
            &[("RENKEI_STORE", &closed)],
            1,
            &["RENKEI_STORE", &place, "check that the address is right"],
        ),
        case("no such host", BOTH, &[("RENKEI_STORE", &no_host)], 1, &["RENKEI_STORE", "check"]),
        case("no such database", BOTH, &[("RENKEI_STORE", &missing)], 1, &["RENKEI_STORE", "nobody_made_this"]),
        case(
            "a file where a folder should be",
            BOTH,
            &[("RENKEI_STORE", &inside_a_file)],
            1,
            &["RENKEI_STORE", "garbage.db"],
        ),
        case(
            "a file that is no database",
            BOTH,
            &[("RENKEI_STORE", &garbage)],
            1,
            &["RENKEI_STORE", "garbage.db", "not a database", "check that the path is right"],
        ),
        case("a folder", BOTH, &[("RENKEI_STORE", &a_folder)], 1, &["RENKEI_STORE", "check"]),
        case(
            "a place that can not be written",
            BOTH,
            &[("RENKEI_STORE", "sqlite:///proc/renkei.db")],
            1,
            &["RENKEI_STORE"],
        ),
    ];
    check(&folder, cases);
}

#[test]
fn a_log_that_can_not_be_used_stops_the_start_within_40_s() {
    let folder = Folder::new("start").unwrap();
    let closed = format!("kafka://127.0.0.1:{}", free_port().unwrap());
    let port = closed.rsplit(':').next().unwrap().to_owned();
    let cases = vec![
        case("nobody answers", BOTH, &[("RENKEI_LOG", &closed)], 1, &[&port, "RENKEI_LOG"]),
        case(
            "no such host",
            BOTH,
            &[("RENKEI_LOG", "kafka://no-such-host.invalid:9092")],
            1,
            &["no-such-host.invalid", "RENKEI_LOG"],
        ),
        case("no broker in it", BOTH, &[("RENKEI_LOG", "kafka://")], 2, &["RENKEI_LOG", "kafka://host:9092"]),
        case(
            "a bad port",
            BOTH,
            &[("RENKEI_LOG", "kafka://localhost:port")],
            1,
            &["number 1 of the brokers", "RENKEI_LOG"],
        ),
        case(
            "a certificate that is not there",
            BOTH,
            &[
                ("RENKEI_LOG", &closed),
                ("RENKEI_KAFKA_SECURITY_PROTOCOL", "ssl"),
                ("RENKEI_KAFKA_SSL_CA_LOCATION", "/nowhere/ca.pem"),
            ],
            1,
            &["/nowhere/ca.pem"],
        ),
    ];
    check(&folder, cases);
}

#[test]
fn a_port_in_use_stops_the_start() {
    let folder = Folder::new("start").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let cases = vec![
        case(
            "webhooks",
            INGEST,
            &[("RENKEI_LISTEN", &address)],
            1,
            &[&address, "RENKEI_LISTEN", "end what uses the port"],
        ),
        case(
            "probes",
            BOTH,
            &[("RENKEI_INTERNAL_LISTEN", &address)],
            1,
            &[&address, "RENKEI_INTERNAL_LISTEN", "end what uses the port"],
        ),
        case(
            "not ours",
            BOTH,
            &[("RENKEI_INTERNAL_LISTEN", "192.0.2.1:9090")],
            1,
            &["192.0.2.1:9090", "RENKEI_INTERNAL_LISTEN", "address of this machine"],
        ),
    ];
    check(&folder, cases);
}

/// A store that has begun its life belongs to its master key and its clock.
fn begun_store_refuses(store: &str) {
    let folder = Folder::new("start").unwrap();
    let internal = free_port().unwrap();
    let address = format!("127.0.0.1:{internal}");
    let environment =
        [("RENKEI_STORE", store), ("RENKEI_MASTER_KEY", MASTER_KEY), ("RENKEI_INTERNAL_LISTEN", address.as_str())];
    let first = Program::start("renkei-workers", &[], environment).unwrap();
    first.ready(READY, || is_ready(internal)).unwrap();
    let loopback = ("RENKEI_KAONAVI_BASE_URL", "http://127.0.0.1:1/api");
    let allowed = ("RENKEI_ALLOW_PRIVATE_BASE_URLS", "127.0.0.1");
    let cases = vec![
        case(
            "the wrong master key",
            BOTH,
            &[("RENKEI_STORE", store), ("RENKEI_MASTER_KEY", OTHER_KEY)],
            1,
            &["RENKEI_STORE", "master key", "give the key that this store was made with"],
        ),
        case(
            "another clock",
            BOTH,
            &[("RENKEI_STORE", store), ("RENKEI_CLOCK_SCALE", "60"), loopback, allowed],
            1,
            &["RENKEI_STORE", "clock scale 1", "60", "RENKEI_CLOCK_SCALE=1"],
        ),
    ];
    check(&folder, cases);
    pause(100);
    assert!(first.ended().is_none(), "the running process is not disturbed");
    assert_eq!(first.terminate(Duration::from_secs(10)).and_then(|status| status.code()), Some(0));
}

#[test]
fn the_wrong_master_key_or_clock_stops_the_start_on_sqlite() {
    let folder = Folder::new("start").unwrap();
    begun_store_refuses(&store_at(&folder, "begun.db"));
}

#[test]
fn the_wrong_master_key_or_clock_stops_the_start_on_postgresql() {
    begun_store_refuses(&postgres().database().unwrap());
}
