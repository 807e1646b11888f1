//! What is sent wrongly is refused with a code and the place, and changes nothing.

use renkei_ingest::settings::LARGEST_BODY;
use serde_json::{Value, json};

use super::document::committed;
use super::world::{Who, World, ask, problem};
use crate::support::client::Request;

const CONNECTION: &str = "/api/v1/connections/acme-c";

#[actix_web::test]
async fn bad_bodies_are_refused_with_code_and_pointer() {
    let all = ["attendance_on", "leave_on", "no_attendance_management", "builtin_sync_off"];
    let link = |source: &str, company: &str, stated: &[&str]| json!({"id": "new", "name": "新", "source": source, "company": company, "api_key": "k2", "stated": stated});
    let world = World::new().await;
    let cases = [
        ("PATCH", CONNECTION, json!({"nmae": "x"}), 400, "api.unknown_field", "/nmae"),
        ("PATCH", CONNECTION, json!({"batch_size": "many"}), 400, "api.wrong_type", "/batch_size"),
        ("PATCH", CONNECTION, json!({"batch_size": 0}), 400, "api.invalid_value", "/batch_size"),
        ("PATCH", CONNECTION, json!({"recipients": ["a@b.example", "no"]}), 400, "api.invalid_value", "/recipients/1"),
        ("PATCH", CONNECTION, json!({"name": ""}), 400, "api.invalid_value", "/name"),
        ("PATCH", CONNECTION, json!({"timing": "never"}), 400, "api.invalid_value", "/timing"),
        ("PATCH", CONNECTION, json!([1]), 400, "api.wrong_type", ""),
        (
            "PUT",
            "/api/v1/connections/acme-c/filter",
            json!({"hire_date": {"on_or_aftr": null}}),
            400,
            "api.unknown_field",
            "/hire_date/on_or_aftr",
        ),
        (
            "PUT",
            "/api/v1/connections/acme-c/filter",
            json!({"statuses": ["active", 1]}),
            400,
            "api.wrong_type",
            "/statuses/1",
        ),
        ("PUT", "/api/v1/connections/acme-c/mapping", json!({"name_joiner": ""}), 400, "api.invalid_value", "/gender"),
        (
            "PUT",
            "/api/v1/connections/acme-c/credentials",
            json!({"consumer_key": "k"}),
            400,
            "api.invalid_value",
            "/consumer_secret",
        ),
        (
            "PUT",
            "/api/v1/connections/acme-c/credentials",
            json!({"consumer_key": "k", "consumer_secret": "s", "base_url": "https://evil.example/api"}),
            400,
            "api.invalid_value",
            "/base_url",
        ),
        (
            "PUT",
            "/api/v1/connections/acme-c/webhook-secrets",
            json!({"id": "2", "secret": "short"}),
            400,
            "api.invalid_value",
            "/secret",
        ),
        ("POST", "/api/v1/connections", json!({"id": "a b", "source": "roumumate"}), 400, "api.invalid_value", "/id"),
        ("POST", "/api/v1/connections", json!({"id": "ab", "source": "x"}), 400, "api.invalid_value", "/source"),
        ("POST", "/api/v1/links", link("jobcan", "", &all), 400, "api.invalid_value", "/source"),
        ("POST", "/api/v1/links", link("hrmos", "", &all), 400, "api.invalid_value", "/company"),
        ("POST", "/api/v1/links", link("kingoftime", "acme", &all), 400, "api.invalid_value", "/company"),
        ("POST", "/api/v1/links", link("kingoftime", "", &all[1..]), 400, "api.invalid_value", "/stated"),
        ("POST", "/api/v1/tokens", json!({"name": "x", "expires": "yesterday"}), 400, "api.invalid_value", "/expires"),
        (
            "POST",
            "/api/v1/tokens",
            json!({"name": "x", "expires": "2001-01-01T00:00:00Z"}),
            400,
            "api.invalid_value",
            "/expires",
        ),
        (
            "POST",
            "/api/v1/attention/retry",
            json!({"connection": "acme-c", "code": "nonsense"}),
            400,
            "api.invalid_value",
            "/code",
        ),
        // Nobody is meant by leaving out who is meant.
        ("POST", "/api/v1/attention/retry", json!({"connection": "acme-c"}), 400, "api.invalid_value", "/employees"),
        (
            "POST",
            "/api/v1/attention/dismiss",
            json!({"connection": "acme-c", "all": true, "code": "kaonavi.rejected"}),
            400,
            "api.invalid_value",
            "/all",
        ),
        // What would do nothing is said to.
        ("POST", "/api/v1/connections/acme-c/pause", json!({"force": true}), 400, "api.invalid_value", ""),
        ("POST", "/api/v1/connections/acme-c/verify?now=1", json!({}), 400, "api.unknown_field", "/now"),
        ("GET", "/api/v1/connections/acme-c?reveal=true", json!({}), 400, "api.unknown_field", "/reveal"),
    ];
    for (method, path, body, status, code, pointer) in cases {
        let answer = world.send(Who::Own, ask(method, path, Some(body.clone())).set("if-match", "\"1\"")).await;
        let found = problem(&answer);
        assert_eq!(
            (answer.status, found.0.as_str(), found.1.as_deref()),
            (status, code, Some(pointer)),
            "{body}: {answer:?}"
        );
    }
    assert_eq!(world.get(CONNECTION).await.json()["settings_version"], 1, "nothing was changed");
    // A token says by itself which company it is.
    for source in ["kingoftime", "kinkakuji"] {
        let answer = world.send(Who::Own, ask("POST", "/api/v1/links", Some(link(source, "", &all)))).await;
        assert_eq!((answer.status, answer.json()["state"].as_str()), (202, Some("wanted")), "{source}: {answer:?}");
    }
}

#[actix_web::test]
async fn what_is_no_plain_json_is_refused() {
    let world = World::new().await;
    let patch = || ask("PATCH", CONNECTION, Some(json!({}))).set("if-match", "\"1\"");
    let mut broken = patch();
    broken.body = b"{\"name\": ".to_vec();
    let mut large = patch();
    large.body = vec![b' '; 2 * 1024 * 1024];
    let mut trailing = patch();
    trailing.body = b"{} {}".to_vec();
    // Blanks count, and the last byte that is allowed is.
    let sized = |length: usize| {
        let mut request = patch();
        request.body.resize(length, b' ');
        request
    };
    for request in [sized(LARGEST_BODY), sized(LARGEST_BODY).chunked()] {
        assert_eq!(world.send(Who::Own, request).await.status, 200);
    }
    let list =
        Request { body: "社員コード,名前\nP1,髙橋\n".into(), ..ask("PUT", "/api/v1/crowdlog/members", None) }
            .set("content-type", "text/csv")
            .set("content-length", "33554433");
    let cases = [
        (sized(LARGEST_BODY + 1), 413, "api.body_too_large"),
        (sized(LARGEST_BODY + 1).chunked(), 413, "api.body_too_large"),
        (list, 413, "csv.too_large"),
        (broken, 400, "api.not_json"),
        (trailing, 400, "api.not_json"),
        (large.clone(), 413, "api.body_too_large"),
        (large.chunked(), 413, "api.body_too_large"),
        (patch().set("content-type", "text/plain"), 415, "api.media_type"),
        (patch().without("content-type"), 415, "api.media_type"),
        (patch().set("content-encoding", "gzip"), 415, "api.media_type"),
    ];
    for (request, status, code) in cases {
        let answer = world.send(Who::Own, request).await;
        // It is the body as a whole, so there is no place in it to point to.
        assert_eq!((answer.status, problem(&answer)), (status, (code.to_owned(), None)), "{answer:?}");
    }
}

/// Somebody reads in the evening and saves in the morning; somebody else has saved meanwhile.
#[actix_web::test]
async fn whoever_saves_with_the_etag_of_yesterday_is_refused_and_changes_nothing() {
    let connection = |part: &str| format!("{CONNECTION}{part}");
    let link = |part: &str| format!("/api/v1/links/acme-l{part}");
    let mapping = |joiner: &str| {
        json!({"name_joiner": joiner, "gender": {"女性": null}, "mail": false, "retired_date": false,
            "departments": null, "custom": {}, "constants": {}, "clear_when_empty": [],
            "hiragana_to_katakana": false})
    };
    let columns = |name: &str| json!({"columns": {name: "employee_number"}});
    let closing = |day: u8| json!({"closing": {"kind": "monthly", "day": day}});
    let code = |name: &str| json!({"headers": {"code": name}});
    let cases: Vec<(&str, String, [Value; 2])> = vec![
        ("PATCH", connection(""), [json!({"name": "今日"}), json!({"name": "昨日"})]),
        ("PUT", connection("/mapping"), [mapping(""), mapping("・")]),
        ("PUT", connection("/filter"), [json!({"statuses": ["active"]}), json!({"statuses": []})]),
        ("PUT", connection("/csv-columns"), [columns("社員コード"), columns("職員コード")]),
        ("PATCH", link(""), [json!({"auto": false}), json!({"auto": true})]),
        ("PUT", link("/settings"), [closing(5), closing(10)]),
        ("PUT", "/api/v1/crowdlog/format".to_owned(), [code("社員No"), code("番号")]),
    ];
    let document = committed();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let needs = |operation: &&Value| {
        let parameters = operation["parameters"].as_array();
        parameters.is_some_and(|all| all.iter().any(|parameter| parameter["name"] == "If-Match"))
    };
    assert_eq!(operations.filter(needs).count(), cases.len(), "no route that takes an ETag goes untried");
    let world = World::new().await;
    for (method, path, [today, yesterday]) in cases {
        let tag = async || world.get(&path).await.header("etag").unwrap().to_owned();
        let old = tag().await;
        let first = ask(method, &path, Some(today)).set("if-match", old.clone());
        assert_eq!(world.send(Who::Own, first).await.status, 200, "{path}");
        let (kept, done) = (tag().await, world.audited().await);
        assert_ne!(kept, old, "{path}");
        let late = world.send(Who::Own, ask(method, &path, Some(yesterday.clone())).set("if-match", old)).await;
        let failed = ("api.precondition_failed".to_owned(), None);
        assert_eq!((late.status, problem(&late)), (412, failed), "{path}");
        let without = world.send(Who::Own, ask(method, &path, Some(yesterday.clone()))).await;
        let required = ("api.precondition_required".to_owned(), None);
        assert_eq!((without.status, problem(&without)), (428, required), "{path}");
        assert_eq!((tag().await, world.audited().await), (kept.clone(), done), "{path}: nothing was done");
        // Read again, it is saved.
        let again = world.send(Who::Own, ask(method, &path, Some(yesterday)).set("if-match", kept)).await;
        assert_eq!(again.status, 200, "{path}: {again:?}");
    }
}

#[actix_web::test]
async fn bad_queries_and_invented_cursors_are_refused() {
    let world = World::new().await;
    let cases = [
        ("employees?limit=0", "api.invalid_value", "/limit"),
        ("employees?limit=201", "api.invalid_value", "/limit"),
        ("employees?limit=many", "api.invalid_value", "/limit"),
        ("employees?limt=1", "api.unknown_field", "/limt"),
        ("employees?limit=1&limit=2", "api.invalid_value", "/limit"),
        ("employees?state=asleep", "api.invalid_value", "/state"),
        ("employees?number=%00", "api.invalid_value", "/number"),
        ("attention?reveal=1", "api.invalid_value", "/reveal"),
        ("activity?code=Member.near_miss", "api.invalid_value", "/code"),
        ("activity?code=", "api.invalid_value", "/code"),
        ("activity?code=member.near_miss&code=member.gone", "api.invalid_value", "/code"),
        ("activity?cursor=eyJwIjoiMSIsIm0iOiIxIn0", "api.cursor_invalid", "/cursor"),
        ("activity?cursor=%F0%9F%98%80", "api.cursor_invalid", "/cursor"),
    ];
    for (query, code, pointer) in cases {
        let answer = world.get(&format!("/api/v1/{query}")).await;
        let found = problem(&answer);
        assert_eq!((answer.status, found.0.as_str(), found.1.as_deref()), (400, code, Some(pointer)), "{query}");
    }
}

#[actix_web::test]
async fn other_paths_and_methods_are_refused_as_problems() {
    let world = World::new().await;
    for path in ["/api/v1/nothing", "/api/nothing", "/api/v1/connections/%00", "/api/v1/connections/none"] {
        assert_eq!(problem(&world.get(path).await).0, "api.not_found", "{path}");
    }
    let answer = world.send(Who::Own, ask("DELETE", "/api/v1/connections", None)).await;
    assert_eq!((answer.status, problem(&answer).0.as_str()), (405, "api.method_not_allowed"));
    assert_eq!(answer.header("allow"), Some("GET, POST"));
    let answer = world.send(Who::Nobody, ask("GET", "/api/v1/nothing", None)).await;
    assert_eq!(answer.status, 401, "who has no token learns no paths");
}

#[actix_web::test]
async fn a_cursor_is_good_for_its_list_and_its_tenant_only() {
    let world = World::new().await;
    for id in ["acme-d", "acme-e"] {
        let body = json!({"id": id, "source": "roumumate"});
        assert_eq!(world.send(Who::Own, ask("POST", "/api/v1/connections", Some(body))).await.status, 201);
    }
    let (mut seen, mut path) = (Vec::new(), "/api/v1/connections?limit=1".to_owned());
    let mut cursor = String::new();
    loop {
        let page = world.get(&path).await.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = next.to_owned();
        path = format!("/api/v1/connections?limit=1&cursor={next}");
    }
    assert_eq!(seen, ["acme-c", "acme-d", "acme-e"]);
    let elsewhere = world.get(&format!("/api/v1/tokens?cursor={cursor}")).await;
    assert_eq!(problem(&elsewhere).0, "api.cursor_invalid");
    let path = format!("/api/v1/connections?cursor={cursor}");
    let other = world.send(Who::Rival, ask("GET", &path, None)).await;
    assert_eq!(problem(&other).0, "api.cursor_invalid");
}
