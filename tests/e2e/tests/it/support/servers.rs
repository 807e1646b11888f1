//! The servers that the tests of this binary share. Tests keep apart by a database or a topic prefix of their own.

use std::sync::OnceLock;

use renkei_e2e::servers::{Kafka, Postgres};

pub fn kafka() -> &'static Kafka {
    static KAFKA: OnceLock<Kafka> = OnceLock::new();
    KAFKA.get_or_init(|| Kafka::start().expect("kafka starts"))
}

pub fn postgres() -> &'static Postgres {
    static POSTGRES: OnceLock<Postgres> = OnceLock::new();
    POSTGRES.get_or_init(|| Postgres::start().expect("postgresql starts"))
}
