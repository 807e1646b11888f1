//! The same delivery over PostgreSQL: what differs between the engines is in the store, and these steps reach all of it.

use renkei_events::event::Change;
use renkei_sandbox::kaonavi::{Faults, NameMembers, Settings};
use renkei_store::employees::RowState;
use serde_json::json;

use crate::company::{EXISTING, HOUR, MINUTE, SECOND, assert_all_there, order, send, update_calls, world_on_postgres};
use crate::crash::die_after;
use crate::people::{person, record};

#[tokio::test]
async fn a_worker_may_die_anywhere_on_postgres() {
    for step in 0..8 {
        die_after(world_on_postgres(step).await, step * 23).await;
    }
}

#[tokio::test]
#[ignore = "prove: longer"]
async fn prove_a_worker_may_die_after_every_poll_on_postgres() {
    let mut polls = 0;
    while die_after(world_on_postgres(polls).await, polls).await {
        polls += 1;
    }
    assert!(polls > 100);
}

#[tokio::test]
async fn lost_answers_and_bad_records_are_settled_on_postgres() {
    let mut world = world_on_postgres(1).await;
    let settings = Settings { messages_name: NameMembers::Nobody, ..Settings::default() };
    let bad = ["E00004".to_owned(), "E00013".to_owned()].into();
    let faults = Faults { reset_after_acceptance: 2, task_errors: 1, ng_codes: bad, ..Faults::default() };
    order(&world, faults, settings).await;
    send(&mut world, EXISTING.chain(11..=18)).await;
    world.drain("c1", HOUR * 2).await;
    assert_all_there(&world, [1, 2, 3, 5, 6, 11, 12, 14, 15, 16, 17, 18]).await;
    for number in ["E00004", "E00013"] {
        assert_eq!(world.row("c1", number).await.reason.as_deref(), Some("kaonavi.rejected"));
    }
    world.assert_limits("a").await;
}

#[tokio::test]
async fn resends_old_versions_and_equal_versions_on_postgres() {
    let mut world = world_on_postgres(2).await;
    let at = world.now();
    let first = world.event("c1", record(json!({ "first_name": "一" }), 11, at));
    let second = world.event("c1", record(json!({ "first_name": "花子11" }), 11, at));
    let old = world.event("c1", record(json!({ "first_name": "旧" }), 11, at - MINUTE));
    world.append(vec![first.clone(), second.clone(), first.clone(), old.clone()]).await;
    world.run_for(MINUTE).await;
    world.append(vec![old, first, second]).await;
    let mut invalid = world.event("c1", person(12, at));
    invalid.change = Change::Invalid;
    invalid.employee = None;
    invalid.faults = vec![renkei_events::parse::fault("/birthday", renkei_events::parse::FaultCode::Date)];
    world.append(vec![invalid]).await;
    world.run_for(MINUTE).await;
    assert_eq!(update_calls(&world).await, 1);
    assert_all_there(&world, [11]).await;
    let parked = renkei_store::employees::in_states(&world.store, "c1", &[RowState::Parked], 9).await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].detail.as_deref(), Some("/birthday source.date"));
}

#[tokio::test]
async fn two_workers_pass_an_account_on_over_postgres() {
    let mut world = world_on_postgres(3).await;
    world.start_worker("w2");
    for round in 0..4 {
        send(&mut world, [11 + round, 1 + round]).await;
        world.run_for(SECOND / 10).await;
        let holder = (0..2).find(|index| world.holds(*index)).unwrap();
        world.freeze(holder, true);
        world.run_for(SECOND * 15).await;
        assert!(world.holds(1 - holder), "the other one took over");
        world.freeze(holder, false);
        world.run_for(SECOND * 20).await;
    }
    world.drain("c1", HOUR).await;
    assert_all_there(&world, [1, 2, 3, 4, 11, 12, 13, 14]).await;
    world.assert_limits("a").await;
}
