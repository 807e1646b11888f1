//! What every Renkei process needs and none should invent again: time, configuration, telemetry, outgoing HTTP,
//! probes and metrics, and an orderly end.

pub mod broken;
pub mod clock;
pub mod config;
pub mod http;
pub mod probe;
pub mod shutdown;
pub mod telemetry;
