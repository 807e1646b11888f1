//! Several machines in one network, and the same machine over a socket.

#![allow(clippy::unwrap_used, reason = "a test that can not go on ends here")]

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use renkei_runtime::clock::{BoxFuture, Clock, Millis};
use renkei_runtime::http::client::HttpClient;
use renkei_runtime::http::guard::AllowPrivate;
use renkei_runtime::http::{OutRequest, OutResponse, Transport, TransportError};
use renkei_sandbox::machine::{Machine, SharedMachine};
use renkei_sandbox::transport::{Hosts, Trip, no_latency};
use renkei_sandbox::wire::{Answer, SimRequest, SimResponse};
use tokio::sync::Mutex;

/// Says its name and what it was asked.
struct Parrot(&'static str);

impl Machine for Parrot {
    fn handle(&mut self, _now: Millis, request: SimRequest) -> SimResponse {
        if request.path == "/reset" {
            return SimResponse::Reset { delay: Duration::ZERO };
        }
        let said = format!("{} {} {}?{}", self.0, request.method, request.path, request.query);
        Answer::raw(201, "text/plain; charset=utf-8", said.into_bytes())
            .with_header("X-Total-Count", "3")
            .with_header("Link", "<a>; rel=\"next\"")
            .with_header("Link", "<b>; rel=\"last\"")
            .into()
    }
}

fn parrot(name: &'static str) -> SharedMachine {
    Arc::new(Mutex::new(Parrot(name)))
}

fn get(url: &str) -> OutRequest {
    OutRequest {
        method: "GET",
        url: url.to_owned(),
        headers: Vec::new(),
        body: None,
        deadline: Duration::from_secs(10),
    }
}

/// A clock that stands at the first of April 2026.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Millis {
        Millis(1_775_001_600_000)
    }
    fn wall(&self) -> jiff::Timestamp {
        self.now().timestamp()
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
    fn boot(&self) -> Duration {
        Duration::ZERO
    }
    fn boot_id(&self) -> String {
        "still".to_owned()
    }
    fn scale(&self) -> u32 {
        1
    }
    fn sleep(&self, real: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(real))
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(Still)
}

async fn said(answer: Result<OutResponse, TransportError>) -> String {
    String::from_utf8(answer.unwrap().bytes(1_000).await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_call_reaches_the_host_of_its_url_and_no_other() {
    let hosts = Hosts::new(clock(), no_latency())
        .with("https://one.test", parrot("one"))
        .with("https://two.test:8443/", parrot("two"));
    assert_eq!(said(hosts.send(get("https://one.test/a?b=c")).await).await, "one GET /a?b=c");
    assert_eq!(said(hosts.send(get("https://two.test:8443/a")).await).await, "two GET /a?");
    for unknown in ["https://two.test/a", "http://one.test/a", "https://one.test.example/a", "https://one.test"] {
        let fault = hosts.send(get(unknown)).await.err();
        assert!(matches!(fault, Some(TransportError::NotSent(_))), "{unknown}: {fault:?}");
    }
}

#[tokio::test]
async fn a_host_that_is_cut_off_leaves_the_others_alone() {
    let hosts =
        Hosts::new(clock(), no_latency()).with("http://one.test", parrot("one")).with("http://two.test", parrot("two"));
    assert!(hosts.cut("http://one.test", true));
    assert!(!hosts.cut("http://three.test", true));
    assert!(matches!(hosts.send(get("http://one.test/")).await.err(), Some(TransportError::NotSent(_))));
    assert_eq!(said(hosts.send(get("http://two.test/")).await).await, "two GET /?");
    hosts.cut("http://one.test", false);
    assert_eq!(said(hosts.send(get("http://one.test/")).await).await, "one GET /?");
    hosts.set_latency(Box::new(|request| {
        let there = if request.url.contains("one") { Duration::from_secs(60) } else { Duration::ZERO };
        Trip { there, back: Duration::ZERO }
    }));
    let mut slow = get("http://one.test/");
    slow.deadline = Duration::from_millis(5);
    assert_eq!(hosts.send(slow).await.err(), Some(TransportError::Deadline));
    assert_eq!(said(hosts.send(get("http://two.test/")).await).await, "two GET /?");
}

#[tokio::test]
async fn a_machine_says_the_same_in_process_and_over_http() {
    let clock = clock();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = renkei_sandbox::http::serve(listener, parrot("one"), clock.clone()).unwrap();
    let handle = server.handle();
    tokio::spawn(server);
    let near = Hosts::new(clock, no_latency()).with("http://one.test", parrot("one"));
    let far = HttpClient::new(AllowPrivate::parse(&["127.0.0.0/8".to_owned()]).unwrap()).unwrap();
    let mut all = Vec::new();
    for (transport, origin) in [(&near as &dyn Transport, "http://one.test"), (&far, address.as_str())] {
        let answer = transport.send(get(&format!("{origin}/a%2Bb?c=d"))).await.unwrap();
        assert_eq!(answer.status, 201);
        let mut headers = answer.headers.clone();
        // Only a socket needs it.
        headers.retain(|(name, _)| name != "content-length");
        headers.sort();
        assert_eq!(answer.header("Date"), Some("Wed, 01 Apr 2026 00:00:00 GMT"), "the machine's clock");
        assert_eq!(answer.header("x-total-COUNT"), Some("3"));
        assert_eq!(answer.header("x-total-page"), None);
        all.push((headers, said(Ok(answer)).await));
        let reset = transport.send(get(&format!("{origin}/reset"))).await.err();
        assert!(matches!(reset, Some(TransportError::NoAnswer(_))), "{reset:?}");
    }
    handle.stop(false).await;
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0].0.iter().filter(|(name, _)| name == "link").count(), 2);
}
