//! Signed webhooks in, members out, on every kind of store and log.

use std::time::Duration;

use renkei_e2e::servers::run_program;
use renkei_runtime::clock::{Clock as _, SystemClock};
use renkei_sandbox::demo;
use renkei_sandbox::kaonavi::sample;

use crate::support::world::{LogKind, Setup, StoreKind, World};

/// Windows and polls pass this many times faster.
const SCALE: u32 = 15;

fn the_demonstration_arrives(store: StoreKind, log: LogKind, seed: u64) {
    let scene = demo::employees(200, seed, SystemClock::real().wall());
    let mut company = sample::company("acme");
    company.members.clone_from(&scene.existing);
    let world = World::up(Setup { store, log, scale: SCALE, companies: vec![company], ..Setup::default() });
    world.play("acme", "acme", &scene, Duration::from_secs(180));
    world.sim.assert_within_limits("acme");
    let people = world.connection("acme")["people"].clone();
    let known: i64 = people.as_object().unwrap().values().filter_map(serde_json::Value::as_i64).sum();
    let with_events = scene.deliveries.iter().map(|delivery| delivery.records).sum::<usize>();
    assert!(known > 0 && usize::try_from(known).unwrap() <= with_events, "{people}");
    let stats = world.sim.stats("acme");
    eprintln!("{store:?} {log:?}: {} update calls, {} calls, {people}", stats.update_calls, stats.calls);
}

/// What `make run` runs: カオナビ, and attendance from HRMOS勤怠 to クラウドログ over the real API.
#[test]
fn the_command_says_that_kaonavi_and_crowdlog_hold_what_they_should() {
    let arguments = ["demo", "--once", "--employees", "40", "--attendance", "30", "--clock-scale", "10"];
    let ended = run_program("renkei-sandbox", &arguments, [], Duration::from_secs(180)).unwrap();
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    for verdict in ["カオナビ holds exactly what it should: ", "クラウドログ holds exactly what it should: "]
    {
        let line = ended.stdout.lines().find(|line| line.starts_with(verdict));
        assert!(line.is_some_and(|line| line.ends_with(", 0 differences.")), "{}", ended.stdout);
    }
    assert!(ended.stdout.contains("refused with 429: 0; written there: 0"), "{}", ended.stdout);
}

#[test]
fn two_hundred_employees_arrive_through_sqlite_and_the_embedded_log() {
    the_demonstration_arrives(StoreKind::Sqlite, LogKind::Embedded, 11);
}

#[test]
fn two_hundred_employees_arrive_through_postgresql_and_kafka() {
    the_demonstration_arrives(StoreKind::Postgres, LogKind::Kafka, 12);
}

#[test]
fn two_hundred_employees_arrive_through_postgresql_and_the_embedded_log() {
    the_demonstration_arrives(StoreKind::Postgres, LogKind::Embedded, 13);
}
