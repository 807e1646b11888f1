//! Faults that pass: answers that are lost, tasks that hang or break, a server that is away.

use std::time::Duration;

use renkei_sandbox::kaonavi::{Company, Faults, Settings};
use renkei_store::calls::{self, CallKind};
use renkei_store::connections::ConnectionState;
use renkei_store::employees::RowState;
use serde_json::json;

use crate::world::{World, link};

use crate::company::{EXISTING, HOUR, MINUTE, SECOND, assert_all_there, order, send, update_calls, world};

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
        ("200 with nothing", faults(|it| it.empty_writes = 2)),
        ("200 with html", faults(|it| it.html_writes = 2)),
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
        ("reads answered by nothing", faults(|it| (it.reset_after_acceptance, it.empty_reads) = (1, 4))),
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
async fn tasks_are_looked_at_after_2_4_8_15_30_seconds() {
    let mut world = world(1).await;
    order(&world, Faults { hold_tasks: true, ..Faults::default() }, Settings::default()).await;
    send(&mut world, [11]).await;
    world.run_for(MINUTE * 9).await;
    let looks: Vec<_> = world
        .departures
        .lock()
        .unwrap()
        .iter()
        .filter(|call| call.url.contains("/tasks/"))
        .map(|call| call.at)
        .collect();
    let posted = world.departures.lock().unwrap().iter().rfind(|call| call.method == "POST").unwrap().at;
    let mut pauses: Vec<f64> = vec![looks[0].since(posted).as_secs_f64()];
    pauses.extend(looks.windows(2).map(|pair| pair[1].since(pair[0]).as_secs_f64()));
    // From when the answer was read, so up to a way there and back later.
    for (at, pause) in pauses.iter().enumerate() {
        let expected = [2.0, 4.0, 8.0, 15.0].get(at).copied().unwrap_or(30.0);
        assert!((expected..expected + 0.5).contains(pause), "{at}: {pauses:?}");
    }
    assert!(pauses.len() > 15, "{pauses:?}");
}

/// Makes as many calls of a kind stand in the last hour as `count`.
async fn calls_of_the_hour(world: &World, kind: CallKind, count: usize) {
    let account = world.connection("c1").await.account.unwrap();
    let tx = world.store.begin().await.unwrap();
    let now = world.now();
    for _ in 0..count {
        calls::reserve(&tx, &account, kind, None, now, now).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_hour_has_2500_polls_and_from_2000_on_they_are_half_as_frequent() {
    for (used, expected) in [(1_900, 18..=20), (2_010, 9..=11), (2_500, 0..=0)] {
        let mut world = world(1).await;
        order(&world, Faults { hold_tasks: true, ..Faults::default() }, Settings::default()).await;
        send(&mut world, [11]).await;
        // Over the quick looks, so that each pause is the longest.
        world.run_for(MINUTE).await;
        calls_of_the_hour(&world, CallKind::Poll, used).await;
        let polls = |company: &mut Company| company.log().calls().filter(|call| call.path.contains("/tasks/")).count();
        world.run_for(MINUTE / 2).await;
        let before = world.company("a", polls).await;
        world.run_for(MINUTE * 8 + SECOND * 20).await;
        let polls = world.company("a", polls).await - before;
        let wanted = *expected.start() * 500 / 600..=*expected.end() * 500 / 600 + 1;
        assert!(wanted.contains(&polls) || (used == 2_500 && polls == 0), "{used}: {polls}");
    }
}

#[tokio::test]
async fn an_hour_has_200_tokens_and_reads() {
    for (used, read) in [(150, true), (200, false)] {
        let mut world = world(1).await;
        calls_of_the_hour(&world, CallKind::Read, used).await;
        let members = |company: &mut Company| {
            company.log().calls().filter(|call| call.method == "GET" && call.path.ends_with("/members")).count()
        };
        let before = world.company("a", members).await;
        // An old member that was read a while ago is read once more when its number is looked for.
        order(&world, Faults { reset_after_acceptance: 1, ..Faults::default() }, Settings::default()).await;
        send(&mut world, [11]).await;
        world.run_for(MINUTE * 5).await;
        assert_eq!(world.company("a", members).await > before, read, "{used}");
        world.run_for(HOUR).await;
        assert!(world.company("a", members).await > before, "{used}: the next hour has its own");
        assert_all_there(&world, [11]).await;
    }
}

#[tokio::test]
async fn an_hour_has_300_update_calls() {
    // The verification took two of them.
    for (used, goes) in [(290, true), (298, false), (320, false)] {
        let mut world = world(1).await;
        calls_of_the_hour(&world, CallKind::Update, used).await;
        let before = update_calls(&world).await;
        send(&mut world, [1, 11]).await;
        world.run_for(MINUTE * 50).await;
        assert_eq!(update_calls(&world).await - before, if goes { 2 } else { 0 }, "{used}");
        // Hires wait for the next hour as well: in this one all that カオナビ takes is used.
        world.run_for(MINUTE * 15).await;
        assert_all_there(&world, [1, 11]).await;
        assert_eq!(update_calls(&world).await - before, 2, "{used}");
    }
}

#[tokio::test]
async fn a_call_without_an_answer_is_looked_for_after_10_30_60_120_seconds_and_then_every_5_minutes() {
    let mut world = world(1).await;
    order(&world, Faults { reset_before_acceptance: 1, ..Faults::default() }, Settings::default()).await;
    send(&mut world, [11]).await;
    let sent = world.now();
    world.run_for(MINUTE * 29).await;
    let reads: Vec<f64> = world
        .company("a", |company| {
            let reads = company.log().calls().filter(|call| call.method == "GET" && call.path.ends_with("/members"));
            reads.filter(|call| call.at > sent).map(|call| call.at.since(sent).as_secs_f64()).collect()
        })
        .await;
    let expected = [10.0, 30.0, 60.0, 120.0, 420.0, 720.0, 1020.0, 1320.0, 1620.0];
    assert_eq!(reads.len(), expected.len(), "{reads:?}");
    for (read, expected) in reads.iter().zip(expected) {
        // The first is counted from when the connection broke, the others from when the call could still have been answered.
        assert!((expected..expected + 40.0).contains(read), "{reads:?}");
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
    let rows: Vec<String> =
        world.company("a", |company| company.log().rows().map(|row| row.row.clone()).collect()).await;
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&rows[1]).unwrap(),
        json!({ "code": "E00011", "name": "髙橋 花子11" })
    );
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
async fn a_task_that_is_always_forgotten_is_not_sent_again_and_again() {
    let mut world = world(1).await;
    order(&world, Faults::default(), Settings { task_kept_ms: 0, ..Settings::default() }).await;
    send(&mut world, [1]).await;
    world.run_for(HOUR).await;
    let calls = update_calls(&world).await;
    // Pauses grow to a quarter of an hour; without any it would be hundreds.
    assert!((3..=30).contains(&calls), "{calls}");
    assert_eq!(world.count("c1", RowState::Due).await + world.count("c1", RowState::Flying).await, 1);
    order(&world, Faults::default(), Settings::default()).await;
    world.drain("c1", HOUR).await;
    assert_all_there(&world, [1]).await;
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
