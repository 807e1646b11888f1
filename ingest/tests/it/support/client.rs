//! A sender that writes every byte of its request itself.

use std::net::SocketAddr;
use std::time::Duration;

use renkei_events::signature::{WebhookSecret, sign};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::fakes::START;
use super::sample::{PATH, SECRET};

/// One request, each part of it free to be bent.
#[derive(Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    /// Send the body in chunks instead of announcing its length.
    pub chunked: bool,
}

impl Request {
    /// A well signed delivery to `acme`.
    pub fn signed(body: impl Into<Vec<u8>>) -> Self {
        Self::signed_as("msg_1", START, body)
    }

    pub fn signed_as(id: &str, second: i64, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let signature = sign(&WebhookSecret::parse(SECRET).unwrap(), id, second, &body);
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", second.to_string()),
            ("webhook-signature", signature),
        ];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect();
        Self { method: "POST".into(), path: PATH.into(), headers, body, chunked: false }
    }

    pub fn method(mut self, method: &str) -> Self {
        self.method = method.into();
        self
    }

    pub fn path(mut self, path: &str) -> Self {
        self.path = path.into();
        self
    }

    pub fn set(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        let value = value.into();
        match self.headers.iter_mut().find(|(known, _)| known == name) {
            Some(header) => header.1 = value,
            None => self.headers.push((name.into(), value)),
        }
        self
    }

    pub fn add(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    pub fn head(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\nhost: renkei\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            text.extend_from_slice(name.as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value);
            text.extend_from_slice(b"\r\n");
        }
        let announced = self.headers.iter().any(|(name, _)| name == "content-length");
        if self.chunked {
            text.extend_from_slice(b"transfer-encoding: chunked\r\n");
        } else if !announced {
            text.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        text.extend_from_slice(b"\r\n");
        text
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut text = self.head();
        if self.chunked {
            for chunk in self.body.chunks(60_000) {
                text.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                text.extend_from_slice(chunk);
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(b"0\r\n\r\n");
        } else {
            text.extend_from_slice(&self.body);
        }
        text
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not json: {self:?}"))
    }

    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["type"], format!("urn:renkei:error:{}", problem["code"].as_str().unwrap()));
        assert!(problem["title"].is_string());
        problem["code"].as_str().unwrap().to_owned()
    }
}

/// A connection that stays open.
pub struct Wire {
    pub stream: TcpStream,
    unread: Vec<u8>,
}

impl Wire {
    pub async fn open(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), unread: Vec::new() }
    }

    /// Writes; a server that stopped reading and answered is no fault of the test.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// The next answer; `None` when the server closed first.
    pub async fn read(&mut self) -> Option<Answer> {
        loop {
            if let Some((answer, rest)) = parse(&self.unread) {
                self.unread = rest;
                return Some(answer);
            }
            let mut buffer = [0; 16 * 1024];
            let reading = tokio::time::timeout(Duration::from_secs(20), self.stream.read(&mut buffer));
            match reading.await.expect("an answer within 20 s") {
                Ok(0) | Err(_) => return None,
                Ok(length) => self.unread.extend_from_slice(&buffer[..length]),
            }
        }
    }

    pub async fn send(&mut self, request: &Request) -> Option<Answer> {
        self.write(&request.bytes()).await;
        self.read().await
    }
}

fn parse(bytes: &[u8]) -> Option<(Answer, Vec<u8>)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
    let body = bytes.get(end + 4..end + 4 + length)?.to_vec();
    Some((Answer { status, headers, body }, bytes[end + 4 + length..].to_vec()))
}
