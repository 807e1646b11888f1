//! PostgreSQL from the system's packages, as a server of its own.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use super::process::{self, Daemon};
use super::{Folder, ServerError, free_port};

const START: Duration = Duration::from_secs(60);

/// PostgreSQL refuses to run as root; then it runs as this user, which Debian's package makes.
const USER: &str = "postgres";

/// A server on 127.0.0.1 with a folder of its own. Nothing is synced to the disk, so a crash of the machine (not of the
/// server) would lose data.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    programs: PathBuf,
    databases: AtomicU32,
    // Before the folder: the process has to be gone when the folder is removed.
    daemon: Daemon,
    folder: Folder,
}

impl Postgres {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub fn start() -> Result<Self, ServerError> {
        let programs = programs()?;
        let folder = Folder::short("pg")?;
        let port = free_port()?;
        let server = Self { port, programs, databases: AtomicU32::new(0), daemon: Daemon::default(), folder };
        if is_root() {
            let path = server.folder.path();
            server.run("chown", Command::new("chown").arg(format!("{USER}:")).arg(path))?;
        }
        let mut initdb = server.as_user(&server.programs.join("initdb"));
        initdb.arg("-D").arg(server.folder.join("data"));
        initdb.args(["-A", "trust", "-U", USER, "--no-sync", "-E", "UTF8", "--locale=C"]);
        server.run("initdb", &mut initdb)?;
        server.launch()?;
        Ok(server)
    }

    /// A new, empty database; gives its URL.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn database(&self) -> Result<String, ServerError> {
        let name = format!("renkei_{}", self.databases.fetch_add(1, Ordering::Relaxed) + 1);
        self.sql("postgres", &format!("create database {name}"))?;
        Ok(self.url(&name))
    }

    /// The URL of a database of this server.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL with `psql` and gives what it printed, without headings.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String, ServerError> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-d", &self.url(database), "-c", sql]);
        let output = self.run("psql", &mut psql)?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Kills it as a crash would. Its data stay.
    pub fn kill9(&self) {
        self.daemon.kill();
    }

    /// Starts it again on the same data and port, and waits until it answers.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&self) -> Result<(), ServerError> {
        self.launch()
    }

    /// Ends it at once (immediate mode). Its data stay.
    pub fn stop(&self) {
        self.daemon.signal(Signal::QUIT);
        let _ = self.daemon.wait(Duration::from_secs(10));
        self.daemon.kill();
    }

    /// Stops it without closing its connections (SIGSTOP of the process that accepts them).
    pub fn freeze(&self) {
        self.daemon.freeze();
    }

    /// Lets it go on after [`Postgres::freeze`].
    pub fn thaw(&self) {
        self.daemon.thaw();
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn launch(&self) -> Result<(), ServerError> {
        // After kill -9 the old server's children hold the data for a moment; a second attempt then succeeds.
        let mut last = None;
        for _ in 0..20 {
            self.daemon.replace(self.server_command()?).map_err(ServerError::file("setpriv (util-linux)"))?;
            let mut up = false;
            process::until(START, || {
                up = self.answers();
                up || self.daemon.ended().is_some()
            });
            if up {
                return Ok(());
            }
            let output = process::tail(&self.folder.join("server.log"));
            last = Some(ServerError::NotReady { what: "PostgreSQL".to_owned(), output });
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(last.unwrap_or(ServerError::NoPort(self.port, self.port)))
    }

    /// The immediate stop (SIGQUIT) also frees the server's shared memory, which SIGKILL would leave behind.
    fn server_command(&self) -> Result<Command, ServerError> {
        let path = self.folder.join("server.log");
        let log = File::options().create(true).append(true).open(&path).map_err(ServerError::file(&path))?;
        let errors = log.try_clone().map_err(ServerError::file(&path))?;
        let mut command = self.as_user(&self.programs.join("postgres"));
        let socket = format!("unix_socket_directories={}", self.folder.path().display());
        command.arg("-D").arg(self.folder.join("data")).args(["-p", &self.port.to_string(), "-c", &socket]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "full_page_writes=off",
            "max_connections=200",
            "dynamic_shared_memory_type=mmap",
        ] {
            command.args(["-c", setting]);
        }
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        Ok(command)
    }

    fn answers(&self) -> bool {
        let mut probe = Command::new(self.programs.join("pg_isready"));
        probe.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        probe.status().is_ok_and(|status| status.success())
    }

    fn as_user(&self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        if is_root() {
            command.args(["--reuid", USER, "--regid", USER, "--init-groups"]);
        }
        command.args(["--pdeathsig", "QUIT", "--"]).arg(program).current_dir(self.folder.path());
        command
    }

    fn run(&self, what: &str, command: &mut Command) -> Result<Output, ServerError> {
        let run = command.output().map_err(ServerError::file(what))?;
        if run.status.success() {
            return Ok(run);
        }
        let output = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        Err(ServerError::Failed { what: what.to_owned(), output })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A frozen server would not see the signal.
        self.thaw();
        self.stop();
    }
}

/// The files of `/proc/self` belong to whom this process runs as.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// Where `initdb` and its kind are: where `pg_config` says, else the newest of Debian's folders.
fn programs() -> Result<PathBuf, ServerError> {
    let said = Command::new("pg_config").arg("--bindir").output();
    let said = said.ok().map(|run| PathBuf::from(String::from_utf8_lossy(&run.stdout).trim()));
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = debian
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    let candidates = said.into_iter().chain(versions.into_iter().rev().map(|(_, path)| path));
    candidates.into_iter().find(|path| path.join("initdb").is_file()).ok_or_else(|| ServerError::Missing {
        what: "PostgreSQL".to_owned(),
        hint: "install the server's package (Debian: postgresql)".to_owned(),
    })
}
