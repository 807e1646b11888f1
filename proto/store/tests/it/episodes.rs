//! Episodes, their items, and what of them was told.

use std::time::Duration;

use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use renkei_store::Store;
use renkei_store::connections::Connection;
use renkei_store::episodes::{self, BEFORE, Episode, Item, Trouble};

use crate::engines::both;

fn trouble() -> Trouble {
    Trouble { tenant: "t".to_owned(), scope: "connection:c".to_owned(), code: Code::KaonaviRejected }
}

fn item(employee: &str) -> Item {
    Item { connection: "c".to_owned(), employee: employee.to_owned() }
}

async fn opened(store: &Store, items: &[Item], now: Millis) -> i64 {
    let tx = store.begin().await.unwrap();
    let id = episodes::open(&tx, &trouble(), now).await.unwrap();
    episodes::add_items(&tx, id, items, None, now).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn told(store: &Store, id: i64, digest: i64, items: &[Item], now: Millis) -> bool {
    let tx = store.begin().await.unwrap();
    let told = episodes::tell(&tx, id, digest, items, now).await.unwrap();
    tx.commit().await.unwrap();
    told
}

async fn only(store: &Store) -> Episode {
    let mut open = episodes::open_ones(&store.db).await.unwrap();
    assert_eq!(open.len(), 1);
    open.remove(0)
}

#[test]
fn codes_about_keys_and_permissions_are_one_trouble_for_the_account() {
    let mut connection = Connection::draft("c", "t", "roumumate");
    connection.account = Some("kn-1".to_owned());
    assert_eq!(Trouble::of(Code::KaonaviForbidden, &connection).scope, "account:kn-1");
    assert_eq!(Trouble::of(Code::KaonaviRejected, &connection).scope, "connection:c");
    connection.account = None;
    assert_eq!(Trouble::of(Code::KaonaviForbidden, &connection).scope, "connection:c", "no account is known");
}

#[tokio::test]
async fn a_trouble_has_one_open_episode_and_an_item_stands_in_it_once() {
    for engine in both().await {
        let store = &engine.store;
        let now = store.now().await.unwrap();
        let first = opened(store, &[item("1"), item("2")], now).await;
        let again = opened(store, &[item("2"), item("3")], now + Duration::from_secs(1)).await;
        assert_eq!(first, again, "{}", engine.name);
        let episode = only(store).await;
        assert_eq!(episode.trouble, trouble());
        assert_eq!((episode.opened, episode.seen), (now, now + Duration::from_secs(1)), "{}", engine.name);
        let items: Vec<_> = episode.items.into_iter().collect();
        assert_eq!(items, [(item("1"), None), (item("2"), None), (item("3"), None)], "{}", engine.name);
    }
}

#[tokio::test]
async fn i11_a_digest_is_made_once_whoever_tries() {
    for engine in both().await {
        let store = &engine.store;
        let now = store.now().await.unwrap();
        let id = opened(store, &[item("1"), item("2")], now).await;
        assert!(!told(store, id, 2, &[item("1")], now).await, "{}: the first comes first", engine.name);
        assert!(told(store, id, 1, &[item("1")], now).await, "{}", engine.name);
        assert!(!told(store, id, 1, &[item("2")], now).await, "{}: it is made already", engine.name);
        let episode = only(store).await;
        assert_eq!((episode.digests, episode.last_digest), (1, Some(now)));
        assert_eq!(episode.items.into_iter().collect::<Vec<_>>(), [(item("1"), Some(1)), (item("2"), None)]);
        assert!(told(store, id, 2, &[item("1"), item("2")], now).await);
        let items: Vec<_> = only(store).await.items.into_values().collect();
        assert_eq!(items, [Some(1), Some(2)], "{}: what was told stays told in its mail", engine.name);
    }
}

#[tokio::test]
async fn an_administrator_ends_an_episode_and_the_next_failure_begins_another() {
    for engine in both().await {
        let store = &engine.store;
        let now = store.now().await.unwrap();
        let first = opened(store, &[item("1"), item("2")], now).await;
        assert_eq!(episodes::past(&store.db, &trouble()).await.unwrap(), None, "{}: it is open", engine.name);
        assert!(told(store, first, 1, &[item("1")], now).await);
        let later = now + Duration::from_secs(9);
        let tx = store.begin().await.unwrap();
        episodes::acted(&tx, &trouble(), later).await.unwrap();
        tx.commit().await.unwrap();
        assert!(episodes::open_ones(&store.db).await.unwrap().is_empty(), "{}", engine.name);
        assert!(!told(store, first, 2, &[item("2")], later).await, "{}: a closed one has no more mails", engine.name);
        let past = episodes::past(&store.db, &trouble()).await.unwrap().unwrap();
        assert_eq!((past.closed, past.told), (later, [item("1")].into()), "{}", engine.name);
        let second = opened(store, &[item("3")], later).await;
        assert_ne!(first, second);
        let tx = store.begin().await.unwrap();
        episodes::add_items(&tx, second, &[item("1")], Some(BEFORE), later).await.unwrap();
        episodes::seen(&tx, &[second], later + Duration::from_secs(5)).await.unwrap();
        tx.commit().await.unwrap();
        let episode = only(store).await;
        assert_eq!(episode.seen, later + Duration::from_secs(5));
        assert_eq!(episode.items[&item("1")], Some(BEFORE), "{}", engine.name);
    }
}

#[tokio::test]
async fn episodes_go_90_days_after_their_end_with_their_items() {
    for engine in both().await {
        let store = &engine.store;
        let now = store.now().await.unwrap();
        let id = opened(store, &[item("1")], now).await;
        let day = Duration::from_secs(24 * 3600);
        engine.clock.pass(100 * day);
        assert_eq!(store.tidy().await.unwrap(), 0, "{}: an open one stays", engine.name);
        let tx = store.begin().await.unwrap();
        episodes::close(&tx, id, now + 100 * day).await.unwrap();
        tx.commit().await.unwrap();
        engine.clock.pass(91 * day);
        assert_eq!(store.tidy().await.unwrap(), 1, "{}", engine.name);
        assert_eq!(episodes::past(&store.db, &trouble()).await.unwrap(), None);
    }
}
