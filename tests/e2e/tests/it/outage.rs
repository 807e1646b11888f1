//! Programs that are away for a while, and their orderly end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use renkei_events::signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use renkei_sandbox::kaonavi::Faults;
use renkei_sandbox::send;

use crate::support::people::person;
use crate::support::world::{LogKind, Setup, StoreKind, World, get};
use crate::support::{Watch, pause, unix_now, until};

const SOON: Duration = Duration::from_secs(40);
/// Where real time is not the point: windows and polls pass this many times faster.
const SCALE: u32 = 10;
/// How long an orderly end may take.
const END: Duration = Duration::from_secs(10);

fn waits_for_the_workers(store: StoreKind, log: LogKind) {
    let mut world = World::up(Setup { store, log, scale: SCALE, ..Setup::default() });
    world.sender("acme").send("msg_1", &[person("rm_1", "A0001")]);
    world.wait_member("acme", "A0001", SOON);
    let workers = world.workers.remove(0);
    assert_eq!(workers.program.terminate(END).and_then(|status| status.code()), Some(0));
    let calls = world.sim.stats("acme").calls;
    world.sender("acme").send("msg_2", &[person("rm_2", "A0002")]);
    pause(1_000);
    assert_eq!(world.sim.stats("acme").calls, calls);
    world.start_workers();
    world.wait_member("acme", "A0002", SOON);
    // Nothing was sent twice.
    world.wait_people("acme", &["synced"], 2, SOON);
    assert_eq!(world.sim.stats("acme").accepted_rows, 2);
}

#[test]
fn a_webhook_during_an_outage_of_the_workers_waits_on_the_embedded_log() {
    waits_for_the_workers(StoreKind::Sqlite, LogKind::Embedded);
}

#[test]
fn a_webhook_during_an_outage_of_the_workers_waits_on_kafka() {
    waits_for_the_workers(StoreKind::Postgres, LogKind::Kafka);
}

fn ends_in_order(store: StoreKind, log: LogKind) {
    let mut world = World::up(Setup { store, log, ..Setup::default() });
    pause(500);
    let workers = world.workers.remove(0);
    let watch = Watch::start();
    assert_eq!(
        workers.program.terminate(END).and_then(|status| status.code()),
        Some(0),
        "{}",
        workers.program.output()
    );
    let first = watch.elapsed();
    let watch = Watch::start();
    assert_eq!(world.ingest().terminate(END).and_then(|status| status.code()), Some(0), "{}", world.ingest().output());
    eprintln!("{store:?} {log:?}: workers ended after {first:?}, ingest after {:?}", watch.elapsed());
}

#[test]
fn sigterm_ends_idle_programs_with_0_within_10_s() {
    ends_in_order(StoreKind::Sqlite, LogKind::Embedded);
    ends_in_order(StoreKind::Postgres, LogKind::Kafka);
}

/// A delivery in two halves on a connection of its own.
struct Halves {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Halves {
    fn begin(world: &World, at: usize) -> Self {
        let sender = world.sender("acme");
        let id = format!("msg_half_{at}");
        let people = [person(&format!("rm_h{at}"), &format!("H{at:03}"))];
        let body = send::body("employee.updated", "2026-04-01T00:00:00Z", &people);
        let now = unix_now();
        let signature = sign(&sender.secret, &id, now, &body);
        let head = format!(
            "POST /webhooks/roumumate/acme HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{ID_HEADER}: {id}\r\n\
             {TIMESTAMP_HEADER}: {now}\r\n{SIGNATURE_HEADER}: {signature}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", world.listen)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let half = body.len() / 2;
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body[..half]).unwrap();
        Self { stream, rest: body[half..].to_vec() }
    }

    /// Sends the rest and gives the whole answer, up to the end of the connection.
    fn finish(mut self) -> String {
        self.stream.write_all(&self.rest).unwrap();
        let mut answer = Vec::new();
        self.stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

fn ends_under_load(store: StoreKind, log: LogKind) {
    const CONNECTIONS: usize = 64;
    let mut world = World::up(Setup { store, log, scale: SCALE, ..Setup::default() });
    let halves: Vec<Halves> = (0..CONNECTIONS).map(|at| Halves::begin(&world, at)).collect();
    until(SOON, "64 requests are being read", || {
        get(world.ingest_internal, "/metrics")
            .is_some_and(|(_, text)| text.lines().any(|line| line == format!("renkei_ingest_in_flight {CONNECTIONS}")))
    });
    let ingest = world.ingest.take().unwrap();
    let watch = Watch::start();
    std::thread::scope(|scope| {
        let ending = scope.spawn(|| ingest.terminate(END));
        until(END, "it says that it is not ready", || {
            get(world.ingest_internal, "/readyz").is_none_or(|(status, _)| status == 503)
        });
        let answers: Vec<String> = halves.into_iter().map(Halves::finish).collect();
        for answer in &answers {
            assert!(answer.starts_with("HTTP/1.1 202"), "cut or refused: {answer:?}");
            assert!(answer.ends_with("{\"accepted\":1}"), "{answer:?}");
        }
        assert_eq!(ending.join().unwrap().and_then(|status| status.code()), Some(0), "{}", ingest.output());
    });
    eprintln!("{store:?} {log:?}: ingest ended under load after {:?}", watch.elapsed());
    world.start_ingest();
    world.wait_people("acme", &["synced"], i64::try_from(CONNECTIONS).unwrap(), SOON);
}

#[test]
fn sigterm_cuts_no_request_of_64_connections() {
    ends_under_load(StoreKind::Sqlite, LogKind::Embedded);
    ends_under_load(StoreKind::Postgres, LogKind::Kafka);
}

#[test]
fn sigterm_of_busy_workers_waits_for_the_call_under_way() {
    let mut world = World::up(Setup { store: StoreKind::Postgres, scale: SCALE, ..Setup::default() });
    world.sim.faults("acme", Faults { slow_answers: 1, slow_answer_ms: 3_000 * u64::from(SCALE), ..Faults::default() });
    world
        .sender("acme")
        .send("msg_1", &(0..300).map(|at| person(&format!("rm_{at}"), &format!("A{at:04}"))).collect::<Vec<_>>());
    until(SOON, "a call is under way", || world.sim.writes("acme") == 1);
    let workers = world.workers.remove(0);
    let ended = workers.program.terminate(END).and_then(|status| status.code());
    assert_eq!(ended, Some(0), "{}", workers.program.output());
    let open = world.sql("select count(*) from batches where state in ('planned', 'unknown')");
    assert_eq!(open, "0", "the answer was read and written down");
    assert_eq!(world.sql("select count(*) from accounts where lease_until_ms > 0"), "0", "the lease was given back");
    world.start_workers();
    world.wait_people("acme", &["synced"], 300, Duration::from_secs(90));
    assert!(world.sim.with("acme", |company, _| company.log().rows_per_code().values().all(|rows| *rows == 1)));
    world.sim.assert_within_limits("acme");
}
