//! The role `sweep` in a process of its own, as the manifests start it: it alone asks the sources, and カオナビ is the
//! other process's.

use std::collections::BTreeSet;
use std::time::Duration;

use renkei_sandbox::feed::{self, Feed, Late};
use renkei_sandbox::hrmos::{self, Day, Hrmos, User, at};
use renkei_sandbox::send;
use renkei_workers::sweep::calendar;
use serde_json::{Value, json};

use crate::support::outside::Served;
use crate::support::people::person;
use crate::support::records::read_topic;
use crate::support::servers::kafka;
use crate::support::world::{LogKind, Setup, StoreKind, World};
use crate::support::{block, pause, runtime, until};

const SOON: Duration = Duration::from_secs(60);
/// The longest end.
const END: Duration = Duration::from_secs(10);
const SWEEP: &str = "sweep";
const OTHERS: &str = "members,notify";

fn installation() -> World {
    World::new(Setup { store: StoreKind::Postgres, log: LogKind::Kafka, ..Setup::default() })
}

/// Somebody is hired or changed at the source, who tells nobody.
fn tell_the_feed(world: &World, source: &feed::Shared, employee: &Value) {
    let record = employee.as_object().unwrap().clone();
    source.blocking_lock().company("acme").unwrap().put(world.sim.now(), record).unwrap();
}

/// Waits until so many sweeps came to their end. One more may come: a real quarter hour.
fn wait_sweeps(world: &World, count: i64) {
    until(SOON, &format!("{count} sweeps ended"), || {
        let ended = world.sql("select sweeps from feeds where connection_id = 'acme'");
        ended.parse::<i64>().is_ok_and(|ended| ended >= count)
    });
}

#[test]
fn what_a_process_that_only_sweeps_finds_goes_to_kaonavi_by_the_other_one() {
    let mut world = installation();
    let mut source = Feed::new();
    let settings = feed::Settings { late: Late::Never, ..feed::Settings::default() };
    let token = "feed-token".to_owned();
    source.add(feed::CompanySpec { id: "acme".to_owned(), token: token.clone(), settings }).unwrap();
    let source = source.shared();
    let served = Served::start(source.clone());

    // The connection is switched on by those who may speak with カオナビ, who then end.
    world.start_ingest();
    world.start_workers_as(OTHERS);
    world.activate();
    let others = world.workers.remove(0);
    let ended = others.program.terminate(END).and_then(|status| status.code());
    assert_eq!(ended, Some(0), "{}", others.program.output());
    let calls = world.sim.stats("acme").calls;

    tell_the_feed(&world, &source, &person("rm_1", "A0001"));
    world.folder.write("acme.feed", &token).unwrap();
    let url = format!("{}{}", served.origin, Feed::path("acme"));
    let text = format!("{}        feed: {{ url: \"{url}\", token: {{ file: acme.feed }} }}\n", world.file());
    let applied = world.apply_text(&text, &[]);
    assert_eq!(applied.code, Some(0), "{}", applied.stderr);
    pause(1_000);
    assert_eq!(source.blocking_lock().company("acme").unwrap().log().total(), 0, "nobody else asks the source");

    world.start_workers_as(SWEEP);
    wait_sweeps(&world, 1);
    let topic = format!("{}renkei.employee.v1", world.topic_prefix);
    let swept = || {
        let seen = read_topic(&kafka().bootstrap(), &topic);
        let ids: BTreeSet<String> = seen.iter().map(|record| record.header("ce_id")).collect();
        ids.iter().filter(|id| id.starts_with("sweep/")).count()
    };
    assert_eq!(swept(), 1, "what it found is on the log");
    // Long enough for whoever had the role to take it from there.
    pause(3_000);
    assert_eq!(world.sql("select count(*) from employees"), "0", "nobody takes it from there");
    assert_eq!(world.sim.stats("acme").calls, calls, "it does not speak with カオナビ");

    world.start_workers_as(OTHERS);
    world.wait_member("acme", "A0001", SOON);

    // Side by side: what changes next is found at the next quarter hour, which is now.
    tell_the_feed(&world, &source, &person("rm_2", "A0002"));
    world.sql("update jobs set due_ms = 0 where name = 'feed_sweep:acme'");
    wait_sweeps(&world, 2);
    world.wait_member("acme", "A0002", SOON);
    world.wait_people("acme", &["synced"], 2, SOON);
    assert_eq!((swept(), world.sim.stats("acme").accepted_rows), (2, 2), "each was found once and sent once");
    world.sim.assert_within_limits("acme");
}

/// The REST API in the hands of somebody of the tenant.
struct Api {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Api {
    fn of(world: &World) -> Self {
        let made = world.run("renkei-ingest", &["token", "create", "--tenant", "tenant", "--name", "HR"]);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        // The client needs a crypto provider, which the runtime installs.
        runtime();
        let url = format!("http://127.0.0.1:{}/api/v1", world.listen);
        Self { client: send::client().unwrap(), url, token: made.stdout.trim().to_owned() }
    }

    #[track_caller]
    fn ask(&self, request: reqwest::RequestBuilder) -> Value {
        let (status, text) = block(async {
            let answer = request.bearer_auth(&self.token).send().await.unwrap();
            (answer.status(), answer.text().await.unwrap())
        });
        assert!(status.is_success(), "{status}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        self.ask(self.client.get(format!("{}/{path}", self.url)))
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        self.ask(self.client.post(format!("{}/{path}", self.url)).json(body))
    }
}

/// Makes a link to HRMOS勤怠, which is there once somebody has tried the key.
fn link(api: &Api, company: &str, key: &str) {
    let options = api.get("link-options");
    let stated: Vec<&Value> = options["statements"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    let wish = json!({
        "id": "kintai", "name": "勤怠", "source": "hrmos", "company": company, "api_key": key, "stated": stated,
    });
    let mut check = api.post("links", &wish);
    let path = format!("link-checks/{}", check["id"].as_str().unwrap());
    until(SOON, "the key is tried", || {
        check = api.get(&path);
        check["state"] != "wanted"
    });
    assert_eq!(check["state"], "accepted", "{check}");
}

#[test]
fn a_process_that_only_sweeps_reads_a_manual_run_into_the_book() {
    let mut world = installation();
    let now = world.sim.now();
    let day = calendar::today(now).yesterday().unwrap();
    let worked = || Day::work(at(9, 0), at(18, 0)).pause(at(12, 0), at(13, 0));
    let company = hrmos::CompanySpec::new("acme", now)
        .user(User::new(101, Some("P0001"), "試験", "花子"))
        .user(User::new(102, Some("P0002"), "試験", "太郎"))
        .day(101, day, worked())
        .day(102, day, worked());
    let key = company.key.0.clone();
    let source = Hrmos::new().with(company).unwrap().shared();
    let served = Served::start(source.clone());
    world.set("RENKEI_HRMOS_BASE_URL", &served.origin);

    // The file's connection waits to be verified, which is not this role's either.
    world.start_ingest();
    let applied = world.apply_text(&world.file(), &[]);
    assert_eq!(applied.code, Some(0), "{}", applied.stderr);
    world.start_workers_as(SWEEP);

    let api = Api::of(&world);
    link(&api, "acme", &key);
    api.post("links/kintai/runs", &json!({ "first_day": day.to_string(), "last_day": day.to_string() }));
    let mut run = Value::Null;
    until(SOON, "the run ends", || {
        run = api.get("runs?connection=kintai")["items"][0].clone();
        !run["ended"].is_null()
    });
    assert_eq!(run["kind"], "manual", "{run}");
    assert!(run["state"] != "failed" && run["state"] != "cancelled", "{run}");
    assert_eq!(run["counts"]["rows"], 2, "{run}");
    let book = format!("select string_agg(code, ' ' order by code) from attendance_days where day = '{day}'");
    assert_eq!(world.sql(&book), "P0001 P0002", "the book has both days");
    let stats = {
        let mut source = source.blocking_lock();
        source.company("acme").unwrap().log().stats().clone()
    };
    assert_eq!(stats.writes, 0, "it only reads: {stats:?}");
    assert_eq!(world.sim.stats("acme").calls, 0, "it does not speak with カオナビ");
    assert_ne!(world.connection("acme")["state"], "active", "nobody has verified it");
}
