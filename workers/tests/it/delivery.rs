//! The whole path: an event on the log becomes a member.

use std::time::Duration;

use renkei_sandbox::kaonavi::TextField;
use renkei_store::employees::RowState;
use serde_json::json;

use crate::people::{person, record};
use crate::world::World;

#[tokio::test]
async fn a_new_hire_becomes_a_member() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(Duration::from_secs(10)).await;
    let name = world.company("a", |company| company.member("E00001").unwrap().get(TextField::Name).to_owned()).await;
    assert_eq!(name, "髙橋 花子1");
    assert_eq!(world.row("c1", "E00001").await.state, RowState::Synced);
}

#[tokio::test]
async fn a_change_becomes_a_patch_of_that_field_only() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(Duration::from_secs(10)).await;
    let at = world.now();
    world.send("c1", record(json!({"birthday": "1991-03-01"}), 1, at)).await;
    world.run_for(Duration::from_secs(10)).await;
    let rows: Vec<String> =
        world.company("a", |company| company.log().rows().map(|row| row.row.clone()).collect()).await;
    assert_eq!(rows.len(), 2);
    let patch: serde_json::Value = serde_json::from_str(&rows[1]).unwrap();
    assert_eq!(patch, json!({"code": "E00001", "birthday": "1991-03-01"}));
}
