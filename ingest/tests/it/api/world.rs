//! Two companies that must not see each other, and somebody who asks.

use std::time::Duration;

use jiff::civil::date;
use renkei_attendance::codes::Code as MemberCode;
use renkei_attendance::protection::{Closing, Listed, Protection};
use renkei_events::event::Change;
use renkei_ingest::api::Api;
use renkei_runtime::clock::Millis;
use renkei_store::accounts::{self, Credentials};
use renkei_store::activity::{self, Entry};
use renkei_store::attendance::files::{self, NewFile, StoredRow};
use renkei_store::attendance::handwork::{self, Item as Handwork};
use renkei_store::attendance::members::{self, ListedMember};
use renkei_store::attendance::protections::{self, ListedDays};
use renkei_store::connections::{self, Connection, StoredSecret};
use renkei_store::db::{Sql as _, Tx};
use renkei_store::dry_runs::{self, DryRun, End, Progress};
use renkei_store::employees::{self, ConsumedRow, EmployeeKey, Op, RowState, SlimRow};
use renkei_store::link_checks::{self, Wish};
use renkei_store::links::{self, AttendanceSource, Link};
use renkei_store::previews::{self, Item, Shown};
use renkei_store::runs::{Run, RunKind, RunState};
use renkei_store::seal::MasterKey;
use renkei_store::{Store, feeds, runs, tokens};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::support::client::{Answer, Request};
use crate::support::fakes::ManualClock;
use crate::support::sample::{self, SECRET};
use crate::support::serving::{self, Serving};

/// 32 bytes of 7.
const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
/// What カオナビ said about the person who is parked.
pub const MESSAGE: &str = "氏名 髙橋 花子 は登録できません";

/// Whose token is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Nobody,
    Garbage,
    Expired,
    Revoked,
    Own,
    Rival,
    Platform,
    PlatformFor(&'static str),
}

pub struct World {
    pub serving: Serving,
    pub store: Store,
    own: String,
    rival: String,
    platform: String,
    expired: String,
    revoked: String,
    /// The id of a token of `own` that nobody uses.
    pub spare: String,
    /// The account of `own`.
    pub account: String,
    /// A manual run of `own`'s link that has not ended.
    pub run: i64,
    /// A check of a key of `own`.
    pub check: String,
    /// A preview of `own` that is made: `rm_1` would be registered.
    pub preview: String,
    _folder: tempfile::TempDir,
}

impl World {
    /// `acme` and `rival`, each with a connection `{tenant}-c`, credentials, a webhook secret and a parked person `rm_1`.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("renkei.db").display());
        let clock = ManualClock::new();
        let store = Store::open(&url, &MasterKey::parse(KEY).unwrap(), clock.clone()).await.unwrap();
        let account = company(&store, "acme").await;
        company(&store, "rival").await;
        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        let mut made = Vec::new();
        let soon = Some(now + Duration::from_millis(1));
        for (tenant, expires) in [
            (Some("acme"), None),
            (Some("rival"), None),
            (None, None),
            (Some("acme"), soon),
            (Some("acme"), None),
            (Some("acme"), None),
        ] {
            made.push(tokens::create(&store, &tx, tenant, "test", expires, now).await.unwrap());
        }
        tokens::revoke(&tx, None, &made[4].0.id, now).await.unwrap();
        tx.commit().await.unwrap();
        let preview = preview(&store).await;
        let api = Api::new(store.clone(), clock.clone(), serving::outside());
        let serving = serving::start_api(serving::settings(), clock, Some(api)).await;
        let text = |at: usize| made[at].1.expose_secret().to_owned();
        let (own, rival, platform, expired, revoked) = (text(0), text(1), text(2), text(3), text(4));
        let spare = made[5].0.id.clone();
        Self {
            serving,
            store,
            own,
            rival,
            platform,
            expired,
            revoked,
            spare,
            account,
            preview,
            _folder: folder,
            run: 0,
            check: "check-acme".to_owned(),
        }
    }

    /// Turns the switch of `acme-c` on, as a worker does.
    pub async fn switch_on(&self) {
        let tx = self.store.begin().await.unwrap();
        let now = self.store.now_in(&tx).await.unwrap();
        connections::switch_on(&tx, "acme-c", now, None).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A dry run of `rm_1` to which カオナビ said [`MESSAGE`].
    pub async fn rejected_dry_run(&self) {
        let connection = connections::get(&self.store, &self.store.db, "acme-c").await.unwrap();
        let wanted = dry_runs::want(&self.store, &connection, "rm_1", "test").await.unwrap();
        // What a test reads in the audit is its own.
        self.store.db.exec("DELETE FROM audit", vec![]).await.unwrap();
        let progress = Progress::Ended {
            end: End::Rejected,
            code: Some("kaonavi.rejected".to_owned()),
            detail: Some(MESSAGE.to_owned()),
            at: wanted.made,
        };
        let tx = self.store.begin().await.unwrap();
        dry_runs::save(&self.store, &tx, &DryRun { op: Some(Op::Create), progress, ..wanted }).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The same as an operation needs it: whoever cancels a run needs one that has not ended, whoever wants a dry run a
    /// connection that is on, whoever reads one somebody who wanted it.
    pub async fn for_operation(operation: &str) -> Self {
        let mut world = Self::new().await;
        if operation == "cancel_run" {
            let tx = world.store.begin().await.unwrap();
            let now = world.store.now_in(&tx).await.unwrap();
            let run = Run::draft("acme", RunKind::Manual, "acme-l", now);
            world.run = runs::insert(&tx, &run).await.unwrap();
            tx.commit().await.unwrap();
        }
        if matches!(operation, "want_dry_run" | "get_dry_run") {
            world.switch_on().await;
        }
        if operation == "get_dry_run" {
            world.rejected_dry_run().await;
        }
        world
    }

    pub async fn send(&self, who: Who, request: Request) -> Answer {
        // Calls of one token are limited, and the clock stands still.
        self.serving.clock.advance(Duration::from_millis(100));
        self.send_at_once(who, request).await
    }

    pub async fn send_at_once(&self, who: Who, request: Request) -> Answer {
        let token = match who {
            Who::Nobody => return self.serving.send(&request).await,
            Who::Garbage => "rnk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            Who::Expired => &self.expired,
            Who::Revoked => &self.revoked,
            Who::Own => &self.own,
            Who::Rival => &self.rival,
            Who::Platform | Who::PlatformFor(_) => &self.platform,
        };
        let request = request.set("authorization", format!("Bearer {token}"));
        let request = if let Who::PlatformFor(tenant) = who { request.set("renkei-tenant", tenant) } else { request };
        self.serving.send(&request).await
    }

    /// The owner's token.
    pub fn own_token(&self) -> &str {
        &self.own
    }

    /// The answer to the owner's `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Who::Own, ask("GET", path, None)).await
    }

    /// What stands in the audit of `acme`, newest first.
    pub async fn audited(&self) -> Vec<String> {
        let audit = self.get("/api/v1/audit").await.json();
        audit["items"].as_array().unwrap().iter().map(|item| item["action"].as_str().unwrap().to_owned()).collect()
    }
}

/// A request with JSON, or without a body.
pub fn ask(method: &str, path: &str, body: Option<Value>) -> Request {
    let request = Request { method: method.into(), path: path.into(), headers: vec![], body: vec![], chunked: false };
    match body {
        None => request,
        Some(body) => {
            Request { body: body.to_string().into_bytes(), ..request }.set("content-type", "application/json")
        }
    }
}

/// The code and the pointer of a problem, whose form is checked.
pub fn problem(answer: &Answer) -> (String, Option<String>) {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
    let problem = answer.json();
    let code = problem["code"].as_str().unwrap().to_owned();
    assert_eq!(problem["status"], answer.status);
    assert_eq!(problem["type"], format!("/docs/errors/{code}"));
    assert!(problem["title"].is_string() && problem["detail"].is_string());
    (code, problem["pointer"].as_str().map(str::to_owned))
}

async fn company(store: &Store, tenant: &str) -> String {
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    connections::put_tenant(&tx, tenant, tenant, now).await.unwrap();
    let secret = |text: &str| SecretString::from(format!("{text}-{tenant}"));
    let credentials = Credentials { key: secret("consumer-key"), secret: secret("consumer-secret") };
    let account = accounts::fingerprint(store, &credentials.key);
    accounts::put(store, &tx, &account, "https://api.kaonavi.jp/api/v2.0", &credentials, now).await.unwrap();
    let id = format!("{tenant}-c");
    let connection = Connection { account: Some(account.clone()), ..Connection::draft(&id, tenant, "roumumate") };
    connections::put(&tx, &connection, now).await.unwrap();
    let secrets = [StoredSecret { id: "1".to_owned(), secret: SecretString::from(SECRET), expires: None }];
    connections::replace_secrets(store, &tx, &id, &secrets).await.unwrap();
    let minute = Duration::from_secs(60);
    feeds::put(store, &tx, &id, "https://hr.example.com/employees", &secret("feed-token"), minute).await.unwrap();
    let run = Run {
        state: RunState::Ok,
        ended: Some(now),
        counts: [("new".to_owned(), 1)].into(),
        ..Run::draft(tenant, RunKind::Sweep, &id, now)
    };
    runs::insert(&tx, &run).await.unwrap();
    link(store, &tx, tenant, now).await;
    let key = EmployeeKey { connection: id.clone(), employee: "rm_1".to_owned() };
    let row = ConsumedRow {
        slim: SlimRow {
            key,
            number: Some("E0012".to_owned()),
            version: 1,
            position: (0, 1),
            content: "x".to_owned(),
            event_ids: vec![],
            state: RowState::Parked,
            eligible: true,
            left_before: false,
        },
        account: Some(account.clone()),
        change: Change::Updated,
        record: Some(serde_json::from_value(sample::hanako()).unwrap()),
        op: Some(Op::Create),
        reason: Some("kaonavi.rejected".to_owned()),
        detail: Some(MESSAGE.to_owned()),
        received: now,
    };
    employees::put_consumed(store, &tx, &[row], now).await.unwrap();
    let detail = json!({"name": [null, "髙橋 花子"]}).to_string();
    let entry = Entry {
        at: now,
        connection: id,
        employee: Some("rm_1".to_owned()),
        kind: "updated".to_owned(),
        code: None,
        detail: Some(detail),
    };
    activity::add(store, &tx, &[entry]).await.unwrap();
    tx.commit().await.unwrap();
    account
}

async fn preview(store: &Store) -> String {
    let connection = connections::get(store, &store.db, "acme-c").await.unwrap();
    let preview = previews::want(store, &connection, &Shown::Waiting, "test").await.unwrap();
    // What a test reads in the audit is its own.
    store.db.exec("DELETE FROM audit", vec![]).await.unwrap();
    let item = Item {
        employee: "rm_1".to_owned(),
        number: Some("E0012".to_owned()),
        content: "x".to_owned(),
        action: "create".to_owned(),
        code: None,
        fields: [("name".to_owned(), (None, "髙橋 花子".to_owned()))].into(),
    };
    let tx = store.begin().await.unwrap();
    previews::answer(store, &tx, &preview, connection.settings_version, &[item]).await.unwrap();
    tx.commit().await.unwrap();
    preview.id
}

/// A link `{tenant}-l` of attendance, and a check `check-{tenant}` of a key for it.
async fn link(store: &Store, tx: &Tx, tenant: &str, now: Millis) {
    let key = SecretString::from(format!("api-key-{tenant}"));
    let id = format!("{tenant}-l");
    let link = Link {
        settings: json!({"closing": {"kind": "not_used"}}).to_string(),
        ..Link::draft(
            store,
            &id,
            tenant,
            (AttendanceSource::Hrmos, tenant),
            key.clone(),
            jiff::civil::date(2026, 4, 1),
            now,
        )
    };
    links::put(store, tx, &link).await.unwrap();
    let company = tenant.to_owned();
    let key_issued = "2026-04-01".to_owned();
    let wish = Wish { source: link.source, company, key, key_issued, new: None, kept: None };
    link_checks::want(store, tx, &format!("check-{tenant}"), tenant, &id, &wish, now).await.unwrap();
    attendance(store, tx, tenant, &id, now).await;
}

/// A member list, listed days, a file that waits and something to be typed: number 1 of each is `acme`'s, 2 is the rival's.
async fn attendance(store: &Store, tx: &Tx, tenant: &str, link: &str, now: Millis) {
    let code = format!("{tenant}-1");
    let member = ListedMember {
        code: code.clone(),
        own_text: code.clone(),
        name: Some("髙橋 花子".to_owned()),
        first: None,
        last: None,
        active: true,
        lines: vec![2],
    };
    members::replace(store, tx, tenant, &[member], "command", now).await.unwrap();
    let listed = ListedDays {
        id: 0,
        code: code.clone(),
        first: "2026-03-01".to_owned(),
        last: "2026-03-02".to_owned(),
        actor: "command".to_owned(),
        made: now,
    };
    protections::add(tx, link, &listed).await.unwrap();
    let days = (date(2026, 3, 1), date(2026, 3, 2));
    let in_force = Protection {
        closing: Closing::NotUsed,
        listed: vec![Listed::new(MemberCode::new(&code).unwrap(), days.0, days.1).unwrap()],
    }
    .in_force(date(2026, 4, 1));
    let protection = in_force.fingerprint();
    let row = StoredRow { number: 2, code: code.clone(), day: "2026-03-03".to_owned(), content: "x".to_owned() };
    let file = NewFile {
        tenant,
        link,
        run: 1,
        part: (1, 1),
        name: &format!("2026-04-01_{link}_01.csv"),
        protection: protection.as_str(),
        rows: &[row],
        bytes: code.as_bytes(),
    };
    let file = files::insert(store, tx, &file, now).await.unwrap();
    files::open_made(tx, &[file]).await.unwrap();
    let item = Handwork {
        id: 0,
        code,
        day: "2026-03-04".to_owned(),
        reason: "attendance.past_midnight".to_owned(),
        value: "22:00-25:30".to_owned(),
        made: now,
        done: None,
    };
    handwork::put(store, tx, tenant, link, 1, &item, now).await.unwrap();
}
