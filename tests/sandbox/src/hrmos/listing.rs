//! Pages of lists (rules 8 and 9).

use renkei_runtime::clock::Millis;
use serde::Serialize;

use super::dates::parse_instant;
use super::faults::Between;
use super::settings::{OverLimit, PastEnd, Settings};
use crate::wire::{Answer, JSON, SimRequest, pairs};

/// Rows of a page unless the caller says otherwise.
const USUAL: u64 = 25;
/// The most rows of a page.
const MOST: u64 = 100;

/// Which page of what is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    limit: u64,
    page: u64,
    from: Option<Millis>,
    to: Option<Millis>,
}

/// What a list can not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unlisted {
    /// A parameter is malformed; which one.
    Parameter(&'static str),
    /// There is no such page.
    NoPage,
}

impl Asked {
    /// Reads the query; headers of the same names mean nothing.
    pub(crate) fn read(request: &SimRequest, settings: &Settings) -> Result<Self, Unlisted> {
        let number = |name: &'static str, usual| match request.parameter(name) {
            None => Ok(usual),
            Some(text) => text.parse().ok().filter(|number| *number > 0).ok_or(Unlisted::Parameter(name)),
        };
        let instant = |name: &'static str| {
            let text = request.parameter(name);
            text.map(|text| parse_instant(&text).ok_or(Unlisted::Parameter(name))).transpose()
        };
        let limit = number("limit", USUAL)?;
        if limit > MOST && settings.over_limit == OverLimit::Refuse {
            return Err(Unlisted::Parameter("limit"));
        }
        let (page, limit) = (number("page", 1)?, limit.min(MOST));
        Ok(Self { limit, page, from: instant("from")?, to: instant("to")? })
    }

    /// Whether only some of the rows are wanted.
    pub(crate) fn filters(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }

    /// Whether a row with this update time is wanted; both ends belong to the range.
    pub(crate) fn wants(&self, updated_at: Millis) -> bool {
        self.from.is_none_or(|from| updated_at >= from) && self.to.is_none_or(|to| updated_at <= to)
    }

    /// Whether it is not the first page.
    pub(crate) fn goes_on(&self) -> bool {
        self.page > 1
    }

    /// How many rows stand before the page.
    pub(crate) fn skipped(&self) -> usize {
        usize::try_from((self.page - 1).saturating_mul(self.limit)).unwrap_or(usize::MAX)
    }

    /// The page of `all`, each row made by `shown`.
    pub(crate) fn answer<'a, T, S: Serialize>(
        &self,
        request: &SimRequest,
        all: &'a [T],
        between: Option<Between>,
        settings: &Settings,
        shown: impl Fn(&'a T) -> S,
    ) -> Result<Answer, Unlisted> {
        let (skipped, total) = match between {
            None => (self.skipped(), all.len()),
            Some(Between::RowCame) => (self.skipped().saturating_sub(1), all.len() + 1),
            Some(Between::RowWent) => (self.skipped().saturating_add(1), all.len().saturating_sub(1)),
        };
        let total = u64::try_from(total).unwrap_or(u64::MAX);
        let pages = if total == 0 { settings.pages_of_nothing } else { total.div_ceil(self.limit) };
        if self.page > pages.max(1) && settings.past_end == PastEnd::NotFound {
            return Err(Unlisted::NoPage);
        }
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let rows: Vec<S> = all.iter().skip(skipped).take(limit).map(shown).collect();
        // Numbers, texts and lists of them always have a JSON form.
        let body = serde_json::to_vec(&rows).unwrap_or_default();
        let mut answer = Answer::raw(200, JSON, body)
            .with_header("X-Total-Count", total.to_string())
            .with_header("X-Total-Page", pages.to_string());
        let link = self.links(request, pages, settings);
        if !link.is_empty() {
            answer = answer.with_header("Link", link);
        }
        Ok(answer)
    }

    /// The relations that apply: there is no page before the first and none behind the last.
    fn links(&self, request: &SimRequest, pages: u64, settings: &Settings) -> String {
        let kept: Vec<String> = request.query.split('&').filter(|pair| keeps(pair)).map(str::to_owned).collect();
        let link = |page: u64, relation: &str| {
            let mut query = kept.clone();
            query.push(format!("page={page}"));
            format!("<{}{}?{}>; rel=\"{relation}\"", settings.base_url, request.path, query.join("&"))
        };
        let mut links = Vec::new();
        if self.page > 1 {
            links.push(link(1, "first"));
            links.push(link((self.page - 1).min(pages.max(1)), "previous"));
        }
        if self.page < pages {
            links.push(link(self.page + 1, "next"));
            links.push(link(pages, "last"));
        }
        links.join(", ")
    }
}

/// Whether a pair of the query is no page number.
fn keeps(pair: &str) -> bool {
    pairs(pair).next().is_some_and(|(name, _)| name != "page")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str, settings: &Settings) -> Result<Asked, Unlisted> {
        Asked::read(&SimRequest::new("GET", &format!("/api/a/v1/users?{query}")), settings)
    }

    #[test]
    fn parameters_are_read_or_refused() {
        let cut = Settings::default();
        let refuse = Settings { over_limit: OverLimit::Refuse, ..Settings::default() };
        let size = |query: &str, settings| asked(query, settings).map(|asked| (asked.limit, asked.page));
        assert_eq!(size("", &cut), Ok((25, 1)));
        assert_eq!(size("limit=100&page=3", &refuse), Ok((100, 3)));
        assert_eq!(size("limit=500", &cut), Ok((100, 1)));
        assert_eq!(size("limit=101", &refuse), Err(Unlisted::Parameter("limit")));
        for bad in ["limit=0", "limit=-1", "limit=many", "limit="] {
            assert_eq!(size(bad, &cut), Err(Unlisted::Parameter("limit")), "{bad}");
        }
        assert_eq!(size("page=0", &cut), Err(Unlisted::Parameter("page")));
        assert_eq!(size("from=yesterday", &cut), Err(Unlisted::Parameter("from")));
        assert_eq!(size("to=2026-04-09T00:00:00+09:00", &cut), Err(Unlisted::Parameter("to")));
    }

    #[test]
    fn links_name_what_applies() {
        let settings = Settings::default();
        let link = |page: u64| {
            let request = SimRequest::new("GET", &format!("/api/a/v1/users?limit=10&page={page}"));
            let asked = Asked::read(&request, &settings).unwrap();
            let all: Vec<u8> = (0..25).collect();
            let answer = asked.answer(&request, &all, None, &settings, |row| *row).unwrap();
            answer.header("Link").unwrap_or("").to_owned()
        };
        let url = "https://ieyasu.co/api/a/v1/users?limit=10&page=";
        assert_eq!(link(1), format!("<{url}2>; rel=\"next\", <{url}3>; rel=\"last\""));
        assert_eq!(
            link(2),
            format!(
                "<{url}1>; rel=\"first\", <{url}1>; rel=\"previous\", <{url}3>; rel=\"next\", <{url}3>; rel=\"last\""
            )
        );
        assert_eq!(link(3), format!("<{url}1>; rel=\"first\", <{url}2>; rel=\"previous\""));
    }
}
