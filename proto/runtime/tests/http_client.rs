//! The real client against real sockets: what each failure says about whether the request arrived.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use renkei_runtime::http::client::HttpClient;
use renkei_runtime::http::guard::AllowPrivate;
use renkei_runtime::http::{OutRequest, Transport as _, TransportError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

fn client() -> HttpClient {
    HttpClient::new(AllowPrivate::parse(&["127.0.0.0/8".to_owned()]).unwrap()).unwrap()
}

fn post(url: impl Into<String>) -> OutRequest {
    OutRequest {
        method: "POST",
        url: url.into(),
        headers: vec![("content-type", "application/json".into())],
        body: Some(b"{}".to_vec()),
        deadline: Duration::from_millis(500),
    }
}

/// What the server does after it has read a request.
#[derive(Clone, Copy)]
enum Then {
    Answer(&'static str),
    CloseAtOnce,
    Silence,
    AnswerAndSilence(&'static str),
}

/// A server that does the same for every connection; its address, and how many connections came.
async fn server(then: Then) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream, then));
        }
    });
    (url, connections)
}

async fn serve(mut stream: TcpStream, then: Then) {
    let mut buffer = [0; 4096];
    let _ = stream.read(&mut buffer).await;
    match then {
        Then::Answer(text) => stream.write_all(text.as_bytes()).await.unwrap(),
        Then::CloseAtOnce => {}
        Then::Silence => tokio::time::sleep(Duration::from_secs(60)).await,
        Then::AnswerAndSilence(text) => {
            stream.write_all(text.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }
}

#[tokio::test]
async fn an_answer_comes_with_status_and_body() {
    let (url, _) = server(Then::Answer("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")).await;
    let answer = client().send(post(url)).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.bytes(100).await.unwrap(), b"hello");
}

#[tokio::test]
async fn an_answer_larger_than_wanted_is_not_read_to_its_end() {
    let (url, _) = server(Then::Answer("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")).await;
    let answer = client().send(post(url)).await.unwrap();
    assert_eq!(answer.bytes(4).await, Err(TransportError::TooLarge));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_never_followed() {
    let (elsewhere, reached) = server(Then::Answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).await;
    let text = format!("HTTP/1.1 302 Found\r\nlocation: {elsewhere}/\r\ncontent-length: 0\r\n\r\n");
    let (url, _) = server(Then::Answer(text.leak())).await;
    assert_eq!(client().send(post(url)).await.unwrap().status, 302);
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_refused_connection_was_not_sent() {
    // Held but not listened on, so that nobody else gets the port meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let free = socket.local_addr().unwrap();
    let fault = client().send(post(format!("http://{free}"))).await.err();
    assert!(matches!(fault, Some(TransportError::NotSent(_))), "{fault:?}");
}

#[tokio::test]
async fn a_name_that_does_not_exist_was_not_sent() {
    let fault = client().send(post("http://nowhere.invalid/")).await.err();
    // Where no name server answers at all, the deadline may come first; it never counts as sent with an answer.
    assert!(matches!(fault, Some(TransportError::NotSent(_) | TransportError::Deadline)), "{fault:?}");
}

#[tokio::test]
async fn a_failed_tls_handshake_was_not_sent() {
    let (url, _) = server(Then::Answer("this is no tls")).await;
    let fault = client().send(post(url.replace("http://", "https://"))).await.err();
    assert!(matches!(fault, Some(TransportError::NotSent(_))), "{fault:?}");
}

#[tokio::test]
async fn what_is_no_url_was_not_sent() {
    for url in ["", "not a url", "http://"] {
        let fault = client().send(post(url)).await.err();
        assert!(matches!(fault, Some(TransportError::NotSent(_))), "{fault:?}");
    }
}

#[tokio::test]
async fn a_connection_cut_after_the_request_leaves_it_open_whether_it_arrived_and_is_not_repeated() {
    let (url, connections) = server(Then::CloseAtOnce).await;
    let fault = client().send(post(url)).await.err();
    assert!(matches!(fault, Some(TransportError::NoAnswer(_))), "{fault:?}");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn no_answer_in_time_is_the_deadline() {
    let (url, _) = server(Then::Silence).await;
    assert_eq!(client().send(post(url)).await.err(), Some(TransportError::Deadline));
}

#[tokio::test]
async fn the_deadline_covers_the_body_as_well() {
    let (url, _) = server(Then::AnswerAndSilence("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel")).await;
    let answer = client().send(post(url)).await.unwrap();
    assert_eq!(answer.bytes(100).await, Err(TransportError::Deadline));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_answer() {
    let (url, _) = server(Then::Answer("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello")).await;
    let fault = client().send(post(url)).await.unwrap().bytes(100).await;
    assert!(matches!(fault, Err(TransportError::NoAnswer(_))), "{fault:?}");
}

#[tokio::test]
async fn private_addresses_are_refused_by_number_and_by_name() {
    let (url, connections) = server(Then::Answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).await;
    let strict = HttpClient::new(AllowPrivate::default()).unwrap();
    let port = url.rsplit(':').next().unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "169.254.169.254"] {
        let fault = strict.send(post(format!("http://{host}:{port}/"))).await.err();
        let Some(TransportError::NotSent(reason)) = fault else { panic!("{host}: {fault:?}") };
        assert!(reason.contains("allow_private_base_urls"), "{host}: {reason}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    let by_name = HttpClient::new(AllowPrivate::parse(&["localhost".to_owned()]).unwrap()).unwrap();
    assert_eq!(by_name.send(post(format!("http://localhost:{port}/"))).await.unwrap().status, 200);
}

#[tokio::test]
async fn i8_a_failure_does_not_quote_url_headers_or_body() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut request = post(format!("http://{free}/path-part"));
    request.headers.push(("authorization", "Bearer hush".into()));
    assert!(!format!("{request:?}").contains("hush"));
    let reason = client().send(request).await.err().unwrap().to_string();
    for part in ["hush", "path-part", "{}"] {
        assert!(!reason.contains(part), "{reason}");
    }
}
