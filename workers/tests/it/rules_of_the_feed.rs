//! Rules of the employee feed with the real sweeper as the careful client. Pages hold two people, so that every sweep goes from
//! page to page, and what a rule is about is made to happen.

use std::time::Duration;

use jiff::Timestamp;
use renkei_sandbox::feed::{self, Late};
use renkei_sandbox::kaonavi::{TextField, sample};
use renkei_sandbox::rules::Shown;
use renkei_sandbox::transport::no_latency;
use renkei_simulation::source::{Source, as_feed};
use renkei_store::employees::RowState;
use renkei_store::feeds;
use renkei_workers::sweep::calendar;
use serde_json::json;

use crate::company::{HOUR, MINUTE, SECOND};
use crate::rules::need;
use crate::world::{Link, World, link};

/// Everybody of the scenario with the own birthday.
const FIVE: [(usize, &str); 5] =
    [(1, "1991-01-01"), (2, "1991-01-02"), (3, "1991-01-03"), (4, "1991-01-04"), (5, "1991-01-05")];

/// What the sweeper comes to under a rule.
pub(crate) async fn ours(rule: u32) -> Shown {
    if rule == 2 {
        return first_load().await;
    }
    let mut source = Source::beside(World::simple().await);
    source.give_feed("c1", true).await;
    source.run_for(MINUTE).await;
    let order: fn(&mut feed::Company) = match rule {
        // A sweep that waits between its pages asks the same question afterwards.
        6 => |company| (company.faults_mut().spared, company.faults_mut().bare_503) = (1, 1),
        7 => |company| company.settings_mut().late = Late::Never,
        10 => |company| company.faults_mut().unauthorized = 1,
        11 => |company| company.settings_mut().calls_per_minute = 1,
        12 => |company| company.settings_mut().late = Late::AtMost,
        14 => |company| company.settings_mut().clock_ahead_ms = -90_000,
        15 => |company| company.faults_mut().short_pages = 1,
        16 => |company| company.faults_mut().expired_cursors = 1,
        17 => |company| (company.faults_mut().cut_bodies, company.faults_mut().resets) = (1, 1),
        18 => |company| company.faults_mut().strange_records = vec![json!({"employee_id": 7}), json!("nobody")],
        _ => |_| (),
    };
    let before = source
        .company("c1", |company| {
            company.settings_mut().page = 2;
            order(company);
            company.log().calls().len()
        })
        .await;
    for (index, birthday) in FIVE {
        born(&source, index, birthday).await;
    }
    match rule {
        3 => seen_late(&mut source, Duration::ZERO).await?,
        5 => not_in_the_order_of_ids(&mut source).await?,
        7 => changed_between_pages(&mut source).await?,
        11 => told_when_to_come_back(&mut source).await?,
        12 => seen_late(&mut source, MINUTE).await?,
        13 => removed(&mut source).await?,
        _ => {
            // A sweep that fails comes again with the next quarter hour; a change may be seen late.
            source.run_for(HOUR).await;
            arrived(&source, &FIVE, 1).await?;
        }
    }
    asked_well(&source, before, rule == 16).await
}

/// Somebody at the source is given a birthday.
async fn born(source: &Source, index: usize, birthday: &str) {
    source.edit("c1", index, json!({ "birthday": birthday })).await;
}

/// Somebody at the source is hired now and is seen so many milliseconds later.
async fn seen_after(source: &Source, index: usize, late: u64) -> Result<Timestamp, String> {
    let now = source.world.now();
    let put = source.company("c1", |company| company.put_late(now, as_feed(index, now), late)).await;
    put.map_err(|fault| fault.to_string())
}

async fn remove(source: &Source, index: usize) -> Shown {
    let now = source.world.now();
    let there = source.company("c1", |company| company.delete(now, &format!("rm_{index:05}"))).await;
    need(there, &format!("nobody to remove: {index}"))
}

/// What カオナビ has of somebody, and how often that was written.
async fn member(source: &Source, index: usize) -> (Option<String>, u32) {
    let code = format!("E{index:05}");
    source
        .world
        .company("a", |company| {
            let birthday = company.member(&code).map(|member| member.get(TextField::Birthday).to_owned());
            (birthday, company.log().rows_of(&code))
        })
        .await
}

/// These people are in カオナビ with these birthdays, each written so often at the most.
async fn arrived(source: &Source, people: &[(usize, &str)], most: u32) -> Shown {
    for (index, birthday) in people {
        let (there, rows) = member(source, *index).await;
        need(there.as_deref() == Some(*birthday), &format!("{index} has {there:?} and not {birthday}"))?;
        need(rows <= most, &format!("{index} was written {rows} times"))?;
    }
    Ok(())
}

async fn watermark(source: &Source) -> Result<Option<Timestamp>, String> {
    let store = &source.world.store;
    let feed = feeds::find(store, &store.db, "c1").await.map_err(|fault| fault.to_string())?;
    Ok(feed.and_then(|feed| feed.watermark))
}

/// Every question had its time, every page after the first the cursor and the time of the page before (E3, E4, E6), and none
/// was refused for its parameters (E9).
async fn asked_well(source: &Source, before: usize, may_expire: bool) -> Shown {
    let calls: Vec<feed::Call> =
        source.company("c1", |company| company.log().calls().skip(before).cloned().collect()).await;
    let bad = calls.iter().filter(|call| call.status == 400).count();
    need(bad == usize::from(may_expire), &format!("{bad} bad questions"))?;
    let mut asked = None;
    for call in calls.iter().filter(|call| call.status == 200) {
        need(call.updated_since.is_some(), "a sweep asked for everybody")?;
        need(!call.with_cursor || call.updated_since == asked, "a cursor came with another question")?;
        asked = call.updated_since;
    }
    need(calls.iter().filter(|call| call.with_cursor && call.status == 200).count() >= 2, "no second and third page")
}

/// E2. Nobody is mapped yet, so everybody who is there comes, however long ago they changed.
async fn first_load() -> Shown {
    let mut world = World::new(7, vec![sample::company("a")], no_latency()).await;
    world.link(Link { wanted: false, ..link("c1", "a") }).await;
    let mut source = Source::beside(world);
    let long_ago = source.world.now() - HOUR * 24 * 400;
    source.give_feed("c1", true).await;
    source
        .company("c1", |company| {
            company.settings_mut().page = 2;
            for (index, _) in FIVE {
                company.put_dated(long_ago, as_feed(index, long_ago)).map_err(|fault| fault.to_string())?;
            }
            Ok::<(), String>(())
        })
        .await?;
    source.run_for(HOUR).await;
    let asked: Vec<_> =
        source.company("c1", |company| company.log().calls().map(|call| call.updated_since).collect()).await;
    need(asked.len() == 3 && asked.iter().all(Option::is_none), &format!("asked since {asked:?}"))?;
    let known = source.world.count("c1", RowState::Baseline).await;
    need(known == 5, &format!("{known} of 5"))
}

/// E3 and E12. Two people change two minutes before a sweep, or the second one a little later; the first is seen three minutes
/// after the sweep, which has seen the second and moved its watermark to that change.
async fn seen_late(source: &mut Source, later: Duration) -> Shown {
    let slot = calendar::next_quarter(source.world.now());
    source.run_until(slot - MINUTE * 2).await;
    seen_after(source, 6, 290_000).await?;
    source.run_until(slot - MINUTE * 2 + later).await;
    let seen = seen_after(source, 7, 0).await?;
    source.run_until(slot + MINUTE).await;
    need(watermark(source).await? == Some(seen), "the sweep did not go up to whom it saw")?;
    need(member(source, 6).await.0.is_none(), "somebody came before being seen")?;
    source.run_for(HOUR).await;
    arrived(source, &FIVE, 1).await?;
    arrived(source, &[(6, "1990-02-28"), (7, "1990-02-28")], 1).await
}

/// E5. Who has the smaller ids changed last, so that neither the first nor the largest id of a page is the newest.
async fn not_in_the_order_of_ids(source: &mut Source) -> Shown {
    source.run_for(SECOND).await;
    born(source, 2, "1992-01-02").await;
    born(source, 1, "1992-01-01").await;
    let newest = source.world.now().timestamp();
    source.run_for(HOUR).await;
    let watermark = watermark(source).await?;
    need(watermark == Some(newest), &format!("everything is known up to {watermark:?}, and not {newest}"))?;
    arrived(source, &FIVE[2..], 1).await?;
    arrived(source, &[(1, "1992-01-01"), (2, "1992-01-02")], 1).await
}

/// E7. After the first page somebody on it changes, somebody on the last one too, somebody comes and somebody goes.
async fn changed_between_pages(source: &mut Source) -> Shown {
    let slot = calendar::next_quarter(source.world.now());
    source.run_until(slot - SECOND).await;
    source.world.run_until(slot + SECOND).await;
    let process = &source.processes[0];
    process.sweeper.step(&process.context).await.map_err(|fault| fault.to_string())?;
    let pages = source.company("c1", |company| company.log().calls().next_back().map(|call| call.records)).await;
    need(pages == Some(2), &format!("the first page has {pages:?}"))?;
    for (index, birthday) in [(1, "1992-01-01"), (4, "1992-01-04"), (6, "1992-01-06")] {
        born(source, index, birthday).await;
    }
    remove(source, 5).await?;
    // Within this sweep, and unchanged by those that follow.
    for (length, what) in [(MINUTE * 10, "the sweep"), (HOUR, "the next ones")] {
        source.run_for(length).await;
        let now = [(2, FIVE[1].1), (3, FIVE[2].1), (4, "1992-01-04"), (6, "1992-01-06")];
        arrived(source, &now, 1).await.map_err(|why| format!("after {what}: {why}"))?;
        arrived(source, &[(1, "1992-01-01")], 2).await.map_err(|why| format!("after {what}: {why}"))?;
    }
    need(member(source, 5).await.0.is_none(), "who was removed before the own page came all the same")
}

/// E11. First a maintenance over the quarter hour, then a limit that every second page meets.
async fn told_when_to_come_back(source: &mut Source) -> Shown {
    let slot = calendar::next_quarter(source.world.now());
    source.company("c1", |company| company.faults_mut().unavailable_until = Some(slot + MINUTE * 10)).await;
    source.run_until(slot + MINUTE * 14).await;
    arrived(source, &FIVE, 1).await?;
    let refused = async |status: u16| {
        source.company("c1", |company| company.log().calls().filter(|call| call.status == status).count()).await
    };
    let (away, crowded) = (refused(503).await, refused(429).await);
    need(away == 1, &format!("called {away} times in a maintenance of ten minutes"))?;
    need(crowded == 2, &format!("two pages came too early, and {crowded} calls did"))
}

/// E13. Nothing tells of who was removed: whoever was there stays as they are, and may come back.
async fn removed(source: &mut Source) -> Shown {
    // Somebody whom no sweep ever saw.
    born(source, 6, "1991-01-06").await;
    remove(source, 6).await?;
    source.run_for(HOUR).await;
    arrived(source, &FIVE, 1).await?;
    need(member(source, 6).await.0.is_none(), "nobody was there")?;
    remove(source, 2).await?;
    born(source, 3, "1992-01-03").await;
    source.run_for(HOUR).await;
    arrived(source, &[(2, "1991-01-02")], 1).await?;
    arrived(source, &[(3, "1992-01-03")], 2).await?;
    let row = source.world.row("c1", "E00002").await;
    need(row.state == RowState::Synced, &format!("who was removed is {:?}", row.state))?;
    born(source, 2, "1992-01-02").await;
    source.run_for(HOUR).await;
    arrived(source, &[(2, "1992-01-02"), (3, "1992-01-03")], 2).await
}
