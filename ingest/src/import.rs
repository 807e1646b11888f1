//! `renkei-ingest employees import`: employees by CSV, from the shell.

use std::fs::File as Disk;
use std::io::Read;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use renkei_events::csv::{Columns, Constants, LARGEST_FILE_BYTES, Refusal};
use renkei_events::record::{DataEntryState, EmployeeStatus};
use renkei_log::LogWriter;
use renkei_runtime::clock::Clock;
use renkei_store::Store;
use renkei_store::connections::{self, ConnectionState};
use renkei_store::error::StoreError;
use renkei_store::uploads::Mode;

use crate::upload::{self, File, Options, Report, UploadError, Uploader};

/// What can be done with employees.
#[derive(Debug, Subcommand)]
pub enum EmployeesCommand {
    /// Take a CSV file of employees; rows that say what is known already change nothing.
    Import(ImportWish),
}

/// A file, and what is decided with it.
#[derive(Debug, Args)]
pub struct ImportWish {
    /// The connection.
    #[arg(long)]
    connection: String,
    /// The file; `-`: standard input.
    file: PathBuf,
    /// What becomes of the rows. Left out, the first upload of a connection is a baseline and later ones are sent.
    #[arg(long)]
    mode: Option<ModeArgument>,
    /// 従業員ステータス of people of whom neither the file nor anything before says it, such as 在籍.
    #[arg(long, value_parser = |text: &str| upload::status(text))]
    employee_status: Option<EmployeeStatus>,
    /// 状況 of such people, such as データ入力完了.
    #[arg(long, value_parser = |text: &str| upload::state(text))]
    data_entry_state: Option<DataEntryState>,
    /// Only tell what would come of it.
    #[arg(long)]
    dry_run: bool,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What becomes of the rows.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum ModeArgument {
    /// They are stored, and nothing of them is written to カオナビ.
    Baseline,
    /// They are stored; what カオナビ would get is previewed and goes out when somebody confirms it.
    SendDifferences,
    /// What differs from what is known goes out.
    Send,
}

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file can not be opened.
    #[error("{path} can not be read: {cause}")]
    Open {
        /// Which.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// There is no such connection.
    #[error("there is no connection {0}")]
    NoConnection(String),
    /// It was ended.
    #[error("connection {0} was ended for good")]
    Ended(String),
    /// Larger than a file may be.
    #[error("csv.too_large: the file is over {} MiB", LARGEST_FILE_BYTES / 1024 / 1024)]
    TooLarge,
    /// Nothing of the file is taken.
    #[error("{code}: {0}", code = .0.code())]
    Refused(#[from] Refusal),
    /// Nothing of the upload is taken, or not all of it.
    #[error("{code}: {0}", code = .0.code())]
    Upload(#[from] UploadError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Reading ended early.
    #[error("the file could not be read to its end")]
    Cut,
}

/// Takes a file.
///
/// # Errors
/// See [`ImportError`].
pub async fn run(
    store: &Store,
    log: &dyn LogWriter,
    clock: &dyn Clock,
    wish: ImportWish,
) -> Result<Report, ImportError> {
    let ImportWish { connection, file, mode, employee_status, data_entry_state, dry_run, json: _ } = wish;
    let found = connections::find(store, &store.db, &connection).await?;
    let connection = found.ok_or(ImportError::NoConnection(connection))?;
    if connection.state == ConnectionState::Disconnected {
        return Err(ImportError::Ended(connection.id));
    }
    let options = Options {
        mode: mode.map(|mode| match mode {
            ModeArgument::Baseline => Mode::Baseline,
            ModeArgument::SendDifferences => Mode::SendDifferences,
            ModeArgument::Send => Mode::Send,
        }),
        constants: Constants { employee_status, data_entry_state },
        dry_run,
    };
    let columns = Columns::new(&connection.settings.csv_columns);
    let received_at = clock.now().timestamp();
    let read = tokio::task::spawn_blocking(move || {
        let mut input = Counted { input: open(file)?, left: LARGEST_FILE_BYTES, over: false };
        let file = File::read(&mut input, &columns, received_at);
        if input.over { Err(ImportError::TooLarge) } else { Ok(file?) }
    });
    let file = read.await.map_err(|_| ImportError::Cut)??;
    let uploader = Uploader { store, log, random: &rand::random::<u128>, actor: "command" };
    Ok(uploader.take(&connection, file, &options, received_at).await?)
}

fn open(path: PathBuf) -> Result<Box<dyn Read + Send>, ImportError> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdin()));
    }
    match Disk::open(&path) {
        Ok(file) => Ok(Box::new(file)),
        Err(cause) => Err(ImportError::Open { path: path.display().to_string(), cause }),
    }
}

/// Reads no more than a file may have.
struct Counted {
    input: Box<dyn Read + Send>,
    left: u64,
    over: bool,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.over |= count as u64 > self.left;
        self.left = self.left.saturating_sub(count as u64);
        if self.over { Err(std::io::Error::other("the file is too large")) } else { Ok(count) }
    }
}
