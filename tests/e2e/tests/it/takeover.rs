//! Two workers processes: what one leaves, the other takes.

use std::time::Duration;

use renkei_sandbox::kaonavi::Faults;

use crate::support::people::person;
use crate::support::world::{LogKind, Setup, StoreKind, World};
use crate::support::{Watch, until};

const SOON: Duration = Duration::from_secs(60);
/// From the kill until the other worker has done what the dead one would have.
const REPLACED: Duration = Duration::from_secs(15);

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
