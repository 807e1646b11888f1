//! The folder drop: files that wait to be imported, also as files on a disk, for whoever has another program take them there.
//!
//! `{folder}/{tenant}/{link}/` holds what is open and no more than 14 days old. [`Folder::look`] puts there what is missing and
//! takes away what is not open any more: imported, superseded, or made before a day was protected. So it comes right by
//! itself after a crash, and any number of processes may share a folder. Files of other names are nobody's business here.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Date;
use renkei_attendance::protection::{Fingerprint, Protection};
use renkei_attendance::settings::LinkSettings;
use renkei_events::ids::TenantId;
use renkei_store::Store;
use renkei_store::attendance::files;
use renkei_store::attendance::protections::{self, ListedDays};
use renkei_store::links;

use crate::error::Result;
use crate::sweep::calendar;

/// How often is looked (real time).
pub const EVERY: Duration = Duration::from_secs(10);
/// How the names of parts end.
const PART: &str = ".part";
/// How long a file stays.
const KEPT: Duration = Duration::from_secs(14 * 24 * 3600);

/// A folder, below which each link has its own.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

/// What a look changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changed {
    /// Files that were put there.
    pub put: usize,
    /// Files that were taken away.
    pub removed: usize,
}

impl Folder {
    /// A folder that is there, or can be made.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Brings the folder to what the store says.
    ///
    /// # Errors
    /// When the store does not answer. What the disk refuses is logged and tried again with the next look.
    pub async fn look(&self, store: &Store) -> Result<Changed> {
        let now = store.now().await?;
        let today = calendar::today(now);
        let mut changed = Changed::default();
        let mut wanted: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
        for link in links::watched(&store.db).await? {
            let Some(place) = self.place(&link.tenant, &link.id) else { continue };
            let names = wanted.entry(place.clone()).or_default();
            let open = files::open(&store.db, &link.id).await?;
            if open.is_empty() {
                continue;
            }
            let settings = LinkSettings::from_stored(&link.settings);
            let listed = protections::of_link(&store.db, &link.id).await?;
            // While nobody knows what is protected no file is right (I10).
            let protection = Protection::from_stored(settings.closing, listed.iter().map(ListedDays::days));
            let Ok(protection) = protection else { continue };
            let (current, outdated): (Vec<_>, Vec<_>) = open
                .iter()
                .partition(|file| protection.allows(&Fingerprint::from_stored(file.protection.clone()), today));
            if !outdated.is_empty() {
                // Time alone may have closed a month: then nobody has asked for new files yet.
                let tx = store.begin().await?;
                links::lock_tenant(&tx, &link.tenant).await?;
                links::want_decision(store, &tx, &link.id, now).await?;
                tx.commit().await?;
                store.hint();
            }
            for file in current.into_iter().filter(|file| now.since(file.made) < KEPT) {
                names.push(file.name.clone());
                let path = place.join(&file.name);
                if path.exists() {
                    continue;
                }
                let Some(bytes) = files::content(store, &store.db, file).await? else { continue };
                match tokio::task::spawn_blocking(move || put(&path, &bytes)).await {
                    Ok(Ok(())) => changed.put += 1,
                    Ok(Err(error)) => {
                        tracing::warn!(link.id = %link.id, error = %error.kind(), "a file can not be put into the folder now");
                    }
                    Err(_) => tracing::error!("putting a file into the folder ended by a fault"),
                }
            }
        }
        let root = self.root.clone();
        match tokio::task::spawn_blocking(move || remove_others(&root, &wanted)).await {
            Ok(Ok(removed)) => changed.removed = removed,
            Ok(Err(error)) => tracing::warn!(error = %error.kind(), "old files can not be taken from the folder now"),
            Err(_) => tracing::error!("taking files from the folder ended by a fault"),
        }
        if changed != Changed::default() {
            tracing::info!(
                file.put = changed.put,
                file.removed = changed.removed,
                "folder of attendance files changed"
            );
        }
        Ok(changed)
    }

    /// Where a link's files are. Ids are letters, digits, `-` and `_`, or they are not used as names of folders.
    fn place(&self, tenant: &str, link: &str) -> Option<PathBuf> {
        let (tenant, link) = (TenantId::new(tenant).ok()?, TenantId::new(link).ok()?);
        Some(self.root.join(tenant.as_str()).join(link.as_str()))
    }
}

/// Writes a file under a name of its own, readable by its owner alone, and gives it its own when all of it is there.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let Some((folder, name)) = path.parent().zip(path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let prefix = format!(".{}.", name.to_string_lossy());
    let mut part = tempfile::Builder::new().prefix(&prefix).suffix(PART).tempfile_in(folder)?;
    part.write_all(bytes)?;
    part.as_file().sync_all()?;
    part.persist(path).map_err(|refused| refused.error)?;
    File::open(folder)?.sync_all()
}

/// Takes away what a link's folder holds of our files beside those that are wanted.
fn remove_others(root: &Path, wanted: &BTreeMap<PathBuf, Vec<String>>) -> io::Result<usize> {
    let mut removed = 0;
    for tenant in folders(root)? {
        for place in folders(&tenant)? {
            let link = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let names = wanted.get(&place).map(Vec::as_slice).unwrap_or_default();
            for entry in fs::read_dir(&place)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                // A part of a file that is wanted may be in the midst of being written; of another one it is left over.
                let whole = whole_name(&name).unwrap_or(&name);
                if is_ours(whole, &link) && !names.iter().any(|wanted| wanted == whole) {
                    fs::remove_file(entry.path())?;
                    removed += 1;
                }
            }
        }
    }
    Ok(removed)
}

fn folders(place: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

/// Of which file a part is.
fn whole_name(name: &str) -> Option<&str> {
    let (whole, _) = name.strip_prefix('.')?.strip_suffix(PART)?.rsplit_once('.')?;
    Some(whole)
}

/// `{date}_{link}_{number}.csv`.
fn is_ours(name: &str, link: &str) -> bool {
    let Some((date, rest)) = name.split_once('_') else { return false };
    let number = rest.strip_prefix(link).and_then(|rest| rest.strip_prefix('_')).and_then(|n| n.strip_suffix(".csv"));
    date.parse::<Date>().is_ok() && number.is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_our_own_are_ours() {
        let table = [
            ("2026-04-02_l1_01.csv", true),
            ("2026-04-02_l1_120.csv", true),
            ("2026-04-02_l2_01.csv", false),
            ("2026-04-02_l1_test.csv", false),
            ("2026-04-02_l1_.csv", false),
            ("2026-13-02_l1_01.csv", false),
            ("notes.txt", false),
            ("2026-04-02_l1_01.csv.bak", false),
        ];
        for (name, ours) in table {
            assert_eq!(is_ours(name, "l1"), ours, "{name}");
        }
        assert_eq!(whole_name(".2026-04-02_l1_01.csv.Xy12.part"), Some("2026-04-02_l1_01.csv"));
        assert_eq!(whole_name("2026-04-02_l1_01.csv"), None);
    }
}
