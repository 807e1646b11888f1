//! What ingest does through Kafka, in turns with the same server on a log that does nothing.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use renkei_events::signature::WebhookSecret;
use renkei_runtime::clock::{Clock as _, SystemClock};

use crate::Options;
use crate::error::LoadError;
use crate::machine;
use crate::requests;
use crate::sender::{self, Answers};
use crate::stage::{Servers, Stage, Started};

/// How long each server is warmed up, with how many connections. The broker compiles its own code while it works, and is
/// several times slower before that is done.
const WARM_UP: [(Duration, usize); 2] = [(Duration::from_secs(2), 64), (Duration::from_secs(15), 64)];

/// Both servers at one number of connections.
#[derive(Debug)]
pub struct Level {
    /// How many sent at once.
    pub connections: usize,
    /// On the log that does nothing.
    pub limit: Figures,
    /// On Kafka.
    pub kafka: Figures,
    /// Kafka over limit, of each pair of turns.
    pub ratios: Vec<f64>,
}

impl Level {
    /// Requests a second on Kafka over those on the log that does nothing.
    pub fn ratio(&self) -> f64 {
        self.kafka.per_second / self.limit.per_second
    }
}

/// One server at one number of connections, over all turns.
#[derive(Debug)]
pub struct Figures {
    /// Requests a second.
    pub per_second: f64,
    /// Half of the answers came within this.
    pub p50: Duration,
    /// All but a hundredth came within this.
    pub p99: Duration,
    /// Time of the server's process on the cores, per request.
    pub cpu: Duration,
    /// The same of the broker and of this sender, which share the cores with the server.
    pub others_cpu: Duration,
    /// Answers other than 202.
    pub others: BTreeMap<u16, usize>,
}

/// One of the two servers.
struct Side {
    server: Started,
    secret: WebhookSecret,
    broker: PathBuf,
}

/// One or more turns.
#[derive(Default)]
struct Turns {
    answers: Answers,
    cpu: Duration,
    others_cpu: Duration,
}

impl Side {
    async fn turn(&self, connections: usize, time: Duration) -> Result<Turns, LoadError> {
        // Signed anew each time: a signature is good for five minutes.
        let requests = Arc::new(requests::signed(&self.secret, SystemClock::real().wall()));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.server.port));
        let pid = self.server.pid()?;
        let broker = self.broker.clone();
        tokio::task::spawn_blocking(move || {
            let used = || (machine::cpu(pid), machine::cpu_in(&broker) + machine::cpu(std::process::id()));
            let before = used();
            let answers = sender::send(address, &requests, connections, time)?;
            let after = used();
            let (cpu, others_cpu) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
            Ok(Turns { answers, cpu, others_cpu })
        })
        .await?
    }
}

impl Turns {
    /// Adds a turn; answers its requests a second.
    fn add(&mut self, turn: Turns) -> f64 {
        let per_second = turn.answers.latencies.len() as f64 / turn.answers.time.as_secs_f64();
        self.answers.add(turn.answers);
        self.cpu += turn.cpu;
        self.others_cpu += turn.others_cpu;
        per_second
    }

    fn figures(mut self) -> Figures {
        let latencies = &mut self.answers.latencies;
        latencies.sort_unstable();
        let at = |share: f64| {
            let index = (latencies.len() as f64 * share) as usize;
            let micros = latencies.get(index.min(latencies.len().saturating_sub(1))).copied().unwrap_or(0);
            Duration::from_micros(u64::from(micros))
        };
        let count = u32::try_from(latencies.len()).unwrap_or(u32::MAX).max(1);
        Figures {
            per_second: latencies.len() as f64 / self.answers.time.as_secs_f64(),
            p50: at(0.5),
            p99: at(0.99),
            cpu: self.cpu / count,
            others_cpu: self.others_cpu / count,
            others: self.answers.others,
        }
    }
}

/// Measures every number of connections.
pub async fn measure(servers: &Servers, options: &Options) -> Result<Vec<Level>, LoadError> {
    let stage = Stage::set(servers, "ingest", options.threads())?;
    let side = |name: &str, arguments: &[&str]| -> Result<Side, LoadError> {
        let broker = servers.kafka.folder().to_owned();
        Ok(Side { server: stage.start(name, arguments)?, secret: stage.secret.clone(), broker })
    };
    let limit = side("renkei-load", &["serve-null"])?;
    let kafka = side("renkei-ingest", &[])?;
    println!("ingest: warming up");
    for (side, (time, connections)) in [&limit, &kafka].into_iter().zip(WARM_UP) {
        side.turn(connections, time).await?;
    }
    let mut levels = Vec::new();
    for connections in options.connections.iter().map(|count| count.get()) {
        let (mut of_limit, mut of_kafka, mut ratios) = (Turns::default(), Turns::default(), Vec::new());
        for round in 0..options.rounds.get() {
            let time = options.turn();
            // Each goes first in turn: what changes while a round lasts then favours neither.
            let (limit_rate, kafka_rate) = if round % 2 == 0 {
                let rate = of_limit.add(limit.turn(connections, time).await?);
                (rate, of_kafka.add(kafka.turn(connections, time).await?))
            } else {
                let rate = of_kafka.add(kafka.turn(connections, time).await?);
                (of_limit.add(limit.turn(connections, time).await?), rate)
            };
            println!(
                "ingest: {connections} connections, round {}: {kafka_rate:.0} requests/s through Kafka, {limit_rate:.0} without",
                round + 1
            );
            ratios.push(kafka_rate / limit_rate);
        }
        levels.push(Level { connections, limit: of_limit.figures(), kafka: of_kafka.figures(), ratios });
    }
    Ok(levels)
}
