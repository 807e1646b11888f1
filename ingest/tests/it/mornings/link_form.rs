//! The form by which somebody makes a link, and 自動同期.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::date;
use renkei_sandbox::hrmos::sample;
use renkei_simulation::attendance::at;
use renkei_store::runs::{RunKind, RunState};
use serde_json::{Value, json};

use super::office::{EGRESS, LINK, Office};
use crate::api::world::{ask, problem};

const MINUTE: Duration = Duration::from_secs(60);
const STATEMENTS: [&str; 4] = ["attendance_on", "leave_on", "no_attendance_management", "builtin_sync_off"];

/// The wish for a second link to the same company.
fn wish(key: &str, stated: &[&str]) -> Value {
    json!({
        "id": "l2", "name": "大阪支社", "source": "hrmos", "company": "https://ieyasu.co/h1/login", "api_key": key,
        "key_issued": "2026-03-20", "stated": stated,
    })
}

#[actix_web::test]
async fn the_form_is_told_sources_addresses_statements_and_notes() {
    let mut office = Office::bare().await;
    let options = office.call(ask("GET", "/api/v1/link-options", None)).await;
    assert_eq!(options.status, 200);
    let source = |id: &str, label: &str, available: bool| json!({"id": id, "label": label, "available": available});
    let said = |id: &str, text: &str| json!({"id": id, "text": text});
    let expected = json!({
        "sources": [
            source("hrmos", "HRMOS勤怠", true),
            source("kingoftime", "KING OF TIME", true),
            source("kinkakuji", "勤革時", true),
            // 準備中.
            source("jobcan", "ジョブカン", false),
        ],
        "egress_addresses": EGRESS,
        "statements": [
            said("attendance_on", "クラウドログのタイムシート設定で「勤怠の使用」をONにしています。"),
            said("leave_on", "クラウドログのタイムシート設定で「休暇の使用」をONにしています。"),
            said("no_attendance_management", "クラウドログの勤怠管理機能は使っていません。"),
            said("builtin_sync_off", "クラウドログ標準の外部連携の自動同期は「使用しない」にしています。"),
        ],
        "notes": [
            said(
                "imported_by_hand",
                "クラウドログに勤怠を登録する公開の方法は確認できていません。毎朝、ご担当者の方にファイルを取り込んでいただきます。",
            ),
            said("forty_days", "41日以上前の修正は自動では連携されません。期間を指定して同期してください。"),
            said(
                "initial_values",
                "手入力が必要な日には、クラウドログの初期値が表示されていることがあります。内容をご確認ください。",
            ),
        ],
    });
    assert_eq!(options.json(), expected);
}

#[actix_web::test]
async fn what_is_ticked_is_kept_with_who_and_when() {
    let mut office = Office::bare().await;
    let key = sample::key("h1");
    for missing in STATEMENTS {
        let rest: Vec<&str> = STATEMENTS.into_iter().filter(|one| *one != missing).collect();
        let refused = office.call(ask("POST", "/api/v1/links", Some(wish(&key, &rest)))).await;
        let expected = ("api.invalid_value".to_owned(), Some("/stated".to_owned()));
        assert_eq!((refused.status, problem(&refused)), (400, expected), "{missing}");
    }
    let before = office.attendance.world.now().timestamp();
    let wanted = office.call(ask("POST", "/api/v1/links", Some(wish(&key, &STATEMENTS)))).await;
    let after = office.attendance.world.now().timestamp();
    assert_eq!(wanted.status, 202, "{:?}", wanted.json());
    let check = format!("/api/v1/link-checks/{}", wanted.json()["id"].as_str().unwrap());
    assert_eq!(office.call(ask("GET", &check, None)).await.json()["state"], "wanted");
    assert_eq!(office.call(ask("GET", "/api/v1/links/l2", None)).await.status, 404, "not before the source was asked");
    // A worker asks a while later; somebody ticked the boxes before that.
    office.attendance.run_for(MINUTE).await;
    assert_eq!(office.call(ask("GET", &check, None)).await.json()["state"], "accepted");
    let link = office.call(ask("GET", "/api/v1/links/l2", None)).await.json();
    let columns = ["name", "source", "company", "key_issued", "key_ends", "next"].map(|column| link[column].as_str());
    let expected = ["大阪支社", "hrmos", "h1", "2026-03-20", "2026-06-20", "2026-04-01T20:00:00Z"].map(Some);
    assert_eq!((columns, &link["auto"]), (expected, &json!(true)), "{link}");
    assert!(!link.to_string().contains(&key), "the key is in no answer");
    let audit = office.call(ask("GET", "/api/v1/audit", None)).await.json();
    let mut made = audit["items"].as_array().unwrap().iter().filter(|entry| entry["action"] == "link.create");
    let entry = made.next().unwrap();
    let who = entry["actor"].as_str().unwrap();
    assert!(who.starts_with("token:") && entry["target"] == "l2" && made.next().is_none(), "{audit}");
    let stated = link["stated"].as_array().unwrap();
    let what: Vec<&str> = stated.iter().map(|one| one["what"].as_str().unwrap()).collect();
    assert_eq!(what, STATEMENTS);
    for one in stated {
        let ticked: Timestamp = one["at"].as_str().unwrap().parse().unwrap();
        assert!(one["who"] == who && (before..=after).contains(&ticked), "{one}: {before} to {after}");
    }
}

/// Of a key that the source does not take, and the same id is free for the next try.
#[actix_web::test]
async fn a_link_whose_key_is_refused_is_not_there_and_its_id_is_free() {
    let mut office = Office::bare().await;
    let wanted = office.call(ask("POST", "/api/v1/links", Some(wish("d3Jvbmc=", &STATEMENTS)))).await.json();
    office.attendance.run_for(MINUTE).await;
    let check = format!("/api/v1/link-checks/{}", wanted["id"].as_str().unwrap());
    let check = office.call(ask("GET", &check, None)).await.json();
    assert_eq!((&check["state"], &check["code"]), (&json!("refused"), &json!("attendance.key_refused")));
    assert_eq!(office.call(ask("GET", "/api/v1/links/l2", None)).await.status, 404);
    let links = office.call(ask("GET", "/api/v1/links", None)).await.json();
    let ids: Vec<&str> = links.as_array().unwrap().iter().map(|link| link["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["l1"]);
    let again = office.call(ask("POST", "/api/v1/links", Some(wish(&sample::key("h1"), &STATEMENTS)))).await;
    assert_eq!(again.status, 202, "{:?}", again.json());
    office.attendance.run_for(MINUTE).await;
    assert_eq!(office.call(ask("GET", "/api/v1/links/l2", None)).await.status, 200);
}

async fn auto(office: &mut Office, on: bool) -> Value {
    let answer = office.call(ask("PATCH", LINK, Some(json!({"auto": on}))).set("if-match", "*")).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    answer.json()
}

/// When the windows of the link began, oldest first.
async fn windows(office: &Office) -> Vec<Timestamp> {
    let runs = office.attendance.runs().await;
    runs.iter().filter(|run| run.kind == RunKind::Window).map(|run| run.started.timestamp()).collect()
}

/// Whether somebody works at 05:00 or not, 自動同期 begins with the next 05:00, and a person may bring days meanwhile.
#[actix_web::test]
async fn switched_off_only_what_a_person_starts_runs_and_on_begins_with_the_next_five_o_clock() {
    for works in [true, false] {
        let mut office = Office::bare().await;
        assert_eq!(auto(&mut office, false).await["next"], Value::Null);
        if works {
            let days = json!({"first_day": "2026-03-30", "last_day": "2026-03-31"});
            assert_eq!(office.call(ask("POST", &format!("{LINK}/runs"), Some(days))).await.status, 202);
        } else {
            office.attendance.processes.clear();
        }
        office.attendance.run_to(date(2026, 4, 2), 9, 0).await;
        let runs = office.attendance.runs().await;
        let manual: Vec<RunKind> = runs.iter().map(|run| run.kind).collect();
        assert_eq!(manual, if works { vec![RunKind::Manual] } else { vec![] }, "{runs:?}");
        assert!(runs.iter().all(|run| run.state == RunState::Ok), "{runs:?}");
        assert_eq!(auto(&mut office, true).await["next"], "2026-04-02T20:00:00Z", "works: {works}");
        if !works {
            office.attendance.start("s2");
        }
        office.attendance.run_to(date(2026, 4, 3), 4, 59).await;
        assert_eq!(windows(&office).await, [] as [Timestamp; 0], "works: {works}");
        office.attendance.run_to(date(2026, 4, 3), 6, 0).await;
        let [began] = windows(&office).await.try_into().unwrap();
        let five = at(date(2026, 4, 3), 5, 0);
        assert!((five.timestamp()..=(five + MINUTE).timestamp()).contains(&began), "{began}");
    }
}

/// A window that has begun goes on whatever becomes of 自動同期; the next one is that of the next day.
#[actix_web::test]
async fn a_window_under_way_goes_on_when_it_is_switched_off_and_on() {
    let mut office = Office::bare().await;
    office.attendance.run_to(date(2026, 4, 2), 5, 0).await;
    office.attendance.run_for(Duration::from_secs(20)).await;
    assert_eq!(office.attendance.runs().await[0].state, RunState::Running);
    auto(&mut office, false).await;
    office.attendance.run_for(Duration::from_secs(10)).await;
    auto(&mut office, true).await;
    office.attendance.run_to(date(2026, 4, 3), 4, 59).await;
    let [run] = office.attendance.runs().await.try_into().unwrap();
    assert_eq!((run.state, run.counts["days_read"]), (RunState::Ok, 40), "{:?}", run.counts);
    office.attendance.run_to(date(2026, 4, 3), 6, 0).await;
    assert_eq!(windows(&office).await.len(), 2);
}

/// One that waits for a manual run has not begun.
#[actix_web::test]
async fn a_window_that_waits_when_it_is_switched_off_and_on_comes_on_the_next_day() {
    let mut office = Office::bare().await;
    office.attendance.run_to(date(2026, 4, 2), 4, 59).await;
    office.attendance.run_for(Duration::from_secs(50)).await;
    let days = json!({"first_day": "2026-03-02", "last_day": "2026-03-31"});
    assert_eq!(office.call(ask("POST", &format!("{LINK}/runs"), Some(days))).await.status, 202);
    office.attendance.run_for(Duration::from_secs(20)).await;
    let states = |runs: &[renkei_store::runs::Run]| -> Vec<(RunKind, RunState)> {
        runs.iter().map(|run| (run.kind, run.state)).collect()
    };
    let runs = office.attendance.runs().await;
    assert_eq!(states(&runs), [(RunKind::Manual, RunState::Running), (RunKind::Window, RunState::Waiting)]);
    auto(&mut office, false).await;
    assert_eq!(auto(&mut office, true).await["next"], "2026-04-02T20:00:00Z");
    office.attendance.run_to(date(2026, 4, 3), 4, 59).await;
    let runs = office.attendance.runs().await;
    assert_eq!(states(&runs), [(RunKind::Manual, RunState::Ok), (RunKind::Window, RunState::Cancelled)]);
    office.attendance.run_to(date(2026, 4, 3), 6, 0).await;
    assert_eq!(windows(&office).await.len(), 2);
}
