//! From what a source says of a person's date to a day, for every rule of reading.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop the test")]

mod hrmos;
mod kingoftime;
mod properties;

use renkei_attendance::day::{Day, Span};
use renkei_attendance::reading::{Reading, Settled};
use serde_json::{Map, Value};

/// As the tables write it: `09:00-18:00 (12:00-13:00) morning`.
fn told(reading: &Reading) -> String {
    let span = |span: &Span| format!("{}-{}", span.from.hh_mm().unwrap(), span.to.hh_mm().unwrap());
    match reading {
        Reading::Empty => "empty".to_owned(),
        Reading::Open => "open".to_owned(),
        Reading::Skipped(reason) => reason.code().to_owned(),
        Reading::Day(Day { work, breaks, leave }) => {
            let mut parts = vec![work.as_ref().map_or("off".to_owned(), span)];
            if !breaks.is_empty() {
                parts.push(format!("({})", breaks.iter().map(span).collect::<Vec<_>>().join(", ")));
            }
            parts.extend(leave.map(|leave| leave.code().to_owned()));
            parts.join(" ")
        }
    }
}

fn settled(case: Option<bool>) -> Settled {
    if case.unwrap_or(true) { Settled::Yes } else { Settled::NotYet }
}

fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap()
}
