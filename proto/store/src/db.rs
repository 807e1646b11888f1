//! SQL on either engine.
//!
//! Statements are written once, with `$1` placeholders, in the dialect that SQLite and PostgreSQL share. The library
//! below (sea-orm over sqlx) speaks to both; what differs between the engines is in this file and in `migration.rs`.

use std::sync::Arc;
use std::time::Duration;

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
    /// SQLite has one writer: queueing for it here is fair and wakes at once, its own busy handler sleeps.
    gate: Arc<tokio::sync::Mutex<()>>,
}

/// A transaction that may write. Dropped without [`Tx::commit`] it changes nothing.
pub struct Tx {
    transaction: DatabaseTransaction,
    engine: Engine,
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
}

/// The server ends a statement after 30 s; this is for a server that is gone without a word.
const DEADLINE: Duration = Duration::from_secs(35);

async fn in_time<T>(work: impl Future<Output = std::result::Result<T, sea_orm::DbErr>> + Send) -> Result<T> {
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(done) => Ok(done?),
        Err(_) => {
            let gone = sea_orm::RuntimeErr::Internal("the database did not answer in time".to_owned());
            Err(StoreError::Unavailable(sea_orm::DbErr::Conn(gone)))
        }
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
        let _gate = match self.engine {
            Engine::Sqlite => Some(self.gate.lock().await),
            Engine::Postgres => None,
        };
        Ok(in_time(self.connection.execute_raw(statement(self.engine, sql, values))).await?.rows_affected())
    }

    async fn rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>> {
        let rows = in_time(self.connection.query_all_raw(statement(self.engine, sql, values))).await?;
        Ok(rows.into_iter().map(Row).collect())
    }
}

impl Sql for Tx {
    fn engine(&self) -> Engine {
        self.engine
    }

    async fn exec(&self, sql: &str, values: Vec<Value>) -> Result<u64> {
        Ok(in_time(self.transaction.execute_raw(statement(self.engine, sql, values))).await?.rows_affected())
    }

    async fn rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>> {
        let rows = in_time(self.transaction.query_all_raw(statement(self.engine, sql, values))).await?;
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
        in_time(self.transaction.commit()).await
    }
}

impl Db {
    /// Connects to `sqlite:…` or `postgres://…`.
    ///
    /// # Errors
    /// When the address is not understood or nothing answers there.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::connect_with(url, None).await
    }

    /// The same with a single connection.
    ///
    /// # Errors
    /// As [`Db::connect`].
    pub async fn connect_one(url: &str) -> Result<Self> {
        Self::connect_with(url, Some(1)).await
    }

    async fn connect_with(url: &str, most: Option<u32>) -> Result<Self> {
        let engine = if url.starts_with("sqlite:") {
            Engine::Sqlite
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Engine::Postgres
        } else {
            return Err(StoreError::Corrupt("the address must start with sqlite: or postgres://".to_owned()));
        };
        let mut options = ConnectOptions::new(url);
        options.sqlx_logging(false).record_stmt_in_spans(false).test_before_acquire(false);
        options.connect_timeout(Duration::from_secs(5)).acquire_timeout(Duration::from_secs(5));
        match engine {
            Engine::Sqlite => {
                options.max_connections(most.unwrap_or(4));
                options.map_sqlx_sqlite_opts(|sqlite| {
                    sqlite
                        .create_if_missing(true)
                        .busy_timeout(Duration::from_secs(5))
                        .journal_mode(sea_orm::sqlx::sqlite::SqliteJournalMode::Wal)
                        .synchronous(sea_orm::sqlx::sqlite::SqliteSynchronous::Full)
                        .foreign_keys(true)
                        .pragma("journal_size_limit", "67108864")
                        .pragma("secure_delete", "on")
                });
            }
            Engine::Postgres => {
                options.max_connections(most.unwrap_or(16)).statement_timeout(Duration::from_secs(30));
            }
        }
        let connection = Database::connect(options).await?;
        Ok(Self { connection, engine, gate: Arc::default() })
    }

    /// Starts a transaction that may write.
    ///
    /// # Errors
    /// When no connection is free in time.
    pub async fn begin(&self) -> Result<Tx> {
        let gate = match self.engine {
            Engine::Sqlite => Some(Arc::clone(&self.gate).lock_owned().await),
            Engine::Postgres => None,
        };
        let options = TransactionOptions {
            // A deferred transaction that reads first can not become a writer when another process wrote meanwhile.
            sqlite_transaction_mode: (self.engine == Engine::Sqlite).then_some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let transaction = in_time(self.connection.begin_with_options(options)).await?;
        Ok(Tx { transaction, engine: self.engine, _gate: gate })
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
