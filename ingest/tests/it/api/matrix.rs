//! Every route of the description, for everybody who may ask (I9). A route without a sample fails.

use serde_json::{Value, json};

use super::document::committed;
use super::world::{Who, World, ask, problem};
use crate::support::client::{Answer, Request};

/// A call of the operation that succeeds for its owner.
fn sample(world: &World, operation: &str) -> Option<(String, Option<Value>)> {
    let c = "/api/v1/connections/acme-c";
    let e = "/api/v1/employees/acme-c/rm_1";
    let mapping = json!({"name_joiner": "", "gender": {"女性": null}, "mail": false, "retired_date": false,
        "departments": null, "custom": {"custom:1": {"from": "email"}}, "constants": {}, "clear_when_empty": ["gender"],
        "hiragana_to_katakana": false});
    let (path, body) = match operation {
        "list_tenants" => ("/api/v1/tenants".to_owned(), None),
        "create_tenant" => ("/api/v1/tenants".to_owned(), Some(json!({"id": "new"}))),
        "get_tenant" => ("/api/v1/tenants/acme".to_owned(), None),
        "rename_tenant" => ("/api/v1/tenants/acme".to_owned(), Some(json!({"name": "アクメ"}))),
        "list_connections" => ("/api/v1/connections".to_owned(), None),
        "create_connection" => {
            ("/api/v1/connections".to_owned(), Some(json!({"id": "new", "name": "新", "source": "roumumate"})))
        }
        "get_connection" => (c.to_owned(), None),
        "change_connection" => (c.to_owned(), Some(json!({"recipients": ["hr@example.com"], "ceiling": null}))),
        "get_mapping" => (format!("{c}/mapping"), None),
        "put_mapping" => (format!("{c}/mapping"), Some(mapping)),
        "get_filter" => (format!("{c}/filter"), None),
        "put_filter" => (format!("{c}/filter"), Some(json!({"statuses": ["active"]}))),
        "list_webhook_secrets" => (format!("{c}/webhook-secrets"), None),
        "put_webhook_secret" => (format!("{c}/webhook-secrets"), Some(json!({"id": "2"}))),
        "delete_webhook_secret" => (format!("{c}/webhook-secrets/1"), None),
        "put_credentials" => (format!("{c}/credentials"), Some(json!({"consumer_key": "k2", "consumer_secret": "s2"}))),
        "get_feed" | "delete_feed" => (format!("{c}/feed"), None),
        "put_feed" => (format!("{c}/feed"), Some(json!({"url": "https://hr.example.com/feed", "token": "k2"}))),
        "list_links" => ("/api/v1/links".to_owned(), None),
        "create_link" => {
            let stated = ["attendance_on", "leave_on", "no_attendance_management", "builtin_sync_off"];
            let link = json!({"id": "new", "name": "新", "source": "hrmos", "company": "https://ieyasu.co/new/login",
                "api_key": "k2", "stated": stated});
            ("/api/v1/links".to_owned(), Some(link))
        }
        "get_link" | "delete_link" => ("/api/v1/links/acme-l".to_owned(), None),
        "change_link" => ("/api/v1/links/acme-l".to_owned(), Some(json!({"auto": false}))),
        "put_link_key" => ("/api/v1/links/acme-l/key".to_owned(), Some(json!({"api_key": "k2"}))),
        "get_link_check" => (format!("/api/v1/link-checks/{}", world.check), None),
        "get_link_settings" => ("/api/v1/links/acme-l/settings".to_owned(), None),
        "put_link_settings" => {
            ("/api/v1/links/acme-l/settings".to_owned(), Some(json!({"closing": {"kind": "monthly", "day": 5}})))
        }
        "list_protections" => ("/api/v1/links/acme-l/protections".to_owned(), None),
        "add_protection" => {
            let days = json!({"code": "P1", "from": "2026-03-01", "to": "2026-03-01"});
            ("/api/v1/links/acme-l/protections".to_owned(), Some(days))
        }
        "remove_protection" => ("/api/v1/links/acme-l/protections/1".to_owned(), None),
        "get_member_list" | "put_member_list" => ("/api/v1/crowdlog/members".to_owned(), None),
        "get_member_format" | "put_member_format" => {
            let format = json!({"encoding": "cp932"});
            ("/api/v1/crowdlog/format".to_owned(), (operation == "put_member_format").then_some(format))
        }
        "get_matching" => ("/api/v1/links/acme-l/matching".to_owned(), None),
        "get_run_matching" => ("/api/v1/runs/1/matching".to_owned(), None),
        "list_notes" => ("/api/v1/runs/1/notes".to_owned(), None),
        "make_test_file" => {
            let wish = json!({"code": "acme-1", "ordinary_day": "2026-03-09", "past_midnight_day": "2026-03-10"});
            ("/api/v1/links/acme-l/test-file".to_owned(), Some(wish))
        }
        "list_files" => ("/api/v1/links/acme-l/files".to_owned(), None),
        "download_file" => ("/api/v1/links/acme-l/files/1".to_owned(), None),
        "download_files" => ("/api/v1/links/acme-l/files.zip".to_owned(), None),
        "mark_file" => ("/api/v1/links/acme-l/files/1/mark".to_owned(), Some(json!({"refused_rows": []}))),
        "list_days" => ("/api/v1/links/acme-l/days".to_owned(), None),
        "day_history" => ("/api/v1/links/acme-l/history?code=acme-1&day=2026-03-01".to_owned(), None),
        "list_handwork" => ("/api/v1/links/acme-l/handwork".to_owned(), None),
        "download_handwork" => ("/api/v1/links/acme-l/handwork.csv".to_owned(), None),
        "tick_handwork" => ("/api/v1/links/acme-l/handwork/1/done".to_owned(), None),
        "get_link_options" => ("/api/v1/link-options".to_owned(), None),
        "start_run" => {
            let days = json!({"first_day": "2026-03-01", "last_day": "2026-03-02"});
            ("/api/v1/links/acme-l/runs".to_owned(), Some(days))
        }
        "get_run" => ("/api/v1/runs/1".to_owned(), None),
        "cancel_run" => (format!("/api/v1/runs/{}/cancel", world.run), None),
        "list_runs" => ("/api/v1/runs".to_owned(), None),
        "activate" | "pause" | "disconnect" | "verify" => (format!("{c}/{operation}"), None),
        "want_preview" => (format!("{c}/preview"), Some(json!({"of": "waiting"}))),
        "get_preview" => (format!("{c}/preview/{}", world.preview), None),
        "sync" => (format!("{c}/sync"), Some(json!({"preview": world.preview, "all": true}))),
        "decide_attention" => {
            let wish = json!({"connection": "acme-c", "code": "member.near_miss", "decision": "release", "all": true});
            ("/api/v1/attention/decide".to_owned(), Some(wish))
        }
        "import_employees" => (format!("{c}/employees/csv?employee_status=active&data_entry_state=completed"), None),
        "get_csv_columns" => (format!("{c}/csv-columns"), None),
        "put_csv_columns" => (format!("{c}/csv-columns"), Some(json!({"columns": {"社員コード": "employee_number"}}))),
        "list_employees" => ("/api/v1/employees".to_owned(), None),
        "get_employee" => (e.to_owned(), None),
        "forget_employee" => (e.to_owned(), None),
        "forget_code" => ("/api/v1/crowdlog/people/acme-1".to_owned(), None),
        "get_timeline" => (format!("{e}/timeline"), None),
        "want_dry_run" | "get_dry_run" => (format!("{e}/dry-run"), None),
        "list_activity" => ("/api/v1/activity".to_owned(), None),
        "list_attention" => ("/api/v1/attention".to_owned(), None),
        "retry_attention" => {
            ("/api/v1/attention/retry".to_owned(), Some(json!({"connection": "acme-c", "code": "kaonavi.rejected"})))
        }
        "dismiss_attention" => {
            ("/api/v1/attention/dismiss".to_owned(), Some(json!({"connection": "acme-c", "employees": ["rm_1"]})))
        }
        "list_tokens" => ("/api/v1/tokens".to_owned(), None),
        "create_token" => ("/api/v1/tokens".to_owned(), Some(json!({"name": "ci"}))),
        "revoke_token" => (format!("/api/v1/tokens/{}", world.spare), None),
        "list_audit" => ("/api/v1/audit".to_owned(), None),
        "get_system" => ("/api/v1/system".to_owned(), None),
        "get_budget" => (format!("/api/v1/accounts/{}/budget", world.account), None),
        _ => return None,
    };
    Some((path, body))
}

fn request(world: &World, method: &str, operation: &Value) -> Request {
    let id = operation["operationId"].as_str().unwrap();
    let (path, body) = sample(world, id).unwrap_or_else(|| panic!("{id} has no sample: no route goes untried"));
    let request = ask(&method.to_uppercase(), &path, body).set("if-match", "*");
    match id {
        "import_employees" => {
            Request { body: "社員番号,姓\nE0013,髙橋\n".into(), ..request }.set("content-type", "text/csv")
        }
        "put_member_list" => {
            Request { body: "社員コード,名前\nP1,髙橋\n".into(), ..request }.set("content-type", "text/csv")
        }
        _ => request,
    }
}

fn assert_done(operation: &Value, who: Who, answer: &Answer) {
    let listed = operation["responses"][answer.status.to_string()].is_object();
    assert!((200..300).contains(&answer.status) && listed, "{} by {who:?}: {answer:?}", operation["operationId"]);
}

#[actix_web::test]
async fn i9_every_route_answers_its_own_callers_and_nobody_else() {
    let document = committed();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let place = format!("{method} {path}");
            let id = operation["operationId"].as_str().unwrap();
            let world = World::for_operation(id).await;
            let call = |who| world.send(who, request(&world, method, operation));
            let mut refusals = Vec::new();
            for who in [Who::Nobody, Who::Garbage, Who::Expired, Who::Revoked] {
                let answer = call(who).await;
                assert_eq!((answer.status, problem(&answer).0.as_str()), (401, "api.unauthorized"), "{place}: {who:?}");
                assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{place}: {who:?}");
                refusals.push(answer.body);
            }
            assert!(refusals.iter().all(|body| *body == refusals[0]), "{place}: the cause of a 401 is told");
            let scope = operation["x-renkei-scope"].as_str().unwrap();
            if scope == "platform" {
                for who in [Who::Own, Who::Rival] {
                    let answer = call(who).await;
                    assert_eq!((answer.status, problem(&answer).0.as_str()), (403, "api.forbidden"), "{place}");
                }
                assert_done(operation, Who::Platform, &call(Who::Platform).await);
                continue;
            }
            as_a_tenant(&world, method, path, operation).await;
            if scope == "tenant" {
                let answer = call(Who::Platform).await;
                assert_eq!((answer.status, problem(&answer).0.as_str()), (400, "api.tenant_needed"), "{place}");
            } else {
                let fresh = World::for_operation(id).await;
                let answer = fresh.send(Who::Platform, request(&fresh, method, operation)).await;
                assert_done(operation, Who::Platform, &answer);
            }
            let fresh = World::for_operation(id).await;
            let who = Who::PlatformFor("acme");
            assert_done(operation, who, &fresh.send(who, request(&fresh, method, operation)).await);
        }
    }
}

/// The rival first, so that what it could have changed would be seen by the owner.
async fn as_a_tenant(world: &World, method: &str, path: &str, operation: &Value) {
    let place = format!("{method} {path}");
    let names_one = path.contains('{') || path.starts_with("/api/v1/attention/");
    let call = |who| world.send(who, request(world, method, operation));
    let changes = operation["operationId"].as_str().unwrap().starts_with("create_");
    if names_one {
        for who in [Who::Rival, Who::PlatformFor("rival")] {
            let answer = call(who).await;
            assert_eq!((answer.status, problem(&answer).0.as_str()), (404, "api.not_found"), "{place}: {who:?}");
        }
    } else if !changes {
        let answer = call(Who::Rival).await;
        assert_done(operation, Who::Rival, &answer);
        let text = String::from_utf8(answer.body).unwrap();
        assert!(!text.contains("acme"), "{place}: {text}");
    }
    let own = call(Who::Own).await;
    assert_done(operation, Who::Own, &own);
    let text = String::from_utf8_lossy(&own.body).into_owned();
    assert!(!text.contains("\"rival"), "{place}: {text}");
    for secret in [
        "consumer-key",
        "consumer-secret",
        "feed-token",
        "api-key",
        "8v46/oIk7o7wh8N0DCknsCeO",
        "k2\"",
        "花子",
        "1990-02-28",
    ] {
        assert!(!text.contains(secret), "{place} answers {secret}");
    }
}

#[actix_web::test]
async fn i9_a_filter_by_another_tenants_connection_finds_nothing() {
    let world = World::new().await;
    for list in ["employees", "activity", "attention"] {
        let path = format!("/api/v1/{list}?connection=rival-c");
        assert_eq!(problem(&world.get(&path).await).0, "api.not_found", "{list}");
    }
    let named = world.send(Who::Own, ask("GET", "/api/v1/connections", None).set("renkei-tenant", "rival")).await;
    assert_eq!((named.status, problem(&named).0.as_str()), (403, "api.forbidden"));
    let taken = json!({"id": "rival-c", "source": "roumumate"});
    let answer = world.send(Who::Own, ask("POST", "/api/v1/connections", Some(taken))).await;
    assert_eq!(answer.status, 409);
    let kept = world.send(Who::Rival, ask("GET", "/api/v1/connections/rival-c", None)).await;
    assert_eq!(kept.json()["settings_version"], 1);
}

/// Its own thing in the path does not open another's below it.
#[actix_web::test]
async fn i9_an_id_of_another_tenant_below_ones_own_is_nothing() {
    let document = committed();
    let mut tried = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let nested = path.matches('{').count() == 2 && (path.contains("/connections/") || path.contains("/links/"));
        for (method, operation) in operations.as_object().unwrap().iter().filter(|_| nested) {
            let id = operation["operationId"].as_str().unwrap();
            // Secrets have ids that each connection gives itself.
            if id == "delete_webhook_secret" {
                continue;
            }
            let world = World::for_operation(id).await;
            let mut theirs = request(&world, method, operation);
            theirs.path = theirs.path.replace("acme-c", "rival-c").replace("acme-l", "rival-l");
            let answer = world.send(Who::Rival, theirs).await;
            assert_eq!((answer.status, problem(&answer).0.as_str()), (404, "api.not_found"), "{method} {path}");
            tried += 1;
        }
    }
    assert!(tried >= 5, "{tried}");
}
