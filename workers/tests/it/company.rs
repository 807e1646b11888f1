//! A small company, what is sent to it, and what must hold in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::Poll;
use std::time::Duration;

use renkei_e2e::servers::Postgres;

use renkei_sandbox::kaonavi::transport::seeded_latency;
use renkei_sandbox::kaonavi::{CompanySpec, Faults, Settings, TaskStatus, TextField, sample};
use renkei_store::connections::ConnectionState;
use renkei_store::employees::RowState;

use crate::people::{member, person};
use crate::world::{World, link};

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);

/// Existing members 1 to 6 that differ from the source; hires have other numbers.
pub const EXISTING: std::ops::RangeInclusive<usize> = 1..=6;

/// The company, linked and active, over a store in a file.
pub async fn world(seed: u64) -> World {
    let world = World::new(seed, vec![a_company()], seeded_latency(seed, 50, 150, 0, 0)).await;
    linked(world).await
}

/// The same over a database of a PostgreSQL server.
pub async fn world_on_postgres(seed: u64) -> World {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    let start = || SERVER.get_or_init(|| Postgres::start().expect("postgres starts")).database().unwrap();
    let url = tokio::task::spawn_blocking(start).await.unwrap();
    let world = World::on(seed, &url, None, vec![a_company()], seeded_latency(seed, 50, 150, 0, 0)).await;
    linked(world).await
}

fn a_company() -> CompanySpec {
    let mut company = sample::company("a");
    company.members = EXISTING.map(|index| member(index, "古い 名前")).collect();
    company
}

async fn linked(mut world: World) -> World {
    world.link(link("c1", "a")).await;
    // Until the slots that the verification took are free again.
    world.run_for(SECOND * 65).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active);
    world
}

pub async fn send(world: &mut World, people: impl IntoIterator<Item = usize>) {
    let at = world.now();
    let events = people.into_iter().map(|index| world.event("c1", person(index, at))).collect();
    world.append(events).await;
}

/// Sets faults and settings of カオナビ.
pub async fn order(world: &World, faults: Faults, settings: Settings) {
    let now = world.now();
    world
        .company("a", |company| {
            company.set_settings(now, settings);
            company.set_faults(now, faults);
        })
        .await;
}

/// Checks that these people stand in カオナビ as the source has them, each hire made exactly once, and that nothing is left over.
pub async fn assert_all_there(world: &World, people: impl IntoIterator<Item = usize>) {
    world.assert_quiet("c1").await;
    let (names, created) = world
        .company("a", |company| {
            let names: BTreeMap<String, String> = company
                .members()
                .iter()
                .map(|(code, member)| (code.clone(), member.get(TextField::Name).to_owned()))
                .collect();
            let failed: BTreeSet<i64> =
                company.tasks().filter(|task| task.status != TaskStatus::Ok).map(|task| task.id).collect();
            let mut created: BTreeMap<String, usize> = BTreeMap::new();
            for row in company.log().rows().filter(|row| row.create && !failed.contains(&row.task_id)) {
                *created.entry(row.code.clone()).or_default() += 1;
            }
            (names, created)
        })
        .await;
    for index in people {
        let code = format!("E{index:05}");
        assert_eq!(names.get(&code).map(String::as_str), Some(format!("髙橋 花子{index}").as_str()), "{code}");
        assert_eq!(
            created.get(&code).copied().unwrap_or(0),
            usize::from(!EXISTING.contains(&index)),
            "{code} was created"
        );
        assert_eq!(world.row("c1", &code).await.state, RowState::Synced, "{code}");
    }
}

pub async fn update_calls(world: &World) -> usize {
    world.company("a", |company| company.log().writes().count()).await
}

/// Polls so often and no more. `Some`: it has come to its end by then.
pub async fn poll_only<F: Future>(polls: usize, mut step: Pin<&mut F>) -> Option<F::Output> {
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        step.as_mut().poll(context).map(Some)
    })
    .await
}

/// Polls so often and no more: the process died there.
pub async fn die_after(polls: usize, step: impl Future) {
    poll_only(polls, std::pin::pin!(step)).await;
}
