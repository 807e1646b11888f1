//! What the demonstration shows: progress, a table, and the comparison of カオナビ with what it should hold.

use std::collections::BTreeMap;
use std::time::Duration;

use renkei_runtime::clock::{Clock, Millis, SystemClock};
use renkei_sandbox::SandboxError;
use renkei_sandbox::demo::{Demo, differences};
use serde_json::Value;

use super::parts::{COMPANY, CONNECTION, Parts};
use super::sending::Sent;

/// Waits until カオナビ holds what it should and nothing is under way; prints a line whenever something moved.
///
/// # Errors
/// When the status can not be asked.
pub(super) async fn watch(parts: &Parts, scene: &Demo, sent: &Sent, patience: Duration) -> Result<bool, SandboxError> {
    let clock = SystemClock::real();
    let started = clock.monotonic();
    let mut last = String::new();
    loop {
        let status = status(parts)?;
        let people = &status["connections"][0]["people"];
        let count = |state: &str| people[state].as_i64().unwrap_or(0);
        let waiting = count("due") + count("in_flight");
        let (members, calls, differing) = {
            let mut kaonavi = parts.kaonavi.lock().await;
            let company = kaonavi.company(parts.clock.now(), COMPANY)?;
            let shown = company.shown_members(0, usize::MAX);
            let stats = company.stats(parts.clock.now());
            (shown.len(), stats.update_calls, differences(&scene.expected, &shown).len())
        };
        let line = format!(
            "  {members} members in カオナビ, {differing} not yet as they should be; {waiting} people under way, {calls} update calls"
        );
        if line != last {
            println!("{line}");
            last = line;
        }
        let known: i64 = people.as_object().into_iter().flat_map(|map| map.values()).filter_map(Value::as_i64).sum();
        let all_read = known > 0 && !sent.accepted_at.is_empty();
        if all_read && waiting == 0 && differing == 0 {
            return Ok(true);
        }
        if clock.monotonic().saturating_sub(started) > patience {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn status(parts: &Parts) -> Result<Value, SandboxError> {
    let text = parts.command("renkei-workers", &["status", "--json"])?;
    serde_json::from_str(&text).map_err(|error| SandboxError::BadInput(format!("status: {error}")))
}

/// Prints the table and the comparison; answers whether everything is as it should be.
///
/// # Errors
/// When the status can not be asked.
pub(super) async fn print(parts: &Parts, scene: &Demo, sent: &Sent, arrived: bool) -> Result<bool, SandboxError> {
    let status = status(parts)?;
    let connection = &status["connections"][0];
    let now = parts.clock.now();
    let mut kaonavi = parts.kaonavi.lock().await;
    let company = kaonavi.company(now, COMPANY)?;
    let stats = company.stats(now);
    let mut written: BTreeMap<&str, (usize, Vec<u64>)> = BTreeMap::new();
    let mut first: BTreeMap<String, (bool, Millis)> = BTreeMap::new();
    for row in company.log().rows() {
        written.entry(if row.create { "registered" } else { "changed" }).or_default().0 += 1;
        first.entry(row.code.clone()).or_insert((row.create, row.at));
    }
    for (code, (create, at)) in &first {
        if let Some(accepted) = sent.accepted_at.get(code) {
            let waited = u64::try_from(at.since(*accepted).as_millis()).unwrap_or(0);
            written.entry(if *create { "registered" } else { "changed" }).or_default().1.push(waited);
        }
    }
    let problems = differences(&scene.expected, &company.shown_members(0, usize::MAX));
    println!();
    let answered = |status: u16| sent.statuses.get(&status).copied().unwrap_or(0);
    println!(
        "webhooks sent       {:>6}   ({} repeated after 429, {} after 503)",
        sent.requests,
        answered(429),
        answered(503)
    );
    println!("webhooks accepted   {:>6}   with {} records", sent.accepted, sent.records);
    for (kind, (rows, waits)) in &mut written {
        waits.sort_unstable();
        let quantile = |share: f64| {
            let last = waits.len().saturating_sub(1);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "an index"
            )]
            let at = (last as f64 * share).round() as usize;
            waits.get(at).copied().unwrap_or(0)
        };
        let (p50, p99) = (quantile(0.5), quantile(0.99));
        println!("members {kind:<11} {rows:>6}   from 202 to カオナビ: p50 {} ms, p99 {} ms", p50, p99);
    }
    let reasons = connection["reasons"].as_object().cloned().unwrap_or_default();
    let skipped: i64 = reasons.values().filter_map(Value::as_i64).sum();
    println!("people not sent     {skipped:>6}");
    for (reason, count) in &reasons {
        println!("    {reason:<28} {count}");
    }
    println!(
        "update calls        {:>6}   at most {} of 5 in any minute; refused for quota: {}",
        stats.update_calls, stats.peak_update_calls, stats.refused_429
    );
    println!("calls in all        {:>6}   of 3000 in an hour; tokens {}", stats.calls, stats.tokens);
    println!();
    let good = arrived && problems.is_empty() && stats.refused_429 == 0;
    if good {
        println!("カオナビ holds exactly what it should: {} members, 0 differences.", scene.expected.len());
    } else {
        println!("カオナビ does not hold what it should: {} differences.", problems.len());
        for problem in problems.iter().take(20) {
            println!("    {problem}");
        }
    }
    Ok(good)
}

/// How to go on by hand.
pub(super) fn how_to_go_on(parts: &Parts) {
    println!();
    println!("It stays up until Ctrl-C. Open {}/ to see the members and the calls.", parts.kaonavi_url);
    println!("Send an event yourself from another terminal:");
    println!();
    println!(
        "  target/debug/renkei-sandbox send --url {} --secret-file {} \\",
        parts.webhook_url,
        parts.folder().join("webhook_secret").display()
    );
    println!("      --employee-id rm_me --employee-number Z0001 --last-name 山田 --first-name 花");
    println!();
    println!("Ask what waits and who needs a person:");
    println!();
    let wanted = [
        "RENKEI_STORE",
        "RENKEI_MASTER_KEY",
        "RENKEI_KAONAVI_BASE_URL",
        "RENKEI_ALLOW_PRIVATE_BASE_URLS",
        "RENKEI_CLOCK_SCALE",
    ];
    let variables: Vec<String> = parts
        .environment()
        .iter()
        .filter(|(name, _)| wanted.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    println!("  {} target/debug/renkei-workers status", variables.join(" "));
    println!();
}

/// Shows what happens until Ctrl-C.
///
/// # Errors
/// When the signal can not be waited for.
pub(super) async fn follow(parts: &Parts) -> Result<(), SandboxError> {
    let mut shown = u64::MAX;
    let mut parked = status_line(parts);
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(|error| SandboxError::io("wait for SIGTERM", error))?;
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            _ = terminate.recv() => break,
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
        let total = {
            let mut kaonavi = parts.kaonavi.lock().await;
            let company = kaonavi.company(parts.clock.now(), COMPANY)?;
            let total = company.stats(parts.clock.now()).update_calls;
            if total > shown {
                let fresh = usize::try_from(total - shown).unwrap_or(0);
                let calls: Vec<_> = company.log().update_calls().rev().take(fresh).cloned().collect();
                for call in calls.into_iter().rev() {
                    println!("  {} {} → {} for {}", call.method, call.path, call.status, call.codes.join(", "));
                }
            }
            total
        };
        shown = total;
        let line = status_line(parts);
        if line != parked {
            println!("  connection {CONNECTION}: {line}");
            parked = line;
        }
    }
    println!("ending");
    Ok(())
}

fn status_line(parts: &Parts) -> String {
    let Ok(status) = status(parts) else { return "status is not to be had".to_owned() };
    let people = status["connections"][0]["people"].as_object().cloned().unwrap_or_default();
    let parts: Vec<String> = people
        .iter()
        .filter(|(_, count)| count.as_i64() != Some(0))
        .map(|(state, count)| format!("{state} {count}"))
        .collect();
    parts.join(", ")
}
