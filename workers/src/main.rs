//! `renkei-workers`: takes events from the log and delivers them.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use prometheus::Registry;
use renkei_events::topic::Topic;
use renkei_log::{LogError, open};
use renkei_runtime::clock::{Clock, Millis, SystemClock};
use renkei_runtime::config::{Config, ConfigError, EXIT_BAD_CONFIG, Program};
use renkei_runtime::http::client::HttpClient;
use renkei_runtime::{probe, shutdown, telemetry};
use renkei_store::audit::COMMAND;
use renkei_store::{OpenError, Store};
use renkei_workers::attendance::consume::{self, BookKeeper};
use renkei_workers::attendance::folder::Folder;
use renkei_workers::attendance::run::Sources;
use renkei_workers::clients::smtp::SmtpMailer;
use renkei_workers::commands;
use renkei_workers::commands::status;
use renkei_workers::context::{Context, ThreadRandom};
use renkei_workers::members::consume::{Consumer, GROUP};
use renkei_workers::metrics::Metrics;
use renkei_workers::notify::Post;
use renkei_workers::runner::serve::{Roles, Work};
use renkei_workers::runner::{RunnerSettings, serve};
use renkei_workers::sweep::{SweepSettings, Sweeper};

/// In a backlog most of a record's cost is small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Takes employee events from the log and brings them into カオナビ.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    /// Which work this process does, separated by commas: members, sweep, notify. By default what RENKEI_WORKERS_ROLES says, or all.
    #[arg(long, value_delimiter = ',')]
    roles: Vec<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Work until SIGTERM (the default).
    Run,
    /// Print connections, what waits, who needs a person, and the budget.
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// With details that may be personal: カオナビ's own messages, near numbers, pointers.
        #[arg(long)]
        details: bool,
    },
    /// Turn a connection's switch off (連携の自動化: OFF). Returns when no write starts any more.
    Pause {
        /// The connection.
        connection: String,
    },
    /// Turn a connection's switch on again after a pause or a halt.
    Resume {
        /// The connection.
        connection: String,
    },
    /// 連携解除: turn a connection off for good and delete its credentials and secrets.
    Disconnect {
        /// The connection.
        connection: String,
    },
    /// 別の人として登録する: register a held person although another member's number is close.
    Release {
        /// The connection.
        #[arg(long)]
        connection: String,
        /// The person's 社員番号, exactly.
        #[arg(long)]
        number: String,
    },
    /// Delete one person: the record with its history, and the attendance under the same 社員番号.
    Forget {
        /// The connection.
        #[arg(long)]
        connection: String,
        /// The person's 従業員ID, exactly.
        #[arg(long)]
        employee: String,
    },
}

/// Ends the process with one line.
struct Stop {
    code: u8,
    line: String,
}

impl<E: std::fmt::Display> From<E> for Stop {
    fn from(error: E) -> Self {
        Stop { code: 1, line: error.to_string() }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(Stop::from(error)),
    };
    match runtime.block_on(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => end(stop),
    }
}

fn end(stop: Stop) -> ExitCode {
    eprintln!("renkei-workers: {}", stop.line.replace('\n', " "));
    ExitCode::from(stop.code)
}

async fn run(cli: Cli) -> Result<(), Stop> {
    let config = Config::from_process(Program::Workers)
        .map_err(|error| Stop { code: EXIT_BAD_CONFIG, line: error.to_string() })?;
    let anchor = Millis::from(SystemClock::real().wall());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::scaled(anchor, config.clock_scale));
    let command = cli.command.unwrap_or(Command::Run);
    if matches!(command, Command::Run) {
        telemetry::init(&config.telemetry).map_err(|error| Stop { code: EXIT_BAD_CONFIG, line: error.to_string() })?;
    }
    let store = open_store(&config, &clock).await?;
    match command {
        Command::Run => work(config, cli.roles, store, clock).await,
        Command::Status { json, details } => {
            let status = status::gather(&store, details).await?;
            if json {
                println!("{}", serde_json::to_string_pretty(&status)?);
            } else {
                print!("{}", status.text());
            }
            Ok(())
        }
        Command::Pause { connection } => {
            let paused = commands::pause(&store, clock.as_ref(), &connection, COMMAND).await?;
            println!("connection {} is {}", paused.id, paused.state);
            Ok(())
        }
        Command::Resume { connection } => {
            let resumed = commands::resume(&store, &connection, COMMAND).await?;
            let verifying = if resumed.wanted.is_some() { ", a worker verifies it first" } else { "" };
            println!("connection {} is {}{verifying}", resumed.id, resumed.state);
            Ok(())
        }
        Command::Disconnect { connection } => {
            let ended = commands::disconnect(&store, clock.as_ref(), &connection, COMMAND).await?;
            println!("connection {} is {}; its credentials and secrets are deleted", ended.id, ended.state);
            Ok(())
        }
        Command::Release { connection, number } => {
            let released = commands::release(&store, &connection, &number).await?;
            println!("{released} person released in connection {connection}");
            Ok(())
        }
        Command::Forget { connection, employee } => {
            let gone = commands::forget(&store, &connection, &employee).await?;
            println!(
                "deleted: {} record, {} entries of history, {} days of attendance, {} items of handwork, {} lines of lists of runs; {} files are made anew",
                gone.records, gone.history, gone.days, gone.handwork, gone.lists, gone.files
            );
            if gone.number_in_use {
                println!("the number is another person's too, so the attendance under it was left");
            }
            Ok(())
        }
    }
}

async fn open_store(config: &Config, clock: &Arc<dyn Clock>) -> Result<Store, Stop> {
    Store::from_config(config, Arc::clone(clock)).await.map_err(|error| {
        let code = if matches!(error, OpenError::MasterKey(_)) { EXIT_BAD_CONFIG } else { 1 };
        Stop { code, line: error.to_string() }
    })
}

async fn work(config: Config, asked: Vec<String>, store: Store, clock: Arc<dyn Clock>) -> Result<(), Stop> {
    let roles = Roles::parse(if asked.is_empty() { &config.workers.roles } else { &asked }).map_err(|unknown| {
        let reason = "is not a role; this version knows \"members\", \"sweep\" and \"notify\"";
        let error = ConfigError::of_key("workers.roles", Some(&unknown), reason);
        let line = if asked.is_empty() { error.to_string() } else { format!("--roles: \"{unknown}\" {reason}") };
        Stop { code: EXIT_BAD_CONFIG, line }
    })?;
    let registry = Registry::new();
    let metrics = Arc::new(Metrics::new(&registry)?);
    let listener = probe::listen(config.internal_listen, "RENKEI_INTERNAL_LISTEN")?;
    let transport = Arc::new(HttpClient::new(config.outside.allow_private.clone())?);
    let post = if roles.notify { Some(Arc::new(post(&config)?)) } else { None };
    let context = Context {
        store,
        transport,
        clock,
        random: Arc::new(ThreadRandom),
        metrics,
        batch_size: config.workers.batch_size,
    };
    let stop = shutdown::on_signals()?;
    let writer = open::writer(&config, &context.store, Arc::clone(&context.clock));
    let writer = writer.await.map_err(|error| unusable_log(&error))?;
    let consumer = if roles.members {
        let reader = open::reader(&config, &context.store, Arc::clone(&context.clock), Topic::Employee, GROUP);
        let reader = reader.map_err(|error| unusable_log(&error))?;
        Some(Consumer::new(context.clone(), reader, Arc::clone(&writer)))
    } else {
        None
    };
    let owner = format!("{}-{}", std::process::id(), uuid_like());
    let sweeper = roles.sweep.then(|| {
        let settings = SweepSettings {
            feed_interval: config.sweep.feed_interval,
            hrmos_interval: config.sweep.hrmos_interval,
            sources: Sources {
                hrmos: config.sweep.hrmos_base_url.as_str().to_owned(),
                kingoftime: config.sweep.kingoftime_base_url.as_str().to_owned(),
                kinkakuji: config.sweep.kinkakuji_base_url.as_str().to_owned(),
            },
        };
        Arc::new(Sweeper::new(&context, Arc::clone(&writer), owner.clone(), settings))
    });
    let book_keeper = if roles.sweep {
        let reader =
            open::reader(&config, &context.store, Arc::clone(&context.clock), Topic::Attendance, consume::GROUP);
        let reader = reader.map_err(|error| unusable_log(&error))?;
        Some(BookKeeper::new(context.clone(), reader, Arc::clone(&writer)))
    } else {
        None
    };
    let folder = config.sweep.attendance_dir.clone().filter(|_| roles.sweep).map(Folder::new);
    let settings = RunnerSettings {
        lease: config.workers.lease_ttl,
        hints: config.workers.wake_hints,
        sweeps_at_once: config.sweep.at_once,
        ..RunnerSettings::new(owner)
    };
    let health = serve::Health::new(Arc::clone(&writer));
    let (ended, probes_end) = shutdown::channel();
    let probes = tokio::spawn(probe::serve(listener, health.readiness(), registry, probes_end));
    tracing::info!(worker.id = %settings.owner, log.wake_hints = settings.hints, "workers started");
    serve::until_stopped(
        context,
        Work { consumer, sweeper, book_keeper, post, folder },
        writer,
        settings,
        health,
        stop,
    )
    .await;
    ended.pull();
    let within = tokio::time::timeout(Duration::from_secs(5), probes);
    let _ = within.await;
    tracing::info!("workers ended");
    Ok(())
}

/// How mails leave, as the settings say.
fn post(config: &Config) -> Result<Post, Stop> {
    let Some(smtp) = &config.mail.smtp else {
        tracing::info!("mail is off: RENKEI_MAIL_SMTP_HOST is not set");
        return Ok(Post::new(None, String::new(), Vec::new(), None));
    };
    let mailer = SmtpMailer::new(smtp)
        .map_err(|error| Stop { code: EXIT_BAD_CONFIG, line: format!("bad configuration: {error}") })?;
    let domain = mailer.domain().to_owned();
    Ok(Post::new(Some(Arc::new(mailer)), domain, config.mail.fallback_to.clone(), config.public_url.clone()))
}

fn unusable_log(error: &LogError) -> Stop {
    Stop { code: 1, line: format!("{error}; check RENKEI_LOG and that the brokers answer") }
}

/// Tells two processes apart that the operating system gave the same number at different times.
fn uuid_like() -> String {
    format!("{:08x}", rand::random::<u32>())
}
