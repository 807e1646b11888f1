//! Runs over the API: started, refused, cancelled, and what they say of themselves.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::civil::{Date, date};
use renkei_sandbox::crowdlog::Member;
use renkei_sandbox::hrmos::{Day, IpTarget, at as clock};
use renkei_store::runs::RunState;
use serde_json::{Value, json};

use super::office::{FIRST, LINK, Office};
use crate::api::world::ask;
use crate::support::client::Answer;

const SECOND: Duration = Duration::from_secs(1);

async fn start(office: &mut Office, first: &str, last: &str) -> Answer {
    let days = json!({"first_day": first, "last_day": last});
    office.call(ask("POST", &format!("{LINK}/runs"), Some(days))).await
}

async fn newest(office: &mut Office) -> Value {
    office.call(ask("GET", "/api/v1/runs?limit=1", None)).await.json()["items"][0].clone()
}

#[actix_web::test]
async fn a_person_chooses_one_to_forty_days_up_to_today_however_old() {
    let mut office = Office::bare().await;
    let table = [
        ("2026-04-01", "2026-04-01", 202, ""),
        ("2001-01-01", "2001-02-09", 409, ""),
        ("2026-02-20", "2026-04-01", 400, "/last_day"),
        ("2026-03-02", "2026-03-01", 400, "/last_day"),
        ("2026-04-01", "2026-04-02", 400, "/last_day"),
        ("2026-02-30", "2026-03-01", 400, "/first_day"),
    ];
    for (first, last, status, pointer) in table {
        let answer = start(&mut office, first, last).await;
        let body = answer.json();
        assert_eq!((answer.status, body["pointer"].as_str().unwrap_or_default()), (status, pointer), "{first} {last}");
    }
    office.attendance.run_for(Duration::from_secs(600)).await;
    assert_eq!(start(&mut office, "2001-01-01", "2001-02-09").await.status, 202, "forty days, however old");
}

#[actix_web::test]
async fn a_second_run_is_refused_with_link_executor_and_progress() {
    let mut office = Office::bare().await;
    assert_eq!(start(&mut office, "2026-03-01", "2026-03-31").await.status, 202);
    let refused = start(&mut office, "2026-03-01", "2026-03-31").await;
    assert_eq!(refused.status, 409);
    let refused = refused.json();
    let (_, executor) = refused["detail"].as_str().unwrap().split_once("is about to start, wanted by ").unwrap();
    assert!(executor.starts_with("token:"), "{refused}");
    let under_way = format!("a run of link l1 is under way, started by {executor}: day ");
    office.attendance.run_for(SECOND * 20).await;
    let refused = start(&mut office, "2026-03-01", "2026-03-31").await.json();
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.starts_with(&under_way), "{detail}");
    assert!(detail.ends_with(" of 31"), "{detail}");
}

#[actix_web::test]
async fn a_cancelled_run_has_ended_and_what_it_read_stays() {
    let mut office = Office::bare().await;
    office.upload_members().await;
    office.settings(json!({"closing": {"kind": "not_used"}})).await;
    assert_eq!(start(&mut office, "2026-03-01", "2026-03-31").await.status, 202);
    office.attendance.run_for(SECOND * 20).await;
    // The source asks for a long pause: the run rests, and is to be cancelled all the same.
    office.attendance.company("h1", |company| company.fault(|faults| faults.server_errors = 50)).await;
    office.attendance.run_for(SECOND * 40).await;
    let run = newest(&mut office).await;
    assert_eq!((run["state"].as_str(), run["ended"].is_null()), (Some("running"), true), "{run}");
    let (day, days) = (run["counts"]["day"].as_i64().unwrap(), run["counts"]["days"].as_i64());
    assert!(day > 5 && days == Some(31), "{run}");
    // Beside how far it is: how much was read, and whom it passed over so far.
    let count = |what: &str| run["counts"][what].as_i64().unwrap();
    assert_eq!(count("days_read"), day - 1, "{run}");
    assert!(count("rows") >= 20 * (day - 1) && count("changed") > 0 && count("calls") > day, "{run}");
    assert!(count("doubles") > 0 && count("without_code") > 0 && count("unreadable") == 0, "{run}");
    let cancel = || ask("POST", &format!("/api/v1/runs/{}/cancel", run["id"]), None);
    let cancelled = office.call(cancel()).await.json();
    assert_eq!(
        (cancelled["state"].as_str(), cancelled["code"].as_str()),
        (Some("cancelled"), Some("attendance.cancelled"))
    );
    assert!(!cancelled["ended"].is_null());
    let first_not_read = date(2026, 3, 1).checked_add(jiff::Span::new().days(day - 1)).unwrap();
    assert_eq!(cancelled["first_day_not_read"], first_not_read.to_string());
    assert_eq!(office.call(cancel()).await.status, 409, "it has ended");
    office.attendance.run_for(SECOND * 90).await;
    let rows = office.rows().await;
    assert!(!rows.is_empty() && rows.keys().all(|(_, day)| *day < first_not_read), "what was read stays: {rows:?}");
    // Nothing is in the way of the next one, and the source is asked by nobody.
    office.attendance.company("h1", |company| company.fault(|faults| faults.server_errors = 0)).await;
    let before = office.attendance.company("h1", |company| company.log().calls().len()).await;
    office.attendance.run_for(SECOND * 60).await;
    assert_eq!(office.attendance.company("h1", |company| company.log().calls().len()).await, before);
    assert_eq!(start(&mut office, "2026-03-01", "2026-03-31").await.status, 202);
    office.attendance.run_for(Duration::from_secs(600)).await;
    assert!(newest(&mut office).await["first_day_not_read"].is_null());
}

/// Whoever shows runs asks for nothing else.
#[actix_web::test]
async fn one_answer_has_all_that_is_shown_of_a_run() {
    let mut office = Office::after_the_first_window().await;
    let renamed = ask("PATCH", LINK, Some(json!({"name": "本社の勤怠"}))).set("if-match", "*");
    assert_eq!(office.call(renamed).await.status, 200);
    assert_eq!(start(&mut office, "2026-03-01", "2026-03-03").await.status, 202);
    office.attendance.run_for(Duration::from_secs(600)).await;
    let list = office.call(ask("GET", "/api/v1/runs", None)).await.json();
    let [manual, window] = &list["items"].as_array().unwrap()[..] else { panic!("{list}") };
    let columns = |run: &Value| {
        let text = |column: &str| run[column].as_str().unwrap().to_owned();
        ["service", "source", "name", "executor_name", "first_day", "last_day", "state"].map(text)
    };
    let link = ["HRMOS勤怠", "hrmos", "本社の勤怠"];
    let [of_manual, of_window] = [
        ["hr", "2026-03-01", "2026-03-03", "awaiting_import"],
        ["システム", "2026-02-21", "2026-04-01", "awaiting_import"],
    ];
    assert_eq!(columns(manual)[..], [&link[..], &of_manual[..]].concat());
    assert_eq!(columns(window)[..], [&link[..], &of_window[..]].concat());
    assert!(window["started"].is_string() && window["ended"].is_string(), "{window}");
    assert!(window["warnings"].as_i64() > Some(0) && window["warnings"] == window["counts"]["warnings"], "{window}");
    let alone = office.call(ask("GET", &format!("/api/v1/runs/{}", manual["id"]), None)).await.json();
    assert_eq!(&alone, manual);
    // The link is taken away, and its runs are still listed.
    assert_eq!(office.call(ask("DELETE", LINK, None)).await.status, 204);
    let run = newest(&mut office).await;
    assert_eq!((&run["name"], &run["service"], run["connection"].as_str()), (&Value::Null, &Value::Null, Some("l1")));
}

/// The book is behind for longer than the decision after the run waits for it.
#[actix_web::test]
async fn days_that_come_late_from_a_cancelled_run_do_not_wait_for_the_next_one() {
    let mut office = Office::bare().await;
    office.upload_members().await;
    office.settings(json!({"closing": {"kind": "not_used"}})).await;
    assert_eq!(start(&mut office, "2026-03-01", "2026-03-31").await.status, 202);
    office.attendance.run_for(SECOND * 12).await;
    office.attendance.close_the_book();
    office.attendance.run_for(SECOND * 12).await;
    let run = newest(&mut office).await;
    let cancel = ask("POST", &format!("/api/v1/runs/{}/cancel", run["id"]), None);
    assert_eq!(office.call(cancel).await.json()["state"], "cancelled");
    office.attendance.run_for(SECOND * 120).await;
    let last = |rows: std::collections::BTreeMap<(String, jiff::civil::Date), String>| {
        rows.into_keys().map(|(_, day)| day).max().unwrap()
    };
    let in_time = last(office.rows().await);
    office.attendance.keep_the_book();
    office.attendance.run_for(SECOND * 30).await;
    let late = last(office.rows().await);
    assert!(late > in_time, "{in_time}, {late}");
}

/// All dates were read, and the book is still behind: no day is named that was not read.
#[actix_web::test]
async fn a_run_that_is_cancelled_while_the_book_follows_has_read_every_day() {
    let mut office = Office::bare().await;
    office.attendance.close_the_book();
    assert_eq!(start(&mut office, "2026-03-30", "2026-03-31").await.status, 202);
    office.attendance.run_for(SECOND * 60).await;
    let run = newest(&mut office).await;
    assert_eq!((run["state"].as_str(), run["counts"]["days_read"].as_i64()), (Some("running"), Some(2)), "{run}");
    let cancel = ask("POST", &format!("/api/v1/runs/{}/cancel", run["id"]), None);
    let cancelled = office.call(cancel).await.json();
    assert_eq!((cancelled["state"].as_str(), &cancelled["first_day_not_read"]), (Some("cancelled"), &Value::Null));
}

/// A window that is cancelled comes again on the next day, and not before.
#[actix_web::test]
async fn a_cancelled_window_comes_again_on_the_next_day() {
    let mut office = Office::bare().await;
    office.attendance.run_to(date(2026, 4, 2), 5, 0).await;
    office.attendance.run_for(SECOND * 20).await;
    let run = newest(&mut office).await;
    let cancel = ask("POST", &format!("/api/v1/runs/{}/cancel", run["id"]), None);
    assert_eq!(office.call(cancel).await.json()["state"], "cancelled");
    office.attendance.run_to(date(2026, 4, 3), 4, 59).await;
    assert_eq!(office.attendance.runs().await.len(), 1);
    office.attendance.run_to(date(2026, 4, 3), 6, 0).await;
    let runs = office.attendance.runs().await;
    assert_eq!((runs.len(), runs[1].days.clone().unwrap().1.as_str()), (2, "2026-04-02"));
    assert_ne!(runs[1].state, RunState::Failed);
}

/// Another company has somebody of this code, who works on `day`, and a link of its own.
async fn a_second_link(office: &mut Office, code: &str, day: Date) {
    let spec = renkei_sandbox::hrmos::sample::company("h2", 1, date(2026, 1, 1), date(2026, 4, 30), 11);
    office.attendance.hrmos.lock().await.add(spec).unwrap();
    let now = office.attendance.world.now();
    office
        .attendance
        .company("h2", |company| {
            let user = company.users()[0].id;
            company.change_number(now, user, Some(code));
            company.set_day(now, user, day, Day::work(clock(9, 0), clock(18, 0)));
        })
        .await;
    office.attendance.link("l2", "h2", renkei_store::links::AttendanceSource::Hrmos).await;
}

/// Of two links that bring one code the later run's day counts, and the run says whose codes they are and where else.
#[actix_web::test]
async fn a_code_of_two_links_is_named_with_both_and_the_later_run_counts() {
    let mut office = Office::after_the_first_window().await;
    let (_, code) = office.somebody().await;
    a_second_link(&mut office, &code, FIRST).await;
    office.attendance.run_to(date(2026, 4, 3), 6, 0).await;
    let run = newest(&mut office).await;
    assert_eq!(
        (run["connection"].as_str(), run["counts"]["in_several_links"].as_i64()),
        (Some("l2"), Some(1)),
        "{run}"
    );
    let notes = office.call(ask("GET", &format!("/api/v1/runs/{}/notes", run["id"]), None)).await.json();
    let note = &notes["items"][0];
    assert_eq!((note["reason"].as_str(), note["code"].as_str()), (Some("attendance.in_several_links"), Some(&*code)));
    assert!(note.to_string().contains("l1"), "with the other link: {note}");
}

/// Of a day that the other link brings by now, the one that brought it before asks nobody to type anything.
#[actix_web::test]
async fn what_is_to_be_typed_goes_with_its_day_to_the_other_link() {
    let mut office = Office::after_the_first_window().await;
    let to_type = async |office: &mut Office| -> BTreeSet<(String, String)> {
        let items = office.get("handwork?limit=200").await.json()["items"].as_array().unwrap().clone();
        let text = |item: &Value, column: &str| item[column].as_str().unwrap().to_owned();
        items.iter().map(|item| (text(item, "code"), text(item, "day"))).collect()
    };
    let before = to_type(&mut office).await;
    let (code, day) = before.first().unwrap().clone();
    a_second_link(&mut office, &code, day.parse().unwrap()).await;
    let days = json!({"first_day": day, "last_day": day});
    assert_eq!(office.call(ask("POST", "/api/v1/links/l2/runs", Some(days))).await.status, 202);
    office.attendance.run_for(SECOND * 120).await;
    let now = to_type(&mut office).await;
    assert!(!now.contains(&(code.clone(), day)), "{code}");
    assert!(now.iter().any(|(of, _)| *of != code), "what is left is the others': {now:?}");
}

/// What is uploaded later changes what is so now, and not what a run saw.
#[actix_web::test]
async fn a_run_keeps_its_lists_with_the_date_of_the_member_list() {
    let mut office = Office::after_the_first_window().await;
    let window = newest(&mut office).await;
    let of_run = |run: &Value| ask("GET", &format!("/api/v1/runs/{}/matching", run["id"]), None);
    let now = office.get("matching").await.json();
    let seen = office.call(of_run(&window)).await.json();
    for column in ["list_made", "matched", "only_source", "only_destination", "near", "doubles_at_source"] {
        assert_eq!(seen[column], now[column], "{column}");
    }
    assert!(seen["list_made"].is_string() && seen["doubles_at_source"]["total"].as_i64() > Some(0), "{seen}");
    // Somebody else is listed now, and somebody is listed under a code that looks alike only.
    let (_, code) = office.somebody().await;
    office.crowdlog.change_member(&code, |member| member.code = format!("0{code}")).unwrap();
    office.crowdlog.add_member(Member::new("ANOTHER", "見本"));
    office.upload_members().await;
    assert_eq!(office.call(of_run(&window)).await.json(), seen, "as it was");
    assert_eq!(start(&mut office, "2026-03-02", "2026-03-03").await.status, 202);
    office.attendance.run_for(Duration::from_secs(600)).await;
    let manual = newest(&mut office).await;
    let later = office.call(of_run(&manual)).await.json();
    assert!(later["only_destination"]["codes"].as_array().unwrap().contains(&json!("ANOTHER")), "{later}");
    let near = json!({"source": [code], "destination": [format!("0{code}")]});
    assert!(later["near"].as_array().unwrap().contains(&near), "{later}");
    assert_ne!(later["list_made"], seen["list_made"]);
    assert_eq!(office.call(of_run(&window)).await.json(), seen, "each its own");
}

/// A run that did not come to its end compared nothing, and one without a list could not.
#[actix_web::test]
async fn a_run_without_a_member_list_and_one_that_failed_have_no_lists() {
    let mut office = Office::bare().await;
    office.attendance.run_to(date(2026, 4, 2), 6, 0).await;
    office.upload_members().await;
    office.attendance.company("h1", |company| company.restrict_ip(IpTarget::Whole, &[])).await;
    office.attendance.run_to(date(2026, 4, 3), 6, 0).await;
    let runs = office.attendance.runs().await;
    assert_eq!((runs.len(), runs[1].state), (2, RunState::Failed));
    for run in runs {
        let lists = office.call(ask("GET", &format!("/api/v1/runs/{}/matching", run.id), None)).await.json();
        assert_eq!((&lists["list_made"], lists["only_source"]["total"].as_i64()), (&Value::Null, Some(0)), "{lists}");
    }
}

/// After a window that failed the link says which days are missing, until one came to its end.
#[actix_web::test]
async fn a_link_says_which_days_a_failed_window_did_not_bring() {
    let mut office = Office::after_the_first_window().await;
    let missed = |link: Value| link["missed"].clone();
    let link = office.call(ask("GET", LINK, None)).await.json();
    assert_eq!((missed(link.clone()), link["key_ends"].as_str()), (Value::Null, Some("2026-07-01")));
    office.attendance.company("h1", |company| company.restrict_ip(IpTarget::Whole, &[])).await;
    office.attendance.run_to(date(2026, 4, 4), 6, 0).await;
    let link = office.call(ask("GET", LINK, None)).await.json();
    assert_eq!(missed(link), json!({"first_day": "2026-04-02", "last_day": "2026-04-03"}));
    // One that fails as well brings nothing.
    assert_eq!(start(&mut office, "2026-04-02", "2026-04-03").await.status, 202);
    office.attendance.run_for(SECOND * 60).await;
    assert_eq!(newest(&mut office).await["state"], "failed");
    let link = office.call(ask("GET", LINK, None)).await.json();
    assert_eq!(missed(link), json!({"first_day": "2026-04-02", "last_day": "2026-04-03"}));
    office.attendance.company("h1", |company| company.restrict_ip(IpTarget::Off, &[])).await;
    for (day, left) in
        [("2026-04-02", json!({"first_day": "2026-04-03", "last_day": "2026-04-03"})), ("2026-04-03", Value::Null)]
    {
        assert_eq!(start(&mut office, day, day).await.status, 202);
        office.attendance.run_for(SECOND * 60).await;
        let link = office.call(ask("GET", LINK, None)).await.json();
        assert_eq!(missed(link), left, "after a manual run of {day}");
    }
    office.attendance.run_to(date(2026, 4, 5), 6, 0).await;
    let link = office.call(ask("GET", LINK, None)).await.json();
    assert_eq!(missed(link), Value::Null);
}

/// No window has come to its end yet.
#[actix_web::test]
async fn what_a_person_had_brought_is_not_missed_again_when_the_next_window_fails_as_well() {
    let mut office = Office::bare().await;
    let restrict = |to: IpTarget| move |company: &mut renkei_sandbox::hrmos::Company| company.restrict_ip(to, &[]);
    office.attendance.company("h1", restrict(IpTarget::Whole)).await;
    office.attendance.run_to(date(2026, 4, 2), 6, 0).await;
    let missed = office.call(ask("GET", LINK, None)).await.json()["missed"].clone();
    assert_eq!(missed, json!({"first_day": "2026-02-21", "last_day": "2026-04-01"}));
    office.attendance.company("h1", restrict(IpTarget::Off)).await;
    assert_eq!(start(&mut office, "2026-02-21", "2026-04-01").await.status, 202);
    office.attendance.run_for(SECOND * 600).await;
    let missed = office.call(ask("GET", LINK, None)).await.json()["missed"].clone();
    assert_eq!(missed, Value::Null);
    office.attendance.company("h1", restrict(IpTarget::Whole)).await;
    office.attendance.run_to(date(2026, 4, 3), 6, 0).await;
    let missed = office.call(ask("GET", LINK, None)).await.json()["missed"].clone();
    assert_eq!(missed, json!({"first_day": "2026-04-02", "last_day": "2026-04-02"}));
}

/// What a file's encoding can not say would keep all of its rows away.
#[actix_web::test]
async fn leave_columns_that_the_encoding_does_not_have_are_refused() {
    let mut office = Office::bare().await;
    for (encoding, value, status) in [("cp932", "有休🌸", 400), ("cp932", "有休", 200), ("utf8_bom", "有休🌸", 200)]
    {
        let columns = json!({"columns": [{"header": "休暇", "values": {"full_day": value}}]});
        let settings = json!({"files": {"encoding": encoding, "leave_columns": columns}});
        let answer = office.call(ask("PUT", &format!("{LINK}/settings"), Some(settings)).set("if-match", "*")).await;
        let body = answer.json();
        assert_eq!(answer.status, status, "{encoding} {value}: {body}");
        if status == 400 {
            assert_eq!(body["pointer"], "/files/leave_columns");
        }
    }
}
