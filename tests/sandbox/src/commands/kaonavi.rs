//! `renkei-sandbox kaonavi`.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use renkei_runtime::clock::{Clock, Millis, SystemClock};
use renkei_sandbox::SandboxError;
use renkei_sandbox::kaonavi::{CompanySpec, Kaonavi, http, sample};

/// Serve a simulated カオナビ: the API under /api/v2.0, a page at /, an operator's API under /admin/.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Address to listen on. Keep it on the loopback: nothing here asks operators for a password.
    #[arg(long, default_value = "127.0.0.1:18080", env = "RENKEI_SANDBOX_LISTEN")]
    listen: SocketAddr,
    /// How many times faster than real time everything runs.
    #[arg(long, default_value_t = 1, env = "RENKEI_CLOCK_SCALE", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clock_scale: u32,
    /// JSON file with a list of companies. Without it there are two: `sample` and `required`, with the consumer keys
    /// `key-sample` and `key-required` and the secrets `secret-sample` and `secret-required`.
    #[arg(long)]
    companies: Option<PathBuf>,
}

pub(crate) async fn run(options: Options) -> Result<ExitCode, SandboxError> {
    let real = SystemClock::real();
    let clock: Arc<dyn Clock> = if options.clock_scale == 1 {
        Arc::new(real)
    } else {
        Arc::new(SystemClock::scaled(Millis::from(real.wall()), options.clock_scale))
    };
    let mut kaonavi = Kaonavi::new();
    for spec in companies(&options)? {
        kaonavi.add(spec)?;
    }
    let listener = TcpListener::bind(options.listen)
        .map_err(|error| SandboxError::io(format!("listen on {}", options.listen), error))?;
    let address = listener.local_addr().map_err(|error| SandboxError::io("listen", error))?;
    let server = http::serve(listener, kaonavi.shared(), clock)?;
    let handle = server.handle();
    println!("カオナビ シミュレーターを起動しました: http://{address}/ (API: http://{address}/api/v2.0)");
    let serving = tokio::spawn(server);
    ended().await?;
    handle.stop(false).await;
    // The server's own end was asked for just now.
    let _ = serving.await;
    Ok(ExitCode::SUCCESS)
}

fn companies(options: &Options) -> Result<Vec<CompanySpec>, SandboxError> {
    let Some(path) = &options.companies else {
        return Ok(vec![sample::company("sample"), sample::company_with_required_field("required")]);
    };
    let text = std::fs::read(path).map_err(|error| SandboxError::io(format!("read {}", path.display()), error))?;
    serde_json::from_slice(&text).map_err(|error| SandboxError::BadInput(format!("{}: {error}", path.display())))
}

/// Waits for Ctrl-C or SIGTERM.
async fn ended() -> Result<(), SandboxError> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(|error| SandboxError::io("wait for SIGTERM", error))?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(|error| SandboxError::io("wait for Ctrl-C", error)),
        _ = terminate.recv() => Ok(()),
    }
}
