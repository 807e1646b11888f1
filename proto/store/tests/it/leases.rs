//! Leases by name.

use std::time::Duration;

use renkei_store::leases;

use crate::engines::both;

const LENGTH: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_named_lease_has_one_holder_and_its_epoch_rises_when_it_changes_hands() {
    for engine in both().await {
        let store = &engine.store;
        let now = store.now().await.unwrap();
        let claim = async |name, owner, at| {
            let tx = store.begin().await.unwrap();
            let claimed = leases::claim(&tx, name, owner, at, LENGTH).await;
            tx.commit().await.unwrap();
            claimed
        };
        assert_eq!(claim("notify", "w1", now).await.unwrap(), Some(1), "{}", engine.name);
        assert_eq!(claim("notify", "w2", now).await.unwrap(), None, "{}: held", engine.name);
        assert_eq!(claim("other", "w2", now).await.unwrap(), Some(1), "another name is free");
        assert_eq!(claim("notify", "w1", now + LENGTH / 2).await.unwrap(), Some(1), "a renewal is the same hold");
        assert_eq!(claim("notify", "w2", now + LENGTH).await.unwrap(), None, "the renewal counts");
        assert_eq!(claim("notify", "w2", now + LENGTH * 2).await.unwrap(), Some(2), "{}: it ran out", engine.name);
        let free = |at| leases::free_since(&store.db, "notify", at);
        assert_eq!(free(now + LENGTH * 2).await.unwrap(), None, "{}: held", engine.name);
        assert_eq!(free(now + LENGTH * 4).await.unwrap(), Some(now + LENGTH * 3), "{}: it ran out", engine.name);
        leases::release_all(store, "w2", now + LENGTH * 2).await.unwrap();
        assert_eq!(free(now + LENGTH * 4).await.unwrap(), Some(now + LENGTH * 2), "{}: given back", engine.name);
        assert_eq!(claim("notify", "w1", now + LENGTH * 2).await.unwrap(), Some(3), "given back at once");
    }
}
