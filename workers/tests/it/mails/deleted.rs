//! Somebody is deleted of whom mails that wait tell: nobody is told of that person any more, and of the others nobody twice.

use std::time::Duration;

use renkei_events::codes::Code;
use renkei_events::ids::EmployeeId;
use renkei_store::attendance::mornings;
use renkei_store::attendance::notes::{self, Note};
use renkei_store::attendance::protections::{self, ListedDays};
use renkei_store::db::Sql;
use renkei_store::links::{self, AttendanceSource, Link};
use renkei_store::outbox::{self, Mail};
use renkei_store::runs::{self, Run, RunKind, RunState};
use renkei_store::takeover::{Takeover, take_over};
use renkei_store::{connections, forgotten};
use renkei_workers::notify::send::{Handed, MailFault};
use renkei_workers::sweep::calendar;
use renkei_workers::{commands, notify};
use secrecy::SecretString;
use serde_json::json;

use super::links::link;
use super::steps::{MINUTE, Stage, people_over, with_people};
use crate::company::{HOUR, poll_only, world_on_postgres};
use crate::forgetting_postgres::until_somebody_waits;
use crate::world::World;

const TO: [&str; 2] = ["first@example.jp", "late@example.jp"];
/// 社員コード of who is deleted and of somebody else.
const DELETED: &str = "Z90001";
const OTHER: &str = "Z90002";

/// The mail server takes the next mail for the first of its recipients alone.
fn take_for_one(stage: &Stage) {
    *stage.server.answers.lock().unwrap() = vec![Ok(Handed { refused: Vec::new(), later: vec![1] })];
}

/// The mail server is away for so many tries.
fn is_away(stage: &Stage, tries: usize) {
    *stage.server.answers.lock().unwrap() = vec![Err(MailFault::Unreachable("connection")); tries];
}

fn says(mail: &Mail, text: &str) -> bool {
    [&mail.subject, &mail.text, &mail.html].iter().any(|part| part.contains(text))
}

fn mail(text: &str) -> Mail {
    let text = text.to_owned();
    Mail { to: TO.map(str::to_owned).to_vec(), subject: text.clone(), html: text.clone(), text }
}

async fn states(stage: &Stage) -> Vec<(String, i64)> {
    outbox::counts(&stage.world.store.db).await.unwrap()
}

/// A link whose mails have two recipients.
async fn link_with_recipients(stage: &Stage) {
    link(stage, "l1", 60, AttendanceSource::Hrmos).await;
    let settings = json!({"recipients": TO}).to_string();
    stage.world.store.db.exec("UPDATE links SET settings = $1", vec![settings.into()]).await.unwrap();
}

/// A window of `l1` that came to its end, and could not bring these.
async fn window(stage: &Stage, codes: &[&str]) {
    let store = &stage.world.store;
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    let run = Run {
        id: 0,
        tenant: "t1".to_owned(),
        kind: RunKind::Window,
        subject: "l1".to_owned(),
        executor: "system".to_owned(),
        state: RunState::Warned,
        code: None,
        slot: now,
        started: now,
        ended: Some(now),
        days: None,
        counts: runs::Counts::new(),
    };
    let run = runs::insert(&tx, &run).await.unwrap();
    let reason = || Code::AttendanceInSeveralLinks.as_str().to_owned();
    let note = |code: &&str| Note { reason: reason(), code: (*code).to_owned(), detail: String::new() };
    notes::add(&tx, run, &codes.iter().map(note).collect::<Vec<_>>()).await.unwrap();
    tx.commit().await.unwrap();
}

/// The mail of a morning that tells of two could not be handed over yet.
async fn mail_of_a_morning_waits(stage: &Stage) {
    link_with_recipients(stage).await;
    window(stage, &[DELETED, OTHER]).await;
    is_away(stage, 1);
    stage.tell_for(MINUTE / 2).await;
    assert_eq!(states(stage).await, [("waiting".to_owned(), 1)]);
}

fn today(stage: &Stage) -> String {
    calendar::today(stage.world.now()).to_string()
}

async fn forget_code(stage: &Stage) {
    let store = &stage.world.store;
    let tx = store.begin().await.unwrap();
    forgotten::forget_code(store, &tx, "t1", DELETED, &today(stage)).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn i11_a_mail_that_one_recipient_had_before_a_deletion_goes_anew_to_the_other_alone() {
    let mut stage = with_people(2).await;
    stage.settings(|settings| settings.recipients = TO.map(str::to_owned).to_vec()).await;
    take_for_one(&stage);
    for index in [0, 1] {
        stage.park(index, Code::KaonaviRejected).await;
    }
    stage.tell_for(MINUTE + Duration::from_secs(20)).await;
    assert_eq!(stage.mails().len(), 1);
    commands::forget(&stage.world.store, "c1", "rm_00001").await.unwrap();
    stage.tell_for(3 * HOUR).await;
    let mails = stage.mails();
    let [(first_id, first), (second_id, second)] = &mails[..] else { panic!("two: {mails:?}") };
    assert!(says(first, "E00001") && first.subject.ends_with("（2名）"), "{}", first.text);
    assert!(!says(second, "E00001") && says(second, "E00002"), "{}", second.text);
    assert!(second.subject.ends_with("（1名）"), "{}", second.subject);
    assert_eq!((second_id, &second.to[..]), (first_id, &[TO[1].to_owned()][..]));
    assert_eq!(states(&stage).await, [("sent".to_owned(), 1)]);
}

#[tokio::test]
async fn a_mail_that_told_of_nobody_but_a_deleted_person_is_given_up() {
    let stage = with_people(1).await;
    is_away(&stage, 1);
    stage.park(0, Code::KaonaviRejected).await;
    stage.tell_for(MINUTE + Duration::from_secs(20)).await;
    assert_eq!(states(&stage).await, [("waiting".to_owned(), 1)]);
    commands::forget(&stage.world.store, "c1", "rm_00001").await.unwrap();
    stage.tell_for(HOUR).await;
    assert_eq!(stage.mails().len(), 0);
    assert_eq!(states(&stage).await, [("given_up".to_owned(), 1)]);
}

#[tokio::test]
async fn i11_a_mail_of_a_morning_that_one_recipient_had_before_a_deletion_goes_anew_to_the_other_alone() {
    let stage = Stage::new().await;
    link_with_recipients(&stage).await;
    window(&stage, &[DELETED, OTHER]).await;
    take_for_one(&stage);
    stage.tell_for(MINUTE / 2).await;
    assert_eq!(stage.mails().len(), 1);
    forget_code(&stage).await;
    stage.tell_for(HOUR).await;
    let mails = stage.mails();
    let [(first_id, first), (second_id, second)] = &mails[..] else { panic!("two: {mails:?}") };
    assert!(says(first, DELETED) && says(first, OTHER), "{}", first.text);
    assert!(!says(second, DELETED) && says(second, OTHER), "{}", second.text);
    assert_eq!((second_id, &second.to[..]), (first_id, &[TO[1].to_owned()][..]));
    stage.world.clock.set(stage.world.now() + 24 * HOUR);
    stage.tell_for(HOUR).await;
    assert_eq!(stage.mails().len(), 2, "the next morning has nothing new");
}

#[tokio::test]
async fn i8_a_mail_of_a_morning_whose_reason_was_over_before_a_deletion_names_the_person_no_more() {
    let stage = Stage::new().await;
    let store = &stage.world.store;
    link_with_recipients(&stage).await;
    window(&stage, &[DELETED]).await;
    is_away(&stage, 500);
    stage.tell_for(MINUTE / 2).await;
    // The next window brings the days, and the next morning has nothing to say.
    window(&stage, &[]).await;
    stage.world.clock.set(stage.world.now() + 24 * HOUR);
    stage.tell_for(10 * MINUTE).await;
    assert!(mornings::told(&store.db, "l1").await.unwrap().is_empty(), "it was over");
    assert_eq!(states(&stage).await, [("waiting".to_owned(), 1)]);
    forget_code(&stage).await;
    stage.server.answers.lock().unwrap().clear();
    stage.tell_for(2 * HOUR).await;
    assert_eq!(stage.mails().len(), 0);
    assert_eq!(states(&stage).await, [("given_up".to_owned(), 1)], "it had nothing else to say");
}

/// Which mail told something was not kept once: what waited then is not to lose the others that stand in it.
#[tokio::test]
async fn i11_a_mail_of_a_morning_from_before_mails_were_named_tells_of_the_others_after_a_deletion() {
    let stage = Stage::new().await;
    let store = &stage.world.store;
    mail_of_a_morning_waits(&stage).await;
    store.db.exec("UPDATE morning_told SET mail_id = NULL", vec![]).await.unwrap();
    let step = include_str!("../../../../proto/store/migrations/0020_told_earlier.sql");
    for statement in step.split_terminator(';').filter(|statement| statement.contains("UPDATE")) {
        store.db.exec(statement, vec![]).await.unwrap();
    }
    forget_code(&stage).await;
    stage.tell_for(HOUR).await;
    let mails = stage.mails();
    let [(_, mail)] = &mails[..] else { panic!("one: {mails:?}") };
    assert!(!says(mail, DELETED) && says(mail, OTHER), "{}", mail.text);
}

/// Once a link is gone, nobody finds which of its mails somebody stands in, nor which of its protected days are somebody's.
#[tokio::test]
async fn i8_mails_and_protected_days_of_a_link_that_is_taken_away_go_with_it() {
    for world in [World::simple().await, world_on_postgres(15).await] {
        let stage = Stage::over(world);
        let store = &stage.world.store;
        mail_of_a_morning_waits(&stage).await;
        let tx = store.begin().await.unwrap();
        let protected = ListedDays {
            id: 0,
            code: DELETED.to_owned(),
            first: today(&stage),
            last: today(&stage),
            actor: "token:1".to_owned(),
            made: stage.world.now(),
        };
        protections::add(&tx, "l1", &protected).await.unwrap();
        links::remove(&tx, "l1", stage.world.now()).await.unwrap();
        tx.commit().await.unwrap();
        forget_code(&stage).await;
        let left = protections::of_link(&store.db, "l1").await.unwrap();
        assert!(left.is_empty(), "nobody would find whose these are");
        stage.tell_for(HOUR).await;
        assert_eq!(stage.mails().len(), 0);
        assert_eq!(states(&stage).await, [("given_up".to_owned(), 1)]);
        let kept = store.db.row("SELECT COUNT(mail) AS mails FROM outbox", vec![]).await.unwrap().unwrap();
        assert_eq!(kept.get::<i64>("mails").unwrap(), 0);
    }
}

/// What is open was read before the transactions that write it down, so that a deletion could end in between.
#[tokio::test]
async fn i8_whoever_is_deleted_in_the_midst_of_a_look_is_named_no_more() {
    let mut between = 0;
    // The look in which an episode is opened, takes somebody in, and is told.
    for (looks, parked_meanwhile) in [(0, false), (1, true), (1, false)] {
        for polls in 0..30 {
            let mut stage = with_people(2).await;
            stage.settings(|settings| settings.recipients = TO.map(str::to_owned).to_vec()).await;
            for index in if parked_meanwhile { 1..2 } else { 0..2 } {
                stage.park(index, Code::KaonaviRejected).await;
            }
            let worker = &stage.world.workers[0];
            let look = || notify::step(&worker.context, &stage.post, &worker.name);
            for _ in 0..looks {
                look().await.unwrap();
            }
            match parked_meanwhile {
                true => stage.park(0, Code::KaonaviRejected).await,
                false => stage.world.clock.set(stage.world.now() + MINUTE),
            }
            let mut under_way = std::pin::pin!(look());
            let ended = poll_only(polls, under_way.as_mut()).await.is_some();
            let store = &stage.world.store;
            let forget = || commands::forget(store, "c1", "rm_00001");
            // In a transaction of the look it waits for that.
            let deleted = tokio::time::timeout(Duration::from_millis(500), forget()).await;
            let before = stage.mails().len();
            if !ended {
                under_way.await.unwrap();
            }
            match deleted {
                Ok(deleted) => {
                    deleted.unwrap();
                    between += usize::from(!ended);
                }
                Err(_) => continue,
            }
            stage.tell_for(2 * MINUTE).await;
            let kept = "SELECT COUNT(*) AS items FROM episode_items WHERE employee_id = 'rm_00001'";
            let kept: i64 = store.db.row(kept, vec![]).await.unwrap().unwrap().get("items").unwrap();
            assert_eq!(kept, 0, "{looks} {parked_meanwhile} {polls}");
            let mails = stage.mails();
            assert!(
                mails.iter().any(|(_, mail)| says(mail, "E00002")),
                "{looks} {parked_meanwhile} {polls}: {mails:?}"
            );
            for (_, mail) in &mails[before..] {
                assert!(!says(mail, "rm_00001") && !says(mail, "E00001"), "{polls}: {}", mail.text);
            }
        }
    }
    assert!(between > 20, "it was deleted between two polls of a look: {between}");
}

/// Somebody who was known by number alone gets an id in the midst of a look: the episode means the same person after it.
#[tokio::test]
async fn i11_whoever_gets_an_id_beside_a_look_is_told_once() {
    let mut stage = people_over(world_on_postgres(13).await, 1).await;
    stage.settings(|settings| settings.recipients = TO.map(str::to_owned).to_vec()).await;
    stage.park(0, Code::KaonaviRejected).await;
    let worker = &stage.world.workers[0];
    let look = || notify::step(&worker.context, &stage.post, &worker.name);
    look().await.unwrap();
    stage.world.clock.set(stage.world.now() + MINUTE);
    let store = &stage.world.store;
    let tx = store.begin().await.unwrap();
    let connection = stage.world.connection("c1").await;
    let wanted = [Takeover { from: "rm_00001".to_owned(), to: EmployeeId::new("rm_90001").unwrap() }];
    let taken = take_over(store, &tx, &connection, &wanted, stage.world.now()).await.unwrap();
    assert_eq!(taken.len(), 1);
    let taking = async {
        until_somebody_waits(store).await;
        tx.commit().await.unwrap();
    };
    let (looked, ()) = tokio::join!(look(), taking);
    looked.unwrap();
    stage.tell_for(2 * HOUR).await;
    assert_eq!(stage.mails().len(), 1);
    let rows = store.db.rows("SELECT employee_id FROM episode_items", vec![]).await.unwrap();
    let items: Vec<String> = rows.iter().map(|row| row.get("employee_id").unwrap()).collect();
    assert_eq!(items, ["rm_90001"]);
}

/// Somebody has a company's lock for long: that company's mails wait, and nobody else's.
#[tokio::test]
async fn i5_a_company_whose_lock_is_held_keeps_no_others_mail_waiting() {
    let stage = people_over(world_on_postgres(14).await, 1).await;
    link_with_recipients(&stage).await;
    window(&stage, &[OTHER]).await;
    let store = &stage.world.store;
    let now = stage.world.now();
    let tx = store.begin().await.unwrap();
    connections::put_tenant(&tx, "t9", "勤怠", now).await.unwrap();
    let settings = json!({"recipients": TO}).to_string();
    let key = SecretString::from("key".to_owned());
    let day = calendar::today(now);
    let link = Link { settings, ..Link::draft(store, "l9", "t9", (AttendanceSource::Hrmos, "acme"), key, day, now) };
    assert!(links::put(store, &tx, &link).await.unwrap());
    links::set_trouble(&tx, "l9", Some(Code::AttendanceKeyRefused.as_str()), now).await.unwrap();
    tx.commit().await.unwrap();
    let tx = store.begin().await.unwrap();
    outbox::enqueue(store, &tx, "waits@example.jp", (999, 1), &mail("waits"), now).await.unwrap();
    tx.commit().await.unwrap();
    let held = store.begin().await.unwrap();
    links::lock_tenant(&held, "t1").await.unwrap();
    held.exec("UPDATE outbox SET attempts = 0 WHERE message_id = 'waits@example.jp'", vec![]).await.unwrap();
    stage.park(0, Code::KaonaviRejected).await;
    stage.tell_for(5 * MINUTE).await;
    let about = |stage: &Stage| -> Vec<bool> { stage.mails().iter().map(|(_, mail)| says(mail, "E00001")).collect() };
    assert_eq!(about(&stage), [false], "the other company's alone");
    held.commit().await.unwrap();
    stage.tell_for(5 * MINUTE).await;
    let mails = about(&stage);
    assert_eq!((mails.len(), mails.iter().filter(|about| **about).count()), (4, 1), "and what had waited");
}

/// What a mail of a morning says was read before the transaction that made it, so that a deletion could end in between.
#[tokio::test]
async fn i8_a_morning_beside_a_deletion_names_the_person_not_any_more() {
    let stage = Stage::over(world_on_postgres(11).await);
    link_with_recipients(&stage).await;
    window(&stage, &[DELETED, OTHER]).await;
    let store = &stage.world.store;
    let tx = store.begin().await.unwrap();
    forgotten::forget_code(store, &tx, "t1", DELETED, &today(&stage)).await.unwrap();
    let worker = &stage.world.workers[0];
    let look = || notify::step(&worker.context, &stage.post, &worker.name);
    look().await.unwrap();
    assert_eq!(stage.mails().len(), 0, "it is not known yet who is there");
    tx.commit().await.unwrap();
    look().await.unwrap();
    let mails = stage.mails();
    let [(_, mail)] = &mails[..] else { panic!("one: {mails:?}") };
    assert!(!says(mail, DELETED) && says(mail, OTHER), "{}", mail.text);
}
