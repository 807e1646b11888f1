//! I8: nothing personal and no secret leaves by logs, headers, keys, metrics or answers.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use tracing_subscriber::fmt::MakeWriter;

use crate::support::client::Request;
use crate::support::fakes::Mood;
use crate::support::sample::{PERSONAL, SECRET, hanako, many, one, updated};
use crate::support::serving::start;

/// Every line that this process logs, down to the finest.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn capture() -> Captured {
    static CAPTURED: OnceLock<Captured> = OnceLock::new();
    CAPTURED
        .get_or_init(|| {
            let captured = Captured::default();
            let subscriber =
                tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(captured.clone()).finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
            captured
        })
        .clone()
}

#[actix_web::test]
async fn i8_nothing_personal_in_logs_headers_keys_metrics_and_answers() {
    let captured = capture();
    let serving = start().await;
    let mut bad = hanako();
    bad["birthday"] = serde_json::json!("1990-02-28 ");
    let mut answers = Vec::new();
    for body in
        [updated(), one("employee.deleted", &hanako()), many(&[hanako(), bad.clone()]), one("employee.updated", &bad)]
    {
        answers.push(serving.send(&Request::signed(body)).await);
    }
    for request in [
        Request::signed(one("髙橋", &hanako())),
        Request::signed(format!("{}花子", updated())),
        Request::signed(updated()).set("webhook-signature", "v1,AAAA"),
        Request::signed(updated()).path("/webhooks/roumumate/hanako@example.com"),
        Request::signed(updated()).method("PUT"),
    ] {
        answers.push(serving.send(&request).await);
    }
    for mood in [Mood::Unavailable, Mood::Refused, Mood::Full] {
        serving.log.set(mood);
        answers.push(serving.send(&Request::signed(updated())).await);
    }
    let appended = serving.log.appends();
    assert_eq!(appended.iter().map(Vec::len).sum::<usize>(), 5);
    let outside: Vec<_> = appended.iter().flatten().map(|record| (&record.headers, &record.key)).collect();
    let metrics = serving.ask("/metrics").await;
    let places = [
        ("headers and keys", format!("{outside:?}")),
        ("metrics", String::from_utf8(metrics.body).unwrap()),
        ("answers", answers.iter().map(|answer| String::from_utf8(answer.body.clone()).unwrap()).collect()),
        ("logs", String::from_utf8(captured.0.lock().unwrap().clone()).unwrap()),
    ];
    assert!(places[3].1.contains("senders are told 503"), "logs are captured");
    for (place, text) in places {
        for value in PERSONAL.iter().chain(&[SECRET, &SECRET[6..]]) {
            assert!(!text.contains(value), "{value} stands in {place}");
        }
    }
}
