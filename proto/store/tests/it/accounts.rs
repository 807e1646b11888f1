//! Leases, wake-ups and slots.

use std::time::Duration;

use renkei_store::Store;
use renkei_store::accounts::{self, Credentials};
use renkei_store::calls::{self, CallKind, SLOT_HOLD};
use renkei_store::error::StoreError;
use secrecy::{ExposeSecret, SecretString};

use crate::engines::both;

const TTL: Duration = Duration::from_secs(10);

pub fn credentials(key: &str) -> Credentials {
    Credentials { key: SecretString::from(key.to_owned()), secret: SecretString::from("s3cret".to_owned()) }
}

pub async fn an_account(store: &Store, id: &str) {
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    accounts::put(store, &tx, id, "http://x", &credentials(id), now).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_lease_is_held_by_one_and_fenced_by_its_epoch() {
    for engine in both().await {
        let store = &engine.store;
        an_account(store, "a").await;
        let now = store.now().await.unwrap();
        let first = accounts::claim(store, "a", "w1", now, TTL).await.unwrap().unwrap();
        assert_eq!(accounts::claim(store, "a", "w2", now, TTL).await.unwrap(), None, "{}", engine.name);
        let renewed = accounts::claim(store, "a", "w1", now + TTL / 2, TTL).await.unwrap().unwrap();
        assert_eq!(renewed.epoch, first.epoch, "a renewal is the same hold");
        let later = now + TTL * 2;
        let second = accounts::claim(store, "a", "w2", later, TTL).await.unwrap().unwrap();
        assert!(second.epoch > first.epoch);
        let tx = store.begin().await.unwrap();
        assert!(matches!(accounts::lock(store, &tx, &first).await, Err(StoreError::Fenced)), "{}", engine.name);
        drop(tx);
        assert!(!accounts::set_due(store, &first, 0, later).await.unwrap(), "a stale holder decides nothing");
        let tx = store.begin().await.unwrap();
        assert!(accounts::lock(store, &tx, &second).await.is_ok());
    }
}

#[tokio::test]
async fn a_lease_that_ran_out_raises_the_epoch_even_for_the_same_owner() {
    for engine in both().await {
        let store = &engine.store;
        an_account(store, "a").await;
        let now = store.now().await.unwrap();
        let first = accounts::claim(store, "a", "w1", now, TTL).await.unwrap().unwrap();
        let again = accounts::claim(store, "a", "w1", now + TTL, TTL).await.unwrap().unwrap();
        assert!(again.epoch > first.epoch, "{}", engine.name);
    }
}

#[tokio::test]
async fn a_wake_that_comes_while_the_account_works_is_not_lost() {
    for engine in both().await {
        let store = &engine.store;
        an_account(store, "a").await;
        let now = store.now().await.unwrap();
        let due = accounts::due(store, "w1", now, 10).await.unwrap();
        let lease = accounts::claim(store, "a", "w1", now, TTL).await.unwrap().unwrap();
        let tx = store.begin().await.unwrap();
        accounts::wake(&tx, "a", now).await.unwrap();
        tx.commit().await.unwrap();
        let next = now + Duration::from_secs(3600);
        assert!(!accounts::set_due(store, &lease, due[0].wake_seq, next).await.unwrap(), "{}", engine.name);
        let due = accounts::due(store, "w1", now, 10).await.unwrap();
        assert_eq!(due.len(), 1, "it stays due");
        assert!(accounts::set_due(store, &lease, due[0].wake_seq, next).await.unwrap());
        assert!(accounts::due(store, "w1", now, 10).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_another_worker_holds_is_not_offered() {
    for engine in both().await {
        let store = &engine.store;
        an_account(store, "a").await;
        let now = store.now().await.unwrap();
        accounts::claim(store, "a", "w1", now, TTL).await.unwrap().unwrap();
        assert!(accounts::due(store, "w2", now, 10).await.unwrap().is_empty(), "{}", engine.name);
        assert_eq!(accounts::due(store, "w1", now, 10).await.unwrap().len(), 1);
        accounts::release_all(store, "w1").await.unwrap();
        assert_eq!(accounts::due(store, "w2", now, 10).await.unwrap().len(), 1, "given back at once");
    }
}

#[tokio::test]
async fn i3_a_slot_is_taken_until_a_minute_after_its_answer() {
    for engine in both().await {
        let store = &engine.store;
        an_account(store, "a").await;
        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        let worst = now + Duration::from_secs(32) + SLOT_HOLD;
        let call = calls::reserve(&tx, "a", CallKind::Create, Some(1), now, worst).await.unwrap();
        calls::reserve(&tx, "a", CallKind::Poll, Some(1), now, worst).await.unwrap();
        tx.commit().await.unwrap();
        let taken = |at| calls::taken(&store.db, "a", at);
        assert_eq!(taken(worst - Duration::from_millis(1)).await.unwrap().len(), 1, "{}: polls take none", engine.name);
        assert!(taken(worst).await.unwrap().is_empty());
        calls::answered(&store.db, call, None, now + Duration::from_secs(4)).await.unwrap();
        assert_eq!(taken(worst - Duration::from_millis(1)).await.unwrap().len(), 1, "no answer frees nothing early");
        let answer = now + Duration::from_secs(4);
        calls::answered(&store.db, call, Some(200), answer).await.unwrap();
        assert_eq!(taken(answer + SLOT_HOLD - Duration::from_millis(1)).await.unwrap().len(), 1);
        assert!(taken(answer + SLOT_HOLD).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_new_key_keeps_the_account_and_drops_the_token() {
    for engine in both().await {
        let store = &engine.store;
        an_account(store, "a").await;
        let now = store.now().await.unwrap();
        let lease = accounts::claim(store, "a", "w1", now, TTL).await.unwrap().unwrap();
        let tx = store.begin().await.unwrap();
        let mut account = accounts::lock(store, &tx, &lease).await.unwrap();
        account.token = Some((SecretString::from("t0ken".to_owned()), now + TTL));
        accounts::save(store, &tx, &account).await.unwrap();
        accounts::put(store, &tx, "a", "http://x", &credentials("new key"), now).await.unwrap();
        let account = accounts::lock(store, &tx, &lease).await.unwrap();
        assert!(account.token.is_none(), "{}", engine.name);
        assert_eq!(account.credentials.unwrap().key.expose_secret(), "new key");
        let mark = accounts::fingerprint(store, &credentials("new key").key);
        assert_eq!(accounts::with_fingerprint(&tx, &mark).await.unwrap().as_deref(), Some("a"));
    }
}
