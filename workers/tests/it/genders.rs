//! 性別: the labels of the source, and that all of them are mapped before anything goes out.

use std::collections::BTreeSet;
use std::time::Duration;

use renkei_sandbox::kaonavi::sample;
use renkei_sandbox::kaonavi::transport::no_latency;
use renkei_store::connections::ConnectionState;
use renkei_store::employees::RowState;
use renkei_store::settings::Settings;
use renkei_store::switch;
use serde_json::json;

use crate::people::{person, record};
use crate::world::{Link, World, link, settings};

const MINUTE: Duration = Duration::from_secs(60);

fn mapped(labels: &[(&str, Option<&str>)]) -> Settings {
    let gender = labels.iter().map(|(label, choice)| ((*label).to_owned(), choice.map(str::to_owned)));
    Settings { gender: gender.collect(), ..settings() }
}

async fn draft(settings: Settings) -> World {
    let mut world = World::new(21, vec![sample::company("a")], no_latency()).await;
    world.link(Link { settings, wanted: false, ..link("c1", "a") }).await;
    world
}

#[tokio::test]
async fn activation_is_refused_while_a_label_of_the_source_is_unmapped_and_each_is_named() {
    let mut world = draft(mapped(&[("女性", Some("女性"))])).await;
    // It comes before the activation, and is never sent as it is.
    let at = world.now();
    world.send("c1", record(json!({ "gender": " その他　" }), 1, at)).await;
    world.run_for(MINUTE).await;
    world.want("c1").await;
    world.run_for(MINUTE * 2).await;
    let connection = world.connection("c1").await;
    assert_eq!(connection.state, ConnectionState::Draft);
    assert_eq!(connection.problems, ["mapping.gender_unmapped: その他", "mapping.gender_unmapped: 男性"]);
    let whole = mapped(&[("女性", Some("女性")), ("男性", Some("男性")), ("その他", None)]);
    world.save_settings("c1", whole).await;
    world.want("c1").await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active);
}

#[tokio::test]
async fn the_labels_of_a_source_are_a_setting_and_the_usual_two_until_then() {
    let mut world = draft(mapped(&[])).await;
    world.want("c1").await;
    world.run_for(MINUTE * 2).await;
    let problems = world.connection("c1").await.problems;
    assert_eq!(problems, ["mapping.gender_unmapped: 女性", "mapping.gender_unmapped: 男性"]);
    let letters = Settings {
        gender_labels: ["F", "M"].map(str::to_owned).into(),
        ..mapped(&[("F", Some("女性")), ("M", Some("男性"))])
    };
    world.save_settings("c1", letters).await;
    world.want("c1").await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active);
}

#[tokio::test]
async fn a_label_first_seen_later_parks_that_person_and_is_offered_for_mapping() {
    let mut world = World::simple().await;
    let at = world.now();
    let odd = world.event("c1", record(json!({ "gender": "回答しない" }), 1, at));
    let usual = world.event("c1", person(2, at));
    world.append(vec![odd, usual]).await;
    world.run_for(MINUTE).await;
    let row = world.row("c1", "E00001").await;
    assert_eq!((row.state, row.reason.as_deref()), (RowState::Parked, Some("mapping.gender_unmapped")));
    assert_eq!(world.row("c1", "E00002").await.state, RowState::Synced);
    let labels = ["回答しない", "女性", "男性"].map(str::to_owned);
    assert_eq!(world.connection("c1").await.gender_labels(), BTreeSet::from(labels));
    // It stops nobody but the person: the switch goes off and on again.
    switch::pause(&world.store, world.clock.as_ref(), "c1", "test").await.unwrap();
    switch::resume(&world.store, "c1", "test").await.unwrap();
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active);
    world.save_settings("c1", mapped(&[("女性", Some("女性")), ("男性", Some("男性")), ("回答しない", None)])).await;
    world.run_for(MINUTE).await;
    assert_eq!(world.row("c1", "E00001").await.state, RowState::Synced);
}
