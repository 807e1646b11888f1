//! What people do with the API, one step after the other.

use std::collections::BTreeMap;

use renkei_store::db::Sql as _;
use renkei_store::employees::{self, EmployeeKey, RowState};
use renkei_store::previews::{self, Item, Shown};
use renkei_store::{accounts, connections};
use serde_json::{Value, json};

use super::world::{MESSAGE, Who, World, ask, problem};
use crate::support::client::Answer;

const CONNECTION: &str = "/api/v1/connections/acme-c";

#[actix_web::test]
async fn a_change_needs_the_etag_of_now() {
    let world = World::new().await;
    let read = world.get(CONNECTION).await;
    assert_eq!(read.header("etag"), Some("\"1\""));
    let patch = || ask("PATCH", CONNECTION, Some(json!({"name": "新しい名前"})));
    let without = world.send(Who::Own, patch()).await;
    assert_eq!((without.status, problem(&without).0.as_str()), (428, "api.precondition_required"));
    let done = world.send(Who::Own, patch().set("if-match", "\"1\"")).await;
    assert_eq!((done.status, done.header("etag")), (200, Some("\"2\"")), "a new name is a new version");
    assert_eq!(done.json()["name"], "新しい名前");
    let put = |tag: &str| {
        ask("PUT", &format!("{CONNECTION}/filter"), Some(json!({"statuses": ["active"]}))).set("if-match", tag)
    };
    let old = world.send(Who::Own, put("\"1\"")).await;
    assert_eq!((old.status, problem(&old).0.as_str()), (412, "api.precondition_failed"));
    let new = world.send(Who::Own, put("\"2\"")).await;
    assert_eq!((new.status, new.header("etag")), (200, Some("\"3\"")));
    let mapping = world.get(&format!("{CONNECTION}/mapping")).await;
    assert_eq!(mapping.header("etag"), Some("\"3\""), "one version for all views");
    let same = world
        .send(Who::Own, ask("PUT", &format!("{CONNECTION}/mapping"), Some(mapping.json())).set("if-match", "\"3\""));
    assert_eq!(same.await.header("etag"), Some("\"3\""), "what is read can be written, and changes nothing");
}

#[actix_web::test]
async fn revealing_is_asked_for_and_audited() {
    let world = World::new().await;
    for (path, action, value) in [
        ("/api/v1/attention", "attention.reveal", MESSAGE),
        ("/api/v1/employees/acme-c/rm_1/timeline", "timeline.reveal", "髙橋 花子"),
    ] {
        let masked = String::from_utf8(world.get(path).await.body).unwrap();
        assert!(masked.contains("•••") && !masked.contains("髙橋"), "{masked}");
        assert!(!world.audited().await.contains(&action.to_owned()));
        let shown = String::from_utf8(world.get(&format!("{path}?reveal=true")).await.body).unwrap();
        assert!(shown.contains(value), "{shown}");
        assert_eq!(world.audited().await[0], action);
    }
    let attention = world.get("/api/v1/attention?code=kaonavi.rejected").await.json();
    let item = &attention["items"][0];
    assert_eq!((&item["number"], &item["remedy"]), (&json!("E0012"), &json!("/docs/errors/kaonavi.rejected")));
    let record = world.get("/api/v1/employees/acme-c/rm_1").await.json()["record"].clone();
    assert_eq!((&record["last_name"], &record["employee_number"]), (&json!("•••"), &json!("E0012")));
}

#[actix_web::test]
async fn a_connection_is_switched_on_when_nothing_is_missing() {
    let world = World::new().await;
    let body = json!({"id": "acme-d", "source": "roumumate"});
    assert_eq!(world.send(Who::Own, ask("POST", "/api/v1/connections", Some(body))).await.status, 201);
    let activate = || ask("POST", "/api/v1/connections/acme-d/activate", None);
    let refused = world.send(Who::Own, activate()).await;
    assert_eq!((refused.status, problem(&refused).0.as_str()), (409, "api.conflict"));
    assert_eq!(refused.json()["missing"], json!(["credentials", "webhook_secret"]));

    let path = "/api/v1/connections/acme-d/webhook-secrets";
    let made = world.send(Who::Own, ask("PUT", path, Some(json!({"id": "1"})))).await;
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let made = made.json();
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let listed = world.get(path).await.json();
    assert_eq!(listed, json!({"items": [{"id": "1", "expires": null}]}), "it is shown once");
    let keys = json!({"consumer_key": "key-d", "consumer_secret": "secret-d"});
    let set = world.send(Who::Own, ask("PUT", "/api/v1/connections/acme-d/credentials", Some(keys))).await;
    assert_eq!(set.status, 200, "{set:?}");
    let wanted = world.send(Who::Own, activate()).await;
    assert_eq!(wanted.status, 202);
    assert!(wanted.json()["wanted"].is_string() && wanted.json()["state"] == "draft", "a worker switches it on");
    let stored = connections::get(&world.store, &world.store.db, "acme-d").await.unwrap();
    assert!(stored.wanted.is_some());
}

#[actix_web::test]
async fn pause_disconnect_and_verify_leave_their_marks_in_the_store() {
    let world = World::new().await;
    let post = |action: &str| world.send(Who::Own, ask("POST", &format!("{CONNECTION}/{action}"), None));
    let verified = post("verify").await;
    assert_eq!(verified.status, 202);
    assert!(verified.json()["wanted"].is_string() && verified.json()["result"] == Value::Null);
    let stored = connections::get(&world.store, &world.store.db, "acme-c").await.unwrap();
    assert!(stored.verify_wanted.is_some());
    assert_eq!(post("pause").await.json()["state"], "paused");
    assert_eq!(post("disconnect").await.json()["state"], "disconnected");
    let (_, credentials) = accounts::credentials(&world.store, &world.store.db, &world.account).await.unwrap().unwrap();
    assert!(credentials.is_none(), "credentials are deleted");
    for action in ["activate", "pause", "verify"] {
        let answer = post(action).await;
        assert_eq!((answer.status, problem(&answer).0.as_str()), (409, "api.conflict"), "{action}");
    }
    let audited = world.audited().await;
    assert_eq!(audited, ["connection.disconnect", "connection.pause", "connection.verify"]);
}

#[actix_web::test]
async fn a_key_of_another_tenant_is_not_taken_over() {
    let world = World::new().await;
    let path = format!("{CONNECTION}/credentials");
    let stolen = json!({"consumer_key": "consumer-key-rival", "consumer_secret": "another"});
    let answer = world.send(Who::Own, ask("PUT", &path, Some(stolen))).await;
    assert_eq!((answer.status, problem(&answer).0.as_str()), (409, "api.conflict"));
    let shared = json!({"consumer_key": "consumer-key-rival", "consumer_secret": "consumer-secret-rival"});
    let answer = world.send(Who::Own, ask("PUT", &path, Some(shared))).await;
    assert_eq!(answer.status, 200, "companies may share an account whose keys both know");
    let account = answer.json()["account"].as_str().unwrap().to_owned();
    let tx = world.store.begin().await.unwrap();
    let now = world.store.now_in(&tx).await.unwrap();
    let batch = json!([{"c": "rival-c", "e": "rm_1", "n": "E0012", "v": 1}]).to_string();
    let sql = "INSERT INTO batches (account_id, batch_id, kind, repair, state, members, payload, epoch, planned_ms, gives_up_ms,
        next_look_ms) VALUES ($1, 7, 'create', 0, 'planned', $2, $3, 1, 0, 0, 0)";
    tx.exec(sql, vec![account.clone().into(), batch.into(), Vec::<u8>::new().into()]).await.unwrap();
    let kind = renkei_store::calls::CallKind::Create;
    let frees = now + std::time::Duration::from_secs(60);
    renkei_store::calls::reserve(&tx, &account, kind, Some(7), now, frees).await.unwrap();
    tx.commit().await.unwrap();
    let budget = world.get(&format!("/api/v1/accounts/{account}/budget")).await.json();
    assert_eq!(budget["taken"][0]["connections"], json!(["other"]), "{budget}");
    assert_eq!((&budget["calls_last_hour"]["create"], &budget["connections"]), (&json!(1), &json!(["acme-c"])));
    assert_eq!((&budget["reads_used"], &budget["reads"]), (&json!(0), &json!(200)));
    assert_eq!(
        (&budget["blocked"], &budget["token"], &budget["updates_wait_for"]),
        (&json!(null), &json!(null), &json!(null))
    );
    let time = |value: &Value| value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).unwrap();
    assert!(time(&budget["next_create"]) <= time(&budget["taken"][0]["frees"]), "{budget}");
    assert!(time(&budget["next_update"]) <= time(&budget["taken"][0]["frees"]), "{budget}");

    // Delivery has written down that another system takes the slots, and that the hour's tokens are used up.
    let until = now + std::time::Duration::from_secs(600);
    let doc = json!({"blocked_until": until, "blocked_by": "kaonavi.slots_taken_elsewhere",
        "token_blocked_until": until, "token_blocked_by": "kaonavi.tokens_used_up", "last_post": now});
    let sql = "UPDATE accounts SET doc = $1, token_expires_ms = 0 WHERE account_id = $2";
    world.store.db.exec(sql, vec![doc.to_string().into(), account.clone().into()]).await.unwrap();
    let sql = "UPDATE employees SET state = 'due', op = 'update', next_try_ms = 0 WHERE connection_id = 'acme-c'";
    world.store.db.exec(sql, vec![]).await.unwrap();
    let sql = "UPDATE connections SET state = 'active' WHERE connection_id = 'acme-c'";
    world.store.db.exec(sql, vec![]).await.unwrap();
    let budget = world.get(&format!("/api/v1/accounts/{account}/budget")).await.json();
    assert_eq!(budget["blocked"]["code"], "kaonavi.slots_taken_elsewhere", "{budget}");
    assert_eq!(budget["token"]["code"], "kaonavi.tokens_used_up");
    for time_of in
        [&budget["next_create"], &budget["next_update"], &budget["blocked"]["until"], &budget["token"]["until"]]
    {
        assert_eq!(time(time_of), until.timestamp());
    }
    assert_eq!(budget["updates_wait_for"], "token");
}

#[actix_web::test]
async fn whoever_makes_a_connection_with_a_token_named_by_a_mail_address_is_known_as_its_creator() {
    let world = World::new().await;
    for (id, name, maker) in
        [("made-1", "jinji@acme.example.jp", Some("jinji@acme.example.jp")), ("made-2", "人事", None)]
    {
        world.store.db.exec("UPDATE api_tokens SET name = $1", vec![name.into()]).await.unwrap();
        let body = json!({"id": id, "source": "roumumate"});
        assert_eq!(world.send(Who::Own, ask("POST", "/api/v1/connections", Some(body))).await.status, 201);
        let made = renkei_store::connections::get(&world.store, &world.store.db, id).await.unwrap();
        assert_eq!(made.created_by.as_deref(), maker, "{name}");
    }
}

#[actix_web::test]
async fn what_happens_when_a_record_is_rejected_is_set_over_the_api() {
    let world = World::new().await;
    let path = "/api/v1/connections/acme-c";
    assert_eq!(world.get(path).await.json()["on_rejected"], "park");
    for (wanted, status) in [("halt", 200), ("nonsense", 400), ("park", 200), ("halt", 200)] {
        let patch = ask("PATCH", path, Some(json!({"on_rejected": wanted}))).set("if-match", "*");
        let answer = world.send(Who::Own, patch).await;
        assert_eq!(answer.status, status, "{wanted}: {:?}", answer.json());
    }
    let own = renkei_store::connections::get(&world.store, &world.store.db, "acme-c").await.unwrap();
    assert_eq!(own.settings.on_rejected, renkei_store::settings::OnRejected::Halt);
}

#[actix_web::test]
async fn retry_and_dismiss_move_people_and_are_audited() {
    let world = World::new().await;
    let state = || async { world.get("/api/v1/employees/acme-c/rm_1").await.json()["state"].clone() };
    let post = |action: &str, body: Value| {
        world.send(Who::Own, ask("POST", &format!("/api/v1/attention/{action}"), Some(body)))
    };
    let none = post("retry", json!({"connection": "acme-c", "code": "mapping.too_long"})).await;
    assert_eq!(none.json()["changed"], 0);
    let done = post("dismiss", json!({"connection": "acme-c", "code": "kaonavi.rejected"})).await;
    assert_eq!((done.json()["changed"].clone(), state().await), (json!(1), json!("skipped")));
    let again = post("retry", json!({"connection": "acme-c", "all": true})).await;
    assert_eq!(again.json()["changed"], 0, "what was dismissed needs nobody any more");
    let system = world.get("/api/v1/system").await.json();
    assert_eq!(system["people"]["skipped"], 1);
    assert_eq!(world.audited().await[1], "attention.dismiss");
    post("retry", json!({"connection": "acme-c", "employees": ["rm_1"]})).await;
    let audit = world.get("/api/v1/audit").await.json();
    let details: Vec<&str> =
        audit["items"].as_array().unwrap().iter().take(4).map(|it| it["detail"].as_str().unwrap()).collect();
    let expected = ["named: 0 people", "all: 0 people", "kaonavi.rejected: 1 people", "mapping.too_long: 0 people"];
    assert_eq!(details, expected, "what was done to how many");
    let timeline = world.get("/api/v1/employees/acme-c/rm_1/timeline").await.json();
    assert_eq!(timeline["items"][0]["kind"], "dismissed");
}

#[actix_web::test]
async fn one_token_may_call_so_often_and_others_go_on() {
    let world = World::new().await;
    let mut limited = None;
    for _ in 0..110 {
        let answer = world.send_at_once(Who::Own, ask("GET", "/api/v1/system", None)).await;
        if answer.status != 200 {
            limited = Some(answer);
            break;
        }
    }
    let limited = limited.expect("a limit");
    assert_eq!((limited.status, problem(&limited).0.as_str()), (429, "api.rate_limited"));
    assert_eq!(limited.header("retry-after"), Some("1"));
    assert_eq!(world.send_at_once(Who::Rival, ask("GET", "/api/v1/system", None)).await.status, 200);
}

#[actix_web::test]
async fn a_made_token_works_until_it_is_revoked() {
    let world = World::new().await;
    let made = world.send(Who::Own, ask("POST", "/api/v1/tokens", Some(json!({"name": "ci"})))).await.json();
    let token = made["token"].as_str().unwrap().to_owned();
    let with = || ask("GET", "/api/v1/connections", None).set("authorization", format!("Bearer {token}"));
    assert_eq!(world.serving.send(&with()).await.status, 200);
    let listed = String::from_utf8(world.get("/api/v1/tokens").await.body).unwrap();
    assert!(!listed.contains(&token[4..]), "the token is shown once");
    let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(world.send(Who::Own, ask("DELETE", &path, None)).await.status, 204);
    assert_eq!(world.serving.send(&with()).await.status, 401);
}

#[actix_web::test]
async fn without_the_store_it_is_our_fault() {
    let world = World::new().await;
    world.store.db.close().await;
    let answer = world.get("/api/v1/connections").await;
    assert_eq!((answer.status, problem(&answer).0.as_str()), (503, "api.unavailable"));
    assert_eq!(answer.header("retry-after"), Some("5"));
}

#[actix_web::test]
async fn a_preview_is_asked_for_looked_at_and_confirmed() {
    let world = World::new().await;
    let wish = |body: Value| ask("POST", &format!("{CONNECTION}/preview"), Some(body));
    for (body, pointer) in [
        (json!({"of": "people"}), "/employees"),
        (json!({"of": "people", "employees": []}), "/employees"),
        (json!({"of": "waiting", "employees": ["rm_1"]}), "/employees"),
        (json!({"of": "people", "employees": ["rm_1"], "after": "rm_1"}), "/after"),
        (json!({"of": "first_load", "after": "rm\u{7}"}), "/after"),
        (json!({"of": "everybody"}), "/of"),
    ] {
        let refused = world.send(Who::Own, wish(body.clone())).await;
        assert_eq!((refused.status, refused.json()["pointer"].as_str()), (400, Some(pointer)), "{body}");
    }
    let wanted = world.send(Who::Own, wish(json!({"of": "first_load"}))).await;
    assert_eq!((wanted.status, wanted.json()["state"].as_str()), (202, Some("wanted")));
    let sync = |body: Value| ask("POST", &format!("{CONNECTION}/sync"), Some(body));
    let early = world.send(Who::Own, sync(json!({"preview": wanted.json()["id"], "all": true}))).await;
    assert_eq!(early.status, 409, "nobody made it yet");

    let path = format!("{CONNECTION}/preview/{}", world.preview);
    let masked = world.get(&path).await.json();
    assert_eq!((&masked["state"], &masked["counts"]), (&json!("ready"), &json!({"create": 1})));
    assert_eq!(masked["items"][0]["fields"]["name"], json!({"old": null, "new": "•••"}));
    let shown = world.get(&format!("{path}?reveal=true")).await.json();
    assert_eq!(shown["items"][0]["fields"]["name"]["new"], "髙橋 花子");
    assert_eq!(world.audited().await[0], "preview.reveal");

    let unclear = world.send(Who::Own, sync(json!({"preview": world.preview}))).await;
    assert_eq!(unclear.status, 400, "everybody or some, and said so");
    let done = world.send(Who::Own, sync(json!({"preview": world.preview, "employees": ["rm_1"]}))).await;
    assert_eq!((done.status, done.json()), (200, json!({"changed": 1})));
    let row = world.get("/api/v1/employees/acme-c/rm_1").await.json();
    assert_eq!((&row["state"], &row["op"]), (&json!("due"), &json!("create")));
}

#[actix_web::test]
async fn a_full_preview_says_after_whom_another_goes_on() {
    let world = World::new().await;
    let connection = connections::get(&world.store, &world.store.db, "acme-c").await.unwrap();
    let item = |index: usize| Item {
        employee: format!("rm_{index:05}"),
        number: None,
        content: "x".to_owned(),
        action: "skip".to_owned(),
        code: None,
        fields: BTreeMap::new(),
    };
    for (count, rest_after) in [(previews::MOST - 1, Value::Null), (previews::MOST, json!("rm_20000"))] {
        let preview = previews::want(&world.store, &connection, &Shown::FirstLoad, "test").await.unwrap();
        let items: Vec<Item> = (1..=count).map(item).collect();
        let tx = world.store.begin().await.unwrap();
        previews::answer(&world.store, &tx, &preview, connection.settings_version, &items).await.unwrap();
        tx.commit().await.unwrap();
        let shown = world.get(&format!("{CONNECTION}/preview/{}?limit=1", preview.id)).await.json();
        assert_eq!((&shown["counts"], &shown["rest_after"]), (&json!({"skip": count}), &rest_after));
    }
    let more = json!({"of": "first_load", "after": "rm_20000"});
    let wanted = world.send(Who::Own, ask("POST", &format!("{CONNECTION}/preview"), Some(more))).await;
    assert_eq!((wanted.status, wanted.json()["state"].as_str()), (202, Some("wanted")));
}

#[actix_web::test]
async fn a_decision_fits_what_the_people_wait_for() {
    let world = World::new().await;
    let sql =
        "UPDATE employees SET state = 'held', reason = 'delivery.brake', declined = 'x' WHERE connection_id = 'acme-c'";
    world.store.db.exec(sql, vec![]).await.unwrap();
    let decide = |code: &str, decision: &str, who: Value| {
        let mut body = json!({"connection": "acme-c", "code": code, "decision": decision});
        for (key, value) in who.as_object().unwrap() {
            body[key] = value.clone();
        }
        ask("POST", "/api/v1/attention/decide", Some(body))
    };
    for (code, decision, who, pointer) in [
        ("delivery.brake", "take_over", json!({"all": true}), "/decision"),
        ("delivery.brake", "nonsense", json!({"all": true}), "/decision"),
        ("kaonavi.rejected", "release", json!({"all": true}), "/code"),
        ("no.code", "release", json!({"all": true}), "/code"),
        ("delivery.brake", "release", json!({}), "/employees"),
        ("delivery.brake", "release", json!({"all": true, "employees": ["rm_1"]}), "/employees"),
    ] {
        let refused = world.send(Who::Own, decide(code, decision, who)).await;
        assert_eq!((refused.status, refused.json()["pointer"].as_str()), (400, Some(pointer)), "{code} {decision}");
    }
    let declined = world.send(Who::Own, decide("delivery.brake", "decline", json!({"employees": ["rm_1"]}))).await;
    assert_eq!((declined.status, declined.json()), (200, json!({"changed": 1})));
    let row = world.get("/api/v1/employees/acme-c/rm_1").await.json();
    assert_eq!((&row["state"], &row["reason"]), (&json!("skipped"), &json!("delivery.declined")));
    let released = world.send(Who::Own, decide("delivery.declined", "release", json!({"all": true}))).await;
    assert_eq!(released.json(), json!({"changed": 1}));
    assert_eq!(world.get("/api/v1/employees/acme-c/rm_1").await.json()["state"], "due");
    assert_eq!(world.audited().await[..2], ["attention.release", "attention.decline"]);
    let audit = world.get("/api/v1/audit").await.json();
    assert_eq!(audit["items"][0]["detail"], "delivery.declined: 1 people");
}

/// Companies may share an account; none takes over the members of another.
#[actix_web::test]
async fn i9_a_member_of_another_tenant_on_a_shared_account_is_not_taken_over() {
    let world = World::new().await;
    let store = &world.store;
    let sql = |text: String| async move { store.db.exec(&text, vec![]).await.unwrap() };
    sql(format!("UPDATE connections SET account_id = '{}' WHERE connection_id = 'rival-c'", world.account)).await;
    sql("UPDATE employees SET reason = 'member.owned_elsewhere' WHERE connection_id = 'acme-c'".to_owned()).await;
    let columns = "account_id, code, near, present, hashes, read_ms, owner_connection, owner_employee";
    sql(format!(
        "INSERT INTO codes ({columns}) VALUES ('{}', 'E0012', 'e12', 1, '[]', 0, 'rival-c', 'rm_9')",
        world.account
    ))
    .await;
    let owner = || async {
        let row = world.store.db.row("SELECT owner_connection FROM codes WHERE code = 'E0012'", vec![]).await.unwrap();
        row.unwrap().get::<String>("owner_connection").unwrap()
    };
    let body = json!({"connection": "acme-c", "code": "member.owned_elsewhere", "decision": "take_over", "all": true});
    let decide = || ask("POST", "/api/v1/attention/decide", Some(body.clone()));
    let refused = world.send(Who::Own, decide()).await;
    assert_eq!((refused.status, problem(&refused).0.as_str()), (409, "api.conflict"));
    let text = String::from_utf8(refused.body).unwrap();
    assert!(!text.contains("rival") && !text.contains("rm_9"), "nothing of the other company is told: {text}");
    assert_eq!(owner().await, "rival-c");
    assert_eq!(world.get("/api/v1/employees/acme-c/rm_1").await.json()["state"], "parked");
    assert!(world.audited().await.iter().all(|action| action != "attention.take_over"), "what was not done");
    // What a connection had that was ended for good is nobody's any more.
    sql("UPDATE connections SET state = 'disconnected' WHERE connection_id = 'rival-c'".to_owned()).await;
    assert_eq!(world.send(Who::Own, decide()).await.json(), json!({"changed": 1}));
    assert_eq!(owner().await, "acme-c");
}

/// What the master key does not open any more is left out or replaced, and never takes anything else with it.
#[actix_web::test]
async fn what_does_not_open_hides_and_deletes_nothing_else() {
    let world = World::new().await;
    let sql = |text: &'static str| async { world.store.db.exec(text, vec![]).await.unwrap() };
    sql("UPDATE webhook_secrets SET secret = X'00' WHERE connection_id = 'acme-c'").await;
    sql("UPDATE employees SET record = X'00', detail = X'00' WHERE connection_id = 'acme-c'").await;
    sql("UPDATE activity SET detail = X'00' WHERE connection_id = 'acme-c'").await;
    sql("UPDATE audit SET detail = X'00'").await;
    let path = "/api/v1/connections/acme-c/webhook-secrets";
    let set = world.send(Who::Own, ask("PUT", path, Some(json!({"id": "new"})))).await;
    assert_eq!(set.status, 200, "{:?}", set.json());
    let ids = |answer: &Answer| {
        let items = answer.json()["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&world.get(path).await), ["1", "new"]);
    assert_eq!(world.send(Who::Own, ask("DELETE", &format!("{path}/new"), None)).await.status, 204);
    assert_eq!(ids(&world.get(path).await), ["1"]);
    for list in
        ["employees", "employees/acme-c/rm_1", "employees/acme-c/rm_1/timeline", "activity", "attention", "audit"]
    {
        let answer = world.get(&format!("/api/v1/{list}")).await;
        assert_eq!(answer.status, 200, "{list}: {:?}", answer.json());
    }
    assert_eq!(world.get("/api/v1/attention").await.json()["items"][0]["employee_id"], "rm_1");
}

/// A label that arrived with a record is offered for mapping; what is read can be written all the same and changes nothing.
#[actix_web::test]
async fn the_mapping_shows_the_gender_labels_of_the_settings_and_those_that_arrived() {
    let world = World::new().await;
    let path = format!("{CONNECTION}/mapping");
    let labels = |answer: &Answer| answer.json()["gender_labels"].clone();
    assert_eq!(labels(&world.get(&path).await), json!(["女性", "男性"]));
    let tx = world.store.begin().await.unwrap();
    let arrived = ["回答しない", "女性"].map(str::to_owned).into();
    connections::add_genders(&world.store, &tx, "acme-c", &arrived).await.unwrap();
    tx.commit().await.unwrap();
    let read = world.get(&path).await;
    assert_eq!(labels(&read), json!(["回答しない", "女性", "男性"]));
    let put = |body: Value| ask("PUT", &path, Some(body)).set("if-match", "*");
    let same = world.send(Who::Own, put(read.json())).await;
    assert_eq!(same.header("etag"), read.header("etag"), "nothing changed");
    // The setting of its own; what arrived stays.
    let mut other = read.json();
    other["gender_labels"] = json!(["F", "M"]);
    assert_eq!(labels(&world.send(Who::Own, put(other.clone())).await), json!(["F", "M", "回答しない", "女性"]));
    other.as_object_mut().unwrap().remove("gender_labels");
    assert_eq!(labels(&world.send(Who::Own, put(other)).await), json!(["F", "M", "回答しない", "女性"]), "as before");
}

/// Somebody who goes on being sent and whom a person should look at is listed like those who are parked, until a person says
/// that it is seen.
#[actix_web::test]
async fn a_warning_stands_in_the_attention_list_until_it_is_dismissed() {
    let world = World::new().await;
    let key = EmployeeKey { connection: "acme-c".to_owned(), employee: "rm_1".to_owned() };
    let tx = world.store.begin().await.unwrap();
    let now = world.store.now_in(&tx).await.unwrap();
    employees::settle(&world.store, &tx, &key, RowState::Synced, None, None, now).await.unwrap();
    employees::warn(&tx, &key, Some("mapping.business_kana_missing"), now).await.unwrap();
    tx.commit().await.unwrap();
    let listed = |query: &str| format!("/api/v1/attention?connection=acme-c{query}");
    for query in ["", "&code=mapping.business_kana_missing"] {
        let items = world.get(&listed(query)).await.json()["items"].clone();
        let found = (&items[0]["employee_id"], &items[0]["state"], &items[0]["code"]);
        assert_eq!(found, (&json!("rm_1"), &json!("synced"), &json!("mapping.business_kana_missing")), "{query}");
    }
    assert_eq!(world.get(&listed("&code=kaonavi.rejected")).await.json()["items"], json!([]));
    let body = json!({"connection": "acme-c", "code": "mapping.business_kana_missing"});
    let seen = world.send(Who::Own, ask("POST", "/api/v1/attention/dismiss", Some(body))).await;
    assert_eq!(seen.json(), json!({"changed": 1}));
    assert_eq!(world.get(&listed("")).await.json()["items"], json!([]));
    let people = employees::with_number(&world.store, &world.store.db, "acme-c", "E0012").await.unwrap();
    assert_eq!((people[0].state, people[0].warned), (RowState::Synced, Some(now)), "it is not brought back");
}

/// Two who read the same settings and save at the same moment: one of them is told.
#[actix_web::test]
async fn of_two_who_save_at_once_one_is_told_to_read_again() {
    let world = World::new().await;
    for round in 1..=8 {
        let tag = format!("\"{round}\"");
        let save = |size: u32| {
            let patch = ask("PATCH", CONNECTION, Some(json!({"batch_size": size}))).set("if-match", tag.clone());
            world.send(Who::Own, patch)
        };
        let (one, other) = futures::future::join(save(round * 2), save(round * 2 + 1)).await;
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "round {round}: {one:?} {other:?}");
        let told = problem(if one.status == 412 { &one } else { &other });
        assert_eq!(told, ("api.precondition_failed".to_owned(), None), "round {round}");
        let kept = if one.status == 200 { round * 2 } else { round * 2 + 1 };
        assert_eq!(world.get(CONNECTION).await.json()["batch_size"], json!(kept));
    }
}
