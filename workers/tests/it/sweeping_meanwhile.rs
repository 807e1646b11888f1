//! 定期確認 of people who change between one page and the next: nobody is lost, and no version comes twice.

use std::collections::{BTreeMap, BTreeSet};

use renkei_sandbox::feed::Late;
use renkei_simulation::source::{Source, as_feed};
use renkei_store::employees::RowState;
use renkei_store::logtable;
use renkei_workers::sweep::calendar;
use serde_json::{Value, json};

use crate::company::{HOUR, MINUTE, SECOND};
use crate::sweeping::{birthday, calls};
use crate::world::World;

/// People who changed before the sweep: three pages of 200, in the order of their numbers.
const PEOPLE: usize = 450;
/// What [`renkei_simulation::people`] gives everybody.
const BEFORE: &str = "1990-02-28";

/// A version of a person on the log.
struct Told {
    id: String,
    version: i64,
    birthday: String,
}

/// All that is on the log, in its order.
async fn told(source: &Source) -> Vec<Told> {
    let records = logtable::read(&source.world.store, "renkei.employee.v1", 0, 10_000).await.unwrap();
    let event = |value: &[u8]| serde_json::from_slice::<Value>(value).unwrap();
    let events = records.iter().map(|record| event(record.value.as_deref().unwrap()));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    events
        .map(|event| Told {
            id: text(&event["employee_id"]),
            version: event["version"].as_i64().unwrap(),
            birthday: text(&event["employee"]["birthday"]),
        })
        .collect()
}

/// The birthdays that the log has of a person, in its order.
fn of(told: &[Told], index: usize) -> Vec<&str> {
    let id = format!("rm_{index:05}");
    told.iter().filter(|told| told.id == id).map(|told| told.birthday.as_str()).collect()
}

async fn remove(source: &Source, index: usize) {
    let now = source.world.now();
    assert!(source.company("c1", |company| company.delete(now, &format!("rm_{index:05}"))).await);
}

/// The moment at which the sweep of a quarter hour has read the first of its three pages, and nothing else.
async fn after_the_first_page() -> Source {
    let mut source = Source::beside(World::simple().await);
    source.give_feed("c1", true).await;
    // What changes between the pages is to be seen by the next one.
    source.company("c1", |company| company.settings_mut().late = Late::Never).await;
    source.run_for(MINUTE).await;
    for index in 0..PEOPLE {
        source.edit("c1", index, json!({})).await;
    }
    let slot = calendar::next_quarter(source.world.now());
    source.run_until(slot - SECOND).await;
    source.world.run_until(slot + SECOND).await;
    let before = calls(&source).await;
    // One step reads one page.
    let process = &source.processes[0];
    process.sweeper.step(&process.context).await.unwrap();
    assert_eq!((calls(&source).await, told(&source).await.len()), (before + 1, 200));
    source
}

async fn assert_each_version_once_and_everybody_as_of_now(source: &Source, told: &[Told]) {
    let mut versions = BTreeSet::new();
    let mut newest: BTreeMap<&str, &Told> = BTreeMap::new();
    for one in told {
        assert!(versions.insert((one.id.as_str(), one.version)), "{} stands twice on the log", one.id);
        let known = newest.entry(one.id.as_str()).or_insert(one);
        if known.version <= one.version {
            *known = one;
        }
    }
    let listed: Vec<(String, String)> = source
        .company("c1", |company| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            company.everybody().map(|(id, record)| (id.to_owned(), text(&record["birthday"]))).collect()
        })
        .await;
    for (id, birthday) in listed {
        assert_eq!(newest.get(id.as_str()).map(|told| told.birthday.as_str()), Some(birthday.as_str()), "{id}");
    }
}

/// Lets the sweep end, and those of the next hour, which look over the same minutes once more; answers how many versions the
/// first one brought, and all that is on the log.
async fn to_the_end(source: &mut Source) -> (usize, Vec<Told>) {
    source.run_for(MINUTE * 5).await;
    let first = told(source).await.len();
    source.run_for(HOUR).await;
    let told = told(source).await;
    assert_each_version_once_and_everybody_as_of_now(source, &told).await;
    (first, told)
}

#[tokio::test]
async fn who_changes_after_the_own_page_was_read_comes_again_with_the_last_page() {
    let mut source = after_the_first_page().await;
    source.edit("c1", 5, json!({"birthday": "1991-01-01"})).await;
    // The last of the page as well, after whom the cursor goes on.
    source.edit("c1", 199, json!({"birthday": "1992-02-02"})).await;
    let (first, told) = to_the_end(&mut source).await;
    assert_eq!((first, told.len()), (PEOPLE + 2, PEOPLE + 2));
    assert_eq!(of(&told, 5), [BEFORE, "1991-01-01"]);
    assert_eq!(of(&told, 199), [BEFORE, "1992-02-02"]);
    assert_eq!(birthday(&source, 5).await.as_deref(), Some("1991-01-01"));
}

#[tokio::test]
async fn who_changes_before_the_own_page_is_read_comes_once_as_of_now() {
    let mut source = after_the_first_page().await;
    for index in [200, 399, 430] {
        source.edit("c1", index, json!({"birthday": "1991-01-01"})).await;
    }
    let (first, told) = to_the_end(&mut source).await;
    assert_eq!((first, told.len()), (PEOPLE, PEOPLE));
    for index in [200, 399, 430] {
        assert_eq!(of(&told, index), ["1991-01-01"], "{index}");
        assert_eq!(birthday(&source, index).await.as_deref(), Some("1991-01-01"), "{index}");
    }
}

#[tokio::test]
async fn who_is_hired_between_two_pages_comes_too() {
    let mut source = after_the_first_page().await;
    source.edit("c1", PEOPLE + 50, json!({})).await;
    let (first, told) = to_the_end(&mut source).await;
    assert_eq!((first, told.len()), (PEOPLE + 1, PEOPLE + 1));
    assert_eq!(of(&told, PEOPLE + 50), [BEFORE]);
    assert!(birthday(&source, PEOPLE + 50).await.is_some());
}

#[tokio::test]
async fn who_is_removed_between_two_pages_moves_nobody_off_them() {
    let mut source = after_the_first_page().await;
    // Two of the page that was read, the one among them after whom the cursor goes on, and one of a page that was not.
    for index in [5, 199, 440] {
        remove(&source, index).await;
    }
    let (first, told) = to_the_end(&mut source).await;
    assert_eq!((first, told.len()), (PEOPLE - 1, PEOPLE - 1));
    assert_eq!(of(&told, 200), [BEFORE], "whoever counts by position passes two people over");
    assert_eq!((of(&told, 5).len(), of(&told, 199).len(), of(&told, 440).len()), (1, 1, 0));
    assert!(birthday(&source, 5).await.is_some(), "nothing is deleted in カオナビ");
    assert_eq!(birthday(&source, 440).await, None);
    assert_eq!(source.world.count("c1", RowState::Parked).await, 0);
}

#[tokio::test]
async fn a_change_between_two_pages_that_is_seen_after_the_sweep_comes_with_the_next_one() {
    let mut source = after_the_first_page().await;
    let now = source.world.now();
    let changed = |index: usize| {
        let mut record = as_feed(index, now);
        record.insert("birthday".to_owned(), json!("1991-01-01"));
        record
    };
    source
        .company("c1", |company| {
            for index in [5, 430, PEOPLE] {
                company.put_late(now, changed(index), 290_000).unwrap();
            }
        })
        .await;
    // Somebody else is seen at once, so that the sweep knows of a change as late as theirs.
    source.edit("c1", 6, json!({"birthday": "1992-02-02"})).await;
    source.run_for(MINUTE * 4).await;
    assert_eq!(of(&told(&source).await, 430), [BEFORE]);
    let (first, told) = to_the_end(&mut source).await;
    assert_eq!((first, told.len()), (PEOPLE + 1, PEOPLE + 4));
    assert_eq!(of(&told, 5), [BEFORE, "1991-01-01"]);
    assert_eq!(of(&told, 430), [BEFORE, "1991-01-01"]);
    assert_eq!(of(&told, PEOPLE), ["1991-01-01"]);
}

#[tokio::test]
async fn a_page_whose_people_all_change_again_is_read_twice_and_ends() {
    let mut source = after_the_first_page().await;
    for index in 0..200 {
        source.edit("c1", index, json!({"birthday": "1991-01-01"})).await;
    }
    let before = calls(&source).await;
    let (first, told) = to_the_end(&mut source).await;
    assert_eq!((first, told.len()), (PEOPLE + 200, PEOPLE + 200));
    assert!((0..200).all(|index| of(&told, index) == [BEFORE, "1991-01-01"]));
    // Pages two to four, and one page of each of the four sweeps of the next hour: the overlap fills it exactly.
    assert_eq!(calls(&source).await - before, 3 + 4);
}
