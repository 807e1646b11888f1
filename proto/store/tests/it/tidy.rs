//! What is deleted by age.

use std::time::Duration;

use renkei_store::activity::{self, Entry};
use renkei_store::calls::{self, CallKind};
use renkei_store::db::Sql;

use crate::accounts::an_account;
use crate::engines::{Engine, both};

#[tokio::test]
async fn calls_and_activity_go_by_age_and_taken_slots_stay() {
    for engine in both().await {
        let store = &engine.store;
        an_account(store, "a").await;
        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        calls::reserve(&tx, "a", CallKind::Create, None, now, now + Duration::from_secs(90)).await.unwrap();
        let far = now + Duration::from_secs(100 * 24 * 3600);
        calls::reserve(&tx, "a", CallKind::Create, None, now, far).await.unwrap();
        let entry = Entry {
            at: now,
            connection: "c".to_owned(),
            employee: Some("e".to_owned()),
            kind: "created".to_owned(),
            code: None,
            detail: Some("髙橋".to_owned()),
        };
        activity::add(store, &tx, std::slice::from_ref(&entry)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(activity::of_employee(store, "c", "e", 10).await.unwrap(), vec![entry], "{}", engine.name);
        engine.clock.pass(Duration::from_secs(2 * 24 * 3600));
        assert_eq!(store.tidy().await.unwrap(), 1, "{}: the call that is over", engine.name);
        engine.clock.pass(Duration::from_secs(90 * 24 * 3600));
        assert_eq!(store.tidy().await.unwrap(), 1, "{}: the entry", engine.name);
        let left = store.db.rows("SELECT call_id FROM calls", vec![]).await.unwrap();
        assert_eq!(left.len(), 1, "a slot that is still taken is not forgotten");
    }
}

/// Whether a text stands in SQLite's file or in the log beside it.
fn bytes_hold(engine: &Engine, text: &str) -> bool {
    let file = engine.url.strip_prefix("sqlite://").unwrap();
    let files = [file.to_owned(), format!("{file}-wal")];
    files.iter().any(|file| std::fs::read(file).unwrap().windows(text.len()).any(|window| window == text.as_bytes()))
}

/// Deleted is overwritten: neither the free space of the file nor the log beside it has it any more.
#[tokio::test]
async fn i8_what_was_deleted_is_in_no_byte_of_sqlites_files() {
    const WHO: &str = "rm_somebody_who_goes";
    let engine = both().await.remove(0);
    let store = &engine.store;
    let entry = Entry {
        at: store.now().await.unwrap(),
        connection: "c".to_owned(),
        employee: Some(WHO.to_owned()),
        kind: "created".to_owned(),
        code: None,
        detail: None,
    };
    let tx = store.begin().await.unwrap();
    activity::add(store, &tx, &[entry]).await.unwrap();
    tx.commit().await.unwrap();
    assert!(bytes_hold(&engine, WHO), "what is there is found");
    store.empty_write_ahead().await.unwrap();
    assert!(bytes_hold(&engine, WHO), "in the file by now");
    engine.clock.pass(Duration::from_secs(91 * 24 * 3600));
    assert_eq!(store.tidy().await.unwrap(), 1);
    store.empty_write_ahead().await.unwrap();
    assert!(!bytes_hold(&engine, WHO));
}
