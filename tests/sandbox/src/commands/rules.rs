//! `renkei-sandbox rules`.

use std::process::ExitCode;

use renkei_sandbox::rules;

pub(crate) fn run() -> ExitCode {
    let report = rules::check(&|_| None);
    print!("{report}");
    if report.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
