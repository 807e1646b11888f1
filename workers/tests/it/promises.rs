//! What is promised, shown on the whole machinery.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use renkei_events::event::EmployeeEvent;
use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::transport::{Trip, no_latency, seeded_latency};
use renkei_sandbox::kaonavi::{Call, CompanySpec, Faults, Operation, TextField, sample};
use renkei_store::connections::ConnectionState;
use renkei_store::employees::RowState;
use renkei_store::settings::{Settings, Timing};
use renkei_workers::members::steps::send::ON_THE_WIRE_WITHIN;
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
            for call in company.log().writes().filter(|call| call.method == method) {
                for code in &call.codes {
                    first.entry(code.clone()).or_insert(call.at);
                }
            }
            first
        })
        .await
}

async fn update_calls(world: &World, company: &str, method: &str) -> Vec<Call> {
    world
        .company(company, |company| company.log().writes().filter(|call| call.method == method).cloned().collect())
        .await
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
        assert!(
            birthdays.is_sorted() && birthdays.iter().collect::<BTreeSet<_>>().len() == rows.len(),
            "{code}: {birthdays:?}"
        );
        assert_eq!(*birthdays.last().unwrap(), "1999-02-28", "{code}");
    }
    let names: BTreeSet<String> = world
        .company("a", |company| {
            company.members().values().map(|member| member.get(TextField::Name).to_owned()).collect()
        })
        .await;
    assert_eq!(names, BTreeSet::from(["髙橋 花子9".to_owned()]));
    assert_eq!(world.count("c1", RowState::Synced).await, 1000);
    world.assert_limits("a").await;
}

// ---- I4 ----

#[tokio::test]
async fn i4_with_ten_thousand_updates_waiting_one_hire_a_minute_leaves_at_once() {
    let mut world = World::new(4, vec![company_with(10_000)], seeded_latency(4, 20, 300, 0, 0)).await;
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
    let patches = update_calls(&world, "a", "PATCH").await;
    assert_eq!(patches.len(), 50);
    let longest = patches.last().unwrap().at.since(at);
    println!("{} PATCHes, the last update left after {longest:?}", patches.len());
    assert!(longest <= seconds(16 * 60), "{longest:?}");
    world.assert_limits("a").await;
}

#[tokio::test]
async fn i4_a_hire_a_second_and_two_updates_a_second_leave_hires_within_21_s() {
    let mut world = World::new(5, vec![company_with(1200)], seeded_latency(5, 20, 300, 0, 0)).await;
    world.link(link("c1", "a")).await;
    world.run_for(seconds(10)).await;
    let (mut hired, mut updated) = (BTreeMap::new(), BTreeMap::new());
    for second in 0..600 {
        for half in 0..2 {
            let at = world.now();
            updated.insert(format!("E{:05}", 1 + second * 2 + half), at);
            let mut events = vec![world.event("c1", person(1 + second * 2 + half, at))];
            if half == 0 {
                let index = 20_001 + second;
                hired.insert(format!("E{index:05}"), at);
                events.push(world.event("c1", person(index, at)));
            }
            world.append(events).await;
            world.run_for(Duration::from_millis(500)).await;
        }
    }
    let patches = update_calls(&world, "a", "PATCH").await.len();
    assert!(patches >= 17, "{patches}");
    let drained = world.drain("c1", seconds(300)).await;
    let left = first_calls(&world, "a", "PATCH").await;
    let longest = updated.iter().map(|(code, received)| left[code].since(*received)).max().unwrap();
    println!("{patches} PATCHes in ten minutes, drained {drained:?} later, an update waited {longest:?} at most");
    assert!(longest <= seconds(60), "{longest:?}");
    let posts = first_calls(&world, "a", "POST").await;
    for (code, received) in hired {
        let waited = posts[&code].since(received);
        assert!(waited <= seconds(21), "{code} waited {waited:?}");
    }
    world.assert_limits("a").await;
}

#[tokio::test]
async fn ten_thousand_changes_on_the_log_before_the_first_call_are_out_in_13_minutes() {
    let mut world = World::new(6, vec![company_with(10_000)], seeded_latency(6, 20, 300, 0, 0)).await;
    world.link(link("c1", "a")).await;
    world.run_for(seconds(90)).await;
    let began = world.now();
    let events = (1..=10_000).map(|index| world.event("c1", person(index, began))).collect();
    world.append(events).await;
    let drained = world.drain("c1", seconds(1200)).await;
    let patches = update_calls(&world, "a", "PATCH").await;
    let last = patches.iter().filter(|call| call.accepted).map(|call| call.at.since(began)).max().unwrap();
    println!("{} PATCHes, the last accepted after {last:?}, drained after {drained:?}", patches.len());
    assert!(patches.len() <= 52, "{}", patches.len());
    assert!(last <= seconds(13 * 60), "{last:?}");
    let codes: BTreeSet<&String> = patches.iter().flat_map(|call| &call.codes).collect();
    assert_eq!(codes.len(), 10_000);
    world.assert_limits("a").await;
}

#[tokio::test]
async fn ten_thousand_changes_over_an_hour_wait_25_s_at_most() {
    let mut world = World::new(8, vec![company_with(10_000)], seeded_latency(8, 20, 300, 0, 0)).await;
    world.link(link("c1", "a")).await;
    world.run_for(seconds(90)).await;
    let mut received = BTreeMap::new();
    // A little under three a second, in an even stream.
    for index in 1..=10_000 {
        received.insert(format!("E{index:05}"), world.now());
        let at = world.now();
        world.send("c1", person(index, at)).await;
        world.run_for(Duration::from_millis(360)).await;
    }
    world.drain("c1", seconds(120)).await;
    let left = first_calls(&world, "a", "PATCH").await;
    let longest = received.iter().map(|(code, at)| left[code].since(*at)).max().unwrap();
    println!("{} PATCHes, an update waited {longest:?} at most", update_calls(&world, "a", "PATCH").await.len());
    assert!(longest <= seconds(25), "{longest:?}");
    world.assert_limits("a").await;
}

#[tokio::test]
async fn i4_three_hires_leave_at_once_though_updates_wait_that_can_not_be_sent() {
    type Wait = fn(&mut Settings);
    let nothing: Wait = |_| {};
    let table: [(&str, Wait, Value); 4] = [
        (
            "skipped",
            |it| it.filter.employment_types = ["正社員".to_owned()].into(),
            json!({ "employment_type": "契約社員" }),
        ),
        ("parked", nothing, json!({ "gender": "未定" })),
        ("held", nothing, json!({ "employee_number": "N-77" })),
        ("quarter hour", |it| it.timing = Timing::QuarterHour, json!({ "birthday": "1991-03-01" })),
    ];
    for (what, change, waiting) in table {
        let mut world = World::new(9, vec![company_with(10)], seeded_latency(9, 20, 60, 0, 0)).await;
        let mut setup = link("c1", "a");
        change(&mut setup.settings);
        world.link(setup).await;
        // Well within a quarter hour, with all slots free.
        world.run_for(seconds(90)).await;
        if what == "held" {
            let at = world.now();
            world.send("c1", person(5, at)).await;
            world.run_for(seconds(300)).await;
        }
        let at = world.now();
        world.send("c1", record(waiting, 5, at)).await;
        world.run_for(seconds(2)).await;
        hires_leave_at_once(&mut world, what).await;
    }
    // In flight: its task does not end. Backing off: nobody answers it.
    for what in ["in flight", "backing off"] {
        let mut world = World::new(9, vec![company_with(10)], seeded_latency(9, 20, 60, 0, 0)).await;
        world.link(link("c1", "a")).await;
        world.run_for(seconds(90)).await;
        if what == "in flight" {
            let now = world.now();
            let held = Faults { hold_tasks: true, ..Faults::default() };
            world.company("a", |company| company.set_faults(now, held)).await;
        } else {
            *world.poison.lock().unwrap() = Some("E00005".to_owned());
        }
        let at = world.now();
        world.send("c1", person(5, at)).await;
        // The change in flight still runs when its slot is free again.
        world.run_for(seconds(if what == "in flight" { 70 } else { 400 })).await;
        if what == "backing off" {
            let row = world.row("c1", "E00005").await;
            let left = row.next_try.since(world.now());
            assert!(row.state == RowState::Due && left > seconds(5), "{what}: the case is no case, {left:?}");
        }
        hires_leave_at_once(&mut world, what).await;
    }
}

/// Three hires a second apart each leave within a second.
async fn hires_leave_at_once(world: &mut World, what: &str) {
    let mut hired = BTreeMap::new();
    for index in 20_001..=20_003 {
        let at = world.now();
        hired.insert(format!("E{index:05}"), at);
        let changes = json!({ "employment_type": "正社員" });
        world.send("c1", record(changes, index, at)).await;
        world.run_for(seconds(1)).await;
    }
    world.run_for(seconds(1)).await;
    let posts = first_calls(world, "a", "POST").await;
    for (code, received) in hired {
        let waited = posts.get(&code).map(|at| at.since(received));
        assert!(waited.is_some_and(|waited| waited <= seconds(1)), "{what}: {code} waited {waited:?}");
    }
}

// ---- I3 ----

/// What somebody's record says last.
type Newest = BTreeMap<usize, (&'static str, String)>;

/// A day at a company of two connections that share a key: hires in the morning, changes all day, a bulk change at two, ways
/// of which a tenth is slow, and workers that die.
async fn working_day(seed: u64, hours: u64, deaths: usize) {
    let mut company = company_with(600);
    company.settings.shuffle_members = true;
    let mut world = World::new(seed, vec![company], seeded_latency(seed, 20, 300, 10, 4000)).await;
    world.link(link("c1", "a")).await;
    world.link(link("c2", "a")).await;
    world.run_for(seconds(20)).await;
    assert_eq!(world.connection("c2").await.state, ConnectionState::Active);
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let mut newest = Newest::new();
    let mut next_hire = 1000;
    let day = world.now() + seconds(hours * 3600);
    let bulk = world.now() + seconds(hours * 3600 * 5 / 8);
    let mut bulk_done = false;
    let mut deaths: Vec<Millis> =
        (1..=deaths as u64).map(|index| world.now() + seconds(index * hours * 3600 / (deaths as u64 + 1))).collect();
    // One of them dies when every slot is wanted.
    deaths.push(bulk + seconds(120));
    deaths.sort();
    let mut name = 1;
    while world.now() < day {
        let now = world.now();
        let busy = now >= bulk && now < bulk + seconds(600);
        let mut change = |world: &mut World, index: usize| {
            let connection = if index.is_multiple_of(2) { "c1" } else { "c2" };
            let first_name = format!("花子{}", random.random_range(0..1_000_000));
            newest.insert(index, (connection, format!("髙橋 {first_name}")));
            world.event(connection, record(json!({ "first_name": first_name }), index, now))
        };
        let mut events = Vec::new();
        let morning = now < day - seconds(hours * 3600 * 6 / 8);
        if !bulk_done && now >= bulk {
            bulk_done = true;
            events.extend((1..=500).map(|index| change(&mut world, index)));
        }
        let pick: usize = world.random.random_range(0..100);
        if pick < if morning || busy { 50 } else { 8 } {
            events.push(change(&mut world, next_hire));
            next_hire += 1;
        } else {
            let index = world.random.random_range(1..=600);
            events.push(change(&mut world, index));
        }
        world.append(events).await;
        if deaths.first().is_some_and(|at| now >= *at) {
            deaths.remove(0);
            let polls = world.random.random_range(1..100);
            let last = world.workers.len() - 1;
            world.kill_after(last, polls);
            world.run_for(seconds(40)).await;
            world.kill(last);
            world.run_for(seconds(5)).await;
            name += 1;
            world.start_worker(&format!("w{name}"));
        }
        let pause = world.random.random_range(
            1..if busy {
                10_000
            } else if morning {
                90_000
            } else {
                180_000
            },
        );
        world.run_for(Duration::from_millis(pause)).await;
    }
    world.drain("c1", seconds(3600)).await;
    world.drain("c2", seconds(3600)).await;
    world.assert_limits("a").await;
    let now = world.now();
    let stats = world.company("a", |company| company.stats(now)).await;
    assert_eq!(stats.peak_update_calls, 5, "a day that never uses the whole budget shows nothing: {stats:?}");
    let names: BTreeMap<String, String> = world
        .company("a", |company| {
            company
                .members()
                .iter()
                .map(|(code, member)| (code.clone(), member.get(TextField::Name).to_owned()))
                .collect()
        })
        .await;
    for (index, (_, expected)) in newest {
        assert_eq!(names[&format!("E{index:05}")], expected, "{index}");
    }
}

#[tokio::test]
async fn i3_a_working_day_with_deaths_and_slow_ways_is_never_refused() {
    working_day(11, 8, 3).await;
}

#[tokio::test]
#[ignore = "prove: longer"]
async fn prove_i3_many_working_days() {
    for seed in 100..130 {
        working_day(seed, 9, 12).await;
    }
}

// ---- I5 ----

#[tokio::test]
async fn i5_one_bad_record_of_five_hundred_parks_alone_and_says_where() {
    use renkei_events::event::{Change, Origin};
    use renkei_events::ids::{ConnectionId, EventId, Version};
    use renkei_events::parse::{Reading, reading};

    let mut world = World::simple().await;
    let received_at = world.now().timestamp();
    let mut events = Vec::new();
    for index in 0..500 {
        let number = if index == 250 { "9".repeat(51) } else { format!("E{index:05}") };
        let text = json!({
            "employee_id": format!("rm_{index}"), "employee_number": number, "employee_status": "在籍",
            "data_entry_state": "データ入力完了", "last_name": "髙橋", "first_name": "花子",
            "updated_at": received_at.to_string(),
        });
        // As ingest reads one delivery.
        let (change, anchor, employee, faults) = match reading(&text.to_string(), received_at) {
            Reading::Record(record) => (Change::Updated, record.employee_id.clone(), Some(*record), Vec::new()),
            Reading::Faulty { anchor, faults } => (Change::Invalid, anchor.unwrap().employee_id, None, faults),
        };
        events.push(EmployeeEvent {
            event_id: EventId::new(format!("msg_1/{index}")).unwrap(),
            connection_id: ConnectionId::new("c1").unwrap(),
            employee_id: anchor,
            origin: Origin::Webhook,
            change,
            received_at,
            version: Version::judge(received_at, received_at),
            employee,
            faults,
        });
    }
    world.append(events).await;
    world.drain("c1", seconds(60)).await;
    assert_eq!(world.company("a", |company| company.members().len()).await, 499);
    let parked = renkei_store::employees::in_states(&world.store, "c1", &[RowState::Parked], 10).await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].key.employee, "rm_250");
    assert_eq!(parked[0].reason.as_deref(), Some("source.record_invalid"));
    assert_eq!(parked[0].detail.as_deref(), Some("/employee_number source.too_long"));
}

// ---- I6 ----

#[tokio::test]
async fn i6_off_means_off_and_what_came_meanwhile_goes_out_afterwards() {
    for moment in [0, 5, 40, 120, 200, 350, 700, 2_500, 6_000] {
        let mut world = World::new(moment, vec![company_with(6)], seeded_latency(moment, 20, 300, 0, 0)).await;
        world.link(link("c1", "a")).await;
        world.link(link("c2", "a")).await;
        world.run_for(seconds(10)).await;
        let at = world.now();
        let events = (1..=20).map(|index| world.event("c1", person(index, at))).collect();
        world.append(events).await;
        world.run_for(Duration::from_millis(moment)).await;
        let (store, clock) = (world.store.clone(), world.clock.clone());
        world
            .run_with(async { renkei_workers::commands::pause(&store, clock.as_ref(), "c1", "test").await.unwrap() })
            .await;
        let off = world.now();
        assert!(off.since(at) <= seconds(3) + Duration::from_millis(moment), "it answers soon");
        for index in 21..=30 {
            let at = world.now();
            world.send("c1", person(index, at)).await;
            world.run_for(seconds(20)).await;
        }
        let late: Vec<Call> =
            world.company("a", |company| company.log().writes().filter(|call| call.at > off).cloned().collect()).await;
        assert!(late.is_empty(), "switched off at {off:?}, {moment} ms after the start, then {late:?}");
        assert!(world.count("c1", RowState::Due).await >= 10);
        assert_eq!(world.count("c1", RowState::Flying).await, 0, "what flew has landed");
        // The other connection of the account goes on.
        let at = world.now();
        world.send("c2", person(99, at)).await;
        world.drain("c2", seconds(60)).await;
        assert!(world.company("a", |company| company.member("E00099").is_some()).await);
        renkei_workers::commands::resume(&store, "c1", "test").await.unwrap();
        world.wake_all();
        world.drain("c1", seconds(300)).await;
        let new = world.company("a", |company| {
            company.members().values().filter(|it| it.get(TextField::Name).starts_with('髙')).count()
        });
        assert_eq!(new.await, 31);
        world.assert_limits("a").await;
    }
}

#[tokio::test]
async fn i6_a_call_that_was_still_connecting_is_not_made_after_pause_has_answered() {
    let longest = ON_THE_WIRE_WITHIN;
    for moment in [1, 500, 1_900, 2_100, 3_000, 3_900] {
        let mut world = World::simple().await;
        // Held up until the last moment to start, and then the connection takes as long as it may.
        world.transport.set_latency(Box::new(move |request| {
            let there = if request.body.is_some() { longest - Duration::from_millis(1) } else { Duration::ZERO };
            Trip { there, back: Duration::ZERO }
        }));
        let at = world.now();
        world.send("c1", person(1, at)).await;
        world.run_for(Duration::from_millis(moment)).await;
        let (store, clock) = (world.store.clone(), world.clock.clone());
        world
            .run_with(async { renkei_workers::commands::pause(&store, clock.as_ref(), "c1", "test").await.unwrap() })
            .await;
        let off = world.now();
        assert!(off.since(at) <= longest + Duration::from_millis(moment + 100), "it answers all the same");
        world.run_for(seconds(600)).await;
        let calls = update_calls(&world, "a", "POST").await;
        assert!(calls.iter().all(|call| call.at <= off), "off at {off:?}, {moment} ms after the start: {calls:?}");
        assert!(calls.len() <= 1);
    }
}

/// A hire is refused for good while an update beside it is still connecting: that one call may yet arrive, within what a
/// reservation lasts, and nothing after it.
#[tokio::test]
async fn i6_a_halt_is_off_for_the_call_beside_it() {
    let longest = ON_THE_WIRE_WITHIN;
    for answered in [0, 300, 1_000, 1_990, 5_000] {
        let mut world = World::new(answered, vec![company_with(6)], no_latency()).await;
        world.link(link("c1", "a")).await;
        world.run_for(seconds(65)).await;
        world.company("a", |company| company.permissions_mut().members.retain(|it| *it != Operation::Create)).await;
        world.transport.set_latency(Box::new(move |request| match request.method {
            "POST" if request.url.ends_with("/members") => {
                Trip { there: Duration::ZERO, back: Duration::from_millis(answered) }
            }
            "PATCH" => Trip { there: longest - Duration::from_millis(1), back: Duration::ZERO },
            _ => Trip { there: Duration::ZERO, back: Duration::ZERO },
        }));
        let at = world.now();
        let events = (1..=6).chain(11..=15).map(|index| world.event("c1", person(index, at))).collect();
        world.append(events).await;
        while world.connection("c1").await.state != ConnectionState::Halted {
            assert!(world.now().since(at) < seconds(30), "answered after {answered} ms");
            world.run_for(Duration::from_millis(10)).await;
        }
        let off = world.now();
        // More comes at once,.
        let events = (16..=20).map(|index| world.event("c1", person(index, off))).collect();
        world.append(events).await;
        world.run_for(seconds(600)).await;
        let (posts, patches) =
            (update_calls(&world, "a", "POST").await.len(), update_calls(&world, "a", "PATCH").await);
        assert_eq!((posts, patches.len()), (1, 1), "answered after {answered} ms");
        assert!(patches[0].at <= off + longest, "{:?} after the halt", patches[0].at.since(off));
        assert_eq!(world.count("c1", RowState::Flying).await, 0, "what flew has landed");
        assert_eq!(world.count("c1", RowState::Synced).await, 6, "and is known to have");
        assert_eq!(world.count("c1", RowState::Due).await, 10);
    }
}

#[tokio::test]
async fn i6_a_disconnected_connection_sends_nothing_and_has_no_secrets() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(seconds(20)).await;
    let (store, clock) = (world.store.clone(), world.clock.clone());
    world
        .run_with(async { renkei_workers::commands::disconnect(&store, clock.as_ref(), "c1", "test").await.unwrap() })
        .await;
    let calls = world.company("a", |company| company.log().calls().len()).await;
    let at = world.now();
    world.send("c1", person(2, at)).await;
    world.run_for(seconds(3600)).await;
    assert_eq!(world.company("a", |company| company.log().calls().len()).await, calls);
    let account = world.connection("c1").await.account.unwrap();
    let (_, credentials) =
        renkei_store::accounts::credentials(&world.store, &world.store.db, &account).await.unwrap().unwrap();
    assert!(credentials.is_none());
    assert!(renkei_workers::commands::resume(&store, "c1", "test").await.is_err());
}

// ---- I7 ----

#[tokio::test]
async fn i7_activation_writes_nothing_until_somebody_changes() {
    let mut world = World::new(7, vec![company_with(200)], no_latency()).await;
    let mut quiet = link("c1", "a");
    quiet.wanted = false;
    world.link(quiet).await;
    // What the source says before activation is the baseline.
    let at = world.now();
    let events: Vec<_> = (1..=200).map(|index| world.event("c1", person(index, at))).collect();
    world.append(events).await;
    world.run_for(seconds(30)).await;
    assert_eq!(world.count("c1", RowState::Baseline).await, 200);
    world.want("c1").await;
    world.run_for(seconds(3600)).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active);
    // The same again, as a resend or a sweep would bring it.
    let events: Vec<_> = (1..=200).map(|index| world.event("c1", person(index, at + seconds(60)))).collect();
    world.append(events).await;
    world.run_for(seconds(3600)).await;
    let updates = |company: &mut renkei_sandbox::kaonavi::Company| company.log().writes().count();
    assert_eq!(world.company("a", updates).await, 0);
    let at = world.now();
    world.send("c1", record(json!({ "birthday": "1991-03-01" }), 77, at)).await;
    world.run_for(seconds(30)).await;
    assert_eq!(world.company("a", updates).await, 1);
    let rows: Vec<(String, String)> = world
        .company("a", |company| company.log().rows().map(|row| (row.code.clone(), row.row.clone())).collect())
        .await;
    assert_eq!(rows.len(), 1);
    let row: Value = serde_json::from_str(&rows[0].1).unwrap();
    // All mapped fields that differ from what カオナビ holds; 性別 and 入社日 are the same there.
    let expected = json!({
        "code": "E00077", "name": "髙橋 花子77", "name_kana": "タカハシ ハナコ", "birthday": "1991-03-01",
    });
    assert_eq!(row, expected);
}
