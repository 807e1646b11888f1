//! The real network behind [`Transport`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::mpsc;

use super::guard::AllowPrivate;
use super::{OutRequest, OutResponse, Transport, TransportError};

/// A connection (name, TCP and TLS together) that is not there by then will not come; and up to here nothing was sent.
///
/// Whoever says that no call starts any more has to wait for it: a call that was let go may spend this long before its
/// first byte leaves. So it is short, but longer than a lost first packet costs (1 s).
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(2);
/// Shorter than what servers and balancers in between usually keep, so that a call seldom meets a closing connection.
const IDLE: Duration = Duration::from_secs(15);
/// Pieces of a body that wait for their reader.
const PIECES: usize = 8;

/// The client can not be made.
#[derive(Debug, thiserror::Error)]
#[error("outgoing https can not be set up (are the system's certificates installed?): {0}")]
pub struct HttpSetupError(String);

/// Makes calls with reqwest: never follows a redirect, never repeats by itself, never uses a proxy, and connects only to
/// addresses that [`AllowPrivate`] permits.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    allow: Arc<AllowPrivate>,
}

impl HttpClient {
    /// Makes the client.
    ///
    /// # Errors
    /// When TLS can not be set up.
    pub fn new(allow: AllowPrivate) -> Result<Self, HttpSetupError> {
        // Another part of the process may have chosen a provider before; either one will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let allow = Arc::new(allow);
        let client = reqwest::Client::builder()
            .user_agent(concat!("Renkei/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_DEADLINE)
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true)
            .dns_resolver(GuardedResolver { allow: Arc::clone(&allow) })
            .build()
            .map_err(|error| HttpSetupError(chain(&error)))?;
        Ok(Self { client, allow })
    }

    /// A URL with an address instead of a name passes no resolver, so it is judged here.
    fn check_literal(&self, url: &reqwest::Url) -> Result<(), TransportError> {
        let host = url.host_str().unwrap_or_default();
        match host.trim_start_matches('[').trim_end_matches(']').parse() {
            Ok(address) if !self.allow.permits(host, address) => Err(TransportError::NotSent(refused(host))),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Transport for HttpClient {
    async fn send(&self, request: OutRequest) -> Result<OutResponse, TransportError> {
        let not_sent = |reason: &dyn std::fmt::Display| TransportError::NotSent(reason.to_string());
        let url = reqwest::Url::parse(&request.url).map_err(|error| not_sent(&error))?;
        self.check_literal(&url)?;
        let method = reqwest::Method::from_bytes(request.method.as_bytes()).map_err(|error| not_sent(&error))?;
        let mut call = self.client.request(method, url).timeout(request.deadline);
        for (name, value) in request.headers {
            call = call.header(name, value);
        }
        if let Some(body) = request.body {
            call = call.body(body);
        }
        let mut response = call.send().await.map_err(|error| classify(&error))?;
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
        let (sender, body) = mpsc::channel(PIECES);
        let deadline = request.deadline;
        tokio::spawn(async move {
            loop {
                let piece = match response.chunk().await {
                    Ok(Some(bytes)) => Ok(bytes.to_vec()),
                    Ok(None) => return,
                    Err(error) => Err(classify(&error)),
                };
                let last = piece.is_err();
                // Whoever stopped reading without dropping the body must not hold the connection for ever.
                let given = tokio::time::timeout(deadline, sender.send(piece)).await;
                if last || !matches!(given, Ok(Ok(()))) {
                    return;
                }
            }
        });
        Ok(OutResponse { status, headers, body })
    }
}

/// A header's value. Bytes that are no text are nothing that anybody here reads.
fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// What a failure says about whether the request arrived.
fn classify(error: &reqwest::Error) -> TransportError {
    // Name, TCP and TLS all fail before the first byte of the request; a slow connect is such a failure, too.
    if error.is_connect() || error.is_builder() {
        return TransportError::NotSent(chain(error));
    }
    if error.is_timeout() {
        return TransportError::Deadline;
    }
    TransportError::NoAnswer(chain(error))
}

/// An error with its causes on one line. The URL is left out: the caller knows it, and a redirect could have changed it.
fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        cause = error.source();
    }
    if text.is_empty() { "the request could not be made".to_owned() } else { text }
}

fn refused(host: &str) -> String {
    format!("{host} is at a private address, which allow_private_base_urls does not permit")
}

/// Resolves a name and hands on only what may be called. The connection goes to these very addresses, so that a second
/// answer of the name server can not slip in between.
struct GuardedResolver {
    allow: Arc<AllowPrivate>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow = Arc::clone(&self.allow);
        Box::pin(async move {
            let host = name.as_str();
            let found: Vec<_> = tokio::net::lookup_host((host, 0)).await?.collect();
            let permitted: Vec<_> = found.iter().copied().filter(|found| allow.permits(host, found.ip())).collect();
            if permitted.is_empty() && !found.is_empty() {
                return Err(refused(host).into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_does_not_come_by_the_connect_deadline_was_not_sent_whatever_the_call_may_take() {
        // It takes the connection and says nothing to the TLS handshake.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", silent.local_addr().unwrap());
        let client = HttpClient::new(AllowPrivate::parse(&["127.0.0.0/8".to_owned()]).unwrap()).unwrap();
        let deadline = Duration::from_secs(30);
        let request = OutRequest { method: "POST", url, headers: vec![], body: Some(b"{}".to_vec()), deadline };
        let fault = tokio::time::timeout(CONNECT_DEADLINE + Duration::from_secs(1), client.send(request)).await;
        let fault = fault.expect("it ends with the connect deadline").err();
        assert!(matches!(fault, Some(TransportError::NotSent(_))), "{fault:?}");
    }
}
