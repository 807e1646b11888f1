//! Dry runs: asked for, looked at, refused.

use std::time::Duration;

use renkei_store::connections::{self, ConnectionState};
use renkei_store::dry_runs::PATIENCE;
use serde_json::json;

use super::world::{MESSAGE, Who, World, ask, problem};
use crate::support::client::Answer;

const PATH: &str = "/api/v1/employees/acme-c/rm_1/dry-run";

async fn want(world: &World, path: &str) -> Answer {
    world.send(Who::Own, ask("POST", path, None)).await
}

#[actix_web::test]
async fn a_dry_run_is_asked_for_once_at_a_time_and_ends_without_a_worker_as_no_answer() {
    let world = World::new().await;
    world.switch_on().await;
    assert_eq!(problem(&world.get(PATH).await).0, "api.not_found", "nobody asked for one");
    let asked = want(&world, PATH).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    let view = asked.json();
    assert_eq!((&view["state"], &view["employee_id"]), (&json!("wanted"), &json!("rm_1")));
    for name in ["op", "result", "code", "remedy", "detail", "ended"] {
        assert_eq!(view[name], json!(null), "{name}");
    }
    assert_eq!(world.get(PATH).await.json(), view);
    let again = want(&world, PATH).await;
    assert_eq!((again.status, problem(&again).0.as_str()), (409, "api.conflict"));
    assert_eq!(world.audited().await, ["employee.dry_run"], "what was refused was not done");
    world.serving.clock.advance(PATIENCE + Duration::from_secs(1));
    let over = world.get(PATH).await.json();
    assert_eq!((&over["state"], &over["result"], &over["code"]), (&json!("ended"), &json!("no_answer"), &json!(null)));
    assert_eq!(want(&world, PATH).await.status, 202);
}

#[actix_web::test]
async fn i6_a_dry_run_is_refused_while_the_switch_is_off() {
    let world = World::new().await;
    let refused = want(&world, PATH).await;
    assert_eq!((refused.status, problem(&refused).0.as_str()), (409, "api.conflict"), "never activated");
    world.switch_on().await;
    for state in [ConnectionState::Paused, ConnectionState::Halted, ConnectionState::Disconnected] {
        let tx = world.store.begin().await.unwrap();
        let now = world.store.now_in(&tx).await.unwrap();
        connections::switch_off(&world.store, &tx, "acme-c", state, None, None, now).await.unwrap();
        tx.commit().await.unwrap();
        let refused = want(&world, PATH).await;
        assert_eq!((refused.status, problem(&refused).0.as_str()), (409, "api.conflict"), "{state}");
        assert!(refused.json()["detail"].as_str().unwrap().contains(state.as_str()), "{refused:?}");
    }
    assert_eq!(world.audited().await, Vec::<String>::new());
    let nobody = want(&world, "/api/v1/employees/acme-c/rm_77/dry-run").await;
    assert_eq!(problem(&nobody).0, "api.not_found");
}

#[actix_web::test]
async fn what_kaonavi_says_against_a_person_is_masked_until_it_is_revealed_and_that_is_audited() {
    let world = World::for_operation("get_dry_run").await;
    let masked = world.get(PATH).await.json();
    assert_eq!(
        (&masked["result"], &masked["detail"], &masked["op"]),
        (&json!("rejected"), &json!("•••"), &json!("create"))
    );
    assert_eq!(
        (&masked["code"], &masked["remedy"]),
        (&json!("kaonavi.rejected"), &json!("/docs/errors/kaonavi.rejected"))
    );
    assert_eq!(world.audited().await, Vec::<String>::new());
    let shown = world.get(&format!("{PATH}?reveal=true")).await.json();
    assert_eq!(shown["detail"], json!(MESSAGE));
    assert_eq!(world.audited().await, ["dry_run.reveal"]);
}

/// Its task would be looked for with the new key, perhaps at another company.
#[actix_web::test]
async fn a_dry_run_that_was_asked_with_another_key_is_given_up() {
    let world = World::new().await;
    world.switch_on().await;
    assert_eq!(want(&world, PATH).await.status, 202);
    let keys = |key: &str, secret: &str| json!({"consumer_key": key, "consumer_secret": secret});
    let path = "/api/v1/connections/acme-c/credentials";
    for (keys, expected) in [
        (keys("consumer-key-acme", "consumer-secret-acme"), 409),
        (keys("another-key", "another-secret"), 202),
        (keys("another-key", "a-new-secret"), 202),
    ] {
        let put = world.send(Who::Own, ask("PUT", path, Some(keys.clone()))).await;
        assert_eq!(put.status, 200, "{put:?}");
        assert_eq!(want(&world, PATH).await.status, expected, "{keys}");
    }
}
