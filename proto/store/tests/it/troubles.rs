//! What needs a person now.

use std::time::Duration;

use renkei_store::batches::{self, Batch, BatchState, Member};
use renkei_store::connections::{self, Connection, ConnectionState};
use renkei_store::db::Sql;
use renkei_store::employees::{Op, RowState};
use renkei_store::troubles;

use crate::accounts::an_account;
use crate::employees::{key, put, row};
use crate::engines::both;

#[tokio::test]
async fn parked_and_held_people_come_in_pages_and_in_full() {
    for engine in both().await {
        let store = &engine.store;
        let mut rows = Vec::new();
        for index in 0..25 {
            let mut row = row(index, 1);
            row.slim.state = [RowState::Parked, RowState::Held, RowState::Due][index % 3];
            row.reason = (row.slim.state != RowState::Due).then(|| "member.near_miss".to_owned());
            rows.push(row);
        }
        put(&engine, &rows).await;
        let mut found = Vec::new();
        loop {
            let page = troubles::people(&store.db, found.last(), 7).await.unwrap();
            assert!(page.iter().all(|person| person.reason == "member.near_miss"), "{}", engine.name);
            found.extend(page.iter().map(|person| person.key.clone()));
            if page.len() < 7 {
                break;
            }
        }
        let mut expected: Vec<_> = (0..25).filter(|index| index % 3 != 2).map(key).collect();
        expected.sort();
        assert_eq!(found, expected, "{}", engine.name);
        let full = troubles::people_in_full(store, &store.db, "c", &["e3", "e0", "gone"]).await.unwrap();
        let numbers: Vec<_> = full.iter().filter_map(|row| row.number.as_deref()).collect();
        assert_eq!(numbers, ["E0", "E3"], "{}", engine.name);
    }
}

#[tokio::test]
async fn a_task_that_does_not_end_names_its_connections_and_whether_hires_wait() {
    for engine in both().await {
        let store = &engine.store;
        let now = store.now().await.unwrap();
        let member = |index: usize| Member {
            key: key(index),
            code: format!("E{index}"),
            version: 1,
            content: String::new(),
            received: now,
        };
        let batch = |account: &str, id: i64, state| Batch {
            account: account.to_owned(),
            id,
            op: Op::Create,
            repair: None,
            state,
            members: vec![member(1), member(2)],
            payload: Vec::new(),
            task: Some(1),
            epoch: 1,
            planned: now,
            gives_up: now,
            next_look: now,
            looks: 0,
        };
        let tx = store.begin().await.unwrap();
        batches::insert(store, &tx, &batch("a", 1, BatchState::Accepted)).await.unwrap();
        batches::insert(store, &tx, &batch("a", 2, BatchState::Unknown)).await.unwrap();
        batches::insert(store, &tx, &batch("b", 1, BatchState::Accepted)).await.unwrap();
        tx.commit().await.unwrap();
        put(&engine, &[row(9, 1)]).await;
        assert!(troubles::tasks_open_since(&store.db, now).await.unwrap().is_empty(), "{}", engine.name);
        let stuck = troubles::tasks_open_since(&store.db, now + Duration::from_millis(1)).await.unwrap();
        let seen: Vec<_> = stuck.iter().map(|task| (task.account.as_str(), task.hires_wait, task.planned)).collect();
        assert_eq!(seen, [("a", true, now), ("b", false, now)], "{}", engine.name);
        assert_eq!(stuck[0].connections, ["c".to_owned()].into());
    }
}

#[tokio::test]
async fn halted_connections_and_refused_deliveries_are_found() {
    for engine in both().await {
        let store = &engine.store;
        an_account(store, "a").await;
        let now = store.now().await.unwrap();
        let tx = store.begin().await.unwrap();
        connections::put_tenant(&tx, "t", "T", now).await.unwrap();
        for id in ["c1", "c2"] {
            connections::put(&tx, &Connection::draft(id, "t", "roumumate"), now).await.unwrap();
        }
        let (halted, code) = (ConnectionState::Halted, Some("kaonavi.forbidden"));
        connections::switch_off(store, &tx, "c2", halted, code, None, now).await.unwrap();
        // As ingest writes it: never one that passed, one that passed before, one that passed since, none refused, and one
        // stray call.
        for (id, accepted, since, last) in [
            ("c1", None, Some(1), Some(11)),
            ("c2", Some(5), Some(9), Some(18)),
            ("c3", Some(9), Some(5), Some(8)),
            ("c4", Some(1), None, None),
            ("c5", None, Some(7), Some(7)),
        ] {
            let sql = "INSERT INTO webhook_health (connection_id, accepted_ms, refused_since_ms, refused_ms)
                VALUES ($1, $2, $3, $4)";
            let [accepted, since, last] = [accepted, since, last].map(|ms: Option<i32>| ms.map(i64::from).into());
            let values = vec![id.into(), accepted, since, last];
            tx.exec(sql, values).await.unwrap();
        }
        tx.commit().await.unwrap();
        let found = troubles::halted(&store.db).await.unwrap();
        assert_eq!(found, [("c2".to_owned(), "kaonavi.forbidden".to_owned(), now)], "{}", engine.name);
        let refused = |ms| troubles::refused_deliveries(&store.db, std::time::Duration::from_millis(ms));
        let ids = |found: Vec<(String, _)>| found.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(ids(refused(10).await.unwrap()), ["c1"], "{}", engine.name);
        assert_eq!(ids(refused(9).await.unwrap()), ["c1", "c2"], "{}", engine.name);
    }
}
