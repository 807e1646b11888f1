//! Lists: pages, filters, months, and what happens to a list while it is being read.

use std::collections::BTreeSet;

use jiff::civil::date;
use renkei_runtime::clock::Millis;
use renkei_sandbox::hrmos::rules::Desk;
use renkei_sandbox::hrmos::{Between, Day, OverLimit, PastEnd, User, at, sample};
use serde_json::{Value, json};

use super::{DAY, crowd, total};

#[test]
fn pages_are_cut_and_counted() {
    let mut desk = Desk::with(crowd(120)).unwrap();
    for (query, rows, pages, first) in [
        ("", 25, "5", 1),
        ("?limit=100", 100, "2", 1),
        ("?limit=100&page=2", 20, "2", 101),
        ("?limit=500", 100, "2", 1),
        ("?limit=7&page=18", 1, "18", 120),
        ("?limit=7&page=19", 0, "18", 0),
        ("?user_id=7&limit=100&page=2", 20, "2", 101),
    ] {
        let answer = desk.get(&format!("work_outputs/daily/2026-04-09{query}"));
        let body = answer.body();
        assert_eq!(body.as_array().unwrap().len(), rows, "{query}");
        assert_eq!((total(&answer), answer.header("X-Total-Page")), (120, Some(pages)), "{query}");
        assert_eq!(
            body.as_array().unwrap().first().map_or(0, |row| row["user_id"].as_i64().unwrap()),
            first,
            "{query}"
        );
    }
    let headers = Desk::request("GET", "users")
        .with_header("Authorization", format!("Token {}", desk.token()))
        .with_header("limit", "100")
        .with_header("page", "2");
    assert_eq!(desk.raw(headers).body()[24]["id"], 25);
    assert_eq!(
        desk.get("users?page=2&limit=100").header("Link"),
        Some(
            "<https://ieyasu.co/api/desk/v1/users?limit=100&page=1>; rel=\"first\", \
         <https://ieyasu.co/api/desk/v1/users?limit=100&page=1>; rel=\"previous\""
        )
    );
    desk.set(|settings| (settings.over_limit, settings.past_end) = (OverLimit::Refuse, PastEnd::NotFound)).unwrap();
    assert_eq!(desk.get("users?limit=101").status(), Some(400));
    assert_eq!(desk.get("users?limit=100&page=3").status(), Some(404));
    assert_eq!(desk.get("users?limit=100&page=2").status(), Some(200));
}

#[test]
fn an_empty_list_has_one_empty_page() {
    let mut desk = Desk::with(Desk::empty()).unwrap();
    for (pages, past_end) in [(0, PastEnd::Empty), (1, PastEnd::NotFound)] {
        desk.set(|settings| (settings.pages_of_nothing, settings.past_end) = (pages, past_end)).unwrap();
        let answer = desk.get("work_outputs/daily/2026-04-09");
        assert_eq!((answer.status(), answer.body()), (Some(200), json!([])));
        assert_eq!((total(&answer), answer.header("X-Total-Page")), (0, Some(pages.to_string().as_str())));
        assert_eq!(answer.header("Link"), None);
    }
}

#[test]
fn from_and_to_are_inclusive_update_times() {
    let changed = |at: &str| Millis::from(at.parse::<jiff::Timestamp>().unwrap());
    let spec = [(1, "2026-04-09T10:00:00Z"), (2, "2026-04-09T11:00:00Z"), (3, "2026-04-09T12:00:00Z")]
        .into_iter()
        .fold(crowd(3), |spec, (user, at_)| spec.day(user, DAY, Day::work(at(9, 0), at(18, 0)).changed(changed(at_))));
    let mut desk = Desk::with(spec).unwrap();
    for (query, users) in [
        ("from=2026-04-09T20:00:00%2B09:00", vec![2, 3]),
        ("to=2026-04-09T20:00:00.000%2B09:00", vec![1, 2]),
        ("from=2026-04-09T10:00:00.001Z&to=2026-04-09T11:59:59.999Z", vec![2]),
        ("from=2026-04-10", vec![]),
        // Not work dates: the day's row was changed on that day, but no other day is asked for by it.
        ("from=2026-04-09&to=2026-04-10", vec![1, 2, 3]),
    ] {
        let answer = desk.get(&format!("work_outputs/daily/2026-04-09?{query}"));
        let body = answer.body();
        let got: Vec<i64> = body.as_array().unwrap().iter().map(|row| row["user_id"].as_i64().unwrap()).collect();
        assert_eq!(got, users, "{query}");
        assert_eq!(total(&answer), users.len() as u64, "{query}");
    }
    let unescaped = desk.get("work_outputs/daily/2026-04-09?from=2026-04-09T20:00:00+09:00");
    assert_eq!(unescaped.status(), Some(400));
}

#[test]
fn a_month_is_everybodys_closing_month() {
    let spec = Desk::empty()
        .user(User::new(1, Some("A"), "見本", "一"))
        .user(User::new(2, Some("B"), "見本", "二").closing(20))
        .set(|settings| settings.future_rows = true);
    let mut desk = Desk::with(spec).unwrap();
    let rows = desk.all("work_outputs/monthly/2026-04").unwrap();
    let span = |user: i64| {
        let of: Vec<&Value> = rows.iter().filter(|row| row["user_id"] == user).collect();
        (of.first().unwrap()["day"].clone(), of.last().unwrap()["day"].clone(), of.len())
    };
    assert_eq!(span(1), (json!("2026-04-01"), json!("2026-04-30"), 30));
    assert_eq!(span(2), (json!("2026-03-21"), json!("2026-04-20"), 31));
    assert!(rows.iter().all(|row| row["month"] == "202604"));
    assert_eq!(desk.all("work_outputs/monthly/2026-04?user_id=2").unwrap().len(), 31);
    assert_eq!(desk.get("work_outputs/monthly/2026-4").status(), Some(400));
    desk.set(|settings| settings.bare_monthly_rows = true).unwrap();
    let bare = desk.get("work_outputs/monthly/2026-04").body();
    assert!(bare[0].get("user_id").is_none() && bare[0].get("next_day_end").is_none());
}

#[test]
fn a_list_may_change_between_two_pages() {
    let spec = (1..=120).fold(crowd(120), |spec, user| spec.day(user, DAY, Day::work(at(9, 0), at(18, 0))));
    let mut desk = Desk::with(spec).unwrap();
    let page = |desk: &mut Desk, number: u8| {
        let answer = desk.get(&format!("work_outputs/daily/2026-04-09?limit=100&page={number}"));
        (total(&answer), answer.body().as_array().unwrap().clone())
    };
    desk.fault(|faults| faults.between_pages = Some(Between::RowCame)).unwrap();
    let (first_total, first) = page(&mut desk, 1);
    let (second_total, second) = page(&mut desk, 2);
    assert_eq!((first_total, second_total, second.len()), (120, 121, 21));
    assert_eq!((&first[99]["user_id"], &second[0]["user_id"]), (&json!(100), &json!(100)));
    assert_eq!((&first[99]["end_at"], &second[0]["end_at"]), (&json!("18:00"), &json!("18:15")));
    assert!(second[0]["updated_at"].as_str() > first[99]["updated_at"].as_str());
    assert_eq!(page(&mut desk, 2).1[0]["user_id"], 101, "it happens once");
    desk.fault(|faults| faults.between_pages = Some(Between::RowWent)).unwrap();
    assert_eq!(page(&mut desk, 1).0, 120);
    let (total, rows) = page(&mut desk, 2);
    assert_eq!((total, rows.len(), &rows[0]["user_id"]), (119, 19, &json!(102)));
}

#[test]
fn a_large_company_takes_no_room_and_every_row_comes_once() {
    let mut spec = sample::company("desk", 5_000, date(2026, 3, 1), date(2026, 4, 9), 3);
    spec.key_issued_at = Millis(1_775_764_800_000);
    let mut desk = Desk::with(spec).unwrap();
    let rows = desk.all("work_outputs/daily/2026-04-09").unwrap();
    let users: BTreeSet<i64> = rows.iter().map(|row| row["user_id"].as_i64().unwrap()).collect();
    // One has left by then.
    assert_eq!((rows.len(), users.len()), (4_999, 4_999));
    let stats = desk.company().unwrap().stats().clone();
    assert_eq!((stats.calls, stats.least_spacing_ms), (51, Some(1_100)));
    assert_eq!((stats.peak_per_minute, stats.writes), (51, 0));
    assert_eq!(desk.company().unwrap().kept_days(), 0);
}

/// What of a row changes without being a change of the row.
fn content(row: &Value) -> Value {
    let mut row = row.clone();
    row.as_object_mut().unwrap().remove("updated_at");
    row
}

#[test]
fn every_change_since_a_mark_is_found_by_from() {
    const HOUR: i64 = 3_600_000;
    let mut changes = 0;
    for (start, hours) in [(0, 1), (1, 24), (17, 5), (40, 72)] {
        let mut desk = Desk::open().unwrap();
        desk.wait(start * HOUR);
        desk.renew().unwrap();
        let mark = desk.now.timestamp();
        let days = ["2026-04-08", "2026-04-09", "2026-04-10"];
        let before: Vec<_> = days.iter().map(|day| desk.all(&format!("work_outputs/daily/{day}")).unwrap()).collect();
        desk.wait(hours * HOUR);
        desk.renew().unwrap();
        for (day, before) in days.iter().zip(before) {
            let after = desk.all(&format!("work_outputs/daily/{day}")).unwrap();
            let found = desk.all(&format!("work_outputs/daily/{day}?from={mark}")).unwrap();
            for (old, new) in before.iter().zip(&after) {
                assert_eq!(old["user_id"], new["user_id"]);
                if content(old) != content(new) {
                    changes += 1;
                    assert!(found.contains(new), "{day}: changed from {old} to {new}, but not found");
                }
            }
        }
    }
    assert!(changes > 100, "only {changes} changes");
}
