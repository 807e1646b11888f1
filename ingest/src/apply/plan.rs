//! From a file and the store as it is to what changes, in one transaction.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use renkei_events::ids::{ConnectionId, IdFault, TenantId};
use renkei_events::signature::WebhookSecret;
use renkei_runtime::clock::Millis;
use renkei_runtime::config::{OutsideConfig, is_mail_address};
use renkei_store::accounts::{self, Credentials};
use renkei_store::audit::{self, COMMAND, Deed};
use renkei_store::connections::{self, Connection, ConnectionState, StoredSecret};
use renkei_store::db::Tx;
use renkei_store::settings::{OnRejected, Settings, Timing};
use renkei_store::{Store, activity};
use renkei_store::{employees, feeds};
use secrecy::ExposeSecret as _;
use serde_saphyr::Spanned;

use super::ApplyError;
use super::file::{ConnectionFile, Document, KaonaviFile, MappingFile, NotifyFile, NumberFile, TableFile, TenantFile};
use crate::connections::Source;
use crate::setup::{self, AdoptError, if_it_opens};
use crate::upload;

/// What an application did, or would do.
#[derive(Debug, Default)]
pub struct Plan {
    /// A line for each change.
    pub lines: Vec<String>,
    /// The connections that the file wants active.
    pub wanted: Vec<String>,
}

impl Plan {
    /// The plan for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            let _ = writeln!(text, "{line}");
        }
        if self.lines.is_empty() {
            text.push_str("nothing to change\n");
        }
        text
    }
}

/// Applies `document`. With `dry_run` everything is judged and nothing changes.
///
/// # Errors
/// The first thing that is wrong, with file, line and key; then nothing has changed.
pub async fn apply(
    store: &Store,
    document: &Document<'_>,
    outside: &OutsideConfig,
    dry_run: bool,
) -> Result<Plan, ApplyError> {
    let tx = store.begin().await?;
    accounts::lock_all(&tx).await?;
    let now = store.now_in(&tx).await?;
    let mut applying = Applying { store, tx, now, path: document.path, outside, plan: Plan::default() };
    for (at, tenant) in document.file.tenants.iter().enumerate() {
        applying.tenant(&format!("tenants[{at}]"), tenant).await?;
    }
    let Applying { tx, plan, .. } = applying;
    if !dry_run {
        tx.commit().await?;
        store.hint();
    }
    Ok(plan)
}

struct Applying<'a> {
    store: &'a Store,
    tx: Tx,
    now: Millis,
    path: &'a Path,
    outside: &'a OutsideConfig,
    plan: Plan,
}

impl Applying<'_> {
    fn fault<T>(&self, place: &Spanned<T>, key: String, reason: impl Into<String>) -> ApplyError {
        ApplyError::File {
            path: self.path.to_owned(),
            line: place.referenced.line(),
            column: place.referenced.column(),
            key,
            reason: reason.into(),
        }
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    async fn tenant(&mut self, key: &str, tenant: &TenantFile) -> Result<(), ApplyError> {
        let id = TenantId::new(tenant.id.value.clone());
        id.map_err(|fault| self.fault(&tenant.id, format!("{key}.id"), id_reason(fault)))?;
        let id = tenant.id.value.as_str();
        let told = self.plan.lines.len();
        let before = connections::tenant_name(&self.tx, id).await?;
        let name = tenant.name.clone().or_else(|| before.clone()).unwrap_or_else(|| id.to_owned());
        if before.as_deref() != Some(name.as_str()) {
            let verb = if before.is_some() { "rename" } else { "create" };
            self.plan.lines.push(format!("{verb} tenant {id}"));
            connections::put_tenant(&self.tx, id, &name, self.now).await?;
        }
        for (at, connection) in tenant.connections.iter().enumerate() {
            self.connection(&format!("{key}.connections[{at}]"), id, connection).await?;
        }
        for line in &self.plan.lines[told..] {
            let deed = Deed { tenant: Some(id), actor: COMMAND, action: "apply", target: id, detail: Some(line) };
            audit::add(self.store, &self.tx, deed, self.now).await?;
        }
        Ok(())
    }

    async fn connection(&mut self, key: &str, tenant: &str, file: &ConnectionFile) -> Result<(), ApplyError> {
        let id = ConnectionId::new(file.id.value.clone());
        id.map_err(|fault| self.fault(&file.id, format!("{key}.id"), id_reason(fault)))?;
        let id = file.id.value.as_str();
        let before = connections::find(self.store, &self.tx, id).await?;
        if let Some(known) = &before {
            if known.tenant != tenant {
                let reason = format!(
                    "connection {id} belongs to tenant {}; a connection never changes its tenant",
                    known.tenant
                );
                return Err(self.fault(&file.id, format!("{key}.id"), reason));
            }
            if known.state == ConnectionState::Disconnected {
                let reason = format!("connection {id} was disconnected for good; give the new connection another id");
                return Err(self.fault(&file.id, format!("{key}.id"), reason));
            }
        }
        let source = self.source(key, file, before.as_ref())?;
        let secrets = self.webhook_secrets(key, file)?;
        let otherwise = file.feed.is_some() || file.csv.is_some();
        let none = secrets.as_ref().is_some_and(Vec::is_empty) || (secrets.is_none() && before.is_none());
        if none && !otherwise {
            let reason = format!(
                "connection {id} has nothing that people come by: give at least one webhook secret, a feed, or csv"
            );
            return Err(self.fault(&file.id, format!("{key}.webhook_secrets"), reason));
        }
        let account = self.account(key, tenant, file, before.as_ref()).await?;
        let mut connection = before.clone().unwrap_or_else(|| Connection::draft(id, tenant, &source));
        connection.account = account.or(connection.account);
        if let Some(name) = &file.name {
            connection.name.clone_from(name);
        }
        self.settings(key, file, &mut connection.settings)?;
        let settings_changed = before.as_ref().is_none_or(|known| known.settings != connection.settings);
        let changed = settings_changed
            || before.as_ref().is_none_or(|known| known.name != connection.name || known.account != connection.account);
        match (&before, changed) {
            (None, _) => self.plan.lines.push(format!("create connection {id}")),
            (Some(_), true) => self.plan.lines.push(format!("change connection {id}")),
            (Some(_), false) => {}
        }
        let declared = self.state(key, file)?;
        // One that never was active and whose verification failed is asked for again: nobody switched it off.
        let unmet = connection.state == ConnectionState::Draft && connection.wanted.is_none();
        let act = match declared.as_deref() {
            None => false,
            Some("active") if unmet => true,
            Some(_) => declared != connection.declared_state,
        };
        if let Some(declared) = &declared {
            connection.declared_state = Some(declared.clone());
        }
        connections::put(&self.tx, &connection, self.now).await?;
        if let Some(secrets) = secrets {
            self.replace_secrets(id, secrets).await?;
        }
        self.feed(key, file, &connection).await?;
        if settings_changed && before.is_some() {
            employees::judge_again(&self.tx, id, self.now).await?;
        }
        if declared.as_deref() == Some("active") {
            self.plan.wanted.push(id.to_owned());
        }
        if act && let Some(declared) = declared {
            self.act(&connection, &declared).await?;
        }
        if let (true, Some(account)) = (changed || act, &connection.account) {
            accounts::wake(&self.tx, account, self.now).await?;
        }
        Ok(())
    }

    fn source(&self, key: &str, file: &ConnectionFile, before: Option<&Connection>) -> Result<String, ApplyError> {
        match (&file.source, before) {
            (Some(source), _) if Source::from_name(&source.value).is_none() => {
                Err(self.fault(source, format!("{key}.source"), "is not a known source; known: roumumate"))
            }
            (Some(source), Some(known)) if known.source != source.value => {
                Err(self.fault(source, format!("{key}.source"), "the source of a connection never changes"))
            }
            (Some(source), _) => Ok(source.value.clone()),
            (None, Some(known)) => Ok(known.source.clone()),
            (None, None) => {
                Err(self.fault(&file.id, format!("{key}.source"), "a new connection needs a source, such as roumumate"))
            }
        }
    }

    fn webhook_secrets(&self, key: &str, file: &ConnectionFile) -> Result<Option<Vec<StoredSecret>>, ApplyError> {
        let Some(listed) = &file.webhook_secrets else { return Ok(None) };
        let mut secrets: Vec<StoredSecret> = Vec::new();
        for (at, entry) in listed.iter().enumerate() {
            let key = format!("{key}.webhook_secrets[{at}]");
            let fault = |reason: String| self.fault(&entry.secret, format!("{key}.secret"), reason);
            let secret = entry.secret.value.read(self.folder()).map_err(fault)?;
            WebhookSecret::parse(secret.expose_secret()).map_err(|reason| fault(reason.to_string()))?;
            let id = entry.id.clone().unwrap_or_else(|| (at + 1).to_string());
            if secrets.iter().any(|known| known.id == id) {
                return Err(fault(format!("two secrets are called {id}")));
            }
            let expires = match &entry.expires {
                Some(text) => Some(text.value.parse::<jiff::Timestamp>().map(Millis::from).map_err(|_| {
                    self.fault(text, format!("{key}.expires"), "is not a time such as 2026-12-31T00:00:00+09:00")
                })?),
                None => None,
            };
            secrets.push(StoredSecret { id, secret, expires });
        }
        Ok(Some(secrets))
    }

    async fn replace_secrets(&mut self, id: &str, secrets: Vec<StoredSecret>) -> Result<(), ApplyError> {
        // Secrets that do not open any more are as good as none: giving them again is the way to mend it.
        let before = if_it_opens(connections::secrets(self.store, &self.tx, id).await)?.unwrap_or_default();
        let facts =
            |secret: &StoredSecret| (secret.id.clone(), secret.secret.expose_secret().to_owned(), secret.expires);
        let mut old: Vec<_> = before.iter().map(facts).collect();
        let mut new: Vec<_> = secrets.iter().map(facts).collect();
        old.sort();
        new.sort();
        if old != new {
            self.plan.lines.push(format!("set {} webhook secrets of connection {id}", secrets.len()));
            connections::replace_secrets(self.store, &self.tx, id, &secrets).await?;
        }
        Ok(())
    }

    /// Sets the employee feed up, unless it is set up so already.
    async fn feed(&mut self, key: &str, file: &ConnectionFile, connection: &Connection) -> Result<(), ApplyError> {
        let Some(wanted) = &file.feed else { return Ok(()) };
        let url = setup::feed_url(self.outside, &wanted.url.value)
            .map_err(|reason| self.fault(&wanted.url, format!("{key}.feed.url"), reason))?;
        let token = wanted.token.value.read(self.folder());
        let token = token.map_err(|reason| self.fault(&wanted.token, format!("{key}.feed.token"), reason))?;
        setup::bearer_token(token.expose_secret())
            .map_err(|reason| self.fault(&wanted.token, format!("{key}.feed.token"), reason))?;
        let minutes = wanted.overlap_minutes.unwrap_or(setup::FEED_OVERLAP_MINUTES);
        let overlap = Duration::from_secs(u64::from(minutes) * 60);
        let known = if_it_opens(feeds::find(self.store, &self.tx, &connection.id).await)?.flatten();
        let same = known.is_some_and(|known| {
            let same_token = known.token.is_some_and(|known| known.expose_secret() == token.expose_secret());
            known.url == url && known.overlap == overlap && same_token
        });
        if !same {
            self.plan.lines.push(format!("set employee feed of connection {}", connection.id));
            setup::set_feed(self.store, &self.tx, connection, &url, &token, overlap, self.now).await?;
        }
        Ok(())
    }

    /// The account of the file's credentials: the one that has the key, else the connection's own with a new key, else new.
    async fn account(
        &mut self,
        key: &str,
        tenant: &str,
        file: &ConnectionFile,
        before: Option<&Connection>,
    ) -> Result<Option<String>, ApplyError> {
        let Some(kaonavi) = &file.kaonavi else { return Ok(None) };
        let credentials = self.credentials(key, kaonavi)?;
        let base_url = setup::base_url(self.outside, kaonavi.base_url.as_ref().map(|text| text.value.as_str()));
        let base_url = base_url.map_err(|reason| {
            let place = kaonavi.base_url.as_ref().unwrap_or(&file.id);
            self.fault(place, format!("{key}.kaonavi.base_url"), reason)
        })?;
        let own = before.and_then(|connection| connection.account.clone());
        let adopted = setup::adopt(self.store, &self.tx, tenant, own, &base_url, &credentials, self.now).await;
        let adopted = adopted.map_err(|error| match error {
            AdoptError::Store(error) => error.into(),
            refused @ AdoptError::InUse => self.fault(&file.id, format!("{key}.kaonavi"), refused.to_string()),
        })?;
        if let Some(verb) = adopted.done {
            self.plan.lines.push(format!("{verb} credentials of connection {}", file.id.value));
        }
        Ok(Some(adopted.account))
    }

    fn credentials(&self, key: &str, kaonavi: &KaonaviFile) -> Result<Credentials, ApplyError> {
        let read = |entry: &Spanned<super::secret::SecretRef>, name: &str| {
            let secret = entry.value.read(self.folder());
            secret.map_err(|reason| self.fault(entry, format!("{key}.kaonavi.{name}"), reason))
        };
        Ok(Credentials {
            key: read(&kaonavi.consumer_key, "consumer_key")?,
            secret: read(&kaonavi.consumer_secret, "consumer_secret")?,
        })
    }

    fn settings(&self, key: &str, file: &ConnectionFile, settings: &mut Settings) -> Result<(), ApplyError> {
        if let Some(filter) = &file.filter {
            settings.filter.clone_from(filter);
        }
        if let Some(mapping) = &file.mapping {
            self.mapping(key, mapping, settings)?;
        }
        if let Some(notify) = &file.notify {
            self.notify(key, notify, settings)?;
        }
        if let Some(columns) = file.csv.as_ref().and_then(|csv| csv.columns.as_ref()) {
            upload::sound_names(&columns.value)
                .map_err(|reason| self.fault(columns, format!("{key}.csv.columns"), reason))?;
            settings.csv_columns.clone_from(&columns.value);
        }
        let Some(delivery) = &file.delivery else { return Ok(()) };
        if let Some(size) = &delivery.batch_size {
            setup::batch_size(size.value)
                .map_err(|reason| self.fault(size, format!("{key}.delivery.batch_size"), reason))?;
            settings.batch_size = size.value;
        }
        if let Some(fifo) = delivery.fifo_tasks {
            settings.fifo_tasks = fifo;
        }
        if let Some(timing) = &delivery.timing {
            settings.timing = match timing.value.as_str() {
                "on_arrival" => Timing::OnArrival,
                "quarter_hour" => Timing::QuarterHour,
                _ => {
                    let reason = "must be on_arrival or quarter_hour";
                    return Err(self.fault(timing, format!("{key}.delivery.timing"), reason));
                }
            };
        }
        if let Some(brake) = &delivery.brake {
            settings.brake = match brake.value.as_str() {
                "on" => true,
                "off" => false,
                _ => return Err(self.fault(brake, format!("{key}.delivery.brake"), "must be on or off")),
            };
        }
        if let Some(wanted) = &delivery.on_rejected {
            settings.on_rejected = match wanted.value.as_str() {
                "park" => OnRejected::Park,
                "halt" => OnRejected::Halt,
                _ => return Err(self.fault(wanted, format!("{key}.delivery.on_rejected"), "must be park or halt")),
            };
        }
        if let Some(ceiling) = &delivery.ceiling {
            settings.ceiling = match &ceiling.value {
                NumberFile::Number(most) if *most > 0 => Some(*most),
                NumberFile::Flag(false) => None,
                _ => {
                    let reason = "must be a number from 1, or off";
                    return Err(self.fault(ceiling, format!("{key}.delivery.ceiling"), reason));
                }
            };
        }
        Ok(())
    }

    fn mapping(&self, key: &str, mapping: &MappingFile, settings: &mut Settings) -> Result<(), ApplyError> {
        if let Some(joiner) = &mapping.name_joiner {
            settings.name_joiner.clone_from(joiner);
        }
        if let Some(labels) = &mapping.gender_labels {
            settings.gender_labels.clone_from(labels);
        }
        if let Some(gender) = &mapping.gender {
            settings.gender.clone_from(gender);
        }
        if let Some(constants) = &mapping.constants {
            settings.constants.clone_from(constants);
        }
        if let Some(mail) = mapping.mail {
            settings.mail = mail;
        }
        if let Some(retired_date) = mapping.retired_date {
            settings.retired_date = retired_date;
        }
        if let Some(departments) = &mapping.departments {
            settings.departments = match &departments.value {
                TableFile::Table(table) => Some(table.clone()),
                TableFile::Flag(false) => None,
                TableFile::Flag(true) => {
                    let reason = "must be a table of department codes, or off";
                    return Err(self.fault(departments, format!("{key}.mapping.departments"), reason));
                }
            };
        }
        if let Some(custom) = &mapping.custom {
            if let Some(unknown) = custom.value.keys().find(|item| !setup::is_custom(item)) {
                let reason =
                    format!("{unknown} is not a custom item; write custom: and its number, such as custom:412");
                return Err(self.fault(custom, format!("{key}.mapping.custom"), reason));
            }
            settings.custom.clone_from(&custom.value);
        }
        if let Some(fields) = &mapping.clear_when_empty {
            setup::clearable(&fields.value)
                .map_err(|reason| self.fault(fields, format!("{key}.mapping.clear_when_empty"), reason))?;
            settings.clear_when_empty.clone_from(&fields.value);
        }
        if let Some(convert) = mapping.hiragana_to_katakana {
            settings.hiragana_to_katakana = convert;
        }
        Ok(())
    }

    fn notify(&self, key: &str, notify: &NotifyFile, settings: &mut Settings) -> Result<(), ApplyError> {
        if let Some(recipients) = &notify.recipients {
            for (at, address) in recipients.iter().enumerate() {
                if !is_mail_address(&address.value) {
                    let reason = "is not an address such as jinji@example.co.jp";
                    return Err(self.fault(address, format!("{key}.notify.recipients[{at}]"), reason));
                }
            }
            settings.recipients = recipients.iter().map(|address| address.value.clone()).collect();
        }
        if let Some(names) = notify.names_in_mail {
            settings.names_in_mail = names;
        }
        Ok(())
    }

    fn state(&self, key: &str, file: &ConnectionFile) -> Result<Option<String>, ApplyError> {
        match &file.state {
            None => Ok(None),
            Some(state) if matches!(state.value.as_str(), "active" | "paused") => Ok(Some(state.value.clone())),
            Some(state) => Err(self.fault(state, format!("{key}.state"), "must be active or paused")),
        }
    }

    async fn act(&mut self, connection: &Connection, declared: &str) -> Result<(), ApplyError> {
        let id = connection.id.as_str();
        if declared == "active" {
            if connection.state != ConnectionState::Active {
                self.plan.lines.push(format!("ask for verification and activation of connection {id}"));
                connections::want(&self.tx, id, self.now).await?;
            }
            return Ok(());
        }
        if connection.state == ConnectionState::Active || connection.wanted.is_some() {
            self.plan.lines.push(format!("pause connection {id}"));
            if let Some(account) = &connection.account {
                accounts::lock_for_command(&self.tx, account).await?;
            }
            let paused = ConnectionState::Paused;
            connections::switch_off(self.store, &self.tx, id, paused, None, None, self.now).await?;
            let entry = activity::Entry {
                at: self.now,
                connection: id.to_owned(),
                employee: None,
                kind: "paused".to_owned(),
                code: None,
                detail: None,
            };
            activity::add(self.store, &self.tx, &[entry]).await?;
        }
        Ok(())
    }
}

fn id_reason(fault: IdFault) -> String {
    format!("{fault}; letters, digits, - and _ are allowed, at most 64")
}
