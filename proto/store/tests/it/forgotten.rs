//! Deleting one person: what has no test beside the attendance of [`crate::attendance`].

use std::collections::BTreeSet;
use std::time::Duration;

use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use renkei_store::Store;
use renkei_store::attendance::mornings::{self, Untold};
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

/// One that was taken back, for whoever has not got it.
fn taken_back(to: &str) -> Mail {
    Mail { to: vec![to.to_owned()], subject: String::new(), text: String::new(), html: String::new() }
}

/// The mails that wait, by Message-ID.
pub async fn waiting(store: &Store) -> Vec<(String, Mail)> {
    let query = "SELECT message_id, mail FROM outbox WHERE state = 'waiting' ORDER BY message_id";
    let rows = store.db.rows(query, vec![]).await.unwrap();
    let open = |id: String, sealed: Vec<u8>| {
        let mail: Mail = store.keys.open_json(&format!("outbox.mail|{id}"), &sealed).unwrap();
        (id, mail)
    };
    rows.iter().map(|row| open(row.get("message_id").unwrap(), row.get("mail").unwrap())).collect()
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

fn item(employee: &str) -> Item {
    Item { connection: "c".to_owned(), employee: employee.to_owned() }
}

/// A mail `m1@x` that waits and tells of `e1` and `e2`. Answers what they are in and the number of the episode.
async fn mail_about_both(engine: &Engine, mail: &Mail) -> (Trouble, i64) {
    let store = &engine.store;
    let trouble = Trouble::of(Code::KaonaviRejected, &connection(engine).await);
    let items = [item("e1"), item("e2")];
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    let episode = episodes::open(&tx, &trouble, now).await.unwrap();
    episodes::add_items(&tx, episode, &items, None, now).await.unwrap();
    assert!(episodes::tell(&tx, episode, 1, &items, now).await.unwrap());
    outbox::enqueue(store, &tx, "m1@x", (episode, 1), mail, now).await.unwrap();
    tx.commit().await.unwrap();
    (trouble, episode)
}

async fn forget(engine: &Engine, employee: &str) {
    let tx = engine.store.begin().await.unwrap();
    let person = Person { tenant: "t", connection: "c", employee };
    let gone = forgotten::forget_person(&engine.store, &tx, person, TODAY).await.unwrap().unwrap();
    assert_eq!(gone.records, 1);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_mail_that_waits_and_names_the_person_is_taken_back_and_tells_of_the_others_in_it_still() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let now = store.now().await.unwrap();
        let (trouble, episode) = mail_about_both(&engine, &mail()).await;
        forget(&engine, "e1").await;
        let first = ("m1@x".to_owned(), taken_back("hr@example.jp"));
        assert_eq!(waiting(store).await, std::slice::from_ref(&first), "{name}: what it said is gone");
        let told = episodes::told_in(&store.db, episode, 1).await.unwrap();
        assert_eq!(told, Some((trouble, vec![item("e2")])), "{name}");
        let open = episodes::open_ones(&store.db).await.unwrap();
        assert_eq!(open[0].items, [(item("e2"), Some(1))].into(), "{name}");
        assert_eq!((open[0].digests, open[0].last_digest), (1, Some(now)), "{name}: it is the same mail");

        // One in which somebody does not stand says what it said.
        let tx = store.begin().await.unwrap();
        assert!(episodes::tell(&tx, episode, 2, &[], now).await.unwrap(), "{name}");
        outbox::enqueue(store, &tx, "m2@x", (episode, 2), &mail(), now).await.unwrap();
        tx.commit().await.unwrap();
        forget(&engine, "e2").await;
        assert_eq!(waiting(store).await, [first, ("m2@x".to_owned(), mail())], "{name}");
        assert_eq!(episodes::told_in(&store.db, episode, 1).await.unwrap(), None, "{name}: nobody is left in it");
    }
}

/// Whoever had it got it twice, when all of its recipients were told anew.
#[tokio::test]
async fn a_mail_that_is_taken_back_waits_for_those_alone_who_have_not_got_it() {
    let minute = Duration::from_secs(60);
    // Whether it is being handed over when somebody in it is deleted.
    for under_way in [false, true] {
        for engine in both().await {
            let (store, name) = (&engine.store, engine.name);
            let to = ["hr@example.jp", "late@example.jp"].map(str::to_owned).to_vec();
            mail_about_both(&engine, &Mail { to, ..mail() }).await;
            let now = store.now().await.unwrap();
            let mut taken = outbox::take(store, now, now + minute).await.unwrap().unwrap();
            if under_way {
                forget(&engine, "e1").await;
            }
            taken.mail.to.remove(0);
            assert!(outbox::failed(store, &taken, now + 2 * minute, now).await.unwrap(), "{name}");
            if !under_way {
                forget(&engine, "e1").await;
            }
            let expected = [("m1@x".to_owned(), taken_back("late@example.jp"))];
            assert_eq!(waiting(store).await, expected, "{name}: under way: {under_way}");
            assert_eq!(outbox::next_try(&store.db).await.unwrap(), Some(now + 2 * minute), "{name}");
        }
    }
}

/// A link with a mail of a morning that waits, and says of these why their days are not written. Answers the mail's number.
async fn morning_mail(store: &Store, (tenant, link): (&str, &str), message_id: &str, said: &[Untold]) -> i64 {
    let (key, issued) = (SecretString::from("key".to_owned()), jiff::civil::date(2026, 4, 1));
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    connections::put_tenant(&tx, tenant, tenant, now).await.unwrap();
    let draft = Link::draft(store, link, tenant, (AttendanceSource::Hrmos, "acme"), key, issued, now);
    assert!(links::put(store, &tx, &draft).await.unwrap());
    let number = mornings::see_to(&tx, link, TODAY).await.unwrap().unwrap();
    mornings::tell(&tx, (link, number), said, &[]).await.unwrap();
    outbox::enqueue(store, &tx, message_id, (-number, 1), &mail(), now).await.unwrap();
    tx.commit().await.unwrap();
    number
}

async fn forget_code(store: &Store, code: &str) {
    let tx = store.begin().await.unwrap();
    forgotten::forget_code(store, &tx, "t", code, TODAY).await.unwrap();
    tx.commit().await.unwrap();
}

fn untold(code: &str) -> Untold {
    (code.to_owned(), "attendance.double_number".to_owned())
}

#[tokio::test]
async fn a_mail_of_a_morning_that_waits_and_names_the_code_is_taken_back() {
    for waits in [true, false] {
        for engine in both().await {
            let (store, name) = (&engine.store, engine.name);
            let number = morning_mail(store, ("t", "l"), "m@x", &[untold("E1"), untold("E2")]).await;
            if !waits {
                outbox::sent(&store.db, "m@x", store.now().await.unwrap()).await.unwrap();
            }
            forget_code(store, "E1").await;
            let expected = ("m@x".to_owned(), taken_back("hr@example.jp"));
            let expected: Vec<_> = std::iter::once(expected).filter(|_| waits).collect();
            assert_eq!(waiting(store).await, expected, "{name}");
            let left = mornings::told_in(&store.db, number).await.unwrap();
            assert_eq!(left, [untold("E2")].into(), "{name}");
        }
    }
}

/// Nothing tells any more that the person stands in it.
#[tokio::test]
async fn a_mail_of_a_morning_that_waits_is_taken_back_also_when_its_reason_was_over_before() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let number = morning_mail(store, ("t", "l"), "m1@x", &[untold("E1")]).await;
        morning_mail(store, ("u", "another"), "m2@x", &[untold("E1")]).await;
        let tx = store.begin().await.unwrap();
        let next = mornings::see_to(&tx, "l", "2026-04-02").await.unwrap().unwrap();
        mornings::tell(&tx, ("l", next), &[], &[untold("E1")]).await.unwrap();
        tx.commit().await.unwrap();
        forget_code(store, "E1").await;
        let expected = [("m1@x".to_owned(), taken_back("hr@example.jp")), ("m2@x".to_owned(), mail())];
        assert_eq!(waiting(store).await, expected, "{name}: another company's stays as it is");
        let left = mornings::told_in(&store.db, number).await.unwrap();
        assert_eq!(left, BTreeSet::new(), "{name}: it has nothing to say");
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
