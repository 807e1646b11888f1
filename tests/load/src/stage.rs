//! Servers, and an installation with one connection on them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore as _;
use renkei_e2e::servers::{Folder, Kafka, KafkaOptions, Postgres, Program, ServerError, free_port, program_path};
use renkei_events::signature::WebhookSecret;

use crate::error::LoadError;

/// The one connection.
pub const CONNECTION: &str = "load";

/// Nothing listens there: nothing is to be sent.
pub const NOBODY: &str = "http://127.0.0.1:9/api/v2.0";

/// How long a program may take until it is ready, on a machine that has other work as well.
const READY: Duration = Duration::from_secs(60);

/// Kafka and PostgreSQL.
pub struct Servers {
    pub kafka: Kafka,
    pub postgres: Postgres,
}

impl Servers {
    /// Starts both.
    pub fn start() -> Result<Self, LoadError> {
        let options = KafkaOptions { heap_mib: 512, quick: false, ..KafkaOptions::default() };
        Ok(Self { kafka: Kafka::start_with(options)?, postgres: Postgres::start()? })
    }
}

/// An empty store, topics of its own, and the connection declared.
pub struct Stage {
    pub secret: WebhookSecret,
    pub store_url: String,
    pub master_key: String,
    pub topic_prefix: String,
    environment: Vec<(String, String)>,
    folder: Folder,
}

impl Stage {
    /// `name` keeps this installation's topics apart from those of others on the same broker.
    pub fn set(servers: &Servers, name: &str, threads: usize) -> Result<Self, LoadError> {
        Self::declare(servers, name, threads, NOBODY, CONNECTIONS, &["load"])
    }

    /// The same with the connections of `yaml`, at a カオナビ of one's own. Each of `accounts` has its key and its secret in
    /// the files `key-{account}` and `secret-{account}`.
    pub fn declare(
        servers: &Servers,
        name: &str,
        threads: usize,
        base_url: &str,
        yaml: &str,
        accounts: &[&str],
    ) -> Result<Self, LoadError> {
        let stage = Self::bare(servers, name, threads, base_url, &[])?;
        stage.folder.write("webhook_secret", &stage.secret.expose())?;
        for account in accounts {
            stage.folder.write(&format!("key-{account}"), &format!("key-{account}"))?;
            stage.folder.write(&format!("secret-{account}"), &format!("secret-{account}"))?;
        }
        let file = stage.folder.write("connections.yaml", yaml)?;
        stage.command("renkei-ingest", &["apply", "--file", &file.to_string_lossy()])?;
        Ok(stage)
    }

    /// The same without connections and with variables of its own; nothing has opened the store yet.
    pub fn bare(
        servers: &Servers,
        name: &str,
        threads: usize,
        base_url: &str,
        more: &[(&str, String)],
    ) -> Result<Self, LoadError> {
        let folder = Folder::new("load")?;
        let secret = WebhookSecret::from_key(&random()).map_err(|fault| LoadError::Wrong(fault.to_string()))?;
        let store_url = servers.postgres.database()?;
        let master_key = STANDARD.encode(random());
        let topic_prefix = format!("{name}.");
        let environment = [
            ("RENKEI_STORE", store_url.clone()),
            ("RENKEI_LOG", format!("kafka://{}", servers.kafka.bootstrap())),
            ("RENKEI_KAFKA_TOPIC_PREFIX", topic_prefix.clone()),
            ("RENKEI_MASTER_KEY", master_key.clone()),
            ("RENKEI_KAONAVI_BASE_URL", base_url.to_owned()),
            ("RENKEI_ALLOW_PRIVATE_BASE_URLS", "127.0.0.0/8".to_owned()),
            ("RENKEI_INGEST_RATE_PER_SECOND", "1000000".to_owned()),
            ("RENKEI_INGEST_RATE_BURST", "1000000".to_owned()),
            ("RENKEI_INGEST_THREADS", threads.to_string()),
            ("RENKEI_LOG_FORMAT", "text".to_owned()),
        ];
        let environment = environment.into_iter().chain(more.iter().cloned());
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(Self { secret, store_url, master_key, topic_prefix, environment, folder })
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Result<(), LoadError> {
        let mut command = std::process::Command::new(program_path(name)?);
        command.args(arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        let output = command.current_dir(self.folder.path()).output().map_err(LoadError::io(format!("run {name}")))?;
        if output.status.success() {
            return Ok(());
        }
        let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(ServerError::Failed { what: name.to_owned(), output }.into())
    }

    /// Starts one of the programs and waits until it is ready.
    pub fn start(&self, name: &str, arguments: &[&str]) -> Result<Started, LoadError> {
        let started = self.launch(name, arguments)?;
        started.program.ready(READY, || is_ready(started.internal))?;
        Ok(started)
    }

    /// Starts one of the programs.
    pub fn launch(&self, name: &str, arguments: &[&str]) -> Result<Started, LoadError> {
        let (port, internal) = (free_port()?, free_port()?);
        let (listen, internal_listen) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{internal}"));
        let own = [("RENKEI_LISTEN", listen.as_str()), ("RENKEI_INTERNAL_LISTEN", internal_listen.as_str())];
        let shared = self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let program = Program::start(name, arguments, shared.chain(own))?;
        Ok(Started { program, port, internal })
    }
}

/// A program that runs.
pub struct Started {
    pub program: Program,
    pub port: u16,
    internal: u16,
}

impl Started {
    /// Its process number.
    pub fn pid(&self) -> Result<u32, LoadError> {
        self.program.pid().ok_or_else(|| LoadError::Wrong("a program ended before its time".to_owned()))
    }
}

fn is_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut start = [0; 12];
        stream.read_exact(&mut start)?;
        Ok(start.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

const CONNECTIONS: &str = "\
tenants:
  - id: load
    name: 測定
    connections:
      - id: load
        name: 測定用の連携
        source: roumumate
        webhook_secrets:
          - secret: { file: webhook_secret }
        kaonavi:
          consumer_key: { file: key-load }
          consumer_secret: { file: secret-load }
        mapping:
          gender: { 男性: 男性, 女性: 女性 }
        delivery: { brake: off, ceiling: off }
";
