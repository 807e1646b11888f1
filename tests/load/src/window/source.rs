//! A company at a source of attendance, whose people all have a code of their own and are there on every date.

use std::net::TcpListener;
use std::sync::Arc;

use jiff::ToSpan as _;
use jiff::civil::{Date, Time, date};
use renkei_runtime::clock::Clock;
use renkei_sandbox::error::SandboxError;
use renkei_sandbox::hrmos::{self, CallLog, Day, EmptyDays, Hrmos, Stats, User};
use renkei_sandbox::http;
use renkei_sandbox::kingoftime::{self, KingOfTime};
use renkei_sandbox::machine::SharedMachine;
use renkei_store::links::AttendanceSource;
use renkei_workers::sweep::calendar;
use secrecy::SecretString;

use super::Size;
use crate::error::LoadError;

/// The day of the window: a Wednesday, for on Sundays everything is read.
pub const DUE: Date = date(2026, 4, 1);
/// The company.
pub const COMPANY: &str = "large";
const SEED: u64 = 11;
const JOINED: Date = date(2019, 4, 1);

/// The source, and how large its company is.
pub struct Source {
    pub kind: AttendanceSource,
    pub size: Size,
    machine: Machine,
}

enum Machine {
    Hrmos(hrmos::Shared),
    KingOfTime(kingoftime::Shared),
}

impl Source {
    /// With days up to the one before the window's.
    pub fn new(kind: AttendanceSource, size: Size) -> Result<Self, LoadError> {
        let first = DUE.checked_sub(i64::from(size.days).days()).map_err(|error| wrong(&error))?;
        let last = DUE.yesterday().map_err(|error| wrong(&error))?;
        let people = usize::try_from(size.people).unwrap_or(usize::MAX);
        let machine = match kind {
            AttendanceSource::Hrmos => {
                let mut spec = hrmos::sample::company(COMPANY, people, first, last, SEED);
                for (user, code) in spec.users.iter_mut().zip(codes(size)) {
                    (user.number, user.start_date, user.end_date) = (Some(code), JOINED, None);
                }
                spec.roster = spec.roster.take().map(|days| Box::new(Settled(days)) as Box<dyn hrmos::Roster>);
                spec.settings.empty_days = EmptyDays::Missing;
                Machine::Hrmos(Hrmos::new().with(spec).map_err(|error| wrong(&error))?.shared())
            }
            AttendanceSource::Kingoftime | AttendanceSource::Kinkakuji => {
                let mut spec = kingoftime::sample::company(COMPANY, people, first, last, SEED);
                for (employee, code) in spec.employees.iter_mut().zip(codes(size)) {
                    (employee.code, employee.hired, employee.resigned) = (Some(code), JOINED, None);
                }
                Machine::KingOfTime(KingOfTime::new().with(spec).map_err(|error| wrong(&error))?.shared())
            }
        };
        Ok(Self { kind, size, machine })
    }

    /// What lets a link in.
    pub fn key(&self) -> SecretString {
        SecretString::from(match self.machine {
            Machine::Hrmos(_) => hrmos::sample::key(COMPANY),
            Machine::KingOfTime(_) => kingoftime::sample::token(COMPANY),
        })
    }

    /// Answers over HTTP from now on; where.
    pub fn serve(&self, clock: &Arc<dyn Clock>) -> Result<String, LoadError> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(LoadError::io("listen"))?;
        let address = listener.local_addr().map_err(LoadError::io("listen"))?;
        let machine: SharedMachine = match &self.machine {
            Machine::Hrmos(hrmos) => hrmos.clone(),
            Machine::KingOfTime(kingoftime) => kingoftime.clone(),
        };
        let server = http::serve(listener, machine, Arc::clone(clock)).map_err(|error| wrong(&error))?;
        tokio::spawn(server);
        Ok(format!("http://{address}"))
    }

    /// The calls since the last question.
    pub async fn calls(&self) -> Result<Stats, LoadError> {
        let unknown = |error: SandboxError| wrong(&error);
        Ok(match &self.machine {
            Machine::Hrmos(hrmos) => taken(hrmos.lock().await.company(COMPANY).map_err(unknown)?.log_mut()),
            Machine::KingOfTime(service) => taken(service.lock().await.company(COMPANY).map_err(unknown)?.log_mut()),
        })
    }
}

fn taken(log: &mut CallLog) -> Stats {
    let stats = log.stats().clone();
    log.clear();
    stats
}

/// The people's codes.
pub fn codes(size: Size) -> impl Iterator<Item = String> {
    (0..size.people).map(|number| format!("P{number:06}"))
}

fn wrong(error: &dyn std::fmt::Display) -> LoadError {
    LoadError::Wrong(error.to_string())
}

/// The days of a sample, none of them without a row, and each written when its date began: of a window that comes back to the
/// same dates later that day nothing has changed.
#[derive(Debug)]
struct Settled(Box<dyn hrmos::Roster>);

impl hrmos::Roster for Settled {
    fn dates(&self) -> hrmos::Dates {
        self.0.dates()
    }

    fn day(&self, user: &User, day: Date) -> Option<Day> {
        let record = self.0.day(user, day).unwrap_or_default();
        Some(Day { live: false, ..record.changed(calendar::on(day, Time::midnight())) })
    }
}
