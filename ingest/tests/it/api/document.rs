//! The committed description is the one that is served.

use serde_json::Value;

use super::world::{Who, World, ask};

pub fn committed() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[actix_web::test]
async fn the_committed_description_is_the_served_one() {
    let world = World::new().await;
    let answer = world.send(Who::Nobody, ask("GET", "/api/openapi.json", None)).await;
    assert_eq!(answer.status, 200);
    let same = answer.json() == committed();
    assert!(
        same,
        "docs/openapi.json is old: write it anew with `cargo run -p renkei-ingest -- openapi > docs/openapi.json`"
    );
}

#[test]
fn every_operation_says_whose_token_it_takes_and_what_may_go_wrong() {
    let document = committed();
    let mut count = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            count += 1;
            let scope = operation["x-renkei-scope"].as_str().unwrap();
            assert!(["tenant", "platform", "either"].contains(&scope), "{method} {path}");
            assert_eq!(operation["security"], serde_json::json!([{"token": []}]), "{method} {path}");
            for status in ["400", "401", "403", "429", "503"] {
                assert!(
                    operation["responses"][status]["content"]["application/problem+json"].is_object(),
                    "{method} {path}: {status}"
                );
            }
            assert!(operation["summary"].is_string(), "{method} {path}: says nothing");
        }
    }
    assert!(count >= 33, "{count}");
}
