//! Three people of whom something stands in every place that says anything of somebody.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::{Date, date};
use renkei_events::record::EmployeeRecord;
use renkei_runtime::clock::Millis;
use renkei_sandbox::crowdlog::Member;
use renkei_sandbox::hrmos::{Day, EmptyDays, User, at as clock};
use renkei_sandbox::kaonavi::Faults;
use renkei_simulation::people::record;
use renkei_simulation::world::{Link, link, settings};
use renkei_store::db::Sql;
use renkei_store::outbox::Mail;
use renkei_store::settings::Settings;
use renkei_workers::context::NextWake;
use renkei_workers::notify::send::{Handed, MailFault, Mailer};
use renkei_workers::notify::{self, Post};
use serde_json::json;

use super::super::office::{LINK, Office};
use crate::api::world::ask;
use crate::support::client::Request;

/// Somebody who will be deleted.
pub struct Somebody {
    pub index: usize,
    pub number: &'static str,
    pub name: &'static str,
}

/// With days that changed, that are gone at the source, that are typed by hand and that are protected.
pub const WORKER: Somebody = Somebody { index: 77, number: "Z90077", name: "秘密苗字" };
/// Whom カオナビ refuses, and whose 社員コード somebody else has as well.
pub const REFUSED: Somebody = Somebody { index: 78, number: "Z90078", name: "内緒苗字" };
/// Whose number changed at the source of employees, and not at that of attendance.
pub const RENUMBERED: Somebody = Somebody { index: 79, number: "Z90079", name: "極秘苗字" };
/// The number of that person since.
pub const NEW_NUMBER: &str = "Z90080";

/// A day that says something else twice.
pub const CHANGED: Date = date(2026, 3, 10);
/// A day that the source takes away.
pub const TAKEN: Date = date(2026, 3, 11);
/// A day that no file can say.
const NIGHT: Date = date(2026, 3, 12);
/// When all of it stands: a Sunday, whose window reads everything.
pub const LAST: Date = date(2026, 4, 5);

impl Somebody {
    pub const ALL: [Self; 3] = [WORKER, REFUSED, RENUMBERED];

    /// 従業員ID.
    pub fn id(&self) -> String {
        format!("rm_{:05}", self.index)
    }

    /// Where the API has the person.
    pub fn path(&self) -> String {
        format!("/api/v1/employees/c1/{}", self.id())
    }

    pub fn record(&self, at: Millis) -> EmployeeRecord {
        self.numbered(self.number, at)
    }

    pub fn numbered(&self, number: &str, at: Millis) -> EmployeeRecord {
        record(json!({"employee_number": number, "last_name": self.name}), self.index, at)
    }
}

/// What stands of the three: what it is, and how the store says it.
const STANDS: [(&str, &str); 20] = [
    (
        "somebody parked, with カオナビ's words",
        "employees WHERE employee_id = 'rm_00078' AND state = 'parked' AND detail IS NOT NULL",
    ),
    (
        "somebody held for a number that changed",
        "employees WHERE employee_id = 'rm_00079' AND state = 'held' AND number = 'Z90080' AND written_number = 'Z90079'",
    ),
    ("the history of changes", "activity WHERE employee_id = 'rm_00077'"),
    ("what a mail told", "episode_items WHERE employee_id = 'rm_00078' AND digest IS NOT NULL"),
    ("a preview that is made", "previews WHERE who LIKE '%rm_00077%' AND doc IS NOT NULL"),
    ("a preview that waits for its file", "previews WHERE state = 'gathering'"),
    ("a difference of a file", "upload_people WHERE employee_id = 'rm_00077'"),
    ("who looked at the person", "audit WHERE target = 'c1/rm_00077'"),
    (
        "a day that changed twice",
        "(SELECT COUNT(*) AS old FROM attendance_history WHERE code = 'Z90077' AND day = '2026-03-10') AS h WHERE old = 2",
    ),
    ("a day that is gone", "attendance_days WHERE code = 'Z90077' AND day = '2026-03-11' AND person = ''"),
    ("what it was", "attendance_history WHERE code = 'Z90077' AND day = '2026-03-11'"),
    ("days under the number of before", "attendance_days WHERE code = 'Z90079'"),
    ("a day to be typed", "handwork WHERE code = 'Z90077' AND reason = 'attendance.past_midnight'"),
    ("a row of a file", "attendance_file_rows WHERE code = 'Z90077'"),
    ("a protected day", "attendance_protections WHERE code = 'Z90077'"),
    ("a shared code", "attendance_shared_codes WHERE code = 'Z90078' AND person <> ''"),
    ("a note of a run", "run_notes WHERE code = 'Z90078'"),
    ("a line of a run's lists", "run_codes WHERE code = 'Z90078' AND kind = 'double_source'"),
    ("what a morning told", "morning_told WHERE code = 'Z90078'"),
    ("a name in クラウドログ's list", "crowdlog_members WHERE code LIKE 'Z9007_' AND name IS NOT NULL"),
];

/// What there is that may stand.
pub fn everything() -> Vec<&'static str> {
    STANDS.map(|(what, _)| what).to_vec()
}

/// What of it stands.
pub async fn standing(office: &Office) -> Vec<&'static str> {
    let db = &office.attendance.world.store.db;
    let mut found = Vec::new();
    for (what, place) in STANDS {
        let query = format!("SELECT 1 AS one FROM {place} LIMIT 1");
        if db.row(&query, vec![]).await.unwrap().is_some() {
            found.push(what);
        }
    }
    found
}

/// A mail server that is away, until it is there.
#[derive(Default)]
pub struct Server {
    pub up: AtomicBool,
    pub took: Mutex<Vec<Mail>>,
}

#[async_trait]
impl Mailer for Server {
    async fn send(&self, _: &str, _: jiff::Timestamp, mail: &Mail, _: Duration) -> Result<Handed, MailFault> {
        if !self.up.load(Ordering::SeqCst) {
            return Err(MailFault::Unreachable("connect"));
        }
        self.took.lock().unwrap().push(mail.clone());
        Ok(Handed::default())
    }
}

/// The role of mails works for a while.
pub async fn tell(office: &mut Office, post: &Post) {
    for _ in 0..3 {
        let context = office.attendance.world.workers[0].context.clone();
        while notify::step(&context, post, "w1").await.unwrap() == NextWake::Now {}
        // Longer than an episode gathers.
        office.attendance.run_for(Duration::from_secs(90)).await;
    }
}

/// What the mails that wait say, in one line.
pub async fn waiting(office: &Office) -> String {
    let store = &office.attendance.world.store;
    let query = "SELECT message_id, mail FROM outbox WHERE state = 'waiting'";
    let mut all = String::new();
    for row in store.db.rows(query, vec![]).await.unwrap() {
        let (id, sealed): (String, Vec<u8>) = (row.get("message_id").unwrap(), row.get("mail").unwrap());
        let mail: Mail = store.keys.open_json(&format!("outbox.mail|{id}"), &sealed).unwrap();
        all.push_str(&in_one_line(&mail));
    }
    all
}

/// What a mail says, without the ends of its lines.
pub fn in_one_line(mail: &Mail) -> String {
    [&mail.subject, &mail.text, &mail.html].into_iter().flat_map(|text| text.lines().map(str::trim)).collect()
}

/// Sets the scene up, on the morning of [`LAST`]. Answers the users of the source who have the numbers.
pub async fn set_up(post: &Post) -> (Office, Vec<i64>) {
    let mut office = Office::bare().await;
    let users = at_the_source(&mut office).await;
    for somebody in Somebody::ALL {
        office.crowdlog.add_member(Member::new(somebody.number, somebody.name));
    }
    at_kaonavi(&mut office).await;
    office.upload_members().await;
    let recipients = ["kintai@example.jp"];
    office.settings(json!({"closing": {"kind": "not_used"}, "past_midnight": "skip", "recipients": recipients})).await;
    office.attendance.run_to(date(2026, 4, 2), 6, 0).await;
    for (hour, day) in [(10, 3), (11, 4)] {
        let now = office.attendance.world.now();
        let changed = Day::work(clock(hour, 0), clock(19, 0));
        office.attendance.company("h1", |company| company.set_day(now, users[0], CHANGED, changed)).await;
        office.attendance.run_to(date(2026, 4, day), 6, 0).await;
    }
    office.attendance.company("h1", |company| company.remove_day(users[0], TAKEN)).await;
    office.attendance.run_to(LAST, 8, 31).await;
    by_hand(&mut office).await;
    tell(&mut office, post).await;
    (office, users)
}

/// Four people of HRMOS勤怠, two of them with one number.
async fn at_the_source(office: &mut Office) -> Vec<i64> {
    let now = office.attendance.world.now();
    let numbers = [WORKER.number, REFUSED.number, REFUSED.number, RENUMBERED.number];
    office
        .attendance
        .company("h1", |company| {
            company.set(|settings| settings.empty_days = EmptyDays::Missing);
            let users: Vec<i64> = company.users()[..numbers.len()].iter().map(|user| user.id).collect();
            for (user, number) in users.iter().zip(numbers) {
                assert!(company.change_number(now, *user, Some(number)));
            }
            for day in [CHANGED, TAKEN] {
                company.set_day(now, users[0], day, Day::work(clock(9, 0), clock(18, 0)));
            }
            company.set_day(now, users[0], NIGHT, Day::work(clock(22, 0), clock(25, 30)));
            users
        })
        .await
}

/// The three come by webhook: one is a member, one is refused, one gets another number.
async fn at_kaonavi(office: &mut Office) {
    let world = &mut office.attendance.world;
    let now = world.now();
    let faults = Faults { bad_codes: [REFUSED.number.to_owned()].into(), ..Faults::default() };
    world.company("a", |company| company.set_faults(now, faults)).await;
    let told = Settings { recipients: vec!["jinji@example.jp".to_owned()], names_in_mail: true, ..settings() };
    world.link(Link { settings: told, ..link("c1", "a") }).await;
    world.run_for(Duration::from_secs(65)).await;
    for somebody in Somebody::ALL {
        let at = world.now();
        world.send("c1", somebody.record(at)).await;
    }
    world.drain("c1", Duration::from_secs(1800)).await;
    let at = world.now();
    world.send("c1", RENUMBERED.numbered(NEW_NUMBER, at)).await;
    world.drain("c1", Duration::from_secs(600)).await;
}

/// What people in HR do: a file, a preview, protected days, and looking at somebody.
async fn by_hand(office: &mut Office) {
    let listed = json!({"code": WORKER.number, "from": "2026-03-02", "to": "2026-03-03"});
    assert_eq!(office.call(ask("POST", &format!("{LINK}/protections"), Some(listed))).await.status, 201);
    // One of them is new, and nobody takes the event of that one from the log: the differences wait.
    let (worker, renumbered) = (WORKER.name, RENUMBERED.name);
    let file = format!("社員番号,姓\n{},{worker}\n{NEW_NUMBER},{renumbered}\nZ90500,新人\n", WORKER.number);
    let path = "/api/v1/connections/c1/employees/csv\
        ?mode=send_differences&employee_status=active&data_entry_state=completed";
    let upload = Request { body: file.into_bytes(), ..ask("POST", path, None) }.set("content-type", "text/csv");
    let report = office.call(upload).await;
    assert_eq!((report.status, &report.json()["seen"]), (200, &json!(3)), "{:?}", report.json());
    let ids: Vec<String> = Somebody::ALL.iter().map(Somebody::id).collect();
    let wish = json!({"of": "people", "employees": ids});
    let made = office.call(ask("POST", "/api/v1/connections/c1/preview", Some(wish))).await;
    assert_eq!(made.status, 202, "{:?}", made.json());
    office.attendance.world.wake_all();
    office.attendance.run_for(Duration::from_secs(60)).await;
    for somebody in Somebody::ALL {
        let seen = office.call(ask("GET", &format!("{}/timeline?reveal=true", somebody.path()), None)).await;
        assert_eq!(seen.status, 200, "{:?}", seen.json());
    }
    office.settle().await;
}

/// The source ends the employment of these users: it has their days still.
pub async fn leave(office: &Office, users: &[i64]) {
    let now = office.attendance.world.now();
    let left = |user: &mut User| user.end_date = Some(LAST);
    office
        .attendance
        .company("h1", |company| {
            for user in users {
                assert!(company.edit_user(now, *user, left));
            }
        })
        .await;
}
