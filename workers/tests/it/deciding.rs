//! Decisions about the days of a link: what they leave behind wherever their worker dies, and of days that are another link's by
//! then.

use std::sync::Arc;
use std::time::Duration;

use renkei_store::attendance::book::{self, Told};
use renkei_store::attendance::{files, handwork};
use renkei_store::db::Sql;
use renkei_store::jobs::Job;
use renkei_store::{Store, links};
use renkei_workers::sweep::{SweepSettings, Sweeper};
use serde_json::json;

use crate::company::{HOUR, die_after, poll_only};
use crate::forgetting_postgres::{DELETED, TENANT, days_to_decide_about};
use crate::world::World;

fn sweeper(world: &World, name: &str) -> Sweeper {
    let log = Arc::new(world.log.clone());
    Sweeper::new(&world.workers[0].context, log, name.to_owned(), SweepSettings::default())
}

/// Does what is due until nothing is.
async fn settle(world: &World, sweeper: &Sweeper) {
    let context = &world.workers[0].context;
    loop {
        let jobs = sweeper.claim(context, 1).await.unwrap();
        if jobs.is_empty() {
            return;
        }
        for job in jobs {
            sweeper.advance(context, &job).await.unwrap();
        }
    }
}

/// Files and rows of files, seen or not.
async fn kept(store: &Store) -> (i64, i64) {
    let query = "SELECT (SELECT COUNT(*) FROM attendance_files) AS files,
        (SELECT COUNT(*) FROM attendance_file_rows) AS lines";
    let row = store.db.row(query, vec![]).await.unwrap().unwrap();
    (row.get("files").unwrap(), row.get("lines").unwrap())
}

async fn seen(store: &Store) -> usize {
    let open = files::open(&store.db, "l1").await.unwrap().len();
    assert_eq!(files::page(&store.db, "l1", i64::MAX, 9).await.unwrap().len(), open);
    open
}

/// A worker has decided about the days, and holds the step that makes three files of a row each.
async fn about_to_make_files(world: &World) -> (Sweeper, Job) {
    days_to_decide_about(world).await;
    let settings = json!({"closing": {"kind": "not_used"}, "files": {"rows_per_file": 1}}).to_string();
    let sql = "UPDATE links SET settings = $1 WHERE link_id = 'l1'";
    world.store.db.exec(sql, vec![settings.into()]).await.unwrap();
    let (context, worker) = (&world.workers[0].context, sweeper(world, "s1"));
    let job = worker.claim(context, 1).await.unwrap().remove(0);
    worker.advance(context, &job).await.unwrap();
    let job = worker.claim(context, 1).await.unwrap().remove(0);
    (worker, job)
}

#[tokio::test]
async fn files_of_a_link_are_all_there_or_none_wherever_a_worker_dies() {
    let mut left_over = 0;
    for polls in 0..60 {
        let world = World::simple().await;
        let (store, context) = (&world.store, &world.workers[0].context);
        let (first, job) = about_to_make_files(&world).await;
        die_after(polls, async { first.advance(context, &job).await.unwrap() }).await;
        let (seen_then, kept_then) = (seen(store).await, kept(store).await);
        assert!([0, 3].contains(&seen_then), "after {polls} polls: {seen_then}");
        left_over += usize::from(seen_then == 0 && kept_then.0 > 0);
        world.clock.set(world.now() + HOUR);
        settle(&world, &sweeper(&world, "s2")).await;
        assert_eq!((seen(store).await, kept(store).await), (3, (3, 3)), "after {polls} polls");
    }
    assert!(left_over > 3, "it died between files, too: {left_over}");
}

/// One worker stands still while it makes files, loses the decision, and goes on after another one has made them.
#[tokio::test]
async fn of_two_decisions_beside_each_other_the_files_are_never_mixed() {
    let mut beside = 0;
    for polls in 0..60 {
        let world = World::simple().await;
        let (store, context) = (&world.store, &world.workers[0].context);
        let (first, job) = about_to_make_files(&world).await;
        let mut making = std::pin::pin!(first.advance(context, &job));
        if poll_only(polls, making.as_mut()).await.is_some() {
            break;
        }
        let wanted = async {
            let tx = store.begin().await.unwrap();
            links::want_decision(store, &tx, "l1", world.now()).await.unwrap();
            tx.commit().await.unwrap();
        };
        // In a transaction of the first one nobody else writes.
        if tokio::time::timeout(Duration::from_millis(500), wanted).await.is_err() {
            making.await.unwrap();
            continue;
        }
        world.clock.set(world.now() + HOUR);
        settle(&world, &sweeper(&world, "s2")).await;
        beside += 1;
        making.await.unwrap();
        let open = files::open(&store.db, "l1").await.unwrap();
        let mut rows = Vec::new();
        for file in &open {
            rows.extend(files::rows(&store.db, file.id).await.unwrap());
        }
        let mut days: Vec<_> = rows.into_iter().map(|row| (row.code, row.day)).collect();
        days.sort();
        days.dedup();
        assert_eq!((open.len(), days.len()), (3, 3), "after {polls} polls");
    }
    assert!(beside > 10, "the second one came between: {beside}");
}

/// No other day of the link is of its date, so that the decision does not come to it.
#[tokio::test]
async fn nobody_is_asked_to_type_a_day_that_another_link_brings_by_now() {
    let world = World::simple().await;
    let store = &world.store;
    days_to_decide_about(&world).await;
    let sweeper = sweeper(&world, "s1");
    settle(&world, &sweeper).await;
    let typed = async || handwork::page(store, &store.db, "l1", false, 0, 9).await.unwrap();
    let [item] = &typed().await[..] else { panic!("the night") };
    let told = Told {
        tenant: TENANT.to_owned(),
        code: DELETED.to_owned(),
        day: item.day.clone(),
        link: "l2".to_owned(),
        person: "other/1".to_owned(),
        value: b"{}".to_vec(),
        content: "y".to_owned(),
        run: 2,
        began: world.now(),
    };
    let tx = store.begin().await.unwrap();
    let written = book::put(store, &tx, &[told], world.now()).await.unwrap();
    links::gave_way(store, &tx, &written.others, world.now()).await.unwrap();
    tx.commit().await.unwrap();
    world.clock.set(world.now() + HOUR);
    settle(&world, &sweeper).await;
    assert_eq!(typed().await.len(), 0);
}
