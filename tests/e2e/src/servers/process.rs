//! Child processes that never outlive the test process.

use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

type Order = (Command, mpsc::SyncSender<io::Result<Child>>);

/// Starts `command` from the one thread that lives as long as this process, in a process group of its own, so that neither
/// the end of a test's thread nor Ctrl-C reaches it before we decide.
///
/// # Errors
/// As [`Command::spawn`].
pub fn start(mut command: Command) -> io::Result<Child> {
    use std::os::unix::process::CommandExt as _;

    static STARTER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    command.process_group(0);
    let starter = STARTER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, result) = mpsc::sync_channel(1);
    let gone = || io::Error::other("the thread that starts processes is gone");
    starter.lock().unwrap_or_else(PoisonError::into_inner).send((command, answer)).map_err(|_| gone())?;
    result.recv().map_err(|_| gone())?
}

/// A command that gets `signal` (a name as `kill` knows it) when this process dies.
#[must_use]
pub fn dying_with_us(signal: &str, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal]).arg(program);
    command
}

/// A process that can be signalled by several threads, and is killed when this is dropped.
#[derive(Debug, Default)]
pub struct Daemon {
    child: Mutex<Option<Child>>,
}

impl Daemon {
    fn with<T>(&self, act: impl FnOnce(&mut Option<Child>) -> T) -> T {
        act(&mut self.child.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Starts `command` in the place of what ran before, which is killed.
    ///
    /// # Errors
    /// As [`Command::spawn`].
    pub fn replace(&self, command: Command) -> io::Result<()> {
        self.kill();
        let child = start(command)?;
        self.with(|place| *place = Some(child));
        Ok(())
    }

    /// Its number, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.with(|place| place.as_ref().map(Child::id))
    }

    /// Sends a signal; nothing happens when it does not run.
    pub fn signal(&self, signal: Signal) {
        self.with(|place| {
            let pid = place.as_ref().and_then(|child| Pid::from_raw(i32::try_from(child.id()).ok()?));
            if let Some(pid) = pid {
                let _ = kill_process(pid, signal);
            }
        });
    }

    /// Stops all its threads (SIGSTOP), and answers when they stand still.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        let Some(pid) = self.pid() else { return };
        until(Duration::from_secs(5), || {
            let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
            threads.into_iter().all(|thread| stands_still(&thread.path().join("stat")))
        });
    }

    /// Lets it go on after [`Daemon::freeze`].
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Whether it has ended, and how; `None` while it runs or when nothing was started.
    #[must_use]
    pub fn ended(&self) -> Option<ExitStatus> {
        self.with(|place| place.as_mut().and_then(|child| child.try_wait().ok().flatten()))
    }

    /// Waits for its end; `None` if it still runs after `most`.
    #[must_use]
    pub fn wait(&self, most: Duration) -> Option<ExitStatus> {
        let mut status = None;
        until(most, || {
            status = self.ended();
            status.is_some()
        });
        status
    }

    /// Kills it (also when it is stopped) and waits for its end.
    pub fn kill(&self) {
        if let Some(mut child) = self.with(Option::take) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// In `stat` the state follows the name, which stands in brackets and may hold brackets itself.
fn stands_still(stat: &Path) -> bool {
    let text = std::fs::read_to_string(stat).unwrap_or_default();
    text.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['T', 't']))
}

/// Asks every 20 ms until `done` says yes or about `most` is over; says whether it did.
pub fn until(most: Duration, mut done: impl FnMut() -> bool) -> bool {
    const STEP: Duration = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        if done() {
            return true;
        }
        if waited >= most {
            return false;
        }
        std::thread::sleep(STEP);
        waited += STEP;
    }
}

/// The last lines of a log, for messages.
#[must_use]
pub fn tail(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}
