//! Regressions: what happens to the next change when nobody knows what became of the last one.

use std::time::Duration;

use renkei_sandbox::kaonavi::{Faults, TextField};
use renkei_store::connections::ConnectionState;
use renkei_store::employees::RowState;
use serde_json::json;

use crate::people::{person, record};
use crate::world::World;

const LONG: Duration = Duration::from_secs(1200);

#[tokio::test]
async fn a_change_back_after_a_patch_without_an_answer_is_sent() {
    let faults = [
        Faults { reset_after_acceptance: 1, ..Faults::default() },
        Faults { html_500_after_acceptance: 1, ..Faults::default() },
        Faults { without_task_id: 1, ..Faults::default() },
    ];
    for lost in faults {
        let mut world = World::simple().await;
        let at = world.now();
        world.send("c1", person(1, at)).await;
        world.run_for(Duration::from_secs(30)).await;
        let at = world.now();
        world.company("a", |company| company.set_faults(at, lost.clone())).await;
        world.send("c1", record(json!({"birthday": "1991-05-05"}), 1, at)).await;
        world.run_for(Duration::from_millis(300)).await;
        let at = world.now();
        world.send("c1", person(1, at)).await;
        world.run_for(LONG).await;
        let birthday =
            world.company("a", |company| company.member("E00001").unwrap().get(TextField::Birthday).to_owned()).await;
        assert_eq!(birthday, "1990-02-28", "{lost:?}: カオナビ kept the value in between");
        assert_eq!(world.row("c1", "E00001").await.state, RowState::Synced);
    }
}

#[tokio::test]
async fn a_revoked_key_with_a_task_open_costs_few_tokens() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(Duration::from_millis(500)).await;
    world.kaonavi.lock().await.reissue("a", "another key", "another secret").unwrap();
    world.run_for(LONG).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Halted);
    let tokens =
        world.company("a", |company| company.log().calls().filter(|call| call.path.ends_with("/token")).count()).await;
    let strays = world.kaonavi.lock().await.strays().len();
    assert!(tokens + strays <= 3, "{tokens} and {strays} fetches with a key that is refused");
}

#[tokio::test]
async fn reads_that_are_refused_after_a_halt_are_not_made_again_and_again() {
    let mut world = World::simple().await;
    let at = world.now();
    let lost = Faults { reset_after_acceptance: 1, ..Faults::default() };
    world.company("a", |company| company.set_faults(at, lost)).await;
    world.send("c1", person(1, at)).await;
    world.run_for(Duration::from_secs(2)).await;
    world.company("a", |company| *company.permissions_mut() = renkei_sandbox::kaonavi::Permissions::default()).await;
    world.run_for(Duration::from_secs(3600)).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Halted);
    let reads = world
        .company("a", |company| {
            company.log().calls().filter(|call| call.path.ends_with("/members") && !call.update).count()
        })
        .await;
    assert!(reads <= 30, "{reads} reads in an hour");
}
