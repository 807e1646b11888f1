//! What is known already is not sent: resends, old versions, equal contents, changes in flight.

use std::time::Duration;

use renkei_sandbox::kaonavi::transport::seeded_latency;
use renkei_sandbox::kaonavi::{TextField, sample};
use renkei_store::employees::RowState;
use serde_json::{Value, json};

use crate::people::{member, person, record};
use crate::world::{World, link};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

async fn accepted_rows(world: &World) -> Vec<Value> {
    world
        .company("a", |company| company.log().rows().map(|row| serde_json::from_str(&row.row).unwrap()).collect())
        .await
}

#[tokio::test]
async fn a_resend_changes_nothing() {
    let mut world = World::simple().await;
    let at = world.now();
    let event = world.event("c1", person(1, at));
    for _ in 0..3 {
        world.append(vec![event.clone(), event.clone()]).await;
        world.run_for(seconds(30)).await;
    }
    assert_eq!(accepted_rows(&world).await.len(), 1);
}

#[tokio::test]
async fn the_same_content_under_a_newer_version_changes_nothing() {
    let mut world = World::simple().await;
    for _ in 0..3 {
        let at = world.now();
        world.send("c1", person(1, at)).await;
        world.run_for(seconds(30)).await;
    }
    assert_eq!(accepted_rows(&world).await.len(), 1);
    assert_eq!(world.row("c1", "E00001").await.state, RowState::Synced);
}

#[tokio::test]
async fn an_older_version_that_comes_late_changes_nothing() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", record(json!({ "first_name": "新" }), 1, at)).await;
    world.run_for(seconds(30)).await;
    world.send("c1", record(json!({ "first_name": "旧" }), 1, at - seconds(60))).await;
    world.run_for(seconds(30)).await;
    assert_eq!(accepted_rows(&world).await.len(), 1);
    assert_eq!(
        world.company("a", |company| company.member("E00001").unwrap().get(TextField::Name).to_owned()).await,
        "髙橋 新"
    );
}

/// Of two contents under one version the one that stands later on the log is taken, wherever the first one is by then.
#[tokio::test]
async fn of_equal_versions_the_later_on_the_log_wins() {
    for pause in [0, 1, 100, 250, 3_000, 30_000] {
        let mut world = World::new(3, vec![sample::company("a")], seeded_latency(3, 100, 100, 0, 0)).await;
        world.link(link("c1", "a")).await;
        world.run_for(seconds(10)).await;
        let at = world.now();
        world.send("c1", record(json!({ "first_name": "一" }), 1, at)).await;
        world.run_for(Duration::from_millis(pause)).await;
        world.send("c1", record(json!({ "first_name": "二" }), 1, at)).await;
        world.run_for(seconds(60)).await;
        let name =
            world.company("a", |company| company.member("E00001").unwrap().get(TextField::Name).to_owned()).await;
        assert_eq!(name, "髙橋 二", "after {pause} ms");
        assert_eq!(world.row("c1", "E00001").await.state, RowState::Synced);
    }
}

#[tokio::test]
async fn a_record_dated_ahead_does_not_block_the_next_one() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", record(json!({ "first_name": "先" }), 1, at + seconds(7200))).await;
    world.run_for(seconds(30)).await;
    let at = world.now();
    world.send("c1", record(json!({ "first_name": "今" }), 1, at)).await;
    world.run_for(seconds(30)).await;
    assert_eq!(
        world.company("a", |company| company.member("E00001").unwrap().get(TextField::Name).to_owned()).await,
        "髙橋 今"
    );
}

/// Changes while a call is under way are gathered: the next call carries the newest state only.
#[tokio::test]
async fn changes_in_flight_coalesce() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(Duration::from_millis(10)).await;
    for name in ["一", "二", "三"] {
        let at = world.now();
        world.send("c1", record(json!({ "first_name": name }), 1, at)).await;
        world.run_for(Duration::from_millis(500)).await;
    }
    world.run_for(seconds(60)).await;
    let rows = accepted_rows(&world).await;
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!(rows[1], json!({ "code": "E00001", "name": "髙橋 三" }));
}

/// There and back while it flew: カオナビ holds the newest state already.
#[tokio::test]
async fn a_change_that_was_taken_back_in_flight_is_not_sent() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(Duration::from_millis(500)).await;
    let at = world.now();
    world.send("c1", record(json!({ "first_name": "他" }), 1, at)).await;
    world.run_for(Duration::from_millis(500)).await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(seconds(60)).await;
    assert_eq!(accepted_rows(&world).await.len(), 1);
    assert_eq!(world.row("c1", "E00001").await.state, RowState::Synced);
}

#[tokio::test]
async fn the_token_is_fetched_once_an_hour_and_only_when_a_call_is_due() {
    let mut world = World::simple().await;
    let tokens = |company: &mut renkei_sandbox::kaonavi::Company| {
        company.log().calls().filter(|call| call.path.ends_with("/token")).count()
    };
    assert_eq!(world.company("a", tokens).await, 1, "for the reads of activation");
    world.run_for(seconds(6 * 3600)).await;
    assert_eq!(world.company("a", tokens).await, 1);
    for index in 1..=4 {
        let at = world.now();
        world.send("c1", person(index, at)).await;
        world.run_for(seconds(1800)).await;
    }
    assert_eq!(world.company("a", tokens).await, 3);
}

#[tokio::test]
async fn fields_that_kaonavi_held_already_are_not_sent_with_a_later_change() {
    let mut company = sample::company("a");
    company.members = vec![member(1, "古い 名前")];
    let mut world = World::new(1, vec![company], renkei_sandbox::kaonavi::transport::no_latency()).await;
    world.link(link("c1", "a")).await;
    world.run_for(Duration::from_secs(120)).await;
    for changes in [json!({}), json!({ "birthday": "1991-03-01" })] {
        let at = world.now();
        world.send("c1", record(changes, 1, at)).await;
        world.run_for(Duration::from_secs(60)).await;
    }
    assert_eq!(
        accepted_rows(&world).await,
        [
            json!({ "code": "E00001", "name": "髙橋 花子1", "name_kana": "タカハシ ハナコ" }),
            json!({ "code": "E00001", "birthday": "1991-03-01" }),
        ]
    );
}
