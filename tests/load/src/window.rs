//! Windows of a large company: from the days of a source to the files for クラウドログ, in how many calls and how much memory.
//!
//! HTTP, store, log and memory are real. What a window spends with waiting between two calls passes faster: the workers and the
//! source have one clock that runs ahead of the real one.

mod scene;
mod source;

use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

use renkei_store::links::AttendanceSource;

use crate::Options;
use crate::error::LoadError;
use crate::stage::Servers;
use scene::Scene;
use source::Source;

/// How many dates a window has.
const DATES: u32 = 40;
/// Rows of one page of HRMOS勤怠.
const PAGE: u32 = 100;
/// HRMOS勤怠: token, work types, and the token given back.
const BESIDE: u64 = 3;
/// KING OF TIME: the people, and two lists of every five dates.
const SLICES: u64 = 1 + 2 * (DATES as u64).div_ceil(5);
/// The interval between two calls that workers keep to by default.
const INTERVAL: Duration = Duration::from_millis(1100);
/// What the workers may take at most, MiB.
const MEMORY: u64 = 150;

/// How large the company is, such as `5000x40`.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// How many people it has.
    people: u32,
    /// On how many dates before the window's day everybody has a row.
    days: u32,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('x').and_then(|(people, days)| Some((people.parse().ok()?, days.parse().ok()?)));
        match parts {
            Some((people @ 1..=50_000, days @ 1..=DATES)) => Ok(Self { people, days }),
            _ => Err(format!("is not people x days, such as 5000x40, with at most {DATES} days")),
        }
    }
}

impl Size {
    /// The calls of a window of HRMOS勤怠 that reads everything: a date without rows is asked for once, too.
    fn calls(self) -> u64 {
        BESIDE + u64::from(self.days * self.people.div_ceil(PAGE)) + u64::from(DATES - self.days)
    }

    /// The rows of everybody.
    fn rows(self) -> i64 {
        i64::from(self.people) * i64::from(self.days)
    }
}

/// What was seen.
#[derive(Debug)]
pub struct Windows {
    size: Size,
    turns: Vec<Turn>,
}

/// A window from its begin to the files.
#[derive(Debug)]
struct Turn {
    name: String,
    scale: u32,
    /// Calls that arrived, and how many there should be.
    calls: (u64, u64),
    /// Calls that were answered 429.
    refused: u64,
    most_in_a_minute: usize,
    /// The most that was resident until the run ended, and until the files were there, MiB.
    memory: (u64, u64),
    rows: i64,
    changed: i64,
    /// Files that wait, and their rows.
    files: (usize, i64),
    /// From the run's begin to its end on the clock of workers and source.
    injected: Duration,
    /// The same in real time, and from there to the files.
    real: (Duration, Duration),
    cpu: Duration,
}

impl Turn {
    fn is_met(&self) -> bool {
        self.calls.0 == self.calls.1 && self.refused == 0 && self.memory.1 <= MEMORY
    }
}

impl Windows {
    /// For a terminal.
    pub fn text(&self) -> String {
        let Size { people, days } = self.size;
        let mut text = format!("Windows: {people} people with a row on each of {days} dates\n");
        for turn in &self.turns {
            let _ = writeln!(
                text,
                "  {}: {} calls (aim {}), {} times 429 (aim 0), at most {} MiB since the start (aim ≤ {MEMORY}): {}",
                turn.name,
                turn.calls.0,
                turn.calls.1,
                turn.refused,
                turn.memory.1,
                if turn.is_met() { "met" } else { "NOT MET" }
            );
            let _ = writeln!(
                text,
                "      {} rows read, {} changed, {} files with {} rows wait; at most {} calls in any minute, {} MiB before the files",
                turn.rows, turn.changed, turn.files.0, turn.files.1, turn.most_in_a_minute, turn.memory.0
            );
            let _ = writeln!(
                text,
                "      {:.1} min on a clock {} times as fast, where work counts so many times, too; the calls alone take {:.1} min",
                turn.injected.as_secs_f64() / 60.0,
                turn.scale,
                (INTERVAL.as_secs_f64() * turn.calls.0.saturating_sub(1) as f64) / 60.0
            );
            let _ = writeln!(
                text,
                "      really {:.1} s, and {:.1} s more for the files, {:.1} s of CPU",
                turn.real.0.as_secs_f64(),
                turn.real.1.as_secs_f64(),
                turn.cpu.as_secs_f64()
            );
        }
        text
    }
}

/// Measures both sources, each on a store and topics of its own.
pub async fn measure(servers: &Servers, options: &Options) -> Result<Windows, LoadError> {
    let size = options.size;
    let mut turns = Vec::new();
    // Most of a window of HRMOS勤怠 is waiting between two calls. One of KING OF TIME makes few calls and is at work all the
    // time, so that a faster clock would shorten nothing but the patience of the workers.
    for (kind, scale) in [(AttendanceSource::Hrmos, 20), (AttendanceSource::Kingoftime, 2)] {
        let whole = size.rows();
        // Nothing tells KING OF TIME apart what changed: a later window reads the same.
        let (full, later) = match kind {
            AttendanceSource::Hrmos => ((size.calls(), whole), (BESIDE + u64::from(DATES), 0)),
            // Who has no punches is listed with zeros.
            _ => ((SLICES, i64::from(size.people * DATES)), (SLICES, i64::from(size.people * DATES))),
        };
        let source = Source::new(kind, size)?;
        let scene = Scene::set(servers, options, source, scale).await?;
        for (what, (calls, rows)) in [("everything", full), ("nothing changed", later)] {
            println!("window: {}, {what}, {calls} calls to come", kind.label());
            let turn = scene.turn(format!("{}, {what}", kind.label()), calls).await?;
            if turn.rows != rows {
                return Err(LoadError::Wrong(format!("{}: {} rows were read of {rows}", turn.name, turn.rows)));
            }
            turns.push(turn);
        }
    }
    Ok(Windows { size, turns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_the_pages_of_every_date_and_what_goes_beside_them() {
        for (size, calls) in [("5000x40", 2_003), ("120x40", 83), ("100x10", 43), ("1x1", 43)] {
            assert_eq!(size.parse::<Size>().unwrap().calls(), calls, "{size}");
        }
        for size in ["5000", "5000x41", "0x40", "x", "5000x40x1", "-1x3"] {
            assert!(size.parse::<Size>().is_err(), "{size}");
        }
        assert_eq!(SLICES, 17);
    }
}
