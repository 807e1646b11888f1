//! Whether カオナビ would take one person, asked with its own dry run.

use std::collections::BTreeSet;

use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::transport::no_latency;
use renkei_sandbox::kaonavi::{Call, Company, CompanySpec, Faults, Operation, TextField, sample};
use renkei_store::budget::P;
use renkei_store::calls::{self, CallKind, Slot, UPDATE_SLOTS};
use renkei_store::connections::ConnectionState;
use renkei_store::dry_runs::{self, AskError, DryRun, End, PATIENCE, Progress};
use renkei_store::employees::{EmployeeKey, FullRow, Op, RowState, Values};
use renkei_store::settings::Settings;
use serde_json::{Value, json};

use crate::company::{HOUR, MINUTE, SECOND, send};
use crate::people::{member, person, record};
use crate::world::{Link, World, link, settings};

/// Number 1 is a member, 31 is not, 32 is an applicant. All came before the activation, so nothing of them was sent.
async fn world(change: impl FnOnce(&mut CompanySpec)) -> World {
    let mut company = sample::company("a");
    company.members = vec![member(1, "古い 名前")];
    change(&mut company);
    let mut world = World::new(17, vec![company], no_latency()).await;
    world.link(Link { wanted: false, ..link("c1", "a") }).await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.send("c1", person(31, at)).await;
    world.send("c1", record(json!({ "employee_status": "応募者" }), 32, at)).await;
    world.run_for(MINUTE).await;
    world.want("c1").await;
    // Until the slots that the verification took are free again.
    world.run_for(MINUTE * 2).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active);
    world
}

async fn want(world: &mut World, index: usize) -> Result<DryRun, AskError> {
    let connection = world.connection("c1").await;
    let wanted = dry_runs::want(&world.store, &connection, &format!("rm_{index:05}"), "test").await;
    world.wake_all();
    wanted
}

async fn found(world: &World, index: usize) -> DryRun {
    let key = EmployeeKey { connection: "c1".to_owned(), employee: format!("rm_{index:05}") };
    dry_runs::find(&world.store, &world.store.db, &key, world.now()).await.unwrap().unwrap()
}

async fn answer(world: &mut World, index: usize) -> DryRun {
    want(world, index).await.unwrap();
    world.run_for(MINUTE).await;
    found(world, index).await
}

fn ended(run: &DryRun) -> (End, Option<&str>, Option<&str>) {
    match &run.progress {
        Progress::Ended { end, code, detail, .. } => (*end, code.as_deref(), detail.as_deref()),
        _ => panic!("it has not ended"),
    }
}

/// The dry runs that カオナビ saw, but for the two of the verification, which are about nobody.
async fn asked(world: &World) -> Vec<Call> {
    world.company("a", |company| company.log().calls().filter(|call| call.dry_run).skip(2).cloned().collect()).await
}

async fn slots(world: &World) -> Vec<Slot> {
    let account = world.connection("c1").await.account.unwrap();
    calls::taken(&world.store.db, &account, world.now()).await.unwrap()
}

/// What would differ if a dry run were taken for a call.
#[derive(Debug, PartialEq)]
struct Shown {
    state: RowState,
    version: i64,
    written: Option<Values>,
    written_number: Option<String>,
    flight: (Option<i64>, Option<i64>, i64),
    changed: Millis,
}

fn shown(row: FullRow) -> Shown {
    Shown {
        state: row.state,
        version: row.version,
        written: row.written,
        written_number: row.written_number,
        flight: (row.batch, row.flying_version, row.attempts),
        changed: row.changed,
    }
}

#[tokio::test]
async fn a_dry_run_says_whether_kaonavi_would_take_somebody_and_changes_nothing() {
    for task_id in [true, false] {
        let mut world = world(|company| company.settings.dry_run_task_id = task_id).await;
        let held = world.company("a", |company| company.members().clone()).await;
        for (index, op) in [(1, Op::Update), (31, Op::Create)] {
            let number = format!("E{index:05}");
            let before = shown(world.row("c1", &number).await);
            let run = answer(&mut world, index).await;
            assert_eq!((run.op, ended(&run)), (Some(op), (End::Accepted, None, None)), "{index}, task {task_id}");
            assert_eq!(shown(world.row("c1", &number).await), before, "{index}, task {task_id}");
        }
        let calls = asked(&world).await;
        let calls: Vec<(&str, bool)> =
            calls.iter().map(|call| (call.method.as_str(), call.task_id.is_some())).collect();
        assert_eq!(calls, [("PATCH", task_id), ("POST", task_id)]);
        assert!(world.company("a", |company| company.members().clone()).await == held, "カオナビ holds what it held");
        let looks =
            world.company("a", |company| company.log().calls().filter(|call| call.path.contains("/tasks/")).count());
        assert_eq!(looks.await > 0, task_id, "a task is looked at");
        // What really goes afterwards is what would have gone without: nothing counts as written.
        let at = world.now();
        for index in [1, 31] {
            world.send("c1", record(json!({ "birthday": "1991-05-05" }), index, at)).await;
        }
        world.run_for(MINUTE * 3).await;
        for (index, fields) in [
            (1, ["birthday", "code", "name", "name_kana"].as_slice()),
            (31, ["birthday", "code", "entered_date", "gender", "name", "name_kana"].as_slice()),
        ] {
            let number = format!("E{index:05}");
            let sent: Vec<Value> = world
                .company("a", |company| {
                    let rows = company.log().rows().filter(|row| row.code == number);
                    rows.map(|row| serde_json::from_str(&row.row).unwrap()).collect()
                })
                .await;
            assert_eq!(sent.len(), 1, "{number}");
            let names: BTreeSet<&str> = sent[0].as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(names.into_iter().collect::<Vec<_>>(), fields, "{number}");
            assert_eq!(world.row("c1", &number).await.state, RowState::Synced, "{number}");
        }
        world.assert_limits("a").await;
    }
}

#[tokio::test]
async fn somebody_who_is_synced_is_asked_about_with_all_that_is_mapped() {
    let mut world = world(|_| ()).await;
    let at = world.now();
    world.send("c1", record(json!({ "birthday": "1991-05-05" }), 31, at)).await;
    world.run_for(MINUTE * 2).await;
    let before = shown(world.row("c1", "E00031").await);
    assert_eq!(before.state, RowState::Synced);
    let run = answer(&mut world, 31).await;
    assert_eq!((run.op, ended(&run)), (Some(Op::Update), (End::Accepted, None, None)));
    assert_eq!(shown(world.row("c1", "E00031").await), before);
}

#[tokio::test]
async fn what_kaonavi_says_against_somebody_is_the_answer_whether_it_says_so_at_once_or_by_a_task() {
    let bad: BTreeSet<String> = ["E00031".to_owned()].into();
    for (faults, words) in [
        (Faults { bad_codes: bad.clone(), ..Faults::default() }, "member_data.0"),
        (Faults { ng_codes: bad.clone(), ..Faults::default() }, "E00031: 登録できない値が含まれています"),
    ] {
        let mut world = world(|_| ()).await;
        let now = world.now();
        world.company("a", |company| company.set_faults(now, faults)).await;
        let before = shown(world.row("c1", "E00031").await);
        let run = answer(&mut world, 31).await;
        let (end, code, detail) = ended(&run);
        assert_eq!((end, code), (End::Rejected, Some("kaonavi.rejected")));
        assert!(detail.is_some_and(|detail| detail.contains(words)), "{detail:?}");
        assert_eq!(shown(world.row("c1", "E00031").await), before);
        assert_eq!(asked(&world).await.len(), 1);
    }
}

#[tokio::test]
async fn whoever_would_not_be_sent_is_answered_without_a_call() {
    let mut world = world(|_| ()).await;
    // The token ends meanwhile; none is fetched for this.
    world.run_for(HOUR * 2).await;
    let calls = |company: &mut Company| company.log().calls().count();
    let before = world.company("a", calls).await;
    let run = answer(&mut world, 32).await;
    assert_eq!(ended(&run), (End::NotSent, Some("status_excluded"), None));
    assert_eq!(world.company("a", calls).await, before);
    assert!(slots(&world).await.is_empty());
    let run = answer(&mut world, 31).await;
    assert_eq!(ended(&run), (End::Accepted, None, None), "and for this one is");
}

/// Five update calls that were answered just now.
async fn take_all_slots(world: &World) {
    let account = world.connection("c1").await.account.unwrap();
    let tx = world.store.begin().await.unwrap();
    let now = world.now();
    for _ in 0..UPDATE_SLOTS {
        let call = calls::reserve(&tx, &account, CallKind::Update, None, now, now).await.unwrap();
        calls::answered(&tx, call, Some(200), now).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn i6_while_the_switch_is_off_no_dry_run_is_made() {
    let mut world = world(|_| ()).await;
    take_all_slots(&world).await;
    want(&mut world, 31).await.unwrap();
    world.run_for(SECOND * 10).await;
    renkei_workers::commands::pause(&world.store, world.clock.as_ref(), "c1", "test").await.unwrap();
    world.run_for(MINUTE * 3).await;
    assert_eq!(
        ended(&found(&world, 31).await),
        (End::NotSent, None, None),
        "it waited for a slot when the switch went off"
    );
    let refused = want(&mut world, 31).await;
    assert!(matches!(refused, Err(AskError::Off(ConnectionState::Paused))));
    world.run_for(MINUTE * 3).await;
    assert_eq!(asked(&world).await.len(), 0);
}

#[tokio::test]
async fn a_dry_run_takes_the_place_of_a_change_and_changes_that_wait_go_first() {
    let mut world = world(|_| ()).await;
    want(&mut world, 31).await.unwrap();
    world.run_for(SECOND).await;
    let taken: Vec<CallKind> = slots(&world).await.iter().map(|slot| slot.kind).collect();
    assert_eq!(taken, [CallKind::Update]);
    let at = world.now();
    world.send("c1", record(json!({ "birthday": "1991-05-05" }), 1, at)).await;
    world.run_for(MINUTE * 2).await;
    let changed = |company: &mut Company| company.log().writes().next_back().unwrap().at;
    let waited = world.company("a", changed).await.since(asked(&world).await[0].at);
    assert!((P - SECOND..P + SECOND * 2).contains(&waited), "the next change has its own slot: {waited:?}");
    // The other way round: a change and a dry run at the same moment.
    let at = world.now();
    world.send("c1", record(json!({ "birthday": "1992-06-06" }), 1, at)).await;
    want(&mut world, 31).await.unwrap();
    world.run_for(MINUTE * 2).await;
    let waited = asked(&world).await[1].at.since(world.company("a", changed).await);
    assert!((P - SECOND..P + SECOND * 2).contains(&waited), "the change was first: {waited:?}");
    // Full: it waits until a slot is free, as every call does.
    take_all_slots(&world).await;
    let full = world.now();
    want(&mut world, 31).await.unwrap();
    world.run_for(MINUTE * 3).await;
    let waited = asked(&world).await[2].at.since(full);
    assert!((MINUTE..MINUTE + P).contains(&waited), "{waited:?}");
    assert_eq!(ended(&found(&world, 31).await).0, End::Accepted);
    world.assert_limits("a").await;
}

/// On an account where changes always wait.
#[tokio::test]
async fn a_dry_run_that_has_waited_for_two_minutes_goes_before_the_next_change_and_before_no_hire() {
    let many = 40..80;
    let mut world = world(|company| company.members.extend(many.clone().map(|index| member(index, "古い 名前")))).await;
    world.save_settings("c1", Settings { batch_size: 1, ..settings() }).await;
    world.run_for(MINUTE).await;
    send(&mut world, many).await;
    want(&mut world, 1).await.unwrap();
    let wanted = world.now();
    world.run_for(MINUTE * 2 - SECOND).await;
    assert!(asked(&world).await.is_empty(), "changes go first");
    send(&mut world, [90]).await;
    let hired = world.now();
    world.run_for(MINUTE * 2).await;
    let post = |company: &mut Company| company.log().writes().rfind(|call| call.method == "POST").unwrap().at;
    let waited = world.company("a", post).await.since(hired);
    assert!(waited < SECOND * 2, "the hire did not wait: {waited:?}");
    let waited = asked(&world).await[0].at.since(wanted);
    assert!((MINUTE * 2..MINUTE * 3).contains(&waited), "{waited:?}");
    assert_eq!(ended(&found(&world, 1).await), (End::Accepted, None, None));
    assert!(world.count("c1", RowState::Due).await > 10, "changes waited all the time");
    world.drain("c1", MINUTE * 30).await;
    assert_eq!(asked(&world).await.len(), 1);
    world.assert_limits("a").await;
}

#[tokio::test]
async fn an_answer_that_tells_nothing_is_told_as_such_and_the_call_is_not_made_again() {
    let faults = Faults::default;
    for (what, faults, code) in [
        ("reset", Faults { reset_after_acceptance: 1, ..faults() }, "kaonavi.unavailable"),
        ("500", Faults { html_500_before_acceptance: 1, ..faults() }, "kaonavi.unavailable"),
        ("HTML", Faults { html_writes: 1, ..faults() }, "kaonavi.unavailable"),
        ("nothing", Faults { empty_writes: 1, ..faults() }, "kaonavi.unavailable"),
        ("conflict", Faults { conflicts: 1, ..faults() }, "kaonavi.unavailable"),
        ("late", Faults { slow_answers: 1, slow_answer_ms: 40_000, ..faults() }, "kaonavi.unavailable"),
        ("401", Faults { unauthorized: 1, ..faults() }, "kaonavi.unauthorized"),
        ("ERROR", Faults { task_errors: 1, ..faults() }, "kaonavi.task_error"),
        ("429", faults(), "kaonavi.slots_taken_elsewhere"),
    ] {
        let mut world = world(|_| ()).await;
        let now = world.now();
        world
            .company("a", |company| {
                company.set_faults(now, faults);
                if what == "429" {
                    company.outside_traffic(now, 5, 0, 0);
                }
            })
            .await;
        let before = shown(world.row("c1", "E00031").await);
        let run = answer(&mut world, 31).await;
        assert_eq!(ended(&run), (End::NoAnswer, Some(code), None), "{what}");
        world.run_for(MINUTE * 10).await;
        assert_eq!(asked(&world).await.len(), 1, "{what}");
        assert_eq!(shown(world.row("c1", "E00031").await), before, "{what}");
        assert_eq!(world.connection("c1").await.state, ConnectionState::Active, "{what}");
        let at = world.now();
        world.send("c1", record(json!({ "birthday": "1991-05-05" }), 31, at)).await;
        world.run_for(MINUTE * 3).await;
        assert_eq!(world.row("c1", "E00031").await.state, RowState::Synced, "{what}: delivery goes on");
    }
}

/// Both were permitted when the connection was switched on: the next change would halt it.
#[tokio::test]
async fn a_dry_run_that_is_not_permitted_halts_as_a_change_does() {
    for (index, operation, call) in [(1, Operation::Update, "PATCH /members"), (31, Operation::Create, "POST /members")]
    {
        let mut world = world(|_| ()).await;
        let forbid =
            |company: &mut Company| company.permissions_mut().members.retain(|permitted| *permitted != operation);
        world.company("a", forbid).await;
        let run = answer(&mut world, index).await;
        assert_eq!(ended(&run), (End::NoAnswer, Some("kaonavi.forbidden"), None), "{call}");
        let connection = world.connection("c1").await;
        let state = (connection.state, connection.state_code.as_deref());
        assert_eq!(state, (ConnectionState::Halted, Some("kaonavi.forbidden")), "{call}");
        assert!(connection.state_detail.is_some_and(|detail| detail.starts_with(call)), "{call}");
        assert!(matches!(want(&mut world, index).await, Err(AskError::Off(ConnectionState::Halted))), "{call}");
        world.run_for(MINUTE * 10).await;
        assert_eq!(asked(&world).await.len(), 1, "{call}: it is not made again");
    }
}

#[tokio::test]
async fn a_dry_run_whose_worker_dies_ends_without_an_answer_and_its_slot_stays_taken() {
    let mut world = world(|_| ()).await;
    let now = world.now();
    let slow = Faults { slow_answers: 1, slow_answer_ms: 20_000, ..Faults::default() };
    world.company("a", |company| company.set_faults(now, slow)).await;
    let before = shown(world.row("c1", "E00031").await);
    want(&mut world, 31).await.unwrap();
    world.run_for(SECOND).await;
    assert!(matches!(found(&world, 31).await.progress, Progress::Sent { .. }));
    world.kill(0);
    world.start_worker("w2");
    world.run_for(SECOND * 40).await;
    assert_eq!(ended(&found(&world, 31).await), (End::NoAnswer, Some("kaonavi.unavailable"), None));
    assert_eq!(asked(&world).await.len(), 1, "it is not made again");
    assert_eq!(shown(world.row("c1", "E00031").await), before);
    assert!(world.connection("c1").await.dry_run.is_none());
    // Two seconds, the deadline and a minute after its reservation.
    world.run_for(SECOND * 45).await;
    assert_eq!(slots(&world).await.len(), 1);
    world.run_for(SECOND * 10).await;
    assert_eq!(slots(&world).await.len(), 0);
    assert_eq!(ended(&answer(&mut world, 31).await).0, End::Accepted);
}

#[tokio::test]
async fn a_dry_run_that_nobody_makes_ends_by_itself() {
    let mut world = world(|_| ()).await;
    world.kill(0);
    want(&mut world, 31).await.unwrap();
    assert!(matches!(want(&mut world, 1).await, Err(AskError::UnderWay)), "one at a time");
    world.run_for(PATIENCE).await;
    assert_eq!(ended(&found(&world, 31).await), (End::NoAnswer, None, None));
    world.start_worker("w2");
    assert_eq!(ended(&answer(&mut world, 1).await).0, End::Accepted, "and leaves room for the next");
    assert_eq!(asked(&world).await.len(), 1);
    assert_eq!(
        world.company("a", |company| company.member("E00001").unwrap().get(TextField::Name).to_owned()).await,
        "古い 名前"
    );
}
