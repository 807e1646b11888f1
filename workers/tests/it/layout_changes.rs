//! カオナビ's layout and list of 所属 as they change while the connection runs.

use std::time::Duration;

use renkei_events::codes::Code;
use renkei_sandbox::kaonavi::transport::no_latency;
use renkei_sandbox::kaonavi::{Company, Permissions, sample};
use renkei_store::connections::ConnectionState;
use renkei_store::employees::RowState;
use renkei_store::settings::Settings;
use renkei_store::{activity, switch};
use renkei_workers::notify::open_items;
use serde_json::json;

use crate::people::record;
use crate::world::{Link, World, link, settings};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn with_label(label: &str) -> Settings {
    let mut settings = settings();
    settings.gender.insert(label.to_owned(), Some(label.to_owned()));
    settings
}

fn add_choice(company: &mut Company, choice: &str) {
    let choices = company.layout_mut().gender.choices.get_or_insert_default();
    choices.push(Some(choice.to_owned()));
}

async fn settled(world: &World, number: &str) -> (RowState, Option<String>) {
    let row = world.row("c1", number).await;
    (row.state, row.reason)
}

fn reads(company: &mut Company, of: &str) -> usize {
    company.log().calls().filter(|call| call.method == "GET" && call.path.ends_with(of)).count()
}

#[tokio::test]
async fn a_label_mapped_to_a_choice_just_added_in_kaonavi_goes_out() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", record(json!({ "gender": "無回答" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_eq!(settled(&world, "E00001").await, (RowState::Parked, Some("mapping.gender_unmapped".to_owned())));
    world.company("a", |company| add_choice(company, "無回答")).await;
    world.save_settings("c1", with_label("無回答")).await;
    world.run_for(MINUTE).await;
    assert_eq!(settled(&world, "E00001").await, (RowState::Synced, None));
    // Nobody was told that the choice were not there.
    let told = activity::of_employee(&world.store, "c1", "rm_00001", 20).await.unwrap();
    assert!(told.iter().all(|entry| entry.code.as_deref() != Some("mapping.gender_choice_gone")));
    assert_eq!(world.company("a", |company| reads(company, "/member_layouts")).await, 2);
}

#[tokio::test]
async fn who_waits_for_a_choice_is_judged_again_after_the_nightly_layout() {
    let mut world = World::simple().await;
    world.save_settings("c1", with_label("無回答")).await;
    world.run_for(MINUTE).await;
    let at = world.now();
    world.send("c1", record(json!({ "gender": "無回答" }), 1, at)).await;
    world.run_for(MINUTE).await;
    assert_eq!(settled(&world, "E00001").await, (RowState::Parked, Some("mapping.gender_choice_gone".to_owned())));
    world.company("a", |company| add_choice(company, "無回答")).await;
    world.run_for(HOUR * 24).await;
    assert_eq!(settled(&world, "E00001").await, (RowState::Synced, None));
    let sent = world.company("a", |company| company.log().writes().count()).await;
    assert_eq!(sent, 1, "nothing is sent that カオナビ would refuse");
}

#[tokio::test]
async fn who_is_refused_alone_is_judged_with_a_layout_read_since() {
    let mut world = World::simple().await;
    // Somebody made an item shorter at カオナビ since the layout was read.
    world.company("a", |company| company.layout_mut().name.max_length = Some(5)).await;
    let at = world.now();
    world.send("c1", record(json!({ "first_name": "花子花子花子" }), 1, at)).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(settled(&world, "E00001").await, (RowState::Parked, Some("mapping.too_long".to_owned())));
    assert_eq!(world.row("c1", "E00001").await.detail.as_deref(), Some("name"));
    // Longer again: found at night.
    world.company("a", |company| company.layout_mut().name.max_length = Some(100)).await;
    world.run_for(HOUR * 24).await;
    assert_eq!(settled(&world, "E00001").await, (RowState::Synced, None));
}

async fn with_departments(permitted: bool) -> World {
    let mut company = sample::company("a");
    company.permissions = if permitted { Permissions::all() } else { Permissions::for_members() };
    let table = [("D1", "D100"), ("D2", "D999")].map(|(from, to)| (from.to_owned(), to.to_owned()));
    let settings = Settings { departments: Some(table.into()), ..settings() };
    let mut world = World::new(22, vec![company], no_latency()).await;
    world.link(Link { settings, ..link("c1", "a") }).await;
    world.run_for(MINUTE * 2).await;
    world
}

async fn department(world: &World, code: &str) -> Option<String> {
    world.company("a", |company| company.member(code).and_then(|member| member.department.clone())).await
}

#[tokio::test]
async fn who_waits_for_a_department_is_judged_again_when_the_list_has_it() {
    let mut world = with_departments(true).await;
    let at = world.now();
    world.send("c1", record(json!({ "department": { "code": "D2" } }), 1, at)).await;
    world.run_for(MINUTE).await;
    let waits = (RowState::Parked, Some("mapping.department_not_in_kaonavi".to_owned()));
    assert_eq!(settled(&world, "E00001").await, waits);
    world
        .company("a", |company| {
            let new = company.departments_mut()[0].clone();
            company.departments_mut().push(renkei_sandbox::kaonavi::Department { code: "D999".to_owned(), ..new });
        })
        .await;
    world.run_for(HOUR * 24).await;
    assert_eq!(settled(&world, "E00001").await, (RowState::Synced, None));
    assert_eq!(department(&world, "E00001").await.as_deref(), Some("D999"));
}

/// What the mails would be about: code and people.
async fn open(world: &World) -> Vec<(Code, usize)> {
    let scan = open_items::scan(&world.store, world.now()).await.unwrap();
    scan.open.iter().map(|(trouble, items)| (trouble.code, items.len())).collect()
}

#[tokio::test]
async fn a_403_for_the_departments_sets_the_mapping_aside_and_nothing_else() {
    let mut world = with_departments(false).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active, "the switch goes on all the same");
    assert_eq!(open(&world).await, [(Code::KaonaviDepartmentsNotPermitted, 1)]);
    let at = world.now();
    let people = (1..=3).map(|index| world.event("c1", record(json!({ "department": { "code": "D1" } }), index, at)));
    let people = people.collect();
    world.append(people).await;
    world.run_for(MINUTE).await;
    assert_eq!(world.count("c1", RowState::Synced).await, 3, "everything but 所属 goes over");
    assert_eq!(department(&world, "E00001").await, None);
    assert_eq!(open(&world).await, [(Code::KaonaviDepartmentsNotPermitted, 1)], "one item, whoever comes");
    // Permitted, and read at night: who went without gets it.
    world.company("a", |company| *company.permissions_mut() = Permissions::all()).await;
    world.run_for(HOUR * 24).await;
    for code in ["E00001", "E00002", "E00003"] {
        assert_eq!(department(&world, code).await.as_deref(), Some("D100"), "{code}");
    }
    assert_eq!(open(&world).await, []);
}

#[tokio::test]
async fn a_403_for_the_departments_does_not_keep_a_halted_connection_off() {
    let mut world = with_departments(true).await;
    world.company("a", |company| *company.permissions_mut() = Permissions::default()).await;
    let at = world.now();
    world.send("c1", record(json!({}), 1, at)).await;
    world.run_for(MINUTE * 5).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Halted);
    world.company("a", |company| *company.permissions_mut() = Permissions::for_members()).await;
    switch::resume(&world.store, "c1", "test").await.unwrap();
    world.wake_all();
    world.run_for(MINUTE * 5).await;
    let connection = world.connection("c1").await;
    assert_eq!(connection.state, ConnectionState::Active, "{:?}", connection.problems);
    assert_eq!(settled(&world, "E00001").await, (RowState::Synced, None));
}
