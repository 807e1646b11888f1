//! Somebody is deleted while a decision that has read the days of that person is about to write. SQLite's writers are alone, and
//! a decision reads between them; over PostgreSQL both are under way at once.

use std::sync::Arc;
use std::time::Duration;

use jiff::ToSpan as _;
use renkei_events::attendance::AttendanceEvent;
use renkei_events::ids::{EventId, TenantId};
use renkei_runtime::clock::Millis;
use renkei_store::attendance::book::{self, Told};
use renkei_store::attendance::members::{self, ListedMember};
use renkei_store::connections::Connection;
use renkei_store::db::Sql;
use renkei_store::forgotten::{ForgetError, Person};
use renkei_store::links::{self, AttendanceSource, Link};
use renkei_store::{Store, connections, forgotten};
use renkei_workers::sweep::{SweepSettings, Sweeper, calendar};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::company::world_on_postgres;
use crate::windows_on_postgres::keeper_of_one_day;
use crate::world::World;

pub const TENANT: &str = "kintai";
pub const DELETED: &str = "D1";
pub const OTHER: &str = "Q1";

/// A link with a night, which a person types, and a day for a file of whoever will be deleted, and a day of somebody else.
pub async fn days_to_decide_about(world: &World) {
    let store = &world.store;
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    let today = calendar::today(now);
    connections::put_tenant(&tx, TENANT, "勤怠", now).await.unwrap();
    let key = SecretString::from("key".to_owned());
    let link = Link {
        settings: json!({"closing": {"kind": "not_used"}, "past_midnight": "skip"}).to_string(),
        ..Link::draft(store, "l1", TENANT, (AttendanceSource::Hrmos, "acme"), key, today, now)
    };
    assert!(links::put(store, &tx, &link).await.unwrap());
    let member = |code: &str, line: u64| ListedMember {
        code: code.to_owned(),
        own_text: code.to_owned(),
        name: None,
        first: None,
        last: None,
        active: true,
        lines: vec![line],
    };
    members::replace(store, &tx, TENANT, &[member(DELETED, 2), member(OTHER, 3)], "token:1", now).await.unwrap();
    let work = json!({"start_at": "09:00", "end_at": "18:00"});
    let night = json!({"start_at": "22:00", "next_day_start": 0, "end_at": "01:30", "next_day_end": 1});
    let told = |code: &str, ago: i64, value: &Value| Told {
        tenant: TENANT.to_owned(),
        code: code.to_owned(),
        day: today.saturating_sub(ago.days()).to_string(),
        link: "l1".to_owned(),
        person: format!("acme/{code}"),
        value: value.to_string().into_bytes(),
        content: "x".to_owned(),
        run: 1,
        began: Millis(1),
    };
    let days = [told(DELETED, 3, &work), told(DELETED, 4, &night), told(OTHER, 3, &work)];
    book::put(store, &tx, &days, now).await.unwrap();
    links::want_decision(store, &tx, "l1", now).await.unwrap();
    tx.commit().await.unwrap();
}

/// Until a statement waits for what another one holds; not for ever, as there may be none.
pub async fn until_somebody_waits(store: &Store) {
    until_so_many_wait(store, 1).await;
}

async fn until_so_many_wait(store: &Store, many: i64) {
    let query = "SELECT COUNT(*) AS waiting FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    for _ in 0..200 {
        let waiting: i64 = store.db.row(query, vec![]).await.unwrap().unwrap().get("waiting").unwrap();
        if waiting >= many {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How many rows a table has of a code.
async fn rows_of(store: &Store, table: &str, code: &str) -> i64 {
    let query = format!("SELECT COUNT(*) AS lines FROM {table} WHERE code = $1");
    store.db.row(&query, vec![code.into()]).await.unwrap().unwrap().get("lines").unwrap()
}

#[tokio::test]
async fn whoever_is_deleted_while_a_decision_writes_comes_onto_no_list_and_into_no_file() {
    // Its first step writes what becomes of the days, its second one the files.
    for steps in 0..2 {
        let world = world_on_postgres(steps).await;
        let store = &world.store;
        days_to_decide_about(&world).await;
        let context = world.workers[0].context.clone();
        let log = Arc::new(world.log.clone());
        let sweeper = Sweeper::new(&context, log, "s1".to_owned(), SweepSettings::default());
        for _ in 0..steps {
            let job = sweeper.claim(&context, 1).await.unwrap().remove(0);
            sweeper.advance(&context, &job).await.unwrap();
        }
        let typed = rows_of(store, "handwork", DELETED).await;
        assert_eq!(typed, i64::from(steps > 0), "{steps}: the night is to be typed");
        let job = sweeper.claim(&context, 1).await.unwrap().remove(0);
        assert_eq!(job.kind, links::DECIDE, "{steps}");

        let tx = store.begin().await.unwrap();
        let today = calendar::today(store.now_in(&tx).await.unwrap()).to_string();
        let gone = forgotten::forget_code(store, &tx, TENANT, DELETED, &today).await.unwrap();
        assert_eq!(gone.days, 2, "{steps}");
        let deleting = async {
            until_somebody_waits(store).await;
            tx.commit().await.unwrap();
        };
        let (advanced, ()) = tokio::join!(sweeper.advance(&context, &job), deleting);
        advanced.unwrap();
        let places = ["attendance_days", "attendance_file_rows", "handwork"];
        for table in places {
            assert_eq!(rows_of(store, table, DELETED).await, 0, "{steps}: {table}");
        }
        // Another decision is made in its place.
        for _ in 0..4 {
            for job in sweeper.claim(&context, 1).await.unwrap() {
                sweeper.advance(&context, &job).await.unwrap();
            }
        }
        for table in places {
            assert_eq!(rows_of(store, table, DELETED).await, 0, "{steps}: {table}, in the end");
        }
        assert_eq!(rows_of(store, "attendance_file_rows", OTHER).await, 1, "{steps}");
    }
}

#[tokio::test]
async fn a_day_that_reaches_the_book_while_somebody_is_deleted_is_not_taken() {
    let world = world_on_postgres(7).await;
    let store = world.store.clone();
    days_to_decide_about(&world).await;
    let now = world.now();
    let today = calendar::today(now);
    let event = AttendanceEvent {
        event_id: EventId::new("run/1/mark").unwrap(),
        tenant_id: TenantId::new(TENANT).unwrap(),
        link_id: "l1".to_owned(),
        person: format!("acme/{DELETED}"),
        code: DELETED.to_owned(),
        day: today.saturating_sub(9.days()),
        run_id: 1,
        run_began: now.0,
        found_at: now.timestamp(),
        value: json!({}),
    };
    let mut keeper = keeper_of_one_day(&world, &event).await;

    let tx = store.begin().await.unwrap();
    forgotten::forget_code(&store, &tx, TENANT, DELETED, &today.to_string()).await.unwrap();
    let deleting = async {
        until_somebody_waits(&store).await;
        tx.commit().await.unwrap();
    };
    let (taken, ()) = tokio::join!(keeper.step(Duration::ZERO), deleting);
    assert_eq!(taken.unwrap(), 1);
    assert_eq!(rows_of(&store, "attendance_days", DELETED).await, 0);
}

/// Between the one number and the other a decision comes onto the calendar and is taken, however that may be.
#[tokio::test]
async fn whoever_has_two_numbers_is_deleted_beside_a_decision_that_writes() {
    let world = world_on_postgres(9).await;
    let store = &world.store;
    days_to_decide_about(&world).await;
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    connections::put(&tx, &Connection::draft("people", TENANT, "roumumate"), now).await.unwrap();
    // Attendance knows only the number of before, which is the first one by order.
    let sql =
        "INSERT INTO employees (connection_id, employee_id, number, written_number, version, log_partition, log_offset,
          content, event_ids, change, eligible, state, received_ms, changed_ms)
        VALUES ('people', 'e1', 'D2', $1, 1, 0, 0, 'x', '[]', 'updated', 1, 'synced', 1, 1)";
    tx.exec(sql, vec![DELETED.into()]).await.unwrap();
    // Only the day for a file stays, and nobody has asked for a decision.
    let night = calendar::today(now).saturating_sub(4.days()).to_string();
    tx.exec("DELETE FROM attendance_days WHERE day = $1", vec![night.into()]).await.unwrap();
    tx.exec("DELETE FROM jobs WHERE kind = $1", vec![links::DECIDE.into()]).await.unwrap();
    tx.commit().await.unwrap();
    let context = world.workers[0].context.clone();
    let sweeper = Sweeper::new(&context, Arc::new(world.log.clone()), "s1".to_owned(), SweepSettings::default());

    // Here the deletion stands when the days of the first number are deleted.
    let halfway = store.begin().await.unwrap();
    let row = "SELECT code FROM crowdlog_members WHERE tenant_id = $1 AND code = $2 FOR UPDATE";
    assert!(halfway.row(row, vec![TENANT.into(), DELETED.into()]).await.unwrap().is_some());
    let deleting = async {
        let tx = store.begin().await?;
        let person = Person { tenant: TENANT, connection: "people", employee: "e1" };
        let gone = forgotten::forget_person(store, &tx, person, &calendar::today(now).to_string()).await?;
        tx.commit().await?;
        Ok::<_, ForgetError>(gone)
    };
    let deciding = async {
        until_so_many_wait(store, 1).await;
        let tx = store.begin().await.unwrap();
        links::want_decision(store, &tx, "l1", now).await.unwrap();
        tx.commit().await.unwrap();
        let job = sweeper.claim(&context, 1).await.unwrap().remove(0);
        assert_eq!(job.kind, links::DECIDE);
        let going_on = async {
            until_so_many_wait(store, 2).await;
            halfway.commit().await.unwrap();
        };
        tokio::join!(sweeper.advance(&context, &job), going_on).0
    };
    let (gone, decided) = tokio::join!(deleting, deciding);
    assert_eq!(gone.unwrap().unwrap().days, 1, "none is given up for the other");
    decided.unwrap();
    for _ in 0..4 {
        for job in sweeper.claim(&context, 1).await.unwrap() {
            sweeper.advance(&context, &job).await.unwrap();
        }
    }
    for table in ["attendance_days", "attendance_file_rows", "handwork"] {
        assert_eq!(rows_of(store, table, DELETED).await, 0, "{table}");
    }
    assert_eq!(rows_of(store, "attendance_file_rows", OTHER).await, 1);
}
