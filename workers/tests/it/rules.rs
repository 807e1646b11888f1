//! Every numbered rule of カオナビ's API that Renkei touches, with the real delivery as the careful client.
//!
//! `make rules` prints the lines.

use std::time::Duration;

use renkei_sandbox::kaonavi::transport::no_latency;
use renkei_sandbox::kaonavi::{CompanySpec, Faults, Permissions, TextField, sample};
use renkei_sandbox::rules::{self, Shown};
use renkei_store::connections::ConnectionState;
use renkei_store::dry_runs;
use renkei_store::employees::RowState;
use serde_json::json;

use crate::people::{member, person, record};
use crate::world::{Link, World, link, settings};

pub(crate) fn need(so: bool, text: &str) -> Shown {
    if so { Ok(()) } else { Err(text.to_owned()) }
}

/// A world with one company, made from the sample by `change`.
async fn world(change: impl FnOnce(&mut CompanySpec)) -> World {
    let mut spec = sample::company("a");
    change(&mut spec);
    let mut world = World::new(3, vec![spec], no_latency()).await;
    world.link(link("c1", "a")).await;
    world.run_for(Duration::from_secs(2)).await;
    world
}

/// `people` hires arrive, and later a change of each; all of it must get through without a single refusal.
async fn all_arrive(mut world: World, people: usize, patience: Duration) -> Shown {
    let at = world.now();
    for index in 0..people {
        world.send("c1", person(index, at)).await;
    }
    world.run_for(patience).await;
    let at = world.now();
    for index in 0..people {
        world.send("c1", record(json!({"birthday": "1991-05-05"}), index, at)).await;
    }
    world.run_for(patience).await;
    let birthdays = world.company("a", |company| {
        company.members().values().filter(|member| member.get(TextField::Birthday) == "1991-05-05").count()
    });
    need(birthdays.await == people, "not everybody arrived")?;
    let by_status = world
        .company("a", |company| company.log().calls().filter(|call| call.status != 200 && !call.dry_run).count())
        .await;
    need(by_status == 0, "a call was refused")?;
    let now = world.now();
    let stats = world.company("a", |company| company.stats(now)).await;
    need(stats.peak_update_calls <= 5 && stats.refused_429 == 0, "the budget was passed")
}

const SOON: Duration = Duration::from_secs(90);

async fn plain() -> Shown {
    all_arrive(world(|_| ()).await, 3, SOON).await
}

async fn state_after(mut world: World, code: &str) -> Shown {
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(SOON).await;
    let connection = world.connection("c1").await;
    let told = connection.state_code.clone().or_else(|| connection.problems.first().cloned()).unwrap_or_default();
    need(connection.state != ConnectionState::Active, "the connection is still on")?;
    need(told.starts_with(code), &format!("it says {told}"))?;
    let updates = world.company("a", |company| company.log().writes().count()).await;
    need(updates <= 1, "it went on calling")
}

async fn ours(rule: &str) -> Option<Shown> {
    if let Some(shown) = crate::rules_of_sources::ours(rule).await {
        return Some(shown);
    }
    Some(match rule {
        "A1" | "A2" | "A3" | "A6" | "P4" | "V1" | "V2" | "V6" | "V10" | "V11" | "V13" | "T1" | "T2" | "T4" | "T12"
        | "M1" | "M2" | "M3" | "M4" | "M9" => plain().await,
        "A4" => {
            // Tokens that live ten minutes would be six an hour: the sixth is waited for.
            let mut world = world(|spec| spec.settings.token_life_ms = 600_000).await;
            for index in 0..16 {
                let at = world.now();
                world.send("c1", person(index, at)).await;
                world.run_for(Duration::from_secs(600)).await;
            }
            world.run_for(Duration::from_secs(3600)).await;
            let now = world.now();
            let stats = world.company("a", |company| company.stats(now)).await;
            let members = world.company("a", |company| company.members().len()).await;
            need(stats.peak_tokens_per_hour <= 5 && stats.refused_429 == 0, "too many tokens")
                .and_then(|()| need(members == 16, "somebody is missing"))
        }
        "A5" => {
            let mut world = world(|_| ()).await;
            world.run_for(Duration::from_secs(2 * 3600)).await;
            all_arrive(world, 1, SOON).await
        }
        "A7" => {
            let world = world(|_| ()).await;
            world.kaonavi.lock().await.reissue("a", "new-key", "new-secret").ok()?;
            state_after(world, "kaonavi.").await
        }
        "A8" => all_arrive(world(|spec| spec.settings.new_token_revokes_old = true).await, 2, SOON).await,
        "P1" | "P2" => {
            state_after(world(|spec| spec.permissions = Permissions::default()).await, "kaonavi.forbidden").await
        }
        "P3" => all_arrive(world(|spec| spec.permissions = Permissions::for_members()).await, 2, SOON).await,
        "L1" | "L2" | "T3" => all_arrive(world(|_| ()).await, 450, Duration::from_secs(240)).await,
        "L3" => one_bad_among(world(|spec| spec.settings.client_errors_use_slot = true).await, 20).await,
        // Two dry runs ask what is permitted, and one about a person, who is a member by then: they stand in our own budget, or
        // the rest would pass it.
        "L5" | "M10" => {
            let mut world = world(|_| ()).await;
            let at = world.now();
            world.send("c1", person(9, at)).await;
            world.run_for(SOON).await;
            let before = world.company("a", |company| company.members().clone()).await;
            let connection = world.connection("c1").await;
            dry_runs::want(&world.store, &connection, "rm_00009", "test").await.ok()?;
            world.wake_all();
            world.run_for(Duration::from_secs(1)).await;
            let dry = world.company("a", |company| company.log().calls().filter(|call| call.dry_run).count()).await;
            need(dry == 3, "the verification tries two calls, and one is asked for").and({
                let same = world.company("a", |company| *company.members() == before).await;
                need(same, "a dry run changed something").and(all_arrive(world, 3, SOON).await)
            })
        }
        "L6" | "L9" => {
            let mut world = world(|_| ()).await;
            let now = world.now();
            world.company("a", |company| company.outside_traffic(now, 5, 0, 0)).await;
            world.send("c1", person(1, now)).await;
            world.run_for(Duration::from_secs(200)).await;
            let refused = world.company("a", |company| company.stats(now).refused_429).await;
            let there = world.company("a", |company| company.member("E00001").is_some()).await;
            need(refused == 1, "it did not wait a full window").and(need(there, "the person never arrived"))
        }
        "L7" => {
            let mut world = world(|spec| spec.settings.max_body = 8 * 1024).await;
            let at = world.now();
            for index in 0..150 {
                world.send("c1", person(index, at)).await;
            }
            world.run_for(Duration::from_secs(1200)).await;
            let members = world.company("a", |company| company.members().len()).await;
            need(members == 150, &format!("{members} of 150 arrived"))
                .and(need(world.count("c1", RowState::Parked).await == 0, "somebody was parked"))
        }
        "V3" => {
            // Two people with one number never share a body: both are parked.
            let mut world = world(|_| ()).await;
            let at = world.now();
            world.send("c1", person(1, at)).await;
            world.send("c1", record(json!({"employee_number": "E00001"}), 2, at)).await;
            world.run_for(SOON).await;
            let refused = world.company("a", |company| {
                company.log().calls().filter(|call| call.status == 400 && !call.dry_run).count()
            });
            need(refused.await == 0, "a body with a code twice was sent")
        }
        "V4" => {
            parked_without_a_call("mapping.too_long", json!({"business_name": "あ".repeat(51)}), |spec| {
                spec.layout.name.max_length = Some(50);
            })
            .await
        }
        "V5" | "V8" | "V9" => {
            let mut world = World::new(3, vec![sample::company_with_required_field("a")], no_latency()).await;
            let mut with_constant = settings();
            with_constant.constants.insert("custom:412".to_owned(), "正社員".to_owned());
            world.link(Link { connection: "c1", company: "a", settings: with_constant, wanted: true }).await;
            world.run_for(Duration::from_secs(2)).await;
            all_arrive(world, 2, SOON).await
        }
        "V7" => parked_without_a_call("mapping.gender_unmapped", json!({"gender": "その他"}), |_| ()).await,
        "V12" | "T8" => {
            // Somebody registered the person by hand a moment ago: the refusal leads to a read, and the read to an update.
            let mut world = world(|_| ()).await;
            let now = world.now();
            world
                .company("a", |company| company.upsert(now, &json!({"member_data": [member(1, "手入力")]})))
                .await
                .ok()?;
            world.send("c1", person(1, now)).await;
            world.run_for(Duration::from_secs(300)).await;
            let name = world
                .company("a", |company| company.member("E00001").map(|member| member.get(TextField::Name).to_owned()));
            need(name.await.as_deref() == Some("髙橋 花子1"), "the person was not updated")
        }
        "T5" => plain().await,
        "T6" | "T7" => {
            // Deleted by hand: never made again by us, a person decides.
            let mut world = world(|_| ()).await;
            let at = world.now();
            world.send("c1", person(1, at)).await;
            world.run_for(SOON).await;
            let now = world.now();
            world.company("a", |company| company.delete(now, "E00001")).await;
            world.send("c1", record(json!({"birthday": "1991-05-05"}), 1, now)).await;
            world.run_for(Duration::from_secs(300)).await;
            let row = world.row("c1", "E00001").await;
            need(row.state == RowState::Held && row.reason.as_deref() == Some("member.gone"), "it is not held")
        }
        "T10" => faulty(Faults { task_errors: 1, ..Faults::default() }).await,
        "T11" => {
            let mut world = world(|spec| spec.settings.task_kept_ms = 1).await;
            let at = world.now();
            world.send("c1", person(1, at)).await;
            world.run_for(Duration::from_secs(60)).await;
            let rows = world.company("a", |company| company.log().rows_of("E00001")).await;
            need(rows == 1 && world.count("c1", RowState::Synced).await == 1, "a forgotten task was not settled")
        }
        "M5" | "M6" => all_arrive(world(|spec| spec.settings.shuffle_members = true).await, 2, SOON).await,
        "F1" => faulty(Faults { reset_after_acceptance: 1, ..Faults::default() }).await,
        "F2" => faulty(Faults { html_500_after_acceptance: 1, ..Faults::default() }).await,
        "F3" => {
            let mut world = world(|_| ()).await;
            let until = world.now() + Duration::from_secs(120);
            world
                .company("a", |company| {
                    company.set_faults(
                        until - Duration::from_secs(120),
                        Faults { unavailable_until: Some(until), ..Faults::default() },
                    );
                })
                .await;
            world.send("c1", person(1, until - Duration::from_secs(120))).await;
            world.run_for(Duration::from_secs(3600)).await;
            let rows = world.company("a", |company| company.log().rows_of("E00001")).await;
            need(rows == 1, "the person did not arrive once")
        }
        "F4" => faulty(Faults { unauthorized: 1, ..Faults::default() }).await,
        "F5" => {
            let mut world = World::new(3, vec![sample::company("a")], no_latency()).await;
            world
                .company("a", |company| {
                    let now = renkei_runtime::clock::Millis(crate::world::START);
                    company.set_faults(now, Faults { members_cut: 1, members_padding: 1_000_000, ..Faults::default() });
                })
                .await;
            world.link(link("c1", "a")).await;
            world.run_for(Duration::from_secs(120)).await;
            let active = world.connection("c1").await.state == ConnectionState::Active;
            need(active, "a list that was cut off was not read again")
        }
        _ => return None,
    })
}

async fn parked_without_a_call(code: &str, change: serde_json::Value, company: impl FnOnce(&mut CompanySpec)) -> Shown {
    let mut world = world(company).await;
    let at = world.now();
    world.send("c1", record(change, 1, at)).await;
    world.run_for(SOON).await;
    let row = world.row("c1", "E00001").await;
    need(
        row.state == RowState::Parked && row.reason.as_deref() == Some(code),
        &format!("{:?} {:?}", row.state, row.reason),
    )?;
    let updates = world.company("a", |company| company.log().writes().count()).await;
    need(updates == 0, "it was sent all the same")
}

async fn faulty(faults: Faults) -> Shown {
    let mut world = world(|_| ()).await;
    let now = world.now();
    world.company("a", |company| company.set_faults(now, faults)).await;
    world.send("c1", person(1, now)).await;
    world.run_for(Duration::from_secs(3600)).await;
    let rows = world.company("a", |company| company.log().rows_of("E00001")).await;
    let there = world.company("a", |company| company.member("E00001").is_some()).await;
    need(there, "the person never arrived")?;
    need(rows <= 2, "the person was sent again and again")?;
    need(world.count("c1", RowState::Synced).await == 1, "the row is not settled")
}

async fn one_bad_among(mut world: World, people: usize) -> Shown {
    let now = world.now();
    let bad = Faults { bad_codes: ["E00007".to_owned()].into(), ..Faults::default() };
    world.company("a", |company| company.set_faults(now, bad)).await;
    for index in 0..people {
        world.send("c1", person(index, now)).await;
    }
    world.run_for(Duration::from_secs(900)).await;
    let members = world.company("a", |company| company.members().len()).await;
    let stats = world.company("a", |company| company.stats(now)).await;
    need(members == people - 1, &format!("{members} of {} arrived", people - 1))?;
    need(stats.refused_429 == 0, "the budget was passed")
}

#[test]
fn every_rule_that_is_touched_is_kept_by_the_real_delivery() {
    let answer = |rule: &str| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        runtime.block_on(ours(rule))
    };
    let stood_in = std::cell::RefCell::new(Vec::new());
    let report = rules::check(&|rule| {
        let shown = answer(rule);
        if shown.is_none() {
            stood_in.borrow_mut().push(rule.to_owned());
        }
        shown
    });
    print!("{report}");
    assert_eq!(report.failed(), 0, "\n{report}");
    assert!(stood_in.borrow().is_empty(), "no scenario of ours for {:?}", stood_in.borrow());
}
