//! What is on a topic, seen by a plain client.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};

use super::Watch;

pub struct Seen {
    pub headers: Vec<(String, Vec<u8>)>,
    pub value: Vec<u8>,
}

impl Seen {
    /// A header's text.
    pub fn header(&self, name: &str) -> String {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
    }
}

/// All records of a topic up to its end as of now.
pub fn read_topic(bootstrap: &str, topic: &str) -> Vec<Seen> {
    let seconds = Duration::from_secs(20);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "renkei-test-onlooker")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), seconds).unwrap();
    let mut wanted = TopicPartitionList::new();
    let mut left = 0;
    for partition in metadata.topics()[0].partitions() {
        let (low, high) = consumer.fetch_watermarks(topic, partition.id(), seconds).unwrap();
        left += high - low;
        wanted.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
    }
    consumer.assign(&wanted).unwrap();
    let watch = Watch::start();
    let mut seen = Vec::new();
    while i64::try_from(seen.len()).unwrap() < left {
        assert!(watch.elapsed() < Duration::from_secs(60), "{} of {left} records read", seen.len());
        let Some(Ok(message)) = consumer.poll(Duration::from_secs(1)) else { continue };
        let headers = message.headers().map(|headers| {
            headers.iter().map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect()
        });
        let value = message.payload().unwrap_or_default().to_vec();
        seen.push(Seen { headers: headers.unwrap_or_default(), value });
    }
    seen
}

/// Puts a bare record on a topic.
pub fn put(bootstrap: &str, topic: &str, key: &str, value: &str) {
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    producer.send(BaseRecord::to(topic).key(key).payload(value)).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_secs(20)).unwrap();
}
