//! Apache Kafka, one node in KRaft mode.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rustix::process::Signal;

use super::process::{self, Daemon};
use super::{Folder, ServerError, free_port, jars};

/// Any 16 bytes in URL-safe base64; it only has to be the same for format and start.
const CLUSTER_ID: &str = "cmVua2VpLXRlc3QtMDAwMQ";

/// After `kill -9` the broker reads its logs again, which takes 14 s on two busy cores.
const START: Duration = Duration::from_secs(90);

const LOG_CONFIG: &str = r#"<Configuration status="error">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %c{1} %m%n"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"#;

/// How a broker is started.
#[derive(Debug, Clone, Copy)]
pub struct KafkaOptions {
    /// The largest heap, in MiB.
    pub heap_mib: u32,
    /// Compile Java code cheaply: starts faster, runs slower. Not for measurements.
    pub quick: bool,
    /// Clients must use TLS and log in with SCRAM-SHA-512.
    pub secured: bool,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self { heap_mib: 256, quick: true, secured: false }
    }
}

/// A broker on 127.0.0.1 with a folder of its own. Topics are not created by themselves.
#[derive(Debug)]
pub struct Kafka {
    options: KafkaOptions,
    port: u16,
    jars: PathBuf,
    // Before the folder: the process has to be gone when the folder is removed.
    daemon: Daemon,
    folder: Folder,
}

impl Kafka {
    /// The user that a secured broker knows, with its password.
    pub const USER: (&'static str, &'static str) = ("renkei", "renkei-test-password");

    /// Starts a broker and waits until it answers.
    ///
    /// # Errors
    /// When the jars can not be had or the broker does not start.
    pub fn start() -> Result<Self, ServerError> {
        Self::start_with(KafkaOptions::default())
    }

    /// As [`Kafka::start`], with options.
    ///
    /// # Errors
    /// As [`Kafka::start`].
    pub fn start_with(options: KafkaOptions) -> Result<Self, ServerError> {
        let jars = jars::folder()?;
        let folder = Folder::new("kafka")?;
        let port = free_port()?;
        let kafka = Self { options, port, jars, daemon: Daemon::default(), folder };
        if options.secured {
            kafka.make_certificates()?;
        }
        kafka.folder.write("log4j2.xml", LOG_CONFIG)?;
        kafka.folder.write("server.properties", &kafka.properties(free_port()?))?;
        kafka.format()?;
        kafka.launch()?;
        Ok(kafka)
    }

    /// `host:port` for clients.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The certificate that clients of a secured broker have to trust.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Kills it as a crash would. Its data stay.
    pub fn kill9(&self) {
        self.daemon.kill();
    }

    /// Starts it again on the same data and ports, after it was killed or stopped, and waits until it answers.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&self) -> Result<(), ServerError> {
        self.launch()
    }

    /// Ends it in order (SIGTERM). Its data stay.
    pub fn stop(&self) {
        self.daemon.signal(Signal::TERM);
        let _ = self.daemon.wait(Duration::from_secs(20));
        self.daemon.kill();
    }

    /// Stops it without closing its connections (SIGSTOP), as a hung machine would.
    pub fn freeze(&self) {
        self.daemon.freeze();
    }

    /// Lets it go on after [`Kafka::freeze`].
    pub fn thaw(&self) {
        self.daemon.thaw();
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The end of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        process::tail(&self.folder.join("server.log"))
    }

    fn launch(&self) -> Result<(), ServerError> {
        let path = self.folder.join("server.log");
        let log = File::options().create(true).append(true).open(&path).map_err(ServerError::file(&path))?;
        let errors = log.try_clone().map_err(ServerError::file(&path))?;
        let mut command = process::dying_with_us("KILL", Path::new("java"));
        self.java_flags(&mut command);
        command.arg("kafka.Kafka").arg(self.folder.join("server.properties"));
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(log).stderr(errors);
        self.daemon.replace(command).map_err(ServerError::file("setpriv (util-linux)"))?;
        let mut up = false;
        process::until(START, || {
            up = self.answers();
            up || self.daemon.ended().is_some()
        });
        if up { Ok(()) } else { Err(ServerError::NotReady { what: "Kafka".to_owned(), output: self.log_tail() }) }
    }

    /// Whether a real client gets the cluster's metadata.
    fn answers(&self) -> bool {
        if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            return false;
        }
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap()).set_log_level(RDKafkaLogLevel::Emerg);
        if self.options.secured {
            config.set("security.protocol", "SASL_SSL").set("sasl.mechanism", "SCRAM-SHA-512");
            config.set("sasl.username", Self::USER.0).set("sasl.password", Self::USER.1);
            config.set("ssl.ca.location", self.ca().to_string_lossy());
        }
        let client: Result<BaseConsumer, _> = config.create();
        let metadata = client.and_then(|client| client.fetch_metadata(None, Duration::from_secs(5)));
        metadata.is_ok_and(|metadata| !metadata.brokers().is_empty())
    }

    fn format(&self) -> Result<(), ServerError> {
        let mut command = Command::new("java");
        self.java_flags(&mut command);
        command.args(["kafka.tools.StorageTool", "format", "--standalone", "-t", CLUSTER_ID, "-c"]);
        command.arg(self.folder.join("server.properties"));
        if self.options.secured {
            let (user, password) = Self::USER;
            command.arg("--add-scram").arg(format!("SCRAM-SHA-512=[name={user},password={password}]"));
        }
        let hint = "install a Java runtime, 17 or newer (Debian: default-jre-headless)";
        let run = command.output();
        let run = run.map_err(|_| ServerError::Missing { what: "java".to_owned(), hint: hint.to_owned() })?;
        if run.status.success() {
            return Ok(());
        }
        let output = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        Err(ServerError::Failed { what: "formatting Kafka's storage".to_owned(), output })
    }

    fn java_flags(&self, command: &mut Command) {
        command.arg(format!("-Xmx{}m", self.options.heap_mib)).args(["-Xms128m", "-XX:+UseSerialGC", "-Xshare:auto"]);
        if self.options.quick {
            command.arg("-XX:TieredStopAtLevel=1");
        }
        command.arg(format!("-Dlog4j2.configurationFile={}", self.folder.join("log4j2.xml").display()));
        command.arg("-cp").arg(self.jars.join("*"));
    }

    fn properties(&self, controller: u16) -> String {
        let port = self.port;
        let data = self.folder.join("data");
        let data = data.display();
        let protocol = if self.options.secured { "SASL_SSL" } else { "PLAINTEXT" };
        let mut properties = format!(
            "process.roles=broker,controller
node.id=1
listeners={protocol}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={protocol}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,{protocol}:{protocol}
inter.broker.listener.name={protocol}
log.dirs={data}
auto.create.topics.enable=false
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=8388608
"
        );
        if self.options.secured {
            let (user, password) = Self::USER;
            let (keys, ca) = (self.folder.join("server.pem"), self.ca());
            properties.push_str(&format!(
                "sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule \
required username=\"{user}\" password=\"{password}\";
ssl.keystore.type=PEM
ssl.keystore.location={}
ssl.truststore.type=PEM
ssl.truststore.location={}
",
                keys.display(),
                ca.display()
            ));
        }
        properties
    }

    /// A certificate authority, and a key with a certificate for 127.0.0.1 in the one file that the broker reads.
    fn make_certificates(&self) -> Result<(), ServerError> {
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
        let authority = ["-subj", "/CN=renkei test authority", "-keyout", "ca.key", "-out", "ca.pem"];
        let signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/CN=127.0.0.1"];
        let files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "server.key", "-out", "server.crt"];
        self.openssl(key.iter().chain(&authority))?;
        self.openssl(key.iter().chain(&signed).chain(&files))?;
        let read = |name: &str| {
            let path = self.folder.join(name);
            std::fs::read_to_string(&path).map_err(ServerError::file(path))
        };
        let both = read("server.key")? + &read("server.crt")?;
        self.folder.write("server.pem", &both).map(drop)
    }

    fn openssl<'a>(&self, arguments: impl Iterator<Item = &'a &'a str>) -> Result<(), ServerError> {
        let run =
            Command::new("openssl").args(["req", "-x509"]).args(arguments).current_dir(self.folder.path()).output();
        let hint = "install OpenSSL's command (Debian: openssl)".to_owned();
        let run = run.map_err(|_| ServerError::Missing { what: "openssl".to_owned(), hint })?;
        if run.status.success() {
            return Ok(());
        }
        let output = String::from_utf8_lossy(&run.stderr).into_owned();
        Err(ServerError::Failed { what: "making test certificates".to_owned(), output })
    }
}
