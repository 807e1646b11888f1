//! The suite on the embedded log, over both engines of the store.

use std::sync::Arc;

use renkei_e2e::servers::{Folder, Postgres};
use renkei_events::topic::Topic;
use renkei_log::embedded::{EmbeddedReader, EmbeddedWriter};
use renkei_log::{LogReader, LogWriter};
use renkei_store::Store;
use renkei_store::seal::MasterKey;

use crate::kafka::clock;
use crate::suite::Log;

/// 32 bytes of 7.
const MASTER: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

struct EmbeddedLog {
    store: Store,
    writer: Arc<EmbeddedWriter>,
    /// Goes away after the store.
    _folder: Option<Folder>,
}

impl EmbeddedLog {
    async fn open(url: &str, folder: Option<Folder>) -> Box<dyn Log> {
        let store = Store::open(url, &MasterKey::parse(MASTER).unwrap(), clock()).await.unwrap();
        let writer = Arc::new(EmbeddedWriter::new(store.clone(), clock()));
        Box::new(Self { store, writer, _folder: folder })
    }
}

impl Log for EmbeddedLog {
    fn writer(&self) -> Arc<dyn LogWriter> {
        Arc::clone(&self.writer) as Arc<dyn LogWriter>
    }

    fn reader(&self, group: &str, topic: Topic) -> Box<dyn LogReader> {
        Box::new(EmbeddedReader::new(self.store.clone(), clock(), topic, group, true))
    }

    fn deaf_writer(&self) -> Option<Arc<dyn LogWriter>> {
        None
    }
}

mod sqlite {
    use super::*;

    crate::suite::conformance!(open());

    async fn open() -> Box<dyn Log> {
        let folder = Folder::new("log").unwrap();
        let url = format!("sqlite://{}", folder.join("renkei.db").display());
        EmbeddedLog::open(&url, Some(folder)).await
    }
}

mod postgres {
    use std::sync::OnceLock;

    use super::*;

    crate::suite::conformance!(open());

    async fn open() -> Box<dyn Log> {
        static SERVER: OnceLock<Postgres> = OnceLock::new();
        let database = || SERVER.get_or_init(|| Postgres::start().expect("postgres starts")).database();
        let url = tokio::task::spawn_blocking(database).await.unwrap().unwrap();
        EmbeddedLog::open(&url, None).await
    }
}
