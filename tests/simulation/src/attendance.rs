//! A source of attendance beside a [`World`], with the processes that read it and keep the book.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use renkei_events::topic::Topic;
use renkei_log::embedded::EmbeddedReader;
use renkei_runtime::clock::{Clock, Millis};
use renkei_sandbox::hrmos::{self, CompanySpec, Hrmos, sample};
use renkei_sandbox::kaonavi;
use renkei_sandbox::kingoftime::{self, KingOfTime};
use renkei_sandbox::transport::{Hosts, no_latency};
use renkei_store::attendance::book::{self, BookDay};
use renkei_store::links::{self, AttendanceSource, Link};
use renkei_store::runs::{self, Run};
use renkei_workers::attendance::consume::{BookKeeper, GROUP};
use renkei_workers::attendance::run::Sources;
use renkei_workers::context::{Context, NextWake};
use renkei_workers::sweep::{SweepSettings, Sweeper, calendar};
use secrecy::SecretString;

use crate::source::no_sooner;
use crate::world::World;

const ORIGIN: &str = "http://hrmos.test";
const KINGOFTIME: &str = "http://kingoftime.test";
const KINKAKUJI: &str = "http://kinkakuji.test";

/// One process with the sweeper's role.
pub struct Process {
    /// What its steps are handed.
    pub context: Context,
    /// The role.
    pub sweeper: Sweeper,
}

/// HRMOS勤怠 beside a world.
pub struct Attendance {
    /// Store, log and clock.
    pub world: World,
    /// The source.
    pub hrmos: hrmos::Shared,
    /// KING OF TIME.
    pub kingoftime: kingoftime::Shared,
    /// 勤革時.
    pub kinkakuji: kingoftime::Shared,
    /// The way to them.
    pub hosts: Arc<Hosts>,
    /// The processes that ask it; the first one keeps the book.
    pub processes: Vec<Process>,
    keeper: Option<BookKeeper>,
}

impl Attendance {
    /// A company `h1` of HRMOS勤怠 and a link `l1` to it, asked by one process.
    pub async fn with(company: CompanySpec) -> Self {
        let world = World::new(7, vec![kaonavi::sample::company("a")], no_latency()).await;
        let hrmos = Hrmos::new().with(company).unwrap().shared();
        let clock: Arc<dyn Clock> = world.clock.clone();
        let (kingoftime, kinkakuji) = (KingOfTime::new().shared(), KingOfTime::new().shared());
        let hosts = Hosts::new(clock, no_latency()).with(ORIGIN, hrmos.clone());
        let hosts = Arc::new(hosts.with(KINGOFTIME, kingoftime.clone()).with(KINKAKUJI, kinkakuji.clone()));
        let mut attendance = Self { world, hrmos, kingoftime, kinkakuji, hosts, processes: Vec::new(), keeper: None };
        attendance.start("s1");
        attendance.keep_the_book();
        attendance.link("l1", "h1", AttendanceSource::Hrmos).await;
        attendance
    }

    /// A company `k1` of KING OF TIME and a link `l1` to it, asked by one process.
    pub async fn with_kingoftime(company: kingoftime::CompanySpec) -> Self {
        let nobody = CompanySpec::new("h1", Millis(0));
        let mut attendance = Self::with(nobody).await;
        let tx = attendance.world.store.begin().await.unwrap();
        links::remove(&tx, "l1", attendance.world.now()).await.unwrap();
        tx.commit().await.unwrap();
        attendance.kingoftime.lock().await.add(company).unwrap();
        attendance.link("l1", "k1", AttendanceSource::Kingoftime).await;
        attendance
    }

    /// A sample company of so many people, with days from `first` to `last`.
    pub async fn sample(people: usize, first: Date, last: Date) -> Self {
        Self::with(sample::company("h1", people, first, last, 11)).await
    }

    /// Starts a process.
    pub fn start(&mut self, name: &str) {
        let context = Context { transport: self.hosts.clone(), ..self.world.workers[0].context.clone() };
        let sources =
            Sources { hrmos: ORIGIN.to_owned(), kingoftime: KINGOFTIME.to_owned(), kinkakuji: KINKAKUJI.to_owned() };
        let settings = SweepSettings { sources, ..SweepSettings::default() };
        let sweeper = Sweeper::new(&context, Arc::new(self.world.log.clone()), name.to_owned(), settings);
        self.processes.push(Process { context, sweeper });
    }

    /// Somebody writes what is on the log into the book.
    pub fn keep_the_book(&mut self) {
        let clock: Arc<dyn Clock> = self.world.clock.clone();
        let reader = EmbeddedReader::new(self.world.store.clone(), clock, Topic::Attendance, GROUP, false);
        let log = Arc::new(self.world.log.clone());
        self.keeper = Some(BookKeeper::new(self.world.workers[0].context.clone(), Box::new(reader), log));
    }

    /// Nobody does.
    pub fn close_the_book(&mut self) {
        self.keeper = None;
    }

    /// Makes a link and puts its window on the calendar.
    pub async fn link(&mut self, id: &str, company: &str, source: AttendanceSource) {
        let store = &self.world.store;
        let key = SecretString::from(match source {
            AttendanceSource::Hrmos => sample::key(company),
            AttendanceSource::Kingoftime | AttendanceSource::Kinkakuji => kingoftime::sample::token(company),
        });
        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        renkei_store::connections::put_tenant(&tx, "t1", "テスト", now).await.unwrap();
        let link = Link::draft(store, id, "t1", (source, company), key, calendar::today(now), now);
        links::put(store, &tx, &link).await.unwrap();
        let slot = calendar::next_daily(now, renkei_workers::attendance::run::AT);
        links::plan_window(&tx, &link, slot).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Somebody starts a manual run.
    pub async fn manual(&mut self, link: &str, first: Date, last: Date) {
        let store = &self.world.store;
        let known = self.the_link(link).await;
        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        links::plan_manual(&tx, &known, (first, last), "token:1", now).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A link as it is now.
    pub async fn the_link(&self, id: &str) -> Link {
        links::find(&self.world.store, &self.world.store.db, id).await.unwrap().unwrap()
    }

    /// All runs, oldest first.
    pub async fn runs(&self) -> Vec<Run> {
        let mut all = runs::page(&self.world.store.db, "t1", &[], i64::MAX, 1000).await.unwrap();
        all.reverse();
        all
    }

    /// The days of a link on one date.
    pub async fn book(&self, link: &str, day: Date) -> Vec<BookDay> {
        book::of_date(&self.world.store, &self.world.store.db, link, &day.to_string(), "", 10_000).await.unwrap()
    }

    /// Looks at the source's company, or changes it.
    pub async fn company<T>(&self, id: &str, look: impl FnOnce(&mut hrmos::Company) -> T) -> T {
        look(self.hrmos.lock().await.company(id).unwrap())
    }

    /// Looks at a company of KING OF TIME, or changes it.
    pub async fn at_kingoftime<T>(&self, id: &str, look: impl FnOnce(&mut kingoftime::Company) -> T) -> T {
        look(self.kingoftime.lock().await.company(id).unwrap())
    }

    /// Lets time pass until `until`.
    pub async fn run_until(&mut self, until: Millis) {
        loop {
            let mut next = until;
            if let Some(keeper) = &mut self.keeper {
                while keeper.step(Duration::ZERO).await.unwrap() > 0 {}
            }
            let mut advanced = false;
            for process in &self.processes {
                match process.sweeper.step(&process.context).await.unwrap() {
                    NextWake::Now => advanced = true,
                    wake => next = next.min(no_sooner(wake.time(self.world.now()), self.world.now())),
                }
            }
            if advanced {
                continue;
            }
            self.world.run_until(next).await;
            if next == until {
                return;
            }
        }
    }

    /// Lets a while pass.
    pub async fn run_for(&mut self, length: Duration) {
        self.run_until(self.world.now() + length).await;
    }

    /// Runs until it is so late in Tokyo.
    pub async fn run_to(&mut self, day: Date, hour: i8, minute: i8) {
        self.run_until(at(day, hour, minute)).await;
    }
}

/// A time in Tokyo.
#[must_use]
pub fn at(day: Date, hour: i8, minute: i8) -> Millis {
    calendar::on(day, jiff::civil::time(hour, minute, 0, 0))
}
