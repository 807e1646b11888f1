//! I8: nothing personal and no secret leaves through logs, metrics, headers, URLs or the database.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use renkei_events::topic::Topic;
use renkei_runtime::clock::{Clock as _, Millis, SystemClock};
use renkei_sandbox::demo;
use renkei_sandbox::kaonavi::{CompanySpec, Faults, Kaonavi, SimRequest, sample};
use serde_json::{Value, json};

use crate::support::needles::Needles;
use crate::support::records::{put, read_topic};
use crate::support::servers::{kafka, postgres};
use crate::support::world::{LogKind, MASTER_KEY, Setup, StoreKind, World, get};
use crate::support::{block, until};

const SCALE: u32 = 20;
const COMPANY: &str = "acme";

/// People of whom every trouble of delivery speaks, with numbers that stand nowhere else.
fn troubled() -> Vec<Value> {
    let base = |at: usize, name: &str| {
        json!({
            "employee_id": format!("rm_trouble_{at}"),
            "employee_number": format!("NR-7{at}7-X"),
            "employee_status": "active",
            "data_entry_state": "completed",
            "last_name": format!("{name}山路"),
            "first_name": format!("{name}之助"),
            "last_name_kana": format!("ヤマジ{at}"),
            "first_name_kana": format!("ノスケ{at}"),
            "business_name": format!("{name}屋 号之進"),
            "business_name_kana": format!("ゴウノシン{at} ヤ"),
            "gender": "女性",
            "birthday": format!("1961-07-1{at}"),
            "hire_date": "2020-04-01",
            "email": format!("secret.person{at}@personal.example"),
            "updated_at": SystemClock::real().wall().to_string(),
        })
    };
    let with = |mut record: Value, key: &str, value: Value| {
        record[key] = value;
        record
    };
    vec![
        base(0, "普通"),
        with(base(1, "長名"), "business_name", json!(format!("{}永", "長々".repeat(60)))),
        with(base(2, "性別"), "gender", json!("ひみつの性別")),
        // カオナビ refuses these, quoting the value.
        base(3, "四百"),
        base(4, "駄目"),
        // Near an existing code.
        with(base(5, "近似"), "employee_number", json!("near-000")),
        with(base(6, "無効"), "birthday", json!("1961-02-31/無効な生年月日")),
        with(base(7, "型違"), "last_name_kana", json!({ "型違いの": "カナ型違い" })),
        with(base(8, "未来"), "updated_at", json!("2299-01-01T00:00:00Z")),
        with(base(9, "番号"), "employee_number", json!(" 番号に 空白と名前番号 ")),
    ]
}

fn company(scene: &demo::Demo) -> CompanySpec {
    let mut company = sample::company(COMPANY);
    company.consumer_key = "ck-5e3cba7706d94c52".to_owned();
    company.consumer_secret = "cs-99afe10b2d8844ef".to_owned();
    company.members.clone_from(&scene.existing);
    company.members.push(json!({ "code": "NEAR-000", "name": "近似先 在籍者", "name_kana": "キンジサキ", "mail": "held.member@personal.example" }));
    company.settings.quote_values = true;
    company.faults = Faults {
        ng_codes: ["NR-747-X".to_owned()].into(),
        bad_codes: ["NR-737-X".to_owned()].into(),
        ..Faults::default()
    };
    company
}

/// The tokens that カオナビ gave out: they follow from company and count alone.
fn tokens(company: CompanySpec) -> Vec<String> {
    let basic = STANDARD.encode(format!("{}:{}", company.consumer_key, company.consumer_secret));
    let mut twin = Kaonavi::new();
    twin.add(company).unwrap();
    let request = || {
        let mut request = SimRequest::new("POST", "/api/v2.0/token");
        request.headers = vec![
            ("authorization".to_owned(), format!("Basic {basic}")),
            ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
        ];
        request.body = b"grant_type=client_credentials".to_vec();
        request
    };
    (0..5)
        .filter_map(|at| {
            let renkei_sandbox::kaonavi::SimResponse::Answer(answer) = twin.handle(Millis(at), request()) else {
                return None;
            };
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            Some(body["access_token"].as_str()?.to_owned())
        })
        .collect()
}

fn needles(scene: &demo::Demo, troubled: &[Value], company: CompanySpec, world: &World) -> Needles {
    let mut needles = Needles::default();
    for delivery in &scene.deliveries {
        needles.add_from(&serde_json::from_slice(&delivery.body).unwrap());
    }
    // A date that everybody has stands for nobody.
    for member in &company.members {
        let mut member = member.clone();
        if member["birthday"] == "1970-01-01" {
            member["birthday"] = Value::Null;
        }
        needles.add_from(&member);
    }
    troubled.iter().for_each(|record| needles.add_from(record));
    for text in ["カナ型違い", "型違いの", "無効な生年月日", "ひみつの性別", "長々長々", "番号に 空白と名前番号"]
    {
        needles.add(text);
    }
    needles.add_ordinary("男性");
    needles.add_ordinary("女性");
    needles.add(&company.consumer_key);
    needles.add(&company.consumer_secret);
    needles.add(MASTER_KEY);
    let webhook_secret = world.links[0].webhook_secret.clone();
    needles.add(&webhook_secret);
    needles.add(webhook_secret.trim_start_matches("whsec_"));
    let issued = tokens(company);
    assert_eq!(issued.len(), 5);
    issued.iter().for_each(|token| needles.add(token));
    needles.add("名前の入った壊れた記録");
    needles
}

/// Requests that are refused, with bodies full of names.
fn send_refused(world: &World) {
    let mut stranger = world.sender(COMPANY);
    stranger.secret =
        renkei_events::signature::WebhookSecret::parse(&crate::support::world::webhook_secret("x")).unwrap();
    let body = renkei_sandbox::send::body("employee.updated", "2026-04-01T00:00:00Z", &troubled()[..1]);
    assert_eq!(block(stranger.post("m-401", body.clone())).status, Some(401));
    let sender = world.sender(COMPANY);
    let broken = String::from_utf8(body).unwrap().replace("\"data\"", "\"date\"").into_bytes();
    assert_eq!(block(sender.post("m-400", broken)).status, Some(400));
    assert_eq!(block(sender.post("m-400b", b"{\"last_name\": \"\xe6\xa8\xaa\xe5\xb1\xb1".to_vec())).status, Some(400));
    let mut nobody = sender;
    nobody.url = nobody.url.replace(COMPANY, "nobody");
    assert_eq!(block(nobody.post("m-404", b"{}".to_vec())).status, Some(404));
}

fn nothing_leaves(store: StoreKind, log: LogKind, filter: &str) {
    let scene = demo::employees(60, 5, SystemClock::real().wall());
    let world = World::up(Setup {
        store,
        log,
        scale: SCALE,
        companies: vec![company(&scene)],
        environment: vec![("RENKEI_LOG_FILTER".to_owned(), filter.to_owned())],
    });
    let troubled = troubled();
    let needles = needles(&scene, &troubled, company(&scene), &world);
    assert!(needles.len() > 150, "{}", needles.len());
    send_refused(&world);
    let sender = world.sender(COMPANY);
    for (at, record) in troubled.iter().enumerate() {
        sender.send(&format!("m-trouble-{at}"), std::slice::from_ref(record));
    }
    if log == LogKind::Kafka {
        let topic = format!("{}{}", world.topic_prefix, Topic::Employee.name());
        put(&kafka().bootstrap(), &topic, "no/event", "{\"last_name\": \"名前の入った壊れた記録\"}");
    }
    // Answers that are lost or broken make the workers complain.
    let faults = world.sim.with(COMPANY, |company, _| company.faults().clone());
    world.sim.faults(COMPANY, Faults { html_500_after_acceptance: 1, html_500_reads: 1, ..faults });
    let expected = scene.expected.clone();
    let sent: Vec<_> = scene.deliveries.clone();
    for delivery in sent {
        let answer = block(sender.post(&delivery.webhook_id, delivery.body));
        assert!(matches!(answer.status, Some(202 | 429)), "{}", answer.text);
        if answer.status == Some(429) {
            crate::support::pause(1_000);
        }
    }
    let waiting = || {
        let people = &world.connection(COMPANY)["people"];
        people["due"].as_i64().unwrap() + people["in_flight"].as_i64().unwrap()
    };
    // Retries of the lost answers take their time; what is told about them is what counts here.
    until(Duration::from_secs(120), "everything is settled", || {
        let arrived = expected.keys().filter(|code| world.sim.has_member(COMPANY, code)).count();
        arrived + 3 >= expected.len() && waiting() == 0
    });
    let status = world.connection(COMPANY);
    let parked = status["parked"].to_string();
    for code in ["mapping.gender_unmapped", "kaonavi.rejected"] {
        assert!(parked.contains(code), "the troubles happened: {code} in {parked}");
    }
    assert_eq!(status["people"]["held"], 1, "{status}");

    needles.assert_absent("ingest's output", &world.ingest().output());
    needles.assert_absent("the workers' output", &world.workers[0].program.output());
    needles.assert_absent("the status", &world.command(&["status"]));
    needles.assert_absent("the status as JSON", &world.command(&["status", "--json"]));
    needles.assert_absent("what apply says", &world.apply("connections.yaml", &[]).stdout);
    for (who, port) in [("ingest", world.ingest_internal), ("workers", world.workers[0].internal)] {
        let (status, text) = get(port, "/metrics").unwrap();
        assert_eq!(status, 200);
        needles.assert_absent(&format!("the metrics of {who}"), &text);
    }
    let urls: Vec<String> =
        world.sim.calls(COMPANY).iter().map(|call| format!("{} {}", call.method, call.path)).collect();
    assert!(urls.len() > 8);
    needles.assert_absent("URLs", &urls.join("\n"));
    let numbers: Vec<String> = expected.keys().cloned().chain((0..10).map(|at| format!("NR-7{at}7-X"))).collect();
    if let Some(path) = &world.sqlite {
        for suffix in ["", "-wal"] {
            let path = format!("{}{suffix}", path.display());
            needles.assert_absent_from_database(&path, &std::fs::read(&path).unwrap());
        }
        // These are the right bytes: what may stand in the open does.
        let bytes = std::fs::read(path).unwrap();
        assert!(String::from_utf8_lossy(&bytes).contains("rm_trouble_0"), "the rows are in the file");
    } else {
        let dump = dump(&world);
        assert!(dump.contains("rm_trouble_0"), "the rows are in the dump");
        needles.assert_absent_from_database("the dump", dump.as_bytes());
    }
    if log == LogKind::Kafka {
        for topic in [Topic::Employee, Topic::DeadLetter] {
            let records = read_topic(&kafka().bootstrap(), &format!("{}{}", world.topic_prefix, topic.name()));
            assert!(!records.is_empty(), "{topic:?}");
            let values: Vec<u8> = records.iter().flat_map(|record| record.value.clone()).collect();
            assert!(needles.are_in(&values), "{topic:?}: the values hold what the headers must not");
            for record in &records {
                for (name, value) in &record.headers {
                    let text = String::from_utf8(value.clone()).unwrap();
                    needles.assert_absent(name, &format!("{name}: {text} "));
                    let bare =
                        numbers.iter().find(|number| number.starts_with("NR-") && text.contains(number.as_str()));
                    assert!(bare.is_none() && !numbers.contains(&text), "a number stands in a header: {name}");
                }
            }
        }
    }
}

/// All rows of all tables as text, bytes as hex.
fn dump(world: &World) -> String {
    let tables = world.sql("select tablename from pg_tables where schemaname = 'public' order by 1");
    let mut text = String::new();
    for table in tables.lines() {
        text.push_str(&postgres().sql(&world.database, &format!("select t::text from {table} t")).unwrap());
        text.push('\n');
    }
    text
}

#[test]
fn i8_nothing_personal_leaves_on_sqlite_and_the_embedded_log() {
    nothing_leaves(StoreKind::Sqlite, LogKind::Embedded, "info");
}

#[test]
fn i8_nothing_personal_leaves_on_postgresql_and_kafka_even_in_debug_lines() {
    nothing_leaves(StoreKind::Postgres, LogKind::Kafka, "debug");
}
