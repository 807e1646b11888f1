//! The operator's JSON API: look at a company, change its switches, order faults, play the outside.

use renkei_runtime::clock::Millis;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::company::Company;
use super::machine::Kaonavi;
use super::settings::{Faults, Settings};
use super::spec::CompanySpec;
use crate::error::SandboxError;
use crate::wire::SimRequest;

/// Entries that one answer carries unless told otherwise.
const USUAL_PAGE: usize = 1_000;

/// What an operator's call comes to: a status and JSON.
pub type AdminAnswer = (u16, Value);

/// Answers a request whose path starts with `/admin/`.
///
/// # Errors
/// [`SandboxError`]; its status is the answer's.
pub fn handle(kaonavi: &mut Kaonavi, now: Millis, request: &SimRequest) -> Result<AdminAnswer, SandboxError> {
    let path: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let path: Vec<String> = path.iter().map(|part| crate::wire::decoded(part)).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (request.method.as_str(), path.as_slice()) {
        ("GET", ["admin", "companies"]) => {
            let ids: Vec<String> = kaonavi.companies().map(|company| company.id().to_owned()).collect();
            let list: Result<Vec<Value>, SandboxError> =
                ids.iter().map(|id| Ok(summary(kaonavi.company(now, id)?, now))).collect();
            Ok((200, json!({ "now": now, "companies": list? })))
        }
        ("POST", ["admin", "companies"]) => {
            let spec: CompanySpec = read(&request.body)?;
            let id = spec.id.clone();
            kaonavi.add(spec)?;
            Ok((201, summary(kaonavi.company(now, &id)?, now)))
        }
        ("GET", ["admin", "strays"]) => Ok((200, json!({ "calls": kaonavi.strays().collect::<Vec<_>>() }))),
        (method, ["admin", "companies", id, rest @ ..]) => one(kaonavi, now, method, id, rest, request),
        _ => Ok(unknown()),
    }
}

fn unknown() -> AdminAnswer {
    (404, json!({ "error": "no such operation" }))
}

fn one(
    kaonavi: &mut Kaonavi,
    now: Millis,
    method: &str,
    id: &str,
    rest: &[&str],
    request: &SimRequest,
) -> Result<AdminAnswer, SandboxError> {
    let company = kaonavi.company(now, id)?;
    let answer = match (method, rest) {
        ("GET", []) => return Ok((200, details(company, now, request))),
        ("DELETE", []) => json!({ "removed": kaonavi.remove(id) }),
        ("GET", ["calls"]) => return Ok((200, calls(company, request))),
        ("GET", ["rows"]) => return Ok((200, rows(company, request))),
        ("GET", ["stats"]) => return Ok((200, json!({ "now": now, "stats": company.stats(now) }))),
        ("GET", ["settings"]) => json!(company.settings()),
        ("POST", ["settings"]) => {
            let settings: Settings = merged(company.settings(), &request.body)?;
            company.set_settings(now, settings);
            json!(company.settings())
        }
        ("GET", ["faults"]) => json!(company.faults()),
        ("POST", ["faults"]) => {
            let faults: Faults = merged(company.faults(), &request.body)?;
            company.set_faults(now, faults);
            json!(company.faults())
        }
        ("DELETE", ["faults"]) => {
            company.set_faults(now, Faults::default());
            json!(company.faults())
        }
        ("POST", ["permissions"]) => {
            *company.permissions_mut() = read(&request.body)?;
            json!(company.permissions_mut())
        }
        ("POST", ["layout"]) => {
            *company.layout_mut() = read(&request.body)?;
            json!(company.layout_mut())
        }
        ("POST", ["departments"]) => {
            *company.departments_mut() = read(&request.body)?;
            json!(company.departments_mut())
        }
        ("POST", ["members"]) => json!({ "written": company.upsert(now, &read(&request.body)?)? }),
        ("DELETE", ["members", code]) => {
            if !company.delete(now, code) {
                return Ok((404, json!({ "error": "no such member" })));
            }
            json!({ "deleted": code })
        }
        ("POST", ["nightly"]) => {
            company.nightly(now);
            json!({ "done": true })
        }
        ("POST", ["forget_tasks"]) => {
            company.forget_tasks(now);
            json!({ "done": true })
        }
        ("POST", ["outside_traffic"]) => {
            let amount: Value = read(&request.body)?;
            let number = |name: &str| {
                amount.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
            };
            let slots = company.outside_traffic(now, number("updates"), number("calls"), number("tokens"));
            json!({ "slots_taken": slots })
        }
        ("POST", ["revoke_tokens"]) => {
            kaonavi.revoke_tokens(id);
            json!({ "done": true })
        }
        ("POST", ["reissue"]) => {
            let given: Value = read(&request.body)?;
            let text = |name: &str| given.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            let (Some(key), Some(secret)) = (text("consumer_key"), text("consumer_secret")) else {
                return Err(SandboxError::BadInput("consumer_key and consumer_secret are needed".to_owned()));
            };
            kaonavi.reissue(id, key, secret)?;
            json!({ "done": true })
        }
        _ => return Ok(unknown()),
    };
    Ok((200, answer))
}

fn summary(company: &mut Company, now: Millis) -> Value {
    json!({
        "id": company.id(),
        "name": company.name(),
        "members": company.members().len(),
        "open_tasks": company.open_tasks(),
        "stats": company.stats(now),
    })
}

fn page(request: &SimRequest) -> (usize, usize) {
    let number = |name: &str| request.parameter(name).and_then(|text| text.parse().ok());
    (number("skip").unwrap_or(0), number("limit").unwrap_or(USUAL_PAGE))
}

fn details(company: &mut Company, now: Millis, request: &SimRequest) -> Value {
    let (skip, most) = page(request);
    let mut details = summary(company, now);
    if let Some(map) = details.as_object_mut() {
        map.insert("now".to_owned(), json!(now));
        map.insert("member_data".to_owned(), json!(company.shown_members(skip, most)));
        map.insert("tasks".to_owned(), json!(company.tasks().rev().take(USUAL_PAGE).collect::<Vec<_>>()));
        map.insert("settings".to_owned(), json!(company.settings()));
        map.insert("faults".to_owned(), json!(company.faults()));
        map.insert("permissions".to_owned(), json!(company.permissions_mut()));
    }
    details
}

/// Calls after `since` (milliseconds), oldest first; `limit` newest of them.
fn calls(company: &Company, request: &SimRequest) -> Value {
    let since = request.parameter("since").and_then(|text| text.parse().ok()).map_or(Millis(i64::MIN), Millis);
    let (_, most) = page(request);
    let updates_only = request.parameter("updates").as_deref() == Some("true");
    let newest = company.log().calls().rev().take_while(|call| call.at > since);
    let mut calls: Vec<_> = newest.filter(|call| call.update || !updates_only).take(most).collect();
    calls.reverse();
    json!({ "calls": calls })
}

fn rows(company: &Company, request: &SimRequest) -> Value {
    let (skip, most) = page(request);
    let rows: Vec<_> = company.log().rows().skip(skip).take(most).collect();
    json!({ "total": company.log().rows().len(), "rows": rows })
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, SandboxError> {
    serde_json::from_slice(body).map_err(|error| SandboxError::BadInput(error.to_string()))
}

/// `current` with the keys of `body` replaced.
fn merged<T: Serialize + DeserializeOwned>(current: &T, body: &[u8]) -> Result<T, SandboxError> {
    let changes: Value = read(body)?;
    let bad = |error: serde_json::Error| SandboxError::BadInput(error.to_string());
    let mut value = serde_json::to_value(current).map_err(bad)?;
    match (value.as_object_mut(), changes) {
        (Some(map), Value::Object(changes)) => map.extend(changes),
        _ => return Err(SandboxError::BadInput("an object is needed".to_owned())),
    }
    serde_json::from_value(value).map_err(bad)
}
