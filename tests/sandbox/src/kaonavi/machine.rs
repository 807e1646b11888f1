//! The state machine over all companies.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use renkei_runtime::clock::Millis;
use serde_json::json;
use tokio::sync::Mutex;

use super::accept::unauthorized;
use super::calls::Call;
use super::company::Company;
use super::route::Route;
use super::settings::take;
use super::spec::CompanySpec;
use crate::error::SandboxError;
use crate::machine::Machine;
use crate::wire::{Answer, JSON, SimRequest, SimResponse, pairs};

/// Calls of nobody that are kept.
const MOST_STRAYS: usize = 10_000;
/// How long a dead token is still known as its company's.
const TOKEN_REMEMBERED_MS: i64 = 25 * 3_600_000;

/// The simulator as servers and transports share it.
pub type Shared = Arc<Mutex<Kaonavi>>;

#[derive(Debug)]
struct Token {
    company: String,
    issued_at: Millis,
    revoked: bool,
}

/// カオナビ with all its companies.
#[derive(Debug)]
pub struct Kaonavi {
    companies: BTreeMap<String, Company>,
    keys: HashMap<String, String>,
    tokens: HashMap<String, Token>,
    next_task: i64,
    issued: u64,
    arrivals: u64,
    now: Millis,
    strays: VecDeque<Call>,
}

impl Default for Kaonavi {
    fn default() -> Self {
        Self {
            companies: BTreeMap::new(),
            keys: HashMap::new(),
            tokens: HashMap::new(),
            next_task: 90_000,
            issued: 0,
            arrivals: 0,
            now: Millis::default(),
            strays: VecDeque::new(),
        }
    }
}

impl Kaonavi {
    /// A カオナビ without companies.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The simulator, ready to be shared.
    #[must_use]
    pub fn shared(self) -> Shared {
        Arc::new(Mutex::new(self))
    }

    /// Makes a company.
    ///
    /// # Errors
    /// [`SandboxError::Taken`] for an id or a key in use, [`SandboxError::BadInput`] for members that do not fit.
    pub fn add(&mut self, spec: CompanySpec) -> Result<(), SandboxError> {
        if spec.id.is_empty() || spec.consumer_key.is_empty() || spec.consumer_secret.is_empty() {
            return Err(SandboxError::BadInput("id, consumer_key and consumer_secret must not be empty".to_owned()));
        }
        if self.companies.contains_key(&spec.id) || self.keys.contains_key(&spec.consumer_key) {
            return Err(SandboxError::Taken(spec.id));
        }
        let company = Company::new(spec)?;
        self.keys.insert(company.key.clone(), company.id.clone());
        self.companies.insert(company.id.clone(), company);
        Ok(())
    }

    /// Removes a company and all that belongs to it; whether it was there.
    pub fn remove(&mut self, id: &str) -> bool {
        self.keys.retain(|_, company| company != id);
        self.tokens.retain(|_, token| token.company != id);
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

    /// One company, brought up to `now`.
    ///
    /// # Errors
    /// [`SandboxError::UnknownCompany`].
    pub fn company(&mut self, now: Millis, id: &str) -> Result<&mut Company, SandboxError> {
        let now = self.tick(now);
        let company = self.companies.get_mut(id).ok_or_else(|| SandboxError::UnknownCompany(id.to_owned()))?;
        company.advance(now);
        Ok(company)
    }

    /// Calls that belong to no company, oldest first.
    pub fn strays(&self) -> impl ExactSizeIterator<Item = &Call> {
        self.strays.iter()
    }

    /// Gives a company new credentials; the old ones and all tokens end at once (A7).
    ///
    /// # Errors
    /// [`SandboxError::UnknownCompany`]; [`SandboxError::Taken`] for a key that another company has.
    pub fn reissue(&mut self, id: &str, key: &str, secret: &str) -> Result<(), SandboxError> {
        if self.keys.get(key).is_some_and(|owner| owner != id) {
            return Err(SandboxError::Taken(key.to_owned()));
        }
        let company = self.companies.get_mut(id).ok_or_else(|| SandboxError::UnknownCompany(id.to_owned()))?;
        self.keys.remove(&company.key);
        key.clone_into(&mut company.key);
        secret.clone_into(&mut company.secret);
        self.keys.insert(key.to_owned(), id.to_owned());
        self.revoke_tokens(id);
        Ok(())
    }

    /// Ends all tokens of a company (F4).
    pub fn revoke_tokens(&mut self, id: &str) {
        self.tokens.values_mut().filter(|token| token.company == id).for_each(|token| token.revoked = true);
    }

    /// How late a request that is at the server's door now shall reach the API. Every n-th of a hundred, so that the
    /// share is exact.
    pub fn arrival_delay(&mut self, request: &SimRequest) -> Duration {
        let company = match request.header("Kaonavi-Token") {
            Some(token) => self.tokens.get(token).map(|token| &token.company),
            None => basic(request).and_then(|(key, _)| self.keys.get(&key)),
        };
        let Some(company) = company.and_then(|id| self.companies.get(id)) else { return Duration::ZERO };
        self.arrivals += 1;
        // 37 and 100 have no common divisor, so a hundred calls visit every residue once.
        if self.arrivals * 37 % 100 < u64::from(company.faults.slow_arrival_percent) {
            Duration::from_millis(company.faults.slow_arrival_ms)
        } else {
            Duration::ZERO
        }
    }

    /// The largest body that any company takes.
    #[must_use]
    pub fn max_body(&self) -> usize {
        self.companies.values().map(|company| company.settings.max_body).max().unwrap_or(1024)
    }

    /// Time never goes back here, whatever the callers' clocks do.
    fn tick(&mut self, now: Millis) -> Millis {
        self.now = self.now.max(now);
        self.now
    }

    /// Answers a request that arrives at `now`.
    pub fn handle(&mut self, now: Millis, request: SimRequest) -> SimResponse {
        let now = self.tick(now);
        let route = Route::of(&request);
        let mut call = Call::arrived(now, &request);
        let (company, response) = if route == Route::Token {
            self.token(now, &request, &mut call)
        } else {
            self.resource(now, route, &request, &mut call)
        };
        call.status = response.status().unwrap_or(0);
        match company.and_then(|id| self.companies.get_mut(&id)) {
            Some(company) => company.log.add(call),
            None => {
                self.strays.push_back(call);
                if self.strays.len() > MOST_STRAYS {
                    self.strays.pop_front();
                }
            }
        }
        response
    }

    fn resource(
        &mut self,
        now: Millis,
        route: Route,
        request: &SimRequest,
        call: &mut Call,
    ) -> (Option<String>, SimResponse) {
        let token = request.header("Kaonavi-Token").and_then(|token| self.tokens.get(token));
        let Some(token) = token else {
            let answer = match route {
                Route::Unknown => Answer::errors(404, &["指定されたURLは存在しません"]),
                Route::WrongMethod => Answer::errors(405, &["許可されていないメソッドです"]),
                _ => unauthorized(),
            };
            return (None, answer.into());
        };
        let Some(company) = self.companies.get_mut(&token.company) else { return (None, unauthorized().into()) };
        let live = !token.revoked && now.0 - token.issued_at.0 < company.settings.token_life_ms;
        let response = company.serve(now, route, live, request, &mut self.next_task, call);
        (Some(token.company.clone()), response)
    }

    fn token(&mut self, now: Millis, request: &SimRequest, call: &mut Call) -> (Option<String>, SimResponse) {
        let Some((key, secret)) = basic(request) else { return (None, unauthorized().into()) };
        let Some(id) = self.keys.get(&key).cloned() else { return (None, unauthorized().into()) };
        let response = self.issue(now, &id, &secret, request, call).unwrap_or_else(|answer| answer);
        let response = match self.companies.get_mut(&id) {
            Some(company) => company.slow(response.into()),
            None => response.into(),
        };
        (Some(id), response)
    }

    fn issue(
        &mut self,
        now: Millis,
        id: &str,
        secret: &str,
        request: &SimRequest,
        call: &mut Call,
    ) -> Result<Answer, Answer> {
        let Some(company) = self.companies.get_mut(id) else { return Err(unauthorized()) };
        company.advance(now);
        if let Some(answer) = company.maintenance(now) {
            company.hour.add(now);
            call.counted = true;
            return Err(answer);
        }
        if company.secret != secret {
            return Err(unauthorized());
        }
        company.hourly(now, call)?;
        if take(&mut company.faults.html_500_tokens) {
            return Err(Answer::html(500, "Internal Server Error"));
        }
        if take(&mut company.faults.html_tokens) {
            return Ok(Answer::html(200, "カオナビ"));
        }
        if take(&mut company.faults.empty_tokens) {
            return Ok(Answer::raw(200, JSON, Vec::new()));
        }
        let media = request.header("Content-Type").map(|value| value.split(';').next().unwrap_or("").trim());
        let form = media.is_some_and(|media| media.eq_ignore_ascii_case("application/x-www-form-urlencoded"));
        let body = std::str::from_utf8(&request.body).unwrap_or("");
        let grant = pairs(body).any(|(name, value)| name == "grant_type" && value == "client_credentials");
        if !form || !grant {
            return Err(Answer::errors(400, &["grant_type が不正です"]));
        }
        if company.tokens.count(now) >= company.settings.tokens_per_hour {
            let wait = company.tokens.seconds_to_free(now);
            return Err(company.too_many("1時間あたりのアクセストークン発行数の上限を超えました", wait));
        }
        company.tokens.add(now);
        company.log.add_token(now);
        let (revokes, life) = (company.settings.new_token_revokes_old, company.settings.token_life_ms);
        if revokes {
            self.revoke_tokens(id);
        }
        self.tokens.retain(|_, token| now.0 - token.issued_at.0 < TOKEN_REMEMBERED_MS);
        self.issued += 1;
        let text = token_text(id, self.issued);
        self.tokens.insert(text.clone(), Token { company: id.to_owned(), issued_at: now, revoked: false });
        Ok(Answer::json(200, &json!({ "access_token": text, "token_type": "Bearer", "expire_in": life / 1000 })))
    }
}

impl Machine for Kaonavi {
    fn handle(&mut self, now: Millis, request: SimRequest) -> SimResponse {
        Kaonavi::handle(self, now, request)
    }

    fn max_body(&self) -> usize {
        Kaonavi::max_body(self)
    }

    fn arrival_delay(&mut self, request: &SimRequest) -> Duration {
        Kaonavi::arrival_delay(self, request)
    }
}

/// Key and secret of an `Authorization: Basic` header.
fn basic(request: &SimRequest) -> Option<(String, String)> {
    let (scheme, encoded) = request.header("Authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let pair = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let (key, secret) = pair.split_once(':')?;
    Some((key.to_owned(), secret.to_owned()))
}

/// A token in the shape of a UUID: the same in every run, and no two alike.
fn token_text(company: &str, number: u64) -> String {
    let seed = company
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = |salt: u64| {
        let mut value = seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    };
    let (high, low) = (mixed(1), mixed(2));
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:08x}{number:04x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        (low >> 16) & 0xffff_ffff
    )
}
