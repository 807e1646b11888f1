//! The description of the API, made from the code.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::{
    activity, attention, audit, book, budget, connections, credentials, crowdlog, csv, dry_runs, employees, feeds,
    files, forgetting, link_settings, links, matching, member_format, previews, runs, secrets, settings, switch,
    system, tenants, test_file, tokens,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Renkei", description = "Employee records into カオナビ: connections, people, what needs a person."),
    paths(
        tenants::list_tenants,
        tenants::create_tenant,
        tenants::get_tenant,
        tenants::rename_tenant,
        connections::list_connections,
        connections::create_connection,
        connections::get_connection,
        connections::change_connection,
        settings::get_mapping,
        settings::put_mapping,
        settings::get_filter,
        settings::put_filter,
        secrets::list_webhook_secrets,
        secrets::put_webhook_secret,
        secrets::delete_webhook_secret,
        credentials::put_credentials,
        feeds::get_feed,
        feeds::put_feed,
        feeds::delete_feed,
        links::list_links,
        links::create_link,
        links::get_link,
        links::change_link,
        links::delete_link,
        links::put_link_key,
        links::get_link_check,
        links::get_link_options,
        link_settings::get_link_settings,
        link_settings::put_link_settings,
        link_settings::list_protections,
        link_settings::add_protection,
        link_settings::remove_protection,
        crowdlog::get_member_list,
        crowdlog::put_member_list,
        member_format::get_member_format,
        member_format::put_member_format,
        matching::get_matching,
        matching::get_run_matching,
        matching::list_notes,
        test_file::make_test_file,
        files::list_files,
        files::download_file,
        files::download_files,
        files::mark_file,
        book::list_days,
        book::list_handwork,
        book::download_handwork,
        book::tick_handwork,
        runs::list_runs,
        runs::get_run,
        runs::start_run,
        runs::cancel_run,
        switch::activate,
        switch::pause,
        switch::disconnect,
        switch::verify,
        previews::want_preview,
        previews::get_preview,
        previews::sync,
        csv::import_employees,
        csv::get_csv_columns,
        csv::put_csv_columns,
        employees::list_employees,
        employees::get_employee,
        employees::get_timeline,
        dry_runs::want_dry_run,
        dry_runs::get_dry_run,
        forgetting::forget_employee,
        forgetting::forget_code,
        activity::list_activity,
        attention::list_attention,
        attention::retry_attention,
        attention::dismiss_attention,
        attention::decide_attention,
        tokens::list_tokens,
        tokens::create_token,
        tokens::revoke_token,
        audit::list_audit,
        system::get_system,
        budget::get_budget,
    )
)]
struct Paths;

static DOCUMENT: LazyLock<Value> = LazyLock::new(make);

/// The whole description, as it is served and committed.
#[must_use]
pub fn text() -> String {
    // A value that was made from JSON can be written as JSON.
    serde_json::to_string_pretty(&*DOCUMENT).unwrap_or_default() + "\n"
}

pub(super) async fn serve() -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "application/json")).body(text())
}

/// The methods of a path, as in `Allow`.
#[must_use]
pub fn methods(pattern: &str) -> String {
    let operations = DOCUMENT["paths"][pattern].as_object();
    let names = operations.into_iter().flatten().map(|(method, _)| method.to_uppercase());
    names.collect::<Vec<_>>().join(", ")
}

/// What an operation takes beside its path and headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takes {
    /// Parameters in the query.
    pub query: bool,
    /// A body.
    pub body: bool,
}

/// What the operation with this method takes; `None`: there is none.
#[must_use]
pub fn takes(pattern: &str, method: &str) -> Option<Takes> {
    let operation = DOCUMENT["paths"][pattern].get(method.to_ascii_lowercase())?;
    let parameters = operation["parameters"].as_array();
    let query = parameters.is_some_and(|all| all.iter().any(|parameter| parameter["in"] == "query"));
    Some(Takes { query, body: operation.get("requestBody").is_some() })
}

fn make() -> Value {
    let mut document = serde_json::to_value(Paths::openapi()).unwrap_or_default();
    document["components"]["securitySchemes"]["token"] =
        json!({"type": "http", "scheme": "bearer", "description": "A token of `renkei-ingest token create`."});
    document["components"]["schemas"]["Problem"] = problem();
    let Some(paths) = document["paths"].as_object_mut() else { return document };
    for (path, operations) in paths {
        for operation in operations.as_object_mut().into_iter().flatten().map(|(_, operation)| operation) {
            complete(path, operation);
        }
    }
    document
}

/// What holds for every operation of its kind: security, whose token it takes, and the problems it may answer.
fn complete(path: &str, operation: &mut Value) {
    let scope = operation["tags"][0].as_str().unwrap_or("tenant").to_owned();
    operation["security"] = json!([{"token": []}]);
    operation["x-renkei-scope"] = json!(scope);
    let has_body = operation.get("requestBody").is_some();
    let is_file = operation["requestBody"]["content"].get("text/csv").is_some();
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let has_header = parameters.iter().any(|parameter| parameter["name"] == "If-Match");
    if scope != "platform" {
        let named = json!({"name": "Renkei-Tenant", "in": "header", "required": false, "schema": {"type": "string"},
            "description": "For which tenant; only with a token of the platform."});
        let mut all = parameters;
        all.push(named);
        operation["parameters"] = json!(all);
    }
    let problems = [
        (400, true, "a value is not right"),
        (401, true, "no good token"),
        (403, true, "the token is not for this"),
        (404, path.contains('{') || scope != "platform", "nothing with this id belongs to the tenant"),
        (412, has_header, "the settings changed"),
        (413, has_body, if is_file { "the file is over 64 MiB or 50,000 rows" } else { "the body is over 1 MiB" }),
        (415, has_body, if is_file { "the body is not text/csv" } else { "the body is not JSON" }),
        (428, has_header, "If-Match is missing"),
        (429, true, "too many calls"),
        (503, true, "our fault; call again"),
    ];
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    if has_header {
        responses.entry("409").or_insert_with(|| json!({"description": ""}));
    }
    for (status, applies, description) in problems {
        if applies {
            responses.insert(status.to_string(), json!({"description": description}));
        }
    }
    for (status, response) in responses {
        if response.get("description").is_none() {
            response["description"] = json!("");
        }
        if status.starts_with('4') || status.starts_with('5') {
            let reference = json!({"schema": {"$ref": "#/components/schemas/Problem"}});
            response["content"] = json!({"application/problem+json": reference});
            if response["description"] == "" {
                response["description"] = json!("the state does not allow it");
            }
        } else if response["description"] == "" {
            response["description"] = json!("done");
        }
    }
}

fn problem() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let mut properties = Map::new();
    properties.insert("type".to_owned(), text("where the code is explained"));
    properties.insert("title".to_owned(), text("what the code means"));
    properties.insert("status".to_owned(), json!({"type": "integer"}));
    properties.insert("code".to_owned(), text("stable; programs may rely on it"));
    properties.insert("detail".to_owned(), text("this case, for people"));
    properties.insert("pointer".to_owned(), text("the place in the body or query, RFC 6901"));
    properties.insert("missing".to_owned(), json!({"type": "array", "items": {"type": "string"}}));
    json!({"type": "object", "required": ["type", "title", "status", "code", "detail"], "properties": properties})
}
