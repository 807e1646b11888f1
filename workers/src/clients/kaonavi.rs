//! カオナビ's public API v2, as far as Renkei uses it: token, member layouts, members, tasks.
//!
//! The client makes one call at a time and tells what came of it; when to call, and what follows, is decided elsewhere. It
//! relies on statuses and shapes only: the wording of errors is prose and never matched, except for member codes and row
//! numbers that stand in it.

pub mod answers;
pub mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use renkei_events::codes::Code;
use renkei_runtime::http::{OutRequest, OutResponse, Transport, TransportError};
use renkei_store::accounts::Credentials;
use renkei_store::employees::{Op, Values};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use self::answers::{Grant, Refused, TaskEnd, refusal};
use self::stream::MemberList;
use crate::members::doc::{Layout, LayoutItem};

/// Real time that an update call may take, its answer included.
pub const UPDATE_DEADLINE: Duration = Duration::from_secs(30);
/// Real time that a small read may take.
pub const READ_DEADLINE: Duration = Duration::from_secs(10);
/// Real time that the read of all members may take.
pub const MEMBERS_DEADLINE: Duration = Duration::from_secs(300);
/// The largest answer but for the member list, in bytes.
const SMALL_ANSWER: usize = 8 * 1024 * 1024;

/// What came of an update call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A task was made of it.
    Accepted {
        /// Its id.
        task: i64,
    },
    /// It was looked at and refused.
    Refused(Refused),
    /// It certainly did not arrive.
    NotSent,
    /// Nobody can say whether it was taken.
    Unknown {
        /// The status, if one came.
        status: Option<u16>,
    },
}

/// What came of a dry run over one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DryRunAnswer {
    /// It would be taken.
    Passed,
    /// A task was made of it, whose end tells.
    Task {
        /// Its id.
        id: i64,
    },
    /// It was looked at and refused.
    Refused(Refused),
    /// No answer that tells anything.
    Nothing {
        /// The status, if one came; 0 when the call certainly did not arrive.
        status: Option<u16>,
    },
}

/// Whether a call is permitted, as far as カオナビ tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permitted {
    /// It was refused for its content only.
    Yes,
    /// Its box is not ticked (操作対象の管理).
    No,
    /// The token was refused.
    Unauthorized,
    /// A limit on calls was met.
    Quota,
    /// No answer that tells anything.
    Later,
}

/// What came of a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadFault {
    /// Looked at and refused.
    Refused(Refused),
    /// No answer, or one that is no answer (HTML, an empty body, a 5xx): try later.
    Later,
    /// An answer in the right form that can not be what it should be; trying again does not help.
    Wrong(Code),
}

impl From<TransportError> for ReadFault {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::TooLarge => ReadFault::Wrong(Code::KaonaviAnswerTooLarge),
            _ => ReadFault::Later,
        }
    }
}

/// The API at one base URL.
#[derive(Clone)]
pub struct Kaonavi {
    transport: Arc<dyn Transport>,
    base_url: String,
}

impl Kaonavi {
    /// A client of `base_url` (such as `https://api.kaonavi.jp/api/v2.0`).
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>, base_url: &str) -> Self {
        Self { transport, base_url: base_url.trim_end_matches('/').to_owned() }
    }

    /// `POST /token`.
    ///
    /// # Errors
    /// See [`ReadFault`].
    pub async fn token(&self, credentials: &Credentials) -> Result<Grant, ReadFault> {
        let pair = format!("{}:{}", credentials.key.expose_secret(), credentials.secret.expose_secret());
        let headers = vec![
            ("authorization", format!("Basic {}", STANDARD.encode(pair))),
            ("content-type", "application/x-www-form-urlencoded;charset=UTF-8".to_owned()),
        ];
        let request = OutRequest {
            method: "POST",
            url: format!("{}/token", self.base_url),
            headers,
            body: Some(b"grant_type=client_credentials".to_vec()),
            deadline: READ_DEADLINE,
        };
        let body = self.small(request).await?;
        answers::grant(&body).ok_or(ReadFault::Later)
    }

    /// `GET /member_layouts`.
    ///
    /// # Errors
    /// See [`ReadFault`].
    pub async fn layout(&self, token: &SecretString) -> Result<Layout, ReadFault> {
        let body = self.small(self.get("/member_layouts", token, READ_DEADLINE)).await?;
        let value: Value = serde_json::from_slice(&body).map_err(|_| ReadFault::Later)?;
        let Some(object) = value.as_object() else { return Err(ReadFault::Wrong(Code::KaonaviLayoutUnreadable)) };
        let mut layout = BTreeMap::new();
        for (key, item) in object {
            if key == "custom_fields" {
                for custom in item.as_array().into_iter().flatten() {
                    if let Some(id) = custom.get("id").and_then(Value::as_i64) {
                        layout.insert(format!("custom:{id}"), layout_item(custom));
                    }
                }
            } else if item.is_object() {
                layout.insert(key.clone(), layout_item(item));
            }
        }
        if layout.contains_key("code") { Ok(layout) } else { Err(ReadFault::Wrong(Code::KaonaviLayoutUnreadable)) }
    }

    /// `GET /members`, read as a stream: `keep` is called for each member on a thread of its own and says what to remember.
    ///
    /// # Errors
    /// See [`ReadFault`].
    pub async fn members<T, F>(&self, token: &SecretString, keep: F) -> Result<Vec<T>, ReadFault>
    where
        T: Send + 'static,
        F: Fn(stream::MemberSeen) -> T + Send + 'static,
    {
        let response = self.transport.send(self.get("/members", token, MEMBERS_DEADLINE)).await?;
        let response = self.expect_success(response).await?;
        MemberList::read(response.body, keep).await
    }

    /// `GET /tasks/{id}`.
    ///
    /// # Errors
    /// See [`ReadFault`]; an unknown task is a refusal with status 404.
    pub async fn task(&self, token: &SecretString, id: i64) -> Result<TaskEnd, ReadFault> {
        let body = self.small(self.get(&format!("/tasks/{id}"), token, READ_DEADLINE)).await?;
        answers::task(&body).ok_or(ReadFault::Later)
    }

    /// `GET /departments`: the codes of 所属.
    ///
    /// # Errors
    /// See [`ReadFault`].
    pub async fn departments(&self, token: &SecretString) -> Result<BTreeSet<String>, ReadFault> {
        let body = self.small(self.get("/departments", token, READ_DEADLINE)).await?;
        let value: Value = serde_json::from_slice(&body).map_err(|_| ReadFault::Later)?;
        let Some(list) = value.get("department_data").and_then(Value::as_array) else { return Err(ReadFault::Later) };
        Ok(list.iter().filter_map(|item| item.get("code")?.as_str().map(str::to_owned)).collect())
    }

    /// Tries whether `op` is permitted: a dry run over nobody, which nothing can come of.
    pub async fn permitted(&self, token: &SecretString, op: Op) -> Permitted {
        let request = as_dry_run(self.write_request(token, op, &[], READ_DEADLINE));
        let Ok(response) = self.transport.send(request).await else { return Permitted::Later };
        match response.status {
            401 => Permitted::Unauthorized,
            403 => Permitted::No,
            408 | 425 | 429 => Permitted::Quota,
            200..=299 | 400..=499 => Permitted::Yes,
            _ => Permitted::Later,
        }
    }

    /// `POST /members` or `PATCH /members`.
    pub async fn write(&self, token: &SecretString, op: Op, rows: &[(String, Values)]) -> Outcome {
        let request = self.write_request(token, op, rows, UPDATE_DEADLINE);
        let response = match self.transport.send(request).await {
            Ok(response) => response,
            Err(TransportError::NotSent(_)) => return Outcome::NotSent,
            Err(_) => return Outcome::Unknown { status: None },
        };
        let status = response.status;
        let Ok(body) = response.bytes(SMALL_ANSWER).await else { return Outcome::Unknown { status: Some(status) } };
        match status {
            200..=299 => match answers::task_id(&body) {
                Some(task) => Outcome::Accepted { task },
                None => Outcome::Unknown { status: Some(status) },
            },
            400..=499 => Outcome::Refused(refusal(status, &body)),
            _ => Outcome::Unknown { status: Some(status) },
        }
    }

    /// The same for one member as a dry run: カオナビ says whether it would take it, with or without a task.
    pub async fn dry_run(&self, token: &SecretString, op: Op, member: &(String, Values)) -> DryRunAnswer {
        let request = as_dry_run(self.write_request(token, op, std::slice::from_ref(member), UPDATE_DEADLINE));
        let response = match self.transport.send(request).await {
            Ok(response) => response,
            Err(TransportError::NotSent(_)) => return DryRunAnswer::Nothing { status: Some(0) },
            Err(_) => return DryRunAnswer::Nothing { status: None },
        };
        let status = response.status;
        let Ok(body) = response.bytes(SMALL_ANSWER).await else {
            return DryRunAnswer::Nothing { status: Some(status) };
        };
        match (status, answers::task_id(&body)) {
            (200..=299, Some(id)) => DryRunAnswer::Task { id },
            // A page of something in between is no answer of カオナビ.
            (200..=299, None) if status == 204 || answers::is_json(&body) => DryRunAnswer::Passed,
            (400..=499, _) => DryRunAnswer::Refused(refusal(status, &body)),
            _ => DryRunAnswer::Nothing { status: Some(status) },
        }
    }

    fn write_request(&self, token: &SecretString, op: Op, rows: &[(String, Values)], deadline: Duration) -> OutRequest {
        let members: Vec<Value> = rows.iter().map(|(code, values)| member_json(code, values)).collect();
        let body = json!({ "member_data": members }).to_string().into_bytes();
        OutRequest {
            method: match op {
                Op::Create => "POST",
                Op::Update => "PATCH",
            },
            url: format!("{}/members", self.base_url),
            headers: vec![
                ("kaonavi-token", token.expose_secret().to_owned()),
                ("content-type", "application/json".to_owned()),
            ],
            body: Some(body),
            deadline,
        }
    }

    fn get(&self, path: &str, token: &SecretString, deadline: Duration) -> OutRequest {
        OutRequest {
            method: "GET",
            url: format!("{}{path}", self.base_url),
            headers: vec![("kaonavi-token", token.expose_secret().to_owned())],
            body: None,
            deadline,
        }
    }

    async fn small(&self, request: OutRequest) -> Result<Vec<u8>, ReadFault> {
        let response = self.transport.send(request).await?;
        let response = self.expect_success(response).await?;
        Ok(response.bytes(SMALL_ANSWER).await?)
    }

    async fn expect_success(&self, response: OutResponse) -> Result<OutResponse, ReadFault> {
        match response.status {
            200..=299 => Ok(response),
            status @ 400..=499 => {
                let body = response.bytes(SMALL_ANSWER).await.unwrap_or_default();
                Err(ReadFault::Refused(refusal(status, &body)))
            }
            _ => Err(ReadFault::Later),
        }
    }
}

/// Any other value than 1 would be a real run.
fn as_dry_run(mut request: OutRequest) -> OutRequest {
    request.headers.push(("dry-run", "1".to_owned()));
    request
}

fn member_json(code: &str, values: &Values) -> Value {
    let mut member = serde_json::Map::new();
    member.insert("code".to_owned(), Value::String(code.to_owned()));
    let mut custom = Vec::new();
    for (field, value) in values {
        if let Some(id) = field.strip_prefix("custom:").and_then(|id| id.parse::<i64>().ok()) {
            custom.push(json!({ "id": id, "values": [value] }));
        } else if field == "department" {
            member.insert(field.clone(), json!({ "code": value }));
        } else {
            member.insert(field.clone(), Value::String(value.clone()));
        }
    }
    if !custom.is_empty() {
        member.insert("custom_fields".to_owned(), Value::Array(custom));
    }
    Value::Object(member)
}

fn layout_item(item: &Value) -> LayoutItem {
    let text = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let choices = item.get("enum").and_then(Value::as_array).into_iter().flatten();
    LayoutItem {
        name: text("name"),
        required: item.get("required").and_then(Value::as_bool).unwrap_or(false),
        kind: text("type"),
        max_length: item.get("max_length").and_then(Value::as_u64).and_then(|length| u32::try_from(length).ok()),
        choices: choices.filter_map(Value::as_str).map(str::to_owned).collect(),
        read_only: item.get("read_only").and_then(Value::as_bool).unwrap_or(false),
    }
}
