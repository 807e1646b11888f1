//! I4: a new hire does not wait behind updates; in real time, with real processes.

use std::collections::BTreeMap;
use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::sample;
use serde_json::Value;

use crate::support::people::{changed, member, person};
use crate::support::world::{Setup, StoreKind, World};
use crate::support::{Watch, block, pause, quantile, setting, until};

/// Sends one hire and answers when ingest had accepted it.
fn hire(world: &World, link: &str, id: &str, number: &str) -> Millis {
    let sender = world.sender(link);
    let answer = block(sender.deliver(&format!("msg_{id}"), "employee.created", &[person(id, number)]));
    assert_eq!(answer.status, Some(202), "{}", answer.text);
    world.sim.now()
}

/// From acceptance to the arrival of the call that carries the person, in milliseconds, sorted.
fn waits(world: &World, company: &str, accepted: &BTreeMap<String, Millis>) -> Vec<u64> {
    let first = world.sim.first_rows(company);
    let mut waits: Vec<u64> = accepted
        .iter()
        .map(|(code, at)| {
            let arrived = first.get(code).unwrap_or_else(|| panic!("{code} never arrived"));
            u64::try_from(arrived.since(*at).as_millis()).unwrap()
        })
        .collect();
    waits.sort_unstable();
    waits
}

fn patches(world: &World, company: &str) -> usize {
    world.sim.calls(company).iter().filter(|call| call.method == "PATCH").count()
}

/// A company of which `count` members differ from what the source says.
fn with_members(id: &str, count: usize) -> renkei_sandbox::kaonavi::CompanySpec {
    let mut company = sample::company(id);
    company.members = (0..count).map(|index| member(&format!("U{index:05}"), "旧")).collect();
    company
}

fn updates(from: usize, to: usize, name: &str) -> Vec<Value> {
    (from..to).map(|index| changed(&format!("u{index:05}"), &format!("U{index:05}"), name)).collect()
}

#[test]
#[ignore = "takes minutes; make prove"]
fn prove_i4_a_hire_a_minute_leaves_at_once_while_ten_thousand_updates_wait() {
    let count = 10_000;
    let minutes = setting("PROVE_MINUTES", 10).min(10);
    let world = World::up(Setup { companies: vec![with_members("acme", count)], ..Setup::default() });
    world.wait_for_free_slots();
    let sender = world.sender("acme");
    for (at, records) in updates(0, count, "新").chunks(500).enumerate() {
        sender.send(&format!("msg_updates_{at}"), records);
    }
    let mut accepted = BTreeMap::new();
    for minute in 0..minutes {
        pause(30_000);
        let code = format!("H{minute:03}");
        accepted.insert(code.clone(), hire(&world, "acme", &format!("h{minute:03}"), &code));
        pause(30_000);
    }
    let waits = waits(&world, "acme", &accepted);
    world.sim.assert_within_limits("acme");
    println!(
        "10,000 updates waiting, one hire a minute for {minutes} min: hires waited p50 {} ms, max {} ms; {} PATCHes",
        quantile(&waits, 0.5),
        waits[waits.len() - 1],
        patches(&world, "acme")
    );
    assert!(waits[waits.len() - 1] <= 1_000, "a hire waited {waits:?} ms");
}

#[test]
#[ignore = "takes minutes; make prove"]
fn prove_i4_no_hire_waits_longer_than_21_s_among_a_hire_and_two_updates_a_second() {
    let seconds = usize::try_from(setting("PROVE_MINUTES", 10).min(10) * 60).unwrap();
    let world = World::up(Setup { companies: vec![with_members("acme", 2 * seconds)], ..Setup::default() });
    world.wait_for_free_slots();
    let sender = world.sender("acme");
    let mut accepted = BTreeMap::new();
    let watch = Watch::start();
    for second in 0..seconds {
        let due = Duration::from_secs(u64::try_from(second).unwrap());
        std::thread::sleep(due.saturating_sub(watch.elapsed()));
        sender.send(&format!("msg_u{second}"), &updates(2 * second, 2 * second + 2, "新"));
        let code = format!("H{second:04}");
        accepted.insert(code.clone(), hire(&world, "acme", &format!("h{second:04}"), &code));
    }
    pause(25_000);
    let waits = waits(&world, "acme", &accepted);
    let patches = patches(&world, "acme");
    world.sim.assert_within_limits("acme");
    println!(
        "one hire and two updates a second for {seconds} s: hires waited p50 {} ms, max {} ms; {patches} PATCHes",
        quantile(&waits, 0.5),
        waits[waits.len() - 1]
    );
    assert!(waits[waits.len() - 1] <= 21_000);
    assert!(patches >= 17 * seconds / 600, "{patches} PATCHes in {seconds} s");
}

fn idle(store: StoreKind, hints: bool) {
    let count = 200;
    let companies: Vec<_> = (0..count).map(|index| sample::company(&format!("co{index:03}"))).collect();
    let environment = vec![("RENKEI_WORKERS_WAKE_HINTS".to_owned(), hints.to_string())];
    let world = World::up(Setup { store, companies, environment, ..Setup::default() });
    pause(5_000);
    let mut waited = Vec::new();
    for index in 0..count {
        let company = format!("co{index:03}");
        let accepted = BTreeMap::from([("E1".to_owned(), hire(&world, &company, "e1", "E1"))]);
        until(Duration::from_secs(30), "the hire arrives", || world.sim.first_rows(&company).contains_key("E1"));
        waited.extend(waits(&world, &company, &accepted));
        pause(50);
    }
    waited.sort_unstable();
    println!(
        "one hire on each of {count} idle accounts, {store:?}, hints {}: from 202 to カオナビ p50 {} ms, p99 {} ms, max {} ms",
        if hints { "on" } else { "off" },
        quantile(&waited, 0.5),
        quantile(&waited, 0.99),
        waited[waited.len() - 1]
    );
    assert!(quantile(&waited, 0.99) <= 1_000);
}

#[test]
#[ignore = "takes minutes; make prove"]
fn prove_i4_a_hire_on_an_idle_account_leaves_within_a_second() {
    idle(StoreKind::Sqlite, true);
    idle(StoreKind::Postgres, true);
}

#[test]
#[ignore = "takes minutes; make prove"]
fn prove_i4_a_hire_on_an_idle_account_leaves_within_a_second_without_hints() {
    idle(StoreKind::Sqlite, false);
    idle(StoreKind::Postgres, false);
}
