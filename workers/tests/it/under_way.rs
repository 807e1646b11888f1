//! What one step of a job is at is nobody else's: a worker takes due jobs while others of its own are under way, and one that
//! is due again in the midst of a step would be begun a second time beside it, with a second call to the source.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::civil::{Date, date};
use renkei_log::{LogError, LogWriter, NewRecord};
use renkei_runtime::http::{OutRequest, OutResponse, Transport, TransportError};
use renkei_sandbox::kingoftime;
use renkei_simulation::attendance::Attendance;
use renkei_simulation::source::Source;
use renkei_store::jobs;
use renkei_workers::context::Context;
use renkei_workers::sweep::{KINDS, Sweeper};
use serde_json::json;

use crate::company::{HOUR, MINUTE};
use crate::world::World;

const TODAY: Date = date(2026, 4, 1);

/// Stands before log and network, and asks at each call for a job, as this worker does for its next step.
struct Watch {
    context: Context,
    owner: String,
    log: Arc<dyn LogWriter>,
    calls: AtomicUsize,
    appends: AtomicUsize,
}

impl Watch {
    /// Lets a process work behind a watch.
    fn over(context: &mut Context, sweeper: &mut Sweeper) -> Arc<Self> {
        let watch = Arc::new(Self {
            context: context.clone(),
            owner: sweeper.owner.clone(),
            log: sweeper.log.clone(),
            calls: AtomicUsize::new(0),
            appends: AtomicUsize::new(0),
        });
        (context.transport, sweeper.log) = (watch.clone(), watch.clone());
        watch
    }

    async fn look(&self, when: &str) {
        let now = self.context.store.now().await.unwrap();
        let due = jobs::claim(&self.context.store, &self.owner, &KINDS, now, Duration::from_secs(90), 1).await.unwrap();
        let names: Vec<_> = due.iter().map(|job| job.name.as_str()).collect();
        assert!(names.is_empty(), "due in the midst of a step, {when}: {names:?}");
    }

    fn seen(&self) -> (usize, usize) {
        (self.calls.load(Ordering::SeqCst), self.appends.load(Ordering::SeqCst))
    }
}

#[async_trait::async_trait]
impl Transport for Watch {
    async fn send(&self, request: OutRequest) -> Result<OutResponse, TransportError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.look("at a call").await;
        self.context.transport.send(request).await
    }
}

#[async_trait::async_trait]
impl LogWriter for Watch {
    async fn append(&self, records: Vec<NewRecord>, deadline: Duration) -> Result<(), LogError> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        self.look("before the log").await;
        self.log.append(records, deadline).await
    }
    async fn reachable(&self) -> bool {
        self.log.reachable().await
    }
    async fn flush(&self, deadline: Duration) -> usize {
        self.log.flush(deadline).await
    }
}

async fn a_window_is_nobody_elses(mut attendance: Attendance) {
    let process = &mut attendance.processes[0];
    let watch = Watch::over(&mut process.context, &mut process.sweeper);
    attendance.run_to(TODAY.tomorrow().unwrap(), 6, 0).await;
    let [run] = attendance.runs().await.try_into().unwrap();
    let (calls, appends) = watch.seen();
    assert_eq!(i64::try_from(calls).unwrap(), run.counts["calls"], "each call is counted once");
    assert!(appends > 0 && run.counts["changed"] > 4_000, "{appends}, {:?}", run.counts);
}

#[tokio::test]
async fn a_step_of_a_window_of_hrmos_is_begun_once() {
    a_window_is_nobody_elses(Attendance::sample(120, date(2026, 1, 1), date(2026, 4, 30)).await).await;
}

#[tokio::test]
async fn a_step_of_a_window_of_king_of_time_is_begun_once() {
    let company = kingoftime::sample::company("k1", 120, date(2026, 1, 1), date(2026, 4, 30), 11);
    a_window_is_nobody_elses(Attendance::with_kingoftime(company).await).await;
}

#[tokio::test]
async fn a_step_of_a_sweep_is_begun_once() {
    let mut source = Source::beside(World::simple().await);
    source.give_feed("c1", true).await;
    let process = &mut source.processes[0];
    let watch = Watch::over(&mut process.context, &mut process.sweeper);
    source.run_for(MINUTE).await;
    for index in 0..450 {
        source.edit("c1", index, json!({})).await;
    }
    source.run_for(HOUR).await;
    let (calls, appends) = watch.seen();
    assert!(calls > 3 && appends >= 3, "{calls} {appends}");
}
