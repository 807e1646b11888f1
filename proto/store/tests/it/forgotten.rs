//! Deleting one person: what has no test beside the attendance of [`crate::attendance`].

use std::time::Duration;

use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use renkei_store::attendance::mornings;
use renkei_store::connections::{self, Connection};
use renkei_store::db::Sql;
use renkei_store::episodes::{self, Item, Trouble};
use renkei_store::error::StoreError;
use renkei_store::forgotten::{self, Person};
use renkei_store::jobs;
use renkei_store::links::{self, AttendanceSource, Link};
use renkei_store::outbox::{self, Mail};
use secrecy::SecretString;

use crate::accounts::an_account;
use crate::employees::{put, row};
use crate::engines::{Engine, START, both};

const TODAY: &str = "2026-04-01";

fn mail() -> Mail {
    let text = || "髙橋".to_owned();
    Mail { to: vec!["hr@example.jp".to_owned()], subject: text(), text: text(), html: text() }
}

/// A connection `c` with the people `e1` and `e2`.
async fn connection(engine: &Engine) -> Connection {
    let store = &engine.store;
    an_account(store, "a").await;
    let connection = Connection { account: Some("a".to_owned()), ..Connection::draft("c", "t", "roumumate") };
    let tx = store.begin().await.unwrap();
    connections::put_tenant(&tx, "t", "t", Millis(START)).await.unwrap();
    connections::put(&tx, &connection, Millis(START)).await.unwrap();
    tx.commit().await.unwrap();
    put(engine, &[row(1, 1), row(2, 1)]).await;
    connection
}

#[tokio::test]
async fn a_mail_that_waits_and_names_the_person_is_taken_back_and_the_others_in_it_are_told_anew() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let trouble = Trouble::of(Code::KaonaviRejected, &connection(&engine).await);
        let item = |employee: &str| Item { connection: "c".to_owned(), employee: employee.to_owned() };
        let items = [item("e1"), item("e2")];
        let now = store.now().await.unwrap();
        let tx = store.begin().await.unwrap();
        let episode = episodes::open(&tx, &trouble, now).await.unwrap();
        episodes::add_items(&tx, episode, &items, None, now).await.unwrap();
        assert!(episodes::tell(&tx, episode, 1, &items, now).await.unwrap(), "{name}");
        outbox::enqueue(store, &tx, "m1@x", (episode, 1), &mail(), now).await.unwrap();
        tx.commit().await.unwrap();

        let tx = store.begin().await.unwrap();
        let person = Person { tenant: "t", connection: "c", employee: "e1" };
        let gone = forgotten::forget_person(store, &tx, person, TODAY).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        assert_eq!(gone.records, 1, "{name}");
        assert_eq!(outbox::counts(&store.db).await.unwrap(), [("given_up".to_owned(), 1)], "{name}");
        let left = store.db.rows("SELECT message_id FROM outbox WHERE mail IS NOT NULL", vec![]).await.unwrap();
        assert!(left.is_empty(), "{name}: what it said is gone");
        let open = episodes::open_ones(&store.db).await.unwrap();
        assert_eq!(open[0].items, [(item("e2"), None)].into(), "{name}");
        assert_eq!((open[0].digests, open[0].last_digest), (1, None), "{name}: the next mail is due");

        // Somebody of whom nothing waits takes no mail back.
        let tx = store.begin().await.unwrap();
        assert!(episodes::tell(&tx, episode, 2, &[], now).await.unwrap(), "{name}");
        outbox::enqueue(store, &tx, "m2@x", (episode, 2), &mail(), now).await.unwrap();
        let person = Person { tenant: "t", connection: "c", employee: "e2" };
        assert!(forgotten::forget_person(store, &tx, person, TODAY).await.unwrap().is_some(), "{name}");
        tx.commit().await.unwrap();
        let counts = [("given_up".to_owned(), 1), ("waiting".to_owned(), 1)];
        assert_eq!(outbox::counts(&store.db).await.unwrap(), counts, "{name}");
    }
}

#[tokio::test]
async fn a_mail_of_a_morning_that_waits_and_names_the_code_is_taken_back() {
    let told = |code: &str| (code.to_owned(), "attendance.double_number".to_owned());
    // Whether the mail waits still, and who counts as told afterwards.
    for (waits, expected) in [(true, vec![]), (false, vec![told("E2")])] {
        for engine in both().await {
            let (store, name) = (&engine.store, engine.name);
            connection(&engine).await;
            let now = store.now().await.unwrap();
            let key = SecretString::from("key".to_owned());
            let issued = jiff::civil::date(2026, 4, 1);
            let link = Link::draft(store, "l", "t", (AttendanceSource::Hrmos, "acme"), key, issued, now);
            let tx = store.begin().await.unwrap();
            assert!(links::put(store, &tx, &link).await.unwrap(), "{name}");
            let number = mornings::see_to(&tx, "l", TODAY).await.unwrap().unwrap();
            mornings::tell(&tx, "l", &[told("E1"), told("E2")], &[]).await.unwrap();
            outbox::enqueue(store, &tx, "m@x", (-number, 1), &mail(), now).await.unwrap();
            tx.commit().await.unwrap();
            if !waits {
                outbox::sent(&store.db, "m@x", now).await.unwrap();
            }
            let tx = store.begin().await.unwrap();
            forgotten::forget_code(store, &tx, "t", "E1", TODAY).await.unwrap();
            tx.commit().await.unwrap();
            let state = if waits { "given_up" } else { "sent" };
            assert_eq!(outbox::counts(&store.db).await.unwrap(), [(state.to_owned(), 1)], "{name}");
            let still: Vec<_> = mornings::told(&store.db, "l").await.unwrap().into_iter().collect();
            assert_eq!(still, expected, "{name}");
        }
    }
}

/// It may have read what is deleted now.
#[tokio::test]
async fn a_decision_that_is_under_way_when_somebody_is_deleted_writes_nothing_more_and_another_one_is_made() {
    const HOLD: Duration = Duration::from_secs(90);
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        connection(&engine).await;
        let now = store.now().await.unwrap();
        let tx = store.begin().await.unwrap();
        for (id, tenant) in [("l", "t"), ("another", "u")] {
            connections::put_tenant(&tx, tenant, tenant, now).await.unwrap();
            let (key, issued) = (SecretString::from("key".to_owned()), jiff::civil::date(2026, 4, 1));
            let link = Link::draft(store, id, tenant, (AttendanceSource::Hrmos, "acme"), key, issued, now);
            assert!(links::put(store, &tx, &link).await.unwrap(), "{name}");
            links::want_decision(store, &tx, id, now).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut held = jobs::claim(store, "w1", &[links::DECIDE], now, HOLD, 9).await.unwrap();
        held.sort_by(|one, other| one.subject.cmp(&other.subject));
        let [anothers, own] = &held[..] else { panic!("{name}: {held:?}") };
        let tx = store.begin().await.unwrap();
        forgotten::forget_code(store, &tx, "t", "E1", TODAY).await.unwrap();
        tx.commit().await.unwrap();
        let tx = store.begin().await.unwrap();
        let fenced = |result: Result<(), StoreError>| assert!(matches!(result, Err(StoreError::Fenced)), "{result:?}");
        fenced(jobs::still_held(&tx, own).await);
        fenced(jobs::go_on(&tx, own, "{}", now).await);
        fenced(jobs::finish(&tx, own).await);
        jobs::still_held(&tx, anothers).await.unwrap();
        tx.commit().await.unwrap();
        let next = jobs::claim(store, "w2", &[links::DECIDE], now, HOLD, 9).await.unwrap();
        let next: Vec<_> = next.iter().map(|job| (job.subject.as_str(), job.doc.as_str())).collect();
        assert_eq!(next, [("l", "{}")], "{name}");
    }
}
