//! What may be set up for a connection, whether a file declares it or the API is told.

use std::collections::BTreeSet;
use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_runtime::config::{BaseUrl, OutsideConfig};
use renkei_store::Store;
use renkei_store::accounts::{self, Credentials};
use renkei_store::connections::{self, Connection, ConnectionState};
use renkei_store::db::Tx;
use renkei_store::error::StoreError;
use renkei_store::{dry_runs, feeds};
use secrecy::{ExposeSecret as _, SecretString};

/// カオナビ's layout allows these fields to be cleared.
const CLEARABLE: [&str; 8] =
    ["name", "name_kana", "gender", "birthday", "entered_date", "mail", "retired_date", "department"];

/// Whether it names a custom item: `custom:` and a number.
#[must_use]
pub fn is_custom(item: &str) -> bool {
    item.strip_prefix("custom:").is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether all of `fields` may be cleared.
///
/// # Errors
/// Names the one that may not, and those that may.
pub fn clearable(fields: &BTreeSet<String>) -> Result<(), String> {
    match fields.iter().find(|field| !CLEARABLE.contains(&field.as_str()) && !is_custom(field)) {
        Some(unknown) => {
            Err(format!("{unknown} is not a mapped field; known: {}, custom:NUMBER", CLEARABLE.join(", ")))
        }
        None => Ok(()),
    }
}

/// Whether one call may carry so many people.
///
/// # Errors
/// Says how many it may.
pub fn batch_size(size: u32) -> Result<(), &'static str> {
    if (1..=1000).contains(&size) { Ok(()) } else { Err("must be from 1 to 1000") }
}

/// Where カオナビ is for a connection: `text`, if credentials may be sent there, or the installation's own.
///
/// # Errors
/// Says why not.
pub fn base_url(outside: &OutsideConfig, text: Option<&str>) -> Result<String, String> {
    let Some(text) = text else { return Ok(outside.kaonavi_base_url.as_str().to_owned()) };
    let url = BaseUrl::parse(text, &outside.allow_private).map_err(|reason| reason.to_string())?;
    if !outside.may_be_called(&url) {
        return Err("is another host than RENKEI_KAONAVI_BASE_URL; credentials go only there or to hosts in \
                    RENKEI_ALLOW_PRIVATE_BASE_URLS"
            .to_owned());
    }
    if outside.loopback_only && !url.is_loopback() {
        return Err("must be on this machine while RENKEI_CLOCK_SCALE is above 1".to_owned());
    }
    Ok(url.as_str().to_owned())
}

/// How far before the newest known change a feed is asked again, where nothing else is said: so late a record may become
/// visible at the source.
pub const FEED_OVERLAP_MINUTES: u32 = 5;

/// Where an employee feed is, if it may be called.
///
/// # Errors
/// Says why not.
pub fn feed_url(outside: &OutsideConfig, text: &str) -> Result<String, String> {
    let url = BaseUrl::parse(text, &outside.allow_private)?;
    if outside.loopback_only && !url.is_loopback() {
        return Err("must be on this machine while RENKEI_CLOCK_SCALE is above 1".to_owned());
    }
    Ok(url.as_str().to_owned())
}

/// Whether it can stand behind `Bearer ` in a header.
///
/// # Errors
/// Says what it must be.
pub fn bearer_token(text: &str) -> Result<(), &'static str> {
    let sound = !text.is_empty() && text.len() <= 4000 && text.chars().all(|c| c.is_ascii_graphic());
    if sound { Ok(()) } else { Err("must have 1 to 4000 printable characters without blanks") }
}

/// Sets a connection's employee feed up, or changes it, and puts its work on the calendar.
///
/// # Errors
/// When the store does not answer.
pub async fn set_feed(
    store: &Store,
    tx: &Tx,
    connection: &Connection,
    url: &str,
    token: &SecretString,
    overlap: Duration,
    now: Millis,
) -> Result<(), StoreError> {
    feeds::put(store, tx, &connection.id, url, token, overlap).await?;
    feeds::plan(store, tx, &connection.id, token, connection.activated.is_none(), now).await
}

/// The date in Tokyo, where the companies are.
#[must_use]
pub fn today_in_tokyo(now: Millis) -> jiff::civil::Date {
    now.timestamp().to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(9))).date()
}

/// The company of HRMOS勤怠's login URL (`https://ieyasu.co/{company}/login`, on any host of that domain), or the bare name as
/// it was typed.
#[must_use]
pub fn hrmos_company(text: &str) -> Option<String> {
    let text = text.trim();
    let name = match text.split_once("://") {
        Some((_, rest)) => {
            let (host, path) = rest.split_once('/')?;
            let host = host.to_ascii_lowercase();
            if host != "ieyasu.co" && !host.ends_with(".ieyasu.co") {
                return None;
            }
            path.split(['/', '?', '#']).next()?
        }
        None => text,
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (!name.is_empty() && name.len() <= 100 && name.bytes().all(allowed)).then(|| name.to_owned())
}

/// Why credentials are not taken.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// Companies that share an account share its budget; none may change where it is or how it is opened for another.
    #[error("this Consumer Key is in use by another tenant with another secret or base URL; change it there")]
    InUse,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The account of given credentials.
#[derive(Debug)]
pub struct Adopted {
    /// Its id.
    pub account: String,
    /// What was done: `set`, `replace`, or nothing because they are known.
    pub done: Option<&'static str>,
}

/// Finds or makes the account of `credentials`: the one that has the key, else the connection's own with a new key, else a
/// new one. The rows of all accounts are locked already.
///
/// # Errors
/// See [`AdoptError`].
pub async fn adopt(
    store: &Store,
    tx: &Tx,
    tenant: &str,
    own: Option<String>,
    base_url: &str,
    credentials: &Credentials,
    now: Millis,
) -> Result<Adopted, AdoptError> {
    let mark = accounts::fingerprint(store, &credentials.key);
    let known = accounts::with_fingerprint(tx, &mark).await?;
    let account = known.or_else(|| own.clone()).unwrap_or(mark);
    let stored = if_it_opens(accounts::credentials(store, tx, &account).await)?.flatten();
    let same = stored.as_ref().is_some_and(|(url, stored)| {
        *url == base_url
            && stored.as_ref().is_some_and(|stored| {
                stored.key.expose_secret() == credentials.key.expose_secret()
                    && stored.secret.expose_secret() == credentials.secret.expose_secret()
            })
    });
    // What was asked of カオナビ with another key is not looked after with this one.
    if let Some(own) = own.filter(|own| *own != account) {
        dry_runs::give_up_those_of(tx, &own, now).await?;
    }
    if same {
        return Ok(Adopted { account, done: None });
    }
    let users = connections::of_account(store, tx, &account).await?;
    if users.iter().any(|user| user.tenant != tenant && user.state != ConnectionState::Disconnected) {
        return Err(AdoptError::InUse);
    }
    accounts::put(store, tx, &account, base_url, credentials, now).await?;
    dry_runs::give_up_those_of(tx, &account, now).await?;
    Ok(Adopted { account, done: Some(if stored.is_some() { "replace" } else { "set" }) })
}

/// What does not open any more is as good as none: giving it again is the way to mend it.
///
/// # Errors
/// Any other fault of the store.
pub fn if_it_opens<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::Sealed { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_company_is_understood_as_it_is_typed_or_pasted() {
        let table = [
            ("crowdworks", Some("crowdworks")),
            (" crowdworks ", Some("crowdworks")),
            ("https://ieyasu.co/crowdworks/login", Some("crowdworks")),
            ("https://f.ieyasu.co/a-b_1/login?x=1", Some("a-b_1")),
            ("https://IEYASU.CO/sample", Some("sample")),
            ("https://ieyasu.co.evil.example/sample/login", None),
            ("https://evil-ieyasu.co/sample/login", None),
            ("https://ieyasu.co/", None),
            ("sample/../other", None),
            ("見本", None),
            ("", None),
        ];
        for (text, company) in table {
            assert_eq!(hrmos_company(text).as_deref(), company, "{text}");
        }
    }
}
