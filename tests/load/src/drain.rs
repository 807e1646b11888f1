//! How fast a backlog on Kafka comes into PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use renkei_events::event::{Change, EmployeeEvent, Origin};
use renkei_events::ids::{ConnectionId, EventId, Version};
use renkei_events::{parse, topic::Topic};
use renkei_log::kafka::{KafkaSettings, KafkaWriter, ensure_topics};
use renkei_log::{LogError, LogWriter as _, NewRecord};
use renkei_runtime::clock::{Clock, SystemClock};
use renkei_store::Store;
use renkei_store::connections::{self, ConnectionState};
use renkei_store::seal::MasterKey;

use crate::Options;
use crate::error::LoadError;
use crate::events;
use crate::machine;
use crate::stage::{CONNECTION, Servers, Stage};

/// The group as which the workers read, behind the prefix of the topics.
const GROUP: &str = "renkei-workers";

/// Records of one append, and appends under way at once.
const APPEND: usize = 500;
const APPENDS: usize = 8;

/// How long the brokers may take for one append or one question.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often the group's position is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// After this long without progress a drain has failed.
const STUCK: Duration = Duration::from_secs(60);

/// One backlog.
#[derive(Debug)]
pub struct Drain {
    /// What it was made of.
    pub name: &'static str,
    /// Records that were on the log.
    pub records: u64,
    /// From the first commit seen to the last.
    pub per_second: f64,
    /// From the start of the process to the last commit.
    pub whole: Duration,
    /// Time of the workers' process on the cores, per event.
    pub cpu: Duration,
    /// The same of PostgreSQL's processes.
    pub postgres_cpu: Duration,
    /// What is wrong with the rows, if anything.
    pub fault: Option<String>,
}

/// A kind of backlog.
struct Kind {
    name: &'static str,
    topic_prefix: &'static str,
    versions: usize,
}

const KINDS: [Kind; 2] = [
    Kind { name: "distinct employees", topic_prefix: "distinct", versions: 1 },
    Kind { name: "10 versions of each", topic_prefix: "versions", versions: 10 },
];

/// Measures both kinds of backlog, each on a store and topics of its own.
pub async fn measure(servers: &Servers, options: &Options) -> Result<Vec<Drain>, LoadError> {
    let mut drains = Vec::new();
    for kind in &KINDS {
        drains.push(one(servers, options, kind).await?);
    }
    Ok(drains)
}

async fn one(servers: &Servers, options: &Options, kind: &Kind) -> Result<Drain, LoadError> {
    let stage = Stage::set(servers, kind.topic_prefix, options.threads())?;
    activate_and_pause(&stage).await?;
    let people = (options.events.get() / kind.versions).max(1);
    println!("drain: writing {} events of {people} employees", people * kind.versions);
    fill(servers, &stage, people, kind.versions).await?;

    let group = Group::new(servers, &stage)?;
    let clock = SystemClock::real();
    let postgres = servers.postgres.folder();
    let (begun, postgres_before) = (clock.monotonic(), machine::cpu_in(postgres));
    let workers = stage.launch("renkei-workers", &[])?;
    let pid = workers.pid()?;
    let watched = tokio::task::spawn_blocking(move || group.watch()).await?;
    let progress = watched.map_err(|error| LoadError::Wrong(format!("{error}\n{}", workers.program.output())))?;
    let whole = clock.monotonic().saturating_sub(begun);
    let (cpu, postgres_cpu) = (machine::cpu(pid), machine::cpu_in(postgres).saturating_sub(postgres_before));
    println!("drain: {} done, {:.0} events/s", kind.name, progress.per_second());
    let stopped = workers.program.terminate(Duration::from_secs(30));
    let mut fault = judge(servers, &stage, people, kind.versions)?;
    if !stopped.is_some_and(|status| status.success()) {
        fault = fault.or_else(|| Some("the workers did not end in order".to_owned()));
    }
    let count = u32::try_from(progress.records).unwrap_or(u32::MAX).max(1);
    Ok(Drain {
        name: kind.name,
        records: progress.records,
        per_second: progress.per_second(),
        whole,
        cpu: cpu / count,
        postgres_cpu: postgres_cpu / count,
        fault,
    })
}

/// Active once, so that every row becomes due as in real work, and paused, so that nothing but consuming happens.
async fn activate_and_pause(stage: &Stage) -> Result<(), LoadError> {
    let master = MasterKey::parse(&stage.master_key).map_err(renkei_store::OpenError::from)?;
    let store = Store::open(&stage.store_url, &master, Arc::new(SystemClock::real())).await?;
    let tx = store.begin().await?;
    let now = store.now_in(&tx).await?;
    connections::switch_on(&tx, CONNECTION, now, None).await?;
    connections::switch_off(&store, &tx, CONNECTION, ConnectionState::Paused, None, None, now).await?;
    tx.commit().await?;
    store.db.close().await;
    Ok(())
}

/// Writes the backlog: the first versions of all people, then the second ones, and so on.
async fn fill(servers: &Servers, stage: &Stage, people: usize, versions: usize) -> Result<(), LoadError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::real());
    let mut settings = KafkaSettings::new(servers.kafka.bootstrap().parse()?);
    settings.topic_prefix = stage.topic_prefix.parse()?;
    // Filling is not what is measured: it may take its time on a busy machine.
    settings.delivery_timeout = PATIENCE;
    ensure_topics(&settings, Arc::clone(&clock), PATIENCE).await?;
    let writer = KafkaWriter::new(settings, Arc::clone(&clock))?;
    let now = clock.wall();
    let total = people * versions;
    let chunks = (0..total).step_by(APPEND).map(|first| {
        let last = (first + APPEND).min(total);
        let records: Result<Vec<NewRecord>, LoadError> =
            (first..last).map(|number| new_record(number % people, number / people, versions, now)).collect();
        let writer = &writer;
        async move { Ok::<(), LoadError>(writer.append(records?, PATIENCE).await?) }
    });
    stream::iter(chunks).buffered(APPENDS).try_collect::<Vec<()>>().await?;
    match writer.flush(PATIENCE).await {
        0 => Ok(()),
        _ => Err(LogError::Deadline.into()),
    }
}

/// A version as ingest writes it on the log; each is a second younger than the one before.
fn new_record(person: usize, version: usize, versions: usize, now: Timestamp) -> Result<NewRecord, LoadError> {
    let age = i64::try_from(versions - version).unwrap_or(1);
    let updated_at = now - SignedDuration::from_secs(age);
    let wrong = |what: &str| LoadError::Wrong(format!("an event can not be made: {what}"));
    let record = parse::record(&events::record(person, version, updated_at), now).map_err(|_| wrong("record"))?;
    let event = EmployeeEvent {
        event_id: EventId::new(format!("msg_{person}_{version}/0")).map_err(|_| wrong("event id"))?,
        connection_id: ConnectionId::new(CONNECTION).map_err(|_| wrong("connection id"))?,
        employee_id: record.employee_id.clone(),
        origin: Origin::Webhook,
        change: Change::Updated,
        received_at: now,
        version: Version::judge(record.updated_at, now),
        employee: Some(record),
        faults: Vec::new(),
    };
    let value = event.value().map_err(|_| wrong("value"))?;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    Ok(NewRecord { topic: Topic::Employee, key: event.key(), headers: event.headers(trace), value })
}

/// Every person is there, due, and in the newest version.
fn judge(servers: &Servers, stage: &Stage, people: usize, versions: usize) -> Result<Option<String>, LoadError> {
    let database = stage.store_url.rsplit('/').next().unwrap_or_default();
    let newest = "SELECT count(*) || ' ' || count(DISTINCT version) || ' ' || count(*) FILTER (WHERE state = 'due')
        || ' ' || coalesce(min(length(event_ids) - length(replace(event_ids, 'msg_', ''))), 0) / 4 FROM employees";
    let found = servers.postgres.sql(database, newest)?;
    let wanted = format!("{people} 1 {people} {}", versions.min(16));
    Ok((found != wanted).then(|| format!("rows, versions, due rows, event ids: {found}, and should be {wanted}")))
}

/// The workers' group on Kafka, looked at from outside.
struct Group {
    consumer: BaseConsumer,
    topic: String,
    /// Where each partition ends.
    ends: Vec<(i32, i64)>,
}

struct Progress {
    records: u64,
    first: (Duration, u64),
    last: Duration,
}

impl Progress {
    fn per_second(&self) -> f64 {
        let (since, before) = self.first;
        (self.records - before) as f64 / self.last.saturating_sub(since).as_secs_f64()
    }
}

impl Group {
    fn new(servers: &Servers, stage: &Stage) -> Result<Self, LoadError> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", servers.kafka.bootstrap());
        config.set("group.id", format!("{}{GROUP}", stage.topic_prefix));
        config.set("enable.auto.commit", "false").set("enable.metrics.push", "false");
        let consumer: BaseConsumer = config.create()?;
        let topic = format!("{}{}", stage.topic_prefix, Topic::Employee.name());
        let metadata = consumer.fetch_metadata(Some(&topic), PATIENCE)?;
        let partitions = metadata.topics().iter().flat_map(|found| found.partitions()).map(|partition| partition.id());
        let ends: Result<Vec<(i32, i64)>, LoadError> = partitions
            .map(|partition| Ok((partition, consumer.fetch_watermarks(&topic, partition, PATIENCE)?.1)))
            .collect();
        Ok(Self { consumer, ends: ends?, topic })
    }

    fn committed(&self) -> Result<u64, LoadError> {
        let mut list = TopicPartitionList::new();
        for (partition, _) in &self.ends {
            list.add_partition(&self.topic, *partition);
        }
        let committed = self.consumer.committed_offsets(list, PATIENCE)?;
        let offsets = committed.elements().into_iter().filter_map(|element| match element.offset() {
            Offset::Offset(offset) => u64::try_from(offset).ok(),
            _ => None,
        });
        Ok(offsets.sum())
    }

    /// Looks until everything is committed.
    fn watch(&self) -> Result<Progress, LoadError> {
        let clock = SystemClock::real();
        let records: u64 = self.ends.iter().filter_map(|(_, end)| u64::try_from(*end).ok()).sum();
        let mut first = None;
        let (mut best, mut moved) = (0, clock.monotonic());
        loop {
            // At first the brokers may not have agreed yet on who looks after the group.
            let committed = self.committed().unwrap_or(best);
            let now = clock.monotonic();
            if committed > best {
                (best, moved) = (committed, now);
                first.get_or_insert((now, committed));
            }
            if let Some(first) = first
                && committed >= records
            {
                return Ok(Progress { records, first, last: now });
            }
            if now.saturating_sub(moved) > STUCK {
                return Err(LoadError::Wrong(format!("{committed} of {records} events were taken, and then no more")));
            }
            std::thread::sleep(LOOK);
        }
    }
}
