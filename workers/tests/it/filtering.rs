//! 連携対象者: each condition, and when people whom it left out are judged again.

use std::time::Duration;

use jiff::civil::{Date, date};
use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::sample;
use renkei_store::employees::RowState;
use renkei_store::settings::{Filter, HireDate, Settings, Within};
use renkei_workers::members::filter::{next_midnight, passes, today};
use serde_json::{Value, json};

use crate::mapping::NOW;
use crate::people::record;
use crate::world::{Link, World, link, settings};

fn filter(json: Value) -> Filter {
    serde_json::from_value(json).unwrap()
}

#[test]
fn each_condition_and_a_missing_value_never_meets_one() {
    let day = date(2026, 4, 1);
    let rows = [
        ("no condition", json!({}), json!({}), true),
        (
            "employment type",
            json!({ "employment_types": ["正社員", "契約社員"] }),
            json!({ "employment_type": "正社員" }),
            true,
        ),
        ("another type", json!({ "employment_types": ["正社員"] }), json!({ "employment_type": "アルバイト" }), false),
        ("no type", json!({ "employment_types": ["正社員"] }), json!({ "employment_type": null }), false),
        ("status by code", json!({ "statuses": ["active"] }), json!({}), true),
        ("status by label", json!({ "statuses": ["在籍"] }), json!({}), true),
        (
            "unknown status as it is written",
            json!({ "statuses": ["出向中"] }),
            json!({ "employee_status": "出向中" }),
            true,
        ),
        ("another status", json!({ "statuses": ["在籍"] }), json!({ "employee_status": "休職" }), false),
        (
            "department",
            json!({ "departments": ["D1"] }),
            json!({ "department": { "code": "D1", "name": "開発" } }),
            true,
        ),
        ("another department", json!({ "departments": ["D1"] }), json!({ "department": { "code": "D10" } }), false),
        ("department without code", json!({ "departments": ["D1"] }), json!({ "department": { "name": "D1" } }), false),
        ("no department", json!({ "departments": ["D1"] }), json!({}), false),
        ("number", json!({ "employee_numbers": ["E00001"] }), json!({}), true),
        ("another number", json!({ "employee_numbers": ["E0001", "00001"] }), json!({}), false),
        ("on or after, the day", json!({ "hire_date": { "on_or_after": "2026-04-01" } }), json!({}), true),
        ("on or after, later", json!({ "hire_date": { "on_or_after": "2026-04-02" } }), json!({}), false),
        ("on or before, the day", json!({ "hire_date": { "on_or_before": "2026-04-01" } }), json!({}), true),
        ("on or before, earlier", json!({ "hire_date": { "on_or_before": "2026-03-31" } }), json!({}), false),
        ("no hire date", json!({ "hire_date": { "on_or_before": "2026-04-01" } }), json!({ "hire_date": null }), false),
        (
            "all must hold",
            json!({ "employment_types": ["正社員"], "hire_date": { "on_or_after": "2027-01-01" } }),
            json!({ "employment_type": "正社員" }),
            false,
        ),
    ];
    for (what, conditions, changes, expected) in rows {
        assert_eq!(passes(&record(changes, 1, NOW), &filter(conditions), day), expected, "{what}");
    }
    let within = |before, after| Filter {
        hire_date: HireDate { within: Some(Within { days_before: before, days_after: after }), ..HireDate::default() },
        ..Filter::default()
    };
    let hired: Date = "2026-04-01".parse().unwrap();
    for (before, after, days, expected) in
        [(0, 0, 0, true), (0, 0, 1, false), (3, 0, 3, true), (3, 0, 4, false), (0, 7, -7, true), (0, 7, -8, false)]
    {
        let day = hired.checked_add(jiff::Span::new().days(days)).unwrap();
        let passes = passes(&record(json!({}), 1, NOW), &within(before, after), day);
        assert_eq!(passes, expected, "{before} before, {after} after, {days} days after the hire");
    }
}

#[test]
fn days_begin_at_midnight_in_tokyo() {
    let at = |text: &str| Millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
    assert_eq!(today(at("2026-03-31T14:59:59Z")), date(2026, 3, 31));
    assert_eq!(today(at("2026-03-31T15:00:00Z")), date(2026, 4, 1));
    assert_eq!(next_midnight(at("2026-03-31T14:59:59Z")), at("2026-03-31T15:00:00Z"));
    assert_eq!(next_midnight(at("2026-03-31T15:00:00Z")), at("2026-04-01T15:00:00Z"));
}

async fn world(filter: Filter) -> World {
    let company = sample::company("a");
    let mut world = World::new(3, vec![company], renkei_sandbox::kaonavi::transport::no_latency()).await;
    world.link(Link { settings: Settings { filter, ..settings() }, ..link("c1", "a") }).await;
    world.run_for(MINUTE).await;
    world
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

async fn reason(world: &World, number: &str) -> (RowState, Option<String>) {
    let row = world.row("c1", number).await;
    (row.state, row.reason)
}

#[tokio::test]
async fn who_is_left_out_stays_due_and_goes_out_when_the_record_changes() {
    let mut world = world(filter(json!({ "employment_types": ["正社員"] }))).await;
    let at = world.now();
    world.send("c1", record(json!({ "employment_type": "アルバイト" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_eq!(reason(&world, "E00001").await, (RowState::Skipped, Some("filtered".to_owned())));
    let at = world.now();
    world.send("c1", record(json!({ "employment_type": "正社員" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_eq!(reason(&world, "E00001").await, (RowState::Synced, None));
}

#[tokio::test]
async fn who_is_left_out_is_judged_again_when_the_filter_is_saved() {
    let mut world = world(filter(json!({ "employment_types": ["正社員"] }))).await;
    let at = world.now();
    world.send("c1", record(json!({ "employment_type": "契約社員" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_eq!(reason(&world, "E00001").await.0, RowState::Skipped);
    let wider = filter(json!({ "employment_types": ["正社員", "契約社員"] }));
    world.save_settings("c1", Settings { filter: wider, ..settings() }).await;
    world.run_for(MINUTE).await;
    assert_eq!(reason(&world, "E00001").await, (RowState::Synced, None));
}

#[tokio::test]
async fn days_from_today_are_judged_again_at_midnight_in_tokyo_and_not_before() {
    // 09:00 on April 1st; hired on the 4th, sent from two days before.
    let mut world = world(filter(json!({ "hire_date": { "within": { "days_before": 0, "days_after": 2 } } }))).await;
    let at = world.now();
    world.send("c1", record(json!({ "hire_date": "2026-04-04" }), 1, at)).await;
    world.run_for(MINUTE).await;
    let midnight = next_midnight(world.now());
    world.run_until(midnight - Duration::from_secs(1)).await;
    assert_eq!(reason(&world, "E00001").await, (RowState::Skipped, Some("filtered".to_owned())));
    world.run_until(midnight + Duration::from_secs(10)).await;
    assert_eq!(reason(&world, "E00001").await, (RowState::Synced, None));
}

#[tokio::test]
async fn a_day_that_began_while_nobody_worked_is_made_up_for() {
    let mut world = world(filter(json!({ "hire_date": { "within": { "days_before": 0, "days_after": 2 } } }))).await;
    let at = world.now();
    world.send("c1", record(json!({ "hire_date": "2026-04-04" }), 1, at)).await;
    world.run_for(MINUTE).await;
    world.kill(0);
    world.run_for(HOUR * 20).await;
    world.start_worker("w2");
    world.run_for(MINUTE).await;
    assert_eq!(reason(&world, "E00001").await, (RowState::Synced, None));
}

#[tokio::test]
async fn a_filter_of_fixed_days_wakes_nobody_at_midnight() {
    let mut world = world(filter(json!({ "hire_date": { "on_or_before": "2026-04-03" } }))).await;
    let at = world.now();
    world.send("c1", record(json!({ "hire_date": "2026-04-04" }), 1, at)).await;
    world.run_for(HOUR * 24 * 4).await;
    assert_eq!(reason(&world, "E00001").await, (RowState::Skipped, Some("filtered".to_owned())));
}
