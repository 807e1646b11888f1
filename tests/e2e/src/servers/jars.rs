//! The broker's jars: resolved by Maven once, then kept in the user's cache.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ServerError;

const POM: &str = include_str!("../../kafka/pom.xml");

/// The folder with the jars. The first call on a machine downloads about 43 MB.
pub(super) fn folder() -> Result<PathBuf, ServerError> {
    let version = version().ok_or_else(|| missing("kafka.version", "tests/e2e/kafka/pom.xml has to name it"))?;
    let cache = cache()?.join("renkei");
    std::fs::create_dir_all(&cache).map_err(ServerError::file(&cache))?;
    let place = cache.join(format!("kafka-{version}"));
    if is_current(&place) {
        return Ok(place);
    }
    let path = cache.join("kafka.lock");
    let lock = File::create(&path).map_err(ServerError::file(&path))?;
    lock.lock().map_err(ServerError::file(&path))?;
    // Another process may have fetched them while this one waited for the lock.
    if !is_current(&place) {
        fetch(&cache, &place)?;
    }
    Ok(place)
}

fn fetch(cache: &Path, place: &Path) -> Result<(), ServerError> {
    let fresh = cache.join("kafka.new");
    for stale in [fresh.as_path(), place] {
        if stale.exists() {
            std::fs::remove_dir_all(stale).map_err(ServerError::file(stale))?;
        }
    }
    std::fs::create_dir(&fresh).map_err(ServerError::file(&fresh))?;
    let pom = fresh.join("pom.xml");
    std::fs::write(&pom, POM).map_err(ServerError::file(&pom))?;
    let run = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(&pom)
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", fresh.display()))
        .output()
        .map_err(|_| missing("mvn", "install Maven and a Java runtime (Debian: maven, default-jdk-headless)"))?;
    if !run.status.success() {
        let output = String::from_utf8_lossy(&run.stdout).trim().to_owned();
        return Err(ServerError::Failed { what: "fetching the jars of Kafka with Maven".to_owned(), output });
    }
    std::fs::rename(&fresh, place).map_err(ServerError::file(place))
}

/// Whether what is there was made from the same list of jars.
fn is_current(place: &Path) -> bool {
    std::fs::read_to_string(place.join("pom.xml")).is_ok_and(|pom| pom == POM)
}

fn version() -> Option<&'static str> {
    POM.split_once("<kafka.version>")?.1.split_once("</kafka.version>").map(|(version, _)| version)
}

fn cache() -> Result<PathBuf, ServerError> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .ok_or_else(|| missing("cache folder", "set HOME or XDG_CACHE_HOME"))
}

fn missing(what: &str, hint: &str) -> ServerError {
    ServerError::Missing { what: what.to_owned(), hint: hint.to_owned() }
}
