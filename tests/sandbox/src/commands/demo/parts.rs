//! The parts of the demonstration: カオナビ, HRMOS勤怠 and クラウドログ in this process, ingest and workers beside it, a store and
//! a log.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use rand::RngCore as _;
use renkei_e2e::servers::{Folder, Kafka, Program, ServerError, free_port, program_path};
use renkei_events::signature::WebhookSecret;
use renkei_runtime::clock::Clock;
use renkei_sandbox::SandboxError;
use renkei_sandbox::crowdlog::{self, CrowdLog};
use renkei_sandbox::demo::Demo;
use renkei_sandbox::hrmos::{self, CompanySpec, Hrmos};
use renkei_sandbox::kaonavi::{Kaonavi, Shared, http, sample};
use renkei_sandbox::machine::SharedMachine;

use super::Options;

/// The company and connection of the demonstration.
pub(super) const COMPANY: &str = "sample";
pub(super) const CONNECTION: &str = "sample";

/// Which log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogKind {
    /// A table of the store.
    Embedded,
    /// A real Apache Kafka, started for the occasion.
    Kafka,
}

/// What attendance comes from and goes to.
pub(super) struct Office {
    pub(super) hrmos: hrmos::Shared,
    pub(super) hrmos_url: String,
    pub(super) crowdlog: crowdlog::Shared,
    pub(super) crowdlog_url: String,
}

impl Office {
    fn open(hrmos: CompanySpec, crowdlog: CrowdLog, clock: &Arc<dyn Clock>) -> Result<Self, SandboxError> {
        let hrmos = Hrmos::new().with(hrmos)?.shared();
        let crowdlog = crowdlog.shared();
        let serve = |machine: SharedMachine| {
            let (listener, url) = listen()?;
            tokio::spawn(renkei_sandbox::http::serve(listener, machine, Arc::clone(clock))?);
            Ok::<_, SandboxError>(url)
        };
        Ok(Self { hrmos_url: serve(hrmos.clone())?, crowdlog_url: serve(crowdlog.clone())?, hrmos, crowdlog })
    }
}

fn listen() -> Result<(TcpListener, String), SandboxError> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| SandboxError::io("listen", error))?;
    let address = listener.local_addr().map_err(|error| SandboxError::io("listen", error))?;
    Ok((listener, format!("http://{address}")))
}

/// Everything that runs. Dropping it ends it.
pub(super) struct Parts {
    pub(super) kaonavi: Shared,
    pub(super) office: Option<Office>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) secret: WebhookSecret,
    pub(super) kaonavi_url: String,
    pub(super) webhook_url: String,
    pub(super) api_url: String,
    pub(super) ingest_internal: String,
    pub(super) workers_internal: String,
    environment: Vec<(String, String)>,
    _ingest: Program,
    _workers: Program,
    _kafka: Option<Kafka>,
    folder: Folder,
}

fn server(error: ServerError) -> SandboxError {
    SandboxError::io("start the demonstration", std::io::Error::other(error.to_string()))
}

fn random_base64(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    rand::rng().fill_bytes(&mut random);
    STANDARD.encode(random)
}

impl Parts {
    pub(super) async fn start(
        options: &Options,
        clock: Arc<dyn Clock>,
        scene: &Demo,
        attendance: Option<(CompanySpec, CrowdLog)>,
    ) -> Result<Self, SandboxError> {
        let folder = Folder::new("demo").map_err(server)?;
        let kafka = match options.log {
            LogKind::Embedded => None,
            LogKind::Kafka => {
                println!("  starting Apache Kafka …");
                Some(tokio::task::spawn_blocking(Kafka::start).await.map_err(joined)?.map_err(server)?)
            }
        };
        let mut kaonavi = Kaonavi::new();
        let mut company = sample::company(COMPANY);
        company.members.clone_from(&scene.existing);
        kaonavi.add(company)?;
        let kaonavi = kaonavi.shared();
        let (listener, kaonavi_url) = listen()?;
        tokio::spawn(http::serve(listener, Arc::clone(&kaonavi), Arc::clone(&clock))?);

        let office = attendance.map(|(hrmos, crowdlog)| Office::open(hrmos, crowdlog, &clock)).transpose()?;

        let secret_text = format!("whsec_{}", random_base64(32));
        let write = |name: &str, content: &str| folder.write(name, content).map_err(server);
        write("webhook_secret", &secret_text)?;
        write("consumer_key", &format!("key-{COMPANY}"))?;
        write("consumer_secret", &format!("secret-{COMPANY}"))?;
        write("connections.yaml", CONNECTIONS)?;
        let port = || free_port().map_err(server);
        let (listen, ingest_internal, workers_internal) = (port()?, port()?, port()?);
        let log =
            kafka.as_ref().map_or_else(|| "embedded".to_owned(), |kafka| format!("kafka://{}", kafka.bootstrap()));
        let environment: Vec<(String, String)> = [
            ("RENKEI_STORE", format!("sqlite://{}", folder.join("renkei.db").display())),
            ("RENKEI_LOG", log),
            ("RENKEI_MASTER_KEY", random_base64(32)),
            ("RENKEI_LISTEN", format!("127.0.0.1:{listen}")),
            ("RENKEI_KAONAVI_BASE_URL", format!("{kaonavi_url}/api/v2.0")),
            ("RENKEI_ALLOW_PRIVATE_BASE_URLS", "127.0.0.0/8".to_owned()),
            ("RENKEI_CLOCK_SCALE", options.clock_scale.to_string()),
            ("RENKEI_LOG_FORMAT", "text".to_owned()),
        ]
        .into_iter()
        .chain(office.iter().map(|office| ("RENKEI_HRMOS_BASE_URL", office.hrmos_url.clone())))
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        let start = |name: &str, internal: u16| {
            let internal = format!("127.0.0.1:{internal}");
            let own = [("RENKEI_INTERNAL_LISTEN", internal.as_str())];
            let shared = environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            Program::start(name, &[], shared.chain(own)).map_err(server)
        };
        let ingest = start("renkei-ingest", ingest_internal)?;
        let workers = start("renkei-workers", workers_internal)?;
        let secret = WebhookSecret::parse(&secret_text)?;
        let parts = Self {
            kaonavi,
            office,
            clock,
            secret,
            kaonavi_url,
            webhook_url: format!("http://127.0.0.1:{listen}/webhooks/roumumate/{CONNECTION}"),
            api_url: format!("http://127.0.0.1:{listen}/api/v1"),
            ingest_internal: format!("http://127.0.0.1:{ingest_internal}"),
            workers_internal: format!("http://127.0.0.1:{workers_internal}"),
            environment,
            _ingest: ingest,
            _workers: workers,
            _kafka: kafka,
            folder,
        };
        for (program, url) in [(&parts._ingest, &parts.ingest_internal), (&parts._workers, &parts.workers_internal)] {
            parts.wait_ready(program, url).await?;
        }
        Ok(parts)
    }

    async fn wait_ready(&self, program: &Program, url: &str) -> Result<(), SandboxError> {
        let client = renkei_sandbox::send::client()?;
        for _ in 0..600 {
            let answer = client.get(format!("{url}/readyz")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if program.ended().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let output = program.output();
        let tail: Vec<&str> = output.lines().rev().take(5).collect();
        Err(SandboxError::BadInput(format!(
            "a program did not get ready: {}",
            tail.into_iter().rev().collect::<Vec<_>>().join(" | ")
        )))
    }

    /// Declares the company's connection and waits until a worker has verified it.
    pub(super) fn apply(&self) -> Result<(), SandboxError> {
        let file = self.folder.join("connections.yaml");
        self.command("renkei-ingest", &["apply", "--file", &file.to_string_lossy(), "--wait", "60s"]).map(|_| ())
    }

    /// Runs one of our programs to its end and gives what it wrote.
    pub(super) fn command(&self, name: &str, arguments: &[&str]) -> Result<String, SandboxError> {
        let path = program_path(name).map_err(server)?;
        let mut command = std::process::Command::new(path);
        command.args(arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        let output = command.output().map_err(|error| SandboxError::io(format!("run {name}"), error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(SandboxError::BadInput(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What a shell needs to talk to these programs.
    pub(super) fn environment(&self) -> &[(String, String)] {
        &self.environment
    }
}

fn joined(error: tokio::task::JoinError) -> SandboxError {
    SandboxError::io("start Kafka", std::io::Error::other(error.to_string()))
}

const CONNECTIONS: &str = "\
tenants:
  - id: sample
    name: サンプル株式会社
    connections:
      - id: sample
        name: ロウムメイト → カオナビ
        source: roumumate
        webhook_secrets:
          - secret: { file: webhook_secret }
        kaonavi:
          consumer_key: { file: consumer_key }
          consumer_secret: { file: consumer_secret }
        mapping:
          gender: { 男性: 男性, 女性: 女性 }
        delivery: { brake: off, ceiling: off }
        state: active
";
