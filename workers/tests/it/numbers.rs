//! 社員番号: exact, never guessed, never taken over without a person's yes.

use std::time::Duration;

use renkei_events::event::EmployeeEvent;
use renkei_sandbox::kaonavi::transport::no_latency;
use renkei_sandbox::kaonavi::{Company, Faults, TextField, sample};
use renkei_store::activity::{self, Entry};
use renkei_store::employees::RowState;
use renkei_workers::commands;
use serde_json::{Value, json};

use crate::people::{person, record};
use crate::world::{World, link};

const MINUTE: Duration = Duration::from_secs(60);

fn posts(company: &mut Company) -> usize {
    company.log().writes().filter(|call| call.method == "POST").count()
}

async fn settled(world: &World, employee: &str) -> (RowState, Option<String>) {
    let states = RowState::ALL;
    let rows = renkei_store::employees::in_states(&world.store, "c1", &states, 1000).await.unwrap();
    let row = rows.into_iter().find(|row| row.key.employee == employee).unwrap();
    (row.state, row.reason)
}

async fn told(world: &World, employee: &str) -> Vec<Entry> {
    activity::of_employee(&world.store, "c1", employee, 100).await.unwrap()
}

fn numbered(world: &mut World, index: usize, number: &str) -> EmployeeEvent {
    let at = world.now();
    world.event("c1", record(json!({ "employee_number": number }), index, at))
}

#[tokio::test]
async fn trap_numbers_keep_leading_zeros_letters_and_width() {
    let mut world = World::simple().await;
    let numbers = ["0012", "A-01b", "０９９", "000", "7", "E1.5", "社員8"];
    let mut events = Vec::new();
    for (index, number) in numbers.iter().enumerate() {
        events.push(numbered(&mut world, index, number));
    }
    world.append(events).await;
    world.run_for(MINUTE).await;
    let mut codes = world.company("a", |company| company.members().keys().cloned().collect::<Vec<_>>()).await;
    codes.sort_unstable();
    let mut expected = numbers.to_vec();
    expected.sort_unstable();
    assert_eq!(codes, expected);
}

#[tokio::test]
async fn a_number_longer_than_the_layout_takes_is_set_aside_without_a_call() {
    let mut company = sample::company("a");
    company.layout.code.max_length = Some(10);
    let mut world = World::new(23, vec![company], no_latency()).await;
    world.link(link("c1", "a")).await;
    world.run_for(MINUTE * 2).await;
    let events = vec![numbered(&mut world, 1, "E0123456789"), numbered(&mut world, 2, "E012345678")];
    world.append(events).await;
    world.run_for(MINUTE).await;
    assert_eq!(settled(&world, "rm_00001").await, (RowState::Parked, Some("mapping.too_long".to_owned())));
    assert_eq!(settled(&world, "rm_00002").await, (RowState::Synced, None));
    assert_eq!(world.company("a", posts).await, 1);
}

#[tokio::test]
async fn a_code_that_we_wrote_and_that_is_gone_is_held_whoever_has_the_number_now() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE).await;
    // The person leaves, and somebody deletes the member by hand.
    let at = world.now();
    world.send("c1", record(json!({ "employee_status": "退職" }), 1, at)).await;
    world.run_for(MINUTE).await;
    let now = world.now();
    world.company("a", |company| assert!(company.delete(now, "E00001"))).await;
    // Found at night.
    world.run_for(MINUTE * 60 * 24).await;
    let event = numbered(&mut world, 2, "E00001");
    world.append(vec![event]).await;
    world.run_for(MINUTE * 2).await;
    assert_eq!(settled(&world, "rm_00002").await, (RowState::Held, Some("member.gone".to_owned())));
    assert_eq!(world.company("a", posts).await, 1);
    assert_eq!(commands::release(&world.store, "c1", "E00001").await.unwrap(), 1);
    world.wake_all();
    world.run_for(MINUTE * 2).await;
    assert_eq!(settled(&world, "rm_00002").await, (RowState::Synced, None));
    assert_eq!(world.company("a", posts).await, 2);
}

#[tokio::test]
async fn a_near_miss_that_is_no_hire_is_reported_once() {
    let mut company = sample::company("a");
    company.members = ["0123", "123"].map(|code| json!({ "code": code, "name": "古い 名前" })).to_vec();
    let mut world = World::new(24, vec![company], no_latency()).await;
    world.link(link("c1", "a")).await;
    world.run_for(MINUTE * 2).await;
    for first_name in ["一", "二", "三"] {
        let at = world.now();
        world.send("c1", record(json!({ "employee_number": "0123", "first_name": first_name }), 1, at)).await;
        world.run_for(MINUTE).await;
    }
    let name = world.company("a", |company| company.member("0123").unwrap().get(TextField::Name).to_owned()).await;
    assert_eq!(name, "髙橋 三", "it is changed all the same");
    let entries = told(&world, "rm_00001").await;
    let near: Vec<_> = entries.iter().filter(|entry| entry.code.as_deref() == Some("member.near_miss")).collect();
    assert_eq!(near.len(), 1);
    assert_eq!((near[0].kind.as_str(), near[0].detail.as_deref()), ("warning", Some("123")));
}

#[tokio::test]
async fn of_two_hires_with_numbers_near_each_other_the_second_is_held() {
    // Together in one call, and the second while the first is under way.
    for together in [true, false] {
        let mut world = World::simple().await;
        let now = world.now();
        let slow = Faults { hold_tasks: true, ..Faults::default() };
        world.company("a", |company| company.set_faults(now, slow)).await;
        let (first, second) = (numbered(&mut world, 1, "0777"), numbered(&mut world, 2, "777"));
        let third = numbered(&mut world, 3, "778");
        if together {
            world.append(vec![first, second, third]).await;
        } else {
            world.append(vec![first]).await;
            world.run_for(MINUTE).await;
            world.append(vec![second, third]).await;
        }
        world.run_for(MINUTE).await;
        assert_eq!(settled(&world, "rm_00001").await.0, RowState::Flying);
        assert_eq!(settled(&world, "rm_00002").await, (RowState::Held, Some("member.near_miss".to_owned())));
        assert_eq!(world.row("c1", "777").await.detail.as_deref(), Some("0777"));
        assert_eq!(settled(&world, "rm_00003").await.0, RowState::Flying, "others go on");
        let now = world.now();
        world.company("a", |company| company.set_faults(now, Faults::default())).await;
        assert_eq!(commands::release(&world.store, "c1", "777").await.unwrap(), 1);
        world.wake_all();
        world.run_for(MINUTE * 3).await;
        let codes = world.company("a", |company| company.members().keys().cloned().collect::<Vec<_>>()).await;
        assert_eq!(codes, ["0777", "777", "778"], "together: {together}");
    }
}

#[tokio::test]
async fn two_people_with_one_number_are_both_parked_also_when_the_first_is_there_already() {
    // Whether the first has landed when the second comes.
    for landed in [true, false] {
        let mut world = World::simple().await;
        let first = numbered(&mut world, 1, "E00001");
        world.append(vec![first]).await;
        world.run_for(if landed { MINUTE } else { Duration::from_secs(1) }).await;
        let state = if landed { RowState::Synced } else { RowState::Flying };
        assert_eq!(settled(&world, "rm_00001").await.0, state);
        let second = numbered(&mut world, 2, "E00001");
        world.append(vec![second]).await;
        world.run_for(MINUTE).await;
        let shared = (RowState::Parked, Some("member.number_shared".to_owned()));
        assert_eq!(settled(&world, "rm_00001").await, shared, "landed: {landed}");
        assert_eq!(settled(&world, "rm_00002").await, shared, "landed: {landed}");
        let parked = |entries: Vec<Entry>| entries.iter().filter(|entry| entry.kind == "parked").count();
        assert_eq!(parked(told(&world, "rm_00001").await), 1);
        assert_eq!(parked(told(&world, "rm_00002").await), 1);
        // Nothing goes out of either, until one of them gives the number up.
        let at = world.now();
        world.send("c1", record(json!({ "birthday": "1991-01-01" }), 1, at)).await;
        world.run_for(MINUTE).await;
        assert_eq!(settled(&world, "rm_00001").await, shared);
        let other = numbered(&mut world, 2, "E00002");
        world.append(vec![other]).await;
        world.run_for(MINUTE * 2).await;
        assert_eq!(settled(&world, "rm_00001").await, (RowState::Synced, None));
        let day = |company: &mut Company| company.member("E00001").unwrap().get(TextField::Birthday).to_owned();
        assert_eq!(world.company("a", day).await, "1991-01-01");
    }
}

#[tokio::test]
async fn trap_every_leaver_and_everybody_left_out_on_arrival_is_written_down() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE).await;
    let rows: [(usize, Value, (&str, &str)); 4] = [
        (1, json!({ "employee_status": "退職" }), ("skipped", "status_excluded")),
        (2, json!({ "employee_status": "応募者" }), ("skipped", "status_excluded")),
        (3, json!({ "data_entry_state": "確認待ち" }), ("skipped", "data_entry_incomplete")),
        (4, json!({ "employee_number": null }), ("parked", "missing_employee_number")),
    ];
    for (index, changes, expected) in rows {
        let at = world.now();
        let event = world.event("c1", record(changes, index, at));
        world.append(vec![event.clone()]).await;
        world.run_for(MINUTE).await;
        // The same again says nothing new.
        world.append(vec![event]).await;
        world.run_for(MINUTE).await;
        let entries = told(&world, &format!("rm_{index:05}")).await;
        let found: Vec<_> = entries
            .iter()
            .filter(|entry| matches!(entry.kind.as_str(), "skipped" | "parked"))
            .map(|entry| (entry.kind.as_str(), entry.code.as_deref().unwrap()))
            .collect();
        assert_eq!(found, [expected], "{index}");
    }
}
