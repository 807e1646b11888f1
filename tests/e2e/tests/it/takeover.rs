//! Two workers processes: what one leaves, the other takes.

use std::time::Duration;

use renkei_sandbox::kaonavi::{Faults, sample};
use serde_json::Value;

use crate::support::people::{changed, member, person};
use crate::support::world::{LogKind, Setup, StoreKind, World};
use crate::support::{Watch, until};

const SOON: Duration = Duration::from_secs(60);
/// From the kill until the other worker has done what the dead one would have.
const REPLACED: Duration = Duration::from_secs(15);
/// Members that differ from what the source says, in the tests of the budget.
const UPDATES: usize = 20;
/// Places of a minute that are taken where the account changes hands: the next call of a successor that does not know of
/// them is one too many.
const USED: usize = 5;

/// Which of the two processes holds the account; owners are named after their process.
fn holder(world: &World) -> Option<usize> {
    let owner = world.sql("select coalesce(lease_owner, '') from accounts where lease_until_ms > 0");
    let pid: u32 = owner.split('-').next()?.parse().ok()?;
    world.workers.iter().position(|workers| workers.program.pid() == Some(pid))
}

fn two_workers(log: LogKind) -> World {
    let mut world = World::up(Setup { store: StoreKind::Postgres, log, ..Setup::default() });
    world.start_workers();
    world.wait_for_free_slots();
    world.sender("acme").send("msg_1", &[person("rm_1", "A0001")]);
    world.wait_member("acme", "A0001", SOON);
    world
}

/// Kills whoever works on the account, in the middle of a call.
fn killed_holder_is_replaced(log: LogKind) {
    let mut world = two_workers(log);
    world.sim.faults("acme", Faults { slow_answers: 1, slow_answer_ms: 5_000, ..Faults::default() });
    world.sender("acme").send("msg_2", &[person("rm_2", "A0002")]);
    until(SOON, "the hire is on its way", || world.sim.first_rows("acme").contains_key("A0002"));
    let at = holder(&world).expect("one of them holds it");
    let victim = world.workers.remove(at);
    let watch = Watch::start();
    victim.program.kill9();
    world.sender("acme").send("msg_3", &[person("rm_3", "A0003")]);
    until(SOON, "the other one holds the account", || holder(&world) == Some(0));
    let account = watch.elapsed();
    until(SOON, "the other one sends the next hire", || world.sim.first_rows("acme").contains_key("A0003"));
    let hire = watch.elapsed();
    eprintln!(
        "{log:?}: after kill -9 the other held the account within {account:?} and sent the next hire after {hire:?}"
    );
    assert!(account < REPLACED, "{account:?}");
    // On Kafka that takes the dead one's partitions as well, which the broker gives away when its session has run out.
    assert!(hire < REPLACED, "{hire:?}");
    world.wait_people("acme", &["synced"], 3, SOON);
    assert_eq!(world.sim.stats("acme").accepted_rows, 3, "nothing was sent twice");
    world.sim.assert_within_limits("acme");
}

#[test]
fn a_killed_worker_is_replaced_within_15_s_on_the_embedded_log() {
    killed_holder_is_replaced(LogKind::Embedded);
}

#[test]
fn a_killed_worker_is_replaced_within_15_s_on_kafka() {
    killed_holder_is_replaced(LogKind::Kafka);
}

fn terminated_holder_hands_over(log: LogKind) {
    let mut world = two_workers(log);
    let at = holder(&world).expect("one of them has it");
    let victim = world.workers.remove(at);
    // Due now, and held: the task's end is looked at.
    world.sender("acme").send("msg_2", &[person("rm_2", "A0002")]);
    let ended = victim.program.terminate(Duration::from_secs(10)).and_then(|status| status.code());
    assert_eq!(ended, Some(0), "{}", victim.program.output());
    let watch = Watch::start();
    world.sender("acme").send("msg_3", &[person("rm_3", "A0003")]);
    until(SOON, "the other one sends the next hire", || world.sim.first_rows("acme").contains_key("A0003"));
    let took = watch.elapsed();
    eprintln!("{log:?}: after SIGTERM the other sent the next hire within {took:?}");
    // On Kafka the other learns of its new partitions with its next heartbeat.
    let most = if log == LogKind::Kafka { 5_000 } else { 1_500 };
    assert!(took < Duration::from_millis(most), "{took:?}");
    world.wait_people("acme", &["synced"], 3, SOON);
    assert_eq!(world.sim.stats("acme").accepted_rows, 3, "nothing was sent twice");
}

#[test]
fn a_terminated_worker_hands_over_at_once_on_the_embedded_log() {
    terminated_holder_hands_over(LogKind::Embedded);
}

#[test]
fn a_terminated_worker_hands_over_on_kafka() {
    terminated_holder_hands_over(LogKind::Kafka);
}

/// Two processes and one account whose places of the minute are used up: two by the verification, the others by hires,
/// which leave every 20.5 s while updates wait. Another hire and all updates are due and wait for a place. Also which of the two
/// holds the account.
fn places_used_up(log: LogKind) -> (World, usize) {
    let code = |at: usize| format!("U{at:04}");
    let mut company = sample::company("acme");
    company.members = (0..UPDATES).map(|at| member(&code(at), "旧")).collect();
    // The last task is still looked at when the account changes hands, so that it is due there.
    company.settings.task_running_ms = 10_000;
    // Soon enough for a successor to come while the places are still taken, on a busy machine too.
    let environment = vec![("RENKEI_WORKERS_LEASE_TTL_MS".to_owned(), "5000".to_owned())];
    let mut world = World::new(Setup {
        store: StoreKind::Postgres,
        log,
        companies: vec![company],
        environment,
        ..Setup::default()
    });
    world.start_ingest();
    world.start_workers();
    world.start_workers();
    world.activate();
    let sender = world.sender("acme");
    let updates: Vec<Value> = (0..UPDATES).map(|at| changed(&format!("rm_u{at}"), &code(at), "新")).collect();
    sender.send("msg_updates", &updates);
    for hire in 1..=3 {
        sender.send(&format!("msg_{hire}"), &[person(&format!("rm_{hire}"), &format!("A000{hire}"))]);
        // Each in a call of its own.
        until(SOON, "the hire leaves", || world.sim.first_rows("acme").contains_key(&format!("A000{hire}")));
    }
    sender.send("msg_4", &[person("rm_4", "A0004")]);
    let waiting = "select count(*) from employees where state = 'due'";
    until(SOON, "the others wait", || world.sql(waiting) == (UPDATES + 1).to_string());
    // With an answer a place is taken for a minute and no longer; a call that died without one would hide what is asked.
    let unanswered = "select count(*) from batches where state = 'planned'";
    until(SOON, "the last answer is written down", || world.sql(unanswered) == "0");
    let at = holder(&world).expect("one of them holds it");
    let used = world.sim.stats("acme").update_calls_now;
    assert!(used >= USED, "{used} places are used");
    (world, at)
}

/// What the successor does with the places that the other has used.
fn successor_waits_for_a_place(world: &World, how: &str) {
    until(SOON, "the other one holds the account", || holder(world) == Some(0));
    let before = world.sim.stats("acme");
    // Otherwise nothing is shown: whoever comes later may call in any case.
    assert!(before.update_calls_now >= USED, "when it came places were free again: {before:?}");
    let rows = world.sim.first_rows("acme");
    assert!(!rows.contains_key("A0004") && !rows.contains_key("U0000"), "nothing else had left: {rows:?}");
    let watch = Watch::start();
    until(SOON, "the other one sends what waited", || {
        let rows = world.sim.first_rows("acme");
        rows.contains_key("A0004") && rows.contains_key("U0000")
    });
    let stats = world.sim.stats("acme");
    eprintln!(
        "{how}: the other came when {} places of the minute were used, and sent what waited within {:?}; at most {} update calls in any minute",
        before.update_calls_now,
        watch.elapsed(),
        stats.peak_update_calls
    );
    world.sim.assert_within_limits("acme");
    let sent = u64::try_from(UPDATES).unwrap() + 4;
    assert_eq!(stats.accepted_rows, sent, "nothing was sent twice: {stats:?}");
}

#[test]
fn i3_the_successor_of_a_killed_worker_knows_the_places_that_are_used() {
    let (mut world, at) = places_used_up(LogKind::Kafka);
    let victim = world.workers.remove(at);
    victim.program.kill9();
    successor_waits_for_a_place(&world, "after kill -9");
}

#[test]
fn i3_the_successor_of_a_terminated_worker_knows_the_places_that_are_used() {
    let (mut world, at) = places_used_up(LogKind::Embedded);
    let victim = world.workers.remove(at);
    let ended = victim.program.terminate(Duration::from_secs(10)).and_then(|status| status.code());
    assert_eq!(ended, Some(0), "{}", victim.program.output());
    successor_waits_for_a_place(&world, "after SIGTERM");
}
