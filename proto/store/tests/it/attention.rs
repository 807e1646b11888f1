//! What people say about rows that need them.

use renkei_events::ids::TenantId;
use renkei_runtime::clock::Millis;
use renkei_store::accounts::{self, Credentials};
use renkei_store::activity::{self, About, Entry};
use renkei_store::attention::{self, Whom};
use renkei_store::connections::{self, Connection};
use renkei_store::db::Sql as _;
use renkei_store::employees::{self, RowState};
use renkei_store::owned::{self, OwnConnection};
use renkei_store::people;
use secrecy::SecretString;

use crate::employees::{key, put, row};
use crate::engines::{Engine, both};

async fn own(engine: &Engine) -> OwnConnection {
    let store = &engine.store;
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    connections::put_tenant(&tx, "t", "T", now).await.unwrap();
    let secret = || SecretString::from("x");
    let credentials = Credentials { key: secret(), secret: secret() };
    accounts::put(store, &tx, "a", "https://api.kaonavi.jp/api/v2.0", &credentials, now).await.unwrap();
    let connection = Connection { account: Some("a".to_owned()), ..Connection::draft("c", "t", "roumumate") };
    connections::put(&tx, &connection, now).await.unwrap();
    let mut rows = vec![row(1, 1), row(2, 1), row(3, 1), row(4, 1)];
    for (at, code) in [(0, "kaonavi.rejected"), (1, "mapping.too_long"), (2, "member.near_miss"), (3, "source.type")] {
        rows[at].slim.state = if at == 2 { RowState::Held } else { RowState::Parked };
        rows[at].reason = Some(code.to_owned());
    }
    rows[3].record = None;
    employees::put_consumed(store, &tx, &rows, now).await.unwrap();
    tx.commit().await.unwrap();
    owned::find(store, &store.db, &TenantId::new("t").unwrap(), "c").await.unwrap().unwrap()
}

async fn states(engine: &Engine, own: &OwnConnection) -> Vec<(String, Option<String>)> {
    let rows = people::page(&engine.store, std::slice::from_ref(own), Default::default(), ("", ""), 99).await.unwrap();
    rows.into_iter().map(|row| (row.state.as_str().to_owned(), row.reason)).collect()
}

fn state(state: &str, reason: Option<&str>) -> (String, Option<String>) {
    (state.to_owned(), reason.map(str::to_owned))
}

#[tokio::test]
async fn retry_of_a_cause_makes_its_people_due_and_nobody_else() {
    for engine in both().await {
        let (store, own) = (&engine.store, own(&engine).await);
        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        let whom = Whom::Code(Some("kaonavi.rejected"));
        assert_eq!(attention::retry(store, &tx, &own, whom, now).await.unwrap(), 1, "{}", engine.name);
        tx.commit().await.unwrap();
        assert_eq!(states(&engine, &own).await[0], state("due", None));
        let tx = store.begin().await.unwrap();
        let all = attention::retry(store, &tx, &own, Whom::Code(None), now).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(all, 1, "who is held waits for a decision, and an unreadable record for another one");
        let expected = [
            state("due", None),
            state("due", None),
            state("held", Some("member.near_miss")),
            state("parked", Some("source.type")),
        ];
        assert_eq!(states(&engine, &own).await, expected);
        let entries = activity::of_employee(store, "c", &key(1).employee, 9).await.unwrap();
        assert_eq!(entries[0].kind, "retried");
        let due = accounts::due(store, "w", Millis(now.0 + 1), 9).await.unwrap();
        assert_eq!(due.len(), 1, "the account is awake");
    }
}

/// Not their neighbours who are stopped for the same cause, and nobody who waits for a decision.
#[tokio::test]
async fn retry_of_somebody_by_name_makes_that_person_due_and_nobody_else() {
    for engine in both().await {
        let (store, own) = (&engine.store, own(&engine).await);
        let mut neighbour = row(5, 1);
        neighbour.slim.state = RowState::Parked;
        neighbour.reason = Some("kaonavi.rejected".to_owned());
        put(&engine, &[neighbour]).await;
        let before = states(&engine, &own).await;
        let retry = async |whom: &[String]| {
            let tx = store.begin().await.unwrap();
            let now = store.now_in(&tx).await.unwrap();
            let changed = attention::retry(store, &tx, &own, Whom::Employees(whom), now).await.unwrap();
            tx.commit().await.unwrap();
            changed
        };
        // Held, unreadable, unknown; and nobody at all.
        assert_eq!(retry(&[key(3).employee, key(4).employee, "nobody".to_owned()]).await, 0, "{}", engine.name);
        assert_eq!(retry(&[]).await, 0);
        assert_eq!(states(&engine, &own).await, before);
        assert_eq!(retry(&[key(1).employee]).await, 1, "{}", engine.name);
        let mut after = before;
        after[0] = state("due", None);
        assert_eq!(states(&engine, &own).await, after);
        let kinds = async |index: usize| {
            let entries = activity::of_employee(store, "c", &key(index).employee, 9).await.unwrap();
            entries.into_iter().map(|entry| entry.kind).collect::<Vec<_>>()
        };
        assert_eq!((kinds(1).await, kinds(5).await), (vec!["retried".to_owned()], vec![]), "{}", engine.name);
        assert_eq!(retry(&[key(1).employee]).await, 0, "who is on the way already is not counted");
    }
}

#[tokio::test]
async fn what_was_dismissed_outlives_a_change_of_settings() {
    for engine in both().await {
        let (store, own) = (&engine.store, own(&engine).await);
        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        let whom = [key(1).employee, key(3).employee, "nobody".to_owned()];
        let dismissed = attention::dismiss(store, &tx, &own, Whom::Employees(&whom), now).await.unwrap();
        assert_eq!(dismissed, 2, "{}: who is held as well as who is parked", engine.name);
        employees::judge_again(&tx, "c", now).await.unwrap();
        tx.commit().await.unwrap();
        let found = states(&engine, &own).await;
        assert_eq!(found[0], state("skipped", Some("dismissed")));
        assert_eq!(found[1], state("due", None), "the mapping's people are judged again");
        assert_eq!(found[2], state("skipped", Some("dismissed")));
    }
}

#[tokio::test]
async fn a_mass_change_is_declined_and_not_dismissed() {
    for engine in both().await {
        let (store, own) = (&engine.store, own(&engine).await);
        for code in ["delivery.brake", "delivery.ceiling", "delivery.declined"] {
            let tx = store.begin().await.unwrap();
            let now = store.now_in(&tx).await.unwrap();
            tx.exec("UPDATE employees SET reason = $1 WHERE state = 'held'", vec![code.into()]).await.unwrap();
            let dismissed = attention::dismiss(store, &tx, &own, Whom::Code(Some(code)), now).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(dismissed, 0, "{}: {code}", engine.name);
            assert_eq!(states(&engine, &own).await[2], state("held", Some(code)), "it can still be released");
        }
    }
}

#[tokio::test]
async fn i9_another_tenant_has_no_way_to_a_connection() {
    for engine in both().await {
        let (store, own) = (&engine.store, own(&engine).await);
        let other = TenantId::new("other").unwrap();
        assert!(owned::find(store, &store.db, &other, &own.id).await.unwrap().is_none(), "{}", engine.name);
        assert!(owned::all(store, &store.db, &other).await.unwrap().is_empty());
        assert!(attention::page(store, &[], None, ("", ""), 9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn attention_comes_in_pages() {
    for engine in both().await {
        let (store, own) = (&engine.store, [own(&engine).await]);
        let first = attention::page(store, &own, None, ("", ""), 2).await.unwrap();
        let last = &first[1].key;
        let second = attention::page(store, &own, None, (&last.connection, &last.employee), 9).await.unwrap();
        let ids: Vec<_> = first.iter().chain(&second).map(|row| row.key.employee.as_str()).collect();
        assert_eq!(ids, ["e1", "e2", "e3", "e4"], "{}", engine.name);
        let one = attention::page(store, &own, Some("mapping.too_long"), ("", ""), 9).await.unwrap();
        assert_eq!(one.len(), 1);
    }
}

#[tokio::test]
async fn activity_is_listed_of_a_person_and_for_a_reason_alone_and_together() {
    for engine in both().await {
        let (store, own) = (&engine.store, [own(&engine).await]);
        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        let told = |index: usize, kind: &str, code: Option<&str>| Entry {
            at: now,
            connection: "c".to_owned(),
            employee: Some(key(index).employee),
            kind: kind.to_owned(),
            code: code.map(str::to_owned),
            detail: None,
        };
        let near = Some("member.near_miss");
        let entries = [
            told(1, "warning", near),
            told(1, "updated", None),
            told(2, "held", near),
            told(2, "parked", Some("kaonavi.rejected")),
            // Of a connection that is not the caller's.
            Entry { connection: "another".to_owned(), ..told(1, "warning", near) },
        ];
        activity::add(store, &tx, &entries).await.unwrap();
        tx.commit().await.unwrap();
        let listed = async |about: About<'_>, before: i64, most: u32| {
            let page = activity::page(store, &own, about, before, most).await.unwrap();
            let kinds: Vec<String> = page.iter().map(|(_, entry)| entry.kind.clone()).collect();
            (kinds, page.last().map(|(id, _)| *id))
        };
        let first = key(1).employee;
        let of_code = About { code: near, ..About::default() };
        let of_both = About { employee: Some(&first), code: near };
        let of_person = About { employee: Some(&first), ..About::default() };
        assert_eq!(listed(of_code, i64::MAX, 9).await.0, ["held", "warning"], "{}", engine.name);
        assert_eq!(listed(of_both, i64::MAX, 9).await.0, ["warning"], "{}", engine.name);
        assert_eq!(listed(of_person, i64::MAX, 9).await.0, ["updated", "warning"], "{}", engine.name);
        assert_eq!(listed(About::default(), i64::MAX, 9).await.0.len(), 4, "{}", engine.name);
        let (newest, last) = listed(of_code, i64::MAX, 1).await;
        assert_eq!(newest, ["held"]);
        assert_eq!(listed(of_code, last.unwrap(), 1).await.0, ["warning"], "{}: it goes on", engine.name);
        assert!(listed(About { code: Some("member.gone"), ..of_both }, i64::MAX, 9).await.0.is_empty());
    }
}
