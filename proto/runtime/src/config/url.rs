//! Base URLs of outside systems.

use std::fmt;
use std::net::IpAddr;

use crate::http::guard::{AllowPrivate, is_public};

/// An absolute `http` or `https` URL without login, query and fragment, and without a slash at its end.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    host: String,
    address: Option<IpAddr>,
}

impl BaseUrl {
    /// Reads a URL and checks that it may be called.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn parse(text: &str, allow: &AllowPrivate) -> Result<Self, String> {
        let url = reqwest::Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("must start with https:// (or http://)".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold a user or a password".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must not have a query or a fragment".to_owned());
        }
        let host = url.host_str().ok_or("has no host")?.to_ascii_lowercase();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let base = Self { text: text.trim_end_matches('/').to_owned(), host, address };
        let allowed = allow.host(&base.host) || base.address.is_some_and(|address| allow.address(address));
        if base.address.is_some_and(|address| !is_public(address)) && !allowed {
            return Err("is at a private address; name it in allow_private_base_urls if that is meant".to_owned());
        }
        if url.scheme() == "http" && !allowed && !base.is_loopback() {
            return Err("must be https:// (plain http only for hosts in allow_private_base_urls)".to_owned());
        }
        Ok(base)
    }

    /// The URL, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether both are at the same host.
    #[must_use]
    pub fn same_host(&self, other: &BaseUrl) -> bool {
        self.host == other.host
    }

    /// Whether the installation names its host or address.
    #[must_use]
    pub fn is_allowed(&self, allow: &AllowPrivate) -> bool {
        allow.host(&self.host) || self.address.is_some_and(|address| allow.address(address))
    }

    /// Whether it is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.address {
            Some(address) => address.is_loopback(),
            None => self.host == "localhost" || self.host.ends_with(".localhost"),
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({:?})", self.text)
    }
}
