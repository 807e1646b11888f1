//! What must not be told: neither by `Debug` nor by an error at start.

use std::net::TcpListener;

use renkei_events::event::Change;
use renkei_events::record::EmployeeRecord;
use renkei_runtime::clock::Millis;
use renkei_runtime::config::{Config, Program, Surroundings};
use renkei_store::Store;
use renkei_store::activity::Entry;
use renkei_store::batches::{Batch, BatchState};
use renkei_store::connections::{Connection, ConnectionState};
use renkei_store::employees::{ConsumedRow, EmployeeKey, FullRow, Landing, Mass, Op, RowState, SlimRow, Values};
use renkei_store::logtable::{LogEntry, LogRow};

use crate::engines::{HandClock, MASTER};

const NEEDLE: &str = "needle-髙橋";

fn record() -> EmployeeRecord {
    serde_json::from_value(serde_json::json!({
        "employee_id": "rm_1", "employee_status": NEEDLE, "data_entry_state": NEEDLE, "last_name": NEEDLE,
        "birthday": "1990-04-01", "email": NEEDLE, "department": { "name": NEEDLE },
        "updated_at": "2026-04-01T00:00:00Z",
    }))
    .unwrap()
}

#[test]
fn i8_debug_output_of_a_row_shows_ids_and_no_value() {
    let text = || NEEDLE.to_owned();
    let at = Millis(1);
    let key = EmployeeKey { connection: "acme".to_owned(), employee: "rm_1".to_owned() };
    let values = Values::from([("name".to_owned(), text())]);
    let slim = SlimRow {
        key: key.clone(),
        number: None,
        version: 1,
        position: (0, 1),
        content: String::new(),
        event_ids: Vec::new(),
        state: RowState::Due,
        eligible: true,
        left_before: false,
    };
    let shown = [
        format!(
            "{:?}",
            LogRow { topic: "acme".to_owned(), key: String::new(), headers: text(), value: text().into_bytes() }
        ),
        format!(
            "{:?}",
            LogEntry {
                offset: 1,
                key: "acme".to_owned(),
                headers: text(),
                value: Some(text().into_bytes()),
                appended: at
            }
        ),
        format!(
            "{:?}",
            Batch {
                account: "acme".to_owned(),
                id: 1,
                op: Op::Create,
                repair: None,
                state: BatchState::Planned,
                members: Vec::new(),
                payload: vec![values.clone()],
                task: None,
                epoch: 1,
                planned: at,
                gives_up: at,
                next_look: at,
                looks: 0,
            }
        ),
        format!(
            "{:?}",
            Entry {
                at,
                connection: "acme".to_owned(),
                employee: None,
                kind: "parked".to_owned(),
                code: None,
                detail: Some(text())
            }
        ),
        format!(
            "{:?}",
            Connection {
                state: ConnectionState::Halted,
                state_detail: Some(text()),
                problems: vec![text()],
                ..Connection::draft("acme", "t", "roumumate")
            }
        ),
        format!(
            "{:?}",
            ConsumedRow {
                slim,
                account: None,
                change: Change::Updated,
                record: Some(record()),
                op: None,
                reason: None,
                detail: Some(text()),
                received: at,
            }
        ),
        format!(
            "{:#?}",
            FullRow {
                key: key.clone(),
                number: None,
                version: 1,
                content: String::new(),
                change: Change::Updated,
                record: Some(record()),
                state: RowState::Parked,
                op: None,
                reason: None,
                detail: Some(text()),
                due: None,
                next_try: at,
                attempts: 0,
                lone_attempts: 0,
                failing_since: None,
                batch: None,
                flying_version: None,
                written: Some(values.clone()),
                written_number: None,
                released_number: None,
                confirmed: false,
                mass: Mass::None,
                left_before: false,
                warning: None,
                warned: None,
                received: at,
                changed: at,
            }
        ),
        format!("{:#?}", Landing { key, written: values, number: String::new(), due_again: false }),
    ];
    for shown in shown {
        // A list of bytes would be as readable as the text: 110, 101 is "ne".
        for needle in [NEEDLE, "needle", "1990", "110, 101"] {
            assert!(!shown.contains(needle), "{shown}");
        }
        assert!(shown.contains("acme"), "{shown}");
    }
}

/// A closed port, and how the place is written in the URL.
#[tokio::test]
async fn a_postgresql_that_nobody_runs_is_told_in_one_line_with_its_place_and_no_login() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for query in ["", "?application_name=hunter2"] {
        let variables = vec![
            ("RENKEI_MASTER_KEY".to_owned(), MASTER.to_owned()),
            ("RENKEI_STORE".to_owned(), format!("postgres://someone:hunter2@127.0.0.1:{port}/renkei{query}")),
        ];
        let surroundings =
            Surroundings { variables, in_container: false, read: |_| Err(std::io::ErrorKind::NotFound.into()) };
        let config = Config::load(Program::Ingest, &surroundings).unwrap();
        let told = Store::from_config(&config, HandClock::new()).await.unwrap_err().to_string();
        for part in ["RENKEI_STORE", "PostgreSQL", &format!("127.0.0.1:{port}"), "refused", "check that the address"] {
            assert!(told.contains(part), "{told:?} does not say {part}");
        }
        for part in ["pool", "timed out", "hunter2", "someone", "\n"] {
            assert!(!told.contains(part), "{told:?} says {part}");
        }
    }
}
