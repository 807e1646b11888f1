//! What a verification finds, and what it says to do.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::transport::no_latency;
use renkei_sandbox::kaonavi::{CompanySpec, Permissions, sample};
use renkei_store::connections::ConnectionState;
use renkei_store::employees::RowState;
use renkei_store::settings::{CustomField, Settings, SourceField, Timing};
use renkei_store::switch;
use renkei_store::verification::Check;
use serde_json::json;

use crate::people::{person, record};
use crate::world::{Link, START, World, link, settings};

const MINUTE: Duration = Duration::from_secs(60);

async fn linked(company: CompanySpec, settings: Settings, wanted: bool) -> World {
    let mut world = World::new(9, vec![company], no_latency()).await;
    world.link(Link { settings, wanted, ..link("c1", "a") }).await;
    world
}

async fn verified(world: &mut World) -> Vec<Check> {
    switch::want_verification(&world.store, "c1", "test").await.unwrap();
    world.wake_all();
    world.run_for(MINUTE * 2).await;
    let connection = world.connection("c1").await;
    assert_eq!(connection.verify_wanted, None);
    connection.verification.unwrap().1
}

fn bad(checks: &[Check]) -> Vec<(&str, &str, Option<&str>)> {
    let bad = checks.iter().filter(|check| !check.ok);
    bad.map(|check| (check.what.as_str(), check.code.as_deref().unwrap(), check.about.as_deref())).collect()
}

#[tokio::test]
async fn all_is_well_and_nothing_is_written() {
    let mut world = linked(sample::company("a"), settings(), false).await;
    let checks = verified(&mut world).await;
    assert_eq!(bad(&checks), []);
    let what: Vec<&str> = checks.iter().map(|check| check.what.as_str()).collect();
    assert_eq!(what, ["credentials", "read", "update", "create", "layout", "mapping"]);
    assert_eq!(world.connection("c1").await.state, ConnectionState::Draft);
    assert_eq!(world.company("a", |company| company.log().writes().count()).await, 0);
}

#[tokio::test]
async fn each_permission_is_told_apart() {
    use renkei_sandbox::kaonavi::Operation::{Create, Read, Update};
    for (boxes, expected) in [
        (vec![Read, Update], vec![("create", "kaonavi.forbidden", Some("登録"))]),
        (vec![Read, Create], vec![("update", "kaonavi.forbidden", Some("更新"))]),
        (vec![Update, Create], vec![("read", "kaonavi.forbidden", Some("GET /members"))]),
    ] {
        let mut company = sample::company("a");
        company.permissions = Permissions { members: boxes.iter().copied().collect(), ..company.permissions };
        let mut world = linked(company, settings(), false).await;
        let checks = verified(&mut world).await;
        assert_eq!(bad(&checks), expected, "{boxes:?}");
        // Switching on finds the same and does not.
        world.want("c1").await;
        world.run_for(MINUTE * 2).await;
        let connection = world.connection("c1").await;
        assert_eq!(connection.state, ConnectionState::Draft, "{boxes:?}");
        assert!(connection.problems[0].starts_with("kaonavi.forbidden"), "{:?}", connection.problems);
        // The box is ticked, and a minute later it is tried again.
        world.company("a", |company| *company.permissions_mut() = Permissions::for_members()).await;
        world.want("c1").await;
        world.run_for(MINUTE * 2).await;
        assert_eq!(world.connection("c1").await.state, ConnectionState::Active, "{boxes:?}");
    }
}

#[tokio::test]
async fn refused_credentials_are_told() {
    let mut company = sample::company("a");
    company.consumer_secret = "another".to_owned();
    let mut world = linked(company, settings(), false).await;
    assert_eq!(bad(&verified(&mut world).await)[0].1, "kaonavi.credentials_refused");
}

#[tokio::test]
async fn settings_that_do_not_fit_the_layout_are_named() {
    let odd = Settings {
        gender: [("女性".to_owned(), Some("女".to_owned()))].into(),
        custom: [("custom:999".to_owned(), CustomField { from: SourceField::EmploymentType, choices: [].into() })]
            .into(),
        constants: [("nonsense".to_owned(), "x".to_owned())].into(),
        ..settings()
    };
    let mut world = linked(sample::company("a"), odd, false).await;
    let checks = verified(&mut world).await;
    assert_eq!(
        bad(&checks),
        [
            ("mapping", "mapping.item_not_in_layout", Some("custom:999")),
            ("mapping", "mapping.constant_not_in_layout", Some("nonsense")),
            ("mapping", "mapping.gender_unmapped", Some("男性")),
            ("mapping", "mapping.gender_choice_not_in_layout", Some("女性")),
        ]
    );
}

/// What カオナビ refuses of every new person is said before anybody is sent.
#[tokio::test]
async fn constants_that_kaonavi_would_refuse_are_named() {
    let mut company = sample::company("a");
    company.permissions = Permissions::all();
    company.layout.retired_date = company.layout.retired_date.clone().required();
    company.layout.name_kana = company.layout.name_kana.clone().read_only();
    let constants = |pairs: &[(&str, &str)]| -> std::collections::BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let long = "あ".repeat(21);
    let odd =
        [("custom:401", long.as_str()), ("custom:402", "1"), ("department", "D999"), ("retired_date", "2026/04/01")];
    let mut world = linked(company, Settings { constants: constants(&odd), ..settings() }, true).await;
    world.run_for(MINUTE * 2).await;
    let connection = world.connection("c1").await;
    assert_eq!(connection.state, ConnectionState::Draft);
    let expected = [
        "mapping.item_not_in_layout: name_kana",
        "mapping.too_long: custom:401",
        "mapping.constant_not_in_layout: custom:402",
        "mapping.department_not_in_kaonavi: department",
        "mapping.date_invalid: retired_date",
    ];
    assert_eq!(connection.problems, expected);
    let empty = [("retired_date", "")];
    world.save_settings("c1", Settings { constants: constants(&empty), ..settings() }).await;
    world.want("c1").await;
    world.run_for(MINUTE * 2).await;
    let connection = world.connection("c1").await;
    assert_eq!(
        connection.problems,
        ["mapping.item_not_in_layout: name_kana", "mapping.required_missing: retired_date"]
    );
    // Mended on both sides.
    world.company("a", |company| company.layout_mut().name_kana.read_only = false).await;
    let right = [("custom:401", "123"), ("department", "D310"), ("retired_date", "2026-04-01")];
    world.save_settings("c1", Settings { constants: constants(&right), ..settings() }).await;
    world.want("c1").await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active);
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE).await;
    let sent = |company: &mut renkei_sandbox::kaonavi::Company| {
        let member = company.member("E00001").unwrap();
        (member.department.clone(), member.custom.get(&401).cloned())
    };
    assert_eq!(world.company("a", sent).await, (Some("D310".to_owned()), Some(vec!["123".to_owned()])));
}

#[tokio::test]
async fn the_calls_of_a_verification_stand_in_the_budget() {
    let mut world = linked(sample::company("a"), settings(), true).await;
    world.run_for(Duration::from_secs(5)).await;
    for index in 1..=6 {
        let at = world.now();
        world.send("c1", person(index, at)).await;
        world.run_for(Duration::from_secs(1)).await;
    }
    world.drain("c1", MINUTE * 5).await;
    world.assert_limits("a").await;
}

#[tokio::test]
async fn departments_are_read_only_while_they_are_mapped_and_a_403_parks_the_mapping_only() {
    let on = Settings { departments: Some([("D1".to_owned(), "K1".to_owned())].into()), ..settings() };
    let reads = |company: &mut renkei_sandbox::kaonavi::Company| {
        company.log().calls().filter(|call| call.path.ends_with("/departments")).count()
    };
    let mut off = linked(sample::company("a"), settings(), true).await;
    off.run_for(MINUTE * 2).await;
    assert_eq!(off.company("a", reads).await, 0);

    let mut company = sample::company("a");
    company.permissions = Permissions::all();
    let mut world = linked(company, on, true).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(world.company("a", reads).await, 1);
    world.company("a", |company| company.permissions_mut().departments.clear()).await;
    assert_eq!(bad(&verified(&mut world).await), [("departments", "kaonavi.departments_not_permitted", None)]);
    let at = world.now();
    world.send("c1", record(json!({ "department": { "code": "D1" } }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_eq!(world.row("c1", "E00001").await.state, RowState::Synced, "everything but 所属 goes over");
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active, "nothing halts");
}

#[tokio::test]
async fn quarter_hour_updates_go_at_the_quarter_and_hires_at_once() {
    let mut company = sample::company("a");
    company.members = vec![crate::people::member(1, "古い 名前")];
    let mut world = linked(company, Settings { timing: Timing::QuarterHour, ..settings() }, true).await;
    // 09:00:00 is START; wait until 09:02.
    world.run_for(MINUTE * 2).await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.send("c1", person(11, at)).await;
    world.run_for(Duration::from_secs(30)).await;
    assert_eq!(world.row("c1", "E00011").await.state, RowState::Synced);
    world.run_until(Millis(START) + MINUTE * 15 - Duration::from_secs(1)).await;
    assert_eq!(world.row("c1", "E00001").await.state, RowState::Due);
    world.run_until(Millis(START) + MINUTE * 15 + Duration::from_secs(10)).await;
    assert_eq!(world.row("c1", "E00001").await.state, RowState::Synced);
}

#[tokio::test]
async fn what_ingest_received_before_activation_is_a_baseline_though_it_is_read_later() {
    let mut world = linked(sample::company("a"), settings(), false).await;
    world.run_for(MINUTE).await;
    let at = world.now();
    let before = world.event("c1", person(1, at));
    // It waits on the log while the connection is switched on.
    world.run_for(MINUTE).await;
    world.want("c1").await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active);
    let at = world.now();
    let after = world.event("c1", person(2, at));
    world.append(vec![before, after]).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(world.row("c1", "E00001").await.state, RowState::Baseline);
    assert_eq!(world.row("c1", "E00002").await.state, RowState::Synced);
}
