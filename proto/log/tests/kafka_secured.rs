//! TLS and SCRAM, against a broker that wants both.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests stop the test")]

use std::sync::Arc;
use std::time::Duration;

use renkei_e2e::servers::{Kafka, KafkaOptions};
use renkei_events::topic::Topic;
use renkei_log::kafka::{KafkaLogin, KafkaReader, KafkaSettings, KafkaTls, KafkaWriter, SaslMechanism, ensure_topics};
use renkei_log::{LogError, LogReader, LogWriter, NewRecord};
use renkei_runtime::clock::{Clock, SystemClock};

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn only_a_client_that_trusts_and_logs_in_gets_through() {
    let start = || Kafka::start_with(KafkaOptions { secured: true, ..KafkaOptions::default() });
    let kafka = tokio::task::spawn_blocking(start).await.unwrap().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::real());
    let login = |password: &str| {
        let (user, password) = (Kafka::USER.0.to_owned(), password.into());
        Some(KafkaLogin { mechanism: SaslMechanism::ScramSha512, user, password })
    };
    let tls = Some(KafkaTls { ca: Some(kafka.ca()), certificate: None });
    let plain = KafkaSettings::new(kafka.bootstrap().parse().unwrap());
    let good = KafkaSettings { tls: tls.clone(), login: login(Kafka::USER.1), ..plain.clone() };

    ensure_topics(&good, Arc::clone(&clock), PATIENCE).await.unwrap();
    let writer = KafkaWriter::new(good.clone(), Arc::clone(&clock)).unwrap();
    let record = NewRecord { topic: Topic::Employee, key: "c/1".into(), headers: vec![], value: b"x".to_vec() };
    writer.append(vec![record.clone()], PATIENCE).await.unwrap();
    let mut reader = KafkaReader::new(&good, "g", &[Topic::Employee], Arc::clone(&clock)).unwrap();
    let records = reader.read(1, PATIENCE).await.unwrap();
    assert_eq!(records[0].value, b"x");
    reader.commit(&[records[0].position]).await.unwrap();
    Box::new(reader).close().await.unwrap();

    let stranger = KafkaTls::default();
    let refused = [
        ("wrong password", "uthentication", KafkaSettings { tls: tls.clone(), login: login("wrong"), ..plain.clone() }),
        ("no login", "", KafkaSettings { tls, ..plain.clone() }),
        (
            "unknown authority",
            "certificate",
            KafkaSettings { tls: Some(stranger), login: login(Kafka::USER.1), ..plain.clone() },
        ),
        ("no TLS", "", plain),
    ];
    for (name, why, settings) in refused {
        let answer = ensure_topics(&settings, Arc::clone(&clock), Duration::from_secs(1)).await;
        println!("{name}: {answer:?}");
        assert!(
            matches!(&answer, Err(LogError::Setup(reason) | LogError::Unavailable(reason)) if reason.contains(why))
        );
        assert_eq!(matches!(answer, Err(LogError::Setup(_))), !why.is_empty(), "{name}");
        let writer = KafkaWriter::new(settings, Arc::clone(&clock)).unwrap();
        let answer = writer.append(vec![record.clone()], Duration::from_millis(800)).await;
        assert!(answer.is_err(), "{name}: {answer:?}");
        assert!(!writer.reachable().await, "{name}");
    }

    let missing = KafkaTls { ca: Some("/nowhere/ca.pem".into()), certificate: None };
    let settings = KafkaSettings { tls: Some(missing), ..good };
    let answer = KafkaWriter::new(settings, clock);
    assert!(matches!(&answer, Err(LogError::Setup(reason)) if reason.contains("ca.pem")), "{answer:?}");
}
