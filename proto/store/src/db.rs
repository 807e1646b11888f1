//! SQL on either engine.
//!
//! Statements are written once, with `$1` placeholders, in the dialect that SQLite and PostgreSQL share. The library
//! below (sea-orm over sqlx) speaks to both; what differs between the engines is in this file and in `migration.rs`.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, Connection as _};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, QueryResult,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait, Value,
};

use crate::error::{Result, StoreError};

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// One file on one machine.
    Sqlite,
    /// A server.
    Postgres,
}

/// A pool of connections.
#[derive(Debug, Clone)]
pub struct Db {
    connection: DatabaseConnection,
    engine: Engine,
    deadline: Duration,
    /// SQLite has one writer: queueing for it here is fair and wakes at once, its own busy handler sleeps.
    gate: Arc<tokio::sync::Mutex<()>>,
}

/// A transaction that may write. Dropped without [`Tx::commit`] it changes nothing.
pub struct Tx {
    transaction: DatabaseTransaction,
    engine: Engine,
    deadline: Duration,
    _gate: Option<tokio::sync::OwnedMutexGuard<()>>,
}

/// One row of an answer.
pub struct Row(QueryResult);

impl Row {
    /// The column's value.
    ///
    /// # Errors
    /// When the column is missing or of another type.
    pub fn get<T: sea_orm::TryGetable>(&self, column: &str) -> Result<T> {
        self.0.try_get("", column).map_err(|_| StoreError::Corrupt(format!("column {column}")))
    }
}

/// Runs statements, inside or outside of a transaction.
pub trait Sql: Sync {
    /// The engine.
    fn engine(&self) -> Engine;

    /// Runs a statement and answers how many rows it changed.
    fn exec(&self, sql: &str, values: Vec<Value>) -> impl Future<Output = Result<u64>> + Send;

    /// Runs a query.
    fn rows(&self, sql: &str, values: Vec<Value>) -> impl Future<Output = Result<Vec<Row>>> + Send;

    /// The first row of a query.
    fn row(&self, sql: &str, values: Vec<Value>) -> impl Future<Output = Result<Option<Row>>> + Send {
        async move { Ok(self.rows(sql, values).await?.into_iter().next()) }
    }

    /// What makes a `SELECT` hold its rows until the end of the transaction. SQLite's writers are alone anyway.
    fn for_update(&self) -> &'static str {
        match self.engine() {
            Engine::Sqlite => "",
            Engine::Postgres => " FOR UPDATE",
        }
    }

    /// The same, passing over rows that somebody else holds now.
    fn for_update_skip_locked(&self) -> &'static str {
        match self.engine() {
            Engine::Sqlite => "",
            Engine::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }
}

/// How long a statement may take.
const STATEMENT: Duration = Duration::from_secs(30);
/// The server itself ends a statement; so much longer is waited for one that is gone without a word.
const GRACE: Duration = Duration::from_secs(5);
/// How long a connection may take, the tries of a server that is just starting included.
const CONNECT: Duration = Duration::from_secs(5);

fn unavailable(why: impl Into<String>) -> StoreError {
    StoreError::Unavailable(sea_orm::DbErr::Conn(sea_orm::RuntimeErr::Internal(why.into())))
}

async fn in_time<T>(
    deadline: Duration,
    work: impl Future<Output = std::result::Result<T, sea_orm::DbErr>> + Send,
) -> Result<T> {
    match tokio::time::timeout(deadline, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(unavailable("the database did not answer in time")),
    }
}

/// Where a PostgreSQL URL leads, as the client below understands it: `host:port/database`, and no login.
pub(crate) fn postgres_place(url: &str) -> String {
    let Ok(options) = url.parse::<PgConnectOptions>() else { return "(not a URL)".to_owned() };
    let host = options.get_socket().map_or_else(|| options.get_host().to_owned(), |path| path.display().to_string());
    format!("{host}:{}/{}", options.get_port(), options.get_database().unwrap_or_default())
}

/// Connects once without the pool, which would keep a refused connection to itself and only say that it timed out.
async fn reach(url: &str) -> Result<()> {
    let options: PgConnectOptions =
        url.parse().map_err(|_| StoreError::Corrupt("the address is not a URL of PostgreSQL".to_owned()))?;
    let mut refused = None;
    let tries = async {
        loop {
            match PgConnection::connect_with(&options).await {
                Ok(connection) => return connection.close().await,
                Err(sqlx::Error::Io(error)) => refused = Some(error),
                Err(other) => return Err(other),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let reached = tokio::time::timeout(CONNECT, tries).await;
    let place = postgres_place(url);
    match (reached, refused) {
        (Ok(Ok(())), _) => Ok(()),
        (Ok(Err(error)), _) => Err(sea_orm::DbErr::Conn(sea_orm::RuntimeErr::SqlxError(Arc::new(error))).into()),
        (Err(_), Some(error)) => Err(unavailable(format!("no PostgreSQL can be reached at {place}: {error}"))),
        (Err(_), None) => Err(unavailable(format!("PostgreSQL at {place} did not answer within {CONNECT:?}"))),
    }
}

fn statement(engine: Engine, sql: &str, values: Vec<Value>) -> Statement {
    let backend = match engine {
        Engine::Sqlite => DbBackend::Sqlite,
        Engine::Postgres => DbBackend::Postgres,
    };
    Statement::from_sql_and_values(backend, sql, values)
}

impl Sql for Db {
    fn engine(&self) -> Engine {
        self.engine
    }

    async fn exec(&self, sql: &str, values: Vec<Value>) -> Result<u64> {
        let _gate = self.gate().await?;
        Ok(in_time(self.deadline, self.connection.execute_raw(statement(self.engine, sql, values)))
            .await?
            .rows_affected())
    }

    async fn rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>> {
        let rows = in_time(self.deadline, self.connection.query_all_raw(statement(self.engine, sql, values))).await?;
        Ok(rows.into_iter().map(Row).collect())
    }
}

impl Sql for Tx {
    fn engine(&self) -> Engine {
        self.engine
    }

    async fn exec(&self, sql: &str, values: Vec<Value>) -> Result<u64> {
        Ok(in_time(self.deadline, self.transaction.execute_raw(statement(self.engine, sql, values)))
            .await?
            .rows_affected())
    }

    async fn rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>> {
        let rows = in_time(self.deadline, self.transaction.query_all_raw(statement(self.engine, sql, values))).await?;
        Ok(rows.into_iter().map(Row).collect())
    }
}

impl Tx {
    /// How many rows of `columns` values one statement should carry. SQLite finds the place of each value by walking through
    /// all of them, so that a statement of ten thousand values costs more than ten of a thousand.
    #[must_use]
    pub fn rows_at_once(&self, columns: usize) -> usize {
        let values = match self.engine {
            Engine::Sqlite => 1_000,
            Engine::Postgres => 10_000,
        };
        (values / columns.max(1)).max(1)
    }

    /// Makes the changes last.
    ///
    /// # Errors
    /// When the database does not confirm; the changes may or may not be there.
    pub async fn commit(self) -> Result<()> {
        in_time(self.deadline, self.transaction.commit()).await
    }
}

impl Db {
    /// Connects to `sqlite:…` or `postgres://…`.
    ///
    /// # Errors
    /// When the address is not understood or nothing answers there.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::connect_with(url, None, STATEMENT).await
    }

    /// The same with a single connection.
    ///
    /// # Errors
    /// As [`Db::connect`].
    pub async fn connect_one(url: &str) -> Result<Self> {
        Self::connect_with(url, Some(1), STATEMENT).await
    }

    /// The same with another length than 30 s that a statement may take.
    ///
    /// # Errors
    /// As [`Db::connect`].
    pub async fn connect_within(url: &str, statement: Duration) -> Result<Self> {
        Self::connect_with(url, None, statement).await
    }

    async fn connect_with(url: &str, most: Option<u32>, deadline: Duration) -> Result<Self> {
        let engine = if url.starts_with("sqlite:") {
            Engine::Sqlite
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Engine::Postgres
        } else {
            return Err(StoreError::Corrupt("the address must start with sqlite: or postgres://".to_owned()));
        };
        let mut options = ConnectOptions::new(url);
        options.sqlx_logging(false).record_stmt_in_spans(false).test_before_acquire(false);
        options.connect_timeout(CONNECT).acquire_timeout(CONNECT);
        match engine {
            Engine::Sqlite => {
                options.max_connections(most.unwrap_or(4));
                let busy = deadline.min(Duration::from_secs(5));
                options.map_sqlx_sqlite_opts(move |sqlite| {
                    sqlite
                        .create_if_missing(true)
                        .busy_timeout(busy)
                        .journal_mode(sea_orm::sqlx::sqlite::SqliteJournalMode::Wal)
                        .synchronous(sea_orm::sqlx::sqlite::SqliteSynchronous::Full)
                        .foreign_keys(true)
                        .pragma("journal_size_limit", "67108864")
                        .pragma("secure_delete", "on")
                });
            }
            Engine::Postgres => {
                reach(url).await?;
                options.max_connections(most.unwrap_or(16)).statement_timeout(deadline);
                // A plan that is kept from when a table was small reads all of it when it has grown.
                options.map_sqlx_postgres_opts(|postgres| {
                    postgres.options([
                        ("plan_cache_mode", "force_custom_plan"),
                        // Whoever is gone without a word must not hold what it locked until TCP notices, which takes hours.
                        ("idle_in_transaction_session_timeout", "60s"),
                    ])
                });
            }
        }
        let connection = Database::connect(options).await?;
        Ok(Self { connection, engine, deadline: deadline + GRACE, gate: Arc::default() })
    }

    /// Starts a transaction that may write.
    ///
    /// # Errors
    /// When no connection is free in time.
    pub async fn begin(&self) -> Result<Tx> {
        let gate = self.gate().await?;
        let options = TransactionOptions {
            // A deferred transaction that reads first can not become a writer when another process wrote meanwhile.
            sqlite_transaction_mode: (self.engine == Engine::Sqlite).then_some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let transaction = in_time(self.deadline, self.connection.begin_with_options(options)).await?;
        Ok(Tx { transaction, engine: self.engine, deadline: self.deadline, _gate: gate })
    }

    /// The turn to write. Bounded like a statement: whoever is ahead may hang.
    async fn gate(&self) -> Result<Option<tokio::sync::OwnedMutexGuard<()>>> {
        match self.engine {
            Engine::Sqlite => match tokio::time::timeout(self.deadline, Arc::clone(&self.gate).lock_owned()).await {
                Ok(turn) => Ok(Some(turn)),
                Err(_) => Err(unavailable("the turn to write did not come in time")),
            },
            Engine::Postgres => Ok(None),
        }
    }

    /// The connection below, for the migrator.
    pub(crate) fn raw(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// Ends all connections.
    pub async fn close(&self) {
        // By reference: other clones of the handle fail from here on, which is what an end means.
        let _ = self.connection.close_by_ref().await;
    }
}

/// `rows` in pieces of `largest`, and what is left in pieces whose sizes are powers of two. A statement is prepared for each
/// number of rows, on every connection, so there must not be as many of them as there are numbers.
pub fn pieces<T>(rows: &[T], largest: usize) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let count = rest.len().min(largest);
        if count == 0 {
            return None;
        }
        let size = if count == largest { largest } else { 1 << count.ilog2() };
        let (piece, others) = rest.split_at(size);
        rest = others;
        Some(piece)
    })
}

/// `($1, $2, $3), ($4, …)` for `rows` rows of `columns` values, starting at `$first`.
#[must_use]
pub fn tuples(rows: usize, columns: usize, first: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 6);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            if column > 0 {
                text.push_str(", ");
            }
            text.push('$');
            text.push_str(&(first + row * columns + column).to_string());
        }
        text.push(')');
    }
    text
}

/// `$first, …` for `count` values.
#[must_use]
pub fn list(count: usize, first: usize) -> String {
    let names: Vec<String> = (first..first + count).map(|number| format!("${number}")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_whole_and_come_in_few_sizes() {
        let rows: Vec<usize> = (0..2_345).collect();
        let mut sizes = std::collections::BTreeSet::new();
        for count in 0..rows.len() {
            let pieces: Vec<&[usize]> = pieces(&rows[..count], 500).collect();
            assert_eq!(pieces.concat(), &rows[..count]);
            sizes.extend(pieces.iter().map(|piece| piece.len()));
        }
        assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [1, 2, 4, 8, 16, 32, 64, 128, 256, 500]);
    }
}
