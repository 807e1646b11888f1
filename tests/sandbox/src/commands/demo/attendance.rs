//! A window of attendance, as somebody in HR has it: a link, a manual run, files for クラウドログ's import, and what is left to be
//! typed.

mod api;
mod import;
mod table;

use std::time::Duration;

use jiff::civil::Date;
use renkei_runtime::clock::{Clock as _, Millis, SystemClock};
use renkei_sandbox::SandboxError;
use renkei_sandbox::crowdlog::{CrowdLog, Encoding, MemberHeaders};
use renkei_sandbox::demo::attendance::{Attendance, Expected};
use renkei_sandbox::hrmos::{CompanySpec, Dates};
use serde_json::{Value, json};

use self::api::{Api, LOOK};
use super::parts::{COMPANY, Office, Parts};

pub(super) use self::import::Brought;
pub(super) use self::table::{how_to_go_on, print};

/// The link of the demonstration.
const LINK: &str = "kintai";
/// A line of progress every so many dates.
const DATES_A_LINE: i64 = 5;

/// What is to be brought, and what must come of it.
pub(super) struct Window {
    dates: Dates,
    key: String,
    key_issued: Date,
    expected: Expected,
}

impl Window {
    /// Divides what was drawn into what this is about, and what the simulators are about.
    pub(super) fn new(drawn: Attendance) -> (Self, CompanySpec, CrowdLog) {
        let Attendance { dates, key_issued, hrmos, crowdlog, expected } = drawn;
        (Self { dates, key: hrmos.key.0.clone(), key_issued, expected }, hrmos, crowdlog)
    }
}

/// How long something may still take.
struct Patience {
    clock: SystemClock,
    ends: Millis,
}

impl Patience {
    fn new(length: Duration) -> Self {
        let clock = SystemClock::real();
        Self { ends: clock.now() + length, clock }
    }

    /// Waits a moment.
    async fn wait(&self, what: &str) -> Result<(), SandboxError> {
        if self.clock.now() >= self.ends {
            return Err(SandboxError::BadInput(format!("{what} takes too long")));
        }
        tokio::time::sleep(LOOK).await;
        Ok(())
    }
}

/// Brings the window from HRMOS勤怠 to クラウドログ.
///
/// # Errors
/// When the API refuses something, or it takes too long.
pub(super) async fn bring(
    parts: &Parts,
    window: Option<&Window>,
    patience: Duration,
) -> Result<Option<Brought>, SandboxError> {
    let (Some(window), Some(office)) = (window, &parts.office) else { return Ok(None) };
    let patience = Patience::new(patience);
    let created = parts.command("renkei-ingest", &["token", "create", "--tenant", COMPANY, "--name", "HR"])?;
    let api = Api::new(&parts.api_url, created.trim())?;
    upload_members(&api, office).await?;
    link(&api, window, &patience).await?;
    let run = run(&api, window.dates, &patience).await?;
    import::import_all(api, office, parts, run, &patience).await.map(Some)
}

async fn upload_members(api: &Api, office: &Office) -> Result<(), SandboxError> {
    let list = office.crowdlog.lock().await.export_members(true, Encoding::ShiftJis, &MemberHeaders::default());
    let report = api.upload("crowdlog/members", list).await?;
    println!("  勤怠: クラウドログ's list of {} members is uploaded", report["members"]);
    Ok(())
}

/// Makes the link, and says what a file needs to be made.
async fn link(api: &Api, window: &Window, patience: &Patience) -> Result<(), SandboxError> {
    let options = api.get("link-options").await?;
    let stated: Vec<&Value> =
        options["statements"].as_array().into_iter().flatten().map(|statement| &statement["id"]).collect();
    let wish = json!({
        "id": LINK, "name": "HRMOS勤怠 → クラウドログ", "source": "hrmos",
        "company": format!("https://ieyasu.co/{COMPANY}/login"),
        "api_key": window.key, "key_issued": window.key_issued.to_string(), "stated": stated,
    });
    let mut check = api.post("links", wish).await?;
    while check["state"] == "wanted" {
        patience.wait("the check of the API KEY").await?;
        check = api.get(&format!("link-checks/{}", check["id"].as_str().unwrap_or_default())).await?;
    }
    if check["state"] != "accepted" {
        return Err(SandboxError::BadInput(format!("HRMOS勤怠 did not take the API KEY: {}", check["code"])));
    }
    println!("  勤怠: HRMOS勤怠 takes the API KEY, so the link is there");
    api.put(&format!("links/{LINK}/settings"), &json!({ "closing": { "kind": "not_used" } })).await.map(|_| ())
}

/// Starts a manual run and follows it to its end; answers its number.
async fn run(api: &Api, Dates { first, last }: Dates, patience: &Patience) -> Result<i64, SandboxError> {
    let days = json!({ "first_day": first.to_string(), "last_day": last.to_string() });
    api.post(&format!("links/{LINK}/runs"), days).await?;
    println!("  勤怠: a run from {first} to {last} is started");
    let mut shown = 0;
    loop {
        patience.wait("the run").await?;
        let runs = api.get("runs").await?;
        let found = runs["items"].as_array().into_iter().flatten().find(|run| run["kind"] == "manual");
        let Some(run) = found else { continue };
        let count = |what: &str| run["counts"][what].as_i64().unwrap_or(0);
        let ended = !run["ended"].is_null();
        let at = count("day");
        if (at >= shown + DATES_A_LINE && at < count("days")) || (ended && at > 0) {
            shown = at;
            println!(
                "  勤怠: date {shown} of {}: {} rows, {} calls, skipped for no number {}, for a shared number {}",
                count("days"),
                count("rows"),
                count("calls"),
                count("without_code"),
                count("doubles")
            );
        }
        match run["state"].as_str() {
            Some("failed" | "cancelled") => {
                return Err(SandboxError::BadInput(format!("the run failed: {}", run["code"])));
            }
            _ if ended => return Ok(run["id"].as_i64().unwrap_or_default()),
            _ => {}
        }
    }
}
