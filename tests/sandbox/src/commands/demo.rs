//! `renkei-sandbox demo`: the whole product on one machine with a sample company.
//!
//! カオナビ is simulated in this process; ingest and workers are the real programs, as processes of their own. The
//! company's webhooks are really signed and really sent. Nothing outlives this process.

mod parts;
mod report;
mod sending;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use renkei_runtime::clock::{Clock, SystemClock};
use renkei_sandbox::SandboxError;
use renkei_sandbox::demo;

use parts::Parts;

/// Show the whole path with a sample company: signed webhooks in, members in (a simulated) カオナビ out.
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
    /// Draws the employees.
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
    let clock = SystemClock::real();
    let scene = demo::employees(options.employees, options.seed, clock.wall());
    println!("Renkei with a sample company: {} employees, {} webhooks.", options.employees, scene.deliveries.len());
    let mut parts = Parts::start(&options, &scene).await?;
    println!("  カオナビ (simulated)  {}/", parts.kaonavi_url);
    println!("  webhooks             {}", parts.webhook_url);
    println!("  metrics              {}/metrics  {}/metrics", parts.ingest_internal, parts.workers_internal);
    println!("  logs and state       {}", parts.folder().display());
    parts.apply()?;
    println!("The connection is verified and active. Sending …");
    let sent = sending::send_all(&parts, &scene.deliveries).await?;
    let arrived = report::watch(&mut parts, &scene, &sent, Duration::from_secs(options.patience)).await?;
    let good = report::print(&mut parts, &scene, &sent, arrived).await?;
    if options.once {
        return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    report::how_to_go_on(&parts);
    report::follow(&mut parts).await?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
