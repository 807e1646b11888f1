//! Log lines on standard output.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{ConfigError, LogFormat, TelemetryConfig};

/// Starts logging for this process. To be called once.
///
/// # Errors
/// When the filter can not be read, or logging was started before.
pub fn init(config: &TelemetryConfig) -> Result<(), ConfigError> {
    let filter = EnvFilter::try_new(&config.filter);
    let filter = filter.map_err(|error| {
        ConfigError::of_key("log_filter", Some(&config.filter), format!("is not a filter: {error}"))
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stdout);
    let started = match config.format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).finish().try_init(),
        LogFormat::Text => builder.with_ansi(false).finish().try_init(),
    };
    started.map_err(|error| ConfigError::of_key("log_filter", None, format!("logging was started already: {error}")))
}
