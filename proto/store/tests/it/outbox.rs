//! Mails on their way.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_store::Store;
use renkei_store::db::Sql;
use renkei_store::error::StoreError;
use renkei_store::outbox::{self, GIVES_UP_AFTER, Mail};

use crate::engines::both;

const MINUTE: Duration = Duration::from_secs(60);

fn mail() -> Mail {
    Mail {
        to: vec!["hr@example.jp".to_owned(), "other@example.jp".to_owned()],
        subject: "件名".to_owned(),
        text: "本文 髙橋".to_owned(),
        html: "<p>本文</p>".to_owned(),
    }
}

async fn enqueued(store: &Store, episode: i64, digest: i64, now: Millis) -> bool {
    let id = outbox::message_id(store, episode, digest, "example.jp");
    let tx = store.begin().await.unwrap();
    let enqueued = outbox::enqueue(store, &tx, &id, (episode, digest), &mail(), now).await.unwrap();
    tx.commit().await.unwrap();
    enqueued
}

#[tokio::test]
async fn i11_a_mail_of_an_episode_is_enqueued_once_under_one_message_id() {
    for engine in both().await {
        let store = &engine.store;
        let now = store.now().await.unwrap();
        assert!(enqueued(store, 7, 1, now).await, "{}", engine.name);
        assert!(!enqueued(store, 7, 1, now).await, "{}: it is there", engine.name);
        let other = outbox::message_id(store, 7, 1, "other.example");
        let tx = store.begin().await.unwrap();
        assert!(
            !outbox::enqueue(store, &tx, &other, (7, 1), &mail(), now).await.unwrap(),
            "{}: under another sender's name as well",
            engine.name
        );
        drop(tx);
        assert!(enqueued(store, 7, 2, now).await);
        let id = outbox::message_id(store, 7, 1, "example.jp");
        assert_eq!(id, outbox::message_id(store, 7, 1, "example.jp"));
        assert!(id.starts_with("renkei-") && id.ends_with("-7-1@example.jp"), "{id}");
    }
}

#[tokio::test]
async fn a_mail_is_taken_by_one_and_comes_back_when_its_taker_dies() {
    for engine in both().await {
        let store = &engine.store;
        let now = store.now().await.unwrap();
        assert_eq!(outbox::take(store, now, now + MINUTE).await.unwrap(), None);
        enqueued(store, 1, 1, now).await;
        assert_eq!(outbox::next_try(&store.db).await.unwrap(), Some(now));
        let taken = outbox::take(store, now, now + MINUTE).await.unwrap().unwrap();
        assert_eq!((taken.episode, taken.digest, taken.attempts, taken.created), (1, 1, 1, now), "{}", engine.name);
        assert_eq!(taken.mail, mail());
        assert_eq!(outbox::take(store, now, now + MINUTE).await.unwrap(), None, "{}: taken", engine.name);
        let again = outbox::take(store, now + MINUTE, now + 2 * MINUTE).await.unwrap().unwrap();
        assert_eq!((again.attempts, again.message_id), (2, taken.message_id), "{}", engine.name);
    }
}

#[tokio::test]
async fn what_a_mail_says_is_sealed_and_gone_once_it_is_sent() {
    for engine in both().await {
        let store = &engine.store;
        let now = store.now().await.unwrap();
        enqueued(store, 1, 1, now).await;
        let column = || async {
            let row = store.db.row("SELECT mail FROM outbox", vec![]).await.unwrap().unwrap();
            row.get::<Option<Vec<u8>>>("mail").unwrap()
        };
        let sealed = column().await.unwrap();
        for needle in ["hr@example.jp", "髙橋", "件名"] {
            let found = sealed.windows(needle.len()).any(|window| window == needle.as_bytes());
            assert!(!found, "{}: {needle}", engine.name);
        }
        let taken = outbox::take(store, now, now + MINUTE).await.unwrap().unwrap();
        outbox::sent(&store.db, &taken.message_id, now).await.unwrap();
        assert_eq!(column().await, None, "{}", engine.name);
        assert_eq!(outbox::counts(&store.db).await.unwrap(), [("sent".to_owned(), 1)]);
        assert_eq!(outbox::take(store, now + 2 * MINUTE, now + 3 * MINUTE).await.unwrap(), None);
        assert!(!enqueued(store, 1, 1, now).await, "{}: a mail that is sent is not made again", engine.name);
        engine.clock.pass(Duration::from_secs(91 * 24 * 3600));
        assert_eq!(store.tidy().await.unwrap(), 1, "{}", engine.name);
    }
}

#[tokio::test]
async fn a_failed_mail_is_tried_for_three_days_to_those_who_did_not_get_it() {
    for engine in both().await {
        let store = &engine.store;
        let now = store.now().await.unwrap();
        enqueued(store, 1, 1, now).await;
        let mut taken = outbox::take(store, now, now + MINUTE).await.unwrap().unwrap();
        taken.mail.to.remove(0);
        assert!(outbox::failed(store, &taken, now + 5 * MINUTE, now).await.unwrap(), "{}", engine.name);
        assert_eq!(outbox::take(store, now + 4 * MINUTE, now + 6 * MINUTE).await.unwrap(), None, "{}", engine.name);
        let taken = outbox::take(store, now + 5 * MINUTE, now + 6 * MINUTE).await.unwrap().unwrap();
        assert_eq!(taken.mail.to, ["other@example.jp"], "{}", engine.name);
        let last = now + GIVES_UP_AFTER;
        assert!(outbox::failed(store, &taken, last, last - MINUTE).await.unwrap(), "{}", engine.name);
        let taken = outbox::take(store, last, last + MINUTE).await.unwrap().unwrap();
        assert!(!outbox::failed(store, &taken, last + MINUTE, last).await.unwrap(), "{}", engine.name);
        assert_eq!(outbox::counts(&store.db).await.unwrap(), [("given_up".to_owned(), 1)]);
    }
}

#[tokio::test]
async fn a_mail_that_does_not_open_stands_in_nobodys_way() {
    for engine in both().await {
        let store = &engine.store;
        let now = store.now().await.unwrap();
        enqueued(store, 1, 1, now).await;
        store.db.exec("UPDATE outbox SET message_id = 'moved'", vec![]).await.unwrap();
        enqueued(store, 2, 1, now + MINUTE).await;
        let taken = outbox::take(store, now + MINUTE, now + 2 * MINUTE).await;
        assert!(matches!(taken, Err(StoreError::Sealed { .. })), "{}", engine.name);
        let next = outbox::take(store, now + MINUTE, now + 2 * MINUTE).await.unwrap().unwrap();
        assert_eq!(next.episode, 2, "{}", engine.name);
    }
}
