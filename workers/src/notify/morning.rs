//! The mail of a morning, at 08:30 in Tokyo: one for each link of attendance that has something to say.
//!
//! A link whose window is still under way is seen to when that has ended, at half past twelve at the latest: a mail that counts
//! yesterday's files would be wrong an hour later.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan as _;
use jiff::civil::{Date, Time};
use renkei_attendance::members as list;
use renkei_attendance::settings::LinkSettings;
use renkei_attendance::window::MOST_DAYS;
use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use renkei_store::attendance::members;
use renkei_store::attendance::mornings::{self, Untold};
use renkei_store::db::Sql;
use renkei_store::links::{self, Link};
use renkei_store::{jobs, outbox};

use super::Post;
use super::anew::Anew;
use super::texts::morning::{Files, Morning};
use super::texts::notice::Notice;
use crate::context::Context;
use crate::error::Result;
use crate::sweep::calendar;

/// When links are seen to, in Tokyo.
pub const AT: Time = Time::constant(8, 30, 0, 0);
/// Until when a window that is under way is waited for.
const AT_LAST: Time = Time::constant(12, 30, 0, 0);

/// Sees to the links whose mail of this day is due. Does nothing while mail is off.
///
/// # Errors
/// When the store does not answer.
pub async fn see_to_links(context: &Context, post: &Post, now: Millis) -> Result<()> {
    let today = calendar::today(now);
    if post.mailer.is_none() || now < calendar::on(today, AT) || post.is_morning_over(today) {
        return Ok(());
    }
    let store = &context.store;
    let mut all_seen_to = true;
    for id in mornings::due(&store.db, &today.to_string()).await? {
        let Some(link) = links::find(store, &store.db, &id).await? else { continue };
        let waits = now < calendar::on(today, AT_LAST) && is_under_way(context, &link, now).await?;
        all_seen_to &= !waits && see_to(context, post, &link, today, now).await?;
    }
    if all_seen_to {
        post.end_morning(today);
    }
    Ok(())
}

async fn is_under_way(context: &Context, link: &Link, now: Millis) -> Result<bool> {
    let db = &context.store.db;
    let window = jobs::find(db, &links::window_job(&link.id), now).await?;
    Ok((link.auto && window.is_some_and(|window| window.slot <= now))
        || jobs::is_there(db, links::DECIDE, &link.id).await?)
}

/// `false`: somebody else has the company's lock now.
async fn see_to(context: &Context, post: &Post, link: &Link, today: Date, now: Millis) -> Result<bool> {
    let store = &context.store;
    let tx = store.begin().await?;
    // Nobody is deleted between what is read here and the mail that says it.
    if !links::try_lock_tenant(&tx, &link.tenant).await? {
        return Ok(false);
    }
    let Some(link) = links::find(store, &tx, &link.id).await? else { return Ok(true) };
    // Another process may have been quicker.
    let Some(number) = mornings::see_to(&tx, &link.id, &today.to_string()).await? else { return Ok(true) };
    let settings = LinkSettings::from_stored(&link.settings);
    let to = if settings.recipients.is_empty() { &post.fallback_to } else { &settings.recipients };
    let told = mornings::told(&tx, &link.id).await?;
    let stands = Standing::read(&tx, &link, &settings, today).await?;
    let new: Vec<Untold> = stands.unwritten.difference(&told).cloned().collect();
    let over: Vec<Untold> = told.difference(&stands.unwritten).cloned().collect();
    let list_told = mornings::list_told(&tx, &link.id).await?.map(|told| told.made);
    let list_news = stands.old_list().filter(|made| list_told != Some(*made));
    let notice = stands.notice(post, &link, &new, list_news.is_some()).filter(|_| !to.is_empty());
    let this_mail = (link.id.as_str(), number);
    // Nobody was told when there is nobody to tell.
    mornings::tell(&tx, this_mail, if notice.is_some() { &new } else { &[] }, &over).await?;
    if let Some(notice) = &notice {
        if let Some(made) = list_news {
            mornings::tell_list(&tx, this_mail, made).await?;
        }
        let mail = outbox::Mail { to: to.clone(), subject: notice.subject(), text: notice.text(), html: notice.html() };
        // Episodes have numbers above zero.
        let episode = -number;
        let message_id = outbox::message_id(store, episode, 1, &post.domain);
        outbox::enqueue(store, &tx, &message_id, (episode, 1), &mail, now).await?;
    }
    tx.commit().await?;
    if notice.is_some() {
        tracing::info!(link.id = %link.id, mail.items = new.len(), "morning mail made");
    }
    Ok(true)
}

/// What a mail that was taken back says now: what was told in it and is so still, and how things stand.
///
/// # Errors
/// When the store does not answer.
pub(super) async fn anew(context: &Context, post: &Post, number: i64, now: Millis) -> Result<Anew<Notice>> {
    let store = &context.store;
    let tx = store.begin().await?;
    let Some((tenant, id)) = mornings::link_of(&tx, number).await? else { return Ok(Anew::Nothing) };
    if !links::try_lock_tenant(&tx, &tenant).await? {
        return Ok(Anew::Later);
    }
    let Some(link) = links::find(store, &tx, &id).await? else { return Ok(Anew::Nothing) };
    let told = mornings::told_in(&tx, number).await?;
    let settings = LinkSettings::from_stored(&link.settings);
    let stands = Standing::read(&tx, &link, &settings, calendar::today(now)).await?;
    let still: Vec<Untold> = told.intersection(&stands.unwritten).cloned().collect();
    let list_told = mornings::list_told(&tx, &id).await?;
    let list_is_news = list_told.is_some_and(|told| told.mail == Some(number) && stands.old_list() == Some(told.made));
    Ok(stands.notice(post, &link, &still, list_is_news).map_or(Anew::Nothing, Anew::Says))
}

/// How things stand at a link.
struct Standing {
    /// What waits, if the recipients want to know.
    files: Option<Files>,
    /// Whose days are not written, and why.
    unwritten: BTreeSet<Untold>,
    /// クラウドログ's list, when a new one is needed.
    wanted: Option<WantedList>,
}

impl Standing {
    async fn read(sql: &impl Sql, link: &Link, settings: &LinkSettings, today: Date) -> Result<Self> {
        let first = today.saturating_sub(MOST_DAYS.days()).to_string();
        let unwritten = mornings::unwritten(sql, &link.id, &first).await?;
        let wanted = new_list_wanted(sql, link, today, &unwritten).await?;
        let files = if settings.daily_mail { waiting(sql, link).await? } else { None };
        Ok(Self { files, unwritten, wanted })
    }

    /// When クラウドログ's list was uploaded, if it is too old.
    fn old_list(&self) -> Option<Millis> {
        self.wanted.filter(|wanted| wanted.is_old).map(|wanted| wanted.made)
    }

    /// The mail that tells this, and these of whom days are not written; `None` when there is nothing to say.
    fn notice(&self, post: &Post, link: &Link, told: &[Untold], list_is_news: bool) -> Option<Notice> {
        let morning = Morning {
            link_name: link.name.clone(),
            files: self.files,
            unwritten: by_reason(told),
            list_days: self.wanted.map(|wanted| wanted.days),
            list_is_news,
            link: post.public_url.as_deref().map(|url| format!("{url}/links/{}", link.id)),
        };
        morning.notice()
    }
}

async fn waiting(sql: &impl Sql, link: &Link) -> Result<Option<Files>> {
    let waiting = mornings::waiting(sql, &link.id).await?;
    let since = waiting.since.filter(|_| waiting.files > 0);
    Ok(since.map(|since| Files { files: waiting.files, rows: waiting.rows, since: calendar::today(since) }))
}

/// クラウドログ's list, when a new one is needed.
#[derive(Clone, Copy)]
struct WantedList {
    /// When it was uploaded.
    made: Millis,
    /// How many days ago that was.
    days: i32,
    /// Whether it is too old; else it does not have a code of the link.
    is_old: bool,
}

async fn new_list_wanted(
    sql: &impl Sql,
    link: &Link,
    today: Date,
    unwritten: &BTreeSet<Untold>,
) -> Result<Option<WantedList>> {
    let Some(info) = members::info(sql, &link.tenant).await? else { return Ok(None) };
    let made = calendar::today(info.made);
    let (days, is_old) = (list::days_old(made, today), list::is_old(made, today));
    let not_in_it = [Code::AttendanceNotAMember, Code::AttendanceNearMiss].map(Code::as_str);
    let lacks_codes = unwritten.iter().any(|(_, reason)| not_in_it.contains(&reason.as_str()));
    let wanted = WantedList { made: info.made, days, is_old };
    Ok((is_old || (lacks_codes && days > 0)).then_some(wanted))
}

fn by_reason(pairs: &[Untold]) -> BTreeMap<Code, Vec<String>> {
    let mut reasons: BTreeMap<Code, Vec<String>> = BTreeMap::new();
    for (person, reason) in pairs {
        if let Some(code) = Code::parse(reason) {
            reasons.entry(code).or_default().push(person.clone());
        }
    }
    reasons
}
