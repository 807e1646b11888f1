//! The book over PostgreSQL, where transactions go on side by side.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::date;
use renkei_events::attendance::AttendanceEvent;
use renkei_events::codes::Code;
use renkei_events::ids::{EventId, TenantId};
use renkei_events::topic::Topic;
use renkei_log::embedded::EmbeddedReader;
use renkei_log::{LogWriter as _, NewRecord};
use renkei_runtime::clock::Clock;
use renkei_store::runs::{self, Run, RunKind, RunState};
use renkei_store::{jobs, links};
use renkei_workers::attendance::consume::{BookKeeper, GROUP};
use serde_json::json;

use crate::company::{SECOND, world_on_postgres};
use crate::world::World;

/// A book keeper before whom one day is on the log.
pub async fn keeper_of_one_day(world: &World, event: &AttendanceEvent) -> BookKeeper {
    let record = NewRecord {
        topic: Topic::Attendance,
        key: event.key(),
        headers: event.headers("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        value: serde_json::to_vec(event).unwrap(),
    };
    world.log.append(vec![record], SECOND * 60).await.unwrap();
    let clock: Arc<dyn Clock> = world.clock.clone();
    let reader = EmbeddedReader::new(world.store.clone(), clock, Topic::Attendance, GROUP, false);
    BookKeeper::new(world.workers[0].context.clone(), Box::new(reader), Arc::new(world.log.clone()))
}

/// The book is behind for too long, and its day comes while the run fails for that: the decision that the run asks for may be made
/// before the day is there.
#[tokio::test]
async fn a_day_that_is_written_while_its_run_fails_is_decided_about() {
    let world = world_on_postgres(5).await;
    let (store, now, day) = (world.store.clone(), world.now(), date(2026, 3, 31));
    let tx = store.begin().await.unwrap();
    let mut run = Run {
        state: RunState::Running,
        days: Some((day.to_string(), day.to_string())),
        ..Run::draft("t1", RunKind::Window, "l1", now)
    };
    run.id = runs::insert(&tx, &run).await.unwrap();
    tx.commit().await.unwrap();
    let event = AttendanceEvent {
        event_id: EventId::new("run/1/mark").unwrap(),
        tenant_id: TenantId::new("t1").unwrap(),
        link_id: "l1".to_owned(),
        person: "h1/1".to_owned(),
        code: "P0001".to_owned(),
        day,
        run_id: run.id,
        run_began: now.0,
        found_at: now.timestamp(),
        value: json!({}),
    };
    let mut keeper = keeper_of_one_day(&world, &event).await;
    // It has failed, and nobody can read that yet.
    let tx = store.begin().await.unwrap();
    run.state = RunState::Failed;
    run.code = Some(Code::AttendanceBookBehind.as_str().to_owned());
    run.ended = Some(now);
    runs::update(&tx, &run).await.unwrap();
    let mut step = Box::pin(keeper.step(Duration::ZERO));
    let early = tokio::time::timeout(Duration::from_millis(500), &mut step).await;
    assert!(early.is_err(), "the book keeper waits until it is known how the run ends: {early:?}");
    tx.commit().await.unwrap();
    assert_eq!(step.await.unwrap(), 1);
    assert!(jobs::is_there(&store.db, links::DECIDE, "l1").await.unwrap());
}
