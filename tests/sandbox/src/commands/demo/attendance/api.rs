//! The REST API in the hands of somebody in HR.

use std::time::Duration;

use renkei_sandbox::SandboxError;
use renkei_sandbox::send;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};

/// How often something that changes is looked at.
pub(super) const LOOK: Duration = Duration::from_millis(250);
/// Most items of a page.
const PAGE: u32 = 200;

/// A caller with a token of the company.
pub(super) struct Api {
    client: Client,
    url: String,
    token: String,
}

impl Api {
    pub(super) fn new(url: &str, token: &str) -> Result<Self, SandboxError> {
        Ok(Self { client: send::client()?, url: url.to_owned(), token: token.to_owned() })
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Response, SandboxError> {
        let mut request = self.client.request(method, format!("{}/{path}", self.url)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Ok(request.send().await?)
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, SandboxError> {
        json_of(path, self.send(Method::GET, path, None).await?).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Result<Value, SandboxError> {
        json_of(path, self.send(Method::POST, path, Some(body)).await?).await
    }

    /// Replaces something as it was read.
    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<Value, SandboxError> {
        let read = good(path, self.send(Method::GET, path, None).await?).await?;
        let version = read.headers().get("etag").cloned();
        let mut request = self.client.put(format!("{}/{path}", self.url)).bearer_auth(&self.token).json(body);
        if let Some(version) = version {
            request = request.header("if-match", version);
        }
        json_of(path, request.send().await?).await
    }

    /// Uploads a CSV.
    pub(super) async fn upload(&self, path: &str, csv: Vec<u8>) -> Result<Value, SandboxError> {
        let request = self.client.put(format!("{}/{path}", self.url)).bearer_auth(&self.token);
        json_of(path, request.header("content-type", "text/csv").body(csv).send().await?).await
    }

    /// The bytes of a file; `None` if it must not be handed out any more.
    pub(super) async fn download(&self, path: &str) -> Result<Option<Vec<u8>>, SandboxError> {
        match self.send(Method::GET, path, None).await? {
            answer if answer.status() == StatusCode::CONFLICT => Ok(None),
            answer => Ok(Some(good(path, answer).await?.bytes().await?.to_vec())),
        }
    }

    /// Marks a file with the rows that were refused; `false` if a newer one has taken its place meanwhile.
    pub(super) async fn mark(&self, path: &str, refused: &[usize]) -> Result<bool, SandboxError> {
        match self.send(Method::POST, path, Some(json!({ "refused_rows": refused }))).await? {
            answer if answer.status() == StatusCode::CONFLICT => Ok(false),
            answer => good(path, answer).await.map(|_| true),
        }
    }

    /// All items of a list.
    pub(super) async fn all(&self, path: &str) -> Result<Vec<Value>, SandboxError> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("{path}?limit={PAGE}{cursor}")).await?;
            items.extend(page["items"].as_array().into_iter().flatten().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(items),
            }
        }
    }
}

async fn good(path: &str, answer: Response) -> Result<Response, SandboxError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let problem: Value = answer.json().await.unwrap_or_default();
    let detail = problem["detail"].as_str().unwrap_or_default();
    Err(SandboxError::BadInput(format!("the API answered {status} to {path}: {detail}")))
}

async fn json_of(path: &str, answer: Response) -> Result<Value, SandboxError> {
    Ok(good(path, answer).await?.json().await?)
}
