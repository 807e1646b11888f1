//! Decisions about the days of a link: what they leave behind wherever their worker dies, and of days that are another link's by
//! then.

use std::sync::Arc;

use renkei_store::attendance::book::{self, Told};
use renkei_store::attendance::{files, handwork};
use renkei_store::db::Sql;
use renkei_store::{Store, links};
use renkei_workers::sweep::{SweepSettings, Sweeper};
use serde_json::json;

use crate::company::{HOUR, die_after};
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

async fn kept(store: &Store) -> i64 {
    let query = "SELECT COUNT(*) AS files FROM attendance_files";
    store.db.row(query, vec![]).await.unwrap().unwrap().get("files").unwrap()
}

async fn seen(store: &Store) -> usize {
    let open = files::open(&store.db, "l1").await.unwrap().len();
    assert_eq!(files::page(&store.db, "l1", i64::MAX, 9).await.unwrap().len(), open);
    open
}

#[tokio::test]
async fn files_of_a_link_are_all_there_or_none_wherever_a_worker_dies() {
    let mut left_over = 0;
    for polls in 0..60 {
        let world = World::simple().await;
        let store = &world.store;
        days_to_decide_about(&world).await;
        let settings = json!({"closing": {"kind": "not_used"}, "files": {"rows_per_file": 1}}).to_string();
        store.db.exec("UPDATE links SET settings = $1 WHERE link_id = 'l1'", vec![settings.into()]).await.unwrap();
        let (context, first) = (&world.workers[0].context, sweeper(&world, "s1"));
        let job = first.claim(context, 1).await.unwrap().remove(0);
        first.advance(context, &job).await.unwrap();
        // The second step makes the files.
        let job = first.claim(context, 1).await.unwrap().remove(0);
        die_after(polls, async { first.advance(context, &job).await.unwrap() }).await;
        let (seen_then, kept_then) = (seen(store).await, kept(store).await);
        assert!([0, 3].contains(&seen_then), "after {polls} polls: {seen_then}");
        left_over += usize::from(seen_then == 0 && kept_then > 0);
        world.clock.set(world.now() + HOUR);
        settle(&world, &sweeper(&world, "s2")).await;
        assert_eq!((seen(store).await, kept(store).await), (3, 3), "after {polls} polls");
    }
    assert!(left_over > 3, "it died between files, too: {left_over}");
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
