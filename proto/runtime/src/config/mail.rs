//! How mails leave.

use std::net::IpAddr;
use std::path::PathBuf;

use secrecy::SecretString;

use super::ConfigError;
use super::load::Reader;

/// Mails to people in charge.
#[derive(Debug, Clone)]
pub struct MailConfig {
    /// The mail server; `None`: no mail is sent.
    pub smtp: Option<SmtpConfig>,
    /// Who is told about connections that name no recipients.
    pub fallback_to: Vec<String>,
}

/// The mail server.
#[derive(Debug, Clone)]
pub struct SmtpConfig {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// One more authority to trust.
    pub ca_location: Option<PathBuf>,
    /// User and password.
    pub login: Option<(String, SecretString)>,
    /// The sender, with or without a name.
    pub from: String,
}

impl SmtpConfig {
    /// Whether it is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host
            .parse::<IpAddr>()
            .map_or_else(|_| self.host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
    }
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// TLS after a plain greeting; nothing is sent without it.
    StartTls,
    /// TLS from the first byte.
    Implicit,
    /// Plain text.
    None,
}

/// Whether a text can be the address of a mailbox. Only what every mail server takes: ASCII, one `@`, a domain with a dot or
/// `localhost`.
#[must_use]
pub fn is_mail_address(text: &str) -> bool {
    let good = |c: char| c.is_ascii_graphic() && !"<>()[],;:\\\"@".contains(c);
    let Some((user, domain)) = text.split_once('@') else { return false };
    let labels = domain.split('.').all(|label| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !label.starts_with('-')
    });
    let dots = !user.starts_with('.') && !user.ends_with('.') && !user.contains("..");
    let somewhere = domain == "localhost" || domain.contains('.');
    text.len() <= 254 && !user.is_empty() && user.len() <= 64 && user.chars().all(good) && dots && labels && somewhere
}

impl Reader {
    pub(super) fn mail(&self) -> Result<MailConfig, ConfigError> {
        let fallback_to = self.list("mail.fallback_to")?;
        if !fallback_to.iter().all(|address| is_mail_address(address)) {
            return Err(self.fault("mail.fallback_to", "must be addresses of mailboxes, without names"));
        }
        let server = self.optional("mail.smtp_host", server)?;
        let tls = match self.one_of("mail.smtp_tls", &["starttls", "tls", "none"])?.as_str() {
            "tls" => SmtpTls::Implicit,
            "none" => SmtpTls::None,
            _ => SmtpTls::StartTls,
        };
        let from = self.optional("mail.from", sender)?;
        let user = self.text("mail.smtp_user")?;
        let password = self.text("mail.smtp_password")?;
        let Some((host, port)) = server else { return Ok(MailConfig { smtp: None, fallback_to }) };
        let port = port.unwrap_or(match tls {
            SmtpTls::StartTls => 587,
            SmtpTls::Implicit => 465,
            SmtpTls::None => 25,
        });
        let Some(from) = from else {
            return Err(self.fault("mail.from", "is missing, and mail.smtp_host needs it"));
        };
        let login = match (user.is_empty(), password.is_empty()) {
            (true, true) => None,
            (false, false) => Some((user, SecretString::from(password))),
            (false, true) => return Err(self.fault("mail.smtp_password", "is missing, and mail.smtp_user needs it")),
            (true, false) => return Err(self.fault("mail.smtp_user", "is missing, and mail.smtp_password needs it")),
        };
        let smtp = SmtpConfig { host, port, tls, ca_location: self.path("mail.smtp_ca_location")?, login, from };
        if tls == SmtpTls::None && smtp.login.is_some() && !smtp.is_loopback() {
            let reason = "would send the password in plain text; use starttls or tls";
            return Err(self.fault("mail.smtp_tls", reason));
        }
        Ok(MailConfig { smtp: Some(smtp), fallback_to })
    }
}

/// Host and port. The port has no key of its own: Kubernetes sets variables that end in `_PORT`.
fn server(text: &str) -> Result<(String, Option<u16>), String> {
    let fault = || "must be a host name or an address, with or without a port, like mail.example.co.jp:587".to_owned();
    // Of an address of IPv6 the brackets tell where the port begins.
    let end = text.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match text[end..].rfind(':') {
        Some(at) => {
            let port = text[end + at + 1..].parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(fault)?;
            (&text[..end + at], Some(port))
        }
        None => (text, None),
    };
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let good = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c)),
    };
    if good { Ok((bracketed.unwrap_or(host).to_owned(), port)) } else { Err(fault()) }
}

fn sender(text: &str) -> Result<String, String> {
    let address = match text.split_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').unwrap_or_default(),
        None => text,
    };
    if is_mail_address(address) && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err("must be an address, or a name and the address in angle brackets".to_owned())
}

/// A base for links that people follow. Renkei itself never calls it, so it may be at a private address.
pub(super) fn public_url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("must start with https:// (or http://)".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("must not hold a login, a query or a fragment".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}
