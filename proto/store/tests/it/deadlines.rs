//! A statement that waits for a lock ends with an error in its time.

use std::time::Duration;

use renkei_store::db::{Db, Sql};

use crate::engines::both;

const STATEMENT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_statement_that_hangs_at_a_lock_of_another_session_ends_within_its_deadline() {
    for engine in both().await {
        let other = Db::connect(&engine.url).await.unwrap();
        let hold = other.begin().await.unwrap();
        let lock = match engine.name {
            "sqlite" => "DELETE FROM meta WHERE name = 'nothing'",
            _ => "LOCK TABLE meta IN ACCESS EXCLUSIVE MODE",
        };
        hold.exec(lock, vec![]).await.unwrap();

        let ours = Db::connect_within(&engine.url, STATEMENT).await.unwrap();
        let write = "DELETE FROM meta WHERE name = 'nothing'";
        let hung = tokio::time::timeout(STATEMENT * 4, ours.exec(write, vec![])).await;
        assert!(hung.expect("it ends").is_err_and(|error| error.is_transient()), "{}: alone", engine.name);
        let hung = tokio::time::timeout(STATEMENT * 4, async {
            let tx = ours.begin().await?;
            tx.exec(write, vec![]).await
        });
        assert!(hung.await.expect("it ends").is_err_and(|error| error.is_transient()), "{}: in a tx", engine.name);

        drop(hold);
        other.close().await;
        assert!(ours.exec(write, vec![]).await.is_ok(), "{}: it goes on when the lock is gone", engine.name);
    }
}

#[tokio::test]
async fn whoever_waits_for_the_turn_to_write_gives_up() {
    let engine = both().await.swap_remove(0);
    let db = Db::connect_within(&engine.url, Duration::from_millis(100)).await.unwrap();
    let _hold = db.begin().await.unwrap();
    let waited = tokio::time::timeout(Duration::from_secs(10), db.begin()).await;
    assert!(waited.expect("it ends").is_err_and(|error| error.is_transient()));
}

#[tokio::test]
async fn postgresql_is_told_to_end_a_statement_after_30_seconds_and_a_silent_transaction_after_a_minute() {
    let engine = both().await.swap_remove(1);
    for (setting, length) in [("statement_timeout", "30s"), ("idle_in_transaction_session_timeout", "1min")] {
        let query = format!("SELECT current_setting('{setting}') AS length");
        let row = engine.store.db.row(&query, vec![]).await.unwrap();
        assert_eq!(row.unwrap().get::<String>("length").unwrap(), length, "{setting}");
    }
}
