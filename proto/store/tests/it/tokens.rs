//! Tokens of the API and the audit.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_store::audit::{self, Deed};
use renkei_store::db::Sql;
use renkei_store::tokens;
use secrecy::{ExposeSecret, SecretString};

use crate::engines::{Engine, both};

async fn make(engine: &Engine, tenant: Option<&str>, expires: Option<Millis>) -> (tokens::Token, SecretString) {
    let tx = engine.store.begin().await.unwrap();
    let now = engine.store.now_in(&tx).await.unwrap();
    let made = tokens::create(&engine.store, &tx, tenant, "ci", expires, now).await.unwrap();
    tx.commit().await.unwrap();
    made
}

#[tokio::test]
async fn a_token_is_found_until_it_expires_or_is_revoked() {
    for engine in both().await {
        let store = &engine.store;
        let now = store.now().await.unwrap();
        let (token, plain) = make(&engine, Some("acme"), Some(now + Duration::from_secs(60))).await;
        assert!(plain.expose_secret().starts_with("rnk_") && plain.expose_secret().len() == 47, "{}", engine.name);
        let found = tokens::find(store, &plain, now).await.unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.tenant.as_deref()), (token.id.as_str(), Some("acme")));
        let garbage = SecretString::from("rnk_garbage");
        assert_eq!(tokens::find(store, &garbage, now).await.unwrap(), None);
        assert_eq!(tokens::find(store, &plain, now + Duration::from_secs(60)).await.unwrap(), None, "expired");

        let (lasting, plain) = make(&engine, None, None).await;
        let tx = store.begin().await.unwrap();
        assert!(!tokens::revoke(&tx, Some("acme"), &lasting.id, now).await.unwrap(), "only its own");
        assert!(tokens::revoke(&tx, None, &lasting.id, now).await.unwrap());
        assert!(!tokens::revoke(&tx, None, &lasting.id, now).await.unwrap(), "a second time there is none");
        tx.commit().await.unwrap();
        assert_eq!(tokens::find(store, &plain, now).await.unwrap(), None, "revoked");
    }
}

#[tokio::test]
async fn the_last_use_is_written_once_a_minute() {
    for engine in both().await {
        let store = &engine.store;
        let (_, plain) = make(&engine, Some("acme"), None).await;
        let start = store.now().await.unwrap();
        let mut seen = Vec::new();
        for second in [0, 59, 61] {
            tokens::find(store, &plain, start + Duration::from_secs(second)).await.unwrap();
            seen.push(
                tokens::page(&store.db, Some("acme"), "", 9).await.unwrap()[0].used.unwrap().since(start).as_secs(),
            );
        }
        assert_eq!(seen, [0, 0, 61], "{}", engine.name);
    }
}

#[tokio::test]
async fn i8_the_token_itself_stands_nowhere() {
    for engine in both().await {
        let (_, plain) = make(&engine, None, None).await;
        let rows = engine.store.db.rows("SELECT token_id, name, hash FROM api_tokens", vec![]).await.unwrap();
        for column in ["token_id", "name", "hash"] {
            let text: String = rows[0].get(column).unwrap();
            assert!(!text.contains(&plain.expose_secret()[4..]), "{}: {column}", engine.name);
        }
    }
}

#[tokio::test]
async fn i9_tokens_and_audit_are_listed_for_their_tenant_only() {
    for engine in both().await {
        let store = &engine.store;
        make(&engine, Some("acme"), None).await;
        make(&engine, Some("other"), None).await;
        make(&engine, None, None).await;
        let listed = tokens::page(&store.db, Some("acme"), "", 9).await.unwrap();
        assert_eq!(listed.len(), 1, "{}", engine.name);
        assert_eq!(tokens::page(&store.db, None, "", 9).await.unwrap().len(), 3);

        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        for tenant in [Some("acme"), Some("other"), None, Some("acme")] {
            let detail = Some("氏名 髙橋");
            let deed = Deed { tenant, actor: "command", action: "activity.reveal", target: "c", detail };
            audit::add(store, &tx, deed, now).await.unwrap();
        }
        tx.commit().await.unwrap();
        let own = audit::page(store, Some("acme"), i64::MAX, 9).await.unwrap();
        assert_eq!(own.len(), 2);
        assert!(own[0].id > own[1].id, "newest first");
        assert_eq!(own[0].detail.as_deref(), Some("氏名 髙橋"));
        assert_eq!(audit::page(store, Some("acme"), own[0].id, 9).await.unwrap(), own[1..], "the next page");
        assert_eq!(audit::page(store, None, i64::MAX, 9).await.unwrap().len(), 1, "the platform's own");
        let rows = store.db.rows("SELECT detail FROM audit", vec![]).await.unwrap();
        let sealed: Vec<u8> = rows[0].get("detail").unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("髙橋"));
    }
}
