//! What a person can tell an installation from the shell.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use renkei_sandbox::kaonavi::{Faults, sample};
use renkei_sandbox::send::body;
use serde_json::json;

use crate::support::people::{changed, member, person};
use crate::support::world::{LogKind, Setup, StoreKind, World, connection_yaml, webhook_secret};
use crate::support::{block, pause, runtime, until};

const SOON: Duration = Duration::from_secs(40);
/// Where real time is not the point: windows and polls pass this many times faster.
const SCALE: u32 = 10;
const NEW_KEY: &str = "TmV3TmV3TmV3TmV3TmV3TmV3TmV3TmV3TmV3TmV3TmU=";

/// What ingest answers to a delivery of one person.
fn status_of(world: &World, link: &str, id: &str) -> Option<u16> {
    let body = body("employee.updated", "2026-04-01T00:00:00Z", &[person("rm_x", "X0001")]);
    block(world.sender(link).post(id, body)).status
}

#[test]
fn the_status_tells_what_waits_and_who_needs_a_person() {
    let mut company = sample::company("acme");
    company.members.push(member("NEAR1", "次郎"));
    let world = World::up(Setup { companies: vec![company], scale: SCALE, ..Setup::default() });
    let mut strange = person("rm_3", "A0003");
    strange["gender"] = json!("回答しない");
    let mut applicant = person("rm_4", "A0004");
    applicant["employee_status"] = json!("応募者");
    let people = [person("rm_1", "A0001"), person("rm_2", "near1"), strange, applicant];
    world.wait_for_free_slots();
    world.sender("acme").send("msg_1", &people);
    world.wait_people("acme", &["synced"], 1, SOON);
    let status = world.status();
    let connection = &status["connections"][0];
    assert_eq!(connection["id"], "acme");
    assert_eq!(connection["tenant"], "tenant");
    assert_eq!(connection["state"], "active");
    assert_eq!(
        connection["people"],
        json!({ "baseline": 0, "due": 0, "held": 1, "in_flight": 0, "parked": 1, "skipped": 1, "synced": 1 })
    );
    assert_eq!(connection["held"][0]["number"], "near1");
    assert_eq!(connection["held"][0]["employee_id"], "rm_2");
    assert_eq!(connection["parked"][0]["number"], "A0003");
    assert_eq!(connection["parked"][0]["code"], "mapping.gender_unmapped");
    assert!(connection["parked"][0].get("detail").is_none(), "details only when asked for: {connection}");
    assert_eq!(connection["reasons"]["status_excluded"], 1);
    let account = &status["accounts"][0];
    assert_eq!(account["slots"].as_array().unwrap().len(), 1);
    assert_eq!(account["slots"][0]["kind"], "create");
    let frees = account["slots"][0]["frees_in_ms"].as_u64().unwrap();
    assert!(frees <= 400_000, "{account}");
    assert!(account.get("blocked").is_none(), "nothing holds calls back: {account}");
    assert!(account["next_create_ms"].as_u64().unwrap() < 60_000, "one of several slots is taken: {account}");
    assert!(account["reads_last_hour"].as_i64().unwrap() >= 3, "token, layout, members: {account}");
    assert!(account["calls_last_hour"].as_i64().unwrap() >= 4, "token, layout, members, POST: {account}");

    let text = world.command(&["status"]);
    for part in [
        "connection acme [acme] active",
        "synced 1",
        "held 1",
        "needs a person: number A0003, id rm_3, mapping.gender_unmapped",
        "held: number near1, id rm_2",
        "1 of 5 slots taken",
        "of 3000 calls this hour",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert!(!text.contains("回答しない"), "{text}");
    let details = world.command(&["status", "--details"]);
    assert!(details.contains("NEAR1"), "with details the near number is told: {details}");

    for command in ["pause", "resume", "disconnect"] {
        let refused = world.run("renkei-workers", &[command, "nobody"]);
        assert_eq!(refused.code, Some(1));
        assert!(
            refused.stderr.starts_with("renkei-workers: ") && refused.stderr.contains("connection nobody"),
            "{}",
            refused.stderr
        );
        assert_eq!(refused.stderr.trim_end().lines().count(), 1);
    }
}

/// I6: what comes while the switch is off is kept, and goes out when it is on again.
fn off_means_off(store: StoreKind, log: LogKind, faults: Faults) {
    let mut company = sample::company("acme");
    company.members = (0..400).map(|at| member(&format!("U{at:04}"), "旧")).collect();
    company.faults = faults;
    let world = World::up(Setup { store, log, scale: SCALE, companies: vec![company], ..Setup::default() });
    let sent = Arc::new(AtomicUsize::new(0));
    let enough = Arc::new(AtomicBool::new(false));
    let sending = {
        let (sender, sent, enough) = (world.sender("acme"), Arc::clone(&sent), Arc::clone(&enough));
        runtime().spawn(async move {
            let mut at = 0;
            while at < 400 && !enough.load(Ordering::Relaxed) {
                let people = [
                    person(&format!("h{at:04}"), &format!("H{at:04}")),
                    changed(&format!("u{at:04}"), &format!("U{at:04}"), "新"),
                ];
                let answer = sender.deliver(&format!("msg_{at}"), "employee.updated", &people).await;
                assert_eq!(answer.status, Some(202));
                at += 1;
                sent.store(at, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    until(SOON, "some calls are made", || world.sim.writes("acme") >= 3);
    let said = world.command(&["pause", "acme"]);
    let calls = world.sim.writes("acme");
    assert!(said.contains("acme is paused"), "{said}");
    let before = sent.load(Ordering::Relaxed);
    until(SOON, "more comes in", || sent.load(Ordering::Relaxed) >= (before + 50).min(400));
    // A minute of カオナビ's time: every slot is free, and a hire could go at once.
    pause(7_000);
    assert_eq!(world.sim.writes("acme"), calls, "no write starts once pause has answered");
    enough.store(true, Ordering::Relaxed);
    block(sending).unwrap();
    let sent = sent.load(Ordering::Relaxed);
    assert!(world.people("acme", "due") > 0, "what came waits");
    let said = world.command(&["resume", "acme"]);
    assert!(said.contains("acme is active"), "{said}");
    world.wait_people("acme", &["synced"], i64::try_from(2 * sent).unwrap(), Duration::from_secs(90));
    world.sim.assert_within_limits("acme");
    for at in 0..sent {
        assert!(world.sim.has_member("acme", &format!("H{at:04}")));
    }
}

#[test]
fn i6_after_pause_no_write_starts_and_resume_brings_what_waited() {
    off_means_off(StoreKind::Sqlite, LogKind::Embedded, Faults::default());
}

#[test]
fn i6_pause_waits_for_calls_that_are_under_way() {
    // Nearly every call is on its way for a while (in カオナビ's time) when pause comes.
    let slow = Faults { slow_arrival_percent: 90, slow_arrival_ms: 8_000, ..Faults::default() };
    off_means_off(StoreKind::Postgres, LogKind::Embedded, slow);
}

#[test]
fn disconnect_deletes_keys_and_secrets_and_is_for_good() {
    let mut world = World::new(Setup { store: StoreKind::Postgres, scale: SCALE, ..Setup::default() });
    world.folder.write("second.whsec", &webhook_secret("second")).unwrap();
    let second =
        connection_yaml("acme", "active").replace("id: acme", "id: second").replace("acme.whsec", "second.whsec");
    world.start_ingest();
    world.start_workers();
    let file = format!("{}{second}", world.file());
    let applied = world.apply_text(&file, &["--wait", "60s"]);
    assert_eq!(applied.code, Some(0), "{}", applied.stderr);
    world.sender("acme").send("msg_1", &[person("rm_1", "A0001")]);
    world.wait_member("acme", "A0001", SOON);

    // The account is shared: its keys stay while the other connection uses them.
    let said = world.command(&["disconnect", "second"]);
    assert!(said.contains("second is disconnected"), "{said}");
    assert_eq!(world.sql("select count(*) from accounts where credentials is not null"), "1");
    assert_eq!(world.sql("select count(*) from webhook_secrets where connection_id = 'second'"), "0");

    world.command(&["disconnect", "acme"]);
    assert_eq!(world.sql("select count(*) from accounts where credentials is not null or token is not null"), "0");
    assert_eq!(world.sql("select count(*) from webhook_secrets"), "0");
    assert_eq!(world.sql("select state from connections where connection_id = 'acme'"), "disconnected");
    until(Duration::from_secs(6), "ingest answers 410", || status_of(&world, "acme", "msg_2") == Some(410));
    assert_ne!(world.sql("select count(*) from activity"), "0", "history stays");
    let refused = world.apply_text(&file, &[]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("disconnected for good"), "{}", refused.stderr);
    let resumed = world.run("renkei-workers", &["resume", "acme"]);
    assert_eq!(resumed.code, Some(1), "{}", resumed.stdout);
    assert!(resumed.stderr.contains("acme is disconnected"), "{}", resumed.stderr);
    // Again is no fault.
    world.command(&["disconnect", "acme"]);
    let calls = world.sim.stats("acme").calls;
    pause(1_500);
    assert_eq!(world.sim.stats("acme").calls, calls, "nothing is called any more");
}

#[test]
fn a_near_miss_is_held_until_a_person_releases_it() {
    let mut company = sample::company("acme");
    company.members.push(member("0123", "次郎"));
    let world = World::up(Setup { companies: vec![company], scale: SCALE, ..Setup::default() });
    world.sender("acme").send("msg_1", &[person("rm_1", "123"), person("rm_2", "A0002")]);
    world.wait_member("acme", "A0002", SOON);
    world.wait_people("acme", &["held"], 1, SOON);
    pause(1_000);
    assert!(!world.sim.has_member("acme", "123"));
    let refused = world.run("renkei-workers", &["release", "--connection", "acme", "--number", "0123"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("nobody with number 0123 is held"), "{}", refused.stderr);
    let said = world.command(&["release", "--connection", "acme", "--number", "123"]);
    assert!(said.contains("1 person released"), "{said}");
    world.wait_member("acme", "123", SOON);
    world.wait_people("acme", &["synced"], 2, SOON);
    let member = world.sim.members("acme").into_iter().find(|member| member["code"] == "0123").unwrap();
    assert_eq!(member["name"], "試験 次郎", "the other person is untouched");
}

fn the_master_key_changes(store: StoreKind) {
    let mut world = World::up(Setup { store, scale: SCALE, ..Setup::default() });
    world.sender("acme").send("msg_1", &[person("rm_1", "A0001")]);
    world.wait_member("acme", "A0001", SOON);
    let old = crate::support::world::MASTER_KEY;

    // Without the key of until now, and with a wrong one, nothing happens.
    world.set("RENKEI_MASTER_KEY", NEW_KEY);
    let refused = world.run("renkei-ingest", &["rotate-master-key"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    assert!(refused.stderr.contains("RENKEI_MASTER_KEY_PREVIOUS"), "{}", refused.stderr);
    world.set("RENKEI_MASTER_KEY_PREVIOUS", "V3JvbmdXcm9uZ1dyb25nV3JvbmdXcm9uZ1dyb25nV3I=");
    let refused = world.run("renkei-ingest", &["rotate-master-key"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    assert!(refused.stderr.contains("master key"), "{}", refused.stderr);

    // While both programs run.
    world.set("RENKEI_MASTER_KEY_PREVIOUS", old);
    let done = world.run("renkei-ingest", &["rotate-master-key"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.contains("keys are wrapped with the new master key"), "{}", done.stdout);
    for secret in [old, NEW_KEY] {
        assert!(!done.stdout.contains(secret));
    }
    world.sender("acme").send("msg_2", &[person("rm_2", "A0002"), changed("rm_1", "A0001", "改名")]);
    world.wait_member("acme", "A0002", Duration::from_secs(60));

    // After a restart with the new key alone everything goes on; the old key opens nothing.
    world.unset("RENKEI_MASTER_KEY_PREVIOUS");
    assert_eq!(world.ingest().terminate(SOON).and_then(|status| status.code()), Some(0));
    assert_eq!(world.workers.remove(0).program.terminate(SOON).and_then(|status| status.code()), Some(0));
    world.set("RENKEI_MASTER_KEY", old);
    let refused = world.run("renkei-workers", &["status"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("RENKEI_MASTER_KEY"), "{}", refused.stderr);
    world.set("RENKEI_MASTER_KEY", NEW_KEY);
    world.start_ingest();
    world.start_workers();
    assert_eq!(status_of(&world, "acme", "msg_3"), Some(202), "the webhook secret still opens");
    world.wait_member("acme", "X0001", Duration::from_secs(60));
    world.wait_people("acme", &["synced"], 3, Duration::from_secs(60));
    // A second time round, with the previous key still given at the start.
    world.set("RENKEI_MASTER_KEY_PREVIOUS", old);
    world.command(&["status"]);
}

#[test]
fn the_master_key_changes_while_everything_runs_on_sqlite() {
    the_master_key_changes(StoreKind::Sqlite);
}

#[test]
fn the_master_key_changes_while_everything_runs_on_postgresql() {
    the_master_key_changes(StoreKind::Postgres);
}

#[test]
fn a_connection_paused_before_it_was_active_is_verified_on_resume() {
    let mut world = World::new(Setup::default());
    let applied = world.apply_text(&world.file(), &[]);
    assert_eq!(applied.code, Some(0), "{}", applied.stderr);
    world.command(&["pause", "acme"]);
    world.start_ingest();
    world.start_workers();
    pause(1_000);
    assert_eq!(world.connection("acme")["state"], "paused");
    assert_eq!(world.sim.stats("acme").calls, 0);
    let said = world.command(&["resume", "acme"]);
    assert!(said.contains("a worker verifies it first"), "{said}");
    until(SOON, "it is active", || world.connection("acme")["state"] == "active");
}
