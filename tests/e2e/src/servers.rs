//! Real servers for tests: Apache Kafka ([`Kafka`]), PostgreSQL ([`Postgres`]), the mail server Exim ([`Exim`]) and our own
//! programs ([`Program`]).
//!
//! Nothing that a test starts here outlives it:
//!
//! * Dropping a server kills its process, waits for it and removes its folder.
//! * When the test process ends without dropping (a `static`, `kill -9`, an abort), the kernel kills the servers: each is
//!   started under `setpriv --pdeathsig`. Linux ties that signal to the *thread* that started the child, so all children
//!   are started by one thread that lives as long as the process ([`process`]).
//! * Each folder has a small watcher process, which holds one end of a pipe. The pipe closes when the test process ends in
//!   whatever way; then the watcher removes the folder and ends ([`folder`]).
//!
//! So both patterns are safe. A server of one test is a local variable. A server that the tests of one binary share is a
//! static:
//!
//! ```no_run
//! use std::sync::OnceLock;
//! use renkei_e2e::servers::Kafka;
//!
//! fn kafka() -> &'static Kafka {
//!     static KAFKA: OnceLock<Kafka> = OnceLock::new();
//!     KAFKA.get_or_init(|| Kafka::start().expect("kafka starts"))
//! }
//! ```
//!
//! Tests that share a broker or a PostgreSQL keep apart by a topic prefix or by a database of their own
//! ([`Postgres::database`]). A test that kills or freezes a server starts its own.
//!
//! All calls here block; none of them needs an async runtime.

pub mod exim;
pub mod folder;
mod jars;
mod kafka;
mod ports;
mod postgres;
pub mod process;
mod programs;

use std::path::PathBuf;

pub use exim::Exim;
pub use folder::Folder;
pub use kafka::{Kafka, KafkaOptions};
pub use ports::free_port;
pub use postgres::Postgres;
pub use programs::{Finished, Program, program_path, run_program};

/// Why a server did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A tool that has to be on the machine is not there.
    #[error("{what} is not there: {hint}")]
    Missing {
        /// What was looked for.
        what: String,
        /// What to do about it.
        hint: String,
    },
    /// A tool was run and failed.
    #[error("{what} failed: {output}")]
    Failed {
        /// Which step.
        what: String,
        /// The end of what it wrote.
        output: String,
    },
    /// The server did not answer in time, or ended.
    #[error("{what} did not get ready: {output}")]
    NotReady {
        /// Which server.
        what: String,
        /// The end of its log.
        output: String,
    },
    /// A file could not be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// No free port was found.
    #[error("no free port between {0} and {1}")]
    NoPort(u16, u16),
}

impl ServerError {
    fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::File { path, error }
    }
}
