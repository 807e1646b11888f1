//! The mail of a morning.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::{Date, date};
use renkei_runtime::clock::Millis;
use renkei_simulation::attendance::at;
use renkei_store::outbox::Mail;
use renkei_workers::context::NextWake;
use renkei_workers::notify::send::{Handed, MailFault, Mailer};
use renkei_workers::notify::{self, Post};
use serde_json::json;

use super::office::Office;
use crate::api::world::ask;

/// A mail server of memory.
#[derive(Default)]
struct Memory(Mutex<Vec<(String, Mail)>>);

#[async_trait]
impl Mailer for Memory {
    async fn send(&self, message_id: &str, _: jiff::Timestamp, mail: &Mail, _: Duration) -> Result<Handed, MailFault> {
        self.0.lock().unwrap().push((message_id.to_owned(), mail.clone()));
        Ok(Handed::default())
    }
}

struct Desk {
    office: Office,
    server: Arc<Memory>,
    post: Post,
    recipients: Vec<&'static str>,
    daily_mail: bool,
}

impl Desk {
    async fn new(recipients: Vec<&'static str>, daily_mail: bool) -> Self {
        let server = Arc::new(Memory::default());
        let url = Some("https://renkei.example.jp".to_owned());
        let post = Post::new(Some(server.clone()), "example.jp".to_owned(), Vec::new(), url);
        let mut desk = Self { office: Office::bare().await, server, post, recipients, daily_mail };
        desk.office.upload_members().await;
        desk.settings().await;
        desk
    }

    async fn settings(&mut self) {
        let wish =
            json!({"closing": {"kind": "not_used"}, "recipients": self.recipients, "daily_mail": self.daily_mail});
        self.office.settings(wish).await;
    }

    /// The role of mails works until it is so late in Tokyo; answers the mails that were sent meanwhile.
    async fn tell_until(&mut self, until: Millis) -> Vec<(String, Mail)> {
        let before = self.server.0.lock().unwrap().len();
        let world = &self.office.attendance.world;
        while world.now() < until {
            let next = notify::step(&world.workers[0].context, &self.post, "w1").await.unwrap();
            if next != NextWake::Now {
                let next = next.time(world.now()).min(until).max(world.now() + Duration::from_secs(1));
                world.clock.set(next);
            }
        }
        self.server.0.lock().unwrap()[before..].to_vec()
    }

    async fn new_list_wanted(&mut self) -> bool {
        let list = self.office.call(ask("GET", "/api/v1/crowdlog/members", None)).await.json();
        list["new_list_wanted"].as_bool().unwrap()
    }

    /// The windows up to a day, and then the mails of its morning.
    async fn morning(&mut self, day: Date) -> Vec<(String, Mail)> {
        self.office.attendance.run_to(day, 8, 29).await;
        let early = self.tell_until(at(day, 8, 30)).await;
        assert_eq!(early.len(), 0, "nothing before half past eight");
        self.tell_until(at(day, 8, 40)).await
    }
}

#[actix_web::test]
async fn i11_each_morning_one_mail_says_what_waits_and_what_is_new() {
    let mut desk = Desk::new(vec!["kintai@example.jp"], true).await;
    let mails = desk.morning(date(2026, 4, 2)).await;
    let [(_, mail)] = &mails[..] else { panic!("one mail: {mails:?}") };
    assert_eq!(mail.to, ["kintai@example.jp"]);
    assert!(
        mail.subject.starts_with("【Renkei】l1：取り込み待ちのファイルが1件、登録できない勤怠が"),
        "{}",
        mail.subject
    );
    let rows = desk.office.rows().await.len();
    let waits = format!("1件のファイル（合計{rows}行）が、4月2日から取り込みを待っています。");
    for text in [&mail.text, &mail.html] {
        let flat: String = text.lines().map(str::trim).collect();
        for part in [waits.as_str(), "ファイルの種類で「勤怠」", "同じ社員コードの方が複数います", "/links/l1"]
        {
            assert!(flat.contains(part), "{part}: {text}");
        }
    }
    // Nobody imports anything: the next morning says since when, and nobody of whom it was said already.
    let mails = desk.morning(date(2026, 4, 3)).await;
    let [(id, again)] = &mails[..] else { panic!("one mail: {mails:?}") };
    assert!(again.text.contains("4月2日から取り込みを待っています"), "{}", again.text);
    assert!(!again.text.contains("同じ社員コードの方が複数います"), "{}", again.text);
    assert!(id.contains("-morning-") && id.ends_with("@example.jp"), "{id}");
    // All imported, and nothing new: no mail.
    desk.office.import_all().await;
    let mails = desk.tell_until(at(date(2026, 4, 3), 23, 0)).await;
    assert_eq!(mails.len(), 0, "one a day");
}

#[actix_web::test]
async fn i11_without_the_daily_mail_only_what_can_not_be_written_is_told() {
    let mut desk = Desk::new(vec!["kintai@example.jp"], false).await;
    let mails = desk.morning(date(2026, 4, 2)).await;
    let [(_, mail)] = &mails[..] else { panic!("one mail: {mails:?}") };
    assert!(mail.subject.contains("クラウドログに登録できない勤怠が"), "{}", mail.subject);
    assert!(!mail.text.contains("取り込み"), "{}", mail.text);
}

/// Of the list that was uploaded on 5 April, whether anything else is to be said or not.
#[actix_web::test]
async fn i11_a_member_list_of_over_thirty_days_is_told_once_by_itself() {
    let mut desk = Desk::new(vec!["kintai@example.jp"], false).await;
    desk.office.attendance.run_to(date(2026, 4, 5), 6, 0).await;
    desk.office.upload_members().await;
    // What the source tells ends in April, so that nothing is new in May.
    desk.morning(date(2026, 5, 4)).await;
    assert_eq!(desk.morning(date(2026, 5, 5)).await.len(), 0, "thirty days");
    assert!(!desk.new_list_wanted().await);
    let mails = desk.morning(date(2026, 5, 6)).await;
    let [(_, mail)] = &mails[..] else { panic!("one mail: {mails:?}") };
    assert!(mail.subject.ends_with("クラウドログのメンバー一覧の更新をお願いします"), "{}", mail.subject);
    assert!(mail.text.contains("メンバー一覧は31日前のものです"), "{}", mail.text);
    assert!(desk.new_list_wanted().await);
    for day in [date(2026, 5, 7), date(2026, 5, 8)] {
        assert_eq!(desk.morning(day).await.len(), 0, "{day}: once");
    }
    desk.office.upload_members().await;
    assert_eq!(desk.morning(date(2026, 5, 9)).await.len(), 0);
    assert!(!desk.new_list_wanted().await);
}

/// It stands in the mail of a morning that has something else to say, and then is not told once more by itself.
#[actix_web::test]
async fn i11_an_old_member_list_that_was_told_with_something_else_is_no_mail_of_its_own() {
    let mut desk = Desk::new(vec!["kintai@example.jp"], false).await;
    let mails = desk.morning(date(2026, 5, 4)).await;
    let [(_, mail)] = &mails[..] else { panic!("one mail: {mails:?}") };
    assert!(mail.subject.contains("登録できない勤怠が"), "{}", mail.subject);
    assert!(mail.text.contains("メンバー一覧は33日前のものです"), "{}", mail.text);
    assert_eq!(desk.morning(date(2026, 5, 5)).await.len(), 0);
}

/// A window that failed says nothing of whom it did not come to.
#[actix_web::test]
async fn i11_after_a_window_that_failed_nobody_is_named_once_more() {
    let mut desk = Desk::new(vec!["kintai@example.jp"], true).await;
    assert_eq!(desk.morning(date(2026, 4, 2)).await.len(), 1);
    let key = desk.office.attendance.company("h1", |company| company.key().to_owned()).await;
    let other = |company: &mut renkei_sandbox::hrmos::Company| company.regenerate_key(Millis(0), "b3RoZXI=");
    desk.office.attendance.company("h1", other).await;
    desk.morning(date(2026, 4, 3)).await;
    let now = desk.office.attendance.world.now();
    desk.office.attendance.company("h1", |company| company.regenerate_key(now, &key)).await;
    let mails = desk.morning(date(2026, 4, 4)).await;
    assert!(mails.iter().all(|(_, mail)| !mail.text.contains("同じ社員コードの方が複数います")), "{mails:?}");
}

/// What nobody was told counts as untold.
#[actix_web::test]
async fn i11_with_nobody_to_tell_a_morning_passes_and_the_next_one_tells() {
    let mut desk = Desk::new(vec![], true).await;
    assert_eq!(desk.morning(date(2026, 4, 2)).await.len(), 0);
    desk.recipients = vec!["kintai@example.jp"];
    desk.settings().await;
    let mails = desk.morning(date(2026, 4, 3)).await;
    assert!(mails[0].1.text.contains("同じ社員コードの方が複数います"), "{}", mails[0].1.text);
}

/// A window that is still under way at half past eight is waited for.
#[actix_web::test]
async fn i11_a_morning_waits_for_its_window() {
    let mut desk = Desk::new(vec!["kintai@example.jp"], true).await;
    let day = date(2026, 4, 2);
    // Nobody asks the source before nine.
    desk.office.attendance.world.clock.set(at(day, 8, 30));
    assert_eq!(desk.tell_until(at(day, 9, 0)).await.len(), 0);
    desk.office.attendance.run_to(day, 10, 0).await;
    let mails = desk.tell_until(at(day, 10, 10)).await;
    let [(_, mail)] = &mails[..] else { panic!("one mail: {mails:?}") };
    assert!(mail.text.contains("取り込みを待っています"), "{}", mail.text);
}
