//! Jobs are taken by one worker at a time, and who lost one writes nothing any more.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_store::error::StoreError;
use renkei_store::jobs::{self, NewJob};
use renkei_store::{Store, feeds};
use secrecy::SecretString;

use crate::engines::both;

const HOLD: Duration = Duration::from_secs(90);
const KINDS: [&str; 1] = ["sweep"];

fn job(name: &str, queue: &str, due: Millis) -> NewJob {
    NewJob {
        name: name.to_owned(),
        kind: "sweep",
        subject: name.to_owned(),
        queue: queue.to_owned(),
        slot: due,
        due,
        doc: "{}".to_owned(),
    }
}

async fn put(store: &Store, jobs: &[NewJob]) {
    let tx = store.begin().await.unwrap();
    for job in jobs {
        assert!(jobs::put(&tx, job).await.unwrap());
        assert!(!jobs::put(&tx, job).await.unwrap(), "it is there already");
    }
    tx.commit().await.unwrap();
}

async fn names(store: &Store, owner: &str, now: Millis, most: u32) -> Vec<String> {
    let taken = jobs::claim(store, owner, &KINDS, now, HOLD, most).await.unwrap();
    let mut names: Vec<String> = taken.into_iter().map(|job| job.name).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_job_is_held_by_one_worker_and_taken_over_when_its_time_is_over() {
    for engine in both().await {
        let store = engine.store.clone();
        let now = store.now().await.unwrap();
        put(&store, &[job("a", "qa", now), job("b", "qb", now), job("c", "qc", now + Duration::from_secs(60))]).await;
        assert_eq!(names(&store, "w1", now, 10).await, ["a", "b"]);
        assert_eq!(names(&store, "w2", now, 10).await, [] as [&str; 0]);
        assert_eq!(
            names(&store, "w1", now, 10).await,
            [] as [&str; 0],
            "what is under way is not taken again by its own worker"
        );
        let later = now + HOLD;
        assert_eq!(names(&store, "w2", later, 2).await.len(), 2);
        assert_eq!(names(&store, "w3", later, 10).await.len(), 1, "what the second had no room for");
    }
}

#[tokio::test]
async fn jobs_of_one_queue_are_worked_on_by_one_worker() {
    for engine in both().await {
        let store = engine.store.clone();
        let now = store.now().await.unwrap();
        put(&store, &[job("a", "q", now), job("b", "q", now), job("c", "other", now)]).await;
        let first = names(&store, "w1", now, 1).await;
        assert_eq!(first.len(), 1);
        let others = names(&store, "w2", now, 10).await;
        assert_eq!(others, if first == ["c"] { vec!["a", "b"] } else { vec!["c"] });
        if first != ["c"] {
            assert_eq!(names(&store, "w1", now, 10).await.len(), 1, "the first one may take the rest of its queue");
        }
    }
}

#[tokio::test]
async fn who_lost_a_job_can_neither_go_on_nor_end_it() {
    for engine in both().await {
        let store = engine.store.clone();
        let now = store.now().await.unwrap();
        put(&store, &[job("a", "q", now)]).await;
        let lost = jobs::claim(&store, "w1", &KINDS, now, HOLD, 1).await.unwrap().remove(0);
        let kept = jobs::claim(&store, "w2", &KINDS, now + HOLD, HOLD, 1).await.unwrap().remove(0);
        let tx = store.begin().await.unwrap();
        let fenced = |result: Result<(), StoreError>| assert!(matches!(result, Err(StoreError::Fenced)), "{result:?}");
        fenced(jobs::still_held(&tx, &lost).await);
        fenced(jobs::go_on(&tx, &lost, r#"{"page":2}"#, now).await);
        fenced(jobs::come_again(&tx, &lost, now, now).await);
        fenced(jobs::finish(&tx, &lost).await);
        jobs::still_held(&tx, &kept).await.unwrap();
        jobs::go_on(&tx, &kept, r#"{"page":3}"#, now + Duration::from_secs(1)).await.unwrap();
        tx.commit().await.unwrap();
        let planned = jobs::find(&store.db, "a", now + HOLD).await.unwrap().unwrap();
        assert_eq!((planned.doc.as_str(), planned.held), (r#"{"page":3}"#, true));
        let tx = store.begin().await.unwrap();
        jobs::finish(&tx, &kept).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(jobs::find(&store.db, "a", now).await.unwrap(), None);
    }
}

#[tokio::test]
async fn what_a_worker_gives_back_is_free_at_once() {
    for engine in both().await {
        let store = engine.store.clone();
        let now = store.now().await.unwrap();
        put(&store, &[job("a", "q", now)]).await;
        let held = jobs::claim(&store, "w1", &KINDS, now, HOLD, 1).await.unwrap().remove(0);
        let tx = store.begin().await.unwrap();
        jobs::go_on(&tx, &held, r#"{"page":2}"#, now).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(names(&store, "w2", now, 1).await, [] as [&str; 0]);
        jobs::release_all(&store, "w1").await.unwrap();
        let next = jobs::claim(&store, "w2", &KINDS, now, HOLD, 1).await.unwrap().remove(0);
        assert_eq!(next.doc, r#"{"page":2}"#, "it goes on where it was");
    }
}

#[tokio::test]
async fn two_workers_that_claim_at_the_same_time_share_and_double_nothing() {
    for engine in both().await {
        let store = engine.store.clone();
        let now = store.now().await.unwrap();
        let all: Vec<NewJob> = (0..40).map(|n| job(&format!("j{n}"), &format!("q{}", n / 2), now)).collect();
        put(&store, &all).await;
        let take = |owner: &'static str| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut taken = Vec::new();
                for _ in 0..10 {
                    taken.extend(jobs::claim(&store, owner, &KINDS, now, HOLD, 3).await.unwrap());
                }
                taken
            })
        };
        let (one, other) = tokio::join!(take("w1"), take("w2"));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.len() + other.len(), 40);
        for job in &one {
            assert!(other.iter().all(|known| known.queue != job.queue), "{} is worked on by both", job.queue);
        }
    }
}

#[tokio::test]
async fn i8_a_feeds_token_stands_in_no_row_in_plain_text() {
    for engine in both().await {
        let store = engine.store.clone();
        let token = SecretString::from("feed-token-that-nobody-may-read");
        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        renkei_store::connections::put_tenant(&tx, "t", "t", now).await.unwrap();
        let connection = renkei_store::connections::Connection::draft("c", "t", "roumumate");
        renkei_store::connections::insert(&tx, &connection, now).await.unwrap();
        feeds::put(&store, &tx, "c", "https://hr.example/feed", &token, HOLD).await.unwrap();
        feeds::plan(&store, &tx, "c", &token, true, now).await.unwrap();
        tx.commit().await.unwrap();
        let found = feeds::find(&store, &store.db, "c").await.unwrap().unwrap();
        assert_eq!(secrecy::ExposeSecret::expose_secret(&found.token.unwrap()), "feed-token-that-nobody-may-read");
        use renkei_store::db::Sql as _;
        for query in ["SELECT queue || doc || name AS text FROM jobs", "SELECT CAST(token AS TEXT) AS text FROM feeds"]
        {
            for row in store.db.rows(query, vec![]).await.unwrap() {
                let text = row.get::<String>("text").unwrap_or_default();
                assert!(!text.contains("nobody-may-read"), "{query}");
            }
        }
        let tx = store.begin().await.unwrap();
        feeds::forget(&tx, "c").await.unwrap();
        tx.commit().await.unwrap();
        assert!(feeds::find(&store, &store.db, "c").await.unwrap().unwrap().token.is_none());
    }
}

/// A worker that ends gives the one it holds back beside the one that waits. Both at once would make the files twice.
#[tokio::test]
async fn of_a_links_free_decisions_one_is_taken_at_a_time() {
    const DECIDE: [&str; 1] = [renkei_store::links::DECIDE];
    for engine in both().await {
        let (store, name) = (engine.store.clone(), engine.name);
        let now = store.now().await.unwrap();
        let decision = |name: &str, due: Millis| NewJob { kind: renkei_store::links::DECIDE, ..job(name, "q", due) };
        put(&store, &[decision("b", now), decision("a", now), decision("c", now - Duration::from_secs(1))]).await;
        let mut taken = Vec::new();
        for _ in 0..3 {
            let mut held = jobs::claim(&store, "w1", &DECIDE, now, HOLD, 9).await.unwrap();
            assert_eq!(held.len(), 1, "{name}");
            let held = held.remove(0);
            // It rests, and goes on although others are due before it.
            let tx = store.begin().await.unwrap();
            jobs::go_on(&tx, &held, "{}", now).await.unwrap();
            tx.commit().await.unwrap();
            let again = jobs::claim(&store, "w1", &DECIDE, now, HOLD, 9).await.unwrap();
            assert_eq!(again.iter().map(|job| &job.name).collect::<Vec<_>>(), [&held.name], "{name}");
            let tx = store.begin().await.unwrap();
            jobs::finish(&tx, &again[0]).await.unwrap();
            tx.commit().await.unwrap();
            taken.push(held.name);
        }
        assert_eq!(taken, ["c", "a", "b"], "{name}");
    }
}
