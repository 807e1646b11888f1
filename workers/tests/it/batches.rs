//! How many people one call carries, and how many tasks are open at カオナビ at once.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::transport::no_latency;
use renkei_sandbox::kaonavi::{Company, CompanySpec, Faults, sample};
use renkei_store::batches::{self, Batch, BatchState};
use renkei_store::employees::{Op, RowState};
use renkei_store::settings::Settings;
use renkei_workers::commands::status;

use crate::people::{member, person};
use crate::world::{Link, World, link, settings};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

async fn world(members: usize, change: impl FnOnce(&mut CompanySpec), batch_size: u32) -> World {
    let mut company = sample::company("a");
    company.members = (1..=members).map(|index| member(index, "古い 名前")).collect();
    change(&mut company);
    let mut world = World::new(31, vec![company], no_latency()).await;
    world.link(Link { settings: Settings { batch_size, ..settings() }, ..link("c1", "a") }).await;
    world.run_for(SECOND * 65).await;
    world
}

async fn send(world: &mut World, people: impl IntoIterator<Item = usize>) {
    let at = world.now();
    let events = people.into_iter().map(|index| world.event("c1", person(index, at))).collect();
    world.append(events).await;
}

fn sizes(company: &mut Company, method: &str) -> Vec<usize> {
    company.log().writes().filter(|call| call.method == method).map(|call| call.codes.len()).collect()
}

#[tokio::test]
async fn a_call_carries_as_many_as_the_settings_say_and_a_post_up_to_a_thousand_when_more_than_200_wait() {
    // Waiting hires, people of a call, the sizes of the calls.
    let rows: [(usize, u32, &[usize]); 6] = [
        (200, 200, &[200]),
        (201, 200, &[201]),
        (1500, 200, &[1000, 500]),
        (120, 50, &[50, 50, 20]),
        (201, 50, &[201]),
        (3, 1, &[1, 1, 1]),
    ];
    for (hires, batch_size, expected) in rows {
        let mut world = world(0, |_| (), batch_size).await;
        // Off and on again, so that all of them wait together.
        let store = world.store.clone();
        renkei_store::switch::pause(&store, world.clock.as_ref(), "c1", "test").await.unwrap();
        send(&mut world, 1..=hires).await;
        world.run_for(SECOND).await;
        renkei_store::switch::resume(&store, "c1", "test").await.unwrap();
        world.wake_all();
        world.drain("c1", MINUTE * 10).await;
        assert_eq!(world.company("a", |company| sizes(company, "POST")).await, expected, "{hires} of {batch_size}");
        assert_eq!(world.count("c1", RowState::Synced).await, i64::try_from(hires).unwrap());
        world.assert_limits("a").await;
    }
}

#[tokio::test]
async fn a_patch_never_carries_more_than_the_settings_say() {
    let mut world = world(450, |_| (), 150).await;
    send(&mut world, 1..=450).await;
    world.drain("c1", MINUTE * 10).await;
    assert_eq!(world.company("a", |company| sizes(company, "PATCH")).await, [150, 150, 150]);
}

/// カオナビ takes calls and works nothing off until it is told otherwise.
async fn hold_tasks(world: &World, hold: bool, bad: &[&str]) {
    let now = world.now();
    let bad_codes = bad.iter().map(|code| (*code).to_owned()).collect();
    let faults = Faults { hold_tasks: hold, bad_codes, ..Faults::default() };
    world.company("a", |company| company.set_faults(now, faults)).await;
}

async fn calls(world: &World, method: &str) -> usize {
    world.company("a", |company| sizes(company, method).len()).await
}

#[tokio::test]
async fn changes_and_searches_wait_while_two_tasks_are_open_and_hires_while_five_are() {
    let mut world = world(10, |_| (), 200).await;
    hold_tasks(&world, true, &[]).await;
    for index in 1..=4 {
        send(&mut world, [index]).await;
        world.run_for(MINUTE * 2).await;
    }
    assert_eq!(calls(&world, "PATCH").await, 2, "a third waits for the first to end");
    // Hires go on beside them.
    for index in 101..=106 {
        send(&mut world, [index]).await;
        world.run_for(MINUTE * 2).await;
    }
    assert_eq!(calls(&world, "POST").await, 3, "five tasks are open");
    hold_tasks(&world, false, &[]).await;
    world.drain("c1", MINUTE * 20).await;
    world.assert_limits("a").await;
}

#[tokio::test]
async fn a_search_waits_while_two_tasks_are_open() {
    let mut world = world(10, |_| (), 200).await;
    hold_tasks(&world, true, &["E00104"]).await;
    for index in 1..=2 {
        send(&mut world, [index]).await;
        world.run_for(MINUTE * 2).await;
    }
    // カオナビ refuses the call; who was bad in it is to be found.
    send(&mut world, 101..=104).await;
    world.run_for(MINUTE * 10).await;
    assert_eq!(calls(&world, "POST").await, 1, "the search has not begun");
    hold_tasks(&world, false, &["E00104"]).await;
    world.run_for(MINUTE * 10).await;
    assert!(calls(&world, "POST").await > 1);
    let codes = world.company("a", |company| company.members().len()).await;
    assert_eq!(codes, 10 + 3);
}

/// Nobody wakes the change when the time is over.
#[tokio::test]
async fn a_change_waits_for_two_calls_without_an_answer_until_two_minutes_after_their_deadline() {
    let mut world = world(1, |_| (), 200).await;
    let account = world.connection("c1").await.account.unwrap();
    let (planned, gives_up) = (world.now(), world.now() + SECOND * 30);
    let tx = world.store.begin().await.unwrap();
    for id in [901, 902] {
        let batch = Batch {
            account: account.clone(),
            id,
            op: Op::Create,
            repair: None,
            state: BatchState::Unknown,
            members: Vec::new(),
            payload: Vec::new(),
            task: None,
            epoch: 1,
            planned,
            gives_up,
            // No read of the members settles them meanwhile.
            next_look: planned + MINUTE * 600,
            looks: 0,
        };
        batches::insert(&world.store, &tx, &batch).await.unwrap();
    }
    tx.commit().await.unwrap();
    send(&mut world, [1]).await;
    world.run_until(gives_up + MINUTE * 2 - SECOND).await;
    let shown = status::gather(&world.store, false).await.unwrap().accounts.remove(0);
    assert_eq!((calls(&world, "PATCH").await, shown.updates_wait_for), (0, Some("open_tasks")));
    world.run_until(gives_up + MINUTE * 2 + SECOND).await;
    assert_eq!(calls(&world, "PATCH").await, 1);
}

#[tokio::test]
async fn with_tasks_of_a_minute_and_ten_thousand_updates_a_hire_is_a_member_within_150_s_on_average() {
    let minute_tasks = |company: &mut CompanySpec| {
        company.settings.task_waiting_ms = 2_000;
        company.settings.task_running_ms = 58_000;
    };
    let mut world = world(10_000, minute_tasks, 200).await;
    send(&mut world, 1..=10_000).await;
    world.run_for(MINUTE * 4).await;
    assert!(world.count("c1", RowState::Due).await > 8_000, "most of them still wait");
    // A hire comes at another moment of the task under way each time.
    let mut took = Vec::new();
    for index in 20_001..=20_006 {
        send(&mut world, [index]).await;
        let sent = world.now();
        let code = format!("E{index:05}");
        while world.company("a", |company| company.member(&code).is_none()).await {
            world.run_for(SECOND).await;
            // The rest of one task, a whole one, and its own.
            assert!(world.now().since(sent) <= SECOND * 185, "the hire is no member yet");
        }
        took.push(world.now().since(sent));
        world.run_for(SECOND * 17).await;
    }
    let mean = took.iter().sum::<Duration>() / 6;
    assert!(mean <= SECOND * 150, "{took:?}");
    assert!(world.count("c1", RowState::Due).await > 5_000, "most of them still wait");
}

#[tokio::test]
async fn after_a_409_tasks_go_one_at_a_time_for_an_hour_and_no_longer() {
    let slow = |company: &mut CompanySpec| company.settings.task_running_ms = 100_000;
    let mut world = world(0, slow, 200).await;
    // The most tasks that were open at once while a hire came every 30 s.
    async fn most_open(world: &mut World, from: usize) -> usize {
        let mut most = 0;
        for index in from..from + 10 {
            send(world, [index]).await;
            for _ in 0..15 {
                world.run_for(SECOND * 2).await;
                most = most.max(world.company("a", |company| company.open_tasks()).await);
            }
        }
        most
    }
    assert!(most_open(&mut world, 100).await > 1, "usually several are open");
    world.drain("c1", MINUTE * 30).await;
    let now = world.now();
    world.company("a", |company| company.set_faults(now, Faults { conflicts: 1, ..Faults::default() })).await;
    send(&mut world, [1]).await;
    let refused: Millis = world.now();
    world.run_for(MINUTE * 10).await;
    assert_eq!(most_open(&mut world, 200).await, 1);
    world.run_until(refused + MINUTE * 52).await;
    assert_eq!(most_open(&mut world, 300).await, 1, "still within the hour");
    world.run_until(refused + MINUTE * 62).await;
    assert!(most_open(&mut world, 400).await > 1, "the hour is over");
    world.drain("c1", MINUTE * 60).await;
    let members = world.company("a", |company| company.members().len()).await;
    assert_eq!(members, 41, "nobody was lost");
}
