//! People who came under their 社員番号 alone, and whose id became known.

use renkei_events::ids::{EmployeeId, UploadId};
use renkei_runtime::clock::Millis;
use renkei_store::accounts::{self, Credentials};
use renkei_store::activity::{self, Entry};
use renkei_store::batches::{self, Batch, BatchState, Member, Repair};
use renkei_store::codes::{self, WrittenCode};
use renkei_store::connections::{self, Connection};
use renkei_store::content;
use renkei_store::db::Sql;
use renkei_store::employees::{self, ConsumedRow, EmployeeKey, FullRow, Landing, Op, RowState, Values};
use renkei_store::episodes::{self, Item, Trouble};
use renkei_store::takeover::{Takeover, take_over};
use renkei_store::uploads::{self, Mode, UploadPerson};
use serde_json::json;

use crate::employees::{put, row};
use crate::engines::{Engine, START, both};

fn connection() -> Connection {
    Connection { account: Some("a".to_owned()), ..Connection::draft("c", "t", "roumumate") }
}

fn key(employee: &str) -> EmployeeKey {
    EmployeeKey { connection: "c".to_owned(), employee: employee.to_owned() }
}

/// Person `index` with another id.
fn named(index: usize, employee: &str, version: i64, state: RowState) -> ConsumedRow {
    let mut row = row(index, version);
    row.slim.key = key(employee);
    row.slim.state = state;
    row.slim.event_ids = vec![format!("{employee}/{version}")];
    row.record.as_mut().unwrap().employee_id = EmployeeId::new(employee).unwrap();
    row
}

async fn taken(engine: &Engine, pairs: &[(&str, &str)]) -> Vec<String> {
    let wanted: Vec<Takeover> = pairs
        .iter()
        .map(|(from, to)| Takeover { from: (*from).to_owned(), to: EmployeeId::new(*to).unwrap() })
        .collect();
    let tx = engine.store.begin().await.unwrap();
    let now = engine.store.now_in(&tx).await.unwrap();
    let taken = take_over(&engine.store, &tx, &connection(), &wanted, now).await.unwrap();
    tx.commit().await.unwrap();
    let mut taken: Vec<String> = taken.into_iter().collect();
    taken.sort();
    taken
}

async fn of(engine: &Engine, employee: &str) -> Option<FullRow> {
    let tx = engine.store.begin().await.unwrap();
    employees::lock_full(&engine.store, &tx, &[key(employee)]).await.unwrap().into_iter().next()
}

#[tokio::test]
async fn a_row_is_taken_over_with_all_that_belongs_to_it() {
    for engine in both().await {
        let store = &engine.store;
        let mut parked = named(2, "n:E2", 5, RowState::Parked);
        (parked.reason, parked.detail) = (Some("kaonavi.rejected".to_owned()), Some("氏名 髙橋".to_owned()));
        put(&engine, &[named(1, "n:E1", 5, RowState::Due), parked, named(3, "rm_3", 5, RowState::Due)]).await;
        let tx = store.begin().await.unwrap();
        let now = Millis(START);
        connections::put_tenant(&tx, "t", "テスト", now).await.unwrap();
        let credentials = Credentials { key: "k".into(), secret: "s".into() };
        accounts::put(store, &tx, "a", "https://kaonavi.test", &credentials, now).await.unwrap();
        connections::put(&tx, &connection(), now).await.unwrap();
        let values = Values::from([("name".to_owned(), "髙橋 𠮷子".to_owned())]);
        let landing = Landing { key: key("n:E1"), written: values.clone(), number: "E1".to_owned(), due_again: false };
        employees::land(store, &tx, &[landing], now).await.unwrap();
        let owner = ("c".to_owned(), "n:E1".to_owned());
        let written = [WrittenCode { code: "E1".to_owned(), owner, hashes: Values::new() }];
        codes::put_written(&tx, "a", &written, now).await.unwrap();
        let trouble = Trouble::of(renkei_events::codes::Code::KaonaviRejected, &connection());
        let episode = episodes::open(&tx, &trouble, now).await.unwrap();
        let item = |employee: &str| Item { connection: "c".to_owned(), employee: employee.to_owned() };
        episodes::add_items(&tx, episode, &[item("n:E2")], Some(1), now).await.unwrap();
        let entry = Entry {
            at: now,
            connection: "c".to_owned(),
            employee: Some("n:E1".to_owned()),
            kind: "created".to_owned(),
            code: None,
            detail: Some("{}".to_owned()),
        };
        activity::add(store, &tx, &[entry]).await.unwrap();
        tx.commit().await.unwrap();

        assert_eq!(taken(&engine, &[("n:E1", "rm_1"), ("n:E2", "rm_2"), ("n:E9", "rm_9")]).await, ["n:E1", "n:E2"]);
        for gone in ["n:E1", "n:E2", "rm_9"] {
            assert!(of(&engine, gone).await.is_none(), "{}: {gone}", engine.name);
        }
        let one = of(&engine, "rm_1").await.unwrap();
        assert_eq!((one.state, one.version, one.written_number.as_deref()), (RowState::Synced, 5, Some("E1")));
        assert_eq!(one.written, Some(values), "what is sealed opens under the new key");
        let record = one.record.unwrap();
        assert_eq!((record.employee_id.as_str(), record.last_name.as_deref()), ("rm_1", Some("髙橋")));
        assert_eq!(one.content, content::of_record(&store.keys, &record), "the same file is recognised");
        let two = of(&engine, "rm_2").await.unwrap();
        assert_eq!((two.state, two.reason.as_deref()), (RowState::Parked, Some("kaonavi.rejected")));
        assert_eq!(two.detail.as_deref(), Some("氏名 髙橋"));
        let code = codes::find(&store.db, "a", &["E1".to_owned()]).await.unwrap();
        assert_eq!(code["E1"].owner, Some(("c".to_owned(), "rm_1".to_owned())));
        let kinds = activity::of_employee(store, "c", "rm_1", 10).await.unwrap();
        assert_eq!(kinds.iter().map(|entry| entry.kind.as_str()).collect::<Vec<_>>(), ["identified", "created"]);
        let open = episodes::open_ones(&store.db).await.unwrap();
        assert_eq!(open[0].items, [(item("rm_2"), Some(1))].into(), "nobody is told of the same person twice");
        assert!(taken(&engine, &[("n:E1", "rm_1")]).await.is_empty(), "once is enough");
    }
}

#[tokio::test]
async fn what_flies_lands_under_the_new_id() {
    for engine in both().await {
        let store = &engine.store;
        put(&engine, &[named(1, "n:E1", 5, RowState::Due), named(2, "rm_2", 5, RowState::Due)]).await;
        let content = of(&engine, "n:E1").await.unwrap().content;
        let member = |employee: &str, code: &str| Member {
            key: key(employee),
            code: code.to_owned(),
            version: 5,
            content: content.clone(),
            received: Millis(START),
        };
        let batch = Batch {
            account: "a".to_owned(),
            id: 7,
            op: Op::Create,
            repair: None,
            state: BatchState::Planned,
            members: vec![member("n:E1", "E1"), member("rm_2", "E2")],
            payload: vec![Values::new(), Values::new()],
            task: None,
            epoch: 1,
            planned: Millis(START),
            gives_up: Millis(START),
            next_look: Millis(START),
            looks: 0,
        };
        let tx = store.begin().await.unwrap();
        batches::insert(store, &tx, &batch).await.unwrap();
        let doc = json!({"suspects": [key("n:E1"), key("rm_2")], "aside": [], "testing": {"Alone": key("n:E1")}});
        let repair = Repair { id: 7, op: Op::Create, doc: doc.to_string() };
        batches::put_repair(&tx, "a", &repair).await.unwrap();
        employees::fly(&tx, &[key("n:E1"), key("rm_2")], 7, Millis(START)).await.unwrap();
        tx.commit().await.unwrap();

        assert_eq!(taken(&engine, &[("n:E1", "rm_1")]).await, ["n:E1"]);
        let row = of(&engine, "rm_1").await.unwrap();
        assert_eq!((row.state, row.batch), (RowState::Flying, Some(7)), "{}", engine.name);
        let batch = batches::get(store, &store.db, "a", 7).await.unwrap();
        let people: Vec<&str> = batch.members.iter().map(|member| member.key.employee.as_str()).collect();
        assert_eq!(people, ["rm_1", "rm_2"]);
        assert_eq!(batch.members[0].content, row.content, "nothing new came meanwhile");
        assert_eq!(batch.members[1].content, content);
        let searches = batches::repairs(&store.db, "a").await.unwrap();
        let doc: serde_json::Value = serde_json::from_str(&searches[0].doc).unwrap();
        let expected = json!({"suspects": [key("rm_1"), key("rm_2")], "aside": [], "testing": {"Alone": key("rm_1")}});
        assert_eq!(doc, expected);
    }
}

#[tokio::test]
async fn somebody_known_already_becomes_one_with_the_row_unless_something_was_written() {
    for engine in both().await {
        let store = &engine.store;
        // Known by webhook before there was a number; with a change that waits; and written under another number.
        put(
            &engine,
            &[
                named(1, "n:E1", 5, RowState::Synced),
                named(71, "rm_1", 9, RowState::Baseline),
                named(2, "n:E2", 5, RowState::Baseline),
                named(72, "rm_2", 3, RowState::Due),
                named(3, "n:E3", 5, RowState::Synced),
                named(73, "rm_3", 3, RowState::Synced),
                named(4, "n:E4", 5, RowState::Synced),
                named(5, "n:E5", 5, RowState::Synced),
            ],
        )
        .await;
        let tx = store.begin().await.unwrap();
        let landing = Landing { key: key("rm_3"), written: Values::new(), number: "E73".to_owned(), due_again: false };
        employees::land(store, &tx, &[landing], Millis(START)).await.unwrap();
        tx.commit().await.unwrap();
        let wanted = [("n:E1", "rm_1"), ("n:E2", "rm_2"), ("n:E3", "rm_3"), ("n:E4", "rm_4"), ("n:E5", "rm_4")];
        assert_eq!(taken(&engine, &wanted).await, ["n:E1", "n:E2", "n:E4"], "{}", engine.name);
        let one = of(&engine, "rm_1").await.unwrap();
        assert_eq!((one.number.as_deref(), one.version, one.state), (Some("E1"), 9, RowState::Synced));
        let two = of(&engine, "rm_2").await.unwrap();
        assert_eq!((two.number.as_deref(), two.version, two.state), (Some("E2"), 5, RowState::Due));
        for stays in ["n:E3", "rm_3", "n:E5"] {
            assert!(of(&engine, stays).await.is_some(), "{}: {stays}", engine.name);
        }
        let tx = store.begin().await.unwrap();
        let slim = employees::lock_slim(&tx, &[key("rm_1")]).await.unwrap();
        assert_eq!(slim[&key("rm_1")].event_ids, ["n:E1/5", "rm_1/9"], "a resend of either is recognised");
    }
}

async fn states(engine: &Engine) -> Vec<(String, bool)> {
    let rows = engine.store.db.rows("SELECT state FROM previews ORDER BY made_ms", vec![]).await.unwrap();
    let wanted = connections::get(&engine.store, &engine.store.db, "c").await.unwrap().preview_wanted.is_some();
    rows.iter().map(|row| (row.get("state").unwrap(), wanted)).collect()
}

#[tokio::test]
async fn the_preview_of_an_upload_is_made_when_all_its_rows_are_taken() {
    for engine in both().await {
        let store = &engine.store;
        let id: UploadId = uploads::fresh_id().unwrap();
        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        connections::put_tenant(&tx, "t", "テスト", now).await.unwrap();
        let credentials = Credentials { key: "k".into(), secret: "s".into() };
        accounts::put(store, &tx, "a", "https://kaonavi.test", &credentials, now).await.unwrap();
        connections::put(&tx, &connection(), now).await.unwrap();
        uploads::begin(&tx, &id, "c", "command", Mode::SendDifferences, now).await.unwrap();
        let person =
            |line: u64, employee: &str, taken: bool| UploadPerson { line, employee: employee.to_owned(), taken };
        let people = [person(2, "rm_1", true), person(3, "n:E2", false), person(4, "n:E3", false)];
        uploads::gather(&tx, &id, "c", &people, now).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(states(&engine).await, [("gathering".to_owned(), false)], "{}", engine.name);
        assert!(!uploads::any_ended(&store.db, "c").await.unwrap());
        assert_eq!(uploads::among(&store.db, &["b", "c"]).await.unwrap(), ["c".to_owned()].into());
        let other = uploads::fresh_id().unwrap();
        let both_ids = [id.clone(), other].into();
        assert_eq!(uploads::stored_only(&store.db, &both_ids).await.unwrap(), [id.clone()].into());
        for (row, state) in [((3, "rm_2"), "gathering"), ((3, "rm_2"), "gathering"), ((4, "n:E3"), "wanted")] {
            let tx = store.begin().await.unwrap();
            uploads::took(&tx, &id, &[(row.0, row.1.to_owned())], now).await.unwrap();
            uploads::end(&tx, &id, "{}", now).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(states(&engine).await, [(state.to_owned(), state == "wanted")], "{}: {row:?}", engine.name);
        }
        assert!(uploads::any_ended(&store.db, "c").await.unwrap());
        let shown = renkei_store::previews::Shown::Upload(id.to_string());
        let people = renkei_store::previews::people(&store.db, "c", &shown).await.unwrap();
        assert_eq!(people, ["rm_1", "rm_2", "n:E3"]);
        assert!(
            renkei_store::previews::people(&store.db, "d", &shown).await.unwrap().is_empty(),
            "of its connection only"
        );
    }
}
