//! The feed under changes that nobody planned.

#![allow(clippy::unwrap_used, reason = "a test that can not go on ends here")]

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use renkei_runtime::clock::Millis;
use renkei_sandbox::feed::{CompanySpec, Feed, Late, Record, Settings, sample};
use renkei_sandbox::wire::SimRequest;
use serde_json::{Value, json};

const START: Millis = Millis(1_775_001_600_000);

fn feed(late: Late) -> Feed {
    let mut feed = Feed::new();
    let settings = Settings { late, calls_per_minute: 10_000, ..Settings::default() };
    feed.add(CompanySpec { id: "c1".to_owned(), token: "t".to_owned(), settings }).unwrap();
    feed
}

fn page(feed: &mut Feed, now: Millis, query: &str) -> (Vec<Value>, Option<String>) {
    let request = SimRequest::new("GET", &format!("{}?{query}", Feed::path("c1"))).with_bearer("t");
    let answer = feed.handle(now, &request);
    assert_eq!(answer.status(), Some(200), "{}", answer.body());
    let body = answer.body();
    (body["employees"].as_array().unwrap().clone(), body["next_cursor"].as_str().map(str::to_owned))
}

fn id(record: &Value) -> String {
    record["employee_id"].as_str().unwrap().to_owned()
}

fn rename(record: &mut Record, to: u32) {
    record.insert("last_name".to_owned(), json!(format!("改{to}")));
}

#[test]
fn a_run_brings_everybody_who_matched_at_its_first_page_whatever_happens_meanwhile() {
    for seed in 0..200 {
        let mut random = StdRng::seed_from_u64(seed);
        let late = [Late::Never, Late::Spread, Late::AtMost][random.random_range(0..3)];
        let mut feed = feed(late);
        let people = random.random_range(1..60);
        for number in 0..people {
            // Many of them in the same moment.
            let at = Millis(START.0 - random.random_range(0..20) * 180_000);
            feed.company("c1").unwrap().put(at, sample::person(number)).unwrap();
        }
        let since = START.timestamp() - std::time::Duration::from_secs(random.random_range(0..5_400));
        let query = format!("limit={}&updated_since={since}", random.random_range(1..9));
        let mut now = START;
        let matched: BTreeSet<String> =
            feed.company("c1").unwrap().seen(now).into_iter().fold(BTreeSet::new(), |mut matched, record| {
                let updated: jiff::Timestamp = record["updated_at"].as_str().unwrap().parse().unwrap();
                if updated >= since {
                    matched.insert(record["employee_id"].as_str().unwrap().to_owned());
                }
                matched
            });
        let (mut came, mut removed) = (BTreeSet::new(), BTreeSet::new());
        let mut cursor = None;
        for round in 0.. {
            assert!(round < 1_000, "seed {seed}: no end");
            let at = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let (records, next) = page(&mut feed, now, &format!("{query}{at}"));
            came.extend(records.iter().map(id));
            cursor = next;
            if cursor.is_none() {
                break;
            }
            now = Millis(now.0 + random.random_range(0..120_000));
            // So many that it must come to an end all the same.
            for _ in 0..random.random_range(0..2) {
                let one = sample::id(random.random_range(0..people));
                let company = feed.company("c1").unwrap();
                if random.random_bool(0.1) && company.delete(now, &one) {
                    removed.insert(one);
                } else if company.newest(&one).is_some() && round < 50 {
                    company.change(now, &one, |record| rename(record, round)).unwrap();
                }
            }
        }
        let missing: Vec<&String> = matched.difference(&came).filter(|id| !removed.contains(*id)).collect();
        assert!(missing.is_empty(), "seed {seed}: {missing:?} did not come");
    }
}

#[test]
fn quarter_hours_with_an_overlap_of_five_minutes_miss_nobody() {
    for seed in 0..50 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut feed = feed(Late::Spread);
        for number in 0..30 {
            feed.company("c1").unwrap().put(Millis(START.0 - 3_600_000), sample::person(number)).unwrap();
        }
        let mut held: BTreeMap<String, Value> = BTreeMap::new();
        let mut watermark = Millis(START.0 - 3_600_000).timestamp();
        let mut changes: Vec<(Millis, usize)> = (0..300)
            .map(|_| {
                (
                    START + std::time::Duration::from_millis(random.random_range(0..10_800_000)),
                    random.random_range(0..30),
                )
            })
            .collect();
        changes.sort_unstable();
        let mut changes = changes.into_iter().peekable();
        for quarter in 1..=13_i64 {
            let now = Millis(START.0 + quarter * 900_000);
            while let Some((at, number)) = changes.next_if(|(at, _)| *at <= now) {
                let company = feed.company("c1").unwrap();
                company
                    .change(at, &sample::id(number), |record| rename(record, random.random_range(0..1_000)))
                    .unwrap();
            }
            let since = watermark - std::time::Duration::from_secs(300);
            let mut cursor = None;
            loop {
                let at = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
                let (records, next) = page(&mut feed, now, &format!("limit=7&updated_since={since}{at}"));
                for record in records {
                    let updated: jiff::Timestamp = record["updated_at"].as_str().unwrap().parse().unwrap();
                    watermark = watermark.max(updated);
                    held.insert(id(&record), record);
                }
                cursor = next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        assert!(changes.peek().is_none());
        let company = feed.company("c1").unwrap();
        for (id, record) in company.everybody() {
            assert_eq!(held.get(id).and_then(Value::as_object), Some(record), "seed {seed}: {id}");
        }
    }
}

#[test]
fn companies_do_not_see_each_other() {
    let mut feed = feed(Late::Never);
    let other = CompanySpec { id: "c2".to_owned(), token: "u".to_owned(), settings: Settings::default() };
    feed.add(other.clone()).unwrap();
    assert!(feed.add(other).is_err(), "one id, one company");
    for number in 0..3 {
        feed.company("c1").unwrap().put(START, sample::person(number)).unwrap();
    }
    let (records, cursor) = page(&mut feed, START, "limit=2");
    assert_eq!(records.len(), 2);
    let ask = |path: &str, token: &str| SimRequest::new("GET", path).with_bearer(token);
    for (path, token, status) in [
        ("/feeds/c2/employees", "t", 401),
        ("/feeds/c1/employees", "u", 401),
        ("/feeds/c2/employees", "u", 200),
        ("/feeds/c3/employees", "t", 404),
        ("/feeds/c1", "t", 404),
    ] {
        assert_eq!(feed.handle(START, &ask(path, token)).status(), Some(status), "{path} {token}");
    }
    let cursor = format!("/feeds/c2/employees?limit=2&cursor={}", cursor.unwrap());
    assert_eq!(feed.handle(START, &ask(&cursor, "u")).status(), Some(400), "another company's cursor");
    let calls: Vec<u16> = feed.company("c2").unwrap().log().calls().map(|call| call.status).collect();
    assert_eq!(calls, [401, 200, 400]);
    assert_eq!(feed.strays(), 2);
}
