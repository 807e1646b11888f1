//! The figures as one table, beside what they are to be.

use std::fmt::Write as _;
use std::time::Duration;

use crate::Options;
use crate::drain::Drain;
use crate::error::LoadError;
use crate::ingest::Level;
use crate::machine;
use crate::requests::BODY_BYTES;

/// Requests a second, as a share of the limit of the stack.
const RATIO: f64 = 0.85;
/// Half of the answers at one connection.
const P50: Duration = Duration::from_millis(2);
/// The server's time on the cores per request.
const CPU: Duration = Duration::from_micros(35);
/// Events a second out of a backlog.
const DRAINED: f64 = 20_000.0;

/// The whole report.
pub fn text(options: &Options, levels: &[Level], drains: &[Drain]) -> String {
    let mut text = String::new();
    if !levels.is_empty() {
        let _ = writeln!(
            text,
            "Ingest: signed POSTs of {BODY_BYTES} bytes, acks=all, {} answering threads, {} turns of {} s each",
            options.threads(),
            options.rounds,
            options.seconds
        );
        ingest(&mut text, levels);
    }
    if !drains.is_empty() {
        text.push_str("\nDrain: a backlog on Kafka into PostgreSQL\n");
        let _ = writeln!(
            text,
            "{:>22}  {:>8}  {:>9}  {:>8}  {:>30}",
            "", "events", "events/s", "whole s", "CPU µs per event (PostgreSQL)"
        );
        for drain in drains {
            let (name, records, rate) = (drain.name, drain.records, drain.per_second);
            let (whole, cpu) = (drain.whole.as_secs_f64(), format!("{} ({})", us(drain.cpu), us(drain.postgres_cpu)));
            let _ = writeln!(text, "{name:>22}  {records:>8}  {rate:>9.0}  {whole:>8.1}  {cpu:>30}");
        }
    }
    text.push('\n');
    aims(&mut text, levels, drains);
    let _ = writeln!(text, "{} at the end", machine::describe());
    text
}

fn ingest(text: &mut String, levels: &[Level]) {
    let _ = writeln!(
        text,
        "{:>11}  {:>8}  {:>8}  {:>17}  {:>14}  {:>15}  {:>14}  {:>21}",
        "connections",
        "limit /s",
        "Kafka /s",
        "ratio (turns)",
        "p50 ms (limit)",
        "p99 ms (limit)",
        "CPU µs (limit)",
        "broker+sender (limit)"
    );
    for level in levels {
        let Level { connections, limit, kafka, ratios } = level;
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        let _ = writeln!(
            text,
            "{connections:>11}  {:>8.0}  {:>8.0}  {:>17}  {:>14}  {:>15}  {:>14}  {:>21}",
            limit.per_second,
            kafka.per_second,
            format!("{:.2} ({least:.2}–{most:.2})", level.ratio()),
            format!("{} ({})", ms(kafka.p50), ms(limit.p50)),
            format!("{} ({})", ms(kafka.p99), ms(limit.p99)),
            format!("{} ({})", us(kafka.cpu), us(limit.cpu)),
            format!("{} ({})", us(kafka.others_cpu), us(limit.others_cpu)),
        );
    }
}

fn ms(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1_000.0)
}

fn us(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1_000_000.0)
}

/// Judged where the server has as much to do as it can: one connection waits for the broker most of the time.
fn busiest(levels: &[Level]) -> Option<&Level> {
    levels.iter().max_by(|one, other| one.kafka.per_second.total_cmp(&other.kafka.per_second))
}

fn aims(text: &mut String, levels: &[Level], drains: &[Drain]) {
    let mut line = |aim: &str, found: String, met: bool| {
        let verdict = if met { "met" } else { "NOT MET" };
        let _ = writeln!(text, "  aim {aim:<44} {found:<28} {verdict}");
    };
    if let Some(level) = busiest(levels) {
        let at = format!("at {} connections", level.connections);
        line("≥ 0.85 of the limit", format!("{:.2} {at}", level.ratio()), level.ratio() >= RATIO);
        line("≤ 35 µs CPU per request", format!("{} µs {at}", us(level.kafka.cpu)), level.kafka.cpu <= CPU);
    }
    if let Some(single) = levels.iter().find(|level| level.connections == 1) {
        let p50 = single.kafka.p50;
        line("p50 ≤ 2 ms at one connection", format!("{} ms", ms(p50)), p50 <= P50);
    }
    for drain in drains {
        let aim = format!("≥ 20,000 events/s, {}", drain.name);
        line(&aim, format!("{:.0} events/s", drain.per_second), drain.per_second >= DRAINED);
    }
}

/// Figures depend on the machine and fail nothing; answers and rows that are wrong do.
pub fn verdict(levels: &[Level], drains: &[Drain]) -> Result<(), LoadError> {
    for level in levels {
        for (name, figures) in [("the null log", &level.limit), ("Kafka", &level.kafka)] {
            if !figures.others.is_empty() {
                let (count, others) = (level.connections, &figures.others);
                let fault = format!("with {name} at {count} connections not all answers were 202, but also {others:?}");
                return Err(LoadError::Wrong(fault));
            }
        }
    }
    match drains.iter().find_map(|drain| Some((drain.name, drain.fault.as_ref()?))) {
        Some((name, fault)) => Err(LoadError::Wrong(format!("{name}: {fault}"))),
        None => Ok(()),
    }
}
