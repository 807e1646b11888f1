//! The import: files are downloaded, taken to クラウドログ, and marked as it answered.

use std::collections::{BTreeMap, BTreeSet};

use renkei_sandbox::SandboxError;
use renkei_sandbox::crowdlog::Reason;
use renkei_sandbox::demo::attendance::{Place, Told};
use serde_json::{Value, json};

use super::api::Api;
use super::{LINK, Patience};
use crate::commands::demo::parts::{Office, Parts};

/// What was brought.
pub(in crate::commands::demo) struct Brought {
    pub(super) api: Api,
    /// The run in the end.
    pub(super) run: Value,
    /// Files that クラウドログ was given.
    pub(super) files: usize,
    /// Rows that it took.
    pub(super) accepted: usize,
    /// Rows that it refused, and why.
    pub(super) refused: BTreeMap<Place, Reason>,
    /// Days that were listed as not to be written.
    protected: BTreeSet<Place>,
    /// What the API says in the end.
    pub(super) told: Told,
}

/// Imports what waits until nothing does any more.
///
/// # Errors
/// When the API or クラウドログ refuses a file, or it takes too long.
pub(super) async fn import_all(
    api: Api,
    office: &Office,
    parts: &Parts,
    run: i64,
    patience: &Patience,
) -> Result<Brought, SandboxError> {
    let mut brought = Brought {
        api,
        run: Value::Null,
        files: 0,
        accepted: 0,
        refused: BTreeMap::new(),
        protected: BTreeSet::new(),
        told: Told::default(),
    };
    loop {
        patience.wait("the import").await?;
        brought.run = brought.api.get(&format!("runs/{run}")).await?;
        // Counted when the run's days are decided.
        let Some(pending) = brought.run["counts"]["pending"].as_i64() else { continue };
        let open = open_files(&brought.api).await?;
        let rows: i64 = open.iter().filter_map(|file| file["rows"].as_i64()).sum();
        if rows != pending {
            continue;
        }
        if open.is_empty() {
            break;
        }
        for file in open {
            brought.import(&file, office, parts).await?;
        }
        brought.protect().await?;
    }
    let path = |list: &str| format!("links/{LINK}/{list}");
    brought.told = Told {
        days: brought.api.all(&path("days")).await?,
        handwork: brought.api.all(&path("handwork")).await?,
        notes: brought.api.all(&format!("runs/{run}/notes")).await?,
    };
    Ok(brought)
}

/// The files that wait, in order.
async fn open_files(api: &Api) -> Result<Vec<Value>, SandboxError> {
    let mut files = api.all(&format!("links/{LINK}/files")).await?;
    files.retain(|file| file["state"] == "open");
    files.sort_by_key(|file| file["id"].as_i64());
    Ok(files)
}

impl Brought {
    /// Takes one file to クラウドログ.
    async fn import(&mut self, file: &Value, office: &Office, parts: &Parts) -> Result<(), SandboxError> {
        let path = format!("links/{LINK}/files/{}", file["id"]);
        let Some(bytes) = self.api.download(&path).await? else { return Ok(()) };
        let result = office.crowdlog.lock().await.import(parts.clock.now(), &bytes);
        if let Some(error) = &result.header_error {
            return Err(SandboxError::BadInput(format!("クラウドログ refused a file: {error}")));
        }
        let refused = result.refused_rows();
        println!(
            "  勤怠: {} imported: {} rows taken, {} refused",
            file["name"].as_str().unwrap_or_default(),
            result.accepted(),
            refused.len()
        );
        if !self.api.mark(&format!("{path}/mark"), &refused).await? {
            return Ok(());
        }
        self.files += 1;
        self.accepted += result.accepted();
        for row in &result.rows {
            if let (Some(error), Some(date)) = (&row.error, row.date) {
                self.refused.insert((row.code.clone(), date), error.reason);
            }
        }
        Ok(())
    }

    /// What was applied for at クラウドログ must not be written: whoever sees that it is refused says so in Renkei.
    async fn protect(&mut self) -> Result<(), SandboxError> {
        for ((code, date), reason) in &self.refused {
            if *reason == Reason::Applied && self.protected.insert((code.clone(), *date)) {
                let days = json!({ "code": code, "from": date.to_string(), "to": date.to_string() });
                self.api.post(&format!("links/{LINK}/protections"), days).await?;
            }
        }
        Ok(())
    }
}
