//! Regressions: what happens to the next change when nobody knows what became of the last one.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::sample;
use renkei_sandbox::kaonavi::transport::{Trip, no_latency};
use renkei_sandbox::kaonavi::{DuplicateCreate, Faults, Settings, TaskStatus, TextField};
use renkei_store::accounts::{self, Credentials};
use renkei_store::connections::ConnectionState;
use renkei_store::employees::RowState;
use secrecy::SecretString;
use serde_json::json;

use crate::people::{member, person, record};
use crate::world::{BASE_URL, Link, World, link, settings};

const LONG: Duration = Duration::from_secs(1200);

#[tokio::test]
async fn a_change_back_after_a_patch_without_an_answer_is_sent() {
    let faults = [
        Faults { reset_after_acceptance: 1, ..Faults::default() },
        Faults { html_500_after_acceptance: 1, ..Faults::default() },
        Faults { without_task_id: 1, ..Faults::default() },
    ];
    for lost in faults {
        let mut world = World::simple().await;
        let at = world.now();
        world.send("c1", person(1, at)).await;
        world.run_for(Duration::from_secs(30)).await;
        let at = world.now();
        world.company("a", |company| company.set_faults(at, lost.clone())).await;
        world.send("c1", record(json!({"birthday": "1991-05-05"}), 1, at)).await;
        world.run_for(Duration::from_millis(300)).await;
        let at = world.now();
        world.send("c1", person(1, at)).await;
        world.run_for(LONG).await;
        let birthday =
            world.company("a", |company| company.member("E00001").unwrap().get(TextField::Birthday).to_owned()).await;
        assert_eq!(birthday, "1990-02-28", "{lost:?}: カオナビ kept the value in between");
        assert_eq!(world.row("c1", "E00001").await.state, RowState::Synced);
    }
}

#[tokio::test]
async fn a_revoked_key_with_a_task_open_costs_few_tokens() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(Duration::from_millis(500)).await;
    world.kaonavi.lock().await.reissue("a", "another key", "another secret").unwrap();
    world.run_for(LONG).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Halted);
    let tokens =
        world.company("a", |company| company.log().calls().filter(|call| call.path.ends_with("/token")).count()).await;
    let strays = world.kaonavi.lock().await.strays().len();
    assert!(tokens + strays <= 3, "{tokens} and {strays} fetches with a key that is refused");
}

#[tokio::test]
async fn reads_that_are_refused_after_a_halt_are_not_made_again_and_again() {
    let mut world = World::simple().await;
    let at = world.now();
    let lost = Faults { reset_after_acceptance: 1, ..Faults::default() };
    world.company("a", |company| company.set_faults(at, lost)).await;
    world.send("c1", person(1, at)).await;
    world.run_for(Duration::from_secs(2)).await;
    world.company("a", |company| *company.permissions_mut() = renkei_sandbox::kaonavi::Permissions::default()).await;
    world.run_for(Duration::from_secs(3600)).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Halted);
    let reads = world
        .company("a", |company| {
            company.log().calls().filter(|call| call.path.ends_with("/members") && !call.update).count()
        })
        .await;
    assert!(reads <= 30, "{reads} reads in an hour");
}

/// A company whose tasks take a minute, where the answer to the next write is lost.
async fn a_lost_answer_before_a_long_task() -> World {
    let world = World::simple().await;
    let at = world.now();
    world
        .company("a", |company| {
            let duplicate_create = DuplicateCreate::TaskNg;
            company.set_settings(at, Settings { task_running_ms: 60_000, duplicate_create, ..Settings::default() });
            company.set_faults(at, Faults { reset_after_acceptance: 1, ..Faults::default() });
        })
        .await;
    world
}

/// When a person stood in a POST.
async fn posts_with(world: &World, code: &str) -> Vec<Millis> {
    let with = |codes: &[String]| codes.iter().any(|known| known == code);
    world
        .company("a", |company| {
            let posts = company.log().writes().filter(|call| call.method == "POST" && with(&call.codes));
            posts.map(|call| call.at).collect()
        })
        .await
}

/// Somebody registers the first of three by hand while nobody knows what became of their POST: before it, or after it.
async fn one_of_three_is_registered_by_hand(before: bool) {
    let mut world = a_lost_answer_before_a_long_task().await;
    let at = world.now();
    let by_hand = json!({ "member_data": [member(1, "手 書き")] });
    if before {
        world.company("a", |company| company.upsert(at, &by_hand).unwrap()).await;
    }
    let events = (1..=3).map(|index| world.event("c1", person(index, at))).collect();
    world.append(events).await;
    world.run_for(Duration::from_secs(3)).await;
    if !before {
        let now = world.now();
        world.company("a", |company| company.upsert(now, &by_hand).unwrap()).await;
    }
    // The members were looked at: one is there, and only this one is settled.
    world.run_for(Duration::from_secs(20)).await;
    for code in ["E00002", "E00003"] {
        assert_eq!(world.row("c1", code).await.state, RowState::Flying, "{code} waits");
        assert_eq!(posts_with(&world, code).await.len(), 1, "{code} is not sent while the first task may still run");
    }
    assert_eq!(posts_with(&world, "E00001").await.len(), 1);
    let patched = world
        .company("a", |company| company.log().writes().any(|call| call.method == "PATCH" && call.codes == ["E00001"]))
        .await;
    assert!(patched, "what differs of the one who is there is sent at once");
    world.run_for(LONG).await;
    for index in 1..=3 {
        let code = format!("E{index:05}");
        assert_eq!(world.row("c1", &code).await.state, RowState::Synced);
        let (name, made) = world
            .company("a", |company| {
                let name = company.member(&code).unwrap().get(TextField::Name).to_owned();
                let ok = company.tasks().filter(|task| task.create && task.status == TaskStatus::Ok);
                (name, ok.map(|task| task.id).collect::<Vec<_>>().len())
            })
            .await;
        assert_eq!(name, format!("髙橋 花子{index}"));
        assert_eq!(made, 1, "the others were made by one task");
    }
    let posts = posts_with(&world, "E00002").await;
    assert_eq!(posts.len(), 2, "the first task was refused, so the rest was sent again");
    assert!(posts[1].since(posts[0]) > Duration::from_secs(62), "after it had ended");
    world.assert_quiet("c1").await;
    world.assert_limits("a").await;
}

#[tokio::test]
async fn a_code_that_was_there_before_a_post_without_an_answer_does_not_settle_the_others() {
    one_of_three_is_registered_by_hand(true).await;
}

#[tokio::test]
async fn a_code_that_somebody_made_after_a_post_without_an_answer_does_not_settle_the_others() {
    one_of_three_is_registered_by_hand(false).await;
}

/// A custom field can not be read back: that it arrived is only sure where everything else is as it was sent.
#[tokio::test]
async fn a_custom_field_of_a_person_who_was_registered_by_hand_is_not_taken_for_written() {
    let mut company = sample::company_with_required_field("a");
    company.settings = Settings { duplicate_create: DuplicateCreate::TaskNg, ..Settings::default() };
    let mut world = World::new(7, vec![company], no_latency()).await;
    let mut with_constant = settings();
    with_constant.constants.insert("custom:412".to_owned(), "正社員".to_owned());
    world.link(Link { connection: "c1", company: "a", settings: with_constant, wanted: true }).await;
    world.run_for(Duration::from_secs(2)).await;
    let at = world.now();
    world
        .company("a", |company| {
            company.set_faults(at, Faults { reset_after_acceptance: 1, ..Faults::default() });
            company.upsert(at, &json!({ "member_data": [member(1, "手 書き")] })).unwrap();
        })
        .await;
    world.send("c1", person(1, at)).await;
    world.run_for(LONG).await;
    let row = world.row("c1", "E00001").await;
    assert_eq!(row.state, RowState::Synced);
    assert!(row.held("name").is_some() && row.held("custom:412").is_none());
}

#[tokio::test]
async fn a_token_of_credentials_that_were_replaced_meanwhile_is_neither_used_nor_kept() {
    let mut world = World::new(7, vec![sample::company("a")], no_latency()).await;
    // The answer with the first token takes its time.
    let mut fetches = 0;
    world.transport.set_latency(Box::new(move |request| {
        fetches += usize::from(request.url.ends_with("/token"));
        let slow = request.url.ends_with("/token") && fetches == 1;
        Trip { there: Duration::ZERO, back: Duration::from_secs(if slow { 5 } else { 0 }) }
    }));
    world.link(link("c1", "a")).await;
    world.run_for(Duration::from_secs(2)).await;
    let account = world.connection("c1").await.account.unwrap();
    world.kaonavi.lock().await.reissue("a", "another key", "another secret").unwrap();
    let credentials =
        Credentials { key: SecretString::from("another key"), secret: SecretString::from("another secret") };
    let tx = world.store.begin().await.unwrap();
    let now = world.store.now_in(&tx).await.unwrap();
    accounts::put(&world.store, &tx, &account, BASE_URL, &credentials, now).await.unwrap();
    accounts::wake(&tx, &account, now).await.unwrap();
    tx.commit().await.unwrap();
    world.wake_all();
    world.run_for(Duration::from_secs(10)).await;
    assert_eq!(world.connection("c1").await.state, ConnectionState::Active);
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(Duration::from_secs(60)).await;
    assert_eq!(world.row("c1", "E00001").await.state, RowState::Synced);
    let (fetched, refused) = world
        .company("a", |company| {
            let fetched = company.log().calls().filter(|call| call.path.ends_with("/token")).count();
            let refused: Vec<_> =
                company.log().calls().filter(|call| call.status != 200 && !call.dry_run).cloned().collect();
            (fetched, refused)
        })
        .await;
    assert_eq!(fetched, 2, "one with each key");
    assert!(refused.is_empty(), "the old token was used: {refused:?}");
}

#[tokio::test]
async fn a_change_back_is_sent_though_a_read_shows_the_old_value_while_the_lost_change_still_runs() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(Duration::from_secs(60)).await;
    // The next change is taken, its answer is lost, and its task runs for a minute.
    let now = world.now();
    world
        .company("a", |company| {
            company.set_settings(now, Settings { task_running_ms: 60_000, ..Settings::default() });
            company.set_faults(now, Faults { reset_after_acceptance: 1, ..Faults::default() });
        })
        .await;
    let at = world.now();
    world.send("c1", record(json!({ "birthday": "1991-03-01" }), 1, at)).await;
    world.run_for(Duration::from_millis(500)).await;
    // Back at once, and the members are read before anything else is sent.
    renkei_store::switch::want_verification(&world.store, "c1", "test").await.unwrap();
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(LONG).await;
    let birthday = |company: &mut renkei_sandbox::kaonavi::Company| {
        company.member("E00001").unwrap().get(TextField::Birthday).to_owned()
    };
    assert_eq!(world.company("a", birthday).await, "1990-02-28");
}
