//! カオナビ, simulated in this process and served over HTTP.

use std::sync::Arc;

use renkei_runtime::clock::{Clock, Millis, SystemClock};
use renkei_sandbox::kaonavi::{Call, Company, CompanySpec, Faults, Kaonavi, Shared, Stats};
use serde_json::Value;

use super::outside::Served;

pub struct Sim {
    kaonavi: Shared,
    clock: Arc<dyn Clock>,
    served: Served,
}

impl Sim {
    pub fn start(scale: u32, companies: Vec<CompanySpec>) -> Self {
        let anchor = Millis::from(SystemClock::real().wall());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::scaled(anchor, scale));
        let mut kaonavi = Kaonavi::new();
        for company in companies {
            kaonavi.add(company).unwrap();
        }
        let kaonavi = kaonavi.shared();
        let served = Served::by(kaonavi.clone(), Arc::clone(&clock));
        Self { kaonavi, clock, served }
    }

    /// The base URL of the API.
    pub fn base_url(&self) -> String {
        format!("{}/api/v2.0", self.served.origin)
    }

    /// The time as カオナビ has it.
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Looks at a company, or changes it by hand.
    pub fn with<T>(&self, company: &str, act: impl FnOnce(&mut Company, Millis) -> T) -> T {
        let now = self.clock.now();
        let mut kaonavi = self.kaonavi.blocking_lock();
        act(kaonavi.company(now, company).unwrap(), now)
    }

    /// The whole of it.
    pub fn machine<T>(&self, act: impl FnOnce(&mut Kaonavi) -> T) -> T {
        act(&mut self.kaonavi.blocking_lock())
    }

    /// Orders faults in the place of those in force.
    pub fn faults(&self, company: &str, faults: Faults) {
        self.with(company, |company, now| company.set_faults(now, faults));
    }

    pub fn stats(&self, company: &str) -> Stats {
        self.with(company, Company::stats)
    }

    /// Calls that arrived and wanted to write something.
    pub fn writes(&self, company: &str) -> usize {
        self.with(company, |company, _| company.log().writes().count())
    }

    /// All members as the API shows them.
    pub fn members(&self, company: &str) -> Vec<Value> {
        self.with(company, |company, _| company.shown_members(0, usize::MAX))
    }

    pub fn has_member(&self, company: &str, code: &str) -> bool {
        self.with(company, |company, _| company.member(code).is_some())
    }

    /// When the first accepted row of each code came.
    pub fn first_rows(&self, company: &str) -> std::collections::BTreeMap<String, Millis> {
        self.with(company, |company, _| {
            let mut first = std::collections::BTreeMap::new();
            for row in company.log().rows() {
                first.entry(row.code.clone()).or_insert(row.at);
            }
            first
        })
    }

    /// The calls that are kept.
    pub fn calls(&self, company: &str) -> Vec<Call> {
        self.with(company, |company, _| company.log().calls().cloned().collect())
    }

    /// The limits were kept: no call was refused for quota, and never six update calls in a rolling minute.
    #[track_caller]
    pub fn assert_within_limits(&self, company: &str) {
        let stats = self.stats(company);
        assert_eq!(stats.refused_429, 0, "{company}: refused for quota: {stats:?}");
        assert!(stats.peak_update_calls <= 5, "{company}: too many update calls in a minute: {stats:?}");
        assert!(stats.peak_calls_per_hour <= 3_000, "{company}: too many calls in an hour: {stats:?}");
        assert!(stats.peak_tokens_per_hour <= 5, "{company}: too many tokens in an hour: {stats:?}");
    }
}
