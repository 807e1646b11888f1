//! The simulator over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that can not go on ends here")]

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use renkei_runtime::clock::{Clock, Millis, SystemClock};
use renkei_sandbox::kaonavi::{Faults, Kaonavi, Settings, Shared, http, sample};
use serde_json::{Value, json};

struct Served {
    base: String,
    kaonavi: Shared,
    clock: Arc<dyn Clock>,
    client: reqwest::Client,
    handle: actix_web::dev::ServerHandle,
}

impl Served {
    fn start(scale: u32, change: impl FnOnce(&mut Kaonavi)) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::scaled(Millis::from(SystemClock::real().wall()), scale));
        let mut kaonavi = Kaonavi::new();
        kaonavi.add(sample::company("c1")).unwrap();
        change(&mut kaonavi);
        let kaonavi = kaonavi.shared();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = http::serve(listener, kaonavi.clone(), clock.clone()).unwrap();
        let handle = server.handle();
        tokio::spawn(server);
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        Self { base, kaonavi, clock, client, handle }
    }

    async fn token(&self, id: &str) -> String {
        let request = self.client.post(format!("{}/api/v2.0/token", self.base));
        let request = request.basic_auth(format!("key-{id}"), Some(format!("secret-{id}")));
        let answer = request.form(&[("grant_type", "client_credentials")]).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let body: Value = answer.json().await.unwrap();
        body["access_token"].as_str().unwrap().to_owned()
    }

    fn write(&self, token: &str, rows: &Value) -> reqwest::RequestBuilder {
        let request = self.client.post(format!("{}/api/v2.0/members", self.base));
        request.header("Kaonavi-Token", token).json(&json!({ "member_data": rows }))
    }

    fn read(&self, token: &str, resource: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}/api/v2.0/{resource}", self.base)).header("Kaonavi-Token", token)
    }

    async fn admin(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self.client.post(format!("{}/admin/{path}", self.base)).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn fault(&self, order: impl FnOnce(&mut Faults)) {
        let mut kaonavi = self.kaonavi.lock().await;
        let now = self.clock.now();
        let company = kaonavi.company(now, "c1").unwrap();
        let mut faults = company.faults().clone();
        order(&mut faults);
        company.set_faults(now, faults);
    }
}

fn people(codes: &[&str]) -> Value {
    codes.iter().map(|code| json!({ "code": code, "name": "髙𠮷 太郎" })).collect()
}

#[tokio::test]
async fn a_member_arrives_by_http_at_sixty_times_the_speed() {
    let served = Served::start(60, |_| {});
    let token = served.token("c1").await;
    let answer: Value = served.write(&token, &people(&["A1"])).send().await.unwrap().json().await.unwrap();
    let task = answer["task_id"].as_i64().unwrap();
    let mut status = String::new();
    for _ in 0..100 {
        let body: Value = served.read(&token, &format!("tasks/{task}")).send().await.unwrap().json().await.unwrap();
        body["status"].as_str().unwrap().clone_into(&mut status);
        if status == "OK" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(status, "OK");
    let members: Value = served.read(&token, "members").send().await.unwrap().json().await.unwrap();
    assert_eq!(members["member_data"][0]["name"], "髙𠮷 太郎");
    let page = served.client.get(format!("{}/", served.base)).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("髙𠮷 太郎") && page.contains("POST /api/v2.0/members"));
    served.handle.stop(false).await;
}

#[tokio::test]
async fn a_reset_after_acceptance_leaves_a_task_and_no_answer() {
    let served = Served::start(1, |_| {});
    let token = served.token("c1").await;
    served.fault(|faults| faults.reset_after_acceptance = 1).await;
    assert!(served.write(&token, &people(&["A1"])).send().await.is_err());
    let mut kaonavi = served.kaonavi.lock().await;
    let company = kaonavi.company(served.clock.now(), "c1").unwrap();
    assert_eq!(company.tasks().count(), 1);
    let call = company.log().update_calls().next_back().unwrap();
    assert_eq!((call.status, call.accepted, call.codes.as_slice()), (0, true, ["A1".to_owned()].as_slice()));
    drop(kaonavi);
    // The connection pool goes on to work.
    assert_eq!(served.read(&token, "members").send().await.unwrap().status(), 200);
    served.handle.stop(false).await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_by_413_and_stays_readable() {
    let served = Served::start(1, |kaonavi| {
        let settings = Settings { max_body: 64 * 1024, ..Settings::default() };
        let now = Millis(0);
        kaonavi.company(now, "c1").unwrap().set_settings(now, settings);
    });
    let token = served.token("c1").await;
    let rows: Value = (0..200_000).map(|number| json!({ "code": number.to_string(), "name": "長い名前" })).collect();
    let answer = served.write(&token, &rows).send().await.unwrap();
    assert_eq!(answer.status(), 413);
    assert!(answer.json::<Value>().await.unwrap()["errors"].is_array());
    served.handle.stop(false).await;
}

#[tokio::test]
async fn slow_answers_and_slow_bodies_take_their_time() {
    let served = Served::start(10, |_| {});
    let token = served.token("c1").await;
    served.fault(|faults| (faults.slow_answers, faults.slow_answer_ms) = (1, 3_000)).await;
    let start = tokio::time::Instant::now();
    assert_eq!(served.read(&token, "members").send().await.unwrap().status(), 200);
    assert!(start.elapsed() >= Duration::from_millis(300), "{:?}", start.elapsed());
    served.fault(|faults| (faults.members_body_ms, faults.members_padding) = (3_000, 1_000_000)).await;
    let start = tokio::time::Instant::now();
    let body: Value = served.read(&token, "members").send().await.unwrap().json().await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(300) && body["member_data"].is_array());
    served
        .fault(|faults| *faults = Faults { slow_arrival_percent: 100, slow_arrival_ms: 2_000, ..Faults::default() })
        .await;
    let start = tokio::time::Instant::now();
    served.write(&token, &people(&["A1"])).send().await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(200));
    served.handle.stop(false).await;
}

#[tokio::test]
async fn operators_make_companies_and_play_the_outside() {
    let served = Served::start(1, |_| {});
    let spec = json!({
        "id": "new", "consumer_key": "key-new", "consumer_secret": "secret-new",
        "permissions": { "members": ["取得", "update", "登録"] },
        "members": [{ "code": "0042", "name": "既存 一郎" }],
    });
    assert_eq!(served.admin("companies", spec.clone()).await.0, 201);
    assert_eq!(served.admin("companies", spec).await.0, 409);
    assert_eq!(served.admin("companies", json!({ "id": "x" })).await.0, 400);
    let token = served.token("new").await;
    let row = json!([{ "code": "0042", "name": "外部 二郎" }]);
    assert_eq!(served.admin("companies/new/members", json!({ "member_data": row })).await.1, json!({ "written": 1 }));
    assert_eq!(
        served.admin("companies/new/outside_traffic", json!({ "updates": 5 })).await.1,
        json!({ "slots_taken": 5 })
    );
    assert_eq!(served.write(&token, &people(&["A1"])).send().await.unwrap().status(), 429);
    assert_eq!(served.admin("companies/new/faults", json!({ "html_reads": 1 })).await.1["html_reads"], 1);
    assert_eq!(served.admin("companies/new/faults", json!({ "no_such_fault": 1 })).await.0, 400);
    assert_eq!(
        served.admin("companies/new/settings", json!({ "updates_per_minute": 6 })).await.1["updates_per_minute"],
        6
    );
    assert_eq!(served.admin("companies/none/settings", json!({})).await.0, 404);
    let answer = served.read(&token, "members").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/html; charset=UTF-8");
    let url = format!("{}/admin/companies/new", served.base);
    let seen: Value = served.client.get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!(seen["member_data"][0]["name"], "外部 二郎");
    assert_eq!(seen["stats"]["refused_429"], 1);
    let calls: Value =
        served.client.get(format!("{url}/calls?updates=true")).send().await.unwrap().json().await.unwrap();
    assert_eq!((calls["calls"][0]["status"].as_u64(), &calls["calls"][0]["codes"]), (Some(429), &json!(["A1"])));
    let deletion = served.client.delete(format!("{url}/members/0042")).send().await.unwrap();
    assert_eq!(deletion.status(), 200);
    let keys = json!({ "consumer_key": "key-2", "consumer_secret": "secret-2" });
    assert_eq!(served.admin("companies/new/reissue", keys).await.0, 200);
    assert_eq!(served.read(&token, "members").send().await.unwrap().status(), 401);
    served.handle.stop(false).await;
}

#[tokio::test]
async fn two_hundred_companies_keep_apart() {
    let served = Served::start(1, |kaonavi| {
        for number in 0..200 {
            kaonavi.add(sample::company(&format!("n{number}"))).unwrap();
        }
    });
    let calls = (0..200).map(|number| {
        let served = &served;
        async move {
            let token = served.token(&format!("n{number}")).await;
            served.write(&token, &people(&["A1"])).send().await.unwrap().status()
        }
    });
    let statuses = futures::future::join_all(calls).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    served.handle.stop(false).await;
}
