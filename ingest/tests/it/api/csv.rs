//! Employees by CSV over the API.

use renkei_events::csv;
use renkei_events::event::{Change, EmployeeEvent, Origin};
use renkei_store::db::Sql as _;
use serde_json::{Value, json};

use super::world::{Who, World, ask, problem};
use crate::support::client::{Answer, Request, Wire};
use crate::support::fakes::Mood;

const CONNECTION: &str = "/api/v1/connections/acme-c";
/// What stands for 従業員ステータス and 状況.
const BOTH: &str = "employee_status=active&data_entry_state=completed";

fn file(query: &str, bytes: impl Into<Vec<u8>>) -> Request {
    let path = format!("{CONNECTION}/employees/csv?{query}");
    Request { body: bytes.into(), ..ask("POST", &path, None) }.set("content-type", "text/csv")
}

async fn upload(world: &World, query: &str, bytes: impl Into<Vec<u8>>) -> Answer {
    world.send(Who::Own, file(query, bytes)).await
}

fn people(count: usize) -> String {
    let row = |index: usize| format!("{index:05},髙橋,花子{index},1990/2/28\n");
    format!("社員番号,姓,名,生年月日\n{}", (1..=count).map(row).collect::<String>())
}

fn cp932(text: &str) -> Vec<u8> {
    encoding_rs::SHIFT_JIS.encode(text).0.into_owned()
}

/// Faults of a report as `line column code other`.
fn faults(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let errors = report["row_errors"].as_array().unwrap().iter();
    errors.map(|e| [&e["line"], &e["column"], &e["code"], &e["other_line"]].map(text).join(" ")).collect()
}

#[actix_web::test]
async fn a_file_becomes_events_and_a_report() {
    let world = World::new().await;
    let answer = upload(&world, BOTH, people(300)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let report = answer.json();
    let id = report["upload"].as_str().unwrap().to_owned();
    let expected = json!({
        "upload": id, "dry_run": false, "mode": "baseline", "first": true, "encoding": "utf-8",
        "columns": {"社員番号": "employee_number", "姓": "last_name", "名": "first_name", "生年月日": "birthday"},
        "ignored_columns": [], "seen": 300, "new": 300, "changed": 0, "already_known": 0, "older": 0, "errors": 0,
        "eligible": 300, "row_errors": [], "preview": null, "constants": [
            {"field": "employee_status", "label": "従業員ステータス", "rows": 300, "value": "active", "suggested": "在籍", "eligible": 300},
            {"field": "data_entry_state", "label": "状況", "rows": 300, "value": "completed", "suggested": "データ入力完了", "eligible": 300},
        ],
    });
    assert_eq!(report, expected);
    let events = world.serving.log.events();
    assert_eq!(events.len(), 300);
    let EmployeeEvent { event_id, employee_id, origin, change, employee, received_at, .. } = &events[0];
    assert_eq!((event_id.as_str(), employee_id.as_str()), (&*format!("csv/{id}/2"), "n:00001"));
    assert_eq!((*origin, *change), (Origin::Csv, Change::Created));
    assert_eq!(employee.as_ref().unwrap().updated_at, *received_at, "as old as the upload");
    assert_eq!(csv::upload_of(&events[299]).unwrap().1, 301, "the line of the file");
    for record in world.serving.log.appends().iter().flatten() {
        assert!(record.key.starts_with("acme-c/n:"), "{record:?}");
        assert!(
            record.headers.iter().all(|(_, value)| !value.contains("n:0")),
            "headers name nobody: {:?}",
            record.headers
        );
    }
    assert_eq!(world.audited().await, ["connection.employees_csv"]);
    let later = upload(&world, BOTH, people(1)).await.json();
    assert_eq!((&later["mode"], &later["first"]), (&json!("send"), &json!(false)));
}

#[actix_web::test]
async fn a_dry_run_tells_the_same_and_changes_nothing() {
    let world = World::new().await;
    let report = upload(&world, "dry_run=1", people(5)).await.json();
    assert_eq!((&report["upload"], &report["dry_run"], &report["new"]), (&json!(null), &json!(true), &json!(5)));
    assert_eq!(report["constants"][1]["value"], json!(null), "it has to be given");
    assert_eq!(report["constants"][1]["eligible"], json!(5), "with what is usual");
    let applicants = upload(&world, "dry_run=true&employee_status=applicant", people(5)).await.json();
    assert_eq!((&applicants["eligible"], &applicants["constants"][0]["eligible"]), (&json!(0), &json!(0)));
    assert!(world.serving.log.events().is_empty() && world.audited().await.is_empty());
    let uploads = world.store.db.rows("SELECT upload_id FROM uploads", vec![]).await.unwrap();
    assert!(uploads.is_empty());
}

#[actix_web::test]
async fn every_bad_file_is_refused_by_name_and_nothing_of_it_is_taken() {
    let world = World::new().await;
    let open = format!("社員番号,姓\nE1,\"髙橋\n{}", "E2,田中\n".repeat(60_000));
    let cases: Vec<(&str, Request, u16, &str)> = vec![
        ("empty", file(BOTH, ""), 400, "csv.empty"),
        ("a header line only", file(BOTH, "社員番号,姓\n"), 400, "csv.empty"),
        ("a wrong header line", file(BOTH, "氏名\n髙橋\n"), 400, "csv.header_unknown"),
        ("a column twice", file(BOTH, "社員番号,姓,姓\nE1,a,b\n"), 400, "csv.column_twice"),
        ("a workbook", file(BOTH, &b"PK\x03\x04rest"[..]), 400, "csv.not_text"),
        ("an open quotation mark", file(BOTH, open), 400, "csv.open_quote"),
        ("200,000 rows", file(BOTH, people(200_000)), 413, "csv.too_many_rows"),
        ("200,000 rows in chunks", file(BOTH, people(200_000)).chunked(), 413, "csv.too_many_rows"),
        ("too many bytes are announced", file(BOTH, people(1)).set("content-length", "67108865"), 413, "csv.too_large"),
        ("no constants", file("", people(1)), 400, "csv.constant_needed"),
        ("another kind of body", file(BOTH, people(1)).set("content-type", "application/json"), 415, "csv.media_type"),
        ("no kind of body", file(BOTH, people(1)).without("content-type"), 415, "csv.media_type"),
        ("a packed body", file(BOTH, people(1)).set("content-encoding", "gzip"), 415, "csv.media_type"),
        ("unseen at once", file(&format!("mode=send&{BOTH}"), people(1)), 400, "api.invalid_value"),
        ("an unknown mode", file("mode=all", people(1)), 400, "api.invalid_value"),
        ("an unknown status", file("employee_status=x", people(1)), 400, "api.invalid_value"),
        ("an unknown parameter", file("constant=1", people(1)), 400, "api.unknown_field"),
    ];
    for (what, request, status, code) in cases {
        let answer = world.send(Who::Own, request).await;
        let (found, pointer) = problem(&answer);
        assert_eq!((answer.status, found.as_str()), (status, code), "{what}: {answer:?}");
        // What is wrong with the file as a whole points nowhere; what is wrong with a parameter names it.
        let named = code.starts_with("api.") || code == "csv.constant_needed";
        assert_eq!(pointer.is_some(), named, "{what}: {answer:?}");
    }
    let needed = world.send(Who::Own, file("employee_status=active", people(7))).await;
    let (code, pointer) = problem(&needed);
    assert_eq!((code.as_str(), pointer.as_deref()), ("csv.constant_needed", Some("/data_entry_state")));
    let detail = needed.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("7 rows") && detail.contains("データ入力完了"), "{detail}");
    assert!(world.serving.log.events().is_empty() && world.audited().await.is_empty());
}

/// A body that breaks off is no whole file, however good its rows are.
#[actix_web::test]
async fn half_a_file_is_no_file() {
    let world = World::new().await;
    let mut request = file(BOTH, people(10)).set("authorization", format!("Bearer {}", world.own_token()));
    request = request.set("content-length", "100000");
    let mut wire = Wire::open(world.serving.address).await;
    wire.write(&request.bytes()).await;
    drop(wire);
    let good = upload(&world, BOTH, people(1)).await;
    assert_eq!(good.json()["first"], json!(true), "the half one was none");
    assert_eq!(world.serving.log.events().len(), 1);
}

#[actix_web::test]
async fn bad_rows_are_told_by_line_and_column_and_the_others_go_through() {
    let world = World::new().await;
    let wide = format!("社員番号,姓{}\n", (0..58).map(|at| format!(",列{at}")).collect::<String>());
    let cases: Vec<(&str, Vec<u8>, i64, &[&str])> = vec![
        ("a mark", format!("\u{feff}{}", people(2)).into(), 2, &[]),
        ("CP932", cp932(&people(2)), 2, &[]),
        ("60 columns", format!("{wide}E1,髙橋{}\n", ",x".repeat(58)).into(), 1, &[]),
        ("a formula", "社員番号,姓\nE1,=cmd|' /C calc'!A0\n".into(), 1, &[]),
        (
            "line ends in a cell",
            "社員番号,姓,備考\nE1,髙橋,\"a\nb\"\nE2,\"田\n中\",\n".into(),
            1,
            &["4 姓 source.control_character null"],
        ),
        ("mixed encodings", [people(1).as_bytes(), &cp932("E9,田中,一郎,\n")].concat(), 1, &["3 姓 csv.encoding null"]),
        (
            "the header line twice",
            format!("{0}{0}", people(0) + "E1,髙橋,花子,\n").into(),
            0,
            &["2 null csv.person_twice 4", "3 null csv.header_repeated null", "4 null csv.person_twice 2"],
        ),
        (
            "one person twice",
            "従業員ID,社員番号\nrm_7,E7\nrm_8,E8\nrm_7,E9\n,E8\n".into(),
            0,
            &[
                "2 null csv.person_twice 4",
                "3 null csv.person_twice 5",
                "4 null csv.person_twice 2",
                "5 null csv.person_twice 3",
            ],
        ),
        (
            "one person by what is known",
            "従業員ID,社員番号\nrm_1,\n,E0012\nrm_9,E9\n".into(),
            1,
            &["2 null csv.person_twice 3", "3 null csv.person_twice 2"],
        ),
        ("a bad day", "社員番号,生年月日\nE1,1990/02/30\nE2,1990/02/28\n".into(), 1, &["2 生年月日 source.date null"]),
    ];
    for (what, bytes, taken, expected) in cases {
        let before = world.serving.log.events().len();
        let answer = upload(&world, BOTH, bytes).await;
        assert_eq!(answer.status, 200, "{what}: {answer:?}");
        let report = answer.json();
        let count = |name: &str| report[name].as_i64().unwrap();
        assert_eq!(
            (count("new") + count("changed"), faults(&report)),
            (taken, expected.iter().map(|f| (*f).to_owned()).collect()),
            "{what}"
        );
        assert_eq!(count("seen"), taken + count("already_known") + count("older") + count("errors"), "{what}");
        assert_eq!(world.serving.log.events().len() - before, usize::try_from(taken).unwrap(), "{what}");
    }
    let events = world.serving.log.events();
    let formula = events.iter().filter_map(|event| event.employee.as_ref()?.last_name.as_deref());
    assert!(formula.into_iter().any(|name| name == "=cmd|' /C calc'!A0"), "it is text");
}

#[actix_web::test]
async fn a_row_belongs_to_the_person_who_has_its_number() {
    let world = World::new().await;
    let report = upload(&world, "", "社員番号,雇用形態\nE0012,契約社員\n").await.json();
    assert_eq!((&report["changed"], &report["constants"]), (&json!(1), &json!([])), "what is known needs no constant");
    let event = &world.serving.log.events()[0];
    let record = event.employee.as_ref().unwrap();
    assert_eq!((event.employee_id.as_str(), record.employee_id.as_str()), ("rm_1", "rm_1"));
}

#[actix_web::test]
async fn columns_are_called_as_the_connection_says() {
    let world = World::new().await;
    let path = format!("{CONNECTION}/csv-columns");
    assert_eq!(world.get(&path).await.json(), json!({"columns": {}}));
    let put = |columns: Value| {
        world.send(Who::Own, ask("PUT", &path, Some(json!({"columns": columns}))).set("if-match", "*"))
    };
    let unknown = put(json!({"社員コード": "number"})).await;
    assert_eq!((unknown.status, problem(&unknown).0.as_str()), (400, "api.invalid_value"));
    let named = put(json!({"社員コード": "employee_number", "姓": null})).await;
    assert_eq!((named.status, named.header("etag")), (200, Some("\"2\"")));
    let report = upload(&world, BOTH, "社員コード,姓,名\nE1,髙橋,花子\n").await.json();
    assert_eq!((&report["new"], &report["ignored_columns"]), (&json!(1), &json!(["姓"])));
}

#[actix_web::test]
async fn without_the_log_it_is_our_fault_and_the_file_may_come_again() {
    let world = World::new().await;
    world.serving.log.set(Mood::Unavailable);
    let answer = upload(&world, BOTH, people(3)).await;
    assert_eq!((answer.status, problem(&answer).0.as_str()), (503, "api.unavailable"));
    world.serving.log.set(Mood::Acknowledge);
    let again = upload(&world, BOTH, people(3)).await.json();
    assert_eq!((&again["first"], &again["new"]), (&json!(true), &json!(3)), "the first one never came to its end");
}

#[actix_web::test]
async fn differences_are_gathered_for_a_preview() {
    let world = World::new().await;
    let report = upload(&world, &format!("mode=send_differences&{BOTH}"), people(2)).await.json();
    let preview = report["preview"].as_str().unwrap();
    let shown = world.get(&format!("{CONNECTION}/preview/{preview}")).await.json();
    assert_eq!((&shown["state"], &shown["items"]), (&json!("wanted"), &json!([])));
    let body = json!({"id": "acme-d", "source": "roumumate"});
    assert_eq!(world.send(Who::Own, ask("POST", "/api/v1/connections", Some(body))).await.status, 201);
    let path = format!("/api/v1/connections/acme-d/employees/csv?mode=send_differences&{BOTH}");
    let blind = file(BOTH, people(1)).path(&path);
    let refused = world.send(Who::Own, blind).await;
    assert_eq!((refused.status, refused.json()["missing"].clone()), (409, json!(["credentials"])));
}

#[actix_web::test]
async fn a_connection_that_lives_by_files_needs_no_webhook_secret() {
    let world = World::new().await;
    let secret = format!("{CONNECTION}/webhook-secrets/1");
    assert_eq!(world.send(Who::Own, ask("DELETE", &secret, None)).await.status, 204);
    let feed = format!("{CONNECTION}/feed");
    world.send(Who::Own, ask("DELETE", &feed, None)).await;
    let activate = || ask("POST", &format!("{CONNECTION}/activate"), None);
    let refused = world.send(Who::Own, activate()).await;
    assert_eq!(refused.json()["missing"], json!(["webhook_secret"]));
    assert_eq!(upload(&world, BOTH, people(1)).await.status, 200);
    assert_eq!(world.send(Who::Own, activate()).await.status, 202);
}

#[actix_web::test]
async fn an_ended_connection_takes_no_file() {
    let world = World::new().await;
    world.send(Who::Own, ask("POST", &format!("{CONNECTION}/disconnect"), None)).await;
    let answer = upload(&world, BOTH, people(1)).await;
    assert_eq!((answer.status, problem(&answer).0.as_str()), (409, "api.conflict"));
}
