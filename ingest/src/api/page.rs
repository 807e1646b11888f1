//! Lists come in pages. A cursor is opaque, and good only for the list and the tenant that it was given for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use renkei_store::Store;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::ApiError;

/// How many items a page has unless the caller says otherwise.
const USUAL: u32 = 50;

/// How many items a page has: 1 to 200.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub struct Limit(u32);

impl TryFrom<String> for Limit {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, &'static str> {
        let number = text.parse().ok().filter(|number| (1..=200).contains(number));
        number.map(Limit).ok_or("must be a number from 1 to 200")
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Send it as `cursor` for the next page; null at the end.
    pub next_cursor: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    p: String,
    m: String,
}

/// Which list is asked for, and where it goes on.
#[derive(Debug, Clone)]
pub struct Listing<'a> {
    store: &'a Store,
    list: &'static str,
    owner: String,
    limit: u32,
    cursor: Option<String>,
}

impl<'a> Listing<'a> {
    /// The list `list` of `owner`.
    #[must_use]
    pub fn new(
        store: &'a Store,
        list: &'static str,
        owner: &str,
        limit: Option<Limit>,
        cursor: Option<String>,
    ) -> Self {
        Self { store, list, owner: owner.to_owned(), limit: limit.map_or(USUAL, |limit| limit.0), cursor }
    }

    /// How many rows to read: one more than the page has, to know whether it is the last.
    #[must_use]
    pub fn most(&self) -> u32 {
        self.limit + 1
    }

    /// After which position the page begins.
    ///
    /// # Errors
    /// [`ApiError::CursorInvalid`] for a cursor that this list did not give.
    pub fn after<P: DeserializeOwned>(&self) -> Result<Option<P>, ApiError> {
        let Some(text) = &self.cursor else { return Ok(None) };
        let read = || {
            let cursor: Cursor = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
            if cursor.m == self.mark(&cursor.p) { serde_json::from_str(&cursor.p).ok() } else { None }
        };
        read().map(Some).ok_or(ApiError::CursorInvalid)
    }

    fn mark(&self, position: &str) -> String {
        let parts = [self.list.as_bytes(), self.owner.as_bytes(), position.as_bytes()];
        self.store.keys.hash("api_cursor", &parts)
    }

    /// The page of the rows that were read.
    ///
    /// # Errors
    /// When a position can not be written.
    pub fn page<R, P: Serialize, T>(
        &self,
        mut rows: Vec<R>,
        position: impl Fn(&R) -> P,
        view: impl Fn(R) -> T,
    ) -> Result<Page<T>, ApiError> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = match rows.last().filter(|_| more) {
            Some(last) => {
                let p = serde_json::to_string(&position(last)).map_err(|_| ApiError::Unavailable)?;
                let cursor = Cursor { m: self.mark(&p), p };
                let text = serde_json::to_vec(&cursor).map_err(|_| ApiError::Unavailable)?;
                Some(URL_SAFE_NO_PAD.encode(text))
            }
            None => None,
        };
        Ok(Page { items: rows.into_iter().map(view).collect(), next_cursor })
    }
}
