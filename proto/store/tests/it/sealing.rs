//! What is sealed opens with the right key at the right place only.

use std::time::Duration;

use renkei_store::Store;
use renkei_store::accounts;
use renkei_store::connections::{self, Connection, StoredSecret};
use renkei_store::db::{Db, Sql};
use renkei_store::error::StoreError;
use renkei_store::seal::MasterKey;
use secrecy::SecretString;

use crate::accounts::credentials;
use crate::engines::{OTHER_MASTER, both, master};

#[tokio::test]
async fn a_wrong_master_key_opens_nothing_and_says_which_is_needed() {
    for engine in both().await {
        let other = MasterKey::parse(OTHER_MASTER).unwrap();
        let refused = Store::open(&engine.url, &other, engine.clock.clone()).await;
        assert!(
            matches!(&refused, Err(StoreError::WrongMasterKey { expected }) if *expected == master().id()),
            "{}: {refused:?}",
            engine.name
        );
    }
}

#[tokio::test]
async fn after_rotation_old_values_open_with_the_new_master_key_only() {
    for engine in both().await {
        let other = MasterKey::parse(OTHER_MASTER).unwrap();
        let sealed = engine.store.keys.seal("t.c|1", "髙橋 花子".as_bytes());
        let hash = engine.store.keys.hash("field", &[b"x"]);
        Store::rotate_master_key(&engine.store.db, &master(), &other).await.unwrap();
        assert!(Store::open(&engine.url, &master(), engine.clock.clone()).await.is_err(), "{}", engine.name);
        let reopened = Store::open(&engine.url, &other, engine.clock.clone()).await.unwrap();
        assert_eq!(reopened.keys.open("t.c|1", &sealed).unwrap(), "髙橋 花子".as_bytes());
        assert_eq!(reopened.keys.hash("field", &[b"x"]), hash, "hashes must not change");
        // A process that was started with both keys is fine before and after.
        let both_keys = [master(), other];
        assert!(Store::open_with(&engine.url, &both_keys, engine.clock.clone()).await.is_ok());
        // The running process goes on.
        assert!(engine.store.keys.open("t.c|1", &reopened.keys.seal("t.c|1", b"new")).is_ok());
    }
}

#[tokio::test]
async fn rotation_with_a_wrong_old_key_changes_nothing() {
    for engine in both().await {
        let other = MasterKey::parse(OTHER_MASTER).unwrap();
        assert!(Store::rotate_master_key(&engine.store.db, &other, &other).await.is_err());
        assert!(Store::open(&engine.url, &master(), engine.clock.clone()).await.is_ok(), "{}", engine.name);
    }
}

#[tokio::test]
async fn an_envelope_opens_only_where_it_was_sealed_and_whole() {
    for engine in both().await {
        let keys = &engine.store.keys;
        let sealed = keys.seal("employees.record|c|e1", b"plain");
        assert_eq!(keys.open("employees.record|c|e1", &sealed).unwrap(), b"plain");
        assert!(keys.open("employees.record|c|e2", &sealed).is_err(), "moved to another row");
        assert!(keys.open("employees.written|c|e1", &sealed).is_err(), "moved to another column");
        for at in [0, 5, 20, sealed.len() - 1] {
            let mut broken = sealed.clone();
            broken[at] ^= 1;
            assert!(keys.open("employees.record|c|e1", &broken).is_err(), "byte {at} changed");
        }
        assert!(keys.open("employees.record|c|e1", &sealed[..sealed.len() - 1]).is_err(), "cut");
        assert!(keys.open("employees.record|c|e1", &[]).is_err(), "empty");
        assert_ne!(sealed, keys.seal("employees.record|c|e1", b"plain"), "a nonce is never used twice");
    }
}

#[tokio::test]
async fn a_master_key_is_32_bytes_in_base64() {
    for text in
        ["", "abc", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=AA"]
    {
        assert!(MasterKey::parse(text).is_err(), "{text}");
    }
    assert_eq!(format!("{:?}", master()), "MasterKey(…)");
}

#[tokio::test]
async fn two_processes_that_meet_an_empty_store_agree_on_its_keys() {
    for engine in both().await {
        let clear = Db::connect(&engine.url).await.unwrap();
        clear.exec("DELETE FROM data_keys", vec![]).await.unwrap();
        let (master_a, master_b) = (master(), master());
        let (one, two) = tokio::join!(
            Store::open(&engine.url, &master_a, engine.clock.clone()),
            Store::open(&engine.url, &master_b, engine.clock.clone())
        );
        let sealed = one.unwrap().keys.seal("p", b"x");
        assert_eq!(two.unwrap().keys.open("p", &sealed).unwrap(), b"x", "{}", engine.name);
    }
}

/// How an envelope is spoiled: a changed last byte, or the number of a key that the store does not have.
fn spoil(sealed: &mut [u8], how: &str) {
    let at = if how == "tampered" { sealed.len() - 1 } else { 4 };
    sealed[at] ^= 0x55;
}

#[tokio::test]
async fn a_sealed_secret_that_does_not_open_stops_only_its_own_connection() {
    for engine in both().await {
        let store = &engine.store;
        for how in ["tampered", "of another key"] {
            let tx = store.begin().await.unwrap();
            let now = store.now_in(&tx).await.unwrap();
            connections::put_tenant(&tx, "t", "t", now).await.unwrap();
            for id in ["broken", "whole"] {
                accounts::put(store, &tx, id, "http://x", &credentials(id), now).await.unwrap();
                connections::put(&tx, &connection(id), now).await.unwrap();
                let secret = SecretString::from("whsec_AAAA".to_owned());
                let secrets = [StoredSecret { id: "1".to_owned(), secret, expires: None }];
                connections::replace_secrets(store, &tx, id, &secrets).await.unwrap();
            }
            tx.commit().await.unwrap();
            for (table, column, key) in
                [("webhook_secrets", "secret", "connection_id"), ("accounts", "credentials", "account_id")]
            {
                let query = format!("SELECT {column} AS sealed FROM {table} WHERE {key} = 'broken'");
                let row = store.db.row(&query, vec![]).await.unwrap().unwrap();
                let mut sealed: Vec<u8> = row.get("sealed").unwrap();
                spoil(&mut sealed, how);
                let update = format!("UPDATE {table} SET {column} = $1 WHERE {key} = 'broken'");
                store.db.exec(&update, vec![sealed.into()]).await.unwrap();
            }

            let read = connections::for_ingest(store).await.unwrap();
            let secrets: Vec<_> =
                read.iter().map(|one| (one.id.as_str(), one.secrets.len(), one.sealed_shut)).collect();
            assert_eq!(secrets, [("broken", 0, true), ("whole", 1, false)], "{}: {how}", engine.name);
            let opened = |id: &'static str| accounts::credentials(store, &store.db, id);
            assert!(matches!(opened("broken").await, Err(StoreError::Sealed { .. })), "{}: {how}", engine.name);
            assert!(opened("whole").await.unwrap().unwrap().1.is_some(), "{}: {how}", engine.name);
            // What lists or leases accounts opens none of them.
            assert_eq!(connections::all(store).await.unwrap().len(), 2);
            let now = store.now().await.unwrap();
            for (id, works) in [("broken", false), ("whole", true)] {
                let lease = accounts::claim(store, id, "w", now, Duration::from_secs(10)).await.unwrap().unwrap();
                let tx = store.begin().await.unwrap();
                assert_eq!(accounts::lock(store, &tx, &lease).await.is_ok(), works, "{}: {how}: {id}", engine.name);
            }
        }
    }
}

fn connection(id: &str) -> Connection {
    Connection { account: Some(id.to_owned()), ..Connection::draft(id, "t", "roumumate") }
}
