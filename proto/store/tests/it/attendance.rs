//! The book of attendance and what stands around it, on both engines.

use std::time::Duration;

use jiff::civil::date;
use renkei_runtime::clock::Millis;
use renkei_store::attendance::book::{self, BookDay, DayState, Decided, Tally, Told, Written};
use renkei_store::attendance::files::{self, FileState, NewFile, StoredRow};
use renkei_store::attendance::handwork::{self, Item};
use renkei_store::attendance::members::{self, ListedMember};
use renkei_store::attendance::notes::{self, Note};
use renkei_store::attendance::protections::{self, ListedDays};
use renkei_store::attendance::run_lists::{self, KEPT, Lists, Named, Near};
use renkei_store::attendance::shared_codes::{self, Sharer};
use renkei_store::db::{Sql, Tx};
use renkei_store::links::{AttendanceSource, Link};
use renkei_store::runs::{self, Run, RunKind, RunState};
use renkei_store::{Store, connections, forgotten, jobs, links};
use secrecy::SecretString;

use crate::engines::both;

fn told(code: &str, day: &str, run: i64) -> Told {
    Told {
        tenant: "t".to_owned(),
        code: code.to_owned(),
        day: day.to_owned(),
        link: "l".to_owned(),
        person: format!("person {code}"),
        value: b"{}".to_vec(),
        content: format!("{run}"),
        run,
        began: Millis(run),
    }
}

/// So many days, none of which another link had.
fn own(days: u64) -> Written {
    Written { days, ..Written::default() }
}

fn decided(day: &BookDay, state: DayState, why: Option<&str>, forced: bool) -> Decided {
    Decided {
        code: day.told.code.clone(),
        day: day.told.day.clone(),
        seen: day.seen(),
        state,
        why: why.map(str::to_owned),
        forced,
    }
}

async fn find_day(store: &Store, sql: &impl Sql, code: &str, day: &str) -> BookDay {
    book::search(store, sql, "l", Some(code), (day, day), ("", ""), 1).await.unwrap().remove(0)
}

/// Decides about a day as it stands.
async fn decide(store: &Store, tx: &Tx, (code, day): (&str, &str), state: DayState, forced: bool) {
    let found = find_day(store, tx, code, day).await;
    book::decide(tx, "t", &[decided(&found, state, None, forced)]).await.unwrap();
}

#[tokio::test]
async fn a_day_that_is_forced_stays_so_until_its_row_is_marked() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let (a, b, c) = ("2026-03-01", "2026-03-02", "2026-03-03");
        let tx = store.begin().await.unwrap();
        book::put(store, &tx, &[told("P1", a, 1), told("P1", b, 1), told("P2", b, 2), told("P2", c, 2)], Millis(9))
            .await
            .unwrap();
        let decisions = [
            ("P1", a, DayState::Pending, None, true),
            ("P1", b, DayState::Skipped, Some("attendance.empty_at_source"), false),
            ("P2", b, DayState::Skipped, Some("attendance.half_entered"), true),
            ("P2", c, DayState::Done, None, false),
        ];
        let mut all = Vec::new();
        for (code, day, state, why, forced) in decisions {
            all.push(decided(&find_day(store, &tx, code, day).await, state, why, forced));
        }
        book::decide(&tx, "t", &all).await.unwrap();
        tx.commit().await.unwrap();
        let tallies = book::tallies(&store.db, "l").await.unwrap();
        assert_eq!(tallies[&1], Tally { pending: 1, warnings: 0 }, "{name}: an empty day is no warning");
        assert_eq!(tallies[&2], Tally { pending: 0, warnings: 1 }, "{name}");
        assert_eq!(book::dates(&store.db, "l", c, "", 9).await.unwrap(), [a, c], "{name}: old ones that wait, and new");
        assert_eq!(book::dates(&store.db, "l", a, b, 9).await.unwrap(), [c], "{name}");
        let mut people = book::people(&store.db, "l", b, c).await.unwrap();
        people.sort();
        assert_eq!(people.len(), 2, "{name}");
        let days = book::search(store, &store.db, "l", Some("P1"), (a, c), ("", ""), 9).await.unwrap();
        assert_eq!(days.iter().map(|day| day.forced).collect::<Vec<_>>(), [true, false], "{name}");
        // What is decided later does not take it back; a marked row does.
        let tx = store.begin().await.unwrap();
        decide(store, &tx, ("P1", a), DayState::Protected, false).await;
        tx.commit().await.unwrap();
        let first = || async { book::of_date(store, &store.db, "l", a, "", 9).await.unwrap().remove(0) };
        assert!(first().await.forced, "{name}");
        let tx = store.begin().await.unwrap();
        assert_eq!(book::imported(&tx, "t", &[("P1", a, "row"), ("nobody", a, "row")]).await.unwrap(), 1, "{name}");
        tx.commit().await.unwrap();
        let day = first().await;
        assert_eq!((day.forced, day.held.as_deref()), (false, Some("row")), "{name}");
    }
}

/// Days that are older than every window are decided about once, unless something changes.
#[tokio::test]
async fn what_was_decided_from_a_day_that_changed_since_is_not_written_over_it() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let [again, other, marked, same] = ["2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08"];
        let tx = store.begin().await.unwrap();
        let days = [again, other, marked, same].map(|day| told("P1", day, 1));
        book::put(store, &tx, &days, Millis(10)).await.unwrap();
        decide(store, &tx, ("P1", marked), DayState::Pending, true).await;
        tx.commit().await.unwrap();
        let read = book::search(store, &store.db, "l", None, (again, same), ("", ""), 9).await.unwrap();
        // Meanwhile a person wants one written again, a later run brings another one, and the row of a third is marked.
        let tx = store.begin().await.unwrap();
        book::force(&tx, "l", 2, again, again).await.unwrap();
        book::put(store, &tx, &[told("P1", other, 2)], Millis(20)).await.unwrap();
        book::imported(&tx, "t", &[("P1", marked, "row")]).await.unwrap();
        let all: Vec<Decided> = read.iter().map(|day| decided(day, DayState::Done, None, day.forced)).collect();
        book::decide(&tx, "t", &all).await.unwrap();
        tx.commit().await.unwrap();
        let now = book::search(store, &store.db, "l", None, (again, same), ("", ""), 9).await.unwrap();
        let stand: Vec<_> = now.iter().map(|day| (day.told.day.as_str(), day.state, day.forced)).collect();
        let expected = [
            (again, DayState::New, true),
            (other, DayState::New, false),
            (marked, DayState::New, false),
            (same, DayState::Done, false),
        ];
        assert_eq!(stand, expected, "{name}");
        // The next decision takes them.
        let tx = store.begin().await.unwrap();
        let all: Vec<Decided> = now.iter().map(|day| decided(day, DayState::Done, None, false)).collect();
        book::decide(&tx, "t", &all).await.unwrap();
        tx.commit().await.unwrap();
        let left = book::dates(&store.db, "l", "2026-03-01", "", 9).await.unwrap();
        assert!(left.is_empty(), "{name}: {left:?}");
    }
}

/// A row may be marked of a day that is new again, because the source told something else meanwhile.
#[tokio::test]
async fn a_row_that_is_marked_meanwhile_is_what_the_next_decision_compares_with() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let day = "2026-01-05";
        let tx = store.begin().await.unwrap();
        book::put(store, &tx, &[told("P1", day, 1)], Millis(10)).await.unwrap();
        let read = find_day(store, &tx, "P1", day).await;
        book::imported(&tx, "t", &[("P1", day, "row")]).await.unwrap();
        book::decide(&tx, "t", &[decided(&read, DayState::Done, None, false)]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(find_day(store, &store.db, "P1", day).await.state, DayState::New, "{name}");
    }
}

#[tokio::test]
async fn files_are_open_until_they_are_marked_or_superseded() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let rows: Vec<StoredRow> = (2..450)
            .map(|number| StoredRow {
                number,
                code: format!("P{number}"),
                day: "2026-03-01".to_owned(),
                content: "x".to_owned(),
            })
            .collect();
        let tx = store.begin().await.unwrap();
        let mut ids = Vec::new();
        for part in 1..=2 {
            let file = NewFile {
                tenant: "t",
                link: "l",
                run: 1,
                part: (part, 2),
                name: &format!("{part}.csv"),
                protection: "none",
                rows: &rows,
                bytes: b"bytes",
            };
            ids.push(files::insert(store, &tx, &file, Millis(5)).await.unwrap());
        }
        assert!(files::page(&tx, "l", i64::MAX, 9).await.unwrap().is_empty(), "{name}: nobody sees one alone");
        assert_eq!(files::find(&tx, "l", ids[0]).await.unwrap(), None, "{name}");
        files::open_made(&tx, &ids).await.unwrap();
        assert!(files::open_made(&tx, &ids).await.is_err(), "{name}: they are open");
        files::discard_unmade(&tx, "l").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(files::rows(&store.db, ids[0]).await.unwrap(), rows, "{name}");
        let open = files::open(&store.db, "l").await.unwrap();
        assert_eq!(open.iter().map(|file| file.part).collect::<Vec<_>>(), [(1, 2), (2, 2)], "{name}");
        let content = files::content(store, &store.db, &open[0]).await.unwrap();
        assert_eq!(content.as_deref(), Some(&b"bytes"[..]), "{name}");
        let tx = store.begin().await.unwrap();
        assert!(files::mark(&tx, ids[0], "token:1", Millis(7)).await.unwrap(), "{name}");
        assert!(!files::mark(&tx, ids[0], "token:2", Millis(8)).await.unwrap(), "{name}: only once");
        assert_eq!(files::supersede(&tx, "l").await.unwrap(), 1, "{name}");
        assert!(!files::mark(&tx, ids[1], "token:1", Millis(8)).await.unwrap(), "{name}");
        tx.commit().await.unwrap();
        let all = files::page(&store.db, "l", i64::MAX, 9).await.unwrap();
        assert_eq!(all.iter().map(|file| file.state).collect::<Vec<_>>(), [FileState::Superseded, FileState::Imported]);
        assert_eq!(all[1].marked, Some((Millis(7), "token:1".to_owned())), "{name}");
        assert_eq!(files::find(&store.db, "other", ids[0]).await.unwrap(), None, "{name}: of another link");
        assert_eq!(files::forget_contents(&store.db, Millis(6)).await.unwrap(), 2, "{name}");
        assert_eq!(files::content(store, &store.db, &all[0]).await.unwrap(), None, "{name}");
    }
}

#[tokio::test]
async fn handwork_is_ticked_off_once_and_comes_again_with_another_value() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let item = |value: &str| Item {
            id: 0,
            code: "P1".to_owned(),
            day: "2026-03-01".to_owned(),
            reason: "attendance.past_midnight".to_owned(),
            value: value.to_owned(),
            made: Millis(0),
            done: None,
        };
        let put = |value: &'static str| async move {
            let tx = store.begin().await.unwrap();
            handwork::put(store, &tx, "t", "l", 1, &item(value), Millis(5)).await.unwrap();
            tx.commit().await.unwrap();
            handwork::page(store, &store.db, "l", false, 0, 9).await.unwrap()
        };
        let [first] = put("22:00-25:30").await.try_into().unwrap_or_else(|_| panic!("{name}"));
        let tx = store.begin().await.unwrap();
        assert!(!handwork::tick(&tx, "other", first.id, "token:1", Millis(6)).await.unwrap(), "{name}");
        assert!(handwork::tick(&tx, "l", first.id, "token:1", Millis(6)).await.unwrap(), "{name}");
        assert!(!handwork::tick(&tx, "l", first.id, "token:1", Millis(6)).await.unwrap(), "{name}");
        handwork::remove(&tx, &[first.id]).await.unwrap();
        tx.commit().await.unwrap();
        let done = handwork::page(store, &store.db, "l", true, 0, 9).await.unwrap();
        assert_eq!(done[0].done, Some((Millis(6), "token:1".to_owned())), "{name}: what was ticked off stays");
        let [again] = put("22:00-26:00").await.try_into().unwrap_or_else(|_| panic!("{name}"));
        assert_eq!((again.value.as_str(), again.done.is_none()), ("22:00-26:00", true), "{name}");
        let known = handwork::of_period(store, &store.db, "l", "2026-03-01", "2026-03-01").await.unwrap();
        assert_eq!(known.len(), 1, "{name}");
        let tx = store.begin().await.unwrap();
        handwork::remove(&tx, &[again.id]).await.unwrap();
        tx.commit().await.unwrap();
        assert!(handwork::page(store, &store.db, "l", false, 0, 9).await.unwrap().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_member_list_takes_the_place_of_the_one_before() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let member = |code: &str| ListedMember {
            code: code.to_owned(),
            own_text: format!(" {code}"),
            name: Some("髙橋 花子".to_owned()),
            first: Some("2020-04-01".to_owned()),
            last: None,
            active: false,
            lines: vec![2, 7],
        };
        assert_eq!(members::info(&store.db, "t").await.unwrap(), None, "{name}");
        for (codes, actor) in [(vec!["P1", "P2"], "token:1"), (vec!["P3"], "token:2")] {
            let list: Vec<ListedMember> = codes.iter().map(|code| member(code)).collect();
            let tx = store.begin().await.unwrap();
            members::replace(store, &tx, "t", &list, actor, Millis(5)).await.unwrap();
            tx.commit().await.unwrap();
            let read = members::all(&store.db, "t").await.unwrap();
            let nameless: Vec<ListedMember> = list.into_iter().map(|one| ListedMember { name: None, ..one }).collect();
            assert!(read == nameless, "{name}");
            let info = members::info(&store.db, "t").await.unwrap().unwrap();
            assert_eq!((info.members, info.actor.as_str()), (codes.len() as i64, actor), "{name}");
        }
        assert!(members::all(&store.db, "other").await.unwrap().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn listed_days_belong_to_their_link() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let mut days = ListedDays {
            id: 0,
            code: "P1".to_owned(),
            first: "2026-03-01".to_owned(),
            last: "2026-03-02".to_owned(),
            actor: "token:1".to_owned(),
            made: Millis(5),
        };
        let tx = store.begin().await.unwrap();
        days.id = protections::add(&tx, "l", &days).await.unwrap();
        assert_eq!(protections::of_link(&tx, "l").await.unwrap(), [days.clone()], "{name}");
        assert!(!protections::remove(&tx, "other", days.id).await.unwrap(), "{name}");
        assert!(protections::remove(&tx, "l", days.id).await.unwrap(), "{name}");
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn however_much_changes_a_decision_is_wanted_once() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let tx = store.begin().await.unwrap();
        connections::put_tenant(&tx, "t", "t", Millis(1)).await.unwrap();
        for _ in 0..3 {
            links::want_decision(store, &tx, "l", Millis(1)).await.unwrap();
        }
        tx.commit().await.unwrap();
        let waiting = || async {
            let query = "SELECT COUNT(*) AS jobs FROM jobs WHERE kind = 'decide'";
            store.db.row(query, vec![]).await.unwrap().unwrap().get::<i64>("jobs").unwrap()
        };
        assert_eq!(waiting().await, 1, "{name}");
        // What a worker has begun with may have read what was true before.
        let now = store.now().await.unwrap();
        let hold = std::time::Duration::from_secs(9);
        let claimed = renkei_store::jobs::claim(store, "w", &[links::DECIDE], now, hold, 9).await.unwrap();
        assert_eq!(claimed.len(), 1, "{name}");
        let tx = store.begin().await.unwrap();
        links::want_decision(store, &tx, "l", Millis(2)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(waiting().await, 2, "{name}");
        assert!(links::watched(&store.db).await.unwrap().is_empty(), "{name}");
    }
}

/// How many decisions are on the calendar, and when the first one is due.
async fn decisions(store: &Store) -> (i64, i64) {
    let query = "SELECT COUNT(*) AS jobs, MIN(due_ms) AS due FROM jobs WHERE kind = 'decide'";
    let row = store.db.row(query, vec![]).await.unwrap().unwrap();
    (row.get("jobs").unwrap(), row.get("due").unwrap())
}

async fn want_decision(store: &Store, at: Millis) {
    let tx = store.begin().await.unwrap();
    links::want_decision(store, &tx, "l", at).await.unwrap();
    tx.commit().await.unwrap();
}

const HOLD: Duration = Duration::from_secs(9);

#[tokio::test]
async fn a_decision_that_was_given_back_half_made_begins_anew_when_something_changes() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let now = store.now().await.unwrap();
        want_decision(store, now).await;
        let held = jobs::claim(store, "w1", &[links::DECIDE], now, HOLD, 9).await.unwrap().remove(0);
        let tx = store.begin().await.unwrap();
        jobs::go_on(&tx, &held, r#"{"after":"2026-03-20"}"#, now).await.unwrap();
        tx.commit().await.unwrap();
        jobs::release_all(store, "w1").await.unwrap();
        want_decision(store, now).await;
        assert_eq!(decisions(store).await.0, 1, "{name}");
        let again = jobs::claim(store, "w2", &[links::DECIDE], now, HOLD, 9).await.unwrap();
        assert_eq!(again.iter().map(|job| job.doc.as_str()).collect::<Vec<_>>(), ["{}"], "{name}");
    }
}

#[tokio::test]
async fn a_decision_that_may_wait_does_not_hold_up_one_that_may_not() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let now = store.now().await.unwrap();
        let (sooner, later) = (now + Duration::from_secs(5), now + Duration::from_secs(60));
        for (wanted, due) in [(later, later), (sooner, sooner), (later, sooner)] {
            want_decision(store, wanted).await;
            assert_eq!(decisions(store).await, (1, due.0), "{name}");
        }
        // Nor does it when a worker gives it back.
        let claimed = jobs::claim(store, "w", &[links::DECIDE], sooner, HOLD, 9).await.unwrap();
        assert_eq!(claimed.len(), 1, "{name}");
        jobs::release_all(store, "w").await.unwrap();
        assert_eq!(decisions(store).await, (1, sooner.0), "{name}");
    }
}

/// What somebody changes is not there to be read before it is written.
#[tokio::test]
async fn a_waiting_decision_is_not_begun_until_what_asks_for_it_is_written() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let now = store.now().await.unwrap();
        want_decision(store, now).await;
        let tx = store.begin().await.unwrap();
        links::want_decision(store, &tx, "l", now).await.unwrap();
        let mut claim = Box::pin(jobs::claim(store, "w", &[links::DECIDE], now, HOLD, 9));
        let early = tokio::time::timeout(Duration::from_millis(300), &mut claim).await;
        assert!(early.is_err(), "{name}: {early:?}");
        tx.commit().await.unwrap();
        assert_eq!(claim.await.unwrap().len(), 1, "{name}");
        assert_eq!(decisions(store).await.0, 1, "{name}");
    }
}

/// What was read of the company before tells nothing of the one that a link reads now. A window that fails takes nothing away.
#[tokio::test]
async fn what_was_brought_by_hand_counts_until_the_link_reads_another_company() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        connections::put_tenant(&tx, "t", "t", now).await.unwrap();
        let company = (AttendanceSource::Hrmos, "h1");
        let link = Link::draft(store, "l", "t", company, SecretString::from("key"), date(2026, 4, 1), now);
        links::put(store, &tx, &link).await.unwrap();
        tx.commit().await.unwrap();
        let ran = |kind: RunKind, state: RunState| async move {
            let tx = store.begin().await.unwrap();
            let now = store.now_in(&tx).await.unwrap();
            let run = Run {
                state,
                ended: Some(now),
                days: Some(("2026-02-21".to_owned(), "2026-04-01".to_owned())),
                ..Run::draft("t", kind, "l", now)
            };
            let id = runs::insert(&tx, &run).await.unwrap();
            tx.commit().await.unwrap();
            id
        };
        let brought = || async {
            let runs = runs::brought_by_hand(&store.db, "l", "2026-02-22").await.unwrap();
            runs.into_iter().map(|run| run.id).collect::<Vec<_>>()
        };
        let before = ran(RunKind::Manual, RunState::Ok).await;
        engine.clock.pass(HOLD);
        ran(RunKind::Window, RunState::Failed).await;
        assert_eq!(brought().await, [before], "{name}");
        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        links::company_changed(store, &tx, &link, now).await.unwrap();
        tx.commit().await.unwrap();
        engine.clock.pass(HOLD);
        assert_eq!(brought().await, [] as [i64; 0], "{name}");
        let after = ran(RunKind::Manual, RunState::Warned).await;
        engine.clock.pass(HOLD);
        ran(RunKind::Window, RunState::Failed).await;
        assert_eq!(brought().await, [after], "{name}");
    }
}

#[tokio::test]
async fn who_shares_a_code_is_kept_by_date_until_it_ends() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let sharer = |day: &str, person: &str| Sharer { code: "P1".into(), day: day.into(), person: person.into() };
        let [old, a, b] = [sharer("2026-02-01", "a"), sharer("2026-03-01", "a"), sharer("2026-03-01", "b")];
        let tx = store.begin().await.unwrap();
        shared_codes::add(&tx, "l", &[(&old, false), (&a, false), (&b, false)]).await.unwrap();
        shared_codes::add(&tx, "l", &[(&a, true)]).await.unwrap();
        shared_codes::add(&tx, "another", &[(&b, false)]).await.unwrap();
        tx.commit().await.unwrap();
        let known = shared_codes::of_link(&store.db, "l").await.unwrap();
        assert_eq!(
            known.into_iter().collect::<Vec<_>>(),
            [(old, false), (a.clone(), true), (b.clone(), false)],
            "{name}"
        );
        let mut people = shared_codes::people(&store.db, "l").await.unwrap();
        people.sort();
        assert_eq!(people, [("P1".to_owned(), "a".to_owned()), ("P1".to_owned(), "b".to_owned())], "{name}");
        let tx = store.begin().await.unwrap();
        shared_codes::remove(&tx, "l", &[&b]).await.unwrap();
        for _ in 0..2 {
            shared_codes::want_again(&tx, "l", &["P1".to_owned()].into()).await.unwrap();
        }
        shared_codes::tidy(&tx, "l", "2026-02-02").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(shared_codes::wanted_again(&store.db, "l").await.unwrap(), ["P1".to_owned()].into(), "{name}");
        assert_eq!(shared_codes::wanted_again(&store.db, "another").await.unwrap(), [].into(), "{name}");
        assert_eq!(shared_codes::of_link(&store.db, "l").await.unwrap().into_keys().collect::<Vec<_>>(), [a], "{name}");
        let tx = store.begin().await.unwrap();
        shared_codes::read_again(&tx, "l").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(shared_codes::wanted_again(&store.db, "l").await.unwrap(), [].into(), "{name}");
        assert_eq!(shared_codes::of_link(&store.db, "another").await.unwrap().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn who_shared_a_code_long_ago_is_kept_while_an_old_day_of_it_is_not_settled() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let (lone, shared, first, later) = ("2026-01-05", "2026-01-10", "2026-02-02", "2026-03-01");
        let sharer = |code: &str, person: &str| Sharer { code: code.into(), day: shared.into(), person: person.into() };
        let all = [sharer("P1", "a"), sharer("P1", "b"), sharer("P2", "a"), sharer("P2", "b")];
        let tx = store.begin().await.unwrap();
        shared_codes::add(&tx, "l", &all.each_ref().map(|one| (one, false))).await.unwrap();
        let days = [told("P1", lone, 1), told("P1", later, 1), told("P2", lone, 1), told("P2", later, 1)];
        book::put(store, &tx, &days, Millis(10)).await.unwrap();
        decide(store, &tx, ("P2", lone), DayState::Unmatched, false).await;
        tx.commit().await.unwrap();
        for (state, kept) in [(DayState::New, 2), (DayState::Pending, 2), (DayState::Unmatched, 0)] {
            let tx = store.begin().await.unwrap();
            decide(store, &tx, ("P1", lone), state, false).await;
            shared_codes::tidy(&tx, "l", first).await.unwrap();
            tx.commit().await.unwrap();
            let people = shared_codes::people(&store.db, "l").await.unwrap();
            assert!(
                people.len() == kept && people.iter().all(|(code, _)| code == "P1"),
                "{name}, {state:?}: {people:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_a_day_was_before_is_told_with_its_run_and_goes_with_the_person() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let day = "2026-03-01";
        for (run, value) in [(1, "first"), (2, "second"), (2, "second"), (3, "third")] {
            let tx = store.begin().await.unwrap();
            let told = Told { value: value.as_bytes().to_vec(), ..told("P1", day, run) };
            book::put(store, &tx, &[told], Millis(run * 10)).await.unwrap();
            tx.commit().await.unwrap();
        }
        let before = book::history(store, &store.db, "t", ("P1", day), 10).await.unwrap();
        let told: Vec<_> = before.iter().map(|old| (old.run, old.since.0, &old.value[..])).collect();
        assert_eq!(told, [(2, 20, &b"second"[..]), (1, 10, b"first")], "{name}");
        assert!(book::history(store, &store.db, "another", ("P1", day), 10).await.unwrap().is_empty(), "{name}");
        // Under a corrected number, too.
        let tx = store.begin().await.unwrap();
        let moved = book::correct_code(&tx, ("l", 3), "person P1", "P9", (day, day), Millis(20)).await.unwrap();
        assert_eq!(moved, own(1), "{name}");
        let gone = forgotten::forget_code(store, &tx, "t", "P9", day).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(gone.days, 4, "{name}: with what it was under the number of before");
        assert!(book::history(store, &store.db, "t", ("P1", day), 10).await.unwrap().is_empty(), "{name}");
    }
}

/// A day is of one link at a time: the one that had it before is named, so that it is decided about.
#[tokio::test]
async fn days_that_another_link_brings_name_the_one_that_had_them() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let (a, b) = ("2026-03-01", "2026-03-02");
        let other = |code: &str, day: &str, run| Told { link: "other".to_owned(), ..told(code, day, run) };
        let of_another_company =
            |code: &str, day: &str, run| Told { tenant: "u".to_owned(), link: "m".to_owned(), ..told(code, day, run) };
        let tx = store.begin().await.unwrap();
        let days = [told("P1", a, 2), told("P1", b, 2), other("P2", a, 2), of_another_company("P1", a, 2)];
        assert_eq!(book::put(store, &tx, &days, Millis(10)).await.unwrap(), own(4), "{name}: nobody had them");
        let typed = |code: &str, day: &str| Item {
            id: 0,
            code: code.to_owned(),
            day: day.to_owned(),
            reason: "attendance.past_midnight".to_owned(),
            value: "20:00-29:00".to_owned(),
            made: Millis(10),
            done: None,
        };
        for day in [a, b] {
            handwork::put(store, &tx, "t", "l", 2, &typed("P1", day), Millis(10)).await.unwrap();
        }
        let days = [told("P1", a, 3), of_another_company("P1", a, 3)];
        assert_eq!(book::put(store, &tx, &days, Millis(20)).await.unwrap(), own(2), "{name}: their own");
        assert_eq!(book::put(store, &tx, &[other("P1", a, 1)], Millis(30)).await.unwrap(), own(0), "{name}: earlier");
        let written = book::put(store, &tx, &[other("P1", a, 4), other("P2", a, 4)], Millis(40)).await.unwrap();
        assert_eq!(written, Written { days: 2, others: ["l".to_owned()].into() }, "{name}");
        handwork::remove_anothers(&tx, "l").await.unwrap();
        tx.commit().await.unwrap();
        let left = handwork::page(store, &store.db, "l", false, 0, 9).await.unwrap();
        assert_eq!(left.iter().map(|item| item.day.as_str()).collect::<Vec<_>>(), [b], "{name}");
    }
}

/// A number goes from one person to another, where days of the first are gone at the source.
#[tokio::test]
async fn a_corrected_number_takes_the_place_of_a_day_that_is_gone_and_of_no_other() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let (a, b, c) = ("2026-03-01", "2026-03-02", "2026-03-03");
        let gone = |day: &str, run: i64| Told { person: book::GONE.to_owned(), ..told("P1", day, run) };
        let tx = store.begin().await.unwrap();
        let days = [told("P2", a, 1), told("P2", b, 1), told("P2", c, 4), told("P1", a, 1), told("P1", b, 1)];
        book::put(store, &tx, &days, Millis(10)).await.unwrap();
        book::imported(&tx, "t", &[("P1", a, "row of P1"), ("P2", a, "row of P2")]).await.unwrap();
        book::put(store, &tx, &[gone(a, 3), gone(c, 4)], Millis(30)).await.unwrap();
        decide(store, &tx, ("P1", a), DayState::Skipped, true).await;
        let moved = book::correct_code(&tx, ("l", 4), "person P2", "P1", (a, c), Millis(50)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(
            moved,
            own(1),
            "{name}: not where somebody has a day, nor a day of the run that took the other one away"
        );
        let find = |code: &'static str| async move {
            let days = book::search(store, &store.db, "l", Some(code), (a, c), ("", ""), 9).await.unwrap();
            days.into_iter().map(|day| (day.told.day.clone(), day)).collect::<std::collections::BTreeMap<_, _>>()
        };
        let now = find("P1").await;
        assert_eq!(now[b].told.person, "person P1", "{name}");
        assert_eq!(now[c].told.person, book::GONE, "{name}");
        let day = &now[a];
        assert_eq!((day.told.person.as_str(), day.state), ("person P2", DayState::New), "{name}");
        assert_eq!((day.held.as_deref(), day.forced), (Some("row of P1"), true), "{name}: what stands under the code");
        assert_eq!(find("P2").await.into_keys().collect::<Vec<_>>(), [b, c], "{name}");
        let before = book::history(store, &store.db, "t", ("P1", a), 9).await.unwrap();
        assert_eq!(before.iter().map(|old| old.run).collect::<Vec<_>>(), [3, 1], "{name}");
        // What is read once more from the log does not bring it back.
        let tx = store.begin().await.unwrap();
        assert_eq!(book::put(store, &tx, &[gone(a, 3)], Millis(60)).await.unwrap(), own(0), "{name}");
        tx.commit().await.unwrap();
    }
}

/// The number was somebody's of another link, which has no row of one of the days any more.
#[tokio::test]
async fn a_corrected_number_takes_the_place_of_a_day_that_is_gone_in_another_link_and_of_no_other() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let (a, b) = ("2026-03-01", "2026-03-02");
        let other = |person: &str, day: &str, run: i64| Told {
            link: "other".to_owned(),
            person: person.to_owned(),
            ..told("P1", day, run)
        };
        let tx = store.begin().await.unwrap();
        let days = [told("P2", a, 1), told("P2", b, 1), other("x/1", a, 2), other("x/1", b, 2)];
        book::put(store, &tx, &days, Millis(10)).await.unwrap();
        book::imported(&tx, "t", &[("P1", a, "row of P1")]).await.unwrap();
        book::put(store, &tx, &[other(book::GONE, a, 3)], Millis(30)).await.unwrap();
        let moved = book::correct_code(&tx, ("l", 4), "person P2", "P1", (a, b), Millis(50)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(moved, Written { days: 1, others: ["other".to_owned()].into() }, "{name}: not where it has a row");
        let day = find_day(store, &store.db, "P1", a).await;
        let told = &day.told;
        assert_eq!((told.link.as_str(), told.person.as_str(), told.run), ("l", "person P2", 1), "{name}");
        assert_eq!((day.state, day.held.as_deref()), (DayState::New, Some("row of P1")), "{name}");
        assert_eq!(book::tallies(&store.db, "l").await.unwrap().into_keys().collect::<Vec<_>>(), [1], "{name}");
        let before = book::history(store, &store.db, "t", ("P1", a), 9).await.unwrap();
        assert_eq!(before.iter().map(|old| old.run).collect::<Vec<_>>(), [3, 2], "{name}");
        let still = book::search(store, &store.db, "other", None, (a, b), ("", ""), 9).await.unwrap();
        assert_eq!(still.iter().map(|day| day.told.day.as_str()).collect::<Vec<_>>(), [b], "{name}");
        // What is read once more from the log does not bring it back.
        let tx = store.begin().await.unwrap();
        assert_eq!(book::put(store, &tx, &[other(book::GONE, a, 3)], Millis(60)).await.unwrap(), own(0), "{name}");
        tx.commit().await.unwrap();
    }
}

/// All days of a manual run's period are that run's when it has ended.
#[tokio::test]
async fn a_corrected_number_takes_the_place_of_a_day_that_is_gone_after_a_manual_run_too() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let (day, of_open) = ("2026-03-01", "2026-03-02");
        let gone = |day: &str, run: i64| Told { person: book::GONE.to_owned(), ..told("P1", day, run) };
        let tx = store.begin().await.unwrap();
        book::put(store, &tx, &[told("P2", day, 1), gone(day, 2)], Millis(10)).await.unwrap();
        book::force(&tx, "l", 3, day, day).await.unwrap();
        book::put(store, &tx, &[told("P2", of_open, 4), gone(of_open, 4)], Millis(40)).await.unwrap();
        let moved = book::correct_code(&tx, ("l", 4), "person P2", "P1", (day, of_open), Millis(50)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(moved, own(1), "{name}");
        let person = |day: &'static str| async move { find_day(store, &store.db, "P1", day).await.told.person };
        assert_eq!(person(day).await, "person P2", "{name}");
        assert_eq!(person(of_open).await, book::GONE, "{name}: the open run counts both");
        assert_eq!(book::written_by(&store.db, 4).await.unwrap(), 2, "{name}");
    }
}

/// Somebody with two numbers on one day: both would come to stand in one place.
#[tokio::test]
async fn of_two_days_of_one_date_a_corrected_number_goes_to_one() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let (a, b) = ("2026-03-01", "2026-03-02");
        let somebodys = |code: &str, day: &str| Told { person: "somebody".to_owned(), ..told(code, day, 1) };
        let tx = store.begin().await.unwrap();
        book::put(store, &tx, &[somebodys("P2", a), somebodys("P3", a), somebodys("P3", b)], Millis(10)).await.unwrap();
        tx.commit().await.unwrap();
        for expected in [2, 0] {
            let tx = store.begin().await.unwrap();
            let moved = book::correct_code(&tx, ("l", 2), "somebody", "P1", (a, b), Millis(20)).await;
            tx.commit().await.unwrap();
            assert_eq!(moved.unwrap(), own(expected), "{name}");
        }
        let days = book::search(store, &store.db, "l", None, (a, b), ("", ""), 9).await.unwrap();
        let days: Vec<_> = days.iter().map(|day| (day.told.day.as_str(), day.told.code.as_str())).collect();
        assert_eq!(days, [(a, "P1"), (a, "P3"), (b, "P1")], "{name}");
        let before =
            async |code: &str, day: &str| book::history(store, &store.db, "t", (code, day), 9).await.unwrap().len();
        assert_eq!((before("P2", a).await, before("P3", a).await, before("P3", b).await), (1, 0, 1), "{name}");
    }
}

/// Only the history knows whose the days were that the source took away.
#[tokio::test]
async fn of_whom_all_days_are_gone_nothing_is_left_under_an_older_number() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let (old, day, later) = ("2025-12-01", "2026-03-01", "2026-03-02");
        // Somebody else had the number before, and has another one now.
        let other = |code: &str, day: &str, run| Told { person: "other".to_owned(), ..told(code, day, run) };
        let tx = store.begin().await.unwrap();
        for run in 1..=2 {
            let days = [told("P1", old, run), told("P1", day, run), other("P5", later, run)];
            book::put(store, &tx, &days, Millis(run * 10)).await.unwrap();
        }
        book::put(store, &tx, &[other("P9", old, 1)], Millis(10)).await.unwrap();
        let moved = book::correct_code(&tx, ("l", 3), "person P1", "P9", (day, day), Millis(20)).await.unwrap();
        assert_eq!(moved, own(1), "{name}");
        let gone = Told { person: book::GONE.to_owned(), ..told("P9", day, 3) };
        book::put(store, &tx, &[gone], Millis(30)).await.unwrap();
        tx.commit().await.unwrap();
        let history = |code: &'static str, day: &'static str| async move {
            book::history(store, &store.db, "t", (code, day), 10).await.unwrap().len()
        };
        let days = |code: &'static str| async move {
            book::search(store, &store.db, "l", Some(code), (old, later), ("", ""), 9).await.unwrap().len()
        };
        assert_eq!((history("P1", day).await, history("P1", old).await, history("P9", day).await), (2, 1, 1), "{name}");
        assert_eq!((days("P1").await, days("P9").await, days("P5").await), (1, 2, 1), "{name}");
        let tx = store.begin().await.unwrap();
        let gone = forgotten::forget_code(store, &tx, "t", "P9", later).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(gone.days, 7, "{name}");
        assert_eq!((history("P1", day).await, history("P1", old).await, history("P9", day).await), (0, 0, 0), "{name}");
        assert_eq!((days("P1").await, days("P9").await), (0, 0), "{name}");
        assert_eq!((history("P5", later).await, days("P5").await), (1, 1), "{name}: the other one's stay");
    }
}

#[tokio::test]
async fn what_a_day_was_before_goes_90_days_after_something_else_took_its_place() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let day = "2026-03-01";
        let put = |run: i64| async move {
            let tx = store.begin().await.unwrap();
            let now = store.now_in(&tx).await.unwrap();
            book::put(store, &tx, &[told("P1", day, run)], now).await.unwrap();
            tx.commit().await.unwrap();
        };
        let left = || async {
            store.tidy().await.unwrap();
            let before = book::history(store, &store.db, "t", ("P1", day), 9).await.unwrap();
            before.iter().map(|old| old.run).collect::<Vec<_>>()
        };
        put(1).await;
        // It was so for long.
        engine.clock.pass(DAY * 200);
        put(2).await;
        engine.clock.pass(DAY * 10);
        put(3).await;
        for (days, expected) in [(79, vec![2, 1]), (2, vec![2]), (8, vec![2]), (2, vec![])] {
            engine.clock.pass(DAY * days);
            assert_eq!(left().await, expected, "{name}: {days} days later");
        }
        let days = book::search(store, &store.db, "l", None, (day, day), ("", ""), 9).await.unwrap();
        assert_eq!(days.len(), 1, "{name}: the book keeps the day itself");
    }
}

pub fn named(codes: &[&str]) -> Named {
    let codes: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
    Named { total: codes.len() as i64, codes }
}

/// A run of a tenant that has ended, with these lists.
pub async fn run_with_lists(store: &renkei_store::Store, tenant: &str, lists: &Lists) -> i64 {
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    let run = Run { state: RunState::Ok, ended: Some(now), ..Run::draft(tenant, RunKind::Window, "l", now) };
    let id = runs::insert(&tx, &run).await.unwrap();
    run_lists::put(store, &tx, tenant, id, lists).await.unwrap();
    tx.commit().await.unwrap();
    id
}

#[tokio::test]
async fn lists_of_a_run_stay_as_they_were_and_go_with_the_run() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let many: Vec<String> = (0..KEPT + 5).map(|number| format!("P{number:05}")).collect();
        let lists = Lists {
            list_made: Millis(5),
            matched: 7,
            only_source: named(&["P2", "P10", "P1"]),
            only_destination: Named { total: many.len() as i64, codes: many.clone() },
            near_total: 2,
            near: vec![
                Near { source: vec!["123".to_owned()], destination: vec!["0123".to_owned(), "00123".to_owned()] },
                Near { source: vec!["a1".to_owned()], destination: vec!["A1".to_owned()] },
            ],
            doubles_at_source: named(&["D1"]),
            doubles_at_destination: Named::default(),
        };
        let run = run_with_lists(store, "t", &lists).await;
        let mut kept = run_lists::find(&store.db, run).await.unwrap().unwrap();
        assert_eq!(kept.only_destination.codes, many[..KEPT], "{name}: the first ones");
        assert_eq!(kept.only_destination.total, many.len() as i64, "{name}: and how many there were");
        kept.only_destination.codes = many;
        for near in &mut kept.near {
            near.destination.sort_by_key(String::len);
        }
        assert_eq!(kept, lists, "{name}");
        assert_eq!(run_lists::find(&store.db, run + 1).await.unwrap(), None, "{name}: of another run");
        let count = || async {
            let query = "SELECT COUNT(*) AS lines FROM run_codes";
            store.db.row(query, vec![]).await.unwrap().unwrap().get::<i64>("lines").unwrap()
        };
        let day = std::time::Duration::from_secs(24 * 3600);
        engine.clock.pass(day * 89);
        store.tidy().await.unwrap();
        assert!(count().await > KEPT as i64, "{name}");
        engine.clock.pass(day * 2);
        store.tidy().await.unwrap();
        assert_eq!((count().await, run_lists::find(&store.db, run).await.unwrap()), (0, None), "{name}");
    }
}

#[tokio::test]
async fn whoever_is_forgotten_goes_from_the_lists_of_runs_and_does_not_come_back_into_them() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let near = |source: &str, destination: &str| Near {
            source: vec![source.to_owned()],
            destination: vec![destination.to_owned()],
        };
        let lists = Lists {
            list_made: Millis(5),
            matched: 1,
            only_source: named(&["P1", "P2"]),
            only_destination: named(&["P3", "P4"]),
            near_total: 2,
            near: vec![near("7", "007"), near("8", "08")],
            doubles_at_source: named(&["P5"]),
            doubles_at_destination: named(&["P6"]),
        };
        let (own, anothers) = (run_with_lists(store, "t", &lists).await, run_with_lists(store, "u", &lists).await);
        for (code, lines) in [("P1", 1), ("P3", 1), ("P5", 1), ("P6", 1), ("7", 2), ("nobody", 0)] {
            let tx = store.begin().await.unwrap();
            let gone = forgotten::forget_code(store, &tx, "t", code, "2026-04-01").await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(gone.lists, lines, "{name}: {code}");
        }
        let left = run_lists::find(&store.db, own).await.unwrap().unwrap();
        assert_eq!((left.only_source.codes, left.only_source.total), (vec!["P2".to_owned()], 2), "{name}");
        assert_eq!(left.only_destination.codes, ["P4"], "{name}");
        assert_eq!(left.near, [near("8", "08")], "{name}: with those that looked alike");
        assert!(left.doubles_at_source.codes.is_empty() && left.doubles_at_destination.codes.is_empty(), "{name}");
        assert_eq!(
            run_lists::find(&store.db, anothers).await.unwrap(),
            Some(lists.clone()),
            "{name}: another company's"
        );
        // クラウドログ lists them still; what the source tells of somebody after that is new.
        let next = run_with_lists(store, "t", &lists).await;
        let next = run_lists::find(&store.db, next).await.unwrap().unwrap();
        assert_eq!(next.only_destination.codes, ["P4"], "{name}");
        assert_eq!(next.only_source.codes, ["P1", "P2"], "{name}");
        assert!(next.doubles_at_destination.codes.is_empty(), "{name}");
    }
}

/// What a run listed under a number that was corrected since is about the same person.
#[tokio::test]
async fn an_older_number_goes_from_the_lists_of_runs_unless_somebody_else_has_it_now() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let (oldest, old, day) = ("2025-11-01", "2025-12-01", "2026-03-01");
        let lists = Lists { list_made: Millis(5), only_source: named(&["P1", "P2", "P3", "P9"]), ..Lists::default() };
        let run = run_with_lists(store, "t", &lists).await;
        let somebody = |code: &str, day: &str| Told { person: "somebody".to_owned(), ..told(code, day, 1) };
        let reason = "attendance.in_several_links".to_owned();
        let note = Note { reason, code: "P1".to_owned(), detail: String::new() };
        let tx = store.begin().await.unwrap();
        notes::add(&tx, run, &[note]).await.unwrap();
        let days = [somebody("P2", oldest), somebody("P1", old), somebody("P9", day), told("P2", day, 1)];
        book::put(store, &tx, &days, Millis(10)).await.unwrap();
        let gone = forgotten::forget_code(store, &tx, "t", "P9", day).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!((gone.days, gone.lists), (3, 3), "{name}");
        let left = run_lists::find(&store.db, run).await.unwrap().unwrap();
        assert_eq!(left.only_source.codes, ["P2", "P3"], "{name}: another one's now, and nobody's");
        assert!(notes::page(&store.db, run, ("", ""), 9).await.unwrap().is_empty(), "{name}");
    }
}
