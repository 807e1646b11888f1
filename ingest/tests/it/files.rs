//! Employees by CSV, through the log, the real consumer and the real delivery into a simulated カオナビ.

use std::time::Duration;

use renkei_events::csv::{Columns, Constants};
use renkei_ingest::upload::{File, Options, Report, Uploader};
use renkei_sandbox::kaonavi::sample;
use renkei_sandbox::kaonavi::transport::no_latency;
use renkei_simulation::people::{member, person, record};
use renkei_simulation::world::{Link, World, link, settings};
use renkei_store::decisions::Who;
use renkei_store::employees::{self, RowState};
use renkei_store::previews;
use renkei_store::settings::Settings;
use renkei_store::uploads::Mode;
use serde_json::json;

const MINUTE: Duration = Duration::from_secs(60);

async fn world(settings: Settings, wanted: bool) -> World {
    let mut company = sample::company("a");
    company.members = (1..=20).map(|index| member(index, "古い 名前")).collect();
    let mut world = World::new(7, vec![company], no_latency()).await;
    world.link(Link { settings, wanted, ..link("c1", "a") }).await;
    world.run_for(MINUTE * 2).await;
    world
}

/// People of these numbers, as a file; each may be changed.
fn file(people: std::ops::RangeInclusive<usize>, birthday: &str) -> String {
    let row = |index: usize| {
        format!("E{index:05},在籍,データ入力完了,髙橋,花子{index},タカハシ,ハナコ,女性,{birthday},2026/04/01\n")
    };
    let header = "社員番号,従業員ステータス,状況,姓,名,姓(ヨミガナ),名(ヨミガナ),性別,生年月日,入社日\n";
    format!("{header}{}", people.map(row).collect::<String>())
}

async fn upload(world: &mut World, file: &str, mode: Option<Mode>) -> Report {
    let connection = world.connection("c1").await;
    let received_at = world.now().timestamp();
    let file = File::read(file.as_bytes(), &Columns::default(), received_at).unwrap();
    let uploader = Uploader { store: &world.store, log: &world.log, random: &|| 7, actor: "command" };
    let options = Options { mode, constants: Constants::default(), dry_run: false };
    let report = uploader.take(&connection, file, &options, received_at).await.unwrap();
    world.look_at_the_log();
    world.run_for(MINUTE).await;
    world.drain("c1", MINUTE * 60).await;
    report
}

async fn members(world: &World) -> usize {
    world.company("a", |company| company.members().len()).await
}

async fn writes(world: &World) -> usize {
    world.company("a", |company| company.log().rows().count()).await
}

async fn rows(world: &World) -> i64 {
    employees::counts(&world.store.db, "c1").await.unwrap().iter().map(|(_, _, count)| count).sum()
}

/// The whole way of a company that begins with files and gets webhooks later.
#[tokio::test]
async fn three_hundred_by_file_then_by_webhook_then_by_file_are_three_hundred_people() {
    for (first, sent) in [(Some(Mode::Baseline), false), (None, false), (Some(Mode::SendDifferences), true)] {
        let mut world = world(settings(), true).await;
        let people = file(101..=400, "1990/2/28");
        let report = upload(&mut world, &people, first).await;
        assert_eq!((report.new, report.errors, report.eligible), (300, 0, 300), "{first:?}");
        assert_eq!((rows(&world).await, writes(&world).await), (300, 0), "nothing goes out unseen");
        if let Some(preview) = &report.preview {
            let connection = world.connection("c1").await;
            let shown = previews::find(&world.store, &world.store.db, "c1", preview).await.unwrap().unwrap();
            assert_eq!(previews::confirm(&world.store, &connection, &shown, Who::All, "test").await.unwrap(), 300);
            world.wake_all();
            world.drain("c1", MINUTE * 60).await;
            assert_eq!(members(&world).await, 320);
        }
        let at = world.now();
        let events = (101..=400).map(|index| world.event("c1", person(index, at))).collect();
        world.append(events).await;
        world.drain("c1", MINUTE * 60).await;
        let ids = employees::with_number(&world.store, &world.store.db, "c1", "E00101").await.unwrap();
        assert_eq!(ids.iter().map(|row| row.key.employee.as_str()).collect::<Vec<_>>(), ["rm_00101"]);
        let written = writes(&world).await;
        let again = upload(&mut world, &people, None).await;
        assert_eq!((again.already_known, again.new + again.changed, again.mode), (300, 0, "send"), "{first:?}");
        assert_eq!((rows(&world).await, writes(&world).await), (300, written), "no event, no call");
        assert_eq!(members(&world).await, if sent { 320 } else { 20 });
        world.assert_quiet("c1").await;
    }
}

/// The same on a connection that is live already, with what differs sent at once.
#[tokio::test]
async fn three_hundred_sent_by_file_are_three_hundred_members_whatever_comes_after() {
    let mut world = world(settings(), true).await;
    upload(&mut world, &file(1..=1, "1990/2/28"), None).await;
    let people = file(101..=400, "1990/2/28");
    let sent = upload(&mut world, &people, None).await;
    assert_eq!((sent.mode, sent.new, members(&world).await), ("send", 300, 320));
    let at = world.now();
    // A hundred of them tell something else with their ids.
    let changes = |index: usize| if index <= 200 { json!({ "birthday": "1991-03-01" }) } else { json!({}) };
    let events = (101..=400).map(|index| world.event("c1", record(changes(index), index, at))).collect();
    world.append(events).await;
    world.drain("c1", MINUTE * 60).await;
    assert_eq!((rows(&world).await, members(&world).await, writes(&world).await), (301, 320, 400));
    let again = upload(&mut world, &people, None).await;
    assert_eq!((again.already_known, again.changed), (200, 100), "a newer file is the newer state");
    assert_eq!((rows(&world).await, members(&world).await, writes(&world).await), (301, 320, 500));
    world.assert_quiet("c1").await;
    world.assert_limits("a").await;
}

#[tokio::test]
async fn nobody_is_changed_by_being_left_out_and_an_absent_column_changes_nothing() {
    let mut world = world(settings(), true).await;
    upload(&mut world, &file(101..=110, "1990/2/28"), None).await;
    let names = "社員番号,名\nE00101,太郎\nE00102,\n";
    let report = upload(&mut world, names, None).await;
    assert_eq!((report.changed, report.eligible), (2, 2));
    let row = world.row("c1", "E00101").await;
    let record = row.record.unwrap();
    assert_eq!((record.first_name.as_deref(), record.gender.as_deref()), (Some("太郎"), Some("女性")));
    assert_eq!(world.row("c1", "E00102").await.record.unwrap().first_name, None, "the cell is empty");
    assert_eq!(world.count("c1", RowState::Baseline).await, 8);
    assert_eq!(rows(&world).await, 10);
}

#[tokio::test]
async fn a_row_that_is_older_than_what_is_known_changes_nothing() {
    let mut world = world(settings(), true).await;
    upload(&mut world, &file(101..=101, "1990/2/28"), None).await;
    let old = "社員番号,生年月日,更新日時\nE00101,1970/1/1,2020/01/01 9:00\n";
    let report = upload(&mut world, old, None).await;
    assert_eq!((report.older, report.changed), (1, 0));
    let record = world.row("c1", "E00101").await.record.unwrap();
    assert_eq!(record.birthday, Some(jiff::civil::date(1990, 2, 28)));
}

/// Before a connection is switched on for the first time a file is a baseline whatever is asked for; the first load then
/// registers who is missing.
#[tokio::test]
async fn i7_a_file_before_activation_is_a_baseline_that_a_first_load_can_register() {
    let mut world = world(settings(), false).await;
    upload(&mut world, &file(11..=30, "1990/2/28"), None).await;
    upload(&mut world, &file(11..=30, "1991/3/1"), Some(Mode::Send)).await;
    world.want("c1").await;
    world.run_for(MINUTE * 3).await;
    assert_eq!((world.count("c1", RowState::Baseline).await, writes(&world).await), (20, 0));
    let connection = world.connection("c1").await;
    let id = previews::want(&world.store, &connection, &previews::Shown::FirstLoad, "test").await.unwrap().id;
    world.wake_all();
    world.run_for(MINUTE).await;
    let shown = previews::find(&world.store, &world.store.db, "c1", &id).await.unwrap().unwrap();
    assert_eq!(previews::confirm(&world.store, &connection, &shown, Who::All, "test").await.unwrap(), 10);
    world.wake_all();
    world.drain("c1", MINUTE * 60).await;
    assert_eq!((members(&world).await, writes(&world).await), (30, 10));
}
