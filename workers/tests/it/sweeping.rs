//! 定期確認: what no webhook brought is found at the source, once, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use renkei_events::codes::Code;
use renkei_log::embedded::EmbeddedWriter;
use renkei_log::{LogError, LogWriter, NewRecord};
use renkei_runtime::clock::Millis;
use renkei_sandbox::feed::Faults;
use renkei_sandbox::kaonavi::TextField;
use renkei_simulation::source::{Source, as_feed};
use renkei_store::employees::RowState;
use renkei_store::runs::{self, Run, RunKind};
use renkei_store::{feeds, jobs, logtable};
use serde_json::json;

use crate::company::{HOUR, MINUTE, SECOND};
use crate::people::person;
use crate::world::World;

/// An active connection with a feed. The last quarter hour was some minutes ago.
async fn source() -> Source {
    let source = Source::beside(World::simple().await);
    source.give_feed("c1", true).await;
    source
}

/// What カオナビ has of a person.
pub async fn birthday(source: &Source, index: usize) -> Option<String> {
    let code = format!("E{index:05}");
    source
        .world
        .company("a", |company| company.member(&code).map(|member| member.get(TextField::Birthday).to_owned()))
        .await
}

async fn on_the_log(source: &Source) -> i64 {
    logtable::head(&source.world.store, "renkei.employee.v1").await.unwrap()
}

async fn all_runs(source: &Source) -> Vec<Run> {
    runs::page(&source.world.store.db, "t1", &["c1"], i64::MAX, 100).await.unwrap()
}

async fn feed(source: &Source) -> feeds::Feed {
    feeds::find(&source.world.store, &source.world.store.db, "c1").await.unwrap().unwrap()
}

pub async fn calls(source: &Source) -> usize {
    source.company("c1", |company| company.log().calls().len()).await
}

#[tokio::test]
async fn a_change_without_a_webhook_is_in_kaonavi_after_the_next_quarter_hour() {
    let mut source = source().await;
    source.run_for(MINUTE).await;
    source.edit("c1", 1, json!({"birthday": "1991-01-01"})).await;
    source.edit("c1", 2, json!({"birthday": "1992-02-02"})).await;
    source.run_for(MINUTE * 17).await;
    assert_eq!(birthday(&source, 1).await.as_deref(), Some("1991-01-01"));
    assert_eq!(birthday(&source, 2).await.as_deref(), Some("1992-02-02"));
    let [run] = all_runs(&source).await.try_into().unwrap();
    assert_eq!(
        (run.kind, run.counts["new"], run.counts["seen"], run.executor.as_str()),
        (RunKind::Sweep, 2, 2, "system")
    );
    assert_eq!(run.counts["calls"], 1);
}

#[tokio::test]
async fn what_a_webhook_brought_is_not_put_on_the_log_again() {
    let mut source = source().await;
    for index in 1..=3 {
        source.edit("c1", index, json!({})).await;
        let now = source.world.now();
        source.world.send("c1", person(index, now)).await;
    }
    source.run_for(MINUTE).await;
    let before = on_the_log(&source).await;
    source.run_for(HOUR).await;
    assert_eq!(on_the_log(&source).await, before);
    assert_eq!(all_runs(&source).await, [], "a sweep that finds nothing is no run");
    let feed = feed(&source).await;
    assert!(feed.sweeps >= 4 && feed.checked.is_some(), "{feed:?}");
}

#[tokio::test]
async fn i7_what_was_changed_before_the_first_activation_is_no_business_of_a_sweep() {
    let source = source().await;
    let activated = source.world.connection("c1").await.activated_wall.unwrap();
    let mut source = source;
    // Changed before, seen by the feed only now; and people who have been there for years.
    for (index, at) in [(1, activated - SECOND), (2, activated - HOUR * 24 * 400)] {
        source.company("c1", |company| company.put_dated(at, as_feed(index, at)).unwrap()).await;
    }
    source.run_for(HOUR).await;
    assert_eq!(on_the_log(&source).await, 0);
    assert_eq!((birthday(&source, 1).await, birthday(&source, 2).await), (None, None));
    let since = |call: &renkei_sandbox::feed::Call| call.updated_since;
    let asked = source.company("c1", |company| company.log().calls().map(since).collect::<Vec<_>>()).await;
    let activated = activated.timestamp();
    assert!(!asked.is_empty() && asked.iter().all(|since| *since == Some(activated)), "{asked:?} is not {activated}");
}

#[tokio::test]
async fn a_record_that_becomes_visible_five_minutes_late_is_found_by_the_overlap() {
    let mut source = source().await;
    source.run_for(MINUTE * 11).await;
    // At :13 two people change. One is seen at once, which moves the watermark; the other only after the sweep of :15.
    let now = source.world.now();
    source.company("c1", |company| company.put_late(now, as_feed(1, now), 290_000).unwrap()).await;
    source.run_for(SECOND * 30).await;
    source.edit("c1", 2, json!({})).await;
    source.run_for(HOUR).await;
    assert!(birthday(&source, 1).await.is_some() && birthday(&source, 2).await.is_some());
}

#[tokio::test]
async fn a_page_that_was_not_acknowledged_by_the_log_is_read_again_and_the_watermark_waits() {
    struct Sometimes {
        log: EmbeddedWriter,
        away: AtomicBool,
    }
    #[async_trait::async_trait]
    impl LogWriter for Sometimes {
        async fn append(&self, records: Vec<NewRecord>, deadline: Duration) -> Result<(), LogError> {
            if self.away.load(Ordering::SeqCst) {
                return Err(LogError::Deadline);
            }
            self.log.append(records, deadline).await
        }
        async fn reachable(&self) -> bool {
            true
        }
        async fn flush(&self, _: Duration) -> usize {
            0
        }
    }
    let mut source = source().await;
    let log = Arc::new(Sometimes { log: source.world.log.clone(), away: AtomicBool::new(true) });
    source.processes.clear();
    source.start("s1", log.clone());
    source.run_for(SECOND).await;
    let before = feed(&source).await;
    source.edit("c1", 1, json!({})).await;
    source.run_for(HOUR).await;
    let now = feed(&source).await;
    assert_eq!((now.watermark, now.sweeps), (before.watermark, before.sweeps));
    log.away.store(false, Ordering::SeqCst);
    source.run_for(MINUTE * 2).await;
    assert!(birthday(&source, 1).await.is_some());
    assert_eq!(feed(&source).await.sweeps, before.sweeps + 1);
}

/// 450 changed people are three pages.
async fn three_pages(source: &Source) {
    for index in 0..450 {
        source.edit("c1", index, json!({})).await;
    }
}

#[tokio::test]
async fn a_sweep_whose_process_dies_goes_on_at_the_same_page_and_doubles_nothing() {
    let mut source = source().await;
    source.run_for(MINUTE).await;
    three_pages(&source).await;
    let slot = renkei_workers::sweep::calendar::next_quarter(source.world.now());
    source.run_until(slot - SECOND).await;
    source.world.run_until(slot + SECOND).await;
    // One step reads one page; then this process is never heard of again.
    let dead = source.processes.remove(0);
    let before = calls(&source).await;
    dead.sweeper.step(&dead.context).await.unwrap();
    assert_eq!((calls(&source).await, on_the_log(&source).await), (before + 1, 200));
    source.start("s2", Arc::new(source.world.log.clone()));
    source.run_for(MINUTE * 5).await;
    assert_eq!((calls(&source).await, on_the_log(&source).await), (before + 3, 450));
    let [run] = all_runs(&source).await.try_into().unwrap();
    assert_eq!((run.counts["new"], run.counts["calls"]), (450, 3));
}

#[tokio::test]
async fn two_processes_never_sweep_one_source_at_the_same_time() {
    let mut source = source().await;
    source.start("s2", Arc::new(source.world.log.clone()));
    source.run_for(MINUTE).await;
    three_pages(&source).await;
    let slot = renkei_workers::sweep::calendar::next_quarter(source.world.now());
    source.run_until(slot - SECOND).await;
    let before = calls(&source).await;
    source.run_until(slot + MINUTE * 14).await;
    assert_eq!((calls(&source).await, on_the_log(&source).await), (before + 3, 450));
}

#[tokio::test]
async fn after_an_outage_of_hours_there_is_one_sweep_and_not_one_for_each_quarter() {
    let mut source = source().await;
    source.run_for(MINUTE * 20).await;
    let before = calls(&source).await;
    source.edit("c1", 1, json!({})).await;
    // Nobody sweeps for three hours.
    source.world.run_for(HOUR * 3).await;
    source.run_for(SECOND * 30).await;
    assert_eq!(calls(&source).await, before + 1);
    assert!(birthday(&source, 1).await.is_some());
    let now = source.world.now();
    let job = jobs::find(&source.world.store.db, &feeds::sweep_job("c1"), now).await.unwrap().unwrap();
    assert_eq!(job.slot, renkei_workers::sweep::calendar::next_quarter(now));
}

#[tokio::test]
async fn bad_answers_of_a_feed_lose_nothing_and_are_told_as_they_should() {
    let until = |at: Millis| Some(at);
    type Fault = Box<dyn Fn(Millis) -> Faults>;
    let table: Vec<(&str, Fault, Option<Code>)> = vec![
        ("reset", Box::new(|_| Faults { resets: 3, ..Faults::default() }), Some(Code::SourceFeedUnavailable)),
        ("500", Box::new(|_| Faults { errors_500: 3, ..Faults::default() }), Some(Code::SourceFeedUnavailable)),
        ("bare 503", Box::new(|_| Faults { bare_503: 2, ..Faults::default() }), Some(Code::SourceFeedUnavailable)),
        (
            "503 with a time",
            Box::new(move |now| Faults { unavailable_until: until(now + MINUTE * 20), ..Faults::default() }),
            Some(Code::SourceFeedUnavailable),
        ),
        ("HTML", Box::new(|_| Faults { html_pages: 1, ..Faults::default() }), Some(Code::SourceFeedUnreadable)),
        ("nothing", Box::new(|_| Faults { empty_bodies: 1, ..Faults::default() }), Some(Code::SourceFeedUnreadable)),
        ("cut off", Box::new(|_| Faults { cut_bodies: 2, ..Faults::default() }), None),
        ("401", Box::new(|_| Faults { unauthorized: 1, ..Faults::default() }), Some(Code::SourceFeedUnauthorized)),
        ("a cursor that ends", Box::new(|_| Faults { spared: 1, expired_cursors: 1, ..Faults::default() }), None),
    ];
    for (name, fault, code) in table {
        let mut source = source().await;
        source.run_for(MINUTE).await;
        three_pages(&source).await;
        let slot = renkei_workers::sweep::calendar::next_quarter(source.world.now());
        source.run_until(slot - SECOND).await;
        let faults = fault(source.world.now());
        source.company("c1", |company| *company.faults_mut() = faults).await;
        source.run_until(slot + SECOND).await;
        let trouble = feed(&source).await.trouble;
        if let Some(code) = code {
            assert_eq!(trouble.as_ref().map(|(code, _)| code.as_str()), Some(code.as_str()), "{name}");
        }
        source.run_for(HOUR).await;
        assert_eq!(on_the_log(&source).await, 450, "{name}");
        assert_eq!(feed(&source).await.trouble, None, "{name}");
    }
}

#[tokio::test]
async fn a_feed_that_never_takes_its_own_cursors_is_in_trouble_and_is_not_asked_without_end() {
    let mut source = source().await;
    source.run_for(MINUTE).await;
    three_pages(&source).await;
    source.company("c1", |company| company.faults_mut().expired_cursors = u32::MAX).await;
    source.run_for(HOUR).await;
    assert_eq!(feed(&source).await.trouble.map(|(code, _)| code), Some(Code::SourceFeedUnreadable.as_str().to_owned()));
    let asked = calls(&source).await;
    assert!(asked <= 5 * 6, "{asked}");
    source.company("c1", |company| *company.faults_mut() = Faults::default()).await;
    source.run_for(HOUR).await;
    assert_eq!((on_the_log(&source).await, feed(&source).await.trouble), (450, None));
}

#[tokio::test]
async fn a_record_that_breaks_the_contract_is_parked_once_and_stops_nobody() {
    let mut source = source().await;
    source.run_for(MINUTE).await;
    source.edit("c1", 1, json!({"birthday": "1991-02-30"})).await;
    source.edit("c1", 2, json!({})).await;
    let strange = vec![json!({"employee_id": "", "updated_at": "yesterday"}), json!(7)];
    source.company("c1", |company| company.faults_mut().strange_records = strange).await;
    source.run_for(HOUR * 2).await;
    assert!(birthday(&source, 2).await.is_some());
    assert_eq!(source.world.count("c1", RowState::Parked).await, 3);
    assert_eq!(on_the_log(&source).await, 4);
}

#[tokio::test]
async fn two_sweeps_in_a_row_that_find_old_changes_say_that_the_webhook_is_silent() {
    for (webhooks, sweeps, told) in [(true, 1, false), (true, 2, true), (false, 3, false)] {
        let mut source = Source::beside(World::simple().await);
        source.give_feed("c1", webhooks).await;
        for index in 0..sweeps {
            source.run_for(SECOND).await;
            source.edit("c1", index, json!({})).await;
            // Over ten minutes before the quarter hour that finds it.
            source.run_for(MINUTE * 15).await;
        }
        let silent = feeds::silent(&source.world.store.db, 2).await.unwrap();
        assert_eq!(!silent.is_empty(), told, "webhooks {webhooks}, {sweeps} sweeps: {:?}", feed(&source).await.missed);
        source.run_for(MINUTE * 30).await;
        assert_eq!(feeds::silent(&source.world.store.db, 2).await.unwrap(), [], "a sweep without finds ends it");
    }
}

#[tokio::test]
async fn a_feed_of_a_connection_that_was_never_on_is_read_once_as_a_baseline() {
    let mut world =
        World::new(7, vec![renkei_sandbox::kaonavi::sample::company("a")], renkei_sandbox::transport::no_latency())
            .await;
    world.link(crate::world::Link { wanted: false, ..crate::world::link("c1", "a") }).await;
    let mut source = Source::beside(world);
    let long_ago = source.world.now() - HOUR * 24 * 400;
    source.give_feed("c1", true).await;
    for index in 0..250 {
        source.company("c1", |company| company.put_dated(long_ago, as_feed(index, long_ago)).unwrap()).await;
    }
    source.run_for(HOUR).await;
    assert_eq!(source.world.count("c1", RowState::Baseline).await, 250);
    let [run] = all_runs(&source).await.try_into().unwrap();
    assert_eq!((run.kind, run.counts["new"], run.counts["calls"]), (RunKind::FirstLoad, 250, 2));
    source.world.want("c1").await;
    source.run_for(HOUR).await;
    let members = source.world.company("a", |company| company.members().len()).await;
    assert_eq!(members, 0, "activation writes nobody");
    source.edit("c1", 3, json!({"birthday": "1993-03-03"})).await;
    source.run_for(MINUTE * 17).await;
    assert_eq!(birthday(&source, 3).await.as_deref(), Some("1993-03-03"));
}

#[tokio::test]
async fn i6_what_a_sweep_finds_while_the_switch_is_off_waits_and_a_disconnected_source_is_left_alone() {
    let mut source = source().await;
    let clock = source.world.clock.clone();
    let store = source.world.store.clone();
    source
        .world
        .run_with(async { renkei_store::switch::pause(&store, clock.as_ref(), "c1", "test").await.unwrap() })
        .await;
    source.edit("c1", 1, json!({})).await;
    source.run_for(HOUR).await;
    assert_eq!((birthday(&source, 1).await, on_the_log(&source).await), (None, 1));
    renkei_store::switch::resume(&store, "c1", "test").await.unwrap();
    source.world.wake_all();
    source.run_for(MINUTE).await;
    assert!(birthday(&source, 1).await.is_some());
    source
        .world
        .run_with(async { renkei_store::switch::disconnect(&store, clock.as_ref(), "c1", "test").await.unwrap() })
        .await;
    let before = calls(&source).await;
    source.edit("c1", 2, json!({})).await;
    source.run_for(HOUR).await;
    assert_eq!((calls(&source).await, feed(&source).await.token.is_none()), (before, true));
}
