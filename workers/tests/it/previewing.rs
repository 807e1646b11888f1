//! Preview, first load, and what a person confirmed.

use std::time::Duration;

use renkei_sandbox::kaonavi::transport::no_latency;
use renkei_sandbox::kaonavi::{TextField, sample};
use renkei_store::decisions::Who;
use renkei_store::employees::RowState;
use renkei_store::previews::{self, ConfirmError, Item, Preview, Shown};
use renkei_store::settings::Settings;
use serde_json::json;

use crate::people::{member, person, record};
use crate::world::{Link, World, link, settings};

const MINUTE: Duration = Duration::from_secs(60);

async fn world(settings: Settings, wanted: bool) -> World {
    let mut company = sample::company("a");
    company.members = (1..=20).map(|index| member(index, "古い 名前")).collect();
    let mut world = World::new(13, vec![company], no_latency()).await;
    world.link(Link { settings, wanted, ..link("c1", "a") }).await;
    world.run_for(MINUTE * 2).await;
    world
}

async fn preview(world: &mut World, shown: &Shown) -> Preview {
    let connection = world.connection("c1").await;
    let id = previews::want(&world.store, &connection, shown, "test").await.unwrap().id;
    world.wake_all();
    world.run_for(MINUTE).await;
    previews::find(&world.store, &world.store.db, "c1", &id).await.unwrap().unwrap()
}

async fn confirm(world: &mut World, preview: &Preview, who: Who<'_>) -> u64 {
    let connection = world.connection("c1").await;
    let confirmed = previews::confirm(&world.store, &connection, preview, who, "test").await.unwrap();
    world.wake_all();
    confirmed
}

#[tokio::test]
async fn what_was_shown_with_other_settings_is_not_sent() {
    let mut world = world(settings(), true).await;
    let at = world.now();
    let applicant = world.event("c1", record(json!({ "employee_status": "応募者" }), 31, at));
    world.append(vec![applicant]).await;
    world.run_for(MINUTE).await;
    let shown = preview(&mut world, &Shown::Waiting).await;
    assert_eq!(shown.items.as_ref().unwrap().len(), 1);
    world.save_settings("c1", Settings { batch_size: 100, ..settings() }).await;
    let connection = world.connection("c1").await;
    let refused = previews::confirm(&world.store, &connection, &shown, Who::All, "test").await;
    assert!(matches!(refused, Ok(0)), "nobody of it would go");
    let at = world.now();
    world.send("c1", person(1, at)).await;
    let shown = preview(&mut world, &Shown::People(vec!["rm_00001".to_owned()])).await;
    world.save_settings("c1", Settings { batch_size: 50, ..settings() }).await;
    let refused = previews::confirm(&world.store, &connection, &shown, Who::All, "test").await;
    assert!(matches!(refused, Err(ConfirmError::SettingsChanged)), "{refused:?}");
    let shown = preview(&mut world, &Shown::People(vec!["rm_00001".to_owned()])).await;
    assert!(previews::confirm(&world.store, &connection, &shown, Who::All, "test").await.is_ok());
}

fn of<'a>(items: &'a [Item], number: &str) -> &'a Item {
    items.iter().find(|item| item.number.as_deref() == Some(number)).unwrap()
}

async fn writes(world: &World) -> usize {
    world.company("a", |company| company.log().writes().count()).await
}

#[tokio::test]
async fn first_load_shows_missing_different_and_equal_people_and_registers_the_missing_only() {
    // Brake and ceiling count nothing that a person confirmed.
    let mut world = world(Settings { brake: true, ceiling: Some(1), ..settings() }, false).await;
    let at = world.now();
    let mut events = vec![
        world.event("c1", record(json!({ "last_name": "古い", "first_name": "名前", "last_name_kana": "フルイ", "first_name_kana": null }), 2, at)),
        world.event("c1", record(json!({ "employee_status": "応募者" }), 40, at)),
    ];
    events.extend([1, 31, 32, 33].map(|index| world.event("c1", person(index, at))));
    world.append(events).await;
    world.run_for(MINUTE).await;
    world.want("c1").await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(writes(&world).await, 0, "switching on pushes nothing");
    let shown = preview(&mut world, &Shown::FirstLoad).await;
    let items = shown.items.clone().unwrap();
    assert_eq!(items.len(), 6);
    assert_eq!(of(&items, "E00031").action, "create");
    assert_eq!(of(&items, "E00001").action, "update");
    assert_eq!(of(&items, "E00002").action, "unchanged");
    assert_eq!(
        (of(&items, "E00040").action.as_str(), of(&items, "E00040").code.as_deref()),
        ("skip", Some("status_excluded"))
    );
    assert_eq!(of(&items, "E00031").fields["name"], (None, "髙橋 花子31".to_owned()));
    assert_eq!(writes(&world).await, 0, "a preview sends nothing");
    // One of them changed since it was shown, and the others are confirmed.
    let at = world.now();
    world.send("c1", record(json!({ "birthday": "1991-03-01" }), 33, at)).await;
    world.run_for(Duration::from_millis(1)).await;
    assert_eq!(confirm(&mut world, &shown, Who::All).await, 2, "31 and 32; 33 is not as it was shown");
    world.run_for(MINUTE * 2).await;
    let names = world
        .company("a", |company| {
            let name = |code: &str| company.member(code).map(|member| member.get(TextField::Name).to_owned());
            [name("E00031"), name("E00032"), name("E00001")]
        })
        .await;
    assert_eq!(names, [Some("髙橋 花子31".to_owned()), Some("髙橋 花子32".to_owned()), Some("古い 名前".to_owned())]);
}

#[tokio::test]
async fn a_first_load_goes_on_after_whom_another_preview_showed() {
    let mut world = world(settings(), false).await;
    let at = world.now();
    let events = [19, 20, 31, 32].map(|index| world.event("c1", person(index, at)));
    world.append(events.into()).await;
    world.run_for(MINUTE).await;
    world.want("c1").await;
    world.run_for(MINUTE * 2).await;
    let shown = preview(&mut world, &Shown::FirstLoadAfter("rm_00019".to_owned())).await;
    let people: Vec<&str> = shown.items.iter().flatten().map(|item| item.employee.as_str()).collect();
    assert_eq!(people, ["rm_00020", "rm_00031", "rm_00032"]);
    assert_eq!(shown.rest_after(), None, "it is not full");
    assert_eq!(confirm(&mut world, &shown, Who::All).await, 2, "of a first load only the missing");
    world.run_for(MINUTE * 2).await;
    assert_eq!(world.row("c1", "E00032").await.state, RowState::Synced);
    let rest = preview(&mut world, &Shown::WaitingAfter("rm_00031".to_owned())).await;
    assert_eq!(rest.items.map(|items| items.len()), Some(0), "nobody waits any more");
}

#[tokio::test]
async fn a_first_load_confirmed_at_night_starts_after_five() {
    let mut world = world(settings(), false).await;
    let at = world.now();
    world.send("c1", person(31, at)).await;
    world.run_for(MINUTE).await;
    world.want("c1").await;
    world.run_for(MINUTE * 2).await;
    // 02:00 of the next day.
    world.run_for(MINUTE * 60 * 17).await;
    let shown = preview(&mut world, &Shown::FirstLoad).await;
    assert_eq!(confirm(&mut world, &shown, Who::All).await, 1);
    world.run_for(MINUTE * 120).await;
    assert_eq!(world.row("c1", "E00031").await.state, RowState::Due);
    world.run_for(MINUTE * 60).await;
    assert_eq!(world.row("c1", "E00031").await.state, RowState::Synced);
}

#[tokio::test]
async fn on_demand_people_are_shown_and_sent_whatever_they_wait_for() {
    let mut world = world(settings(), false).await;
    let at = world.now();
    for index in 1..=3 {
        world.send("c1", person(index, at)).await;
    }
    world.want("c1").await;
    world.run_for(MINUTE * 2).await;
    // They came before activation, so nothing of them is sent unless somebody asks.
    let ids = vec!["rm_00001".to_owned(), "rm_00002".to_owned(), "rm_77777".to_owned()];
    let shown = preview(&mut world, &Shown::People(ids)).await;
    let items = shown.items.clone().unwrap();
    assert_eq!(items.iter().map(|item| item.action.as_str()).collect::<Vec<_>>(), ["update", "update"]);
    let one = ["rm_00001".to_owned(), "rm_00003".to_owned()];
    assert_eq!(confirm(&mut world, &shown, Who::Some(&one)).await, 1, "the third was not shown");
    world.run_for(MINUTE * 2).await;
    assert_eq!(world.row("c1", "E00001").await.state, RowState::Synced);
    assert_eq!(world.row("c1", "E00002").await.state, RowState::Baseline);
    assert_eq!(writes(&world).await, 1);
}

#[tokio::test]
async fn waiting_people_are_shown_with_old_and_new_values() {
    let mut world = world(settings(), true).await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE * 2).await;
    renkei_workers::commands::pause(&world.store, world.clock.as_ref(), "c1", "test").await.unwrap();
    let at = world.now();
    world.send("c1", record(json!({ "birthday": "1991-03-01" }), 1, at)).await;
    world.send("c1", record(json!({ "employee_status": "退職" }), 2, at)).await;
    world.run_for(MINUTE).await;
    let items = preview(&mut world, &Shown::Waiting).await.items.unwrap();
    let birthday = (Some("1990-02-28".to_owned()), "1991-03-01".to_owned());
    assert_eq!(of(&items, "E00001").fields, [("birthday".to_owned(), birthday)].into());
    assert_eq!(of(&items, "E00002").code.as_deref(), Some("status_excluded"));
}
