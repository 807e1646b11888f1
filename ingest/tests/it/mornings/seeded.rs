//! Days of an attendance link, drawn from a seed: hours that are corrected at the source, windows that fail, processes that
//! end, manual runs, cancellations, days that are protected, member lists, files that are imported, thrown away or refused.
//! In the end クラウドログ holds what the source says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::ToSpan as _;
use jiff::civil::Date;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use renkei_sandbox::crowdlog::{Hours, PastMidnight};
use renkei_sandbox::hrmos::{Between, Day, Faults, at as clock};
use renkei_simulation::attendance::at;
use renkei_store::runs::RunKind;
use serde_json::{Value, json};

use super::office::{LINK, Office, PEOPLE, TODAY, is_past_midnight};
use crate::api::world::ask;

/// Mornings of one play; two quiet ones follow.
const MORNINGS: i64 = 7;
/// Its id, whose days, and from when to when.
type Protection = (i64, String, Date, Date);

/// What was done and struck, over all plays.
type Done = BTreeMap<&'static str, u32>;

struct Play {
    office: Office,
    random: StdRng,
    /// The day that begins with the next window.
    today: Date,
    protections: Vec<Protection>,
    rows_per_file: usize,
    skip_nights: bool,
    names: usize,
    /// Days whose window must not run.
    off: BTreeSet<Date>,
    done: Done,
    wrong: Vec<String>,
}

impl Play {
    async fn begin(seed: u64) -> Self {
        let mut office = Office::bare().await;
        office.upload_members().await;
        office.settings(json!({"closing": {"kind": "not_used"}})).await;
        Self {
            office,
            random: StdRng::seed_from_u64(seed),
            today: TODAY,
            protections: Vec::new(),
            rows_per_file: 1000,
            skip_nights: false,
            names: 1,
            off: BTreeSet::new(),
            done: Done::new(),
            wrong: Vec::new(),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    fn a_day(&mut self) -> Date {
        self.today - self.random.random_range(2..30).days()
    }

    /// The 社員コード of somebody whom クラウドログ has.
    async fn a_code(&mut self) -> String {
        let index = self.random.random_range(0..PEOPLE);
        let user = self.office.attendance.company("h1", |company| company.users()[index].clone()).await;
        user.number.filter(|number| !number.trim().is_empty()).unwrap_or_else(|| "E0001".to_owned())
    }

    async fn save(&mut self) {
        let nights = if self.skip_nights { "skip" } else { "extended" };
        let files = json!({"rows_per_file": self.rows_per_file});
        self.office.settings(json!({"closing": {"kind": "not_used"}, "past_midnight": nights, "files": files})).await;
    }

    /// The working day before the window: people correct hours, somebody in HR changes something.
    async fn afternoon(&mut self) {
        for _ in 0..self.random.random_range(0..6) {
            let (day, index) = (self.a_day(), self.random.random_range(0..PEOPLE));
            let start = self.random.random_range(5..11);
            let end = start + self.random.random_range(3..17);
            let now = self.office.attendance.world.now();
            self.office
                .attendance
                .company("h1", |company| {
                    let user = company.users()[index].id;
                    company.set_day(now, user, day, Day::work(clock(start, 0), clock(end, 30)));
                })
                .await;
            self.count("corrected");
            self.office.attendance.run_for(Duration::from_secs(60)).await;
        }
        if self.chance(25) {
            let (code, first) = (self.a_code().await, self.a_day());
            let last = first + self.random.random_range(0..4).days();
            let wish = json!({"code": code, "from": first.to_string(), "to": last.to_string()});
            let answer = self.office.call(ask("POST", &format!("{LINK}/protections"), Some(wish))).await;
            assert_eq!(answer.status, 201, "{:?}", answer.json());
            self.protections.push((answer.json()["id"].as_i64().unwrap(), code, first, last));
            self.count("protected");
        } else if self.chance(25) && !self.protections.is_empty() {
            let (id, ..) = self.protections.remove(0);
            self.unprotect(id).await;
        }
        if self.chance(20) {
            self.rows_per_file = self.random.random_range(50..400);
            self.save().await;
        }
        if self.chance(20) {
            self.skip_nights = !self.skip_nights;
            self.save().await;
            self.count("nights by hand");
        }
        if self.chance(25) {
            self.office.upload_members().await;
            self.count("members");
        }
        if self.chance(25) {
            self.manual().await;
        }
    }

    async fn unprotect(&mut self, id: i64) {
        let answer = self.office.call(ask("DELETE", &format!("{LINK}/protections/{id}"), None)).await;
        assert_eq!(answer.status, 204);
        self.office.settle().await;
    }

    /// A manual run, which is sometimes cancelled, and refused while another one waits.
    async fn manual(&mut self) {
        let first = self.a_day();
        let last = (first + self.random.random_range(0..12).days()).min(self.today);
        let wish = json!({"first_day": first.to_string(), "last_day": last.to_string()});
        let answer = self.office.call(ask("POST", &format!("{LINK}/runs"), Some(wish))).await;
        if answer.status == 409 {
            return;
        }
        assert_eq!(answer.status, 202, "{:?}", answer.json());
        self.count("manual run");
        let wait = Duration::from_millis(self.random.random_range(1_000..20_000));
        self.office.attendance.run_for(wait).await;
        let run = self.office.attendance.runs().await.pop().unwrap();
        if self.chance(40) && run.kind == RunKind::Manual {
            let answer = self.office.call(ask("POST", &format!("/api/v1/runs/{}/cancel", run.id), None)).await;
            if answer.status / 100 == 2 {
                self.count("cancelled");
            }
        }
        self.office.attendance.run_for(Duration::from_secs(600)).await;
    }

    /// What goes wrong in the night, and the window.
    async fn night(&mut self) {
        self.today = self.today.tomorrow().unwrap();
        if self.chance(12) {
            self.office.call(ask("PATCH", LINK, Some(json!({"auto": false}))).set("if-match", "*")).await;
            self.off.insert(self.today);
            self.count("自動同期 off");
        }
        self.office.attendance.run_to(self.today, 4, 59).await;
        if self.chance(60) {
            let faults = self.faults();
            self.office.attendance.company("h1", |company| company.fault(|order| *order = faults)).await;
            self.count("source");
        }
        let closed = self.chance(15);
        if closed {
            self.office.attendance.close_the_book();
            self.count("book behind");
        }
        if self.chance(40) {
            // In the midst of the window, or before it.
            let seconds = self.random.random_range(0..140);
            self.office.attendance.run_until(at(self.today, 4, 59) + Duration::from_secs(seconds)).await;
            self.office.attendance.processes.clear();
            self.count("process died");
            let minutes = self.random.random_range(1..180);
            self.office.attendance.run_for(Duration::from_secs(minutes * 60)).await;
            self.names += 1;
            self.office.attendance.start(&format!("s{}", self.names));
        } else if self.chance(20) {
            self.names += 1;
            self.office.attendance.start(&format!("s{}", self.names));
        }
        self.office.attendance.run_to(self.today, 9, 0).await;
        if closed {
            self.office.attendance.keep_the_book();
            self.office.attendance.run_for(Duration::from_secs(60)).await;
        }
        if self.off.contains(&self.today) {
            let runs = self.office.attendance.runs().await;
            let begun = at(self.today, 5, 0);
            if runs.iter().any(|run| run.kind == RunKind::Window && run.started >= begun) {
                self.wrong.push(format!("i6: a window ran on {} though 自動同期 was off", self.today));
            }
            self.office.call(ask("PATCH", LINK, Some(json!({"auto": true}))).set("if-match", "*")).await;
        }
    }

    fn faults(&mut self) -> Faults {
        let after = self.random.random_range(0..30);
        let few = self.random.random_range(1..5);
        match self.random.random_range(0..9) {
            0 => Faults { after, server_errors: few, ..Faults::default() },
            1 => Faults { after, resets: few, ..Faults::default() },
            2 => Faults { after, too_many: few, ..Faults::default() },
            3 => Faults { after, cut_bodies: few, ..Faults::default() },
            4 => Faults { after, without_totals: few, ..Faults::default() },
            5 => Faults { after, unauthorized: 1, ..Faults::default() },
            6 => Faults { between_pages: Some(Between::RowWent), ..Faults::default() },
            7 => Faults { after, html_answers: few, ..Faults::default() },
            _ => {
                let minutes = self.random.random_range(1..200);
                Faults {
                    unavailable_until: Some(at(self.today, 5, 0) + Duration::from_secs(minutes * 60)),
                    ..Faults::default()
                }
            }
        }
    }

    /// Somebody comes to work and imports all, some or nothing.
    async fn morning(&mut self) {
        let refuse = self.chance(25);
        self.office.crowdlog.settings_mut().past_midnight =
            if refuse { PastMidnight::Refuse } else { PastMidnight::Accept };
        self.look_at_the_files().await;
        match self.random.random_range(0..4) {
            0 => self.count("thrown away"),
            1 => {
                // One file, and the others some other day.
                if let Some(file) = self.office.open().await.into_iter().next() {
                    let bytes = self.office.download(&file).await.body;
                    let result = self.office.crowdlog.import(self.office.attendance.world.now(), &bytes);
                    self.office.mark(&file, &result.refused_rows()).await;
                    self.office.settle().await;
                    self.count("one file");
                }
            }
            _ => {
                let results = self.office.import_all().await;
                if results.iter().any(|result| !result.refused_rows().is_empty()) {
                    self.count("rows refused");
                }
            }
        }
    }

    /// I10: what is protected is in no file that can be taken. No day is in two of them.
    async fn look_at_the_files(&mut self) {
        self.office.settle().await;
        let rows = self.office.rows().await;
        for ((code, day), row) in rows {
            let covers = |it: &&Protection| it.1 == code && (it.2..=it.3).contains(&day);
            if let Some(protection) = self.protections.iter().find(covers) {
                self.wrong.push(format!("i10: {day} of {code} is in a file, protected by {protection:?}"));
            }
            if self.skip_nights && is_past_midnight(&row) {
                self.wrong.push(format!("a night is in a file: {row}"));
            }
        }
    }

    /// Everything works, nothing is protected, and two windows later all files are imported.
    async fn end(&mut self) {
        self.office.crowdlog.settings_mut().past_midnight = PastMidnight::Accept;
        self.office.attendance.company("h1", |company| company.fault(|faults| *faults = Faults::default())).await;
        for (id, ..) in std::mem::take(&mut self.protections) {
            self.unprotect(id).await;
        }
        (self.skip_nights, self.rows_per_file) = (false, 1000);
        self.save().await;
        self.office.upload_members().await;
        for _ in 0..2 {
            self.today = self.today.tomorrow().unwrap();
            self.office.attendance.run_to(self.today, 6, 0).await;
        }
        self.look_at_the_files().await;
        self.office.import_all().await;
        let open = self.office.open().await;
        if open != [] as [Value; 0] {
            self.wrong.push(format!("{} files wait although all were imported", open.len()));
        }
    }

    async fn compare(&mut self) {
        // Of the last day nights are still open at 05:00.
        let (first, last) = (self.today - 40.days(), self.today - 2.days());
        let within = |day: &Date| (first..=last).contains(day);
        let truth = self.office.truth(last).await;
        let truth: BTreeMap<(String, Date), Hours> = truth.into_iter().filter(|((_, day), _)| within(day)).collect();
        let held: BTreeMap<(String, Date), Hours> = self
            .office
            .crowdlog
            .timesheets()
            .into_iter()
            .filter(|((_, day), _)| within(day))
            .map(|((code, day), stored)| ((code.to_owned(), day), stored.hours.unwrap()))
            .collect();
        assert!(truth.len() > 300, "{}", truth.len());
        for (key, hours) in &truth {
            if held.get(key) != Some(hours) {
                self.wrong.push(format!("lost: {key:?} is {:?} and not {hours:?}", held.get(key)));
            }
        }
        for key in held.keys().filter(|key| !truth.contains_key(key)) {
            let there = |company: &mut renkei_sandbox::hrmos::Company| {
                let mut owners = company.users().to_vec();
                owners.retain(|user| user.number.as_deref().is_some_and(|number| number.trim() == key.0));
                owners.iter().map(|user| company.day(user.id, key.1)).collect::<Vec<_>>()
            };
            let at_source = self.office.attendance.company("h1", there).await;
            self.wrong.push(format!("unasked: {key:?} is {:?}, at the source {at_source:?}", held[key]));
        }
        let (writes, peak) = self
            .office
            .attendance
            .company("h1", |company| (company.stats().writes, company.log().stats().peak_per_minute))
            .await;
        if writes > 0 {
            self.wrong.push(format!("i10: {writes} calls would change something at the source"));
        }
        if peak > 60 {
            self.wrong.push(format!("{peak} calls in a minute"));
        }
    }
}

async fn judge(seeds: std::ops::Range<u64>) {
    let (mut done, mut wrong) = (Done::new(), Vec::new());
    for seed in seeds {
        // Whatever stops the test is told together with what it was about.
        println!("seed {seed}");
        let mut play = Play::begin(seed).await;
        for _ in 0..MORNINGS {
            play.afternoon().await;
            play.night().await;
            play.morning().await;
        }
        play.end().await;
        play.compare().await;
        for (what, count) in play.done {
            *done.entry(what).or_default() += count;
        }
        wrong.extend(play.wrong.into_iter().map(|what| format!("seed {seed}: {what}")));
    }
    println!("{done:?}");
    assert!(wrong.is_empty(), "{}", wrong[..wrong.len().min(40)].join("\n"));
    for what in ["corrected", "protected", "manual run", "source", "process died", "thrown away", "one file", "members"]
    {
        assert!(done.get(what).is_some_and(|count| *count > 0), "{what} never: {done:?}");
    }
}

#[actix_web::test]
async fn i6_i10_days_of_a_link_end_with_the_timesheets_of_the_source() {
    judge(0..4).await;
}

#[actix_web::test]
#[ignore = "prove: longer"]
async fn prove_i6_i10_days_of_a_link_end_with_the_timesheets_of_the_source() {
    judge(100..160).await;
}
