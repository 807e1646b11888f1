//! Whether deliveries pass their signature, told by several processes.

use renkei_store::webhook_health::{Seen, get, report};

use crate::engines::both;

fn seen(accepted: u64, refused: u64) -> Seen {
    Seen { connection: "c".to_owned(), accepted, refused }
}

#[tokio::test]
async fn trouble_begins_with_the_first_refusal_and_ends_with_one_that_passes() {
    for engine in both().await {
        let store = &engine.store;
        assert_eq!(get(&store.db, "c").await.unwrap(), None);
        report(store, &[seen(0, 2)]).await.unwrap();
        let first = get(&store.db, "c").await.unwrap().unwrap();
        assert_eq!((first.accepted, first.refused), (None, 2), "{}", engine.name);
        assert!(first.refused_since.is_some());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        report(store, &[seen(0, 3)]).await.unwrap();
        let second = get(&store.db, "c").await.unwrap().unwrap();
        assert_eq!((second.refused_since, second.refused), (first.refused_since, 5), "{}", engine.name);
        report(store, &[seen(4, 0)]).await.unwrap();
        let passed = get(&store.db, "c").await.unwrap().unwrap();
        assert_eq!((passed.refused_since, passed.refused), (None, 0), "{}", engine.name);
        assert!(passed.accepted.is_some());
        // Some passed, and then one did not.
        report(store, &[seen(4, 1)]).await.unwrap();
        let again = get(&store.db, "c").await.unwrap().unwrap();
        assert_eq!(again.refused, 1);
        assert!(again.refused_since >= first.refused_since, "{}", engine.name);
    }
}
