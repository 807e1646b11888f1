//! Exim from the system's packages, as a mail server of its own.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::process::{self, Daemon};
use super::{Folder, ServerError, free_port};

const START: Duration = Duration::from_secs(20);
/// Exim gives up root for this user, which every Debian has; another user keeps its own name.
const NOBODY: &str = "nobody";
/// The login that it takes.
pub const USER: &str = "renkei";
/// Its password.
pub const PASSWORD: &str = "pass word";

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offers {
    /// STARTTLS, and PLAIN inside of it.
    StartTls,
    /// TLS from the first byte, and PLAIN.
    TlsAtOnce,
    /// STARTTLS, and LOGIN alone inside of it.
    LoginOnly,
    /// No TLS; PLAIN and mail from anybody in plain text.
    PlainText,
}

/// A mail server on 127.0.0.1 with a folder of mails. Where it offers TLS, a login is only offered inside of it, and needed. It
/// takes mail for everybody but for `reject@…` (550) and `later@…` (451).
#[derive(Debug)]
pub struct Exim {
    offers: Offers,
    port: u16,
    program: PathBuf,
    // Before the folder: the process has to be gone when the folder is removed.
    daemon: Daemon,
    folder: Folder,
}

impl Exim {
    /// Starts a server with STARTTLS and PLAIN, and waits until it answers.
    ///
    /// # Errors
    /// When Exim or openssl is not installed, or it does not start.
    pub fn start() -> Result<Self, ServerError> {
        Self::offering(Offers::StartTls)
    }

    /// Starts another kind of server, and waits until it answers.
    ///
    /// # Errors
    /// When Exim or openssl is not installed, or it does not start.
    pub fn offering(offers: Offers) -> Result<Self, ServerError> {
        let program = ["/usr/sbin/exim4", "/usr/sbin/exim", "/usr/local/sbin/exim"].map(PathBuf::from);
        let program = program.into_iter().find(|path| path.is_file()).ok_or_else(|| ServerError::Missing {
            what: "Exim".to_owned(),
            hint: "install it (Debian: exim4-daemon-light)".to_owned(),
        })?;
        let folder = Folder::short("mail")?;
        // Debian's program gets root's rights when it starts, and then no longer dies with us: a plain copy does.
        let copy = folder.join("exim");
        std::fs::copy(&program, &copy).map_err(ServerError::file(&program))?;
        std::fs::set_permissions(&copy, Permissions::from_mode(0o755)).map_err(ServerError::file(&copy))?;
        let server = Self { offers, port: free_port()?, program: copy, daemon: Daemon::default(), folder };
        server.certificate()?;
        std::fs::create_dir(server.folder.join("spool")).map_err(ServerError::file(server.folder.path()))?;
        server.folder.write("exim.conf", &server.configuration())?;
        if is_root() {
            run("chown", Command::new("chown").args(["-R", &format!("{NOBODY}:")]).arg(server.folder.path()))?;
        }
        server.restart()?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The authority to trust for it, in PEM.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.join("cert.pem")
    }

    /// Every mail that has arrived, as it stands in its file, oldest first; the recipients are in `Envelope-To` lines.
    #[must_use]
    pub fn mails(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.join("mail/new")).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths
            .iter()
            .map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned())
            .collect()
    }

    /// Waits until `count` mails have arrived, and answers those that have.
    #[must_use]
    pub fn wait_for(&self, count: usize, most: Duration) -> Vec<String> {
        process::until(most, || self.mails().len() >= count);
        self.mails()
    }

    /// What it wrote to its log.
    #[must_use]
    pub fn log(&self) -> String {
        ["main.log", "reject.log", "panic.log", "output.log"]
            .map(|name| process::tail(&self.folder.join(name)))
            .join("\n")
    }

    /// Ends it. What it has taken stays.
    pub fn stop(&self) {
        self.daemon.kill();
    }

    /// Starts it again on the same port.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&self) -> Result<(), ServerError> {
        let path = self.folder.join("output.log");
        let output = File::options().create(true).append(true).open(&path).map_err(ServerError::file(&path))?;
        let errors = output.try_clone().map_err(ServerError::file(&path))?;
        let mut command = Command::new("setpriv");
        if is_root() {
            command.args(["--reuid", NOBODY, "--regid", "nogroup", "--clear-groups"]);
        }
        command.args(["--pdeathsig", "KILL", "--"]).arg(&self.program);
        command.arg("-C").arg(self.folder.join("exim.conf")).args(["-bdf", "-q1m"]).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        self.daemon.replace(command).map_err(ServerError::file("setpriv (util-linux)"))?;
        let mut up = false;
        process::until(START, || {
            up = std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok();
            up || self.daemon.ended().is_some()
        });
        if up {
            return Ok(());
        }
        Err(ServerError::NotReady { what: "Exim".to_owned(), output: self.log() })
    }

    fn certificate(&self) -> Result<(), ServerError> {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]);
        openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        openssl.arg("-keyout").arg(self.folder.join("key.pem")).arg("-out").arg(self.folder.join("cert.pem"));
        run("openssl", &mut openssl)
    }

    fn configuration(&self) -> String {
        let folder = self.folder.path().display();
        let (user, group) = if is_root() { (NOBODY.to_owned(), "nogroup".to_owned()) } else { (id("-un"), id("-gn")) };
        let port = self.port;
        let (at_once, hosts) = match self.offers {
            Offers::TlsAtOnce => (format!("tls_on_connect_ports = {port}"), "*"),
            Offers::StartTls | Offers::LoginOnly => (String::new(), "*"),
            Offers::PlainText => (String::new(), ""),
        };
        let (logins, strangers) = match self.offers {
            Offers::PlainText => ("*", "accept"),
            _ => ("${if eq{$tls_in_cipher}{}{}{*}}", "deny !authenticated = *"),
        };
        let login = match self.offers {
            Offers::LoginOnly => format!(
                "login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{{{eq{{$auth1}}{{{USER}}}}}{{eq{{$auth2}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth1"
            ),
            _ => format!(
                "plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${{if and{{{{eq{{$auth2}}{{{USER}}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth2"
            ),
        };
        format!(
            "primary_hostname = localhost
spool_directory = {folder}/spool
log_file_path = {folder}/%s.log
log_selector = +smtp_no_mail +smtp_connection
pid_file_path = {folder}/exim.pid
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
exim_user = {user}
exim_group = {group}
deliver_drop_privilege = true
never_users =
keep_environment =
{at_once}
tls_advertise_hosts = {hosts}
tls_certificate = {folder}/cert.pem
tls_privatekey = {folder}/key.pem
auth_advertise_hosts = {logins}
host_lookup =
rfc1413_query_timeout = 0s
acl_smtp_rcpt = check_rcpt

begin acl
check_rcpt:
  {strangers}
  deny local_parts = reject
  defer local_parts = later
  accept

begin routers
everybody:
  driver = accept
  transport = maildir

begin transports
maildir:
  driver = appendfile
  directory = {folder}/mail
  create_directory
  maildir_format
  envelope_to_add
  user = {user}
  group = {group}

begin authenticators
{login}
"
        )
    }
}

fn run(what: &str, command: &mut Command) -> Result<(), ServerError> {
    let run = command.output().map_err(ServerError::file(Path::new(what)))?;
    if run.status.success() {
        return Ok(());
    }
    Err(ServerError::Failed { what: what.to_owned(), output: String::from_utf8_lossy(&run.stderr).into_owned() })
}

fn id(what: &str) -> String {
    let said = Command::new("id").arg(what).output().map(|run| run.stdout).unwrap_or_default();
    String::from_utf8_lossy(&said).trim().to_owned()
}

fn is_root() -> bool {
    id("-u") == "0"
}
