//! Creates the topics, or checks them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use renkei_events::topic::Topic;
use renkei_runtime::clock::Clock;

use super::failure::{from_code, log_error};
use super::{KafkaSettings, MAX_RECORD_BYTES};
use crate::LogError;

/// How often a topic is looked for that another process created, a tenth of a second apart.
const PATIENCE: u32 = 50;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

type Admin = AdminClient<DefaultClientContext>;

/// Makes sure that the topics are there: creates the missing ones, and warns where an existing one is not as we would have
/// made it (which may be what its operator wants).
///
/// # Errors
/// [`LogError::Unavailable`] or [`LogError::Deadline`] when the brokers can not be asked within `deadline`;
/// [`LogError::Setup`] when a topic is neither there nor can be created.
pub async fn ensure_topics(
    settings: &KafkaSettings,
    clock: Arc<dyn Clock>,
    deadline: Duration,
) -> Result<(), LogError> {
    settings.check_files()?;
    let work = async {
        let asking = settings.clone();
        let reached = tokio::task::spawn_blocking({
            let clock = Arc::clone(&clock);
            move || reach(&asking, &*clock, deadline)
        })
        .await;
        reached.map_err(|error| LogError::Unavailable(error.to_string()))??;
        let admin: Admin = settings.client().create().map_err(|error| LogError::Setup(format!("{error}")))?;
        let admin = Arc::new(admin);
        let options = AdminOptions::new().request_timeout(Some(deadline)).operation_timeout(Some(deadline));
        for topic in Topic::ALL {
            if !create(&admin, settings, topic, &options).await? {
                check(&admin, settings, topic, &options, &*clock, deadline).await?;
            }
        }
        Ok(())
    };
    // The client's own deadlines answer first, with a better reason.
    tokio::time::timeout(deadline + Duration::from_secs(1), work).await.unwrap_or(Err(LogError::Deadline))
}

/// Waits until the brokers answer. An admin client would only time out; this one hears why: a wrong password, an unknown
/// certificate.
fn reach(settings: &KafkaSettings, clock: &dyn Clock, deadline: Duration) -> Result<(), LogError> {
    let setup = |error: KafkaError| LogError::Setup(error.to_string());
    let client: BaseConsumer<Complaints> =
        settings.client().create_with_context(Complaints::default()).map_err(setup)?;
    let end = clock.monotonic() + deadline;
    loop {
        let left = end.saturating_sub(clock.monotonic());
        let answer = client.fetch_metadata(None, left.min(Duration::from_millis(300)));
        if answer.is_ok() {
            return Ok(());
        }
        // Events come one by one, and the log lines between them as nothing.
        for _ in 0..100 {
            client.poll(Duration::ZERO);
        }
        let complaint = client.context().last.lock().unwrap_or_else(PoisonError::into_inner).take();
        match complaint {
            Some((Some(code), reason)) if matches!(from_code(code), LogError::Setup(_)) => {
                return Err(LogError::Setup(reason));
            }
            Some((_, reason)) if left.is_zero() => return Err(LogError::Unavailable(reason)),
            None if left.is_zero() => {
                return Err(LogError::Unavailable(format!("{} does not answer", settings.brokers)));
            }
            kept => *client.context().last.lock().unwrap_or_else(PoisonError::into_inner) = kept,
        }
    }
}

/// Keeps the last error that belongs to no call.
#[derive(Default)]
struct Complaints {
    last: Mutex<Option<(Option<Code>, String)>>,
}

impl ClientContext for Complaints {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        // That all brokers are down says less than the reason before it.
        if code != Some(Code::AllBrokersDown) {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((code, reason.to_owned()));
        }
    }
}

impl ConsumerContext for Complaints {}

/// Creates a topic; `false` when it is there already, or is not ours to create.
async fn create(
    admin: &Admin,
    settings: &KafkaSettings,
    topic: Topic,
    options: &AdminOptions,
) -> Result<bool, LogError> {
    let name = settings.topic_name(topic);
    let replicas = settings.replication.map_or(-1, |count| i32::from(count.get()));
    let retention = retention_ms(topic).to_string();
    let largest = MAX_RECORD_BYTES.to_string();
    let new = NewTopic::new(&name, i32::from(settings.partitions.get()), TopicReplication::Fixed(replicas))
        .set("cleanup.policy", "delete")
        .set("retention.ms", &retention)
        .set("max.message.bytes", &largest);
    let results = admin.create_topics([&new], options).await.map_err(|error| log_error(&error))?;
    match results.into_iter().next() {
        Some(Ok(_)) => {
            tracing::info!(kafka.topic = name, kafka.partitions = settings.partitions.get(), "log topic created");
            Ok(true)
        }
        // Whoever may not create topics is told below if it is not there.
        None
        | Some(Err((
            _,
            Code::TopicAlreadyExists | Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed,
        ))) => Ok(false),
        Some(Err((_, code))) => Err(match from_code(code) {
            LogError::Setup(reason) => LogError::Setup(format!("topic {name} can not be created: {reason}")),
            other => other,
        }),
    }
}

async fn check(
    admin: &Arc<Admin>,
    settings: &KafkaSettings,
    topic: Topic,
    options: &AdminOptions,
    clock: &dyn Clock,
    deadline: Duration,
) -> Result<(), LogError> {
    let name = settings.topic_name(topic);
    let mut partitions = 0;
    // Another process may have created it a moment ago, and not every broker knows yet.
    for attempt in 0..PATIENCE {
        if attempt > 0 {
            clock.sleep(Duration::from_millis(100)).await;
        }
        let (admin, name) = (Arc::clone(admin), name.clone());
        let ask = move || {
            let metadata = admin.inner().fetch_metadata(Some(&name), deadline).map_err(|error| log_error(&error))?;
            let found = metadata.topics().iter().find(|found| found.name() == name);
            Ok(found.filter(|found| found.error().is_none()).map_or(0, |found| found.partitions().len()))
        };
        let asked = tokio::task::spawn_blocking(ask).await;
        partitions = asked.map_err(|error| LogError::Unavailable(error.to_string()))??;
        if partitions > 0 {
            break;
        }
    }
    if partitions == 0 {
        return Err(LogError::Setup(format!(
            "topic {name} is not there and may not be created by us; create it first"
        )));
    }
    if partitions < usize::from(settings.partitions.get()) {
        tracing::warn!(
            kafka.topic = name,
            kafka.partitions = partitions,
            kafka.partitions.wanted = settings.partitions.get(),
            "log topic has fewer partitions than configured"
        );
    }
    check_settings(admin, &name, topic, options).await;
    Ok(())
}

/// Compares what matters and can be read; a reader of settings may be refused, which is no fault of the topic.
async fn check_settings(admin: &Admin, name: &str, topic: Topic, options: &AdminOptions) {
    let described = admin.describe_configs([&ResourceSpecifier::Topic(name)], options).await;
    let Ok(Some(Ok(described))) = described.map(|all| all.into_iter().next()) else {
        tracing::info!(kafka.topic = name, "settings of the log topic can not be read");
        return;
    };
    let value = |key: &str| described.get(key).and_then(|entry| entry.value.clone()).unwrap_or_default();
    let number = |key: &str| value(key).parse::<i64>().unwrap_or(0);
    // Minus one means for ever.
    let retention = number("retention.ms");
    if retention >= 0 && retention.unsigned_abs() < retention_ms(topic) {
        let wanted = retention_ms(topic);
        tracing::warn!(
            kafka.topic = name,
            retention.ms = retention,
            retention.ms.wanted = wanted,
            "log topic forgets too early"
        );
    }
    if value("cleanup.policy").contains("compact") {
        tracing::warn!(kafka.topic = name, "log topic is compacted, so states of a person can go missing");
    }
    let largest = number("max.message.bytes");
    if largest.unsigned_abs() < MAX_RECORD_BYTES as u64 {
        let wanted = MAX_RECORD_BYTES;
        tracing::warn!(
            kafka.topic = name,
            largest.bytes = largest,
            largest.bytes.wanted = wanted,
            "log topic refuses large records"
        );
    }
}

fn retention_ms(topic: Topic) -> u64 {
    u64::from(topic.retention_days()) * DAY_MS
}
