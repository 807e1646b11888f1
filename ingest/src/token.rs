//! `renkei-ingest token`: tokens of the REST API, from the shell.

use std::fmt::Write as _;
use std::time::Duration;

use clap::{Args, Subcommand};
use renkei_store::Store;
use renkei_store::audit::{self, Deed};
use renkei_store::connections;
use renkei_store::error::StoreError;
use renkei_store::tokens::{self, Token};
use secrecy::ExposeSecret as _;

/// How many tokens are listed.
const LISTED: u32 = 10_000;

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it, this once.
    Create {
        /// Whose it is.
        #[command(flatten)]
        owner: Owner,
        /// What people call it.
        #[arg(long)]
        name: String,
        /// After how long it ends, such as 90d or 12h; never if left out.
        #[arg(long, value_parser = length)]
        expires: Option<Duration>,
    },
    /// List all tokens, without the tokens themselves.
    List,
    /// End a token.
    Revoke {
        /// Its id, as `token list` shows it.
        id: String,
    },
}

/// Whose a token is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Owner {
    /// A tenant's.
    #[arg(long)]
    tenant: Option<String>,
    /// The platform's: for all tenants.
    #[arg(long)]
    platform: bool,
}

/// Why it is not done.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// There is no such tenant.
    #[error("there is no tenant {0}; apply a file with it, or make it with POST /api/v1/tenants")]
    NoTenant(String),
    /// There is no such token that is still good.
    #[error("there is no token {0} that is not revoked; see `renkei-ingest token list`")]
    NoToken(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Runs a command; answers what to print.
///
/// # Errors
/// See [`TokenError`].
pub async fn run(store: &Store, command: TokenCommand) -> Result<String, TokenError> {
    match command {
        TokenCommand::Create { owner, name, expires } => create(store, owner.tenant.as_deref(), &name, expires).await,
        TokenCommand::List => {
            let listed = tokens::page(&store.db, None, "", LISTED).await?;
            Ok(listed.iter().map(line).collect::<Vec<_>>().join("\n"))
        }
        TokenCommand::Revoke { id } => {
            let tx = store.begin().await?;
            let now = store.now_in(&tx).await?;
            if !tokens::revoke(&tx, None, &id, now).await? {
                return Err(TokenError::NoToken(id));
            }
            let deed = Deed { tenant: None, actor: "command", action: "token.revoke", target: &id, detail: None };
            audit::add(store, &tx, deed, now).await?;
            tx.commit().await?;
            Ok(format!("token {id} is revoked"))
        }
    }
}

async fn create(
    store: &Store,
    tenant: Option<&str>,
    name: &str,
    expires: Option<Duration>,
) -> Result<String, TokenError> {
    let tx = store.begin().await?;
    let now = store.now_in(&tx).await?;
    if let Some(tenant) = tenant
        && connections::tenant_name(&tx, tenant).await?.is_none()
    {
        return Err(TokenError::NoTenant(tenant.to_owned()));
    }
    let expires = expires.map(|length| now + length);
    let (token, plain) = tokens::create(store, &tx, tenant, name, expires, now).await?;
    let deed = Deed { tenant, actor: "command", action: "token.create", target: &token.id, detail: None };
    audit::add(store, &tx, deed, now).await?;
    tx.commit().await?;
    Ok(plain.expose_secret().to_owned())
}

fn line(token: &Token) -> String {
    let mut text = format!("{} {} [{}]", token.id, token.tenant.as_deref().unwrap_or("(platform)"), token.name);
    for (what, at) in [("expires", token.expires), ("revoked", token.revoked), ("used", token.used)] {
        if let Some(at) = at {
            let _ = write!(text, " {what} {}", at.timestamp());
        }
    }
    text
}

/// Reads `90d`, `12h`.
fn length(text: &str) -> Result<Duration, String> {
    let fault = || format!("{text} is not a length of time such as 90d or 12h");
    let split = text.len().checked_sub(1).filter(|at| text.is_char_boundary(*at)).ok_or_else(fault)?;
    let (number, unit) = text.split_at(split);
    let hours = match unit {
        "d" => 24,
        "h" => 1,
        _ => return Err(fault()),
    };
    let number: u64 = number.parse().ok().filter(|number| (1..=36_500).contains(number)).ok_or_else(fault)?;
    Ok(Duration::from_secs(number * hours * 3600))
}
