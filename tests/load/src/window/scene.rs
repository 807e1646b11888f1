//! A company with a link to the source, クラウドログ's list of its members, and workers that read it.

use std::sync::Arc;
use std::time::Duration;

use renkei_runtime::clock::{Clock, Millis, SystemClock};
use renkei_store::attendance::files;
use renkei_store::attendance::members::{self, ListedMember};
use renkei_store::db::Sql as _;
use renkei_store::links::{self, Link};
use renkei_store::runs::{self, Run, RunState};
use renkei_store::seal::MasterKey;
use renkei_store::{Store, connections, jobs};
use renkei_workers::attendance::run::AT;
use renkei_workers::sweep::calendar;

use super::Turn;
use super::source::{COMPANY, DUE, Source, codes};
use crate::Options;
use crate::error::LoadError;
use crate::machine;
use crate::stage::{NOBODY, Servers, Stage, Started};

const TENANT: &str = "window";
const LINK: &str = "window";
/// How often is looked how far a window is.
const LOOK: Duration = Duration::from_millis(200);
/// How long a window may take until it is given up.
const PATIENCE: Duration = Duration::from_secs(1800);

/// Everything but the clock of the machine.
pub struct Scene {
    source: Source,
    scale: u32,
    /// Of the machine.
    clock: SystemClock,
    store: Store,
    workers: Started,
    /// Holds the files of the workers.
    _stage: Stage,
}

impl Scene {
    /// With a link whose first window is still to be put on the calendar, and workers that are ready. It is 05:00 there.
    pub async fn set(servers: &Servers, options: &Options, source: Source, scale: u32) -> Result<Self, LoadError> {
        let real = SystemClock::real();
        let anchor = anchor(calendar::on(DUE, AT), scale, real.now());
        let fast: Arc<dyn Clock> = Arc::new(SystemClock::scaled(anchor, scale));
        let origin = source.serve(&fast)?;
        let address = format!("RENKEI_{}_BASE_URL", source.kind.as_str().to_ascii_uppercase());
        let more = [("RENKEI_CLOCK_SCALE", scale.to_string()), (address.as_str(), origin)];
        let prefix = format!("window{}", source.kind.as_str());
        let stage = Stage::bare(servers, &prefix, options.threads(), NOBODY, &more)?;
        let store = open(&stage, &fast, anchor).await?;
        declare(&store, &source).await?;
        let workers = stage.start("renkei-workers", &["--roles", "sweep"])?;
        Ok(Self { source, scale, clock: real, store, workers, _stage: stage })
    }

    /// Lets the link's window be due now, and waits for its end and for the files.
    pub async fn turn(&self, name: String, calls: u64) -> Result<Turn, LoadError> {
        let pid = self.workers.pid()?;
        let (begun, cpu) = (self.clock.monotonic(), machine::cpu(pid));
        let before = self.last_run().await?.map(|run| run.id);
        self.due_now().await?;
        let mut ended: Option<(Run, Duration, u64)> = None;
        loop {
            let now = self.clock.monotonic();
            let pid = self.workers.pid()?;
            if ended.is_none()
                && let Some(run) = self.last_run().await?.filter(|run| Some(run.id) != before && run.ended.is_some())
            {
                if matches!(run.state, RunState::Failed | RunState::Cancelled) {
                    let output = self.workers.program.output();
                    return Err(LoadError::Wrong(format!("{name} failed: {:?}, {:?}\n{output}", run.code, run.counts)));
                }
                ended = Some((run, now, machine::memory(pid).1));
            }
            if let Some((run, end, memory)) = &ended
                && !jobs::is_there(&self.store.db, links::DECIDE, LINK).await?
            {
                let stats = self.source.calls().await?;
                let open = files::open(&self.store.db, LINK).await?;
                let count = |what: &str| run.counts.get(what).copied().unwrap_or(0);
                return Ok(Turn {
                    name,
                    scale: self.scale,
                    calls: (stats.calls, calls),
                    refused: stats.by_status.get(&429).copied().unwrap_or(0),
                    most_in_a_minute: stats.peak_per_minute,
                    memory: (*memory, machine::memory(pid).1),
                    rows: count("rows"),
                    changed: count("changed"),
                    files: (open.len(), open.iter().map(|file| file.rows).sum()),
                    injected: run.ended.map_or(Duration::ZERO, |ended| ended.since(run.started)),
                    real: (end.saturating_sub(begun), now.saturating_sub(*end)),
                    cpu: machine::cpu(pid).saturating_sub(cpu),
                });
            }
            if now.saturating_sub(begun) > PATIENCE {
                return Err(LoadError::Wrong(format!("{name} did not come to its end")));
            }
            self.clock.sleep(LOOK).await;
        }
    }

    async fn last_run(&self) -> Result<Option<Run>, LoadError> {
        Ok(runs::page(&self.store.db, TENANT, &[LINK], i64::MAX, 1).await?.pop())
    }

    /// Puts the window on the calendar, or lets the one that is there for tomorrow come now.
    async fn due_now(&self) -> Result<(), LoadError> {
        let tx = self.store.begin().await?;
        let slot = calendar::last_daily(self.store.now_in(&tx).await?, AT);
        let link = links::find(&self.store, &tx, LINK).await?;
        let link = link.ok_or_else(|| LoadError::Wrong("the link is gone".to_owned()))?;
        if !links::plan_window(&tx, &link, slot).await? {
            let sql = "UPDATE jobs SET slot_ms = $1, due_ms = $1 WHERE name = $2";
            tx.exec(sql, vec![slot.0.into(), links::window_job(LINK).into()]).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Where a clock that runs `scale` times as fast left the real one, so that it shows `wanted` when that one shows `real`.
fn anchor(wanted: Millis, scale: u32, real: Millis) -> Millis {
    let scale = i64::from(scale.max(2));
    Millis((scale * real.0 - wanted.0) / (scale - 1))
}

/// A new store has the time of whoever opens it first. This one gets `anchor`, which `clock` has left long ago.
async fn open(stage: &Stage, clock: &Arc<dyn Clock>, anchor: Millis) -> Result<Store, LoadError> {
    let master = MasterKey::parse(&stage.master_key).map_err(renkei_store::OpenError::from)?;
    let store = Store::open(&stage.store_url, &master, Arc::clone(clock)).await?;
    let of_time = "SELECT value FROM meta WHERE name = 'time_anchor'";
    let row =
        store.db.row(of_time, vec![]).await?.ok_or_else(|| LoadError::Wrong("the store has no time".to_owned()))?;
    let mut value: serde_json::Value =
        serde_json::from_str(&row.get::<String>("value")?).map_err(renkei_store::error::StoreError::from)?;
    value["at"] = anchor.0.into();
    let sql = "UPDATE meta SET value = $1 WHERE name = 'time_anchor'";
    store.db.exec(sql, vec![value.to_string().into()]).await?;
    store.db.close().await;
    Ok(Store::open(&stage.store_url, &master, Arc::clone(clock)).await?)
}

async fn declare(store: &Store, source: &Source) -> Result<(), LoadError> {
    let tx = store.begin().await?;
    let now = store.now_in(&tx).await?;
    connections::put_tenant(&tx, TENANT, "測定", now).await?;
    let company = (source.kind, COMPANY);
    let link = Link {
        name: "測定用の連携".to_owned(),
        // Before somebody has said what is closed no file is made.
        settings: serde_json::json!({"closing": {"kind": "not_used"}}).to_string(),
        ..Link::draft(store, LINK, TENANT, company, source.key(), calendar::today(now), now)
    };
    links::put(store, &tx, &link).await?;
    let listed: Vec<ListedMember> = codes(source.size)
        .zip(2..)
        .map(|(code, line)| ListedMember {
            own_text: code.clone(),
            code,
            name: None,
            first: None,
            last: None,
            active: true,
            lines: vec![line],
        })
        .collect();
    members::replace(store, &tx, TENANT, &listed, "load", now).await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use renkei_runtime::clock::scaled_time;

    use super::*;

    #[test]
    fn a_faster_clock_can_be_made_to_show_any_time() {
        for (wanted, scale, real) in [(1_000_000, 20, 5_000_000), (9_000_000, 2, 5_000_000), (5_000_000, 20, 5_000_000)]
        {
            let anchor = anchor(Millis(wanted), scale, Millis(real));
            let shown = scaled_time(anchor, scale, Millis(real));
            assert!((shown.0 - wanted).abs() < i64::from(scale), "{shown:?} {wanted}");
            let later = scaled_time(anchor, scale, Millis(real + 10));
            assert_eq!(later.0 - shown.0, 10 * i64::from(scale));
        }
    }
}
