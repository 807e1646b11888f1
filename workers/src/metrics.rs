//! Figures of a worker, for Prometheus. Labels are stages, kinds and reasons; never a person.

use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, Opts, Registry};

/// The families.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Events read from the log, by what became of them.
    pub consumed: IntCounterVec,
    /// Calls to カオナビ, by kind and outcome.
    pub calls: IntCounterVec,
    /// People by what became of them in delivery.
    pub settled: IntCounterVec,
    /// Steps that failed, by role.
    pub step_failures: IntCounterVec,
    /// Mails by what became of them.
    pub mails: IntCounterVec,
    /// Sweeps of sources by what came of them.
    pub sweeps: IntCounterVec,
    /// Seconds from the receipt of a person's newest event to the start of the call that carries it.
    pub receipt_to_call: Histogram,
    /// Records between the group's position and the end of the log; -1 when not known.
    pub lag: IntGauge,
}

impl Metrics {
    /// Makes the families and registers them.
    ///
    /// # Errors
    /// When the registry has families of these names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec, prometheus::Error> {
            let family = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(family.clone()))?;
            Ok(family)
        };
        let buckets = vec![0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0, 300.0, 900.0, 3600.0];
        let options = HistogramOpts::new(
            "renkei_receipt_to_call_seconds",
            "Seconds from the receipt of a person's newest event to the call that carries it",
        );
        let receipt_to_call = Histogram::with_opts(options.buckets(buckets))?;
        registry.register(Box::new(receipt_to_call.clone()))?;
        let lag =
            IntGauge::new("renkei_log_lag_records", "Records between the group's position and the end; -1 if unknown")?;
        registry.register(Box::new(lag.clone()))?;
        Ok(Self {
            consumed: counters("renkei_consumed_total", "Events read from the log by result", &["result"])?,
            calls: counters(
                "renkei_kaonavi_calls_total",
                "Calls to the destination by kind and outcome",
                &["kind", "outcome"],
            )?,
            settled: counters("renkei_settled_total", "People by what became of them in delivery", &["result"])?,
            mails: counters("renkei_mails_total", "Mails to people in charge by what became of them", &["result"])?,
            sweeps: counters("renkei_sweeps_total", "Sweeps of sources by what came of them", &["result"])?,
            step_failures: counters("renkei_step_failures_total", "Failed steps by role", &["role"])?,
            receipt_to_call,
            lag,
        })
    }
}
