//! The role in the world: from a person who is parked to the mail that says so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use renkei_events::codes::Code;
use renkei_events::ids::TenantId;
use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::{Company, Faults, Operation};
use renkei_store::activity::{self, About};
use renkei_store::batches::{self, Batch, BatchState, Member};
use renkei_store::connections::{self, ConnectionState};
use renkei_store::db::Sql;
use renkei_store::employees::{self, EmployeeKey, Op, RowState};
use renkei_store::outbox::{self, Mail};
use renkei_store::owned;
use renkei_workers::commands;
use renkei_workers::context::NextWake;
use renkei_workers::notify::send::{Handed, MailFault, Mailer};
use renkei_workers::notify::{self, Post};
use serde_json::json;

use crate::company::die_after;
use crate::people::{person, record};
use crate::world::World;

pub type Answer = Result<Handed, MailFault>;

/// A mail server of memory.
#[derive(Default)]
pub struct Memory {
    /// What is answered first; then everything is taken.
    pub answers: Mutex<Vec<Answer>>,
    got: Mutex<Vec<(String, Mail)>>,
    tries: Mutex<usize>,
    /// Whether its answer never arrives, though it takes the mail.
    answers_nobody: AtomicBool,
}

#[async_trait]
impl Mailer for Memory {
    async fn send(&self, message_id: &str, _: jiff::Timestamp, mail: &Mail, _: Duration) -> Answer {
        *self.tries.lock().unwrap() += 1;
        let answer = {
            let mut answers = self.answers.lock().unwrap();
            if answers.is_empty() { Ok(Handed::default()) } else { answers.remove(0) }
        };
        if answer.is_ok() {
            self.got.lock().unwrap().push((message_id.to_owned(), mail.clone()));
        }
        if self.answers_nobody.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        answer
    }
}

pub struct Stage {
    pub world: World,
    pub server: Arc<Memory>,
    pub post: Post,
}

impl Stage {
    pub async fn new() -> Self {
        Self::over(World::simple().await)
    }

    pub fn over(world: World) -> Self {
        let server = Arc::new(Memory::default());
        let url = Some("https://renkei.example.jp".to_owned());
        let fallback = vec!["admin@example.jp".to_owned()];
        let post = Post::new(Some(server.clone()), "example.jp".to_owned(), fallback, url);
        Self { world, server, post }
    }

    pub async fn settings(&mut self, change: impl FnOnce(&mut renkei_store::settings::Settings)) {
        let mut connection = self.world.connection("c1").await;
        change(&mut connection.settings);
        let tx = self.world.store.begin().await.unwrap();
        connections::put(&tx, &connection, self.world.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn park(&self, index: usize, code: Code) {
        let store = &self.world.store;
        let key = EmployeeKey { connection: "c1".to_owned(), employee: format!("rm_{:05}", index + 1) };
        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        employees::settle(store, &tx, &key, RowState::Parked, Some(code.as_str()), Some("値"), now).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Runs the role, and only it, for so long.
    pub async fn tell_for(&self, length: Duration) {
        let worker = &self.world.workers[0];
        let until = self.world.now() + length;
        while self.world.now() < until {
            let next = notify::step(&worker.context, &self.post, &worker.name).await.unwrap();
            if next != NextWake::Now {
                self.world.clock.set(next.time(self.world.now()).min(until).max(Millis(self.world.now().0 + 1)));
            }
        }
    }

    pub fn mails(&self) -> Vec<(String, Mail)> {
        self.server.got.lock().unwrap().clone()
    }
}

pub async fn with_people(count: usize) -> Stage {
    people_over(World::simple().await, count).await
}

pub async fn people_over(world: World, count: usize) -> Stage {
    let mut stage = Stage::over(world);
    for index in 1..=count {
        let at = stage.world.now();
        stage.world.send("c1", person(index, at)).await;
    }
    stage.world.drain("c1", Duration::from_secs(120)).await;
    stage
}

pub const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn i11_a_parked_person_is_told_once_and_the_next_ones_an_hour_later() {
    let mut stage = with_people(3).await;
    stage
        .settings(|settings| settings.recipients = vec!["hr@example.jp".to_owned(), "hr2@example.jp".to_owned()])
        .await;
    stage.park(0, Code::KaonaviRejected).await;
    stage.tell_for(MINUTE / 2).await;
    assert_eq!(stage.mails().len(), 0, "it gathers");
    stage.park(1, Code::KaonaviRejected).await;
    stage.tell_for(MINUTE).await;
    let mails = stage.mails();
    assert_eq!(mails.len(), 1);
    let (id, mail) = &mails[0];
    assert!(id.ends_with("-1@example.jp"), "{id}");
    assert_eq!(mail.to, ["hr@example.jp", "hr2@example.jp"]);
    assert!(mail.subject.ends_with("（2名）"), "{}", mail.subject);
    assert!(mail.text.contains("https://renkei.example.jp/attention?connection=c1"), "{}", mail.text);
    let row = stage.world.row("c1", "E00001").await;
    let record = row.record.unwrap();
    for form in [&mail.text, &mail.html] {
        assert!(form.contains(row.number.as_deref().unwrap()), "{form}");
        for value in [record.last_name.as_deref(), record.first_name.as_deref(), Some("値")].into_iter().flatten() {
            assert!(!form.contains(value), "i8: {value} in {form}");
        }
    }
    stage.park(2, Code::KaonaviRejected).await;
    stage.tell_for(58 * MINUTE).await;
    assert_eq!(stage.mails().len(), 1, "not within an hour");
    stage.tell_for(3 * MINUTE).await;
    let mails = stage.mails();
    assert_eq!(mails.len(), 2);
    assert!(mails[1].0.ends_with("-2@example.jp") && mails[1].1.subject.ends_with("（新たに1名）"), "{mails:?}");
    stage.tell_for(180 * MINUTE).await;
    assert_eq!(stage.mails().len(), 2, "nothing is new");
}

/// The first thing that a worker does after hours is to judge anew who got a record meanwhile: for a moment nobody is parked.
#[tokio::test]
async fn i11_whoever_is_parked_again_after_hours_without_workers_is_not_told_again() {
    for hours in [1, 5] {
        let mut stage = with_people(1).await;
        stage.settings(|settings| settings.recipients = vec!["hr@example.jp".to_owned()]).await;
        stage.park(0, Code::KaonaviRejected).await;
        stage.tell_for(5 * MINUTE).await;
        assert_eq!(stage.mails().len(), 1);
        stage.world.clock.set(stage.world.now() + hours * 60 * MINUTE);
        let at = stage.world.now();
        stage.world.send("c1", record(json!({"first_name": "桜子"}), 1, at)).await;
        stage.world.drain("c1", Duration::from_secs(120)).await;
        assert_eq!(stage.world.row("c1", "E00001").await.state, RowState::Synced, "nobody is parked");
        stage.tell_for(MINUTE).await;
        stage.park(0, Code::KaonaviRejected).await;
        stage.tell_for(30 * MINUTE).await;
        assert_eq!(stage.mails().len(), 1, "{hours}");
    }
}

#[tokio::test]
async fn i11_the_first_look_after_hours_without_workers_may_die_anywhere() {
    for polls in [1, 2, 3, 4, 5, 6, 8, 10, 14, 20] {
        let mut stage = with_people(1).await;
        stage.settings(|settings| settings.recipients = vec!["hr@example.jp".to_owned()]).await;
        stage.park(0, Code::KaonaviRejected).await;
        stage.tell_for(5 * MINUTE).await;
        stage.world.clock.set(stage.world.now() + 120 * MINUTE);
        let at = stage.world.now();
        stage.world.send("c1", record(json!({"first_name": "桜子"}), 1, at)).await;
        stage.world.drain("c1", Duration::from_secs(120)).await;
        let worker = &stage.world.workers[0];
        die_after(polls, notify::step(&worker.context, &stage.post, &worker.name)).await;
        stage.tell_for(MINUTE).await;
        stage.park(0, Code::KaonaviRejected).await;
        stage.tell_for(30 * MINUTE).await;
        assert_eq!(stage.mails().len(), 1, "after {polls} polls");
    }
}

/// Whoever dies between the server's 250 and writing that down leaves a mail that goes once more: under the same Message-ID, by
/// which its reader's server knows it.
#[tokio::test]
async fn i11_a_crash_after_the_servers_250_sends_once_more_under_one_message_id() {
    let mut stage = with_people(1).await;
    stage.settings(|settings| settings.recipients = vec!["hr@example.jp".to_owned()]).await;
    stage.park(0, Code::KaonaviRejected).await;
    stage.server.answers_nobody.store(true, Ordering::SeqCst);
    let died = tokio::time::timeout(Duration::from_millis(500), stage.tell_for(2 * MINUTE)).await;
    assert!(died.is_err(), "the step was under way when the process died");
    assert_eq!(stage.mails().len(), 1);
    stage.server.answers_nobody.store(false, Ordering::SeqCst);
    stage.tell_for(10 * MINUTE).await;
    let mails = stage.mails();
    assert_eq!(mails.len(), 2, "once more and no more");
    assert_eq!(mails[0], mails[1], "the very same");
}

#[tokio::test]
async fn names_stand_in_a_mail_where_the_connection_allows_it() {
    let mut stage = with_people(1).await;
    stage.settings(|settings| settings.names_in_mail = true).await;
    stage.park(0, Code::KaonaviRejected).await;
    stage.tell_for(2 * MINUTE).await;
    let record = stage.world.row("c1", "E00001").await.record.unwrap();
    let mails = stage.mails();
    assert!(mails[0].1.text.contains(record.last_name.as_deref().unwrap()), "{}", mails[0].1.text);
    assert_eq!(mails[0].1.to, ["admin@example.jp"], "nobody is named, so the installation's are told");
}

#[tokio::test]
async fn i11_a_mail_is_not_lost_while_the_mail_server_is_away_or_the_password_wrong() {
    let stage = with_people(1).await;
    let away = || Err(MailFault::Unreachable("connection"));
    *stage.server.answers.lock().unwrap() = vec![away(), Err(MailFault::Later(535, "login")), away()];
    stage.park(0, Code::KaonaviRejected).await;
    stage.tell_for(30 * MINUTE).await;
    assert_eq!(*stage.server.tries.lock().unwrap(), 4);
    assert_eq!(stage.mails().len(), 1, "once");
}

#[tokio::test]
async fn a_recipient_that_is_refused_does_not_keep_the_others_from_being_told() {
    let mut stage = with_people(1).await;
    let names = ["gone@example.jp", "full@example.jp", "here@example.jp"];
    stage.settings(|settings| settings.recipients = names.map(str::to_owned).to_vec()).await;
    *stage.server.answers.lock().unwrap() = vec![Ok(Handed { refused: vec![(0, 550)], later: vec![1] })];
    stage.park(0, Code::KaonaviRejected).await;
    stage.tell_for(30 * MINUTE).await;
    let to: Vec<Vec<String>> = stage.mails().into_iter().map(|(_, mail)| mail.to).collect();
    assert_eq!(to, [names.map(str::to_owned).to_vec(), vec!["full@example.jp".to_owned()]]);
    assert_eq!(outbox::counts(&stage.world.store.db).await.unwrap(), [("sent".to_owned(), 1)]);
}

#[tokio::test]
async fn a_mail_that_the_server_refuses_for_good_is_given_up() {
    let stage = with_people(1).await;
    *stage.server.answers.lock().unwrap() = vec![Err(MailFault::Refused(554))];
    stage.park(0, Code::KaonaviRejected).await;
    stage.tell_for(180 * MINUTE).await;
    assert_eq!((*stage.server.tries.lock().unwrap(), stage.mails().len()), (1, 0));
    assert_eq!(outbox::counts(&stage.world.store.db).await.unwrap(), [("given_up".to_owned(), 1)]);
}

#[tokio::test]
async fn with_nobody_to_tell_nothing_counts_as_told_and_a_late_recipient_is_told() {
    let mut stage = with_people(1).await;
    stage.post.fallback_to.clear();
    stage.park(0, Code::KaonaviRejected).await;
    stage.tell_for(90 * MINUTE).await;
    assert_eq!(stage.mails().len(), 0);
    stage.settings(|settings| settings.recipients = vec!["hr@example.jp".to_owned()]).await;
    stage.tell_for(MINUTE).await;
    assert_eq!(stage.mails().len(), 1);
}

#[tokio::test]
async fn i11_a_halt_is_told_with_what_kaonavi_said_and_again_after_somebody_acted() {
    let stage = with_people(1).await;
    let store = &stage.world.store;
    let halt = || async {
        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        let code = Some(Code::KaonaviForbidden.as_str());
        let detail = Some("POST /members\n許可がありません");
        connections::switch_off(store, &tx, "c1", ConnectionState::Halted, code, detail, now).await.unwrap();
        tx.commit().await.unwrap();
    };
    halt().await;
    stage.tell_for(5 * MINUTE).await;
    assert_eq!(stage.mails().len(), 1);
    assert!(stage.mails()[0].1.text.contains("許可がありません"));
    commands::resume(store, "c1", "test").await.unwrap();
    stage.tell_for(2 * MINUTE).await;
    assert_eq!(stage.mails().len(), 1, "it is still halted until it is verified, and nothing new failed");
    halt().await;
    stage.tell_for(2 * MINUTE).await;
    assert_eq!(stage.mails().len(), 2, "another failure is told at once, not after an hour");
}

#[tokio::test]
async fn i11_no_answer_for_an_hour_is_told_and_a_short_silence_is_not() {
    let mut stage = Stage::new().await;
    *stage.world.poison.lock().unwrap() = Some("E00001".to_owned());
    let at = stage.world.now();
    stage.world.send("c1", person(1, at)).await;
    stage.world.run_for(50 * MINUTE).await;
    stage.tell_for(MINUTE + MINUTE / 2).await;
    assert_eq!(stage.mails().len(), 0, "not yet");
    stage.world.run_for(30 * MINUTE).await;
    stage.tell_for(MINUTE + MINUTE / 2).await;
    let subjects: Vec<String> = stage.mails().into_iter().map(|(_, mail)| mail.subject).collect();
    assert_eq!(subjects.len(), 1, "{subjects:?}");
    assert!(subjects[0].contains(Code::KaonaviUnavailable.title_ja()), "{subjects:?}");
}

/// Lets 429 come for whatever is asked, by calls of somebody else: `updates` a minute and `reads` an hour.
async fn somebody_else_calls_for(stage: &mut Stage, length: Duration, (updates, calls): (usize, usize)) {
    let until = stage.world.now() + length;
    while stage.world.now() < until {
        let now = stage.world.now();
        stage.world.company("a", |company| company.outside_traffic(now, updates, calls, 0)).await;
        stage.world.run_for(Duration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn i11_quota_refused_for_an_hour_is_told() {
    for (calls, code) in [((5, 0), Code::KaonaviSlotsTakenElsewhere), ((0, 3000), Code::KaonaviTokensUsedUp)] {
        let mut stage = Stage::new().await;
        if code == Code::KaonaviTokensUsedUp {
            // Nothing is of use any more before there is another token.
            stage.world.kaonavi.lock().await.revoke_tokens("a");
        }
        let at = stage.world.now();
        stage.world.send("c1", person(1, at)).await;
        somebody_else_calls_for(&mut stage, 50 * MINUTE, calls).await;
        stage.tell_for(MINUTE + MINUTE / 2).await;
        assert_eq!(stage.mails().len(), 0, "{code}: not yet");
        somebody_else_calls_for(&mut stage, 30 * MINUTE, calls).await;
        stage.tell_for(MINUTE + MINUTE / 2).await;
        let subjects: Vec<String> = stage.mails().into_iter().map(|(_, mail)| mail.subject).collect();
        assert_eq!(subjects.len(), 1, "{code}: {subjects:?}");
        assert!(subjects[0].contains(code.title_ja()), "{code}: {subjects:?}");
        // It passes: nobody is told of that, and the next short one is none.
        stage.world.drain("c1", 120 * MINUTE).await;
        stage.tell_for(120 * MINUTE).await;
        somebody_else_calls_for(&mut stage, 10 * MINUTE, calls).await;
        stage.tell_for(120 * MINUTE).await;
        assert_eq!(stage.mails().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn i11_calls_that_come_to_nothing_for_an_hour_are_told_once_whatever_they_are_answered() {
    let faults = |change: fn(&mut Faults)| {
        let mut faults = Faults::default();
        change(&mut faults);
        faults
    };
    // The read of the members is owed by the first contact with an old member; the others are in the way of a hire.
    type Row = (&'static str, Faults, bool, bool);
    let table: [Row; 8] = [
        ("html for reads", faults(|it| it.html_reads = u32::MAX), true, false),
        ("nothing for reads", faults(|it| it.empty_reads = u32::MAX), true, false),
        ("500 for reads", faults(|it| it.html_500_reads = u32::MAX), true, false),
        ("500 for the token", faults(|it| it.html_500_tokens = u32::MAX), false, false),
        ("tasks that end as ERROR", faults(|it| it.task_errors = u32::MAX), false, false),
        ("nobody can be reached", Faults::default(), false, true),
        ("409", faults(|it| it.conflicts = u32::MAX), false, false),
        ("nothing for writes", faults(|it| it.empty_writes = u32::MAX), false, false),
    ];
    for (what, faults, reads, unreachable) in table {
        let mut stage = with_people(1).await;
        let now = stage.world.now();
        if reads {
            // An old read of a member that Renkei never wrote counts for nothing.
            stage.world.company("a", |company| company.upsert(now, &one_member(2)).unwrap()).await;
            stage.world.run_for(25 * 60 * MINUTE).await;
        }
        let now = stage.world.now();
        stage.world.company("a", |company| company.set_faults(now, faults)).await;
        stage.world.kaonavi.lock().await.revoke_tokens("a");
        stage.world.transport.set_unreachable(unreachable);
        if reads {
            // The daily read comes within the day.
            stage.world.run_for(24 * 60 * MINUTE).await;
        } else {
            stage.world.send("c1", person(3, now)).await;
            stage.world.run_for(50 * MINUTE).await;
            stage.tell_for(MINUTE + MINUTE / 2).await;
            assert_eq!(stage.mails().len(), 0, "{what}: not yet");
            stage.world.run_for(40 * MINUTE).await;
        }
        stage.tell_for(MINUTE + MINUTE / 2).await;
        let subjects: Vec<String> = stage.mails().into_iter().map(|(_, mail)| mail.subject).collect();
        assert_eq!(subjects.len(), 1, "{what}: {subjects:?}");
        assert!(subjects[0].contains(Code::KaonaviUnavailable.title_ja()), "{what}: {subjects:?}");
    }
}

#[tokio::test]
async fn i11_a_list_of_departments_that_can_not_be_read_is_told_after_an_hour() {
    let mut stage = with_people(1).await;
    let now = stage.world.now();
    let faults = Faults { html_500_departments: u32::MAX, ..Faults::default() };
    let permit = |company: &mut Company| company.permissions_mut().departments.insert(Operation::Read);
    stage.world.company("a", permit).await;
    stage.world.company("a", |company| company.set_faults(now, faults)).await;
    let mut settings = stage.world.connection("c1").await.settings;
    settings.departments = Some([("D1".to_owned(), "1000".to_owned())].into());
    stage.world.save_settings("c1", settings).await;
    stage.world.run_for(50 * MINUTE).await;
    stage.tell_for(MINUTE + MINUTE / 2).await;
    assert_eq!(stage.mails().len(), 0, "not yet");
    stage.world.run_for(40 * MINUTE).await;
    stage.tell_for(MINUTE + MINUTE / 2).await;
    let subjects: Vec<String> = stage.mails().into_iter().map(|(_, mail)| mail.subject).collect();
    assert_eq!(subjects.len(), 1, "{subjects:?}");
    assert!(subjects[0].contains(Code::KaonaviUnavailable.title_ja()), "{subjects:?}");
}

fn one_member(index: usize) -> serde_json::Value {
    serde_json::json!({ "member_data": [crate::people::member(index, "古い 名前")] })
}

#[tokio::test]
async fn i11_refused_deliveries_are_told_after_an_hour() {
    let stage = with_people(1).await;
    let now = stage.world.now();
    let sql = "INSERT INTO webhook_health (connection_id, refused_since_ms, refused_ms) VALUES ('c1', $1, $1)";
    stage.world.store.db.exec(sql, vec![now.0.into()]).await.unwrap();
    // One call of somebody who has nothing to do with it is no sender whose secret is wrong, however long ago it was.
    stage.tell_for(24 * 60 * MINUTE).await;
    assert_eq!(stage.mails().len(), 0, "a single one");
    for (minutes, mails) in [(59, 0), (61, 1)] {
        let sql = "UPDATE webhook_health SET refused_ms = refused_since_ms + $1";
        stage.world.store.db.exec(sql, vec![(minutes * 60_000).into()]).await.unwrap();
        stage.tell_for(3 * MINUTE).await;
        assert_eq!(stage.mails().len(), mails, "over {minutes} minutes");
    }
    assert!(stage.mails()[0].1.subject.contains(Code::SourceSignatureInvalid.title_ja()));
}

#[tokio::test]
async fn a_connection_without_a_list_tells_its_creator() {
    let mut stage = Stage::new().await;
    for id in ["c2", "c3"] {
        stage.world.link(crate::world::link(id, "a")).await;
    }
    stage.settings(|settings| settings.recipients = vec!["hr@example.jp".to_owned()]).await;
    let store = &stage.world.store;
    // c1 has a list, c2 only somebody who made it, c3 nobody at all.
    let sql = "UPDATE connections SET created_by = 'maker@example.jp' WHERE connection_id IN ('c1', 'c2')";
    store.db.exec(sql, vec![]).await.unwrap();
    for (connections, to) in [
        (&["c1"][..], &["hr@example.jp"][..]),
        (&["c2"], &["maker@example.jp"]),
        (&["c3"], &["admin@example.jp"]),
        (&["c1", "c2", "c3"], &["hr@example.jp", "maker@example.jp", "admin@example.jp"]),
    ] {
        let before = stage.mails().len();
        let code = Code::KaonaviForbidden.as_str();
        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        for id in connections {
            connections::switch_off(store, &tx, id, ConnectionState::Halted, Some(code), None, now).await.unwrap();
        }
        tx.commit().await.unwrap();
        stage.tell_for(2 * MINUTE).await;
        let mails = stage.mails();
        assert_eq!(mails.len(), before + 1, "{connections:?}");
        assert_eq!(mails[before].1.to, to, "{connections:?}");
        let tx = store.begin().await.unwrap();
        for id in connections {
            connections::switch_on(&tx, id, now, None).await.unwrap();
        }
        tx.commit().await.unwrap();
        stage.tell_for(70 * MINUTE).await;
    }
}

/// The kinds of what the activity of c1 says about a code, oldest first.
async fn activity_about(stage: &Stage, code: Code) -> Vec<String> {
    let store = &stage.world.store;
    let own = owned::all(store, &store.db, &TenantId::new("t1").unwrap()).await.unwrap();
    let entries = activity::page(store, &own, About::default(), i64::MAX, 200).await.unwrap();
    let about = entries.into_iter().rev().map(|(_, entry)| entry);
    about.filter(|entry| entry.code.as_deref() == Some(code.as_str())).map(|entry| entry.kind).collect()
}

#[tokio::test]
async fn recovery_is_shown_and_not_mailed() {
    let mut stage = Stage::new().await;
    *stage.world.poison.lock().unwrap() = Some("E00001".to_owned());
    let at = stage.world.now();
    stage.world.send("c1", person(1, at)).await;
    stage.world.run_for(80 * MINUTE).await;
    stage.tell_for(2 * MINUTE).await;
    assert_eq!(stage.mails().len(), 1);
    *stage.world.poison.lock().unwrap() = None;
    // The hour without it counts from when it was last seen.
    let seen = stage.world.now();
    stage.world.drain("c1", 30 * MINUTE).await;
    stage.tell_for((seen + 58 * MINUTE).since(stage.world.now())).await;
    assert_eq!(activity_about(&stage, Code::KaonaviUnavailable).await, [] as [&str; 0], "it may come back");
    stage.tell_for(10 * MINUTE).await;
    assert_eq!(activity_about(&stage, Code::KaonaviUnavailable).await, ["recovered"]);
    stage.tell_for(180 * MINUTE).await;
    assert_eq!(activity_about(&stage, Code::KaonaviUnavailable).await, ["recovered"], "once");
    assert_eq!(stage.mails().len(), 1, "success sends no mail");
}

#[tokio::test]
async fn after_settings_are_saved_the_next_failure_is_told() {
    let mut stage = with_people(2).await;
    stage.park(0, Code::MappingGenderUnmapped).await;
    stage.tell_for(2 * MINUTE).await;
    assert_eq!(stage.mails().len(), 1);
    // Without that somebody new waits for the digest an hour later.
    stage.park(1, Code::MappingGenderUnmapped).await;
    stage.tell_for(5 * MINUTE).await;
    assert_eq!(stage.mails().len(), 1);
    let settings = stage.world.connection("c1").await.settings;
    stage.world.save_settings("c1", settings).await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.world.count("c1", RowState::Parked).await, 0, "both were judged again");
    stage.tell_for(MINUTE).await;
    stage.park(1, Code::MappingGenderUnmapped).await;
    stage.tell_for(2 * MINUTE).await;
    assert_eq!(stage.mails().len(), 2, "what was saved did not help, and that is told at once");
}

#[tokio::test]
async fn two_workers_tell_once() {
    let mut stage = with_people(1).await;
    stage.world.start_worker("w2");
    stage.park(0, Code::KaonaviRejected).await;
    for _ in 0..60 {
        for worker in &stage.world.workers {
            notify::step(&worker.context, &stage.post, &worker.name).await.unwrap();
        }
        stage.world.clock.set(stage.world.now() + Duration::from_secs(5));
    }
    assert_eq!(stage.mails().len(), 1);
    // The lease runs out while the first holds on to its mail: what is taken is not taken again.
    stage.world.clock.set(stage.world.now() + Duration::from_secs(3600));
    let worker = &stage.world.workers[1];
    notify::step(&worker.context, &stage.post, &worker.name).await.unwrap();
    assert_eq!(stage.mails().len(), 1);
}

#[tokio::test]
async fn i11_keys_that_are_refused_are_one_mail_to_all_whom_it_concerns() {
    let mut stage = Stage::new().await;
    stage.world.link(crate::world::link("c2", "a")).await;
    stage
        .settings(|settings| settings.recipients = vec!["hr@example.jp".to_owned(), "all@example.jp".to_owned()])
        .await;
    let store = &stage.world.store;
    let mut second = stage.world.connection("c2").await;
    second.settings.recipients = vec!["all@example.jp".to_owned(), "branch@example.jp".to_owned()];
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    connections::put(&tx, &second, now).await.unwrap();
    for id in ["c1", "c2"] {
        let code = Some(Code::KaonaviCredentialsRefused.as_str());
        connections::switch_off(store, &tx, id, ConnectionState::Halted, code, None, now).await.unwrap();
    }
    tx.commit().await.unwrap();
    stage.tell_for(120 * MINUTE).await;
    let mails = stage.mails();
    assert_eq!(mails.len(), 1, "{:?}", mails.iter().map(|(_, mail)| &mail.subject).collect::<Vec<_>>());
    assert_eq!(mails[0].1.to, ["hr@example.jp", "all@example.jp", "branch@example.jp"]);
    assert!(
        mails[0].1.text.contains("「c1」「c2」") && mails[0].1.text.contains("https://renkei.example.jp/attention\n")
    );
}

#[tokio::test]
async fn i11_a_task_that_does_not_end_is_told_after_an_hour_or_sooner_when_hires_wait() {
    for (hires_wait, quiet) in [(false, 60), (true, 10)] {
        let stage = with_people(1).await;
        let store = &stage.world.store;
        let account = stage.world.connection("c1").await.account.unwrap();
        let key = EmployeeKey { connection: "c1".to_owned(), employee: "rm_00001".to_owned() };
        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        let member =
            Member { key: key.clone(), code: "E00001".to_owned(), version: 1, content: String::new(), received: now };
        let batch = Batch {
            account,
            id: 77,
            op: Op::Update,
            repair: None,
            state: BatchState::Accepted,
            members: vec![member],
            payload: vec![],
            task: Some(1),
            epoch: 1,
            planned: now,
            gives_up: now,
            next_look: now,
            looks: 0,
        };
        batches::insert(store, &tx, &batch).await.unwrap();
        if hires_wait {
            employees::make_due(&tx, &key, Op::Create, now, 0, now).await.unwrap();
        }
        tx.commit().await.unwrap();
        stage.tell_for(quiet * MINUTE).await;
        assert_eq!(stage.mails().len(), 0, "hires wait: {hires_wait}");
        stage.tell_for(2 * MINUTE).await;
        let mails = stage.mails();
        assert_eq!(mails.len(), 1, "hires wait: {hires_wait}");
        assert!(mails[0].1.subject.contains(Code::KaonaviTaskStuck.title_ja()));
    }
}
