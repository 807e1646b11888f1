//! The state machine over all companies.

use std::collections::BTreeMap;
use std::sync::Arc;

use renkei_runtime::clock::Millis;
use tokio::sync::Mutex;

use super::company::{Company, CompanySpec};
use super::page::refusal;
use crate::error::SandboxError;
use crate::machine::Machine;
use crate::wire::{SimRequest, SimResponse};

/// The simulator as servers, transports and tests share it.
pub type Shared = Arc<Mutex<Feed>>;

/// ロウムメイト with all its companies.
#[derive(Debug, Default)]
pub struct Feed {
    companies: BTreeMap<String, Company>,
    now: Millis,
    strays: u64,
}

impl Feed {
    /// A ロウムメイト without companies.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The simulator, ready to be shared.
    #[must_use]
    pub fn shared(self) -> Shared {
        Arc::new(Mutex::new(self))
    }

    /// The path of a company's feed: `/feeds/{id}/employees`.
    #[must_use]
    pub fn path(id: &str) -> String {
        format!("/feeds/{id}/employees")
    }

    /// Makes a company without people.
    ///
    /// # Errors
    /// [`SandboxError::Taken`] for an id in use, [`SandboxError::BadInput`] for one that can stand in no path.
    pub fn add(&mut self, spec: CompanySpec) -> Result<&mut Company, SandboxError> {
        let id = spec.id.clone();
        let fits = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !fits || spec.token.is_empty() {
            return Err(SandboxError::BadInput("an id of letters, digits, - _ . and a token are needed".to_owned()));
        }
        if self.companies.contains_key(&id) {
            return Err(SandboxError::Taken(id));
        }
        Ok(self.companies.entry(id).or_insert(Company::new(spec)))
    }

    /// One company.
    ///
    /// # Errors
    /// [`SandboxError::UnknownCompany`].
    pub fn company(&mut self, id: &str) -> Result<&mut Company, SandboxError> {
        self.companies.get_mut(id).ok_or_else(|| SandboxError::UnknownCompany(id.to_owned()))
    }

    /// The companies, by id.
    pub fn companies(&self) -> impl ExactSizeIterator<Item = &Company> {
        self.companies.values()
    }

    /// Calls that belonged to no company.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// Answers a request that arrives at `now`.
    pub fn handle(&mut self, now: Millis, request: &SimRequest) -> SimResponse {
        // Time never goes back here, whatever the callers' clocks do.
        self.now = self.now.max(now);
        let id = request.path.strip_prefix("/feeds/").and_then(|rest| rest.strip_suffix("/employees"));
        let Some(company) = id.and_then(|id| self.companies.get_mut(id)) else {
            self.strays += 1;
            return refusal(404, "there is no such feed").into();
        };
        if request.method != "GET" {
            self.strays += 1;
            return refusal(405, "only GET").with_header("Allow", "GET").into();
        }
        company.serve(self.now, request)
    }
}

impl Machine for Feed {
    fn handle(&mut self, now: Millis, request: SimRequest) -> SimResponse {
        Feed::handle(self, now, &request)
    }
}
