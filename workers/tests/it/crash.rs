//! Whatever breaks: nobody is lost, nobody is made twice, nobody is stuck, and カオナビ never has to refuse for quota.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::Rng;
use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::transport::{no_latency, seeded_latency};
use renkei_sandbox::kaonavi::{Company, DuplicateCreate, Faults, NameMembers, Operation, Settings, TaskStatus, TextField, sample};
use renkei_store::connections::ConnectionState;
use renkei_store::employees::{Op, RowState};
use serde_json::json;

use crate::people::{member, person, record};
use crate::world::{World, link};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Existing members 1 to 6 that differ from the source; hires have other numbers.
const EXISTING: std::ops::RangeInclusive<usize> = 1..=6;

async fn world(seed: u64) -> World {
    let mut company = sample::company("a");
    company.members = EXISTING.map(|index| member(index, "古い 名前")).collect();
    let mut world = World::new(seed, vec![company], seeded_latency(seed, 50, 150, 0, 0)).await;
    world.link(link("c1", "a")).await;
    world.run_for(SECOND * 5).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active);
    world
}

async fn send(world: &mut World, people: impl IntoIterator<Item = usize>) {
    let at = world.now();
    let events = people.into_iter().map(|index| world.event("c1", person(index, at))).collect();
    world.append(events).await;
}

/// Sets faults and settings of カオナビ.
async fn order(world: &World, faults: Faults, settings: Settings) {
    let now = world.now();
    world
        .company("a", |company| {
            company.set_settings(now, settings);
            company.set_faults(now, faults);
        })
        .await;
}

/// Checks that these people stand in カオナビ as the source has them, each hire made exactly once, and that nothing is left over.
async fn assert_all_there(world: &World, people: impl IntoIterator<Item = usize>) {
    world.assert_quiet("c1").await;
    let (names, created) = world
        .company("a", |company| {
            let names: BTreeMap<String, String> =
                company.members().iter().map(|(code, member)| (code.clone(), member.get(TextField::Name).to_owned())).collect();
            let failed: BTreeSet<i64> =
                company.tasks().filter(|task| task.status != TaskStatus::Ok).map(|task| task.id).collect();
            let mut created: BTreeMap<String, usize> = BTreeMap::new();
            for row in company.log().rows().filter(|row| row.create && !failed.contains(&row.task_id)) {
                *created.entry(row.code.clone()).or_default() += 1;
            }
            (names, created)
        })
        .await;
    for index in people {
        let code = format!("E{index:05}");
        assert_eq!(names.get(&code).map(String::as_str), Some(format!("髙橋 花子{index}").as_str()), "{code}");
        assert_eq!(created.get(&code).copied().unwrap_or(0), usize::from(!EXISTING.contains(&index)), "{code} was created");
        assert_eq!(world.row("c1", &code).await.state, RowState::Synced, "{code}");
    }
}

async fn update_calls(world: &World) -> usize {
    world.company("a", |company| company.log().update_calls().count()).await
}

// ---- faults that pass ----

#[tokio::test]
async fn faults_that_pass_lose_nobody_and_make_nobody_twice() {
    let faults = |change: fn(&mut Faults)| {
        let mut faults = Faults::default();
        change(&mut faults);
        faults
    };
    let table: Vec<(&str, Faults)> = vec![
        ("none", Faults::default()),
        ("reset after acceptance", faults(|it| it.reset_after_acceptance = 1)),
        ("three resets after acceptance", faults(|it| it.reset_after_acceptance = 3)),
        ("reset before acceptance", faults(|it| it.reset_before_acceptance = 1)),
        ("three resets before acceptance", faults(|it| it.reset_before_acceptance = 3)),
        ("both", faults(|it| (it.reset_before_acceptance, it.reset_after_acceptance) = (1, 1))),
        ("html 500 after acceptance", faults(|it| it.html_500_after_acceptance = 2)),
        ("html 500 before acceptance", faults(|it| it.html_500_before_acceptance = 2)),
        ("200 without task_id", faults(|it| it.without_task_id = 2)),
        ("a task ends as ERROR", faults(|it| it.task_errors = 1)),
        ("three tasks end as ERROR", faults(|it| it.task_errors = 3)),
        ("a task ends as NG and names nobody", faults(|it| it.task_ngs = 1)),
        ("two tasks end as NG and name nobody", faults(|it| it.task_ngs = 2)),
        ("401 once", faults(|it| it.unauthorized = 1)),
        ("409", faults(|it| it.conflicts = 2)),
        ("answers after the deadline", faults(|it| (it.slow_answers, it.slow_answer_ms) = (2, 40_000))),
        ("answers just before the deadline", faults(|it| (it.slow_answers, it.slow_answer_ms) = (3, 29_500))),
        ("reads reset", faults(|it| (it.reset_after_acceptance, it.reset_reads) = (1, 4))),
        ("reads answered by html 500", faults(|it| (it.reset_after_acceptance, it.html_500_reads) = (1, 4))),
        ("reads answered by html 200", faults(|it| (it.reset_after_acceptance, it.html_reads) = (1, 4))),
        ("the member list is cut off", faults(|it| (it.reset_after_acceptance, it.members_cut) = (1, 2))),
    ];
    for (seed, (what, faults)) in table.into_iter().enumerate() {
        println!("{what}");
        let mut world = world(seed as u64).await;
        order(&world, faults, Settings::default()).await;
        // Hires and updates at once, then hires alone: the last of them have no later task to be settled by.
        send(&mut world, EXISTING.chain(11..=15)).await;
        world.run_for(MINUTE).await;
        send(&mut world, 16..=17).await;
        world.drain("c1", HOUR).await;
        assert_all_there(&world, EXISTING.chain(11..=17)).await;
        world.assert_limits("a").await;
        assert_eq!(world.connection("c1").await.state, ConnectionState::Active);
    }
}

#[tokio::test]
async fn f1_a_lone_hire_whose_answer_is_lost_is_settled_by_looking() {
    for (after, calls) in [(true, 1), (false, 2)] {
        let mut world = world(1).await;
        let faults = Faults {
            reset_after_acceptance: u32::from(after),
            reset_before_acceptance: u32::from(!after),
            ..Faults::default()
        };
        order(&world, faults, Settings::default()).await;
        send(&mut world, [11]).await;
        let took = world.drain("c1", HOUR).await;
        // There: seen at the first look. Not there: nobody can say until half an hour is over, as no later task ends.
        assert!(if after { took < SECOND * 30 } else { took > MINUTE * 30 && took < MINUTE * 40 }, "{took:?}");
        assert_eq!(update_calls(&world).await, calls);
        assert_all_there(&world, [11]).await;
    }
}

#[tokio::test]
async fn f1_a_later_task_that_ended_settles_it_at_once() {
    let mut world = world(1).await;
    order(&world, Faults { reset_before_acceptance: 1, ..Faults::default() }, Settings::default()).await;
    send(&mut world, [11]).await;
    world.run_for(SECOND * 25).await;
    send(&mut world, [12]).await;
    let took = world.drain("c1", HOUR).await;
    assert!(took < MINUTE * 2, "{took:?}");
    assert_all_there(&world, [11, 12]).await;
    world.assert_limits("a").await;
}

#[tokio::test]
async fn without_fifo_a_later_task_settles_nothing() {
    let mut world = world(1).await;
    let mut setup = link("c1", "a");
    setup.settings.fifo_tasks = false;
    world.link(setup).await;
    world.run_for(SECOND).await;
    order(&world, Faults { reset_before_acceptance: 1, ..Faults::default() }, Settings::default()).await;
    send(&mut world, [11]).await;
    world.run_for(SECOND * 25).await;
    send(&mut world, [12]).await;
    let took = world.drain("c1", HOUR).await;
    assert!(took > MINUTE * 29, "{took:?}");
    assert_all_there(&world, [11, 12]).await;
}

/// What somebody typed into カオナビ between acceptance and answer is found different and becomes due.
#[tokio::test]
async fn a_code_found_after_a_lost_answer_is_settled_field_by_field() {
    let mut world = world(1).await;
    order(&world, Faults { reset_after_acceptance: 1, ..Faults::default() }, Settings::default()).await;
    send(&mut world, [11]).await;
    world.run_for(SECOND * 8).await;
    let now = world.now();
    let by_hand = json!({ "member_data": [{ "code": "E00011", "name": "手 書き" }] });
    world.company("a", |company| company.upsert(now, &by_hand).unwrap()).await;
    world.drain("c1", HOUR).await;
    assert_eq!(update_calls(&world).await, 2);
    let rows: Vec<String> = world.company("a", |company| company.log().rows().map(|row| row.row.clone()).collect()).await;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&rows[1]).unwrap(), json!({ "code": "E00011", "name": "髙橋 花子11" }));
    assert_all_there(&world, [11]).await;
}

#[tokio::test]
async fn a_forgotten_task_is_settled_by_the_members() {
    // A hire is looked up, a change is sent again.
    for (person, calls) in [(11, 1), (1, 2)] {
        let mut world = world(1).await;
        order(&world, Faults::default(), Settings { task_kept_ms: 0, ..Settings::default() }).await;
        send(&mut world, [person]).await;
        let forgotten = |company: &mut Company| company.log().calls().any(|call| call.status == 404);
        while !world.company("a", forgotten).await {
            world.run_for(Duration::from_millis(100)).await;
        }
        order(&world, Faults::default(), Settings::default()).await;
        world.drain("c1", HOUR).await;
        assert_eq!(update_calls(&world).await, calls);
        assert_all_there(&world, [person]).await;
    }
}

#[tokio::test]
async fn an_unreachable_server_is_waited_for() {
    let mut world = world(1).await;
    world.transport.set_unreachable(true);
    send(&mut world, EXISTING.chain(11..=15)).await;
    world.run_for(MINUTE * 5).await;
    assert_eq!(world.count("c1", RowState::Due).await, 11, "due again at once, in nobody's batch");
    world.transport.set_unreachable(false);
    world.drain("c1", MINUTE * 5).await;
    assert_all_there(&world, EXISTING.chain(11..=15)).await;
    world.assert_limits("a").await;
}

#[tokio::test]
async fn an_outage_of_two_hours_parks_nobody() {
    let mut world = world(1).await;
    let until = world.now() + HOUR * 2;
    order(&world, Faults { unavailable_until: Some(until), ..Faults::default() }, Settings::default()).await;
    send(&mut world, [1]).await;
    world.run_for(MINUTE).await;
    send(&mut world, [2, 3, 11]).await;
    world.run_until(until).await;
    assert_eq!(world.count("c1", RowState::Parked).await, 0);
    world.drain("c1", HOUR).await;
    assert_all_there(&world, [1, 2, 3, 11]).await;
    world.assert_limits("a").await;
}

#[tokio::test]
async fn tasks_that_are_held_are_never_sent_again() {
    let mut world = world(1).await;
    order(&world, Faults { hold_tasks: true, ..Faults::default() }, Settings::default()).await;
    send(&mut world, EXISTING.chain(11..=15)).await;
    world.run_for(MINUTE * 20).await;
    assert_eq!(update_calls(&world).await, 2, "one POST, one PATCH");
    let polls = |company: &mut Company| company.log().calls().filter(|call| call.path.contains("/tasks/")).count();
    let before = world.company("a", polls).await;
    world.run_for(MINUTE * 30).await;
    let seldom = world.company("a", polls).await - before;
    assert!((10..=14).contains(&seldom), "every five minutes for each of two tasks, not {seldom}");
    order(&world, Faults::default(), Settings::default()).await;
    world.drain("c1", MINUTE * 10).await;
    assert_eq!(update_calls(&world).await, 2);
    assert_all_there(&world, EXISTING.chain(11..=15)).await;
}

#[tokio::test]
async fn behind_held_tasks_hires_stop_at_five_and_changes_at_two() {
    let mut world = world(1).await;
    order(&world, Faults { hold_tasks: true, ..Faults::default() }, Settings::default()).await;
    for index in 0..20 {
        send(&mut world, [11 + index]).await;
        world.run_for(SECOND * 30).await;
    }
    assert_eq!(update_calls(&world).await, 5);
    send(&mut world, EXISTING).await;
    world.run_for(MINUTE * 5).await;
    assert_eq!(update_calls(&world).await, 5);
    order(&world, Faults::default(), Settings::default()).await;
    world.drain("c1", MINUTE * 10).await;
    assert_all_there(&world, EXISTING.chain(11..=30)).await;
    world.assert_limits("a").await;
}

#[tokio::test]
async fn error_then_ok() {
    for person in [1, 11] {
        let mut world = world(1).await;
        order(&world, Faults { task_errors: 2, ..Faults::default() }, Settings::default()).await;
        send(&mut world, [person]).await;
        world.drain("c1", HOUR).await;
        assert_eq!(update_calls(&world).await, 3);
        assert_all_there(&world, [person]).await;
    }
}

// ---- quota, tokens, permissions ----

#[tokio::test]
async fn a_429_by_somebody_elses_calls_backs_off_a_full_window() {
    let mut world = world(1).await;
    let now = world.now();
    world.company("a", |company| assert_eq!(company.outside_traffic(now, 5, 0, 0), 5)).await;
    send(&mut world, EXISTING.chain(11..=15)).await;
    world.drain("c1", MINUTE * 5).await;
    let calls: Vec<(Millis, u16)> =
        world.company("a", |company| company.log().update_calls().map(|call| (call.at, call.status)).collect()).await;
    let refused: Vec<Millis> = calls.iter().filter(|(_, status)| *status == 429).map(|(at, _)| *at).collect();
    assert!(!refused.is_empty() && refused.len() <= 2, "the first POST and perhaps the PATCH beside it: {calls:?}");
    let next = calls.iter().find(|(_, status)| *status == 200).unwrap().0;
    let last = *refused.last().unwrap();
    assert!(next >= last + MINUTE && next <= last + MINUTE + SECOND * 12, "{calls:?}");
    assert_all_there(&world, EXISTING.chain(11..=15)).await;
}

#[tokio::test]
async fn two_calls_with_one_dead_token_count_once() {
    let mut world = world(1).await;
    send(&mut world, EXISTING.chain(11..=15)).await;
    world.run_for(Duration::from_millis(10)).await;
    // The POST and the PATCH are both on their way.
    world.kaonavi.lock().await.revoke_tokens("a");
    world.drain("c1", MINUTE * 5).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active);
    let refused = world.company("a", |company| company.log().calls().filter(|call| call.status == 401).count()).await;
    assert_eq!(refused, 2);
    assert_all_there(&world, EXISTING.chain(11..=15)).await;
}

#[tokio::test]
async fn a_401_hours_after_another_is_not_the_second_one() {
    let mut world = world(1).await;
    for round in 0..4 {
        world.kaonavi.lock().await.revoke_tokens("a");
        send(&mut world, [11 + round]).await;
        world.run_for(HOUR / 3).await;
        // While a task is open, too.
        send(&mut world, [21 + round]).await;
        world.run_for(SECOND).await;
        world.kaonavi.lock().await.revoke_tokens("a");
        world.run_for(HOUR).await;
        assert_eq!(world.connection("c1").await.state, ConnectionState::Active, "round {round}");
    }
    assert_all_there(&world, (11..=14).chain(21..=24)).await;
    world.assert_limits("a").await;
}

#[tokio::test]
async fn what_needs_a_person_halts_once_and_says_so() {
    type Break = fn(&mut Company);
    type Way = (&'static str, Faults, Break, Break, &'static str);
    let nothing: Break = |_| {};
    let table: Vec<Way> = vec![
        ("401 always", Faults { unauthorized: u32::MAX, ..Faults::default() }, nothing, nothing, "kaonavi.unauthorized"),
        ("create is not ticked", Faults::default(),
            |company| company.permissions_mut().members.retain(|operation| *operation != Operation::Create),
            |company| assert!(company.permissions_mut().members.insert(Operation::Create)), "kaonavi.forbidden"),
        ("update is not ticked", Faults::default(),
            |company| company.permissions_mut().members.retain(|operation| *operation != Operation::Update),
            |company| assert!(company.permissions_mut().members.insert(Operation::Update)), "kaonavi.forbidden"),
    ];
    for (what, faults, break_it, mend_it, code) in table {
        println!("{what}");
        let mut world = world(1).await;
        order(&world, faults, Settings::default()).await;
        world.company("a", break_it).await;
        send(&mut world, EXISTING.chain(11..=15)).await;
        world.run_for(MINUTE * 5).await;
        let connection = world.connection("c1").await;
        assert_eq!((connection.state, connection.state_code.as_deref()), (ConnectionState::Halted, Some(code)), "{what}");
        let calls = world.company("a", |company| company.log().calls().len()).await;
        world.run_for(HOUR * 4).await;
        assert_eq!(world.company("a", |company| company.log().calls().len()).await, calls, "{what}: halted is off");
        assert_eq!(world.count("c1", RowState::Parked).await, 0, "{what}");
        // Mended and switched on again, everything that waits goes out.
        order(&world, Faults::default(), Settings::default()).await;
        world.company("a", mend_it).await;
        world.want("c1").await;
        world.drain("c1", MINUTE * 10).await;
        assert_all_there(&world, EXISTING.chain(11..=15)).await;
        world.assert_limits("a").await;
    }
}

#[tokio::test]
async fn a_revoked_key_halts_at_the_token() {
    let mut world = world(1).await;
    world.kaonavi.lock().await.reissue("a", "key-new", "secret-new").unwrap();
    send(&mut world, [1, 11]).await;
    world.run_for(MINUTE * 5).await;
    let connection = world.connection("c1").await;
    assert_eq!(connection.state, ConnectionState::Halted);
    assert_eq!(connection.state_code.as_deref(), Some("kaonavi.credentials_refused"));
    let strays = world.kaonavi.lock().await.strays().len();
    world.run_for(HOUR * 2).await;
    assert_eq!(world.kaonavi.lock().await.strays().len(), strays, "the wrong key is not tried again");
}

#[tokio::test]
async fn a_broken_token_endpoint_is_asked_five_times_an_hour() {
    let mut world = world(1).await;
    world.kaonavi.lock().await.revoke_tokens("a");
    order(&world, Faults { html_500_tokens: u32::MAX, ..Faults::default() }, Settings::default()).await;
    send(&mut world, [1, 11]).await;
    world.run_for(HOUR * 3).await;
    let asked: Vec<Millis> = world
        .company("a", |company| company.log().calls().filter(|call| call.path.ends_with("/token")).map(|call| call.at).collect())
        .await;
    assert!(renkei_sandbox::kaonavi::max_in_window(&asked, 3_600_000) <= 5, "{asked:?}");
    assert!(asked.len() >= 6);
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active, "waiting for a token is no failure");
    order(&world, Faults::default(), Settings::default()).await;
    world.drain("c1", HOUR * 2).await;
    assert_all_there(&world, [1, 11]).await;
}

#[tokio::test]
async fn tokens_used_up_by_somebody_else_are_waited_for() {
    let mut world = world(1).await;
    let now = world.now();
    world.kaonavi.lock().await.revoke_tokens("a");
    world.company("a", |company| company.outside_traffic(now, 0, 0, 5)).await;
    send(&mut world, [1, 11]).await;
    world.drain("c1", HOUR * 3).await;
    assert_all_there(&world, [1, 11]).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active);
}

#[tokio::test]
async fn after_a_409_tasks_go_one_at_a_time_for_an_hour() {
    let mut world = world(1).await;
    order(&world, Faults { conflicts: 1, ..Faults::default() }, Settings::default()).await;
    send(&mut world, EXISTING.chain(11..=12)).await;
    for index in 13..=30 {
        world.run_for(SECOND * 25).await;
        let at = world.now();
        let change = world.event("c1", record(json!({ "first_name": format!("花子{index}") }), 1 + index % 6, at));
        let hire = world.event("c1", person(index, at));
        world.append(vec![change, hire]).await;
    }
    world.drain("c1", MINUTE * 10).await;
    let tasks: Vec<(Millis, Millis)> =
        world.company("a", |company| company.tasks().map(|task| (task.accepted_at, task.ended_at.unwrap())).collect()).await;
    assert!(tasks.len() > 10);
    // The call beside the refused one may be out already.
    for pair in tasks[1..].windows(2) {
        assert!(pair[1].0 >= pair[0].1, "two tasks at once: {pair:?}");
    }
    world.assert_limits("a").await;
}

#[tokio::test]
async fn activation_gets_through_bad_reads() {
    let table = [
        Faults { members_cut: 2, ..Faults::default() },
        Faults { html_reads: 3, ..Faults::default() },
        Faults { html_500_reads: 3, ..Faults::default() },
        Faults { reset_reads: 3, ..Faults::default() },
        Faults { html_500_tokens: 2, ..Faults::default() },
        Faults { unauthorized: 1, ..Faults::default() },
        Faults { members_padding: 3_000_000, ..Faults::default() },
    ];
    for faults in table {
        let mut company = sample::company("a");
        company.members = (1..=300).map(|index| member(index, "古い 名前")).collect();
        company.faults = faults.clone();
        let mut world = World::new(1, vec![company], no_latency()).await;
        world.link(link("c1", "a")).await;
        world.run_for(MINUTE * 5).await;
        assert_eq!(world.connection("c1").await.state, ConnectionState::Active, "{faults:?}");
        // The whole list was taken over: a known member is changed, not registered.
        send(&mut world, [300]).await;
        world.run_for(MINUTE).await;
        let methods: Vec<String> =
            world.company("a", |company| company.log().update_calls().map(|call| call.method.clone()).collect()).await;
        assert_eq!(methods, ["PATCH"], "{faults:?}");
    }
}

// ---- bad records ----

/// `bad` among `count` hires (from 1001) or changes is refused at the door or by the task, which name whom they like.
async fn bad_records(count: usize, bad: &[usize], op: Op, at_the_door: bool, naming: NameMembers) -> (World, usize) {
    let mut company = sample::company("a");
    if op == Op::Update {
        company.members = (1001..1001 + count).map(|index| member(index, "古い 名前")).collect();
    }
    company.settings.errors_name = naming;
    company.settings.messages_name = naming;
    let codes: BTreeSet<String> = bad.iter().map(|index| format!("E{:05}", 1001 + index)).collect();
    if at_the_door {
        company.faults.bad_codes = codes;
    } else {
        company.faults.ng_codes = codes;
    }
    let mut world = World::new(1, vec![company], seeded_latency(1, 50, 150, 0, 0)).await;
    world.link(link("c1", "a")).await;
    world.run_for(SECOND * 5).await;
    send(&mut world, 1001..1001 + count).await;
    world.drain("c1", HOUR * 2).await;
    let calls = update_calls(&world).await;
    for index in 0..count {
        let row = world.row("c1", &format!("E{:05}", 1001 + index)).await;
        let expected = if bad.contains(&index) { RowState::Parked } else { RowState::Synced };
        assert_eq!(row.state, expected, "{index} of {count}, bad are {bad:?}");
        if bad.contains(&index) {
            assert_eq!(row.reason.as_deref(), Some("kaonavi.rejected"));
            let detail = row.detail.unwrap();
            assert!(detail.contains("値が") || detail.contains("登録できない"), "カオナビ's own words, not {detail:?}");
        }
    }
    world.assert_quiet("c1").await;
    world.assert_limits("a").await;
    (world, calls)
}

#[tokio::test]
async fn one_bad_record_that_is_named_costs_three_calls() {
    for naming in [NameMembers::Code, NameMembers::Index] {
        for (op, at_the_door) in [(Op::Create, true), (Op::Create, false), (Op::Update, true), (Op::Update, false)] {
            let (_, calls) = bad_records(40, &[17], op, at_the_door, naming).await;
            assert_eq!(calls, 3, "{naming:?} {op:?} {at_the_door}");
        }
    }
    let (_, calls) = bad_records(200, &[123], Op::Create, false, NameMembers::Code).await;
    assert_eq!(calls, 3);
}

#[tokio::test]
async fn one_bad_record_in_200_that_nobody_names_costs_eleven_calls_at_most() {
    for (bad, op, at_the_door) in
        [(0, Op::Create, false), (77, Op::Create, true), (199, Op::Update, false), (124, Op::Update, true)]
    {
        let (_, calls) = bad_records(200, &[bad], op, at_the_door, NameMembers::Nobody).await;
        assert!(calls <= 11, "{calls} calls for the {bad}th");
    }
}

#[tokio::test]
#[ignore = "prove: longer"]
async fn prove_one_bad_record_in_200_costs_eleven_calls_at_most_wherever_it_stands() {
    for bad in 0..200 {
        let (_, calls) = bad_records(200, &[bad], Op::Create, true, NameMembers::Nobody).await;
        assert!(calls <= 11, "{calls} calls for the {bad}th");
    }
}

#[tokio::test]
async fn several_bad_records_are_all_found() {
    for (bad, naming, most) in [
        (vec![3, 150], NameMembers::Nobody, 22),
        (vec![10, 11], NameMembers::Nobody, 22),
        (vec![3, 150], NameMembers::Code, 4),
        ((0..10).collect(), NameMembers::Index, 12),
        // More than ten named count as nobody.
        ((0..11).collect(), NameMembers::Code, 60),
    ] {
        let (_, calls) = bad_records(160, &bad, Op::Create, true, naming).await;
        assert!(calls <= most, "{calls} calls for {bad:?}");
    }
}

#[tokio::test]
async fn others_go_on_while_a_bad_record_is_searched() {
    let mut company = sample::company("a");
    company.settings.messages_name = NameMembers::Nobody;
    company.faults.ng_codes = ["E01050".to_owned()].into();
    let mut world = World::new(1, vec![company], seeded_latency(1, 50, 150, 0, 0)).await;
    world.link(link("c1", "a")).await;
    world.run_for(SECOND * 5).await;
    send(&mut world, 1001..=1200).await;
    let mut hired = BTreeMap::new();
    for index in 2001..2012 {
        world.run_for(SECOND * 30).await;
        hired.insert(format!("E{index:05}"), world.now());
        send(&mut world, [index]).await;
    }
    world.drain("c1", HOUR).await;
    let posts: BTreeMap<String, Millis> = world
        .company("a", |company| {
            let posts = company.log().update_calls().filter(|call| call.accepted);
            posts.flat_map(|call| call.codes.iter().map(|code| (code.clone(), call.at))).collect()
        })
        .await;
    for (code, received) in hired {
        let waited = posts[&code].since(received);
        assert!(waited <= SECOND, "{code} waited {waited:?}");
    }
    assert_eq!(world.count("c1", RowState::Parked).await, 1);
    world.assert_limits("a").await;
}

/// A code that turns up between our read and our POST, and one that goes away before our PATCH.
#[tokio::test]
async fn a_contradiction_is_settled_by_a_read() {
    for duplicate_create in [DuplicateCreate::BadRequest, DuplicateCreate::TaskNg] {
        let mut world = world(1).await;
        order(&world, Faults::default(), Settings { duplicate_create, ..Settings::default() }).await;
        let now = world.now();
        let by_hand = json!({ "member_data": [member(11, "先に いた")] });
        world.company("a", |company| company.upsert(now, &by_hand).unwrap()).await;
        world.company("a", |company| assert!(company.delete(now, "E00001"))).await;
        send(&mut world, (1..=3).chain(11..=13)).await;
        world.drain("c1", HOUR).await;
        let names: BTreeMap<String, String> = world
            .company("a", |company| {
                company.members().iter().map(|(code, member)| (code.clone(), member.get(TextField::Name).to_owned())).collect()
            })
            .await;
        for index in [1, 2, 3, 11, 12, 13] {
            assert_eq!(names[&format!("E{index:05}")], format!("髙橋 花子{index}"), "{duplicate_create:?}");
        }
        world.assert_quiet("c1").await;
        world.assert_limits("a").await;
    }
}

#[tokio::test]
async fn a_record_that_breaks_the_server_is_found_and_parked() {
    for (person, others) in [(3, 1..=6), (13, 11..=16)] {
        let mut world = world(1).await;
        *world.poison.lock().unwrap() = Some(format!("\"E{person:05}\""));
        send(&mut world, others.clone()).await;
        // Somebody else has success all the while.
        for index in 0..60 {
            world.run_for(MINUTE * 5).await;
            send(&mut world, [100 + index]).await;
        }
        world.drain("c1", HOUR * 8).await;
        world.assert_quiet("c1").await;
        for index in others {
            let row = world.row("c1", &format!("E{index:05}")).await;
            let expected = if index == person { RowState::Parked } else { RowState::Synced };
            assert_eq!(row.state, expected, "{index}: {:?}", row.reason);
        }
        world.assert_limits("a").await;
    }
}

// ---- workers that die ----

/// Three hires, two changes and a resend; the worker dies after `polls` polls of its futures, another one takes over.
async fn die_after(seed: u64, polls: u64) -> bool {
    let mut world = world(seed).await;
    world.kill_after(0, polls);
    let before = world.workers[0].polls;
    send(&mut world, [1, 2, 11, 12]).await;
    world.run_for(SECOND * 3).await;
    send(&mut world, [1, 13]).await;
    world.run_for(SECOND * 30).await;
    let died = !world.workers[0].alive;
    if !died {
        println!("all done after {} polls", world.workers[0].polls - before);
        world.kill(0);
    }
    world.start_worker("w2");
    world.drain("c1", HOUR).await;
    assert_all_there(&world, [1, 2, 11, 12, 13]).await;
    world.assert_limits("a").await;
    died
}

#[tokio::test]
async fn a_worker_may_die_anywhere() {
    for step in 0..30 {
        die_after(step, step * 6).await;
    }
}

#[tokio::test]
#[ignore = "prove: longer"]
async fn prove_a_worker_may_die_after_every_poll() {
    let mut polls = 0;
    while die_after(polls, polls).await {
        polls += 1;
    }
    assert!(polls > 100);
}

/// Hires and changes come for an hour; no worker lives longer than a few hundred polls. Answers are lost now and then, too.
async fn dying_hour(seed: u64) {
    let mut world = world(seed).await;
    let mut hires = 10;
    for round in 0..30 {
        let last = world.workers.len() - 1;
        let polls = world.random.random_range(0..150);
        world.kill_after(last, polls);
        if round % 4 == 1 {
            order(&world, Faults { reset_after_acceptance: 1, ..Faults::default() }, Settings::default()).await;
        }
        hires += 1;
        send(&mut world, [hires, 1 + round % 6]).await;
        world.run_for(MINUTE).await;
        hires += 1;
        send(&mut world, [hires]).await;
        world.run_for(MINUTE).await;
        if !world.workers[last].alive {
            world.start_worker(&format!("w{}", round + 2));
        }
    }
    world.workers.last().map(|worker| assert!(worker.alive));
    order(&world, Faults::default(), Settings::default()).await;
    let last = world.workers.len() - 1;
    world.kill(last);
    world.start_worker("last");
    world.drain("c1", HOUR).await;
    assert_all_there(&world, EXISTING.chain(11..=hires)).await;
    world.assert_limits("a").await;
}

#[tokio::test]
async fn an_hour_of_dying_workers() {
    dying_hour(1).await;
}

#[tokio::test]
#[ignore = "prove: longer"]
async fn prove_many_hours_of_dying_workers() {
    for seed in 2..60 {
        println!("seed {seed}");
        dying_hour(seed).await;
    }
}

/// A worker that the operating system stopped keeps its calls and comes back when another one has its account.
#[tokio::test]
async fn a_worker_that_lost_its_lease_changes_nothing_any_more() {
    for moment in [0, 20, 60, 100, 130, 180, 240, 2_100, 4_200, 6_100] {
        let mut world = world(moment).await;
        world.start_worker("w2");
        send(&mut world, EXISTING.chain(11..=15)).await;
        world.run_for(Duration::from_millis(moment)).await;
        let holder = (0..2).find(|index| world.holds(*index)).unwrap();
        world.freeze(holder, true);
        world.run_for(SECOND * 20).await;
        assert!(world.holds(1 - holder), "the other one took over");
        world.freeze(holder, false);
        send(&mut world, [16]).await;
        world.drain("c1", HOUR).await;
        assert_all_there(&world, EXISTING.chain(11..=16)).await;
        world.assert_limits("a").await;
    }
}

/// The lease changes hands all the time, while calls are on their way.
#[tokio::test]
async fn two_workers_that_take_the_account_from_each_other() {
    let mut world = world(3).await;
    world.start_worker("w2");
    let mut hires = 10;
    for round in 0..20 {
        hires += 1;
        send(&mut world, [hires, 1 + round % 6]).await;
        let pause = world.random.random_range(0..400);
        world.run_for(Duration::from_millis(pause)).await;
        if let Some(holder) = (0..2).find(|index| world.holds(*index)) {
            world.freeze(holder, true);
            let pause = world.random.random_range(8_000..20_000);
            world.run_for(Duration::from_millis(pause)).await;
            world.freeze(holder, false);
        }
        let pause = world.random.random_range(0..30_000);
        world.run_for(Duration::from_millis(pause)).await;
    }
    world.drain("c1", HOUR).await;
    assert_all_there(&world, EXISTING.chain(11..=hires)).await;
    world.assert_limits("a").await;
}

#[tokio::test]
async fn a_call_that_can_not_start_within_two_seconds_is_not_made() {
    let mut world = world(1).await;
    // The consumer looks at the clock, then the step: once when it reserves, once before it sends.
    for reads in 0..4 {
        let person = 11 + usize::try_from(reads).unwrap();
        let before = update_calls(&world).await;
        world.workers[0].clock.stop_after(reads);
        send(&mut world, [person]).await;
        world.drain("c1", MINUTE * 5).await;
        assert_eq!(update_calls(&world).await, before + 1);
        world.workers[0].clock.stop_after(u64::MAX);
        world.run_for(MINUTE * 2).await;
    }
    let account = world.connection("c1").await.account.unwrap();
    let counts = renkei_store::calls::counts_since(&world.store.db, &account, Millis(0)).await.unwrap();
    let reserved: i64 = counts.iter().filter(|(kind, _)| *kind == renkei_store::calls::CallKind::Create).map(|(_, count)| count).sum();
    assert_eq!(reserved, 5, "one of the reservations was dropped, and its slot stays taken");
    assert_all_there(&world, 11..=14).await;
}
