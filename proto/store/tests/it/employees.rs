//! The rows of employees.

use renkei_events::event::Change;
use renkei_runtime::clock::Millis;
use renkei_store::codes::{self, near_key};
use renkei_store::db::Sql;
use renkei_store::employees::{self, ConsumedRow, EmployeeKey, Going, Landing, Op, RowState, SlimRow, Values};

use crate::engines::{Engine, START, both};

pub fn key(index: usize) -> EmployeeKey {
    EmployeeKey { connection: "c".to_owned(), employee: format!("e{index}") }
}

pub fn row(index: usize, version: i64) -> ConsumedRow {
    let record = serde_json::json!({
        "employee_id": format!("e{index}"), "employee_number": format!("E{index}"), "employee_status": "active",
        "data_entry_state": "completed", "last_name": "髙橋", "first_name": "𠮷子", "updated_at": "2026-04-01T00:00:00Z"
    });
    ConsumedRow {
        slim: SlimRow {
            key: key(index),
            number: Some(format!("E{index}")),
            version,
            position: (0, version),
            content: format!("{version}"),
            event_ids: vec!["m/0".to_owned()],
            state: RowState::Due,
            eligible: true,
            left_before: false,
        },
        account: Some("a".to_owned()),
        change: Change::Updated,
        record: Some(serde_json::from_value(record).unwrap()),
        op: Some(Op::Create),
        reason: None,
        detail: None,
        received: Millis(START),
    }
}

pub async fn put(engine: &Engine, rows: &[ConsumedRow]) {
    let tx = engine.store.begin().await.unwrap();
    let now = engine.store.now_in(&tx).await.unwrap();
    employees::put_consumed(&engine.store, &tx, rows, now).await.unwrap();
    tx.commit().await.unwrap();
}

async fn due(engine: &Engine, op: Op) -> Vec<employees::FullRow> {
    let tx = engine.store.begin().await.unwrap();
    let now = engine.store.now_in(&tx).await.unwrap();
    employees::due(&engine.store, &tx, "a", &Going::at_once(vec!["c".to_owned()]), op, now, 1000).await.unwrap()
}

#[tokio::test]
async fn i2_an_older_version_never_replaces_a_newer_row() {
    for engine in both().await {
        put(&engine, &[row(1, 10)]).await;
        put(&engine, &[row(1, 5)]).await;
        let rows = due(&engine, Op::Create).await;
        assert_eq!(rows.len(), 1, "{}", engine.name);
        assert_eq!(rows[0].version, 10);
        assert_eq!(rows[0].record.as_ref().unwrap().first_name.as_deref(), Some("𠮷子"));
    }
}

#[tokio::test]
async fn many_rows_go_in_and_come_back_whole() {
    for engine in both().await {
        let rows: Vec<ConsumedRow> = (0..1200).map(|index| row(index, 1)).collect();
        put(&engine, &rows).await;
        let tx = engine.store.begin().await.unwrap();
        let keys: Vec<EmployeeKey> = (0..1200).map(key).collect();
        assert_eq!(employees::lock_slim(&tx, &keys).await.unwrap().len(), 1200, "{}", engine.name);
        assert_eq!(employees::lock_full(&engine.store, &tx, &keys).await.unwrap().len(), 1200);
        let (ready, later) =
            employees::due_summary(&tx, "a", &Going::at_once(vec!["c".to_owned()]), Op::Create, Millis(START + 1))
                .await
                .unwrap();
        assert_eq!((ready, later), (201, None), "it counts no further than one call holds, and one");
    }
}

#[tokio::test]
async fn flying_rows_land_synced_or_due_again() {
    for engine in both().await {
        put(&engine, &[row(1, 1), row(2, 1)]).await;
        let tx = engine.store.begin().await.unwrap();
        let now = engine.store.now_in(&tx).await.unwrap();
        employees::fly(&tx, &[key(1), key(2)], 7, now).await.unwrap();
        let landing = |index: usize, due_again| Landing {
            key: key(index),
            written: Values::from([("name".to_owned(), "髙橋 𠮷子".to_owned())]),
            number: format!("E{index}"),
            due_again,
        };
        employees::land(&engine.store, &tx, &[landing(1, false), landing(2, true)], now).await.unwrap();
        tx.commit().await.unwrap();
        let again = due(&engine, Op::Update).await;
        assert_eq!(again.len(), 1, "{}", engine.name);
        assert_eq!(again[0].key, key(2));
        assert_eq!(again[0].written.as_ref().unwrap()["name"], "髙橋 𠮷子");
        let rows = employees::with_number(&engine.store, &engine.store.db, "c", "E1").await.unwrap();
        assert_eq!(rows[0].state, RowState::Synced);
    }
}

#[tokio::test]
async fn i8_nothing_personal_stands_in_a_row_in_plain_text() {
    for engine in both().await {
        let mut parked = row(1, 1);
        parked.detail = Some("氏名 髙橋".to_owned());
        put(&engine, &[parked]).await;
        let rows =
            engine.store.db.rows("SELECT record, detail, event_ids, content FROM employees", vec![]).await.unwrap();
        for column in ["record", "detail"] {
            let bytes: Vec<u8> = rows[0].get(column).unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert!(!text.contains("髙橋") && !text.contains("employee_number"), "{}: {column}", engine.name);
        }
    }
}

#[tokio::test]
async fn codes_know_who_is_near() {
    let cases = [
        ("0123", "123", true),
        ("E001", "e001", true),
        ("Ｅ００１", "E001", true),
        ("E 001", "E001", true),
        ("E001", "E002", false),
        ("E010", "E01", false),
        ("0", "00", true),
    ];
    for (one, other, near) in cases {
        assert_eq!(near_key(one) == near_key(other), near, "{one} and {other}");
    }
    for engine in both().await {
        let tx = engine.store.begin().await.unwrap();
        let seen: Vec<_> = ["0123", "E7"].iter().map(|code| ((*code).to_owned(), Values::new())).collect();
        codes::put_read(&tx, "a", &seen, Millis(START)).await.unwrap();
        let near = codes::near(&tx, "a", &["123".to_owned(), "X".to_owned()]).await.unwrap();
        assert_eq!(near.get(&near_key("123")).unwrap(), &vec!["0123".to_owned()], "{}", engine.name);
        codes::put_read(&tx, "a", &seen[1..], Millis(START + 10)).await.unwrap();
        assert_eq!(codes::mark_unseen(&tx, "a", Millis(START + 5)).await.unwrap(), 1);
        assert!(codes::near(&tx, "a", &["123".to_owned()]).await.unwrap().is_empty(), "who is gone is near to nobody");
    }
}

#[tokio::test]
async fn whoever_waits_keeps_the_place_in_the_queue_however_often_the_record_changes() {
    for engine in both().await {
        let at = |ms: i64, row: ConsumedRow| (Millis(START + ms), row);
        for (now, row) in [at(1, row(1, 1)), at(2, row(2, 1)), at(3, row(1, 2))] {
            let tx = engine.store.begin().await.unwrap();
            employees::put_consumed(&engine.store, &tx, &[row], now).await.unwrap();
            tx.commit().await.unwrap();
        }
        let order: Vec<_> = due(&engine, Op::Create).await.into_iter().map(|row| (row.key.employee, row.due)).collect();
        let expected = [("e1".to_owned(), Some(Millis(START + 1))), ("e2".to_owned(), Some(Millis(START + 2)))];
        assert_eq!(order, expected, "{}", engine.name);
    }
}
