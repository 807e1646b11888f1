//! Who waits for a person, on the whole machinery, and how they go on.

use std::collections::BTreeSet;
use std::time::Duration;

use renkei_events::event::Change;
use renkei_sandbox::kaonavi::{TextField, sample};
use renkei_store::connections::ConnectionState;
use renkei_store::employees::RowState;
use serde_json::json;

use crate::people::{member, person, record};
use crate::world::{World, link, settings};

async fn update_calls(world: &World) -> usize {
    world.company("a", |company| company.log().writes().count()).await
}

async fn assert_settled(world: &World, number: &str, state: RowState, reason: Option<&str>) {
    let row = world.row("c1", number).await;
    assert_eq!((row.state, row.reason.as_deref()), (state, reason), "{number}");
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_near_miss_is_held_until_a_person_releases_it() {
    let mut company = sample::company("a");
    company.members = vec![json!({ "code": "123", "name": "別 人" })];
    let mut world = World::new(1, vec![company], renkei_sandbox::kaonavi::transport::no_latency()).await;
    world.link(link("c1", "a")).await;
    world.run_for(MINUTE).await;
    let at = world.now();
    world.send("c1", record(json!({ "employee_number": "0123" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_settled(&world, "0123", RowState::Held, Some("member.near_miss")).await;
    assert_eq!(world.row("c1", "0123").await.detail.as_deref(), Some("123"));
    assert_eq!(update_calls(&world).await, 0);
    // A newer state does not release it.
    let at = world.now();
    world.send("c1", record(json!({ "employee_number": "0123", "first_name": "次" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_settled(&world, "0123", RowState::Held, Some("member.near_miss")).await;
    let store = world.store.clone();
    assert!(
        renkei_workers::commands::release(&store, "c1", "123").await.is_err(),
        "nobody is held under the other number"
    );
    assert_eq!(renkei_workers::commands::release(&store, "c1", "0123").await.unwrap(), 1);
    world.wake_all();
    world.run_for(MINUTE).await;
    assert_settled(&world, "0123", RowState::Synced, None).await;
    let names = world.company("a", |company| company.members().keys().cloned().collect::<Vec<_>>()).await;
    assert_eq!(names, ["0123", "123"]);
}

#[tokio::test]
async fn two_people_with_one_number_are_both_parked_until_one_gives_it_up() {
    // How the other one stops having it.
    let ways = [
        json!({ "employee_number": "E00009" }),
        json!({ "employee_status": "退職" }),
        json!({ "employee_number": null }),
    ];
    for way in ways {
        let mut world = World::simple().await;
        let at = world.now();
        let mut events = vec![world.event("c1", person(1, at))];
        events.push(world.event("c1", record(json!({ "employee_number": "E00001", "first_name": "二" }), 2, at)));
        world.append(events).await;
        world.run_for(MINUTE).await;
        assert_eq!(world.count("c1", RowState::Parked).await, 2);
        assert_eq!(update_calls(&world).await, 0);
        let at = world.now();
        let mut changes = json!({ "employee_number": "E00001", "first_name": "二" });
        for (key, value) in way.as_object().unwrap() {
            changes[key] = value.clone();
        }
        world.send("c1", record(changes, 2, at)).await;
        world.run_for(MINUTE).await;
        let name = world
            .company("a", |company| company.member("E00001").map(|member| member.get(TextField::Name).to_owned()))
            .await;
        assert_eq!(name.as_deref(), Some("髙橋 花子1"), "{way}");
    }
}

#[tokio::test]
async fn one_number_in_two_connections_belongs_to_who_wrote_it() {
    let mut world = World::simple().await;
    world.link(link("c2", "a")).await;
    world.run_for(MINUTE).await;
    let at = world.now();
    let events =
        vec![world.event("c1", person(1, at)), world.event("c2", record(json!({ "first_name": "他" }), 1, at))];
    world.append(events).await;
    world.run_for(MINUTE * 2).await;
    let states = [world.row("c1", "E00001").await, world.row("c2", "E00001").await];
    let reasons: BTreeSet<Option<String>> = states.into_iter().map(|row| row.reason).collect();
    assert_eq!(reasons, BTreeSet::from([None, Some("member.owned_elsewhere".to_owned())]));
    assert_eq!(update_calls(&world).await, 1);
}

#[tokio::test]
async fn a_changed_number_is_held_and_the_old_member_stays() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE).await;
    let at = world.now();
    world.send("c1", record(json!({ "employee_number": "E77777" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_settled(&world, "E77777", RowState::Held, Some("member.number_changed")).await;
    assert_eq!(update_calls(&world).await, 1);
    // The old number again: as before.
    let at = world.now();
    world.send("c1", record(json!({ "birthday": "1991-03-01" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_settled(&world, "E00001", RowState::Synced, None).await;
    assert_eq!(update_calls(&world).await, 2);
}

#[tokio::test]
async fn a_member_deleted_by_hand_is_not_made_again() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE).await;
    let now = world.now();
    world.company("a", |company| assert!(company.delete(now, "E00001"))).await;
    world.send("c1", record(json!({ "birthday": "1991-03-01" }), 1, now)).await;
    world.run_for(MINUTE * 10).await;
    assert_settled(&world, "E00001", RowState::Held, Some("member.gone")).await;
    assert!(world.company("a", |company| company.member("E00001").is_none()).await);
}

#[tokio::test]
async fn leavers_and_deleted_people_leave_no_trace_and_come_back_whole() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE).await;
    let at = world.now();
    world.send("c1", record(json!({ "employee_status": "退職", "retired_date": "2026-03-31" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_settled(&world, "E00001", RowState::Skipped, Some("status_excluded")).await;
    assert_eq!(update_calls(&world).await, 1);
    let at = world.now();
    world.send("c1", record(json!({ "first_name": "再" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_eq!(update_calls(&world).await, 2);
    let at = world.now();
    let mut gone = world.event("c1", person(1, at));
    gone.change = Change::Deleted;
    gone.employee = None;
    world.append(vec![gone]).await;
    world.run_for(MINUTE).await;
    assert_eq!(world.count("c1", RowState::Skipped).await, 1);
    assert_eq!(update_calls(&world).await, 2);
    let name = world.company("a", |company| company.member("E00001").unwrap().get(TextField::Name).to_owned()).await;
    assert_eq!(name, "髙橋 再");
}

#[tokio::test]
async fn a_gender_choice_that_is_gone_parks_those_people_and_others_go_on() {
    let mut world = World::simple().await;
    let now = world.now();
    world.company("a", |company| company.layout_mut().gender.choices = Some(vec![Some("男性".to_owned())])).await;
    let events = vec![
        world.event("c1", person(1, now)),
        world.event("c1", record(json!({ "gender": "男性" }), 2, now)),
        world.event("c1", record(json!({ "gender": "無回答" }), 3, now)),
        world.event("c1", record(json!({ "gender": null }), 4, now)),
    ];
    world.append(events).await;
    world.run_for(MINUTE * 30).await;
    let codes = world.company("a", |company| company.members().keys().cloned().collect::<Vec<_>>()).await;
    assert_eq!(codes, ["E00002", "E00004"]);
    assert_settled(&world, "E00003", RowState::Parked, Some("mapping.gender_unmapped")).await;
    assert_settled(&world, "E00001", RowState::Parked, Some("mapping.gender_choice_gone")).await;
    // The choice is there again: found at night.
    let choices = ["男性", "女性"].map(|choice| Some(choice.to_owned()));
    world.company("a", |company| company.layout_mut().gender.choices = Some(choices.to_vec())).await;
    world.run_for(MINUTE * 60 * 24).await;
    assert_settled(&world, "E00001", RowState::Synced, None).await;
}

#[tokio::test]
async fn a_required_item_stops_activation_until_it_has_a_constant() {
    let company = sample::company_with_required_field("a");
    let mut world = World::new(1, vec![company], renkei_sandbox::kaonavi::transport::no_latency()).await;
    world.link(link("c1", "a")).await;
    world.run_for(MINUTE).await;
    let connection = world.connection("c1").await;
    assert_eq!(connection.state, ConnectionState::Draft);
    assert_eq!(connection.problems, ["mapping.required_item_unmapped: custom:412 (雇用区分)"]);
    let mut settings = settings();
    settings.constants = [("custom:412".to_owned(), "正社員".to_owned())].into();
    world.link(crate::world::Link { connection: "c1", company: "a", settings, wanted: true }).await;
    world.run_for(MINUTE).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active);
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE).await;
    let custom = world.company("a", |company| company.member("E00001").unwrap().custom.clone()).await;
    assert_eq!(custom, [(412, vec!["正社員".to_owned()])].into());
}

/// A record that breaks the contract while an earlier state of the same person is under way is parked with its place, too.
#[tokio::test]
async fn an_invalid_record_in_flight_keeps_its_place() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(Duration::from_millis(500)).await;
    let at = world.now();
    let mut invalid = world.event("c1", person(1, at));
    invalid.change = Change::Invalid;
    invalid.employee = None;
    invalid.faults = vec![renkei_events::parse::fault("/birthday", renkei_events::parse::FaultCode::Date)];
    world.append(vec![invalid]).await;
    world.run_for(MINUTE).await;
    let parked = renkei_store::employees::in_states(&world.store, "c1", &[RowState::Parked], 2).await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].reason.as_deref(), Some("source.record_invalid"));
    assert_eq!(parked[0].detail.as_deref(), Some("/birthday source.date"));
    // Corrected, it goes on.
    let at = world.now();
    world.send("c1", record(json!({ "birthday": "1991-03-01" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_settled(&world, "E00001", RowState::Synced, None).await;
}

/// The first write to a member that カオナビ already holds needs a read that is not old: there is one every night.
#[tokio::test]
async fn members_are_read_once_a_night() {
    let mut company = sample::company("a");
    company.members = vec![member(1, "古い 名前")];
    let mut world = World::new(1, vec![company], renkei_sandbox::kaonavi::transport::no_latency()).await;
    world.link(link("c1", "a")).await;
    world.run_for(MINUTE).await;
    let reads = |company: &mut renkei_sandbox::kaonavi::Company| {
        company.log().calls().filter(|call| call.method == "GET" && call.path.ends_with("/members")).count()
    };
    assert_eq!(world.company("a", reads).await, 1);
    // Once a day, at night.
    world.run_for(Duration::from_secs(24 * 3600)).await;
    let daily = world.company("a", reads).await;
    assert_eq!(daily, 2);
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE).await;
    assert_eq!(
        world.company("a", |company| company.member("E00001").unwrap().get(TextField::Name).to_owned()).await,
        "髙橋 花子1"
    );
    assert_settled(&world, "E00001", RowState::Synced, None).await;
}
