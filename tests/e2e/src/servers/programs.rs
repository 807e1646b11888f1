//! Our own programs as processes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::process::{self, Daemon};
use super::{Folder, ServerError};

/// Where `cargo` put the program `name` of this workspace: beside the test binary's folder.
///
/// # Errors
/// [`ServerError::Missing`] when it is not built.
pub fn program_path(name: &str) -> Result<PathBuf, ServerError> {
    let me = std::env::current_exe().map_err(ServerError::file("/proc/self/exe"))?;
    let mut folder = me.parent();
    if folder.and_then(Path::file_name).is_some_and(|name| name == "deps" || name == "examples") {
        folder = folder.and_then(Path::parent);
    }
    let path = folder.unwrap_or(Path::new(".")).join(name);
    if path.is_file() {
        return Ok(path);
    }
    let hint = format!("expected at {}; build it with `cargo build -p {name}`", path.display());
    Err(ServerError::Missing { what: format!("program {name}"), hint })
}

/// How a run of one of our programs ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The exit code; `None` when it did not end by itself in time and was killed, or ended by a signal.
    pub code: Option<i32>,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

/// Runs the program `name` to its end, with nothing of our environment but `PATH` and what `environment` says. One that still
/// runs after `most` is killed.
///
/// # Errors
/// When it is not built or can not be started.
pub fn run_program<'a>(
    name: &str,
    arguments: &[&str],
    environment: impl IntoIterator<Item = (&'a str, &'a str)>,
    most: Duration,
) -> Result<Finished, ServerError> {
    let path = program_path(name)?;
    let folder = Folder::new(name)?;
    let file = |name: &str| {
        let path = folder.join(name);
        File::create(&path).map_err(ServerError::file(&path))
    };
    let mut command = process::dying_with_us("KILL", &path);
    command.args(arguments).current_dir(folder.path()).env_clear().envs(environment);
    if let Some(search) = std::env::var_os("PATH") {
        command.env("PATH", search);
    }
    command.stdin(Stdio::null()).stdout(file("stdout")?).stderr(file("stderr")?);
    let daemon = Daemon::default();
    daemon.replace(command).map_err(ServerError::file(&path))?;
    let status = daemon.wait(most);
    daemon.kill();
    let text = |name: &str| {
        let bytes = std::fs::read(folder.join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(Finished { code: status.and_then(|status| status.code()), stdout: text("stdout"), stderr: text("stderr") })
}

/// One run of one of our programs; its output goes to a file. Killed when dropped.
#[derive(Debug)]
pub struct Program {
    name: String,
    // Before the folder: the process has to be gone when the folder is removed.
    daemon: Daemon,
    folder: Folder,
}

impl Program {
    /// Starts the program `name` with nothing of our environment but `PATH` and what `environment` says.
    ///
    /// # Errors
    /// When it is not built or can not be started.
    pub fn start<'a>(
        name: &str,
        arguments: &[&str],
        environment: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ServerError> {
        let path = program_path(name)?;
        let folder = Folder::new(name)?;
        let log = folder.join("output.log");
        let output = File::create(&log).map_err(ServerError::file(&log))?;
        let errors = output.try_clone().map_err(ServerError::file(&log))?;
        let mut command = process::dying_with_us("KILL", &path);
        command.args(arguments).current_dir(folder.path()).env_clear().envs(environment);
        if let Some(search) = std::env::var_os("PATH") {
            command.env("PATH", search);
        }
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let daemon = Daemon::default();
        daemon.replace(command).map_err(ServerError::file(&path))?;
        Ok(Self { name: name.to_owned(), daemon, folder })
    }

    /// Everything it has written so far.
    #[must_use]
    pub fn output(&self) -> String {
        let bytes = std::fs::read(self.folder.join("output.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until `ready` says yes, and fails when the program ends before.
    ///
    /// # Errors
    /// [`ServerError::NotReady`] with the end of its output.
    pub fn ready(&self, most: Duration, mut ready: impl FnMut() -> bool) -> Result<(), ServerError> {
        let mut up = false;
        process::until(most, || {
            up = ready();
            up || self.ended().is_some()
        });
        if up {
            return Ok(());
        }
        Err(ServerError::NotReady { what: self.name.clone(), output: process::tail(&self.folder.join("output.log")) })
    }

    /// Its process number, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.daemon.pid()
    }

    /// Whether it has ended, and how.
    #[must_use]
    pub fn ended(&self) -> Option<ExitStatus> {
        self.daemon.ended()
    }

    /// Waits for its end by itself; `None` if it still runs after `most`.
    #[must_use]
    pub fn wait(&self, most: Duration) -> Option<ExitStatus> {
        self.daemon.wait(most)
    }

    /// Sends SIGTERM and waits; `None` if it still runs after `most`.
    #[must_use]
    pub fn terminate(&self, most: Duration) -> Option<ExitStatus> {
        self.daemon.signal(Signal::TERM);
        self.daemon.wait(most)
    }

    /// Kills it as a crash would.
    pub fn kill9(&self) {
        self.daemon.kill();
    }

    /// Stops it without its noticing (SIGSTOP).
    pub fn freeze(&self) {
        self.daemon.freeze();
    }

    /// Lets it go on after [`Program::freeze`].
    pub fn thaw(&self) {
        self.daemon.thaw();
    }
}
