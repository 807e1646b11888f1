//! Odd set-ups of カオナビ and odd records: each has an outcome, none a crash, a loop or a silent skip.

use std::collections::BTreeMap;
use std::time::Duration;

use renkei_events::event::Change;
use renkei_events::parse::{Reading, reading};
use renkei_sandbox::kaonavi::transport::no_latency;
use renkei_sandbox::kaonavi::{Faults, Field, Settings, TextField, sample};
use renkei_store::connections::ConnectionState;
use renkei_store::employees::RowState;
use serde_json::json;

use crate::people::{person, record};
use crate::world::{Link, World, link, settings};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn calls(world: &World) -> usize {
    world.company("a", |company| company.log().calls().count()).await
}

#[tokio::test]
async fn a_layout_without_gender_halts_when_gender_is_mapped_and_refuses_to_be_switched_on() {
    let mut world = World::simple().await;
    let now = world.now();
    let lacking = Settings { layout_lacks_gender: true, ..Settings::default() };
    world.company("a", |company| company.set_settings(now, lacking)).await;
    world.run_for(DAY).await;
    let connection = world.connection("c1").await;
    assert_eq!(connection.state, ConnectionState::Halted);
    assert_eq!(connection.state_code.as_deref(), Some("kaonavi.gender_not_in_layout"));
    let before = calls(&world).await;
    world.run_for(DAY).await;
    assert_eq!(calls(&world).await, before, "a halted account is left alone");
    world.want("c1").await;
    world.run_for(MINUTE * 2).await;
    let connection = world.connection("c1").await;
    assert_eq!(connection.state, ConnectionState::Halted);
    assert_eq!(connection.problems, ["kaonavi.gender_not_in_layout: gender"]);
}

#[tokio::test]
async fn a_layout_without_gender_is_no_matter_while_no_label_is_to_be_sent() {
    let mut world = World::new(23, vec![sample::company("a")], no_latency()).await;
    let now = world.now();
    let lacking = Settings { layout_lacks_gender: true, ..Settings::default() };
    world.company("a", |company| company.set_settings(now, lacking)).await;
    let labels = |choice: Option<&str>| -> BTreeMap<String, Option<String>> {
        ["男性", "女性"].map(|label| (label.to_owned(), choice.map(str::to_owned))).into()
    };
    let of_some = renkei_store::settings::Settings { gender: labels(Some("女性")), ..settings() };
    world.link(Link { settings: of_some, ..link("c1", "a") }).await;
    world.run_for(MINUTE * 2).await;
    let connection = world.connection("c1").await;
    assert_eq!(connection.state, ConnectionState::Draft);
    assert_eq!(connection.problems, ["kaonavi.gender_not_in_layout: gender"]);
    // What would be cleared is not there either.
    let cleared = ["gender".to_owned()].into();
    let of_nobody = renkei_store::settings::Settings { gender: labels(None), clear_when_empty: cleared, ..settings() };
    world.save_settings("c1", of_nobody).await;
    world.want("c1").await;
    world.run_for(MINUTE * 2).await;
    let connection = world.connection("c1").await;
    assert_eq!(
        (connection.state, connection.problems.len()),
        (ConnectionState::Active, 0),
        "{:?}",
        connection.problems
    );
    for name in ["髙橋", "佐藤"] {
        let at = world.now();
        world.send("c1", record(json!({ "last_name": name }), 1, at)).await;
        world.run_for(MINUTE * 2).await;
        assert_eq!(world.row("c1", "E00001").await.state, RowState::Synced);
        let sent = |company: &mut renkei_sandbox::kaonavi::Company| {
            let member = company.member("E00001").unwrap();
            (member.get(TextField::Name).to_owned(), member.get(TextField::Gender).to_owned())
        };
        assert_eq!(world.company("a", sent).await, (format!("{name} 花子1"), String::new()));
    }
    world.run_for(DAY).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active, "the nightly read halts nothing");
}

#[tokio::test]
async fn a_choice_that_was_renamed_parks_those_who_have_it_and_makes_nobody_due() {
    let mut world = World::simple().await;
    for index in 1..=3 {
        let at = world.now();
        world.send("c1", person(index, at)).await;
    }
    world.run_for(MINUTE * 2).await;
    let writes = world.company("a", |company| company.log().writes().count()).await;
    world.company("a", |company| company.layout_mut().gender = Field::choice("性別", &["男性", "女"])).await;
    world.run_for(DAY).await;
    assert_eq!(world.company("a", |company| company.log().writes().count()).await, writes, "nobody became due");
    let at = world.now();
    world.send("c1", record(json!({ "birthday": "1991-03-01" }), 1, at)).await;
    world.send("c1", record(json!({ "gender": "男性" }), 2, at)).await;
    world.run_for(MINUTE * 2).await;
    let row = world.row("c1", "E00001").await;
    assert_eq!((row.state, row.reason.as_deref()), (RowState::Parked, Some("mapping.gender_choice_gone")));
    assert_eq!(world.row("c1", "E00002").await.state, RowState::Synced, "others go on");
}

#[tokio::test]
async fn a_layout_that_is_none_halts_and_names_it() {
    for body in ["[]", "{}", r#"{"errors":["layout"]}"#] {
        let mut world = World::simple().await;
        let now = world.now();
        let faults = Faults { layout_is: Some(body.to_owned()), ..Faults::default() };
        world.company("a", |company| company.set_faults(now, faults)).await;
        world.run_for(DAY).await;
        let connection = world.connection("c1").await;
        assert_eq!(connection.state, ConnectionState::Halted, "{body}");
        assert_eq!(connection.state_code.as_deref(), Some("kaonavi.layout_unreadable"), "{body}");
        assert_eq!(connection.state_detail.as_deref(), Some("GET /member_layouts"), "{body}");
    }
}

#[tokio::test]
async fn odd_numbers_are_parked_or_go_over_exactly() {
    for (number, parked) in [
        (" E1", true),
        ("E1　", true),
        ("E\u{7}1", true),
        (&*"9".repeat(51), true),
        (&*"9".repeat(50), false),
        ("😀1", false),
        ("０１２", false),
        ("𠮷-1", false),
    ] {
        let mut world = World::simple().await;
        let at = world.now();
        let before = calls(&world).await;
        let raw = json!({ "employee_id": "rm_1", "employee_number": number, "employee_status": "在籍",
            "data_entry_state": "データ入力完了", "last_name": "髙橋", "first_name": "花子", "gender": "女性",
            "updated_at": at.timestamp().to_string() });
        // As ingest reads it.
        let mut event = world.event("c1", person(1, at));
        (event.change, event.employee_id, event.employee, event.faults) =
            match reading(&raw.to_string(), at.timestamp()) {
                Reading::Record(record) => (Change::Updated, record.employee_id.clone(), Some(*record), Vec::new()),
                Reading::Faulty { anchor, faults } => (Change::Invalid, anchor.unwrap().employee_id, None, faults),
            };
        assert_eq!(event.employee.is_none(), parked, "{number:?}");
        world.append(vec![event]).await;
        world.run_for(MINUTE).await;
        if parked {
            let rows = [RowState::Parked];
            let rows = renkei_store::employees::in_states(&world.store, "c1", &rows, 5).await.unwrap();
            let rows: Vec<_> = rows.iter().map(|row| (row.reason.as_deref(), row.detail.as_deref())).collect();
            assert!(
                matches!(rows[..], [(Some("source.record_invalid"), Some(detail))] if detail.starts_with("/employee_number ")),
                "{number:?}: {rows:?}"
            );
            assert_eq!(calls(&world).await, before, "{number:?}: no call");
            continue;
        }
        let name = |company: &mut renkei_sandbox::kaonavi::Company| {
            company.member(number).map(|member| member.get(TextField::Name).to_owned())
        };
        assert_eq!(world.company("a", name).await.as_deref(), Some("髙橋 花子"), "{number:?}");
    }
}
