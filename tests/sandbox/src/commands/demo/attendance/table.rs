//! What the demonstration shows of attendance in the end.

use std::collections::{BTreeMap, BTreeSet};

use renkei_sandbox::SandboxError;
use renkei_sandbox::demo::attendance::Place;
use serde_json::Value;

use super::import::Brought;
use super::{LINK, Window};
use crate::commands::demo::parts::{COMPANY, Parts};

/// How many differences are named.
const NAMED: usize = 20;

/// How many there are of each reason, with what people read of it.
type Reasons = BTreeMap<String, (usize, String)>;

/// Prints the table and the comparison; answers whether everything is as it should be.
///
/// # Errors
/// When there is no HRMOS勤怠.
pub(in crate::commands::demo) async fn print(
    parts: &Parts,
    window: &Window,
    brought: &Brought,
) -> Result<bool, SandboxError> {
    let Some(office) = &parts.office else { return Ok(false) };
    let stats = office.hrmos.lock().await.company(COMPANY)?.stats().clone();
    let too_many = stats.by_status.get(&429).copied().unwrap_or(0);
    let count = |what: &str| brought.run["counts"][what].as_i64().unwrap_or(0);
    println!();
    println!("dates               {:>6}   {} to {}", count("days"), window.dates.first, window.dates.last);
    println!(
        "calls to HRMOS勤怠  {:>6}   at most {} in any minute; refused with 429: {too_many}; written there: {}",
        stats.calls, stats.peak_per_minute, stats.writes
    );
    println!("rows read           {:>6}", count("rows"));
    println!("files               {:>6}", brought.files);
    println!("rows taken          {:>6}   by クラウドログ", brought.accepted);
    println!(
        "rows refused        {:>6}   by クラウドログ: applied for there, then protected here",
        brought.refused.len()
    );
    list("to be typed", "手入力が必要な日", &by_reason(&brought.told.handwork, "reason"));
    let left_out = brought
        .told
        .days
        .iter()
        .filter(|day| matches!(day["state"].as_str(), Some("skipped" | "unmatched" | "protected")));
    let left_out: Vec<Value> = left_out.cloned().collect();
    list("days not written", "", &by_reason(&left_out, "why"));
    let open = brought.told.days.iter().filter(|day| day["state"] == "new").count();
    println!("days not yet over   {open:>6}   half entered yesterday: the next window brings them or says so");
    list("not brought at all", "people and numbers", &by_reason(&brought.told.notes, "reason"));
    println!();

    let crowdlog = office.crowdlog.lock().await;
    let mut wrong = window.expected.wrong_timesheets(&crowdlog);
    let refused: BTreeSet<Place> = brought.refused.keys().cloned().collect();
    let otherwise = refused.symmetric_difference(&window.expected.refused);
    wrong.extend(otherwise.map(|(code, date)| format!("refused by クラウドログ: {code} {date}")));
    wrong.extend(window.expected.wrong_words(&brought.told, parts.clock.now()));
    let good = wrong.is_empty() && too_many == 0 && stats.writes == 0;
    if good {
        let sheets = window.expected.sheets.len();
        println!("クラウドログ holds exactly what it should: {sheets} timesheets, 0 differences.");
    } else {
        println!("クラウドログ does not hold what it should: {} differences.", wrong.len());
        for line in wrong.iter().take(NAMED) {
            println!("    {line}");
        }
    }
    Ok(good)
}

fn by_reason(items: &[Value], name: &str) -> Reasons {
    let mut reasons = Reasons::new();
    for item in items {
        let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let reason = reasons.entry(text(name)).or_insert_with(|| (0, text(&format!("{name}_ja"))));
        reason.0 += 1;
    }
    reasons
}

fn list(what: &str, note: &str, reasons: &Reasons) {
    let total: usize = reasons.values().map(|(count, _)| count).sum();
    println!("{}", format!("{what:<20}{total:>6}   {note}").trim_end());
    for (reason, (count, ja)) in reasons {
        println!("    {reason:<34}{count:>5}   {ja}");
    }
}

/// How to go on by hand.
pub(in crate::commands::demo) fn how_to_go_on(parts: &Parts, brought: &Brought) {
    let Some(office) = &parts.office else { return };
    println!(
        "Open {}/ to see what クラウドログ holds, and {}/ who asked HRMOS勤怠.",
        office.crowdlog_url, office.hrmos_url
    );
    println!("The next window begins at 05:00 (Asia/Tokyo). Ask the REST API for runs, or for what is to be typed:");
    println!();
    let call = format!("curl -sS -H 'authorization: Bearer {}'", brought.api.token());
    println!("  {call} {}/runs", parts.api_url);
    println!("  {call} {}/links/{LINK}/handwork.csv", parts.api_url);
    println!();
}
