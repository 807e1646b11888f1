//! `renkei-sandbox demo`: the whole product on one machine with a sample company.
//!
//! カオナビ, HRMOS勤怠 and クラウドログ are simulated in this process; ingest and workers are the real programs, as processes of
//! their own. The company's webhooks are really signed and really sent; its attendance goes over the real API, as somebody in
//! HR would have it. Nothing outlives this process.

mod attendance;
mod parts;
mod report;
mod sending;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use renkei_runtime::clock::{Clock, Millis, SystemClock};
use renkei_sandbox::SandboxError;
use renkei_sandbox::demo;

use attendance::Window;
use parts::{COMPANY, Parts};

/// Show the whole path with a sample company: signed webhooks in, members in (a simulated) カオナビ out; attendance of (a
/// simulated) HRMOS勤怠 in, timesheets of (a simulated) クラウドログ out.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// End after the comparison; exit code 0 only if what arrived is what should have.
    #[arg(long, env = "ONCE", value_parser = flag, default_value = "0", num_args = 0..=1, default_missing_value = "1")]
    once: bool,
    /// `embedded`, or `kafka` for a real Apache Kafka (Java and Maven are needed).
    #[arg(long, env = "LOG", default_value = "embedded")]
    log: parts::LogKind,
    /// How many employees.
    #[arg(long, default_value_t = 200)]
    employees: usize,
    /// How many people of HRMOS勤怠 whose attendance of 40 days goes to クラウドログ; 0 leaves attendance out.
    #[arg(long, default_value_t = 120)]
    attendance: usize,
    /// Draws the employees and their days.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many times faster than real time windows and polls run.
    #[arg(long, env = "RENKEI_CLOCK_SCALE", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    clock_scale: u32,
    /// How long to wait for everything to arrive, in seconds.
    #[arg(long, default_value_t = 600)]
    patience: u64,
}

fn flag(text: &str) -> Result<bool, String> {
    match text {
        "" | "0" | "false" | "no" => Ok(false),
        "1" | "true" | "yes" => Ok(true),
        other => Err(format!("{other} is neither 0 nor 1")),
    }
}

pub(crate) async fn run(options: Options) -> Result<ExitCode, SandboxError> {
    let patience = Duration::from_secs(options.patience);
    let real = SystemClock::real();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::scaled(Millis::from(real.wall()), options.clock_scale));
    let scene = demo::employees(options.employees, options.seed, real.wall());
    println!("Renkei with a sample company: {} employees, {} webhooks.", options.employees, scene.deliveries.len());
    let (window, office) = match options.attendance {
        0 => (None, None),
        people => {
            let drawn = demo::attendance::attendance(COMPANY, people, options.seed, clock.now())?;
            let (window, hrmos, crowdlog) = Window::new(drawn);
            (Some(window), Some((hrmos, crowdlog)))
        }
    };
    let parts = Parts::start(&options, clock, &scene, office).await?;
    println!("  カオナビ (simulated)      {}/", parts.kaonavi_url);
    if let Some(office) = &parts.office {
        println!("  HRMOS勤怠 (simulated)     {}/", office.hrmos_url);
        println!("  クラウドログ (simulated)  {}/", office.crowdlog_url);
    }
    println!("  webhooks                  {}", parts.webhook_url);
    println!("  REST API                  {}", parts.api_url);
    println!("  metrics                   {}/metrics  {}/metrics", parts.ingest_internal, parts.workers_internal);
    println!("  logs and state            {}", parts.folder().display());
    parts.apply()?;
    println!("The connection is verified and active. Sending …");
    let sent = sending::send_all(&parts, &scene.deliveries).await?;
    // Side by side: HRMOS勤怠 is asked once in 1.1 s, so its dates take as long as カオナビ's minutes.
    let (arrived, brought) = tokio::try_join!(
        report::watch(&parts, &scene, &sent, patience),
        attendance::bring(&parts, window.as_ref(), patience)
    )?;
    let members_good = report::print(&parts, &scene, &sent, arrived).await?;
    let attendance_good = match (&window, &brought) {
        (Some(window), Some(brought)) => attendance::print(&parts, window, brought).await?,
        _ => true,
    };
    let good = members_good && attendance_good;
    if !options.once {
        report::how_to_go_on(&parts);
        if let Some(brought) = &brought {
            attendance::how_to_go_on(&parts, brought);
        }
        report::follow(&parts).await?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
