//! Somebody in HR between a simulated attendance service, Renkei and a simulated クラウドログ.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::civil::{Date, date};
use renkei_ingest::api::Api;
use renkei_sandbox::crowdlog::{CrowdLog, Encoding, Hours, ImportResult, Member, MemberHeaders, PastMidnight};
use renkei_sandbox::hrmos::{Break, Day};
use renkei_simulation::attendance::Attendance;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::api::world::ask;
use crate::support::client::{Answer, Request};
use crate::support::fakes::ManualClock;
use crate::support::serving::{self, Serving};

/// The world begins on this day at 09:00; the first window runs on the next one.
pub const TODAY: Date = date(2026, 4, 1);
pub const FIRST: Date = date(2026, 2, 21);
pub const LINK: &str = "/api/v1/links/l1";
pub const PEOPLE: usize = 30;
/// Our own addresses, as somebody set them.
pub const EGRESS: [&str; 2] = ["203.0.113.7", "2001:db8::7"];

/// A company of HRMOS勤怠, クラウドログ, Renkei between them, and somebody in HR.
pub struct Office {
    pub attendance: Attendance,
    pub crowdlog: CrowdLog,
    serving: Serving,
    token: SecretString,
}

impl Office {
    /// Everybody with a number of their own is a member of クラウドログ; nothing is uploaded or decided yet.
    pub async fn bare() -> Self {
        let attendance = Attendance::sample(PEOPLE, date(2026, 1, 1), date(2026, 4, 30)).await;
        let users = attendance.company("h1", |company| company.users().to_vec()).await;
        Self::over(attendance, users.iter().filter_map(|user| user.number.clone()).collect()).await
    }

    pub async fn over(attendance: Attendance, numbers: BTreeSet<String>) -> Self {
        let mut crowdlog = CrowdLog::new();
        crowdlog.settings_mut().past_midnight = PastMidnight::Accept;
        for number in numbers.iter().filter(|number| !number.trim().is_empty()) {
            crowdlog.add_member(Member::new(number, "見本"));
        }
        let world = &attendance.world;
        let token = serving::token(&world.store, "t1").await;
        let mut api = Api::new(world.store.clone(), world.clock.clone(), serving::outside());
        api.egress_addresses = EGRESS.map(str::to_owned).to_vec();
        let serving = serving::start_api(serving::settings(), ManualClock::new(), Some(api)).await;
        Self { attendance, crowdlog, serving, token }
    }

    /// The same with a member list, with nothing closed, and after the first window.
    pub async fn after_the_first_window() -> Self {
        let mut office = Self::bare().await;
        office.upload_members().await;
        office.settings(json!({"closing": {"kind": "not_used"}})).await;
        office.attendance.run_to(date(2026, 4, 2), 6, 0).await;
        office
    }

    pub async fn call(&mut self, request: Request) -> Answer {
        // Calls of one token are limited.
        self.attendance.world.clock.set(self.attendance.world.now() + Duration::from_millis(50));
        let token = self.token.expose_secret();
        self.serving.send(&request.set("authorization", format!("Bearer {token}"))).await
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.call(ask("GET", &format!("{LINK}/{path}"), None)).await
    }

    pub async fn settings(&mut self, settings: Value) {
        let put = ask("PUT", &format!("{LINK}/settings"), Some(settings)).set("if-match", "*");
        let answer = self.call(put).await;
        assert_eq!(answer.status, 200, "{:?}", answer.json());
        self.settle().await;
    }

    pub async fn upload_members(&mut self) -> Value {
        let list = self.crowdlog.export_members(true, Encoding::ShiftJis, &MemberHeaders::default());
        let put = ask("PUT", "/api/v1/crowdlog/members", None);
        let answer = self.call(Request { body: list, ..put }.set("content-type", "text/csv")).await;
        assert_eq!(answer.status, 200, "{:?}", answer.json());
        self.settle().await;
        answer.json()
    }

    /// The sweeper decides what it has to.
    pub async fn settle(&mut self) {
        self.attendance.run_for(Duration::from_secs(30)).await;
    }

    /// The files that wait, in order.
    pub async fn open(&mut self) -> Vec<Value> {
        let files = self.get("files?limit=200").await.json();
        let mut open: Vec<Value> =
            files["items"].as_array().unwrap().iter().filter(|file| file["state"] == "open").cloned().collect();
        open.sort_by_key(|file| file["id"].as_i64());
        open
    }

    pub async fn download(&mut self, file: &Value) -> Answer {
        self.get(&format!("files/{}", file["id"])).await
    }

    /// What stands in the files that wait: 社員コード and 年月日 → the row.
    pub async fn rows(&mut self) -> BTreeMap<(String, Date), String> {
        let mut rows = BTreeMap::new();
        for file in self.open().await {
            let answer = self.download(&file).await;
            assert_eq!(answer.status, 200, "{file}");
            let text = String::from_utf8(answer.body).unwrap();
            for line in text.trim_start_matches('\u{feff}').lines().skip(1) {
                let cells: Vec<&str> = line.split(',').collect();
                let before = rows.insert((cells[0].to_owned(), cells[1].parse().unwrap()), line.to_owned());
                assert_eq!(before, None, "a day stands in two rows");
            }
        }
        rows
    }

    pub async fn mark(&mut self, file: &Value, refused: &[usize]) -> Value {
        let path = format!("{LINK}/files/{}/mark", file["id"]);
        let answer = self.call(ask("POST", &path, Some(json!({"refused_rows": refused})))).await;
        assert_eq!(answer.status, 200, "{:?}", answer.json());
        answer.json()
    }

    /// Somebody imports all files that wait, and marks each as クラウドログ answered.
    pub async fn import_all(&mut self) -> Vec<ImportResult> {
        let mut results = Vec::new();
        for file in self.open().await {
            let bytes = self.download(&file).await.body;
            let result = self.crowdlog.import(self.attendance.world.now(), &bytes);
            assert_eq!(result.header_error, None);
            self.mark(&file, &result.refused_rows()).await;
            results.push(result);
        }
        self.settle().await;
        results
    }

    /// What クラウドログ must hold, from the source itself: whole days of people with a number of their own.
    pub async fn truth(&self, last: Date) -> BTreeMap<(String, Date), Hours> {
        self.attendance
            .company("h1", |company| {
                let users = company.users().to_vec();
                let mut owners: BTreeMap<String, usize> = BTreeMap::new();
                for number in users.iter().filter_map(|user| user.number.as_ref()) {
                    *owners.entry(number.trim().to_owned()).or_default() += 1;
                }
                let mut truth = BTreeMap::new();
                for user in users.iter().filter(|user| user.number.is_some()) {
                    let number = user.number.as_ref().unwrap().trim().to_owned();
                    if number.is_empty() || owners[&number] > 1 {
                        continue;
                    }
                    let mut day = FIRST.max(user.start_date);
                    let end = user.end_date.map_or(last, |end| end.min(last));
                    while day <= end {
                        if let Some(hours) = company.day(user.id, day).as_ref().and_then(whole) {
                            truth.insert((number.clone(), day), hours);
                        }
                        day = day.tomorrow().unwrap();
                    }
                }
                truth
            })
            .await
    }

    /// The breaks of all days of everybody with a number, by 社員コード, from the source itself: within the day, in order.
    pub async fn breaks(&self) -> BTreeMap<(String, Date), Vec<Hours>> {
        let minutes = |at: i32| u16::try_from(at).unwrap();
        self.attendance
            .company("h1", |company| {
                let mut all = BTreeMap::new();
                for user in company.users().iter().filter(|user| user.number.is_some()) {
                    let number = user.number.as_ref().unwrap().trim().to_owned();
                    let mut date = FIRST;
                    while date <= TODAY {
                        if let Some(day) = company.day(user.id, date)
                            && let (Some(start), Some(end)) = (day.start, day.end)
                        {
                            let whole = |pause: &Break| Some((pause.start?.get(), pause.end?.get()));
                            let within = |(from, to): (i32, i32)| (from.max(start.get()), to.min(end.get()));
                            let mut breaks: Vec<Hours> = day
                                .breaks
                                .iter()
                                .filter_map(whole)
                                .map(within)
                                .filter(|(from, to)| from < to)
                                .map(|(from, to)| Hours { start: minutes(from), end: minutes(to) })
                                .collect();
                            breaks.sort_by_key(|pause| pause.start);
                            all.insert((number.clone(), date), breaks);
                        }
                        date = date.tomorrow().unwrap();
                    }
                }
                all
            })
            .await
    }

    /// The 社員コード of somebody who works by day, the first one.
    pub async fn somebody(&self) -> (i64, String) {
        let user = self.attendance.company("h1", |company| company.users()[0].clone()).await;
        (user.id, user.number.unwrap())
    }
}

/// Start and end of a day that a file can say: it begins on its date, and has 24 hours of work at most.
fn whole(day: &Day) -> Option<Hours> {
    let (start, end) = (day.start?.get(), day.end?.get());
    let breaks: i32 = day
        .breaks
        .iter()
        .map(|pause| pause.end.map_or(0, |end| end.get()) - pause.start.map_or(0, |start| start.get()))
        .sum();
    let minutes = |at: i32| u16::try_from(at).ok();
    (end > start && end - start - breaks <= 1440).then_some(Hours { start: minutes(start)?, end: minutes(end)? })
}

pub fn is_past_midnight(row: &str) -> bool {
    let cells: Vec<&str> = row.split(',').collect();
    let late = |cell: &str| cell.split(['-', '/']).any(|time| time.len() == 5 && *time >= *"24:00");
    late(cells[3]) || late(cells[4])
}
