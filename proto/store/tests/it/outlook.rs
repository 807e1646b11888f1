//! Why changes that wait do not leave now.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_store::batches::{self, Batch, BatchState};
use renkei_store::calls::{self, CallKind, SLOT_HOLD};
use renkei_store::connections::{Connection, ConnectionState};
use renkei_store::db::Sql;
use renkei_store::employees::Op;
use renkei_store::outlook::{Outlook, WaitsFor};
use renkei_store::settings::{Settings, Timing};
use serde_json::{Value, json};

use crate::accounts::an_account;
use crate::employees::{put, row};
use crate::engines::{Engine, both};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// How an account is, as far as it decides about changes.
#[derive(Clone)]
struct Scene {
    /// Whether a change waits.
    waits: bool,
    /// The person's own pause.
    retry_in: Duration,
    timing: Timing,
    state: ConnectionState,
    /// Delivery's memory, at a time.
    memory: fn(Millis) -> Value,
    has_token: bool,
    /// Tasks of カオナビ that are open.
    tasks: i64,
    /// Calls of half an hour ago.
    earlier: usize,
    /// Calls without an answer, whose slots are taken.
    taken: usize,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            waits: true,
            retry_in: Duration::ZERO,
            timing: Timing::OnArrival,
            state: ConnectionState::Active,
            memory: |_| json!({}),
            has_token: false,
            tasks: 0,
            earlier: 0,
            taken: 0,
        }
    }
}

fn batch(id: i64, state: BatchState, gives_up: Millis) -> Batch {
    Batch {
        account: "a".to_owned(),
        id,
        op: Op::Create,
        repair: None,
        state,
        members: Vec::new(),
        payload: Vec::new(),
        task: None,
        epoch: 1,
        planned: gives_up,
        gives_up,
        next_look: gives_up,
        looks: 0,
    }
}

fn connection(scene: &Scene) -> Connection {
    let settings = Settings { timing: scene.timing, ..Settings::default() };
    Connection { state: scene.state, settings, ..Connection::draft("c", "t", "roumumate") }
}

/// Makes an empty account be as the scene says, at a time.
async fn play(engine: &Engine, scene: &Scene, now: Millis) {
    let store = &engine.store;
    for sql in ["DELETE FROM employees", "DELETE FROM batches", "DELETE FROM calls"] {
        store.db.exec(sql, vec![]).await.unwrap();
    }
    let token = if scene.has_token { now + MINUTE } else { Millis(0) };
    let memory = (scene.memory)(now).to_string();
    let sql = "UPDATE accounts SET doc = $1, token_expires_ms = $2 WHERE account_id = 'a'";
    store.db.exec(sql, vec![memory.into(), token.0.into()]).await.unwrap();
    if scene.waits {
        let mut change = row(1, 1);
        change.op = Some(Op::Update);
        put(engine, &[change]).await;
        let next_try = now + scene.retry_in;
        store.db.exec("UPDATE employees SET next_try_ms = $1", vec![next_try.0.into()]).await.unwrap();
    }
    let tx = store.begin().await.unwrap();
    for id in 1..=scene.tasks {
        batches::insert(store, &tx, &batch(id, BatchState::Accepted, now)).await.unwrap();
    }
    for _ in 0..scene.earlier {
        let at = now - MINUTE * 30;
        calls::reserve(&tx, "a", CallKind::Update, None, at, at + SLOT_HOLD).await.unwrap();
    }
    for _ in 0..scene.taken {
        calls::reserve(&tx, "a", CallKind::Create, None, now, now + MINUTE * 2).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn reason(engine: &Engine, scene: &Scene, now: Millis) -> Option<&'static str> {
    let outlook = Outlook::of(&engine.store.db, "a", &[connection(scene)], now).await.unwrap();
    outlook.updates_wait_for.map(WaitsFor::as_str)
}

#[tokio::test]
async fn each_reason_why_changes_wait_is_told_and_only_while_it_is_one() {
    let usual = Scene::default();
    let no_token: fn(Millis) -> Value = |now| json!({"token_blocked_until": now + MINUTE});
    let paused: fn(Millis) -> Value = |now| json!({"blocked_until": now + MINUTE});
    let cases: Vec<(&str, Scene, Option<&str>)> = vec![
        ("nothing holds the change", usual.clone(), None),
        ("nobody waits", Scene { waits: false, memory: paused, taken: 5, ..usual.clone() }, None),
        ("the connection is off", Scene { state: ConnectionState::Paused, memory: paused, ..usual.clone() }, None),
        ("no token may be fetched", Scene { memory: no_token, ..usual.clone() }, Some("token")),
        ("no other token is needed", Scene { memory: no_token, has_token: true, ..usual.clone() }, None),
        ("a pause after a failure", Scene { memory: paused, ..usual.clone() }, Some("pause")),
        ("the pause is over", Scene { memory: |now| json!({"blocked_until": now}), ..usual.clone() }, None),
        ("two tasks are open", Scene { tasks: 2, ..usual.clone() }, Some("open_tasks")),
        ("one task is open", Scene { tasks: 1, ..usual.clone() }, None),
        ("300 calls of the hour", Scene { earlier: 300, ..usual.clone() }, Some("hour")),
        ("299 calls of the hour", Scene { earlier: 299, ..usual.clone() }, None),
        ("five slots are taken", Scene { taken: 5, ..usual.clone() }, Some("slots")),
        ("hires would not find room", Scene { taken: 4, ..usual.clone() }, Some("room_for_hires")),
        ("hires find room", Scene { taken: 1, ..usual.clone() }, None),
        (
            "a change has just left",
            Scene { memory: |now| json!({"last_patch": now - SECOND * 14}), ..usual.clone() },
            Some("interval"),
        ),
        (
            "a change left 15 s ago",
            Scene { memory: |now| json!({"last_patch": now - SECOND * 15}), ..usual.clone() },
            None,
        ),
        ("the quarter hour", Scene { timing: Timing::QuarterHour, ..usual.clone() }, Some("quarter_hour")),
        ("the person's own pause", Scene { retry_in: MINUTE, ..usual.clone() }, Some("retry")),
        // Of several reasons that which has to pass first.
        ("all at once", Scene { memory: no_token, tasks: 2, earlier: 300, taken: 5, ..usual.clone() }, Some("token")),
        ("all but a token", Scene { memory: paused, tasks: 2, earlier: 300, taken: 5, ..usual.clone() }, Some("pause")),
        ("tasks, the hour and slots", Scene { tasks: 2, earlier: 300, taken: 5, ..usual.clone() }, Some("open_tasks")),
        ("the hour and slots", Scene { earlier: 300, taken: 5, ..usual }, Some("hour")),
    ];
    let told: std::collections::BTreeSet<&str> = cases.iter().filter_map(|(_, _, expected)| *expected).collect();
    assert_eq!(told.len(), 9, "every reason is brought about: {told:?}");
    for engine in both().await {
        an_account(&engine.store, "a").await;
        let now = engine.store.now().await.unwrap();
        for (what, scene, expected) in &cases {
            play(&engine, scene, now).await;
            assert_eq!(reason(&engine, scene, now).await, *expected, "{}: {what}", engine.name);
        }
    }
}

#[tokio::test]
async fn a_change_of_a_quarterly_connection_waits_until_the_next_quarter_and_no_longer() {
    for engine in both().await {
        let scene = Scene { timing: Timing::QuarterHour, ..Scene::default() };
        an_account(&engine.store, "a").await;
        let now = engine.store.now().await.unwrap();
        play(&engine, &scene, now).await;
        let quarter = Millis(now.0.div_euclid(900_000) * 900_000) + MINUTE * 15;
        let before = quarter - Duration::from_millis(1);
        assert_eq!(reason(&engine, &scene, before).await, Some("quarter_hour"), "{}", engine.name);
        assert_eq!(reason(&engine, &scene, quarter).await, None, "{}", engine.name);
    }
}

/// Nobody can say whether カオナビ made tasks of calls without an answer.
#[tokio::test]
async fn calls_without_an_answer_count_as_open_tasks_until_two_minutes_after_their_deadline() {
    for engine in both().await {
        let (store, scene) = (&engine.store, Scene::default());
        an_account(store, "a").await;
        let now = store.now().await.unwrap();
        play(&engine, &scene, now).await;
        let tx = store.begin().await.unwrap();
        for (id, seconds) in [(1, 30), (2, 40)] {
            batches::insert(store, &tx, &batch(id, BatchState::Unknown, now + SECOND * seconds)).await.unwrap();
        }
        tx.commit().await.unwrap();
        let millisecond = Duration::from_millis(1);
        for (passes, expected) in [
            (Duration::ZERO, Some("open_tasks")),
            (SECOND * 30, Some("open_tasks")),
            (MINUTE * 2 - millisecond, Some("open_tasks")),
            // The first of the two counts no more.
            (millisecond, None),
        ] {
            engine.clock.pass(passes);
            let now = store.now().await.unwrap();
            assert_eq!(reason(&engine, &scene, now).await, expected, "{}: {passes:?}", engine.name);
        }
    }
}
