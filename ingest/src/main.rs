//! `renkei-ingest`: takes signed webhooks and puts them on the log.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use renkei_ingest::api::{Api, openapi};
use renkei_ingest::apply::{ApplyError, file, plan, wait};
use renkei_ingest::connections::from_store::StoreConnections;
use renkei_ingest::import::{self, EmployeesCommand};
use renkei_ingest::server;
use renkei_ingest::token::{self, TokenCommand};
use renkei_log::{LogError, open};
use renkei_runtime::clock::{Clock, Millis, SystemClock};
use renkei_runtime::config::{Config, ConfigError, EXIT_BAD_CONFIG, Program};
use renkei_runtime::{shutdown, telemetry};
use renkei_store::seal::MasterKey;
use renkei_store::{OpenError, Store};
use secrecy::ExposeSecret as _;

/// A request makes some hundred small allocations; this is a tenth of its cost cheaper than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Takes signed webhooks and puts them on the log.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Take webhooks until SIGTERM (the default).
    Serve,
    /// Apply a file of tenants and connections: one transaction, the same file twice changes nothing.
    Apply {
        /// The file, YAML.
        #[arg(short, long)]
        file: PathBuf,
        /// Print the plan and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// Wait until everything that the file wants active is active; otherwise say what is missing and exit with 1.
        #[arg(long, value_parser = wait::duration)]
        wait: Option<Duration>,
    },
    /// Employees of a connection.
    Employees {
        #[command(subcommand)]
        command: EmployeesCommand,
    },
    /// Tokens of the REST API.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Print the description of the REST API, as in docs/openapi.json.
    Openapi,
    /// Wrap the store's keys with RENKEI_MASTER_KEY; until now they are wrapped with RENKEI_MASTER_KEY_PREVIOUS.
    RotateMasterKey,
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

impl Stop {
    fn bad_config(error: &ConfigError) -> Self {
        Stop { code: EXIT_BAD_CONFIG, line: error.to_string() }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(&Stop::from(error)),
    };
    match runtime.block_on(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => end(&stop),
    }
}

fn end(stop: &Stop) -> ExitCode {
    eprintln!("renkei-ingest: {}", stop.line.replace('\n', " "));
    ExitCode::from(stop.code)
}

async fn run(cli: Cli) -> Result<(), Stop> {
    if matches!(cli.command, Some(Command::Openapi)) {
        print!("{}", openapi::text());
        return Ok(());
    }
    let config = Config::from_process(Program::Ingest).map_err(|error| Stop::bad_config(&error))?;
    let anchor = Millis::from(SystemClock::real().wall());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::scaled(anchor, config.clock_scale));
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(&config, clock).await,
        Command::Apply { file, dry_run, wait } => apply_file(&config, clock, &file, dry_run, wait).await,
        Command::Employees { command } => import_employees(&config, clock, command).await,
        Command::Token { command } => {
            let store = open_store(&config, &clock).await?;
            println!("{}", token::run(&store, command).await?);
            Ok(())
        }
        // Answered before anything is configured.
        Command::Openapi => Ok(()),
        Command::RotateMasterKey => rotate(&config, clock).await,
    }
}

async fn open_store(config: &Config, clock: &Arc<dyn Clock>) -> Result<Store, Stop> {
    Store::from_config(config, Arc::clone(clock)).await.map_err(|error| {
        let code = if matches!(error, OpenError::MasterKey(_)) { EXIT_BAD_CONFIG } else { 1 };
        Stop { code, line: error.to_string() }
    })
}

async fn serve(config: &Config, clock: Arc<dyn Clock>) -> Result<(), Stop> {
    telemetry::init(&config.telemetry).map_err(|error| Stop::bad_config(&error))?;
    let shutdown = shutdown::on_signals()?;
    let store = open_store(config, &clock).await?;
    let log = open::writer(config, &store, Arc::clone(&clock)).await.map_err(|error| unusable_log(&error))?;
    let mut api = Api::new(store.clone(), Arc::clone(&clock), config.outside.clone());
    api.egress_addresses.clone_from(&config.egress_addresses);
    let connections = Arc::new(StoreConnections(store));
    server::serve(config, connections, log, clock, Some(api), shutdown).await?;
    Ok(())
}

async fn apply_file(
    config: &Config,
    clock: Arc<dyn Clock>,
    path: &Path,
    dry_run: bool,
    wait_for: Option<Duration>,
) -> Result<(), Stop> {
    let text = std::fs::read_to_string(path).map_err(|cause| ApplyError::Read { path: path.to_owned(), cause })?;
    let document = file::parse(path, &text)?;
    let store = open_store(config, &clock).await?;
    let plan = plan::apply(&store, &document, &config.outside, dry_run).await?;
    print!("{}", plan.text());
    if dry_run {
        println!("dry run: nothing was changed");
        return Ok(());
    }
    if let Some(longest) = wait_for {
        wait::until_active(&store, clock.as_ref(), &plan.wanted, longest).await?;
        for id in &plan.wanted {
            println!("connection {id} is active");
        }
    }
    Ok(())
}

async fn import_employees(config: &Config, clock: Arc<dyn Clock>, command: EmployeesCommand) -> Result<(), Stop> {
    let EmployeesCommand::Import(wish) = command;
    let store = open_store(config, &clock).await?;
    let log = open::writer(config, &store, Arc::clone(&clock)).await.map_err(|error| unusable_log(&error))?;
    let json = wish.json;
    let report = import::run(&store, log.as_ref(), clock.as_ref(), wish).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?)
    } else {
        print!("{}", report.text())
    }
    match report.errors {
        0 => Ok(()),
        errors => Err(Stop { code: 1, line: format!("{errors} of {} rows were not taken", report.seen) }),
    }
}

async fn rotate(config: &Config, clock: Arc<dyn Clock>) -> Result<(), Stop> {
    let bad = |line: String| Stop { code: EXIT_BAD_CONFIG, line };
    let previous = config.master_key.previous.as_ref();
    let previous =
        previous.ok_or_else(|| bad("RENKEI_MASTER_KEY_PREVIOUS: give the key that is in use until now".to_owned()))?;
    let old = MasterKey::parse(previous.expose_secret())
        .map_err(|error| bad(format!("RENKEI_MASTER_KEY_PREVIOUS: {error}")))?;
    let new = MasterKey::parse(config.master_key.current.expose_secret())
        .map_err(|error| bad(format!("RENKEI_MASTER_KEY: {error}")))?;
    let store = open_store(config, &clock).await?;
    let wrapped = Store::rotate_master_key(&store.db, &old, &new).await?;
    println!("{wrapped} keys are wrapped with the new master key {}; restart every process with it", new.id());
    Ok(())
}

fn unusable_log(error: &LogError) -> Stop {
    Stop { code: 1, line: format!("{error}; check RENKEI_LOG and that the brokers answer") }
}
