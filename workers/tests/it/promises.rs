//! What is promised, shown on the whole machinery.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use renkei_events::event::EmployeeEvent;
use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::{Call, CompanySpec, TextField, sample};
use renkei_sandbox::kaonavi::transport::{no_latency, seeded_latency};
use renkei_store::connections::ConnectionState;
use renkei_store::employees::RowState;
use serde_json::{Value, json};

use crate::people::{member, person, record};
use crate::world::{World, link};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn company_with(members: usize) -> CompanySpec {
    let mut company = sample::company("a");
    company.members = (1..=members).map(|index| member(index, "古い 名前")).collect();
    company
}

/// When each code first stood in an update call of `method`.
async fn first_calls(world: &World, company: &str, method: &str) -> BTreeMap<String, Millis> {
    world
        .company(company, |company| {
            let mut first = BTreeMap::new();
            for call in company.log().update_calls().filter(|call| call.method == method) {
                for code in &call.codes {
                    first.entry(code.clone()).or_insert(call.at);
                }
            }
            first
        })
        .await
}

async fn update_calls(world: &World, company: &str, method: &str) -> Vec<Call> {
    world.company(company, |company| company.log().update_calls().filter(|call| call.method == method).cloned().collect()).await
}

// ---- I2 ----

#[tokio::test]
async fn i2_any_order_of_a_thousand_times_ten_versions_ends_in_the_newest() {
    let mut world = World::simple().await;
    let start = world.now();
    let mut events: Vec<EmployeeEvent> = Vec::new();
    for index in 1..=1000 {
        for version in 0..10_u64 {
            let at = start - seconds(600 - 60 * version);
            let changes = json!({ "first_name": format!("花子{version}"), "birthday": format!("199{version}-02-28") });
            let event = world.event("c1", record(changes, index, at));
            // A resend keeps its id.
            events.push(event.clone());
            events.push(event);
        }
    }
    let mut random = rand::rngs::StdRng::seed_from_u64(2);
    events.shuffle(&mut random);
    for part in events.chunks(1000) {
        world.append(part.to_vec()).await;
        world.run_for(seconds(15)).await;
    }
    world.drain("c1", seconds(600)).await;
    let mut seen: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let rows: Vec<(String, Value)> = world
        .company("a", |company| {
            company.log().rows().map(|row| (row.code.clone(), serde_json::from_str(&row.row).unwrap())).collect()
        })
        .await;
    for (code, row) in rows {
        seen.entry(code).or_default().push(row);
    }
    assert_eq!(seen.len(), 1000);
    for (code, rows) in seen {
        let birthdays: Vec<&str> = rows.iter().map(|row| row["birthday"].as_str().unwrap()).collect();
        assert!(birthdays.is_sorted() && birthdays.iter().collect::<BTreeSet<_>>().len() == rows.len(), "{code}: {birthdays:?}");
        assert_eq!(*birthdays.last().unwrap(), "1999-02-28", "{code}");
    }
    let names: BTreeSet<String> = world
        .company("a", |company| company.members().values().map(|member| member.get(TextField::Name).to_owned()).collect())
        .await;
    assert_eq!(names, BTreeSet::from(["髙橋 花子9".to_owned()]));
    assert_eq!(world.count("c1", RowState::Synced).await, 1000);
    world.assert_limits("a").await;
}

// ---- I4 ----

#[tokio::test]
async fn i4_with_ten_thousand_updates_waiting_one_hire_a_minute_leaves_at_once() {
    let mut world = World::new(4, vec![company_with(10_000)], seeded_latency(4, 20, 300, 2, 4000)).await;
    world.link(link("c1", "a")).await;
    world.run_for(seconds(10)).await;
    let at = world.now();
    let mut events = Vec::new();
    for index in 1..=10_000 {
        events.push(world.event("c1", person(index, at)));
    }
    world.append(events).await;
    let mut hired = BTreeMap::new();
    for minute in 0..12 {
        world.run_for(seconds(if minute == 0 { 30 } else { 60 })).await;
        let at = world.now();
        let index = 20_001 + minute;
        hired.insert(format!("E{index:05}"), at);
        world.send("c1", person(index, at)).await;
    }
    let took = world.drain("c1", seconds(600)).await;
    assert!(took <= seconds(400), "{took:?}");
    let posts = first_calls(&world, "a", "POST").await;
    for (code, received) in hired {
        let waited = posts[&code].since(received);
        assert!(waited <= seconds(1), "{code} waited {waited:?}");
    }
    assert_eq!(update_calls(&world, "a", "PATCH").await.len(), 50);
    world.assert_limits("a").await;
}
