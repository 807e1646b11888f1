//! The slots of the budget on the whole machinery: which calls take one, and for how long.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::transport::no_latency;
use renkei_sandbox::kaonavi::{Faults, sample};
use renkei_store::calls::{self, SLOT_HOLD, Slot};
use renkei_store::connections::{self, Connection, ConnectionState};
use renkei_workers::clients::kaonavi::UPDATE_DEADLINE;
use renkei_workers::members::doc::AccountDoc;
use renkei_workers::members::steps::send::START_WITHIN;

use crate::people::person;
use crate::world::{World, link, settings};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

async fn taken(world: &World, at: Millis) -> Vec<Slot> {
    let account = world.connection("c1").await.account.unwrap();
    calls::taken(&world.store.db, &account, at).await.unwrap()
}

#[tokio::test]
async fn a_call_that_is_refused_takes_a_slot_like_any_other() {
    for faults in [
        Faults { bad_codes: ["E00001".to_owned()].into(), ..Faults::default() },
        Faults { conflicts: 1, ..Faults::default() },
        Faults { html_500_before_acceptance: 1, ..Faults::default() },
    ] {
        let mut world = World::simple().await;
        let at = world.now();
        world.company("a", |company| company.set_faults(at, faults)).await;
        world.send("c1", person(1, at)).await;
        world.run_for(SECOND).await;
        let slots = taken(&world, world.now()).await;
        let first = slots.first().expect("a refused call takes a slot");
        assert!(first.frees >= first.reserved + SLOT_HOLD, "{first:?}");
        let sent = world.company("a", |company| company.log().writes().count()).await;
        assert_eq!(slots.len(), sent, "one for each call that カオナビ saw");
    }
}

#[tokio::test]
async fn five_refused_calls_in_a_minute_leave_no_slot_for_a_sixth() {
    let mut world = World::simple().await;
    let at = world.now();
    // Each is refused alone, one after the other.
    let bad_codes = (1..=9).map(|index| format!("E{index:05}")).collect();
    world.company("a", |company| company.set_faults(at, Faults { bad_codes, ..Faults::default() })).await;
    for index in 1..=9 {
        let at = world.now();
        world.send("c1", person(index, at)).await;
        world.run_for(SECOND * 5).await;
        assert!(taken(&world, world.now()).await.len() <= 5);
    }
    world.run_for(MINUTE * 10).await;
    let now = world.now();
    let stats = world.company("a", |company| company.stats(now)).await;
    assert!(stats.peak_update_calls <= 5 && stats.refused_429 == 0, "{stats:?}");
    assert!(stats.update_calls >= 9, "{stats:?}");
}

#[tokio::test]
async fn the_slot_of_a_call_that_was_dropped_stays_taken() {
    let mut dropped = 0;
    for reads in 0..6 {
        let mut world = World::simple().await;
        let at = world.now();
        world.send("c1", person(1, at)).await;
        // The worker stands still for three seconds between two looks at its clock.
        world.workers[0].clock.stop_after(reads);
        world.run_for(SECOND).await;
        let left = world.company("a", |company| company.log().writes().count()).await;
        let slots = taken(&world, world.now()).await;
        if left == 0 && !slots.is_empty() {
            dropped += 1;
            assert!(slots[0].frees >= slots[0].reserved + SLOT_HOLD, "{slots:?}");
            let just_before = slots[0].reserved + SLOT_HOLD - SECOND;
            assert_eq!(taken(&world, just_before).await.len(), slots.len());
        }
        world.workers[0].clock.stop_after(u64::MAX);
        world.run_for(MINUTE * 5).await;
        let rows = world.company("a", |company| company.log().rows_of("E00001")).await;
        assert_eq!(rows, 1, "{reads}: it is sent later, once");
    }
    assert!(dropped > 0, "no call was dropped");
}

/// A world whose worker died with a call reserved that has not left.
async fn died_with_a_slot() -> World {
    for point in 0..10 {
        let mut world = World::simple().await;
        let before = world.departures.lock().unwrap().len();
        let at = world.now();
        world.send("c1", person(1, at)).await;
        world.workers[0].doom.after(point);
        world.run_for(SECOND).await;
        let left = world.departures.lock().unwrap()[before..]
            .iter()
            .any(|call| call.url.ends_with("/members") && call.method != "GET");
        if !world.workers[0].alive && !left && !taken(&world, world.now()).await.is_empty() {
            return world;
        }
    }
    panic!("no worker died with a call reserved");
}

#[tokio::test]
async fn the_slot_of_a_dead_worker_stays_taken_until_its_call_has_surely_ended_and_a_minute_more() {
    let mut world = died_with_a_slot().await;
    world.start_worker("w2");
    let slot = taken(&world, world.now()).await[0];
    let ends = slot.reserved + START_WITHIN + UPDATE_DEADLINE + SLOT_HOLD;
    assert_eq!((slot.answered, slot.frees), (false, ends));
    world.run_until(ends - SECOND).await;
    let still = taken(&world, world.now()).await;
    assert!(still.contains(&slot), "{still:?}");
    world.run_for(MINUTE * 40).await;
    assert_eq!(world.company("a", |company| company.log().rows_of("E00001")).await, 1);
    world.assert_limits("a").await;
}

#[tokio::test]
async fn two_tenants_with_one_key_share_five_slots() {
    let mut world = World::simple().await;
    let first = world.connection("c1").await;
    let tx = world.store.begin().await.unwrap();
    let now = world.store.now_in(&tx).await.unwrap();
    connections::put_tenant(&tx, "t2", "別の企業", now).await.unwrap();
    let account = first.account.clone();
    let second = Connection { account, settings: settings(), ..Connection::draft("c2", "t2", "roumumate") };
    connections::put(&tx, &second, now).await.unwrap();
    connections::want(&tx, "c2", now).await.unwrap();
    tx.commit().await.unwrap();
    world.wake_all();
    world.run_for(MINUTE * 2).await;
    assert_eq!(world.connection("c2").await.state, ConnectionState::Active);
    let began = world.now();
    for index in 1..=60 {
        for (connection, more) in [("c1", 0), ("c2", 1000)] {
            let at = world.now();
            world.send(connection, person(more + index, at)).await;
        }
        world.run_for(SECOND * 2).await;
        assert!(taken(&world, world.now()).await.len() <= 5);
    }
    world.drain("c1", MINUTE * 10).await;
    world.drain("c2", MINUTE * 10).await;
    let calls = world.company("a", |company| company.log().writes().filter(|call| call.at >= began).count()).await;
    assert!(calls > 5, "{calls}");
    world.assert_limits("a").await;
    let members = world.company("a", |company| company.members().len()).await;
    assert_eq!(members, 120);
}

/// The hour of the day in Tokyo.
fn hour_of(at: Millis) -> i64 {
    (at.0 + 9 * 3_600_000).rem_euclid(86_400_000) / 3_600_000
}

#[test]
fn nightly_reads_stand_between_midnight_and_five_and_are_spread() {
    let mut by_hour = [0; 24];
    let mut random = StdRng::seed_from_u64(33);
    for now in [Millis(crate::world::START), Millis(crate::world::START) + Duration::from_secs(15 * 3600)] {
        for index in 0..1000 {
            let mut doc = AccountDoc::default();
            // As a keyed hash looks.
            let id: String = (0..64).map(|_| char::from(b"0123456789abcdef"[random.random_range(0..16)])).collect();
            doc.plan_daily_read(&format!("kn-{id}"), now);
            let daily = doc.daily_read.unwrap();
            assert!(daily > now && daily.since(now) <= Duration::from_secs(29 * 3600), "{index}: {daily:?}");
            by_hour[usize::try_from(hour_of(daily)).unwrap()] += 1;
        }
    }
    let (night, day) = by_hour.split_at(5);
    assert!(day.iter().all(|reads| *reads == 0), "{by_hour:?}");
    assert!(night.iter().all(|reads| *reads > 200), "no hour has most of them: {by_hour:?}");
}

#[tokio::test]
async fn members_are_read_at_night_and_the_layout_before_them() {
    let mut world = World::new(32, vec![sample::company("a")], no_latency()).await;
    world.link(link("c1", "a")).await;
    world.run_for(MINUTE * 2).await;
    let began = world.now();
    world.run_for(Duration::from_secs(3 * 86_400)).await;
    let reads = world
        .company("a", |company| {
            let calls = company.log().calls().filter(|call| call.at > began && call.method == "GET");
            calls.map(|call| (call.path.rsplit('/').next().unwrap_or_default().to_owned(), call.at)).collect::<Vec<_>>()
        })
        .await;
    assert!(reads.iter().all(|(_, at)| (0..5).contains(&hour_of(*at))), "{reads:?}");
    let paths: Vec<&str> = reads.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["member_layouts", "members"].repeat(3));
}
