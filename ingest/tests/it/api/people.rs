//! People over the API: found by number, counted by state, tried again one by one.

use renkei_events::event::Change;
use renkei_store::connections;
use renkei_store::employees::{self, ConsumedRow, EmployeeKey, Op, RowState, SlimRow};
use serde_json::{Value, json};

use super::world::{Who, World, ask, problem};
use crate::support::client::Answer;
use crate::support::sample;

const REJECTED: Option<&str> = Some("kaonavi.rejected");

/// Puts people of `{tenant}-c` into the store, as they stand when a worker has left them: 従業員ID, 社員番号, state and why.
async fn put(world: &World, tenant: &str, people: &[(&str, &str, RowState, Option<&str>)]) {
    let id = format!("{tenant}-c");
    let account = connections::get(&world.store, &world.store.db, &id).await.unwrap().account;
    let tx = world.store.begin().await.unwrap();
    let now = world.store.now_in(&tx).await.unwrap();
    let row = |(employee, number, state, reason): &(&str, &str, RowState, Option<&str>)| {
        let mut whole = sample::hanako();
        whole["employee_id"] = json!(employee);
        whole["employee_number"] = json!(number);
        ConsumedRow {
            slim: SlimRow {
                key: EmployeeKey { connection: id.clone(), employee: (*employee).to_owned() },
                number: Some((*number).to_owned()),
                version: 1,
                position: (0, 1),
                content: "x".to_owned(),
                event_ids: vec![],
                state: *state,
                eligible: true,
                left_before: false,
            },
            account: account.clone(),
            change: Change::Updated,
            record: Some(serde_json::from_value(whole).unwrap()),
            op: Some(Op::Create),
            reason: reason.map(str::to_owned),
            detail: None,
            received: now,
        }
    };
    let rows: Vec<ConsumedRow> = people.iter().map(row).collect();
    employees::put_consumed(&world.store, &tx, &rows, now).await.unwrap();
    tx.commit().await.unwrap();
}

/// 従業員ID and state of everybody of a list, in its order.
fn states(list: &Answer) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = list.json()["items"].as_array().unwrap().clone();
    items.iter().map(|item| (text(&item["employee_id"]), text(&item["state"]))).collect()
}

fn expected(people: &[(&str, &str)]) -> Vec<(String, String)> {
    people.iter().map(|(employee, state)| ((*employee).to_owned(), (*state).to_owned())).collect()
}

/// A button beside one person, and one above all of a cause.
#[actix_web::test]
async fn one_person_is_tried_again_and_then_the_rest_of_the_cause() {
    let world = World::new().await;
    let others = [
        ("rm_2", "E0013", RowState::Parked, REJECTED),
        ("rm_3", "E0014", RowState::Parked, REJECTED),
        ("rm_4", "E0015", RowState::Parked, Some("mapping.too_long")),
    ];
    put(&world, "acme", &others).await;
    let retry = |mut wish: Value| {
        wish["connection"] = json!("acme-c");
        ask("POST", "/api/v1/attention/retry", Some(wish))
    };

    let one = world.send(Who::Own, retry(json!({"employees": ["rm_2"]}))).await;
    assert_eq!((one.status, one.json()), (200, json!({"changed": 1})));
    let found = states(&world.get("/api/v1/employees").await);
    assert_eq!(found, expected(&[("rm_1", "parked"), ("rm_2", "due"), ("rm_3", "parked"), ("rm_4", "parked")]));
    let waiting = states(&world.get("/api/v1/attention?code=kaonavi.rejected").await);
    assert_eq!(waiting, expected(&[("rm_1", "parked"), ("rm_3", "parked")]), "neighbours of the same cause stay");
    let moved = world.get("/api/v1/employees/acme-c/rm_2").await.json();
    assert_eq!((&moved["reason"], &moved["op"]), (&Value::Null, &json!("create")));
    assert!(moved["due"].is_string(), "{moved}");
    let timeline = async |employee: &str| {
        let path = format!("/api/v1/employees/acme-c/{employee}/timeline");
        let items = world.get(&path).await.json()["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(timeline("rm_2").await, ["retried"]);
    assert_eq!(timeline("rm_3").await, [] as [&str; 0]);

    let rest = world.send(Who::Own, retry(json!({"code": "kaonavi.rejected"}))).await;
    assert_eq!((rest.status, rest.json()), (200, json!({"changed": 2})), "who is on the way already is not counted");
    let found = states(&world.get("/api/v1/employees").await);
    assert_eq!(found, expected(&[("rm_1", "due"), ("rm_2", "due"), ("rm_3", "due"), ("rm_4", "parked")]));
    assert_eq!(timeline("rm_3").await, ["retried"]);
    assert_eq!(timeline("rm_2").await, ["retried"], "once");

    let audit = world.get("/api/v1/audit").await.json();
    let told: Vec<(&str, &str, &str)> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| ["action", "target", "detail"].map(|name| item[name].as_str().unwrap()).into())
        .collect();
    let deeds =
        [("attention.retry", "acme-c", "kaonavi.rejected: 2 people"), ("attention.retry", "acme-c", "named: 1 people")];
    assert_eq!(told, deeds);
    let theirs = world.send(Who::Rival, ask("GET", "/api/v1/employees", None)).await;
    assert_eq!(states(&theirs), expected(&[("rm_1", "parked")]), "another tenant's person of the same id and cause");
}

#[actix_web::test]
async fn a_number_finds_the_person_who_has_it_exactly_and_nobody_of_another_tenant() {
    let world = World::new().await;
    let zeros = [("rm_2", "0012", RowState::Synced, None), ("rm_3", "12", RowState::Synced, None)];
    put(&world, "acme", &zeros).await;
    put(&world, "rival", &[("rm_9", "R0001", RowState::Synced, None)]).await;
    let by = async |who: Who, query: &str| {
        let list = world.send(who, ask("GET", &format!("/api/v1/employees?{query}"), None)).await;
        assert_eq!(list.status, 200, "{query}: {list:?}");
        let items = list.json()["items"].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        items.iter().map(|item| (text(&item["connection"]), text(&item["employee_id"]))).collect::<Vec<_>>()
    };
    let own = |employee: &str| vec![("acme-c".to_owned(), employee.to_owned())];
    let theirs = |employee: &str| vec![("rival-c".to_owned(), employee.to_owned())];
    // Both companies have somebody with this number.
    assert_eq!(by(Who::Own, "number=E0012").await, own("rm_1"));
    assert_eq!(by(Who::Rival, "number=E0012").await, theirs("rm_1"));
    assert_eq!(by(Who::PlatformFor("acme"), "number=E0012").await, own("rm_1"));
    // 社員番号 are texts: zeros, case and width count.
    assert_eq!(by(Who::Own, "number=0012").await, own("rm_2"));
    assert_eq!(by(Who::Own, "number=12&connection=acme-c").await, own("rm_3"));
    assert!(by(Who::Own, "number=12&state=parked").await.is_empty());
    for nobody in ["number=e0012", "number=E0", "number=%EF%BC%A50012", "number=E0012%25"] {
        assert!(by(Who::Own, nobody).await.is_empty(), "{nobody}");
    }
    assert!(by(Who::Own, "number=R0001").await.is_empty(), "of another tenant");
    assert_eq!(by(Who::Rival, "number=R0001").await, theirs("rm_9"));
    let named = world.get("/api/v1/employees?number=R0001&connection=rival-c").await;
    assert_eq!((named.status, problem(&named).0.as_str()), (404, "api.not_found"));
}

#[actix_web::test]
async fn the_system_counts_people_by_state_of_each_connection_and_in_all() {
    let world = World::new().await;
    let mut people = vec![
        ("rm_10", "E0020", RowState::Due, None),
        ("rm_11", "E0021", RowState::Due, None),
        ("rm_12", "E0022", RowState::Due, None),
        ("rm_13", "E0023", RowState::Flying, None),
        ("rm_14", "E0024", RowState::Flying, None),
        ("rm_15", "E0025", RowState::Held, Some("delivery.brake")),
        ("rm_16", "E0026", RowState::Held, Some("member.near_miss")),
        ("rm_17", "E0027", RowState::Held, Some("member.near_miss")),
        ("rm_18", "E0028", RowState::Held, Some("member.gone")),
        ("rm_19", "E0029", RowState::Synced, None),
    ];
    put(&world, "acme", &people).await;
    people.truncate(4);
    put(&world, "rival", &people).await;
    // Beside `rm_1` of each, who is parked.
    let own = json!({"due": 3, "in_flight": 2, "held": 4, "parked": 1, "skipped": 0, "synced": 1, "baseline": 0});
    let theirs = json!({"due": 3, "in_flight": 1, "held": 0, "parked": 1, "skipped": 0, "synced": 0, "baseline": 0});
    let all = json!({"due": 6, "in_flight": 3, "held": 4, "parked": 2, "skipped": 0, "synced": 1, "baseline": 0});
    let empty = json!({"due": 0, "in_flight": 0, "held": 0, "parked": 0, "skipped": 0, "synced": 0, "baseline": 0});
    let made = ask("POST", "/api/v1/connections", Some(json!({"id": "acme-d", "source": "roumumate"})));
    assert_eq!(world.send(Who::Own, made).await.status, 201);

    let system = world.get("/api/v1/system").await.json();
    assert_eq!((&system["tenant"], &system["people"]), (&json!("acme"), &own));
    let connections = json!([
        {"id": "acme-c", "state": "draft", "people": own},
        {"id": "acme-d", "state": "draft", "people": empty},
    ]);
    assert_eq!(system["connections"], connections);
    let rival = world.send(Who::Rival, ask("GET", "/api/v1/system", None)).await.json();
    assert_eq!((&rival["tenant"], &rival["people"]), (&json!("rival"), &theirs));
    let platform = world.send(Who::Platform, ask("GET", "/api/v1/system", None)).await.json();
    assert_eq!((&platform["tenant"], &platform["people"]), (&Value::Null, &all));
    assert_eq!(platform["connections"], json!([]));
}
