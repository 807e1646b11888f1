//! The mappings that an administrator switches on: mail, 所属, 退職日, custom items.

use std::collections::BTreeSet;
use std::time::Duration;

use renkei_sandbox::kaonavi::transport::no_latency;
use renkei_sandbox::kaonavi::{TextField, sample};
use renkei_store::employees::{Op, RowState, Values};
use renkei_store::settings::Settings;
use renkei_workers::members::doc::{Layout, LayoutItem};
use renkei_workers::members::map::{Departments, Known, map, map_leaver};
use serde_json::{Value, json};

use crate::mapping::{NOW, layout, values};
use crate::people::{person, record};
use crate::world::{Link, World, link, settings};

/// What is tried: a name, settings, changes of the record, and the values or the code and detail of what is wrong.
type Case = (&'static str, Value, Value, Result<Value, (&'static str, &'static str)>);

fn with(changes: Value) -> Settings {
    let mut whole = serde_json::to_value(settings()).unwrap();
    for (key, value) in changes.as_object().unwrap() {
        whole[key] = value.clone();
    }
    serde_json::from_value(whole).unwrap()
}

fn wide_layout() -> Layout {
    let mut layout = layout();
    let item = |kind: &str, choices: &[&str], read_only| LayoutItem {
        name: "項目".to_owned(),
        kind: kind.to_owned(),
        choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
        max_length: (kind == "string").then_some(10),
        read_only,
        ..LayoutItem::default()
    };
    layout.insert("department".to_owned(), item("department", &[], false));
    layout.insert("custom:1".to_owned(), item("string", &[], false));
    layout.insert("custom:2".to_owned(), item("enum", &["正社員", "契約社員"], false));
    layout.insert("custom:3".to_owned(), item("date", &[], false));
    layout.insert("custom:4".to_owned(), item("string", &[], true));
    layout
}

/// What the further mappings add to the five fields of the usual person, or the code of what is wrong.
fn added(settings: &Settings, changes: Value, op: Op) -> Result<Values, (&'static str, String)> {
    let layout = wide_layout();
    let codes = BTreeSet::from(["K1".to_owned()]);
    let known = Known { layout: &layout, departments: Departments::Known(&codes) };
    let mut mapped = map(&record(changes, 1, NOW), settings, known, op).map_err(|fault| (fault.code, fault.detail))?;
    for field in renkei_workers::members::map::FIELDS {
        mapped.values.remove(field);
    }
    Ok(mapped.values)
}

#[test]
fn further_mappings_are_off_and_fill_what_they_say_when_they_are_on() {
    let everything = json!({ "email": "h@example.com", "department": { "code": "D1", "name": "開発" }, "employment_type": "正社員",
        "retired_date": "2030-03-31" });
    assert_eq!(added(&settings(), everything.clone(), Op::Create), Ok(Values::new()));
    let table = json!({ "D1": "K1", "D2": "K2" });
    let from = |field: &str| json!({ "from": field });
    let rows: Vec<Case> = vec![
        ("mail", json!({ "mail": true }), everything.clone(), Ok(json!({ "mail": "h@example.com" }))),
        ("no mail", json!({ "mail": true }), json!({}), Ok(json!({}))),
        ("所属", json!({ "departments": table }), everything.clone(), Ok(json!({ "department": "K1" }))),
        ("no 部署", json!({ "departments": table }), json!({}), Ok(json!({}))),
        (
            "部署 without entry",
            json!({ "departments": table }),
            json!({ "department": { "code": "D9" } }),
            Err(("mapping.department_unmapped", "D9")),
        ),
        (
            "所属 that カオナビ does not have",
            json!({ "departments": table }),
            json!({ "department": { "code": "D2" } }),
            Err(("mapping.department_not_in_kaonavi", "K2")),
        ),
        (
            "所属 as a constant",
            json!({ "constants": { "department": "K1" } }),
            json!({}),
            Ok(json!({ "department": "K1" })),
        ),
        (
            "a constant 所属 that カオナビ does not have",
            json!({ "constants": { "department": "K9" } }),
            json!({}),
            Err(("mapping.department_not_in_kaonavi", "K9")),
        ),
        ("退職日 of somebody who stays", json!({ "retired_date": true }), everything.clone(), Ok(json!({}))),
        (
            "text",
            json!({ "custom": { "custom:1": from("department_name") } }),
            everything.clone(),
            Ok(json!({ "custom:1": "開発" })),
        ),
        (
            "text too long",
            json!({ "custom": { "custom:1": from("email") } }),
            everything.clone(),
            Err(("mapping.too_long", "custom:1")),
        ),
        (
            "choice",
            json!({ "custom": { "custom:2": from("employment_type") } }),
            everything.clone(),
            Ok(json!({ "custom:2": "正社員" })),
        ),
        (
            "choice by table",
            json!({ "custom": { "custom:2": { "from": "employment_type", "choices": { "アルバイト": "契約社員" } } } }),
            json!({ "employment_type": "アルバイト" }),
            Ok(json!({ "custom:2": "契約社員" })),
        ),
        (
            "no such choice",
            json!({ "custom": { "custom:2": from("employment_type") } }),
            json!({ "employment_type": "役員" }),
            Err(("mapping.choice_not_in_layout", "custom:2")),
        ),
        (
            "date",
            json!({ "custom": { "custom:3": from("hire_date") } }),
            json!({}),
            Ok(json!({ "custom:3": "2026-04-01" })),
        ),
        (
            "no date",
            json!({ "custom": { "custom:3": from("employment_type") } }),
            everything.clone(),
            Err(("mapping.date_invalid", "custom:3")),
        ),
        (
            "item that is not there",
            json!({ "custom": { "custom:9": from("email") } }),
            json!({}),
            Err(("mapping.item_not_in_layout", "custom:9")),
        ),
        (
            "item that can not be written",
            json!({ "custom": { "custom:4": from("email") } }),
            json!({}),
            Err(("mapping.item_not_in_layout", "custom:4")),
        ),
    ];
    for (what, settings, changes, expected) in rows {
        let found = added(&with(settings), changes, Op::Create);
        let expected = expected.map(values).map_err(|(code, detail)| (code, detail.to_owned()));
        assert_eq!(found, expected, "{what}");
    }
}

/// カオナビ's choices have the words of the source; a table may have these or the codes.
#[test]
fn a_status_goes_over_in_the_words_of_the_source() {
    let plain = json!({});
    let words = json!({ "入社予定": "入社前", "休職": "お休み" });
    let codes = json!({ "pending_hire": "入社前", "on_leave": "お休み" });
    let odd = json!({ "出向中": "社外" });
    let rows = [
        ("在籍", &plain, "在籍"),
        ("active", &plain, "在籍"),
        ("休職", &plain, "休職"),
        ("on_leave", &plain, "休職"),
        ("内定", &plain, "内定"),
        ("入社予定", &plain, "内定"),
        (" 出向中　", &plain, "出向中"),
        ("on_leave", &words, "お休み"),
        ("休職", &codes, "お休み"),
        ("内定", &words, "入社前"),
        ("入社予定", &codes, "入社前"),
        ("在籍", &words, "在籍"),
        ("出向中", &odd, "社外"),
    ];
    for (status, choices, expected) in rows {
        let custom = json!({ "custom:1": { "from": "employee_status", "choices": choices } });
        let found = added(&with(json!({ "custom": custom })), json!({ "employee_status": status }), Op::Create);
        assert_eq!(found, Ok(values(json!({ "custom:1": expected }))), "{status} {choices}");
    }
}

#[test]
fn further_fields_are_kept_when_empty_unless_they_are_to_be_cleared() {
    let on =
        json!({ "mail": true, "custom": { "custom:1": { "from": "business_name" } }, "departments": { "D1": "K1" } });
    assert_eq!(added(&with(on.clone()), json!({}), Op::Update), Ok(Values::new()));
    let mut clearing = on;
    clearing["clear_when_empty"] = json!(["mail", "custom:1"]);
    assert_eq!(added(&with(clearing), json!({}), Op::Update), Ok(values(json!({ "mail": "", "custom:1": "" }))));
}

#[test]
fn of_a_leaver_only_the_day_goes_over() {
    let left = json!({ "employee_status": "退職", "retired_date": "2026-06-30", "last_name": "改姓" });
    let mapped = map_leaver(&record(left, 1, NOW), &layout()).unwrap();
    assert_eq!(mapped.values, values(json!({ "retired_date": "2026-06-30" })));
}

const MINUTE: Duration = Duration::from_secs(60);

async fn world(settings: Settings) -> World {
    let mut world = World::new(11, vec![sample::company("a")], no_latency()).await;
    world.link(Link { settings, ..link("c1", "a") }).await;
    world.run_for(MINUTE * 2).await;
    world
}

#[tokio::test]
async fn who_becomes_a_leaver_gets_the_day_and_comes_back_whole() {
    let mut world = world(Settings { retired_date: true, ..settings() }).await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE).await;
    let at = world.now();
    let left = json!({ "employee_status": "退職", "retired_date": "2026-06-30", "last_name": "改姓" });
    world.send("c1", record(left, 1, at)).await;
    world.run_for(MINUTE * 2).await;
    let look = |company: &mut renkei_sandbox::kaonavi::Company| {
        let member = company.member("E00001").unwrap();
        (member.get(TextField::RetiredDate).to_owned(), member.get(TextField::Name).to_owned())
    };
    assert_eq!(world.company("a", look).await, ("2026-06-30".to_owned(), "髙橋 花子1".to_owned()));
    assert_eq!(world.row("c1", "E00001").await.state, RowState::Synced);
    // Somebody who left and never was a member does not become one.
    let at = world.now();
    let stranger = json!({ "employee_status": "退職", "retired_date": "2026-06-30" });
    world.send("c1", record(stranger, 2, at)).await;
    world.run_for(MINUTE * 2).await;
    let row = world.row("c1", "E00002").await;
    assert_eq!((row.state, row.reason.as_deref()), (RowState::Skipped, Some("status_excluded")));
}

#[tokio::test]
async fn without_the_option_a_leaver_is_skipped() {
    let mut world = world(settings()).await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE).await;
    let at = world.now();
    world.send("c1", record(json!({ "employee_status": "退職", "retired_date": "2026-06-30" }), 1, at)).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(world.row("c1", "E00001").await.reason.as_deref(), Some("status_excluded"));
    let retired = |company: &mut renkei_sandbox::kaonavi::Company| {
        company.member("E00001").unwrap().get(TextField::RetiredDate).to_owned()
    };
    assert_eq!(world.company("a", retired).await, "");
}

/// 退職日 was all that was compared when it was written; the other fields are compared when the person comes back.
#[tokio::test]
async fn i2_who_was_first_written_as_a_leaver_comes_back_with_fields_that_kaonavi_holds_otherwise() {
    let mut company = sample::company("a");
    company.members = vec![crate::people::member(1, "髙橋 花子1")];
    let mut world = World::new(3, vec![company], no_latency()).await;
    world.link(Link { settings: Settings { retired_date: true, ..settings() }, ..link("c1", "a") }).await;
    world.run_for(Duration::from_secs(70)).await;
    let at = world.now();
    let left = json!({ "employee_status": "退職", "retired_date": "2026-06-30" });
    world.send("c1", record(left, 1, at)).await;
    world.run_for(Duration::from_secs(120)).await;
    let kana = |company: &mut renkei_sandbox::kaonavi::Company| {
        company.member("E00001").unwrap().get(TextField::NameKana).to_owned()
    };
    assert_eq!(world.company("a", kana).await, "フルイ", "only 退職日 of somebody who left goes over");
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(Duration::from_secs(120)).await;
    assert_eq!(world.company("a", kana).await, "タカハシ ハナコ");
}

/// 退職日 goes over when somebody becomes 退職, not of somebody who was it before anything of the person was to be sent.
#[tokio::test]
async fn trap_who_was_a_leaver_before_activation_is_not_sent() {
    let mut company = sample::company("a");
    company.members = (1..=2).map(|index| crate::people::member(index, "髙橋 花子")).collect();
    let mut world = World::new(12, vec![company], no_latency()).await;
    let settings = Settings { retired_date: true, ..settings() };
    world.link(Link { settings, wanted: false, ..link("c1", "a") }).await;
    let left = |day: &str| json!({ "employee_status": "退職", "retired_date": day });
    let at = world.now();
    let events = vec![world.event("c1", record(left("2026-03-31"), 1, at)), world.event("c1", person(2, at))];
    world.append(events).await;
    world.run_for(MINUTE).await;
    world.want("c1").await;
    world.run_for(MINUTE * 2).await;
    for day in ["2026-04-30", "2026-05-31"] {
        let at = world.now();
        let events = vec![world.event("c1", record(left(day), 1, at)), world.event("c1", record(left(day), 2, at))];
        world.append(events).await;
        world.run_for(MINUTE * 2).await;
        let retired = |company: &mut renkei_sandbox::kaonavi::Company| {
            ["E00001", "E00002"].map(|code| company.member(code).unwrap().get(TextField::RetiredDate).to_owned())
        };
        assert_eq!(world.company("a", retired).await, [String::new(), day.to_owned()], "only of who left meanwhile");
        let row = world.row("c1", "E00001").await;
        assert_eq!((row.state, row.reason.as_deref()), (RowState::Skipped, Some("status_excluded")));
    }
    // Who comes back and leaves once more leaves like anybody.
    for changes in [json!({}), left("2026-06-30")] {
        let at = world.now();
        world.send("c1", record(changes, 1, at)).await;
        world.run_for(MINUTE * 2).await;
    }
    let retired = |company: &mut renkei_sandbox::kaonavi::Company| {
        company.member("E00001").unwrap().get(TextField::RetiredDate).to_owned()
    };
    assert_eq!(world.company("a", retired).await, "2026-06-30");
}

/// A field that is mapped arrives, and is cleared when the source has no value any more and the settings say so.
#[tokio::test]
async fn further_fields_arrive_in_kaonavi_and_are_cleared_there() {
    let mut company = sample::company("a");
    company.permissions = renkei_sandbox::kaonavi::Permissions::all();
    let mut world = World::new(13, vec![company], no_latency()).await;
    let on = with(
        json!({ "mail": true, "departments": { "D1": "D310" }, "custom": { "custom:401": { "from": "business_name" } },
        "clear_when_empty": ["mail", "department", "custom:401"] }),
    );
    world.link(Link { settings: on, ..link("c1", "a") }).await;
    world.run_for(MINUTE * 2).await;
    let look = |company: &mut renkei_sandbox::kaonavi::Company| {
        let member = company.member("E00001").unwrap();
        (member.get(TextField::Mail).to_owned(), member.department.clone(), member.custom.get(&401).cloned())
    };
    let at = world.now();
    let full = json!({ "email": "h@example.com", "department": { "code": "D1" }, "business_name": "山本" });
    world.send("c1", record(full, 1, at)).await;
    world.run_for(MINUTE * 2).await;
    let there = ("h@example.com".to_owned(), Some("D310".to_owned()), Some(vec!["山本".to_owned()]));
    assert_eq!(world.company("a", look).await, there);
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE * 2).await;
    let (mail, department, custom) = world.company("a", look).await;
    assert_eq!((mail.as_str(), department), ("", None));
    assert!(custom.is_none_or(|values| values.iter().all(String::is_empty)));
}
