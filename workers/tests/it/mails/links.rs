//! What mails say of links of attendance.

use jiff::ToSpan as _;
use renkei_events::codes::Code;
use renkei_store::links::{self, AttendanceSource, Link};
use renkei_store::runs::{self, Counts, FIRST_DAY_NOT_READ, Run, RunKind, RunState};
use renkei_workers::sweep::calendar;
use secrecy::SecretString;
use serde_json::json;

use super::steps::Stage;
use crate::company::{HOUR, MINUTE};

/// A link of a key of which so many days are left.
pub async fn link(stage: &Stage, id: &str, days_left: i32, source: AttendanceSource) {
    let store = &stage.world.store;
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    let key = SecretString::from("key".to_owned());
    let ends = calendar::today(now).checked_add(days_left.days()).unwrap();
    let link = Link {
        name: format!("勤怠 {id}"),
        queue: links::queue(store, source, id, &key),
        settings: json!({"recipients": ["kintai@example.jp"]}).to_string(),
        ..Link::draft(store, id, "t1", (source, "h1"), key, ends.checked_sub(3.months()).unwrap(), now)
    };
    links::put(store, &tx, &link).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn i11_a_key_that_ends_is_told_14_and_3_days_before_each_once() {
    let stage = Stage::new().await;
    link(&stage, "l1", 15, AttendanceSource::Hrmos).await;
    link(&stage, "other", 1, AttendanceSource::Kingoftime).await;
    stage.tell_for(2 * MINUTE).await;
    assert_eq!(stage.mails().len(), 0, "a fortnight and a day, and a source whose keys do not end");
    // On the very days: fourteen are left, four, and three.
    for (days, title) in [(1, Some("14日以内に切れます")), (10, None), (1, Some("3日以内に切れます"))] {
        let before = stage.mails().len();
        stage.world.clock.set(stage.world.now() + days * 24 * HOUR);
        stage.tell_for(2 * HOUR).await;
        let mails = stage.mails();
        assert_eq!(mails.len(), before + usize::from(title.is_some()), "{title:?}");
        let Some(title) = title else { continue };
        let (_, mail) = mails.last().unwrap();
        assert!(mail.subject.contains(title) && mail.subject.contains("勤怠 l1"), "{}", mail.subject);
        assert_eq!(mail.to, ["kintai@example.jp"]);
        assert!(mail.text.contains("https://renkei.example.jp/links/l1"), "{}", mail.text);
    }
}

#[tokio::test]
async fn i11_a_window_that_fails_is_one_mail_until_it_has_passed() {
    let stage = Stage::new().await;
    link(&stage, "l1", 60, AttendanceSource::Hrmos).await;
    let trouble = |code: Option<&'static str>| {
        let store = stage.world.store.clone();
        async move {
            let tx = store.begin().await.unwrap();
            let now = store.now_in(&tx).await.unwrap();
            links::set_trouble(&tx, "l1", code, now).await.unwrap();
            tx.commit().await.unwrap();
        }
    };
    trouble(Some("attendance.key_refused")).await;
    stage.tell_for(2 * MINUTE).await;
    assert_eq!(stage.mails().len(), 1);
    // The next window fails, too.
    stage.world.clock.set(stage.world.now() + 24 * HOUR);
    trouble(Some("attendance.key_refused")).await;
    stage.tell_for(3 * HOUR).await;
    assert_eq!(stage.mails().len(), 1, "one mail at the first one");
    trouble(None).await;
    stage.tell_for(3 * HOUR).await;
    trouble(Some("attendance.key_refused")).await;
    stage.tell_for(2 * MINUTE).await;
    assert_eq!(stage.mails().len(), 2, "it had passed, so it is told anew");
}

/// A run of `l1` that failed when it read the date of this number, or none.
async fn failed(stage: &Stage, code: Code, at: Option<i64>) {
    let store = &stage.world.store;
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    let run = Run {
        state: RunState::Failed,
        code: Some(code.as_str().to_owned()),
        ended: Some(now),
        days: Some(("2026-02-21".to_owned(), "2026-04-01".to_owned())),
        counts: at.into_iter().map(|at| (FIRST_DAY_NOT_READ.to_owned(), at)).collect::<Counts>(),
        ..Run::draft("t1", RunKind::Window, "l1", now)
    };
    runs::insert(&tx, &run).await.unwrap();
    links::set_trouble(&tx, "l1", Some(code.as_str()), now).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn i11_the_mail_of_a_run_that_failed_names_the_first_day_that_was_not_read() {
    for (code, at, day) in [
        (Code::AttendanceKeyRefused, None, "2026年2月21日以降"),
        (Code::AttendanceSourceUnavailable, Some(9), "2026年3月1日以降"),
        (Code::AttendanceWindowOvertaken, Some(40), "2026年4月1日以降"),
    ] {
        let stage = Stage::new().await;
        link(&stage, "l1", 60, AttendanceSource::Hrmos).await;
        // One of before that failed for something else says nothing of this one.
        failed(&stage, Code::AttendanceIpBlocked, Some(3)).await;
        failed(&stage, code, at).await;
        stage.tell_for(2 * MINUTE).await;
        let mails = stage.mails();
        let [(_, mail)] = &mails[..] else { panic!("{code}: {mails:?}") };
        assert!(mail.text.contains(day) && mail.html.contains(day), "{code}: {}", mail.text);
    }
}

#[tokio::test]
async fn a_mail_about_a_key_that_ends_names_no_day_of_a_run() {
    let stage = Stage::new().await;
    link(&stage, "l1", 10, AttendanceSource::Hrmos).await;
    failed(&stage, Code::AttendanceIpBlocked, Some(3)).await;
    stage.tell_for(2 * MINUTE).await;
    let mails = stage.mails();
    let ends = mails.iter().find(|(_, mail)| mail.subject.contains("14日以内に切れます")).unwrap();
    assert!(!ends.1.text.contains("以降の勤怠"), "{}", ends.1.text);
}
