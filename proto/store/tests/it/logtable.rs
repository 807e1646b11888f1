//! The table below the embedded log.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_store::db::Sql;
use renkei_store::logtable::{self, LogRow};

use crate::engines::{START, both};

fn row(key: &str, value: &str) -> LogRow {
    LogRow { topic: "t".to_owned(), key: key.to_owned(), headers: "[]".to_owned(), value: value.as_bytes().to_vec() }
}

#[tokio::test]
async fn offsets_rise_without_gaps_under_concurrent_appends() {
    for engine in both().await {
        let mut tasks = Vec::new();
        for writer in 0..8 {
            let store = engine.store.clone();
            tasks.push(tokio::spawn(async move {
                for index in 0..10 {
                    let rows = [row("k", &format!("{writer}-{index}-a")), row("k", &format!("{writer}-{index}-b"))];
                    logtable::append(&store, &rows).await.unwrap();
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let read = logtable::read(&engine.store, "t", 0, 1000).await.unwrap();
        let offsets: Vec<i64> = read.iter().map(|entry| entry.offset).collect();
        assert_eq!(offsets, (0..160).collect::<Vec<_>>(), "{}", engine.name);
        let values: Vec<String> =
            read.into_iter().map(|entry| String::from_utf8(entry.value.unwrap()).unwrap()).collect();
        for pair in values.chunks(2) {
            assert_eq!(pair[0].trim_end_matches('a'), pair[1].trim_end_matches('b'), "an append stays together");
        }
    }
}

#[tokio::test]
async fn a_position_never_moves_back() {
    for engine in both().await {
        logtable::commit(&engine.store, "g", "t", 5).await.unwrap();
        logtable::commit(&engine.store, "g", "t", 3).await.unwrap();
        assert_eq!(logtable::position(&engine.store, "g", "t").await.unwrap(), 5, "{}", engine.name);
        assert_eq!(logtable::position(&engine.store, "other", "t").await.unwrap(), 0);
    }
}

#[tokio::test]
async fn records_expire_only_by_age_and_after_every_reader_passed_them() {
    for engine in both().await {
        logtable::append(&engine.store, &[row("k", "old")]).await.unwrap();
        engine.clock.pass(Duration::from_secs(8 * 24 * 3600));
        logtable::append(&engine.store, &[row("k", "new")]).await.unwrap();
        logtable::commit(&engine.store, "slow", "t", 0).await.unwrap();
        logtable::commit(&engine.store, "fast", "t", 2).await.unwrap();
        let before = Millis(START) + Duration::from_secs(24 * 3600);
        assert_eq!(logtable::expire(&engine.store, "t", before, false).await.unwrap(), 0, "{}", engine.name);
        logtable::commit(&engine.store, "slow", "t", 1).await.unwrap();
        assert_eq!(logtable::expire(&engine.store, "t", before, false).await.unwrap(), 1, "{}", engine.name);
        assert_eq!(logtable::read(&engine.store, "t", 0, 10).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_value_that_does_not_open_stops_no_other() {
    for engine in both().await {
        logtable::append(&engine.store, &[row("k", "a"), row("k", "b")]).await.unwrap();
        let sql = "UPDATE log_records SET value = $1 WHERE log_offset = 0";
        engine.store.db.exec(sql, vec![vec![1_u8, 2, 3].into()]).await.unwrap();
        let read = logtable::read(&engine.store, "t", 0, 10).await.unwrap();
        assert_eq!(read[0].value, None, "{}", engine.name);
        assert_eq!(read[1].value.as_deref(), Some(b"b".as_slice()));
    }
}
