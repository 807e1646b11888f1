//! The store's clock.

use std::sync::atomic::Ordering;
use std::time::Duration;

use renkei_store::Store;
use renkei_store::calls::{self, CallKind};
use renkei_store::db::Sql;

use crate::accounts::an_account;
use crate::engines::{both, master};

#[tokio::test]
async fn a_jump_of_the_wall_clock_moves_nothing() {
    for engine in both().await {
        let before = engine.store.now().await.unwrap();
        engine.clock.wall.fetch_add(3_600_000, Ordering::SeqCst);
        assert_eq!(engine.store.now().await.unwrap(), before, "{}", engine.name);
        let again = Store::open(&engine.url, &master(), engine.clock.clone()).await.unwrap();
        assert_eq!(again.now().await.unwrap(), before, "{}: another process on the same boot agrees", engine.name);
        engine.clock.boot.fetch_add(500, Ordering::SeqCst);
        assert_eq!(engine.store.now().await.unwrap(), before + Duration::from_millis(500));
    }
}

/// With a real host's clock PostgreSQL's own time counts, and no clock of ours.
#[tokio::test]
async fn on_postgresql_the_time_is_the_databases_whatever_the_hosts_clocks_say() {
    for engine in both().await.into_iter().filter(|engine| engine.name == "postgres") {
        *engine.clock.boot_id.lock().unwrap() = "a host".to_owned();
        let store = Store::open(&engine.url, &master(), engine.clock.clone()).await.unwrap();
        let first = store.now().await.unwrap();
        // Somebody sets the wall clock back by a day, and the host sleeps for an hour.
        engine.clock.wall.fetch_sub(86_400_000, Ordering::SeqCst);
        engine.clock.boot.fetch_add(3_600_000, Ordering::SeqCst);
        let second = store.now().await.unwrap();
        let query = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS ms";
        let row = store.db.row(query, vec![]).await.unwrap().unwrap();
        let theirs = row.get::<i64>("ms").unwrap();
        assert!(second >= first && second.since(first) < Duration::from_secs(60), "{first:?} {second:?}");
        assert!((second.0 - theirs).abs() < 60_000, "{second:?} and {theirs}");
        // Another host, whose clocks were never right, agrees.
        *engine.clock.boot_id.lock().unwrap() = "another host".to_owned();
        let other = Store::open(&engine.url, &master(), engine.clock.clone()).await.unwrap();
        let there = other.now().await.unwrap();
        assert!(there >= second && there.since(second) < Duration::from_secs(60), "{second:?} {there:?}");
    }
}

#[tokio::test]
async fn i3_after_another_boot_the_last_five_update_calls_count_as_made_now() {
    for engine in both().await.into_iter().filter(|engine| engine.name == "sqlite") {
        an_account(&engine.store, "a").await;
        let tx = engine.store.begin().await.unwrap();
        let now = engine.store.now_in(&tx).await.unwrap();
        for index in 0..7 {
            let long_ago = now - Duration::from_secs(600 - index);
            calls::reserve(&tx, "a", CallKind::Update, None, long_ago, long_ago + Duration::from_secs(60))
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        assert!(calls::taken(&engine.store.db, "a", now).await.unwrap().is_empty());
        // The machine restarts, and its wall clock comes up an hour early.
        *engine.clock.boot_id.lock().unwrap() = "another boot".to_owned();
        engine.clock.boot.store(10, Ordering::SeqCst);
        engine.clock.wall.fetch_sub(3_600_000, Ordering::SeqCst);
        let store = Store::open(&engine.url, &master(), engine.clock.clone()).await.unwrap();
        let after = store.now().await.unwrap();
        assert!(after >= now - Duration::from_secs(600), "never before what is remembered");
        assert_eq!(calls::taken(&store.db, "a", after).await.unwrap().len(), 5);
        let later = after + Duration::from_secs(59);
        assert_eq!(calls::taken(&store.db, "a", later).await.unwrap().len(), 5);
        assert!(calls::taken(&store.db, "a", after + Duration::from_secs(61)).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_store_made_with_another_clock_scale_is_refused() {
    for engine in both().await {
        let sql = "UPDATE meta SET value = REPLACE(value, '\"scale\":1', '\"scale\":60') WHERE name = 'time_anchor'";
        assert_eq!(engine.store.db.exec(sql, vec![]).await.unwrap(), 1);
        let refused = Store::open(&engine.url, &master(), engine.clock.clone()).await;
        assert!(refused.unwrap_err().to_string().contains("clock scale 60"), "{}", engine.name);
    }
}
