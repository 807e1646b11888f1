//! The simulator where the network would be.

#![allow(clippy::unwrap_used, reason = "a test that can not go on ends here")]

use std::sync::Arc;
use std::time::Duration;

use renkei_runtime::clock::{BoxFuture, Clock, Millis};
use renkei_runtime::http::{OutRequest, Transport, TransportError};
use renkei_sandbox::kaonavi::transport::{Latency, SimTransport, Trip, no_latency, seeded_latency};
use renkei_sandbox::kaonavi::{Faults, Kaonavi, Shared, sample};
use serde_json::{Value, json};

/// Tokio's paused time as a clock.
#[derive(Debug)]
struct Paused(tokio::time::Instant);

impl Clock for Paused {
    fn now(&self) -> Millis {
        Millis(1_775_001_600_000) + self.0.elapsed()
    }
    fn wall(&self) -> jiff::Timestamp {
        self.now().timestamp()
    }
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
    fn boot(&self) -> Duration {
        self.0.elapsed()
    }
    fn boot_id(&self) -> String {
        "paused".to_owned()
    }
    fn scale(&self) -> u32 {
        1
    }
    fn sleep(&self, real: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(real))
    }
}

struct Desk {
    transport: SimTransport,
    kaonavi: Shared,
    clock: Arc<Paused>,
    token: String,
}

impl Desk {
    async fn open() -> Self {
        let clock = Arc::new(Paused(tokio::time::Instant::now()));
        let mut kaonavi = Kaonavi::new();
        kaonavi.add(sample::company("c1")).unwrap();
        let kaonavi = kaonavi.shared();
        let transport = SimTransport::new(kaonavi.clone(), clock.clone(), "http://kaonavi.test", no_latency());
        let mut desk = Self { transport, kaonavi, clock, token: String::new() };
        let mut request = desk.request("POST", "token", None);
        let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "key-c1:secret-c1");
        request.headers = vec![
            ("authorization", format!("Basic {basic}")),
            ("content-type", "application/x-www-form-urlencoded;charset=UTF-8".to_owned()),
        ];
        request.body = Some(b"grant_type=client_credentials".to_vec());
        let body = desk.transport.send(request).await.unwrap().bytes(10_000).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        body["access_token"].as_str().unwrap().clone_into(&mut desk.token);
        desk
    }

    fn request(&self, method: &'static str, resource: &str, body: Option<Value>) -> OutRequest {
        OutRequest {
            method,
            url: format!("http://kaonavi.test/api/v2.0/{resource}"),
            headers: vec![("kaonavi-token", self.token.clone()), ("content-type", "application/json".to_owned())],
            body: body.map(|body| body.to_string().into_bytes()),
            deadline: Duration::from_secs(30),
        }
    }

    fn hire(&self, code: &str) -> OutRequest {
        self.request("POST", "members", Some(json!({ "member_data": [{ "code": code, "name": "試験" }] })))
    }

    async fn tasks(&self) -> usize {
        self.kaonavi.lock().await.company(self.clock.now(), "c1").unwrap().tasks().count()
    }

    async fn fault(&self, faults: Faults) {
        let now = self.clock.now();
        self.kaonavi.lock().await.company(now, "c1").unwrap().set_faults(now, faults);
    }
}

fn ways(there: u64, back: u64) -> Latency {
    Box::new(move |_| Trip { there: Duration::from_secs(there), back: Duration::from_secs(back) })
}

#[tokio::test(start_paused = true)]
async fn a_call_counts_when_it_arrives_and_is_answered_after_the_way_back() {
    let desk = Desk::open().await;
    desk.transport.set_latency(ways(2, 3));
    let start = desk.clock.now();
    let answer = desk.transport.send(desk.hire("A1")).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(desk.clock.now().since(start), Duration::from_secs(5));
    let mut kaonavi = desk.kaonavi.lock().await;
    let company = kaonavi.company(desk.clock.now(), "c1").unwrap();
    assert_eq!(company.log().update_calls().next().unwrap().at, start + Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_on_the_way_back_leaves_the_effect() {
    let desk = Desk::open().await;
    for (there, back, tasks) in [(10, 25, 1), (30, 0, 1), (31, 0, 1), (0, 30, 2)] {
        desk.transport.set_latency(ways(there, back));
        let start = desk.clock.now();
        let code = format!("{there}-{back}");
        let fault = desk.transport.send(desk.hire(&code)).await.err();
        assert_eq!(fault, Some(TransportError::Deadline));
        assert_eq!(desk.clock.now().since(start), Duration::from_secs(30));
        assert_eq!(desk.tasks().await, tasks, "{there} s there, {back} s back");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_arrives_only_if_it_was_there() {
    let desk = Desk::open().await;
    desk.transport.set_latency(ways(2, 2));
    for (dropped_after, tasks) in [(1, 0), (3, 1)] {
        let call = desk.transport.send(desk.hire("A1"));
        assert!(tokio::time::timeout(Duration::from_secs(dropped_after), call).await.is_err());
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(desk.tasks().await, tasks);
    }
}

#[tokio::test(start_paused = true)]
async fn faults_of_the_way_have_their_names() {
    let desk = Desk::open().await;
    let mut elsewhere = desk.hire("A1");
    elsewhere.url = "http://kaonavi.test.example/api/v2.0/members".to_owned();
    assert!(matches!(desk.transport.send(elsewhere).await.err(), Some(TransportError::NotSent(_))));
    desk.transport.set_unreachable(true);
    assert!(matches!(desk.transport.send(desk.hire("A1")).await.err(), Some(TransportError::NotSent(_))));
    desk.transport.set_unreachable(false);
    desk.fault(Faults { reset_after_acceptance: 1, ..Faults::default() }).await;
    assert!(matches!(desk.transport.send(desk.hire("A1")).await.err(), Some(TransportError::NoAnswer(_))));
    assert_eq!(desk.tasks().await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_large_slow_body_comes_in_pieces_until_the_deadline() {
    let desk = Desk::open().await;
    for (seconds, whole) in [(0, true), (20, true), (40, false)] {
        desk.fault(Faults { members_padding: 200_000, members_body_ms: seconds * 1000, ..Faults::default() }).await;
        let start = desk.clock.now();
        let answer = desk.transport.send(desk.request("GET", "members", None)).await.unwrap();
        let body = answer.bytes(1_000_000).await;
        match body {
            Ok(body) => assert!(whole && serde_json::from_slice::<Value>(&body).is_ok()),
            Err(fault) => assert!(!whole && fault == TransportError::Deadline),
        }
        // Each piece may be a millisecond late.
        assert!(desk.clock.now().since(start) <= Duration::from_millis(30_050));
    }
}

#[tokio::test(start_paused = true)]
async fn ways_are_the_same_for_the_same_seed() {
    let desk = Desk::open().await;
    let request = desk.hire("A1");
    let draw = |seed| {
        let mut latency = seeded_latency(seed, 20, 300, 10, 9_000);
        (0..200).map(|_| latency(&request)).collect::<Vec<Trip>>()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    assert!(draw(1).iter().any(|trip| trip.there + trip.back > Duration::from_millis(600)));
}
