//! A temporary folder that goes away with the process, however the process ends.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{ServerError, process};

/// Waits until the pipe closes, then removes the folder. A server that is just being killed may still write for a moment,
/// so removing is tried more than once. Signals of the terminal must not end it before its work is done.
const WATCHER: &str = r#"
trap '' HUP INT TERM
cat >/dev/null
n=0
while [ -e "$1" ] && [ "$n" -lt 100 ]; do
  rm -rf -- "$1" 2>/dev/null
  n=$((n + 1))
  [ -e "$1" ] && sleep 0.05
done
exit 0
"#;

/// A fresh folder under the system's temporary folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    watcher: Child,
}

impl Folder {
    /// Makes a folder. `name` shows in its path.
    ///
    /// # Errors
    /// When it can not be made, or its watcher can not be started.
    pub fn new(name: &str) -> Result<Self, ServerError> {
        Self::under(&std::env::temp_dir(), name)
    }

    /// As [`Folder::new`], but short enough for a Unix socket's path.
    ///
    /// # Errors
    /// As [`Folder::new`].
    pub fn short(name: &str) -> Result<Self, ServerError> {
        let usual = std::env::temp_dir();
        let short = if usual.as_os_str().len() <= 40 { usual } else { PathBuf::from("/tmp") };
        Self::under(&short, name)
    }

    fn under(parent: &Path, name: &str) -> Result<Self, ServerError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("renkei-{name}-{}-{number}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => break path,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(ServerError::File { path, error }),
            }
        };
        let mut command = Command::new("sh");
        command.args(["-c", WATCHER, "renkei-folder-watcher"]).arg(&path).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        match process::start(command) {
            Ok(watcher) => Ok(Self { path, watcher }),
            Err(error) => {
                let _ = std::fs::remove_dir(&path);
                Err(ServerError::File { path, error })
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file inside and gives its path.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn write(&self, name: &str, content: &str) -> Result<PathBuf, ServerError> {
        let path = self.join(name);
        std::fs::write(&path, content).map_err(ServerError::file(&path))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}
