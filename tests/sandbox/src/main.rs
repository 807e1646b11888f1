//! `renkei-sandbox`: カオナビ to try things against, and a sender of signed webhooks.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Stand-ins for the systems around Renkei. For development and tests; nothing here belongs in production.
#[derive(Debug, Parser)]
#[command(name = "renkei-sandbox", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole path with a sample company.
    Demo(commands::demo::Options),
    /// Serve a simulated カオナビ over HTTP.
    Kaonavi(commands::kaonavi::Options),
    /// Sign a webhook and send it.
    Send(Box<commands::send::Options>),
    /// Show, rule by rule, that a naive client is refused and a careful one is not.
    Rules,
}

fn main() -> ExitCode {
    // A second installation is refused, which means that there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("renkei-sandbox: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = match arguments.command {
        Command::Demo(options) => runtime.block_on(commands::demo::run(options)),
        Command::Kaonavi(options) => runtime.block_on(commands::kaonavi::run(options)),
        Command::Send(options) => runtime.block_on(commands::send::run(*options)),
        Command::Rules => Ok(commands::rules::run()),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("renkei-sandbox: {error}");
        ExitCode::FAILURE
    })
}
