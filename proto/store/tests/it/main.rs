//! The same promises of the store on SQLite and on PostgreSQL.

mod accounts;
mod employees;
mod engines;
mod logtable;
mod sealing;
mod tidy;
mod time;
