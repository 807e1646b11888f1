//! The API over what workers leave in the store: a real delivery to a simulated カオナビ comes first.

use std::time::Duration;

use renkei_ingest::api::Api;
use renkei_sandbox::kaonavi::Operation::{Read, Update};
use renkei_sandbox::kaonavi::transport::no_latency;
use renkei_sandbox::kaonavi::{Permissions, sample};
use renkei_simulation::people::{person, record};
use renkei_simulation::world::{Link, World, link, settings};
use renkei_store::activity;
use renkei_store::settings::Settings;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::world::ask;
use crate::support::fakes::ManualClock;
use crate::support::serving::{self, Serving};

const MINUTE: Duration = Duration::from_secs(60);

/// Somebody of the tenant of a world, with the API.
struct Desk {
    serving: Serving,
    token: SecretString,
}

impl Desk {
    async fn over(world: &World) -> Self {
        let token = serving::token(&world.store, "t1").await;
        let api = Api::new(world.store.clone(), world.clock.clone(), serving::outside());
        let serving = serving::start_api(serving::settings(), ManualClock::new(), Some(api)).await;
        Self { serving, token }
    }

    async fn get(&self, path: &str) -> Value {
        let bearer = format!("Bearer {}", self.token.expose_secret());
        let answer = self.serving.send(&ask("GET", path, None).set("authorization", bearer)).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    /// What was revealed to whom, as the audit has it.
    async fn reveals(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let audit = self.get("/api/v1/audit").await;
        let items = audit["items"].as_array().unwrap();
        let reveals = items.iter().filter(|item| item["action"] == "timeline.reveal");
        reveals.map(|item| (text(&item["target"]), text(&item["actor"]))).collect()
    }
}

/// What the first entry of this kind tells.
fn detail(page: &Value, kind: &str) -> Value {
    let items = page["items"].as_array().unwrap();
    items.iter().find(|item| item["kind"] == kind).unwrap()["detail"].clone()
}

#[actix_web::test]
async fn a_timeline_shows_old_and_new_values_as_the_delivery_wrote_them_and_only_when_asked_for() {
    let mut world = World::simple().await;
    let at = world.now();
    world.send("c1", person(1, at)).await;
    world.run_for(MINUTE * 2).await;
    let at = world.now();
    world.send("c1", record(json!({ "first_name": "花江" }), 1, at)).await;
    world.run_for(MINUTE * 3).await;
    let entries = activity::of_employee(&world.store, "c1", "rm_00001", 100).await.unwrap();
    let stored = |kind: &str| -> Value {
        let entry = entries.iter().find(|entry| entry.kind == kind).unwrap();
        serde_json::from_str(entry.detail.as_deref().unwrap()).unwrap()
    };
    let (created, updated) = (stored("created"), stored("updated"));
    assert_eq!(created["name"], json!([null, "髙橋 花子1"]));
    assert_eq!(updated, json!({"name": ["髙橋 花子1", "髙橋 花江"]}), "what differs and nothing else");

    let desk = Desk::over(&world).await;
    let path = "/api/v1/employees/c1/rm_00001/timeline";
    // Which field changed is told; from what to what is not, neither here nor in the list of everything.
    for list in [path.to_owned(), format!("{path}?reveal=false"), "/api/v1/activity".to_owned()] {
        let masked = desk.get(&list).await;
        assert_eq!(detail(&masked, "updated"), json!({"name": ["•••", "•••"]}), "{list}");
        assert_eq!(detail(&masked, "created")["name"], json!([null, "•••"]), "{list}: that there was nothing before");
        assert!(!masked.to_string().contains("髙橋"), "{list}: {masked}");
    }
    assert!(desk.reveals().await.is_empty());

    let revealed = desk.get(&format!("{path}?reveal=true")).await;
    assert_eq!((detail(&revealed, "created"), detail(&revealed, "updated")), (created, updated));
    let reveals = desk.reveals().await;
    assert_eq!(reveals.len(), 1);
    assert_eq!(reveals[0].0, "c1/rm_00001");
    assert!(reveals[0].1.starts_with("token:"), "{reveals:?}");
}

/// What a worker found is told with what to do about it, as people who need somebody are.
#[actix_web::test]
async fn what_stands_in_the_way_of_switching_on_says_where_the_remedy_is() {
    let mut company = sample::company("a");
    company.permissions = Permissions { members: [Read, Update].into(), ..company.permissions };
    let mut world = World::new(25, vec![company], no_latency()).await;
    // One of the two labels has no entry, and カオナビ does not let us register.
    let settings = Settings { gender: [("女性".to_owned(), Some("女性".to_owned()))].into(), ..settings() };
    world.link(Link { settings, ..link("c1", "a") }).await;
    world.run_for(MINUTE * 2).await;

    let desk = Desk::over(&world).await;
    let view = desk.get("/api/v1/connections/c1").await;
    assert_eq!(view["state"], "draft", "{view}");
    let expected = [("kaonavi.forbidden", "登録"), ("mapping.gender_unmapped", "男性")];
    let results = view["verification"]["result"].as_array().unwrap();
    let whats: Vec<&Value> = results.iter().map(|found| &found["what"]).collect();
    assert_eq!(json!(whats), json!(["credentials", "read", "update", "create", "layout", "mapping"]));
    let (good, bad): (Vec<&Value>, Vec<&Value>) = results.iter().partition(|found| found["ok"] == true);
    for found in good {
        for name in ["code", "title_ja", "title_en", "about", "remedy"] {
            assert_eq!(found[name], Value::Null, "{found}");
        }
    }
    let obstacles: Vec<&Value> = view["problems"].as_array().unwrap().iter().collect();
    for told in [bad, obstacles] {
        assert_eq!(told.len(), expected.len(), "{view}");
        for (told, (code, about)) in told.into_iter().zip(expected) {
            assert_eq!((&told["code"], &told["about"]), (&json!(code), &json!(about)), "{view}");
            assert_eq!(told["remedy"], format!("/docs/errors/{code}"), "{view}");
            assert!(told["title_ja"].is_string() && told["title_en"].is_string(), "{told}");
            // Anybody may read it there.
            let page = desk.serving.send(&ask("GET", told["remedy"].as_str().unwrap(), None)).await;
            assert_eq!(page.status, 200, "{told}");
        }
    }
    let listed = desk.get("/api/v1/connections").await;
    assert_eq!(listed["items"][0]["problems"], view["problems"]);
}

/// Whoever is there already goes on being sent and is in no list of people who need somebody: this one is the report.
#[actix_web::test]
async fn numbers_that_nearly_match_are_reported_by_their_code_whether_somebody_waits_or_not() {
    let mut company = sample::company("a");
    company.members = ["0123", "123"].map(|code| json!({ "code": code, "name": "古い 名前" })).to_vec();
    let mut world = World::new(24, vec![company], no_latency()).await;
    world.link(link("c1", "a")).await;
    world.run_for(MINUTE * 2).await;
    // A member, a hire, and somebody whose number is like no other.
    for (index, number) in [(1, "0123"), (2, "00123"), (3, "E00003")] {
        let at = world.now();
        world.send("c1", record(json!({ "employee_number": number }), index, at)).await;
        world.run_for(MINUTE).await;
    }
    // Once, however often the member changes.
    let at = world.now();
    world.send("c1", record(json!({ "employee_number": "0123", "first_name": "二" }), 1, at)).await;
    world.run_for(MINUTE * 2).await;

    let desk = Desk::over(&world).await;
    let told = |page: &Value| {
        let items = page["items"].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        assert!(items.iter().all(|item| item["code"] == "member.near_miss"), "{page}");
        items.iter().map(|item| (text(&item["employee_id"]), text(&item["kind"]))).collect::<Vec<_>>()
    };
    let owned = |employee: &str, kind: &str| (employee.to_owned(), kind.to_owned());
    let report = desk.get("/api/v1/activity?code=member.near_miss").await;
    assert_eq!(told(&report), [owned("rm_00002", "held"), owned("rm_00001", "warning")], "newest first");
    assert_eq!(detail(&report, "warning"), "•••");
    let all = desk.get("/api/v1/activity").await;
    assert!(all["items"].as_array().unwrap().len() > 2, "without a code it is everything");
    for (list, people) in [("attention", json!(["rm_00002"])), ("activity", json!([]))] {
        let code = if list == "activity" { "member.gone" } else { "member.near_miss" };
        let page = desk.get(&format!("/api/v1/{list}?code={code}&connection=c1")).await;
        let found: Vec<&Value> = page["items"].as_array().unwrap().iter().map(|item| &item["employee_id"]).collect();
        assert_eq!(json!(found), people, "{list}");
    }
    // A page goes on within its code.
    let first = desk.get("/api/v1/activity?code=member.near_miss&limit=1").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = desk.get(&format!("/api/v1/activity?code=member.near_miss&limit=1&cursor={cursor}")).await;
    assert_eq!((told(&first), told(&second)), (vec![owned("rm_00002", "held")], vec![owned("rm_00001", "warning")]));
    assert_eq!(second["next_cursor"], Value::Null);
    // To which number it is near stands in the timeline, for who asks.
    let timeline = desk.get("/api/v1/employees/c1/rm_00001/timeline?reveal=true").await;
    assert_eq!(detail(&timeline, "warning"), "123");
}
