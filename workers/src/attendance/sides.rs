//! Both sides of who is who: the people of a link, and クラウドログ's members.

use renkei_attendance::matching::AtSource;
use renkei_attendance::members::Member;
use renkei_store::Store;
use renkei_store::attendance::members::{self, ListedMember};
use renkei_store::attendance::shared_codes;
use renkei_store::links::Link;

use crate::error::Result;

/// Who of a link stands in the book from one day to another, and who shared a code there.
pub(super) async fn people(store: &Store, link: &Link, days: (&str, &str)) -> Result<Vec<AtSource>> {
    Ok(AtSource::from_stored(&link.id, shared_codes::people_with_book(&store.db, link, days).await?))
}

/// The members of the list that is in use, one for each line.
pub(super) async fn members(store: &Store, tenant: &str) -> Result<Vec<Member>> {
    Ok(members::all(&store.db, tenant).await?.iter().flat_map(member).collect())
}

fn member(listed: &ListedMember) -> Vec<Member> {
    let (code, own_text) = (&listed.code, &listed.own_text);
    Member::from_stored(code, own_text, (listed.first.as_deref(), listed.last.as_deref()), listed.active, &listed.lines)
}
