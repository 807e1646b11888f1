//! People who come by CSV, known by their 社員番号 alone until the source tells their id.

use std::time::Duration;

use renkei_events::csv;
use renkei_events::event::{Change, EmployeeEvent};
use renkei_events::ids::{ConnectionId, UploadId};
use renkei_events::record::EmployeeRecord;
use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::transport::seeded_latency;
use renkei_sandbox::kaonavi::{Faults, sample};
use renkei_store::decisions::Who;
use renkei_store::employees::{self, FullRow, RowState};
use renkei_store::previews;
use renkei_store::settings::Settings;
use renkei_store::uploads::{self, Mode, UploadPerson};
use serde_json::{Value, json};

use crate::company::order;
use crate::people::{member, person, record};
use crate::world::{Link, World, link, settings};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Begins an upload.
async fn upload(world: &World, mode: Mode) -> UploadId {
    let id = uploads::fresh_id().unwrap();
    let tx = world.store.begin().await.unwrap();
    let now = world.store.now_in(&tx).await.unwrap();
    uploads::begin(&tx, &id, "c1", "command", mode, now).await.unwrap();
    tx.commit().await.unwrap();
    id
}

/// A row about person `index` without an id.
fn row(world: &World, upload: &UploadId, index: usize, changes: Value) -> EmployeeEvent {
    let at = world.now();
    let record = record(changes, index, at);
    let id = csv::id_of_number(record.employee_number.as_ref().unwrap()).unwrap();
    row_of(upload, index as u64 + 1, EmployeeRecord { employee_id: id, ..record }, at)
}

fn row_of(upload: &UploadId, line: u64, record: EmployeeRecord, at: Millis) -> EmployeeEvent {
    let connection = ConnectionId::new("c1").unwrap();
    csv::event(&connection, upload, line, Change::Updated, record, at.timestamp()).unwrap()
}

async fn rows(world: &World, number: &str) -> Vec<FullRow> {
    employees::with_number(&world.store, &world.store.db, "c1", number).await.unwrap()
}

/// What カオナビ took, call by call.
async fn accepted(world: &World) -> Vec<Value> {
    world
        .company("a", |company| company.log().rows().map(|row| serde_json::from_str(&row.row).unwrap()).collect())
        .await
}

async fn members(world: &World) -> usize {
    world.company("a", |company| company.members().len()).await
}

async fn world(seed: u64, settings: Settings) -> World {
    let mut company = sample::company("a");
    company.members = (51..=60).map(|index| member(index, "古い 名前")).collect();
    let mut world = World::new(seed, vec![company], seeded_latency(seed, 50, 300, 0, 0)).await;
    world.link(Link { settings, ..link("c1", "a") }).await;
    world.run_for(SECOND * 65).await;
    world
}

/// One person: a row of a file and a webhook, whatever lies between them and in whatever order they come.
#[tokio::test]
async fn somebody_known_by_number_and_somebody_with_an_id_are_one_whenever_they_meet() {
    for pause in [0, 1, 20, 60, 120, 250, 400, 800, 2_000, 4_000, 10_000, 60_000] {
        for file_first in [true, false] {
            let mut world = world(pause, settings()).await;
            let upload = upload(&world, Mode::Send).await;
            for file in [file_first, !file_first] {
                let event = match file {
                    true => row(&world, &upload, 1, json!({})),
                    false => {
                        let at = world.now();
                        world.event("c1", record(json!({ "birthday": "1991-03-01" }), 1, at))
                    }
                };
                world.append(vec![event]).await;
                world.run_for(Duration::from_millis(pause)).await;
            }
            world.drain("c1", MINUTE * 10).await;
            let place = format!("after {pause} ms, file first: {file_first}");
            let rows = rows(&world, "E00001").await;
            assert_eq!(rows.len(), 1, "{place}");
            let found = &rows[0];
            assert_eq!((found.key.employee.as_str(), found.state), ("rm_00001", RowState::Synced), "{place}");
            let record = found.record.as_ref().unwrap();
            assert_eq!(record.employee_id.as_str(), "rm_00001", "{place}");
            assert_eq!(members(&world).await, 11, "{place}");
            let accepted = accepted(&world).await;
            assert!(accepted.len() <= 2, "{place}: {accepted:?}");
            assert_eq!(
                accepted.iter().filter(|row| row["entered_date"].is_string()).count(),
                1,
                "{place}: {accepted:?}"
            );
            let newest = accepted.iter().filter_map(|row| row["birthday"].as_str()).next_back();
            assert_eq!(newest, record.birthday.map(|day| day.to_string()).as_deref(), "{place}");
            world.assert_quiet("c1").await;
        }
    }
}

/// The worker dies after any poll: before the id comes, while the row is taken over, or while the hire flies.
#[tokio::test]
async fn a_worker_may_die_while_somebody_is_taken_over() {
    for polls in (0..150).step_by(5) {
        let mut world = world(polls, settings()).await;
        let upload = upload(&world, Mode::Send).await;
        world.kill_after(0, polls);
        let events = (1..=3).map(|index| row(&world, &upload, index, json!({}))).collect();
        world.append(events).await;
        world.run_for(Duration::from_millis(400)).await;
        let at = world.now();
        let events = (1..=3).map(|index| world.event("c1", person(index, at))).collect();
        world.append(events).await;
        world.run_for(SECOND * 20).await;
        if world.workers[0].alive {
            world.kill(0);
        }
        world.start_worker("w2");
        world.drain("c1", MINUTE * 60).await;
        for index in 1..=3 {
            let rows = rows(&world, &format!("E{index:05}")).await;
            let ids: Vec<&str> = rows.iter().map(|row| row.key.employee.as_str()).collect();
            assert_eq!(ids, [format!("rm_{index:05}")], "after {polls} polls");
        }
        assert_eq!((members(&world).await, accepted(&world).await.len()), (13, 3), "after {polls} polls");
        world.assert_quiet("c1").await;
    }
}

/// The call is under way when the id comes, and is then refused, lost, or given up: whatever is written down about its people
/// is written down under the new id.
#[tokio::test]
async fn a_call_that_fails_while_somebody_is_taken_over_leaves_nobody_behind() {
    let faults = [
        Faults { conflicts: 1, ..Faults::default() },
        Faults { unauthorized: 1, ..Faults::default() },
        Faults { reset_before_acceptance: 1, ..Faults::default() },
        Faults { reset_after_acceptance: 1, ..Faults::default() },
        Faults { html_500_after_acceptance: 1, ..Faults::default() },
        Faults { task_errors: 1, ..Faults::default() },
        // カオナビ refuses the record itself: the person is set aside, under the new id.
        Faults { task_ngs: 1, ..Faults::default() },
    ];
    for (at, faults) in faults.into_iter().enumerate() {
        let refused = faults.task_ngs > 0;
        for known in [false, true] {
            let mut world = world(at as u64, settings()).await;
            let upload = upload(&world, Mode::Send).await;
            // A hire, or a change of a member.
            let index = if known { 51 } else { 1 };
            order(&world, faults.clone(), Default::default()).await;
            let events = vec![row(&world, &upload, index, json!({}))];
            world.append(events).await;
            // A call takes 100 to 600 ms there and back.
            world.run_for(Duration::from_millis(90)).await;
            let now = world.now();
            world.send("c1", person(index, now)).await;
            world.run_for(Duration::from_millis(5)).await;
            let number = format!("E{index:05}");
            let found = rows(&world, &number).await;
            let place = format!("{faults:?}, known: {known}");
            assert_eq!(
                (found[0].key.employee.as_str(), found[0].state),
                (&*format!("rm_{index:05}"), RowState::Flying),
                "{place}"
            );
            world.drain("c1", MINUTE * 120).await;
            let found = rows(&world, &number).await;
            let state = if refused { RowState::Parked } else { RowState::Synced };
            assert_eq!((found.len(), found[0].state), (1, state), "{place}");
            assert_eq!(members(&world).await, if known || refused { 10 } else { 11 }, "{place}");
            world.assert_quiet("c1").await;
        }
    }
}

#[tokio::test]
async fn an_old_event_about_another_number_takes_nobody_over() {
    let mut world = world(1, settings()).await;
    let upload = upload(&world, Mode::Send).await;
    let old = world.now();
    world.run_for(MINUTE).await;
    // Person 1 has the number of 2 by now, and somebody else came by file under the old one.
    let at = world.now();
    world.send("c1", record(json!({ "employee_number": "E00002" }), 1, at)).await;
    let event = row(&world, &upload, 1, json!({ "first_name": "他人" }));
    world.append(vec![event]).await;
    world.run_for(MINUTE).await;
    world.send("c1", person(1, old)).await;
    world.run_for(MINUTE).await;
    for (number, id) in [("E00001", "n:E00001"), ("E00002", "rm_00001")] {
        let rows = rows(&world, number).await;
        assert_eq!(rows.iter().map(|row| row.key.employee.as_str()).collect::<Vec<_>>(), [id]);
    }
}

#[tokio::test]
async fn where_several_have_a_number_a_row_without_an_id_is_set_aside_with_them() {
    let mut world = world(2, settings()).await;
    let upload = upload(&world, Mode::Send).await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.send("c1", record(json!({ "employee_number": "E00001" }), 2, at)).await;
    let event = row(&world, &upload, 1, json!({}));
    world.append(vec![event]).await;
    world.run_for(MINUTE).await;
    let rows = rows(&world, "E00001").await;
    let found: Vec<(&str, Option<&str>)> =
        rows.iter().map(|row| (row.key.employee.as_str(), row.reason.as_deref())).collect();
    let shared = Some("member.number_shared");
    assert_eq!(found, [("n:E00001", shared), ("rm_00001", shared), ("rm_00002", shared)]);
    assert_eq!(accepted(&world).await.len(), 0);
}

/// The number of a person who was written is not given to another one who comes by webhook: they share it, and a person looks.
#[tokio::test]
async fn somebody_who_was_written_already_is_not_merged_with_another() {
    let mut world = world(3, settings()).await;
    let upload = upload(&world, Mode::Send).await;
    let event = row(&world, &upload, 1, json!({}));
    world.append(vec![event]).await;
    let at = world.now();
    world.send("c1", person(2, at)).await;
    world.run_for(MINUTE).await;
    assert_eq!(members(&world).await, 12);
    let at = world.now();
    world.send("c1", record(json!({ "employee_number": "E00001" }), 2, at)).await;
    world.run_for(MINUTE).await;
    let ids: Vec<String> = rows(&world, "E00001").await.into_iter().map(|row| row.key.employee).collect();
    assert_eq!(ids, ["n:E00001", "rm_00002"]);
    assert_eq!((members(&world).await, accepted(&world).await.len()), (12, 2));
}

#[tokio::test]
async fn i7_of_a_baseline_nothing_is_written_and_what_waited_still_goes() {
    let mut world = world(4, settings()).await;
    let baseline = upload(&world, Mode::Baseline).await;
    // 51 is a member with other values, 1 is nobody yet, 2 waits while the switch is off.
    renkei_workers::commands::pause(&world.store, world.clock.as_ref(), "c1", "test").await.unwrap();
    let at = world.now();
    world.send("c1", person(2, at)).await;
    world.run_for(MINUTE).await;
    let changes = [(1, json!({})), (51, json!({})), (2, json!({ "birthday": "1991-03-01" }))];
    let events = changes.map(|(index, changes)| row(&world, &baseline, index, changes)).to_vec();
    world.append(events).await;
    world.run_for(MINUTE).await;
    renkei_workers::commands::resume(&world.store, "c1", "test").await.unwrap();
    world.wake_all();
    world.run_for(MINUTE).await;
    assert_eq!(world.count("c1", RowState::Baseline).await, 2);
    let sent = accepted(&world).await;
    assert_eq!(
        sent.iter().map(|row| (&row["code"], &row["birthday"])).collect::<Vec<_>>(),
        [(&json!("E00002"), &json!("1991-03-01"))]
    );
    // What changes later goes out, and only that.
    let later = upload(&world, Mode::Send).await;
    let events = vec![row(&world, &later, 1, json!({})), row(&world, &later, 51, json!({ "birthday": "1992-04-01" }))];
    world.append(events).await;
    world.run_for(MINUTE).await;
    let sent = accepted(&world).await;
    assert_eq!((sent.len(), &sent[1]["code"]), (2, &json!("E00051")));
    assert_eq!(members(&world).await, 11);
}

#[tokio::test]
async fn differences_are_previewed_when_all_rows_are_taken_and_count_for_no_mass_change() {
    let mut world = world(5, Settings { brake: true, ceiling: Some(1), ..settings() }).await;
    let id = uploads::fresh_id().unwrap();
    let wanted: Vec<(usize, Value)> = (1..=5)
        .map(|index| (index, json!({})))
        .chain((51..=60).map(|index| (index, json!({ "birthday": "1992-04-01" }))))
        .chain([(61, json!({ "employee_status": "応募者" }))])
        .collect();
    let tx = world.store.begin().await.unwrap();
    let now = world.store.now_in(&tx).await.unwrap();
    uploads::begin(&tx, &id, "c1", "command", Mode::SendDifferences, now).await.unwrap();
    let people: Vec<UploadPerson> = wanted
        .iter()
        .map(|(index, _)| UploadPerson { line: *index as u64 + 1, employee: format!("n:E{index:05}"), taken: false })
        .collect();
    let preview = uploads::gather(&tx, &id, "c1", &people, now).await.unwrap();
    tx.commit().await.unwrap();
    let events: Vec<EmployeeEvent> =
        wanted.into_iter().map(|(index, changes)| row(&world, &id, index, changes)).collect();
    let found =
        async |world: &World| previews::find(&world.store, &world.store.db, "c1", &preview).await.unwrap().unwrap();
    world.append(events[1..].to_vec()).await;
    world.run_for(MINUTE).await;
    assert!(found(&world).await.items.is_none(), "one row is missing");
    world.append(events[..1].to_vec()).await;
    // The first of them gets an id before anybody looks.
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE).await;
    let shown = found(&world).await;
    let actions = |action: &str| shown.items.as_ref().unwrap().iter().filter(|item| item.action == action).count();
    assert_eq!((actions("create"), actions("update"), actions("skip")), (5, 10, 1));
    assert_eq!(accepted(&world).await.len(), 0, "nothing goes out unseen");
    let connection = world.connection("c1").await;
    let chosen: Vec<String> = (2..=5).map(|index| format!("n:E{index:05}")).collect();
    assert_eq!(previews::confirm(&world.store, &connection, &shown, Who::Some(&chosen), "test").await.unwrap(), 4);
    world.wake_all();
    world.run_for(MINUTE * 2).await;
    assert_eq!(accepted(&world).await.len(), 4, "the ceiling is one, and they were confirmed");
    assert_eq!(previews::confirm(&world.store, &connection, &shown, Who::All, "test").await.unwrap(), 15);
    world.wake_all();
    world.run_for(MINUTE * 10).await;
    assert_eq!((members(&world).await, world.count("c1", RowState::Held).await), (15, 0));
    assert_eq!(world.count("c1", RowState::Baseline).await, 1, "the applicant stays what it was");
}
