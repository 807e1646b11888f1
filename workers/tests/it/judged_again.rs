//! Who is judged again, when, and with what: always the record, the settings and the facts of the moment of sending.

use std::time::Duration;

use renkei_sandbox::kaonavi::transport::no_latency;
use renkei_sandbox::kaonavi::{Company, CompanySpec, CustomField, Field, TextField, TypeDetail, sample};
use renkei_store::employees::RowState;
use renkei_store::settings::{Filter, Settings};
use renkei_store::switch;
use renkei_workers::notify::open_items;
use serde_json::{Value, json};

use crate::people::{member, person, record};
use crate::world::{Link, World, link, settings};

const MINUTE: Duration = Duration::from_secs(60);

async fn world(company: CompanySpec, settings: Settings) -> World {
    let mut world = World::new(41, vec![company], no_latency()).await;
    world.link(Link { settings, ..link("c1", "a") }).await;
    world.run_for(MINUTE * 2).await;
    world
}

async fn send(world: &mut World, changes: Value) {
    let at = world.now();
    world.send("c1", record(changes, 1, at)).await;
    world.run_for(MINUTE).await;
}

async fn settled(world: &World) -> (RowState, Option<String>) {
    let row = world.row("c1", "E00001").await;
    (row.state, row.reason)
}

async fn field(world: &World, field: TextField) -> String {
    world.company("a", |company| company.member("E00001").unwrap().get(field).to_owned()).await
}

#[tokio::test]
async fn trap_who_is_eligible_again_is_compared_in_full_although_nothing_else_changed() {
    // What keeps the person out for a while.
    for out in [json!({ "data_entry_state": "データ入力中" }), json!({ "employee_status": "退職" })] {
        let mut world = world(sample::company("a"), settings()).await;
        send(&mut world, json!({})).await;
        // Changed while it is not sent …
        let mut changed = json!({ "birthday": "1991-01-01", "hire_date": "2025-04-01" });
        for (key, value) in out.as_object().unwrap() {
            changed[key] = value.clone();
        }
        send(&mut world, changed).await;
        assert_eq!(settled(&world).await.0, RowState::Skipped);
        assert_eq!(field(&world, TextField::Birthday).await, "1990-02-28");
        // … and nothing but what kept it out is different now.
        send(&mut world, json!({ "birthday": "1991-01-01", "hire_date": "2025-04-01" })).await;
        assert_eq!(settled(&world).await, (RowState::Synced, None), "{out}");
        assert_eq!(field(&world, TextField::Birthday).await, "1991-01-01");
        assert_eq!(field(&world, TextField::EnteredDate).await, "2025-04-01");
    }
}

#[tokio::test]
async fn everybody_is_judged_with_the_filter_of_the_moment_of_sending() {
    let mut world = world(sample::company("a"), settings()).await;
    let at = world.now();
    switch::pause(&world.store, world.clock.as_ref(), "c1", "test").await.unwrap();
    world.send("c1", person(1, at)).await;
    world.send("c1", person(2, at)).await;
    world.run_for(MINUTE).await;
    assert_eq!(settled(&world).await.0, RowState::Due);
    // The filter is narrowed after they came and before they go.
    let filter = Filter { employee_numbers: ["E00002".to_owned()].into(), ..Filter::default() };
    world.save_settings("c1", Settings { filter, ..settings() }).await;
    switch::resume(&world.store, "c1", "test").await.unwrap();
    world.wake_all();
    world.run_for(MINUTE).await;
    assert_eq!(settled(&world).await, (RowState::Skipped, Some("filtered".to_owned())));
    let codes = world.company("a", |company| company.members().keys().cloned().collect::<Vec<_>>()).await;
    assert_eq!(codes, ["E00002"]);
}

#[tokio::test]
async fn who_is_set_aside_is_judged_again_when_the_mapping_or_the_constants_are_saved() {
    let required = |company: &mut Company| {
        company.layout_mut().custom_fields.push(CustomField {
            id: 412,
            field: Field::choice("雇用区分", &["正社員", "契約社員"]).required(),
            type_detail: Some(TypeDetail::PullDown),
        });
    };
    let mut world = world(sample::company("a"), settings()).await;
    // An item becomes required at カオナビ; the night brings it to us.
    world.company("a", required).await;
    world.run_for(Duration::from_secs(86_400)).await;
    send(&mut world, json!({ "email": "a@example.com" })).await;
    assert_eq!(settled(&world).await, (RowState::Parked, Some("mapping.required_missing".to_owned())));
    // The constants.
    let constants = [("custom:412".to_owned(), "正社員".to_owned())].into();
    let with_constants = Settings { constants, ..settings() };
    world.save_settings("c1", with_constants.clone()).await;
    world.run_for(MINUTE).await;
    assert_eq!(settled(&world).await, (RowState::Synced, None));
    // The mapping: it is no reason to send whoever is settled …
    world.save_settings("c1", Settings { mail: true, ..with_constants.clone() }).await;
    world.run_for(MINUTE).await;
    assert_eq!(field(&world, TextField::Mail).await, "");
    // … but whoever waits for it goes.
    send(&mut world, json!({ "gender": "その他" })).await;
    assert_eq!(settled(&world).await, (RowState::Parked, Some("mapping.gender_unmapped".to_owned())));
    let mut mapped = with_constants;
    mapped.gender.insert("その他".to_owned(), Some("男性".to_owned()));
    world.save_settings("c1", mapped).await;
    world.run_for(MINUTE).await;
    assert_eq!(settled(&world).await, (RowState::Synced, None));
    assert_eq!(field(&world, TextField::Gender).await, "男性");
}

async fn open(world: &World) -> Vec<(String, usize)> {
    let scan = open_items::scan(&world.store, world.now()).await.unwrap();
    scan.open.iter().map(|(trouble, items)| (trouble.code.as_str().to_owned(), items.len())).collect()
}

async fn warnings(world: &World) -> usize {
    let entries = renkei_store::activity::of_employee(&world.store, "c1", "rm_00001", 100).await.unwrap();
    entries.iter().filter(|entry| entry.code.as_deref() == Some("mapping.business_kana_missing")).count()
}

#[tokio::test]
async fn trap_a_business_name_beside_the_legal_reading_is_one_item() {
    let business = |more: Value| {
        let mut changes = json!({ "business_name": "山本 花子" });
        for (key, value) in more.as_object().unwrap() {
            changes[key] = value.clone();
        }
        changes
    };
    let mut company = sample::company("a");
    company.members = vec![member(1, "髙橋 花子1")];
    company.members[0]["name_kana"] = json!("タカハシ ハナコ");
    let mut world = world(company, settings()).await;
    let item = vec![("mapping.business_kana_missing".to_owned(), 1)];
    // The name changes, the reading stays: it gives the legal name away. Said once, however often the record changes.
    for day in ["1991-01-01", "1991-01-02"] {
        send(&mut world, business(json!({ "birthday": day }))).await;
        assert_eq!(settled(&world).await, (RowState::Synced, None), "the person goes on being sent");
        assert_eq!(open(&world).await, item);
        assert_eq!(warnings(&world).await, 1);
    }
    // With its reading it is over.
    send(&mut world, business(json!({ "business_name_kana": "ヤマモト ハナコ" }))).await;
    assert_eq!(field(&world, TextField::NameKana).await, "ヤマモト ハナコ");
    assert_eq!(open(&world).await, []);
    // The reading goes once more; what カオナビ shows now is not the legal one.
    send(&mut world, business(json!({}))).await;
    assert_eq!(open(&world).await, []);
    assert_eq!(warnings(&world).await, 1);
}

#[tokio::test]
async fn a_business_name_without_reading_is_no_item_of_a_hire_nor_beside_another_reading() {
    let mut hired = world(sample::company("a"), settings()).await;
    send(&mut hired, json!({ "business_name": "山本 花子" })).await;
    assert_eq!(settled(&hired).await, (RowState::Synced, None));
    assert_eq!((open(&hired).await, warnings(&hired).await), (vec![], 0));
    let mut company = sample::company("a");
    // フルイ is not the reading of the legal name.
    company.members = vec![member(1, "髙橋 花子1")];
    let mut world = world(company, settings()).await;
    send(&mut world, json!({ "business_name": "山本 花子" })).await;
    assert_eq!(settled(&world).await, (RowState::Synced, None));
    assert_eq!((open(&world).await, warnings(&world).await), (vec![], 0));
}
