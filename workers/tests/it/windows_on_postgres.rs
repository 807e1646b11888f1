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
use renkei_store::db::Sql;
use renkei_store::links::{AttendanceSource, Link};
use renkei_store::runs::{self, Run, RunKind, RunState};
use renkei_store::{connections, jobs, links};
use renkei_workers::attendance::consume::{BookKeeper, GROUP};
use renkei_workers::sweep::{SweepSettings, Sweeper, calendar};
use secrecy::SecretString;
use serde_json::json;

use crate::company::{SECOND, world_on_postgres};
use crate::forgetting_postgres::until_somebody_waits;
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

/// 自動同期 is off, and a window that waits for its turn is ended by a worker, while somebody ends it who switches it on: both take
/// the job before the run.
#[tokio::test]
async fn a_window_that_waits_can_be_ended_from_two_sides_at_once() {
    let world = world_on_postgres(6).await;
    let (store, now) = (world.store.clone(), world.now());
    let tx = store.begin().await.unwrap();
    connections::put_tenant(&tx, "t9", "勤怠", now).await.unwrap();
    let key = SecretString::from("key".to_owned());
    let link = Link::draft(&store, "l9", "t9", (AttendanceSource::Hrmos, "acme"), key, calendar::today(now), now);
    assert!(links::put(&store, &tx, &link).await.unwrap());
    links::plan_window(&tx, &link, now).await.unwrap();
    let other = Run { state: RunState::Running, ..Run::draft("t9", RunKind::Window, "l8", now) };
    runs::insert(&tx, &other).await.unwrap();
    tx.commit().await.unwrap();
    let context = world.workers[0].context.clone();
    let log = Arc::new(world.log.clone());
    let sweeper = Sweeper::new(&context, log, "s1".to_owned(), SweepSettings::default());
    let job = sweeper.claim(&context, 1).await.unwrap().remove(0);
    sweeper.advance(&context, &job).await.unwrap();
    let open = runs::open_ones(&store.db, "t9", &[RunKind::Window]).await.unwrap();
    let mut waiting = open.into_iter().find(|run| run.subject == "l9").unwrap();
    assert_eq!(waiting.state, RunState::Waiting, "somebody else goes first");

    store.db.exec("UPDATE links SET auto = 0 WHERE link_id = 'l9'", vec![]).await.unwrap();
    world.clock.set(world.now() + SECOND * 600);
    let job = sweeper.claim(&context, 1).await.unwrap().remove(0);
    let tx = store.begin().await.unwrap();
    jobs::put_off(&tx, &links::window_job("l9"), now + SECOND * 86_400).await.unwrap();
    let switching_on = async {
        until_somebody_waits(&store).await;
        assert!(runs::stop(&tx, &mut waiting, Code::AttendanceCancelled, now).await.unwrap());
        tx.commit().await.unwrap();
    };
    let (advanced, ()) = tokio::join!(sweeper.advance(&context, &job), switching_on);
    advanced.unwrap();
    let kept = jobs::find(&store.db, &links::window_job("l9"), now).await.unwrap().unwrap();
    assert_eq!(kept.slot, now + SECOND * 86_400);
}
