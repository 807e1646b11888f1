//! Whose codes were on one side only when a run ended: what is kept of the run itself.

use jiff::ToSpan as _;
use renkei_attendance::codes::Code;
use renkei_attendance::matching::Matching;
use renkei_attendance::window::MOST_DAYS;
use renkei_runtime::clock::Millis;
use renkei_store::attendance::members;
use renkei_store::attendance::run_lists::{KEPT, Lists, Named, Near};

use super::Step;
use crate::attendance::sides;
use crate::error::Result;
use crate::sweep::calendar;

impl Step<'_> {
    /// How the codes of the last 40 days, and of the run's own, compare with クラウドログ's list; `None` without one.
    pub(super) async fn lists(&self) -> Result<Option<Lists>> {
        let store = &self.context.store;
        let Some(list) = members::info(&store.db, &self.link.tenant).await? else { return Ok(None) };
        let today = calendar::today(self.now);
        let oldest = today.saturating_sub(MOST_DAYS.days());
        let first = self.progress.first.map_or(oldest, |first| first.min(oldest));
        let people = sides::people(store, &self.link, (&first.to_string(), &today.to_string())).await?;
        let members = sides::members(store, &self.link.tenant).await?;
        Ok(Some(kept(&Matching::new(&people, &members), list.made)))
    }
}

fn kept(matching: &Matching<'_>, list_made: Millis) -> Lists {
    let near = matching.near.iter().take(KEPT).map(|near| Near {
        source: near.source.iter().map(Code::to_string).collect(),
        destination: near.destination.iter().map(Code::to_string).collect(),
    });
    Lists {
        list_made,
        matched: count(matching.matched().len()),
        only_source: named(matching.only_source.iter()),
        only_destination: named(matching.only_destination.iter()),
        near_total: count(matching.near.len()),
        near: near.collect(),
        doubles_at_source: named(matching.doubles_at_source.iter().map(|double| &double.code)),
        doubles_at_destination: named(matching.doubles_at_destination.iter().map(|double| &double.code)),
    }
}

fn named<'c>(codes: impl ExactSizeIterator<Item = &'c Code>) -> Named {
    Named { total: count(codes.len()), codes: codes.take(KEPT).map(Code::to_string).collect() }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
