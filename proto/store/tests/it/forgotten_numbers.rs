//! Deleting somebody who had another number before: nothing stays under it, and nothing comes back under it.

use std::collections::BTreeMap;

use renkei_runtime::clock::Millis;
use renkei_store::attendance::book::{self, Told};
use renkei_store::attendance::files::{self, NewFile, StoredRow};
use renkei_store::attendance::handwork::{self, Item};
use renkei_store::attendance::mornings;
use renkei_store::attendance::notes::{self, Note};
use renkei_store::attendance::protections::{self, ListedDays};
use renkei_store::attendance::run_lists::Lists;
use renkei_store::attendance::shared_codes::{self, Sharer};
use renkei_store::connections::Connection;
use renkei_store::db::Sql;
use renkei_store::forgotten::{ForgetError, Person};
use renkei_store::links::{self, AttendanceSource, Link};
use renkei_store::{connections, forgotten, outbox};
use secrecy::SecretString;

use crate::attendance::{named, run_with_lists};
use crate::employees::{put, row};
use crate::engines::{Engine, both};
use crate::forgotten::waiting;

const TODAY: &str = "2026-04-01";
const DAYS: [&str; 2] = ["2026-03-01", "2026-03-02"];
/// The one who is deleted, and whose id at the source is 7.
const PERSON: &str = "acme/7";
const OTHER: &str = "acme/8";
const NO_NUMBER: &str = "attendance.no_number";
const IN_SEVERAL_LINKS: &str = "attendance.in_several_links";

fn told(person: &str, code: &str, day: &str) -> Told {
    Told {
        tenant: "t".to_owned(),
        code: code.to_owned(),
        day: day.to_owned(),
        link: "l".to_owned(),
        person: person.to_owned(),
        value: b"{}".to_vec(),
        content: "x".to_owned(),
        run: 1,
        began: Millis(1),
    }
}

fn sharer(code: &str, person: &str) -> Sharer {
    Sharer { code: code.to_owned(), day: DAYS[0].to_owned(), person: person.to_owned() }
}

fn protected(code: &str) -> ListedDays {
    ListedDays {
        id: 0,
        code: code.to_owned(),
        first: DAYS[0].to_owned(),
        last: DAYS[1].to_owned(),
        actor: "token:1".to_owned(),
        made: Millis(1),
    }
}

/// A company `t` with a link `l`.
async fn company(engine: &Engine) {
    let store = &engine.store;
    let key = SecretString::from("key".to_owned());
    let issued = jiff::civil::date(2026, 4, 1);
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    connections::put_tenant(&tx, "t", "t", now).await.unwrap();
    let link = Link::draft(store, "l", "t", (AttendanceSource::Hrmos, "acme"), key, issued, now);
    assert!(links::put(store, &tx, &link).await.unwrap());
    tx.commit().await.unwrap();
}

/// In how many rows of each table a code stands.
async fn rows_with(engine: &Engine, code: &str) -> BTreeMap<&'static str, i64> {
    let tables = [
        "attendance_days",
        "attendance_file_rows",
        "attendance_history",
        "attendance_protections",
        "attendance_shared_codes",
        "handwork",
        "morning_told",
        "run_codes",
        "run_notes",
    ];
    let mut found = BTreeMap::new();
    for table in tables {
        let query = format!("SELECT COUNT(*) AS lines FROM {table} WHERE code = $1");
        let row = engine.store.db.row(&query, vec![code.into()]).await.unwrap().unwrap();
        let lines: i64 = row.get("lines").unwrap();
        if lines > 0 {
            found.insert(table, lines);
        }
    }
    found
}

/// Which of these numbers are not taken from what was said before.
async fn remembered(engine: &Engine) -> Vec<String> {
    let numbers = ["NEW", "OLD", "Q", "S"];
    forgotten::codes(&engine.store, &engine.store.db, "t", numbers).await.unwrap().into_keys().collect()
}

async fn forget(engine: &Engine, code: &str) -> forgotten::Gone {
    let tx = engine.store.begin().await.unwrap();
    let gone = forgotten::forget_code(&engine.store, &tx, "t", code, TODAY).await.unwrap();
    tx.commit().await.unwrap();
    gone
}

/// A file that was imported, and one in whose place another one came; something that was typed; what runs and mornings say.
async fn everything_under_the_old_number(engine: &Engine) -> Vec<i64> {
    let store = &engine.store;
    let lists = Lists { list_made: Millis(5), only_source: named(&["OLD", "Q"]), ..Lists::default() };
    let run = run_with_lists(store, "t", &lists).await;
    let tx = store.begin().await.unwrap();
    let days = DAYS.map(|day| [told(PERSON, "OLD", day), told(OTHER, "Q", day)]).concat();
    book::put(store, &tx, &days, Millis(10)).await.unwrap();
    let rows: Vec<StoredRow> = (2..)
        .zip(&days)
        .map(|(number, day)| StoredRow {
            number,
            code: day.code.clone(),
            day: day.day.clone(),
            content: "row".to_owned(),
        })
        .collect();
    let mut made = Vec::new();
    for name in ["1.csv", "2.csv"] {
        let (part, protection) = ((1, 1), "none");
        let file = NewFile { tenant: "t", link: "l", run, part, name, protection, rows: &rows, bytes: b"bytes" };
        made.push(files::insert(store, &tx, &file, Millis(5)).await.unwrap());
    }
    files::open_made(&tx, &made).await.unwrap();
    assert!(files::mark(&tx, made[0], "token:1", Millis(7)).await.unwrap());
    assert_eq!(files::supersede(&tx, "l").await.unwrap(), 1);
    for code in ["OLD", "Q"] {
        let item = Item {
            id: 0,
            code: code.to_owned(),
            day: DAYS[0].to_owned(),
            reason: "attendance.past_midnight".to_owned(),
            value: "22:00-25:30".to_owned(),
            made: Millis(0),
            done: None,
        };
        handwork::put(store, &tx, "t", "l", run, &item, Millis(5)).await.unwrap();
        protections::add(&tx, "l", &protected(code)).await.unwrap();
    }
    for item in handwork::page(store, &tx, "l", false, 0, 9).await.unwrap() {
        assert!(handwork::tick(&tx, "l", item.id, "token:1", Millis(6)).await.unwrap());
    }
    let note =
        |reason: &str, code: &str| Note { reason: reason.to_owned(), code: code.to_owned(), detail: String::new() };
    let said = [note(IN_SEVERAL_LINKS, "OLD"), note(NO_NUMBER, "7"), note(IN_SEVERAL_LINKS, "7"), note(NO_NUMBER, "8")];
    notes::add(&tx, run, &said).await.unwrap();
    let sharers = [sharer("OLD", PERSON), sharer("S", PERSON), sharer("S", OTHER)];
    shared_codes::add(&tx, "l", &sharers.each_ref().map(|one| (one, false))).await.unwrap();
    tx.commit().await.unwrap();
    made
}

/// A mail of a morning that waits, and says these.
async fn morning_mail(engine: &Engine, said: &[(&str, &str)]) {
    let store = &engine.store;
    let text = || "mail".to_owned();
    let mail = outbox::Mail { to: vec!["hr@example.jp".to_owned()], subject: text(), text: text(), html: text() };
    let said: Vec<_> = said.iter().map(|(code, reason)| ((*code).to_owned(), (*reason).to_owned())).collect();
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    let number = mornings::see_to(&tx, "l", TODAY).await.unwrap().unwrap();
    mornings::tell(&tx, ("l", number), &said, &[]).await.unwrap();
    outbox::enqueue(store, &tx, "m@x", (-number, 1), &mail, now).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn under_a_number_that_was_corrected_nothing_is_left_of_whoever_is_deleted() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        company(&engine).await;
        let made = everything_under_the_old_number(&engine).await;
        let others = rows_with(&engine, "Q").await;
        assert_eq!(rows_with(&engine, "OLD").await.len(), 7, "{name}: all but history and mornings");
        let tx = store.begin().await.unwrap();
        let days = (DAYS[0], DAYS[1]);
        assert_eq!(book::correct_code(&tx, ("l", 9), PERSON, "NEW", days, Millis(20)).await.unwrap().days, 2, "{name}");
        tx.commit().await.unwrap();

        let gone = forget(&engine, "NEW").await;
        assert_eq!((gone.days, gone.files, gone.handwork), (4, 2, 1), "{name}: days and what they were");
        assert_eq!(gone.lists, 3, "{name}: a code, a note under it, and one of somebody without a number");
        for code in ["OLD", "NEW"] {
            assert_eq!(rows_with(&engine, code).await, BTreeMap::new(), "{name}: {code}");
        }
        assert_eq!(rows_with(&engine, "7").await, [("run_notes", 1)].into(), "{name}: another one's number");
        assert_eq!(rows_with(&engine, "8").await, [("run_notes", 1)].into(), "{name}");
        assert_eq!(rows_with(&engine, "Q").await, others, "{name}: another one's");
        for id in made {
            let file = files::find(&store.db, "l", id).await.unwrap().unwrap();
            assert_eq!(files::content(store, &store.db, &file).await.unwrap(), None, "{name}");
        }
        assert_eq!(remembered(&engine).await, ["NEW", "OLD"], "{name}: what is on the log does not come back");
        // Whoever had a number together with the deleted person has it alone, and the dates are read for that one.
        let shared: Vec<Sharer> = shared_codes::of_link(&store.db, "l").await.unwrap().into_keys().collect();
        assert_eq!(shared, [sharer("S", OTHER)], "{name}");
        assert_eq!(shared_codes::wanted_again(&store.db, "l").await.unwrap(), ["S".to_owned()].into(), "{name}");
    }
}

#[tokio::test]
async fn a_mail_that_waits_is_taken_back_and_tells_of_no_older_number_and_no_id() {
    let told_of = |code: &str, reason: &str| (code.to_owned(), reason.to_owned());
    let others = || told_of("Q", IN_SEVERAL_LINKS);
    let cases = [
        (("OLD", IN_SEVERAL_LINKS), vec![others()]),
        (("7", NO_NUMBER), vec![others()]),
        (("8", NO_NUMBER), vec![told_of("8", NO_NUMBER), others()]),
    ];
    for (said, still) in cases {
        for engine in both().await {
            let (store, name) = (&engine.store, engine.name);
            company(&engine).await;
            let tx = store.begin().await.unwrap();
            let days = [told(PERSON, "OLD", DAYS[0]), told(PERSON, "NEW", DAYS[1]), told(OTHER, "Q", DAYS[1])];
            book::put(store, &tx, &days, Millis(10)).await.unwrap();
            tx.commit().await.unwrap();
            morning_mail(&engine, &[said, ("Q", IN_SEVERAL_LINKS)]).await;
            forget(&engine, "NEW").await;
            let mails = waiting(store).await;
            assert_eq!(mails.len(), 1, "{name}: {said:?}");
            assert!(mails[0].1.is_taken_back(), "{name}: {said:?}");
            let left: Vec<_> = mornings::told(&store.db, "l").await.unwrap().into_iter().collect();
            assert_eq!(left, still, "{name}: {said:?}");
        }
    }
}

#[tokio::test]
async fn an_older_number_that_others_have_now_stays_theirs() {
    for shared in [false, true] {
        for engine in both().await {
            let (store, name) = (&engine.store, engine.name);
            company(&engine).await;
            let tx = store.begin().await.unwrap();
            let days = [told(PERSON, "OLD", DAYS[0]), told(PERSON, "NEW", DAYS[1])];
            book::put(store, &tx, &days, Millis(10)).await.unwrap();
            if shared {
                let sharers = [sharer("OLD", OTHER), sharer("OLD", "acme/9")];
                shared_codes::add(&tx, "l", &sharers.each_ref().map(|one| (one, false))).await.unwrap();
            } else {
                book::put(store, &tx, &[told(OTHER, "OLD", DAYS[1])], Millis(10)).await.unwrap();
            }
            protections::add(&tx, "l", &protected("OLD")).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(forget(&engine, "NEW").await.days, 2, "{name}");
            let left = rows_with(&engine, "OLD").await;
            assert_eq!(left.get("attendance_protections"), Some(&1), "{name}, {shared}: {left:?}");
            assert_eq!(left.get("attendance_days"), if shared { None } else { Some(&1) }, "{name}: {left:?}");
            assert_eq!(left.get("attendance_shared_codes"), if shared { Some(&2) } else { None }, "{name}: {left:?}");
            assert_eq!(remembered(&engine).await, ["NEW"], "{name}: their days are taken, {shared}");
        }
    }
}

/// What a later run told of the date.
fn by_run(run: i64, told: Told) -> Told {
    Told { run, began: Millis(run), ..told }
}

/// The source had it of the one, then of the other, and then took it away: only what it was before tells whose it was last.
#[tokio::test]
async fn a_day_that_is_gone_goes_with_whoever_had_it_last_and_not_with_whoever_had_it_before() {
    for (last, stays) in [(OTHER, true), (PERSON, false)] {
        for engine in both().await {
            let (store, name) = (&engine.store, engine.name);
            company(&engine).await;
            let tx = store.begin().await.unwrap();
            for (run, days) in [
                (1, vec![told(PERSON, "OLD", DAYS[0])]),
                (2, vec![told(last, "OLD", DAYS[0]), told(PERSON, "NEW", DAYS[1])]),
                (3, vec![told(book::GONE, "OLD", DAYS[0])]),
            ] {
                let days: Vec<Told> = days.into_iter().map(|day| by_run(run, day)).collect();
                book::put(store, &tx, &days, Millis(run * 10)).await.unwrap();
            }
            let item = Item {
                id: 0,
                code: "OLD".to_owned(),
                day: DAYS[0].to_owned(),
                reason: "attendance.empty_at_source".to_owned(),
                value: String::new(),
                made: Millis(0),
                done: None,
            };
            handwork::put(store, &tx, "t", "l", 3, &item, Millis(30)).await.unwrap();
            protections::add(&tx, "l", &protected("OLD")).await.unwrap();
            tx.commit().await.unwrap();
            let gone = forget(&engine, "NEW").await;
            assert_eq!((gone.days, gone.handwork), if stays { (2, 0) } else { (4, 1) }, "{name}: {last}");
            let tables = ["attendance_days", "attendance_history", "attendance_protections", "handwork"];
            let theirs: BTreeMap<&str, i64> = tables.into_iter().filter(|_| stays).map(|table| (table, 1)).collect();
            assert_eq!(rows_with(&engine, "OLD").await, theirs, "{name}: {last}");
            let forgotten: &[&str] = if stays { &["NEW"] } else { &["NEW", "OLD"] };
            assert_eq!(remembered(&engine).await, forgotten, "{name}: {last}");
            forget(&engine, "OLD").await;
            assert_eq!(rows_with(&engine, "OLD").await, BTreeMap::new(), "{name}: {last}");
        }
    }
}

/// A number that was given to somebody else, whom only the source of attendance tells of.
#[tokio::test]
async fn the_number_of_before_is_somebody_elses_where_attendance_knows_the_new_one() {
    // How often the new one is told of: not, once, and once more when its day is gone.
    for (times, left, deleted) in [(0, 0, 1), (1, 1, 1), (2, 1, 2)] {
        for engine in both().await {
            let (store, name) = (&engine.store, engine.name);
            company(&engine).await;
            let tx = store.begin().await.unwrap();
            connections::put(&tx, &Connection::draft("c", "t", "roumumate"), Millis(1)).await.unwrap();
            let mut days = vec![told(OTHER, "E-OLD", DAYS[0])];
            if times > 0 {
                days.push(told(PERSON, "E1", DAYS[0]));
            }
            book::put(store, &tx, &days, Millis(10)).await.unwrap();
            if times > 1 {
                book::put(store, &tx, &[by_run(2, told(book::GONE, "E1", DAYS[0]))], Millis(20)).await.unwrap();
            }
            tx.commit().await.unwrap();
            put(&engine, &[row(1, 1)]).await;
            let sql = "UPDATE employees SET written_number = 'E-OLD', account_id = NULL";
            store.db.exec(sql, vec![]).await.unwrap();
            let tx = store.begin().await.unwrap();
            let person = Person { tenant: "t", connection: "c", employee: "e1" };
            let gone = forgotten::forget_person(store, &tx, person, TODAY).await.unwrap().unwrap();
            tx.commit().await.unwrap();
            assert_eq!(gone.days, deleted, "{name}: {times}");
            let days = book::search(store, &store.db, "l", None, (DAYS[0], DAYS[1]), ("", ""), 9).await.unwrap();
            assert_eq!(days.iter().filter(|day| day.told.code == "E-OLD").count(), left, "{name}: {times}");
            assert!(days.iter().all(|day| day.told.code != "E1"), "{name}");
        }
    }
}

#[tokio::test]
async fn nobody_is_deleted_while_kaonavi_is_asked_about_the_person() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        company(&engine).await;
        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        connections::put(&tx, &Connection::draft("c", "t", "roumumate"), now).await.unwrap();
        tx.commit().await.unwrap();
        put(&engine, &[row(1, 1), row(2, 1)]).await;
        let sql = "INSERT INTO dry_runs (connection_id, employee_id, made_ms, until_ms, state) VALUES
            ('c', 'e1', 1, $1, 'sent'), ('c', 'e2', 1, $1, 'ended')";
        store.db.exec(sql, vec![(now.0 + 1000).into()]).await.unwrap();
        let forget = async |employee: &str| {
            let tx = store.begin().await.unwrap();
            let person = Person { tenant: "t", connection: "c", employee };
            let gone = forgotten::forget_person(store, &tx, person, TODAY).await;
            tx.commit().await.unwrap();
            gone
        };
        assert!(matches!(forget("e1").await, Err(ForgetError::UnderWay)), "{name}");
        assert_eq!(forget("e2").await.unwrap().unwrap().records, 1, "{name}");
        let left = store.db.rows("SELECT employee_id FROM dry_runs", vec![]).await.unwrap();
        assert_eq!(left.len(), 1, "{name}: that of somebody else stays");
        engine.clock.pass(std::time::Duration::from_secs(2));
        assert_eq!(forget("e1").await.unwrap().unwrap().records, 1, "{name}");
    }
}
