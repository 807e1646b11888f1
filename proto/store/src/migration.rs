//! The schema, step by step. A step that has landed is never edited; the next one changes what must change.

use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::prelude::*;

use crate::db::{Db, Engine, Sql};
use crate::error::Result;

struct Steps;

#[async_trait::async_trait]
impl MigratorTrait for Steps {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(Step { name: "0001_heart", sql: include_str!("../migrations/0001_heart.sql") }),
            Box::new(Step { name: "0002_delivery", sql: include_str!("../migrations/0002_delivery.sql") }),
            Box::new(Step { name: "0003_sweeps", sql: include_str!("../migrations/0003_sweeps.sql") }),
            Box::new(Step { name: "0004_uploads", sql: include_str!("../migrations/0004_uploads.sql") }),
            Box::new(Step { name: "0005_attendance", sql: include_str!("../migrations/0005_attendance.sql") }),
            Box::new(Step { name: "0006_delivery_gaps", sql: include_str!("../migrations/0006_delivery_gaps.sql") }),
            Box::new(Step { name: "0007_rules", sql: include_str!("../migrations/0007_rules.sql") }),
            Box::new(Step { name: "0008_crowdlog", sql: include_str!("../migrations/0008_crowdlog.sql") }),
            Box::new(Step { name: "0009_mornings", sql: include_str!("../migrations/0009_mornings.sql") }),
            Box::new(Step { name: "0010_previews", sql: include_str!("../migrations/0010_previews.sql") }),
            Box::new(Step { name: "0011_shared_codes", sql: include_str!("../migrations/0011_shared_codes.sql") }),
            Box::new(Step { name: "0012_history", sql: include_str!("../migrations/0012_history.sql") }),
            Box::new(Step { name: "0013_history_age", sql: include_str!("../migrations/0013_history_age.sql") }),
            Box::new(Step { name: "0014_dry_runs", sql: include_str!("../migrations/0014_dry_runs.sql") }),
            Box::new(Step { name: "0015_run_lists", sql: include_str!("../migrations/0015_run_lists.sql") }),
            Box::new(Step { name: "0016_list_told", sql: include_str!("../migrations/0016_list_told.sql") }),
            Box::new(Step { name: "0017_company_since", sql: include_str!("../migrations/0017_company_since.sql") }),
            Box::new(Step { name: "0018_told_in_mail", sql: include_str!("../migrations/0018_told_in_mail.sql") }),
            Box::new(Step { name: "0019_activity_code", sql: include_str!("../migrations/0019_activity_code.sql") }),
            Box::new(Step { name: "0020_told_earlier", sql: include_str!("../migrations/0020_told_earlier.sql") }),
        ]
    }
}

struct Step {
    name: &'static str,
    sql: &'static str,
}

impl MigrationName for Step {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> std::result::Result<(), DbErr> {
        let id = match manager.get_database_backend() {
            DbBackend::Postgres => "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            _ => "INTEGER PRIMARY KEY AUTOINCREMENT",
        };
        let sql = self.sql.replace("GENERATED_ID", id);
        manager.get_connection().execute_unprepared(&sql).await?;
        Ok(())
    }
}

/// Brings the schema up to date. Several processes may do so at once: one does the work, the others wait.
///
/// # Errors
/// When the database refuses a step.
pub(crate) async fn migrate(db: &Db) -> Result<()> {
    match db.engine() {
        Engine::Postgres => {
            use sea_orm::TransactionTrait;
            let transaction = db.raw().begin().await?;
            transaction.execute_unprepared("SELECT pg_advisory_xact_lock(7244361)").await?;
            Steps::up(&transaction, None).await?;
            transaction.commit().await?;
        }
        Engine::Sqlite => {
            use sea_orm::{SqliteTransactionMode, TransactionOptions, TransactionTrait};
            let options = TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            };
            let transaction = db.raw().begin_with_options(options).await?;
            Steps::up(&transaction, None).await?;
            transaction.commit().await?;
        }
    }
    Ok(())
}
