//! Sends prepared requests over some connections at once, each of which waits for its answer before it goes on.
//!
//! Everything runs on one thread of its own, so that the sender takes one core at most, and mostly much less.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use renkei_runtime::clock::{Clock as _, SystemClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Barrier;

use crate::error::LoadError;

/// How long the last answers may take after the end.
const PATIENCE: Duration = Duration::from_secs(15);

/// An answer of ingest is far smaller.
const LARGEST_ANSWER: usize = 4 * 1024;

/// What came back.
#[derive(Debug, Default)]
pub struct Answers {
    /// Of each answered request, in microseconds.
    pub latencies: Vec<u32>,
    /// Answers other than 202, by status.
    pub others: BTreeMap<u16, usize>,
    /// From the first request to the last answer.
    pub time: Duration,
}

impl Answers {
    /// Adds what another turn brought.
    pub fn add(&mut self, other: Answers) {
        self.latencies.extend(other.latencies);
        for (status, count) in other.others {
            *self.others.entry(status).or_default() += count;
        }
        self.time += other.time;
    }
}

/// Sends for `time` over `connections` connections. Blocks: to be called on a thread of its own.
pub fn send(
    address: SocketAddr,
    requests: &Arc<Vec<Vec<u8>>>,
    connections: usize,
    time: Duration,
) -> Result<Answers, LoadError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(LoadError::io("start the sender"))?;
    let all = async {
        let clock = Arc::new(SystemClock::real());
        let together = Arc::new(Barrier::new(connections));
        let tasks: Vec<_> = (0..connections)
            .map(|number| {
                let line = Line {
                    address,
                    requests: Arc::clone(requests),
                    // Spread over the rotation, so that no two send the same at the same time.
                    next: number * requests.len() / connections,
                    clock: Arc::clone(&clock),
                    together: Arc::clone(&together),
                };
                tokio::spawn(line.run(time))
            })
            .collect();
        let mut sum = Answers::default();
        let mut longest = Duration::ZERO;
        for task in tasks {
            let answers = task.await??;
            longest = longest.max(answers.time);
            sum.add(answers);
        }
        sum.time = longest;
        Ok::<Answers, LoadError>(sum)
    };
    runtime.block_on(async {
        let most = time + PATIENCE;
        let late = || LoadError::Wrong(format!("not all requests were answered within {} s", most.as_secs()));
        tokio::time::timeout(most, all).await.map_err(|_| late())?
    })
}

/// One connection.
struct Line {
    address: SocketAddr,
    requests: Arc<Vec<Vec<u8>>>,
    next: usize,
    clock: Arc<SystemClock>,
    together: Arc<Barrier>,
}

impl Line {
    async fn run(mut self, time: Duration) -> Result<Answers, LoadError> {
        let connected = TcpStream::connect(self.address).await;
        let mut stream = connected.map_err(LoadError::io(format!("connect to {}", self.address)))?;
        stream.set_nodelay(true).map_err(LoadError::io("connect"))?;
        let mut answers = Answers::default();
        let mut buffer = vec![0; LARGEST_ANSWER];
        self.together.wait().await;
        let begun = self.clock.monotonic();
        loop {
            let sent = self.clock.monotonic();
            if sent.saturating_sub(begun) >= time {
                break;
            }
            stream.write_all(&self.requests[self.next]).await.map_err(LoadError::io("send"))?;
            self.next = (self.next + 1) % self.requests.len();
            let status = read_answer(&mut stream, &mut buffer).await?;
            let took = self.clock.monotonic().saturating_sub(sent);
            answers.latencies.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
            if status != 202 {
                *answers.others.entry(status).or_default() += 1;
            }
        }
        answers.time = self.clock.monotonic().saturating_sub(begun);
        Ok(answers)
    }
}

/// Reads one answer to its end and gives its status.
async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<u16, LoadError> {
    let mut filled = 0;
    loop {
        let count = stream.read(&mut buffer[filled..]).await.map_err(LoadError::io("read an answer"))?;
        if count == 0 {
            return Err(LoadError::Wrong("the server closed a connection, or answered at too great length".to_owned()));
        }
        filled += count;
        if let Some(answer) = Answer::read(&buffer[..filled])? {
            if answer.length < filled {
                return Err(LoadError::Wrong("more than one answer came to one request".to_owned()));
            }
            if answer.length == filled {
                return Ok(answer.status);
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    /// Head and body together.
    length: usize,
}

impl Answer {
    /// Reads status line and length; `None` while the head is not complete.
    fn read(bytes: &[u8]) -> Result<Option<Self>, LoadError> {
        let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
        let strange = || LoadError::Wrong("an answer is not HTTP with a length".to_owned());
        let text = std::str::from_utf8(&bytes[..head]).map_err(|_| strange())?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
        let length = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        let (Some(status), Some(length)) = (status, length) else { return Err(strange()) };
        Ok(Some(Self { status, length: head + 4 + length }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_with_its_body() {
        let whole = b"HTTP/1.1 202 Accepted\r\nContent-Length: 14\r\ndate: x\r\n\r\n{\"accepted\":1}";
        for cut in 0..whole.len() {
            let read = Answer::read(&whole[..cut]).unwrap();
            assert!(read.is_none_or(|answer| answer.length > cut), "{cut}");
        }
        let answer = Answer::read(whole).unwrap().unwrap();
        assert_eq!(answer, Answer { status: 202, length: whole.len() });
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        assert!(Answer::read(b"HTTP/1.1 202 Accepted\r\n\r\n").is_err());
        assert!(Answer::read(b"SSH-2.0\r\ncontent-length: 0\r\n\r\n").is_err());
    }
}
