//! The state machine over all companies.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use renkei_runtime::clock::Millis;
use serde_json::json;
use tokio::sync::Mutex;

use super::calls::Call;
use super::company::{Company, CompanySpec};
use super::route;
use crate::error::SandboxError;
use crate::machine::Machine;
use crate::wire::{Answer, SimRequest, SimResponse};

/// Calls of nobody that are kept.
const MOST_STRAYS: usize = 10_000;

/// The simulator as servers and transports share it.
pub type Shared = Arc<Mutex<Hrmos>>;

/// HRMOS勤怠 with all its companies.
#[derive(Debug)]
pub struct Hrmos {
    companies: BTreeMap<String, Company>,
    caller: IpAddr,
    now: Millis,
    strays: VecDeque<Call>,
}

impl Default for Hrmos {
    fn default() -> Self {
        Self {
            companies: BTreeMap::new(),
            caller: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)),
            now: Millis::default(),
            strays: VecDeque::new(),
        }
    }
}

impl Hrmos {
    /// An HRMOS勤怠 without companies.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The simulator, ready to be shared.
    #[must_use]
    pub fn shared(self) -> Shared {
        Arc::new(Mutex::new(self))
    }

    /// With a company.
    ///
    /// # Errors
    /// As [`Hrmos::add`].
    pub fn with(mut self, spec: CompanySpec) -> Result<Self, SandboxError> {
        self.add(spec)?;
        Ok(self)
    }

    /// Makes a company.
    ///
    /// # Errors
    /// [`SandboxError::Taken`] for an id in use, [`SandboxError::BadInput`] for one that can not stand in a path, for an
    /// empty key, and for two people with one id.
    pub fn add(&mut self, spec: CompanySpec) -> Result<(), SandboxError> {
        if self.companies.contains_key(&spec.id) {
            return Err(SandboxError::Taken(spec.id));
        }
        let company = Company::new(spec)?;
        self.companies.insert(company.id().to_owned(), company);
        Ok(())
    }

    /// Removes a company and all that belongs to it; whether it was there.
    pub fn remove(&mut self, id: &str) -> bool {
        self.companies.remove(id).is_some()
    }

    /// The companies, by id.
    pub fn companies(&self) -> impl ExactSizeIterator<Item = &Company> {
        self.companies.values()
    }

    /// One company as its last call left it.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Company> {
        self.companies.get(id)
    }

    /// One company, for the operator's hand.
    ///
    /// # Errors
    /// [`SandboxError::UnknownCompany`].
    pub fn company(&mut self, id: &str) -> Result<&mut Company, SandboxError> {
        self.companies.get_mut(id).ok_or_else(|| SandboxError::UnknownCompany(id.to_owned()))
    }

    /// The address that calls come from, from now on.
    pub fn set_caller(&mut self, caller: IpAddr) {
        self.caller = caller;
    }

    /// The address that calls come from.
    #[must_use]
    pub fn caller(&self) -> IpAddr {
        self.caller
    }

    /// Calls that belong to no company, oldest first.
    pub fn strays(&self) -> impl ExactSizeIterator<Item = &Call> {
        self.strays.iter()
    }

    /// Answers a request that arrives at `now`. Time never goes back here, whatever the callers' clocks do.
    pub fn handle(&mut self, now: Millis, request: SimRequest) -> SimResponse {
        self.now = self.now.max(now);
        let found = route::company(&request.path)
            .and_then(|(company, path)| self.companies.get_mut(company).map(|company| (company, path)));
        if let Some((company, path)) = found {
            return company.serve(self.now, self.caller, path, &request);
        }
        self.strays.push_back(Call {
            at: self.now,
            write: route::writes(&request),
            method: request.method,
            path: request.path,
            query: request.query,
            status: 404,
            token: None,
        });
        if self.strays.len() > MOST_STRAYS {
            self.strays.pop_front();
        }
        Answer::json(404, &json!({ "code": 404, "message": "指定された企業が見つかりません" })).into()
    }
}

impl Machine for Hrmos {
    fn handle(&mut self, now: Millis, request: SimRequest) -> SimResponse {
        if request.method == "GET" && request.path == "/" {
            return self.page().into();
        }
        Hrmos::handle(self, now, request)
    }
}
