//! Questions whether カオナビ would take somebody.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_store::connections::{self, Connection, ConnectionState};
use renkei_store::db::Sql as _;
use renkei_store::dry_runs::{self, AskError, DryRun, End, PATIENCE, Progress};
use renkei_store::employees::{EmployeeKey, Op};

use crate::accounts::an_account;
use crate::employees::{put, row};
use crate::engines::{Engine, both};

async fn a_connection(engine: &Engine) -> Connection {
    let store = &engine.store;
    an_account(store, "a").await;
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    connections::put_tenant(&tx, "t", "T", now).await.unwrap();
    let connection = Connection { account: Some("a".to_owned()), ..Connection::draft("c", "t", "roumumate") };
    connections::put(&tx, &connection, now).await.unwrap();
    connections::switch_on(&tx, "c", now, None).await.unwrap();
    tx.commit().await.unwrap();
    put(engine, &[row(1, 1), row(2, 1)]).await;
    connection_now(engine).await
}

async fn connection_now(engine: &Engine) -> Connection {
    connections::get(&engine.store, &engine.store.db, "c").await.unwrap()
}

async fn open(engine: &Engine) -> Option<DryRun> {
    let connection = connection_now(engine).await;
    dry_runs::current(&engine.store, &engine.store.db, &connection).await.unwrap()
}

async fn found(engine: &Engine, employee: &str) -> Option<DryRun> {
    let key = EmployeeKey { connection: "c".to_owned(), employee: employee.to_owned() };
    let now = engine.store.now().await.unwrap();
    dry_runs::find(&engine.store, &engine.store.db, &key, now).await.unwrap()
}

async fn save(engine: &Engine, run: &DryRun) {
    let tx = engine.store.begin().await.unwrap();
    dry_runs::save(&engine.store, &tx, run).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_question_is_kept_as_far_as_it_has_come_and_what_kaonavi_says_is_sealed() {
    for engine in both().await {
        let store = &engine.store;
        let connection = a_connection(&engine).await;
        let run = dry_runs::want(store, &connection, "e1", "test").await.unwrap();
        let ended = Progress::Ended {
            end: End::Rejected,
            code: Some("kaonavi.rejected".to_owned()),
            detail: Some("髙橋 花子 は登録できません".to_owned()),
            at: Millis(9),
        };
        let steps = [
            Progress::Ready,
            Progress::Sent { call: 7 },
            Progress::Task { id: 8, looks: 1, next_look: Millis(5) },
            ended.clone(),
        ];
        for progress in steps {
            save(&engine, &DryRun { op: Some(Op::Create), progress: progress.clone(), ..run.clone() }).await;
            let seen = found(&engine, "e1").await.unwrap();
            assert!(seen.progress == progress && seen.op == Some(Op::Create), "{}", engine.name);
            assert_eq!(open(&engine).await.is_some(), progress != ended, "{}", engine.name);
        }
        assert!(connection_now(&engine).await.dry_run.is_none(), "{}: nobody waits any more", engine.name);
        let row = store.db.row("SELECT detail FROM dry_runs", vec![]).await.unwrap().unwrap();
        let sealed: Vec<u8> = row.get("detail").unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("花子"), "{}", engine.name);
        engine.clock.pass(Duration::from_secs(2 * 24 * 3600));
        assert_eq!(store.tidy().await.unwrap(), 1, "{}: it is kept for a day", engine.name);
    }
}

#[tokio::test]
async fn a_connection_that_is_on_has_one_question_at_a_time() {
    for engine in both().await {
        let store = &engine.store;
        let connection = a_connection(&engine).await;
        let want = |employee: &'static str| dry_runs::want(store, &connection, employee, "test");
        assert!(matches!(want("e9").await, Err(AskError::Nobody)), "{}", engine.name);
        want("e1").await.unwrap();
        assert!(matches!(want("e2").await, Err(AskError::UnderWay)), "{}", engine.name);
        assert!(matches!(want("e1").await, Err(AskError::UnderWay)), "{}", engine.name);
        engine.clock.pass(PATIENCE);
        let seen = found(&engine, "e1").await.unwrap().progress;
        let unanswered = matches!(&seen, Progress::Ended { end: End::NoAnswer, code: None, .. });
        assert!(unanswered, "{}: nobody looked at it in time, and it says so by itself", engine.name);
        want("e2").await.unwrap();
        assert_eq!(open(&engine).await.unwrap().key.employee, "e2", "{}", engine.name);
        let actions =
            store.db.rows("SELECT target FROM audit WHERE action = 'employee.dry_run'", vec![]).await.unwrap();
        assert_eq!(actions.len(), 2, "{}: what was refused was not done", engine.name);
        for state in [ConnectionState::Paused, ConnectionState::Halted, ConnectionState::Disconnected] {
            let tx = store.begin().await.unwrap();
            connections::switch_off(store, &tx, "c", state, None, None, Millis(1)).await.unwrap();
            tx.commit().await.unwrap();
            let refused = want("e3").await;
            assert!(matches!(refused, Err(AskError::Off(off)) if off == state), "{}: {state}", engine.name);
        }
        assert!(open(&engine).await.is_none(), "{}: an ended connection waits for nothing", engine.name);
    }
}

#[tokio::test]
async fn what_is_asked_counts_as_an_open_task_until_its_time_is_over_or_it_is_given_up() {
    for engine in both().await {
        let (store, name) = (&engine.store, engine.name);
        let connection = a_connection(&engine).await;
        let until = || async {
            let now = store.now().await.unwrap();
            dry_runs::task_until(&store.db, "a", now).await.unwrap()
        };
        let run = dry_runs::want(store, &connection, "e1", "test").await.unwrap();
        assert_eq!(until().await, None, "{name}: it has not been asked");
        for progress in [Progress::Sent { call: 7 }, Progress::Task { id: 8, looks: 0, next_look: Millis(0) }] {
            save(&engine, &DryRun { progress, ..run.clone() }).await;
            assert_eq!(until().await, Some(run.until), "{name}");
        }
        engine.clock.pass(PATIENCE);
        assert_eq!(until().await, None, "{name}: its time is over");
        let again = dry_runs::want(store, &connection, "e2", "test").await.unwrap();
        save(&engine, &DryRun { progress: Progress::Sent { call: 9 }, ..again }).await;
        assert!(until().await.is_some(), "{name}");
        let tx = store.begin().await.unwrap();
        dry_runs::give_up_those_of(&tx, "another", Millis(1)).await.unwrap();
        tx.commit().await.unwrap();
        assert!(until().await.is_some(), "{name}: that of another account");
        let tx = store.begin().await.unwrap();
        dry_runs::give_up_those_of(&tx, "a", Millis(1)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!((until().await, open(&engine).await.is_none()), (None, true), "{name}");
        let seen = found(&engine, "e2").await.unwrap().progress;
        let Progress::Ended { end: End::NoAnswer, code, at: Millis(1), .. } = seen else { panic!("{name}") };
        assert_eq!(code.as_deref(), Some("kaonavi.unavailable"), "{name}: it had been asked");
    }
}
