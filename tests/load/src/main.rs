//! `renkei-load`: figures of ingest and of the consumer on real servers, beside what they are to be.
//!
//! Absolute figures belong to the machine. So ingest is measured in turns with the same server on a log that does nothing:
//! what it costs to go through Kafka is a ratio within one run.

mod drain;
mod error;
mod events;
mod ingest;
mod machine;
mod many;
mod null;
mod report;
mod requests;
mod sender;
mod stage;
mod sweeps;
mod window;

use std::num::{NonZeroU32, NonZeroUsize};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::error::LoadError;
use crate::stage::Servers;

/// The same as ingest has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the release programs on a real Kafka and a real PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "renkei-load", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Signed webhooks to ingest: through Kafka, and in turns with a log that does nothing.
    Ingest,
    /// A backlog on Kafka into PostgreSQL.
    Drain,
    /// Many connections on one worker, few of them active: memory, CPU, time from event to call.
    Many,
    /// Very many sources that are due at one quarter hour.
    Sweeps,
    /// Windows of a large company at HRMOS勤怠 and at KING OF TIME: calls and memory.
    Window,
    /// The server with a log that does nothing; started by `ingest`.
    #[command(hide = true)]
    ServeNull,
}

#[derive(Debug, Clone, Args)]
struct Options {
    /// How long each turn sends, in seconds.
    #[arg(long, global = true, default_value = "5")]
    seconds: NonZeroU32,
    /// Turns of each server at each number of connections.
    #[arg(long, global = true, default_value = "3")]
    rounds: NonZeroU32,
    /// Numbers of connections that send at once.
    #[arg(long, global = true, value_delimiter = ',', default_value = "1,16,64,256")]
    connections: Vec<NonZeroUsize>,
    /// Threads with which a server answers. By default half of the cores: broker and sender need the rest.
    #[arg(long, global = true)]
    threads: Option<NonZeroUsize>,
    /// Connections of `many`, each with a カオナビ of its own.
    #[arg(long, global = true, default_value = "1000")]
    companies: NonZeroUsize,
    /// Sources of `sweeps`, each with a connection of its own.
    #[arg(long, global = true, default_value = "10000")]
    sources: NonZeroUsize,
    /// People and dates of `window`, such as 5000x40.
    #[arg(long, global = true, default_value = "5000x40")]
    size: window::Size,
    /// Events of the backlog.
    #[arg(long, global = true, default_value = "200000")]
    events: NonZeroUsize,
}

impl Options {
    fn turn(&self) -> Duration {
        Duration::from_secs(u64::from(self.seconds.get()))
    }

    fn threads(&self) -> usize {
        self.threads.map_or_else(|| (machine::cores() / 2).max(1), NonZeroUsize::get)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(&LoadError::Io { what: "start".to_owned(), cause: error }),
    };
    match runtime.block_on(run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => end(&error),
    }
}

fn end(error: &LoadError) -> ExitCode {
    eprintln!("renkei-load: {error}");
    ExitCode::FAILURE
}

async fn run(arguments: Arguments) -> Result<(), LoadError> {
    if matches!(arguments.command, Some(Command::ServeNull)) {
        return null::serve().await;
    }
    let options = arguments.options;
    let command = arguments.command;
    let all = command.is_none();
    let with_ingest = all || matches!(command, Some(Command::Ingest));
    let with_drain = all || matches!(command, Some(Command::Drain));
    let with_sweeps = all || matches!(command, Some(Command::Sweeps));
    let with_window = all || matches!(command, Some(Command::Window));
    let with_many = all || matches!(command, Some(Command::Many));
    println!("{}", machine::describe());
    println!("starting Apache Kafka and PostgreSQL …");
    let servers = tokio::task::spawn_blocking(Servers::start).await??;
    let levels = if with_ingest { ingest::measure(&servers, &options).await? } else { Vec::new() };
    let drains = if with_drain { drain::measure(&servers, &options).await? } else { Vec::new() };
    if with_many {
        let many = many::measure(&servers, &options).await?;
        println!("\n{}", many.text());
    }
    if with_sweeps {
        let sweeps = sweeps::measure(&servers, &options).await?;
        println!("\n{}", sweeps.text());
    }
    if with_window {
        let windows = window::measure(&servers, &options).await?;
        println!("\n{}", windows.text());
    }
    println!("\n{}", report::text(&options, &levels, &drains));
    report::verdict(&levels, &drains)
}
