//! Workers that die, stop or lose their account anywhere: nobody is lost, nobody is made twice, nobody is stuck.

use std::time::Duration;

use rand::Rng;
use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::{Faults, Settings};

use crate::company::{EXISTING, HOUR, MINUTE, SECOND, assert_all_there, order, send, update_calls, world};
use crate::world::World;

/// Three hires, two changes and a resend; the worker dies after `polls` polls of its futures, another one takes over.
pub async fn die_after(mut world: World, polls: u64) -> bool {
    world.kill_after(0, polls);
    let before = world.workers[0].polls;
    send(&mut world, [1, 2, 11, 12]).await;
    world.run_for(SECOND * 3).await;
    send(&mut world, [1, 13]).await;
    world.run_for(SECOND * 30).await;
    let died = !world.workers[0].alive;
    if !died {
        println!("all done after {} polls", world.workers[0].polls - before);
        world.kill(0);
    }
    world.start_worker("w2");
    world.drain("c1", HOUR).await;
    assert_all_there(&world, [1, 2, 11, 12, 13]).await;
    world.assert_limits("a").await;
    died
}

#[tokio::test]
async fn a_worker_may_die_anywhere() {
    for step in 0..30 {
        die_after(world(step).await, step * 6).await;
    }
}

#[tokio::test]
#[ignore = "prove: longer"]
async fn prove_a_worker_may_die_after_every_poll() {
    let mut polls = 0;
    while die_after(world(polls).await, polls).await {
        polls += 1;
    }
    assert!(polls > 100);
}

/// Hires and changes come for an hour; no worker lives longer than a few hundred polls. Answers are lost now and then, too.
async fn dying_hour(seed: u64) {
    let mut world = world(seed).await;
    let mut hires = 10;
    for round in 0..30 {
        let last = world.workers.len() - 1;
        let polls = world.random.random_range(0..150);
        world.kill_after(last, polls);
        if round % 4 == 1 {
            order(&world, Faults { reset_after_acceptance: 1, ..Faults::default() }, Settings::default()).await;
        }
        hires += 1;
        send(&mut world, [hires, 1 + round % 6]).await;
        world.run_for(MINUTE).await;
        hires += 1;
        send(&mut world, [hires]).await;
        world.run_for(MINUTE).await;
        if !world.workers[last].alive {
            world.start_worker(&format!("w{}", round + 2));
        }
    }
    order(&world, Faults::default(), Settings::default()).await;
    let last = world.workers.len() - 1;
    world.kill(last);
    world.start_worker("last");
    world.drain("c1", HOUR).await;
    assert_all_there(&world, EXISTING.chain(11..=hires)).await;
    world.assert_limits("a").await;
}

#[tokio::test]
async fn an_hour_of_dying_workers() {
    dying_hour(1).await;
}

#[tokio::test]
#[ignore = "prove: longer"]
async fn prove_many_hours_of_dying_workers() {
    for seed in 2..60 {
        println!("seed {seed}");
        dying_hour(seed).await;
    }
}

/// A worker that the operating system stopped keeps its calls and comes back when another one has its account.
#[tokio::test]
async fn a_worker_that_lost_its_lease_changes_nothing_any_more() {
    for moment in [0, 20, 60, 100, 130, 180, 240, 2_100, 4_200, 6_100] {
        let mut world = world(moment).await;
        world.start_worker("w2");
        send(&mut world, EXISTING.chain(11..=15)).await;
        world.run_for(Duration::from_millis(moment)).await;
        let holder = (0..2).find(|index| world.holds(*index)).unwrap();
        world.freeze(holder, true);
        world.run_for(SECOND * 20).await;
        assert!(world.holds(1 - holder), "the other one took over");
        world.freeze(holder, false);
        send(&mut world, [16]).await;
        world.drain("c1", HOUR).await;
        assert_all_there(&world, EXISTING.chain(11..=16)).await;
        world.assert_limits("a").await;
    }
}

/// The lease changes hands all the time, while calls are on their way.
#[tokio::test]
async fn two_workers_that_take_the_account_from_each_other() {
    let mut world = world(3).await;
    world.start_worker("w2");
    let mut hires = 10;
    for round in 0..20 {
        hires += 1;
        send(&mut world, [hires, 1 + round % 6]).await;
        let pause = world.random.random_range(0..400);
        world.run_for(Duration::from_millis(pause)).await;
        if let Some(holder) = (0..2).find(|index| world.holds(*index)) {
            world.freeze(holder, true);
            let pause = world.random.random_range(8_000..20_000);
            world.run_for(Duration::from_millis(pause)).await;
            world.freeze(holder, false);
        }
        let pause = world.random.random_range(0..30_000);
        world.run_for(Duration::from_millis(pause)).await;
    }
    world.drain("c1", HOUR).await;
    assert_all_there(&world, EXISTING.chain(11..=hires)).await;
    world.assert_limits("a").await;
}

#[tokio::test]
async fn a_call_that_can_not_start_within_two_seconds_is_not_made() {
    let mut world = world(1).await;
    // The consumer looks at the clock, then the step: once when it reserves, once before it sends.
    for reads in 0..4 {
        let person = 11 + usize::try_from(reads).unwrap();
        let before = update_calls(&world).await;
        world.workers[0].clock.stop_after(reads);
        send(&mut world, [person]).await;
        world.drain("c1", MINUTE * 5).await;
        assert_eq!(update_calls(&world).await, before + 1);
        world.workers[0].clock.stop_after(u64::MAX);
        world.run_for(MINUTE * 2).await;
    }
    let account = world.connection("c1").await.account.unwrap();
    let counts = renkei_store::calls::counts_since(&world.store.db, &account, Millis(0)).await.unwrap();
    let reserved: i64 =
        counts.iter().filter(|(kind, _)| *kind == renkei_store::calls::CallKind::Create).map(|(_, count)| count).sum();
    assert_eq!(reserved, 5, "one of the reservations was dropped, and its slot stays taken");
    assert_all_there(&world, 11..=14).await;
}
