//! The state machine over all companies.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use renkei_runtime::clock::Millis;
use tokio::sync::Mutex;

use super::company::{Company, CompanySpec};
use super::{route, serve};
use crate::error::SandboxError;
use crate::hrmos::calls::Call;
use crate::machine::Machine;
use crate::wire::{Answer, SimRequest, SimResponse};

/// Calls of nobody that are kept.
const MOST_STRAYS: usize = 10_000;

/// The simulator as servers and transports share it.
pub type Shared = Arc<Mutex<KingOfTime>>;

/// KING OF TIME with all its companies. 勤革時 is another one of these, with companies of its own (rule 17).
#[derive(Debug)]
pub struct KingOfTime {
    companies: BTreeMap<String, Company>,
    caller: IpAddr,
    now: Millis,
    strays: VecDeque<Call>,
}

impl Default for KingOfTime {
    fn default() -> Self {
        Self {
            companies: BTreeMap::new(),
            caller: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)),
            now: Millis::default(),
            strays: VecDeque::new(),
        }
    }
}

impl KingOfTime {
    /// A service without companies.
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
    /// As [`KingOfTime::add`].
    pub fn with(mut self, spec: CompanySpec) -> Result<Self, SandboxError> {
        self.add(spec)?;
        Ok(self)
    }

    /// Makes a company.
    ///
    /// # Errors
    /// [`SandboxError::Taken`] for an id or a token in use, [`SandboxError::BadInput`] for two people with one key.
    pub fn add(&mut self, spec: CompanySpec) -> Result<(), SandboxError> {
        let taken = |text: &str| self.companies.values().flat_map(Company::tokens).any(|token| token.text == text);
        if self.companies.contains_key(&spec.id) || spec.tokens.iter().any(|token| taken(&token.text)) {
            return Err(SandboxError::Taken(spec.id));
        }
        let company = Company::new(spec)?;
        self.companies.insert(company.id().to_owned(), company);
        Ok(())
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

    /// Calls that belong to no company, oldest first.
    pub fn strays(&self) -> impl ExactSizeIterator<Item = &Call> {
        self.strays.iter()
    }

    /// Answers a request that arrives at `now`. Time never goes back here, whatever the callers' clocks do.
    pub fn handle(&mut self, now: Millis, request: SimRequest) -> SimResponse {
        self.now = self.now.max(now);
        let write = route::writes(&request);
        let path = without_tokens(&request.path);
        // The header's form is exact: a good token behind another word is none (rule 1).
        let text = request.header("Authorization").and_then(|header| header.strip_prefix("Bearer "));
        let found = text.and_then(|text| {
            self.companies.values_mut().find_map(|company| {
                let place = company.tokens.iter().position(|token| token.text == text)?;
                Some((company, place))
            })
        });
        let below = route::below(&request.path);
        let known = text.is_some();
        let (company, response) = match (found, below) {
            (Some((company, token)), Some(path)) => {
                let response = company.serve(self.now, self.caller, token, path, &request);
                (Some((company, token)), response)
            }
            (_, None) => (None, serve::errors(404, 222, "ページが見つかりません。").into()),
            (None, Some(_)) if known => (None, serve::errors(403, 100, "認証に失敗しました。").into()),
            (None, Some(_)) => (None, Answer::into(serve::errors(401, 111, "認証情報が不正です。"))),
        };
        let call = Call {
            at: self.now,
            method: request.method,
            path,
            query: request.query,
            status: response.status().unwrap_or(0),
            token: company.as_ref().and_then(|(_, token)| u64::try_from(token + 1).ok()),
            write,
        };
        match company {
            Some((company, _)) => company.log.add(call),
            None => {
                self.strays.push_back(call);
                if self.strays.len() > MOST_STRAYS {
                    self.strays.pop_front();
                }
            }
        }
        response
    }
}

/// What goes into the log: nothing that holds a token.
fn without_tokens(path: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    if let Some(at) = parts.iter().position(|part| *part == "tokens")
        && let Some(token) = parts.get_mut(at + 1)
    {
        *token = "redacted";
    }
    parts.join("/")
}

impl Machine for KingOfTime {
    fn handle(&mut self, now: Millis, request: SimRequest) -> SimResponse {
        KingOfTime::handle(self, now, request)
    }
}
