//! What an applied file must not do to others.

use std::path::Path;
use std::sync::Arc;

use renkei_ingest::apply::{file, plan};
use renkei_runtime::clock::SystemClock;
use renkei_runtime::config::OutsideConfig;
use renkei_store::Store;
use renkei_store::db::Sql as _;
use renkei_store::seal::MasterKey;

use crate::support::serving;

/// 32 bytes of 7.
const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

struct Installation {
    folder: tempfile::TempDir,
    store: Store,
    outside: OutsideConfig,
}

impl Installation {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("renkei.db").display());
        let store = Store::open(&url, &MasterKey::parse(KEY).unwrap(), Arc::new(SystemClock::real())).await.unwrap();
        std::fs::write(folder.path().join("webhook"), format!("whsec_{KEY}")).unwrap();
        for name in ["key-a", "key-b", "secret-a", "secret-b"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        Self { folder, store, outside: serving::outside() }
    }

    /// Applies one connection of a tenant with these files as credentials.
    async fn apply(&self, tenant: &str, key: &str, secret: &str, more: &str) -> Result<Vec<String>, String> {
        let text = format!(
            "tenants:\n  - id: {tenant}\n    connections:\n      - id: of-{tenant}\n        source: roumumate\n        \
             webhook_secrets: [{{secret: {{file: webhook}}}}]\n        \
             kaonavi: {{consumer_key: {{file: {key}}}, consumer_secret: {{file: {secret}}}{more}}}\n"
        );
        let path = self.folder.path().join("connections.yaml");
        let document = file::parse(Path::new(&path), &text).unwrap();
        let applied = plan::apply(&self.store, &document, &self.outside, false).await;
        applied.map(|plan| plan.lines).map_err(|error| error.to_string())
    }

    async fn accounts(&self) -> Vec<(String, String, Option<Vec<u8>>)> {
        let query = "SELECT account_id, base_url, credentials FROM accounts ORDER BY account_id";
        let rows = self.store.db.rows(query, vec![]).await.unwrap();
        let read = |column: &'static str| move |row: &renkei_store::db::Row| row.get::<String>(column).unwrap();
        rows.iter()
            .map(|row| (read("account_id")(row), read("base_url")(row), row.get("credentials").unwrap()))
            .collect()
    }
}

#[tokio::test]
async fn a_connection_that_would_take_over_the_account_of_another_tenant_is_refused() {
    let cases = [
        ("another secret", "key-a", "secret-b", ""),
        ("another base URL", "key-a", "secret-a", ", base_url: \"http://127.0.0.1:9\""),
        ("both", "key-a", "secret-b", ", base_url: \"http://127.0.0.1:9\""),
    ];
    let world = Installation::new().await;
    world.apply("a", "key-a", "secret-a", "").await.unwrap();
    let before = world.accounts().await;
    for (what, key, secret, more) in cases {
        let told = world.apply("b", key, secret, more).await.unwrap_err();
        assert!(told.contains("connections[0].kaonavi") && told.contains("another tenant"), "{what}: {told}");
        assert!(!told.contains("key-a") && !told.contains("secret-b"), "{what}: {told}");
        assert_eq!(world.accounts().await, before, "{what}: nothing has changed");
    }

    // An account of its own is no way in, nor is a shared one a way to turn the key.
    world.apply("b", "key-b", "secret-b", "").await.unwrap();
    assert!(world.apply("b", "key-a", "secret-b", "").await.is_err(), "from an own account");
    world.apply("b", "key-a", "secret-a", "").await.unwrap();
    let before = world.accounts().await;
    std::fs::write(world.folder.path().join("key-b"), "key-c").unwrap();
    assert!(world.apply("b", "key-b", "secret-b", "").await.is_err(), "a new key for a shared account");
    assert_eq!(world.accounts().await, before);
}

#[tokio::test]
async fn sealed_values_that_do_not_open_are_replaced_by_applying_again() {
    let world = Installation::new().await;
    world.apply("a", "key-a", "secret-a", "").await.unwrap();
    for sql in ["UPDATE accounts SET credentials = $1", "UPDATE webhook_secrets SET secret = $1"] {
        world.store.db.exec(sql, vec![vec![1_u8, 2, 3].into()]).await.unwrap();
    }
    let lines = world.apply("a", "key-a", "secret-a", "").await.unwrap();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(world.apply("a", "key-a", "secret-a", "").await.unwrap(), [] as [&str; 0]);
}

/// Secrets where none belongs: the parser's message must not repeat them.
#[test]
fn i8_a_literal_secret_at_any_place_is_not_repeated() {
    let texts = [
        "webhook_secrets: whsec_hunter2",
        "webhook_secrets: [whsec_hunter2]",
        "webhook_secrets: [{secret: whsec_hunter2}]",
        "webhook_secrets: [{secret: [whsec_hunter2]}]",
        "webhook_secrets: {secret: whsec_hunter2}",
        "kaonavi: hunter2",
        "kaonavi: [hunter2, hunter2]",
        "kaonavi: {consumer_key: hunter2}",
        "kaonavi: {consumer_key: [hunter2]}",
        "kaonavi: {consumer_key: {file: [hunter2]}}",
        "kaonavi: {consumer_key: {hunter2: x}}",
        "kaonavi: {consumer_key: 98989898989898989898989898989898}",
    ];
    for text in texts {
        let text = format!("tenants:\n  - id: a\n    connections:\n      - id: of-a\n        {text}\n");
        let told = file::parse(Path::new("connections.yaml"), &text).unwrap_err().to_string();
        assert!(!told.contains("hunter2") && !told.contains("98989"), "{text} gives {told}");
    }
}
