//! The mail server, over SMTP.

use std::time::Duration;

use async_trait::async_trait;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};
use renkei_runtime::config::{SmtpConfig, SmtpTls};
use renkei_store::outbox::Mail;
use secrecy::ExposeSecret as _;

use crate::notify::send::{Handed, MailFault, Mailer};

/// Mail can not be set up. Names the key.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct SmtpSetupError {
    /// The variable.
    pub key: &'static str,
    /// What is wrong.
    pub reason: String,
}

/// Hands each mail over on a connection of its own: mails are rare.
pub struct SmtpMailer {
    server: (String, u16),
    tls: SmtpTls,
    parameters: Option<TlsParameters>,
    login: Option<Credentials>,
    from: Mailbox,
    hello: ClientId,
}

impl SmtpMailer {
    /// Prepares the client; nothing is sent yet.
    ///
    /// # Errors
    /// When the sender's address or the file of authorities is not usable.
    pub fn new(config: &SmtpConfig) -> Result<Self, SmtpSetupError> {
        let from: Mailbox = config
            .from
            .parse()
            .map_err(|_| SmtpSetupError { key: "RENKEI_MAIL_FROM", reason: "is not an address".to_owned() })?;
        let parameters = match config.tls {
            SmtpTls::None => None,
            SmtpTls::StartTls | SmtpTls::Implicit => Some(parameters(config)?),
        };
        let login = config
            .login
            .as_ref()
            .map(|(user, password)| Credentials::new(user.clone(), password.expose_secret().to_owned()));
        let hello = ClientId::Domain(from.email.domain().to_owned());
        Ok(Self { server: (config.host.clone(), config.port), tls: config.tls, parameters, login, from, hello })
    }

    /// The domain of the sender.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.from.email.domain()
    }

    fn message(&self, message_id: &str, date: jiff::Timestamp, mail: &Mail) -> Result<Vec<u8>, MailFault> {
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(mail.subject.clone())
            .date(date.into())
            .message_id(Some(format!("<{message_id}>")));
        for to in mail.to.iter().filter_map(|to| to.parse::<Address>().ok()) {
            message = message.to(Mailbox::new(None, to));
        }
        // Absence notices are not sent back to what no person wrote.
        let name = HeaderName::new_from_ascii_str("Auto-Submitted");
        message = message.raw_header(HeaderValue::new(name, "auto-generated".to_owned()));
        let body = MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone());
        let message = message.multipart(body).map_err(|_| MailFault::Unwritable("no recipient's address is one"))?;
        Ok(message.formatted())
    }

    async fn connect(&self, deadline: Duration) -> Result<AsyncSmtpConnection, MailFault> {
        let server = (self.server.0.as_str(), self.server.1);
        let at_once = self.parameters.clone().filter(|_| self.tls == SmtpTls::Implicit);
        let connected = AsyncSmtpConnection::connect_tokio1(server, Some(deadline), &self.hello, at_once, None).await;
        let mut connection = connected.map_err(|error| fault(&error, "connection"))?;
        if let Some(parameters) = self.parameters.clone().filter(|_| self.tls == SmtpTls::StartTls) {
            if !connection.can_starttls() {
                // Going on would send mail and password in plain text.
                connection.abort().await;
                return Err(MailFault::Unreachable("the server offers no STARTTLS"));
            }
            connection.starttls(parameters, &self.hello).await.map_err(|error| fault(&error, "STARTTLS"))?;
        }
        if let Some(login) = &self.login {
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            connection.auth(&mechanisms, login).await.map_err(|error| fault(&error, "login"))?;
        }
        Ok(connection)
    }

    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        message: &[u8],
        to: &[String],
    ) -> Result<Handed, MailFault> {
        let sender = MailFrom::new(Some(self.from.email.clone()), Vec::new());
        connection.command(sender).await.map_err(|error| fault(&error, "MAIL FROM"))?;
        let mut handed = Handed::default();
        for (at, address) in to.iter().enumerate() {
            let Ok(address) = address.parse::<Address>() else {
                handed.refused.push((at, 553));
                continue;
            };
            match connection.command(Rcpt::new(address, Vec::new())).await {
                Ok(_) => {}
                Err(error) if error.is_permanent() => handed.refused.push((at, status(&error).unwrap_or(550))),
                Err(error) if error.is_transient() => handed.later.push(at),
                Err(error) => return Err(fault(&error, "RCPT")),
            }
        }
        if handed.refused.len() + handed.later.len() == to.len() {
            return Ok(handed);
        }
        connection.command(Data).await.map_err(|error| fault(&error, "DATA"))?;
        match connection.message(message).await {
            Ok(_) => Ok(handed),
            Err(error) if error.is_permanent() => Err(MailFault::Refused(status(&error).unwrap_or(554))),
            Err(error) => Err(fault(&error, "content")),
        }
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(
        &self,
        message_id: &str,
        date: jiff::Timestamp,
        mail: &Mail,
        deadline: Duration,
    ) -> Result<Handed, MailFault> {
        let message = self.message(message_id, date, mail)?;
        let work = async {
            let mut connection = self.connect(deadline).await?;
            let handed = self.hand_over(&mut connection, &message, &mail.to).await;
            // What was said before this counts, whatever the answer.
            let _ = connection.quit().await;
            handed
        };
        match tokio::time::timeout(deadline, work).await {
            Ok(handed) => handed,
            Err(_) => Err(MailFault::Unreachable("deadline")),
        }
    }
}

fn parameters(config: &SmtpConfig) -> Result<TlsParameters, SmtpSetupError> {
    let mut builder = TlsParameters::builder(config.host.clone());
    if let Some(path) = &config.ca_location {
        let key = "RENKEI_MAIL_SMTP_CA_LOCATION";
        let pem =
            std::fs::read(path).map_err(|error| SmtpSetupError { key, reason: format!("can not be read: {error}") })?;
        let authority = Certificate::from_pem(&pem)
            .map_err(|_| SmtpSetupError { key, reason: "holds no certificate in PEM".to_owned() })?;
        builder = builder.add_root_certificate(authority);
    }
    builder
        .build()
        .map_err(|error| SmtpSetupError { key: "RENKEI_MAIL_SMTP_TLS", reason: format!("can not be set up: {error}") })
}

fn status(error: &Error) -> Option<u16> {
    error.status().map(u16::from)
}

fn fault(error: &Error, at: &'static str) -> MailFault {
    match status(error) {
        Some(status) => MailFault::Later(status, at),
        None if error.is_timeout() => MailFault::Unreachable("deadline"),
        None => MailFault::Unreachable(at),
    }
}
