//! A mail that was taken back because somebody was deleted, written anew for those who have not got it.

use renkei_runtime::clock::Millis;
use renkei_store::episodes;
use renkei_store::outbox::{Mail, Waiting};

use super::open_items::Scan;
use super::{Post, letters, morning};
use crate::context::Context;
use crate::error::Result;

/// What the mail says now. `None`: nothing is left that it told.
///
/// # Errors
/// When the store does not answer.
pub async fn write(
    context: &Context,
    post: &Post,
    scan: &Scan,
    waiting: &Waiting,
    now: Millis,
) -> Result<Option<Mail>> {
    // Episodes have numbers above zero, mornings below.
    let (subject, text, html) = if waiting.episode < 0 {
        let Some(notice) = morning::anew(context, post, -waiting.episode, now).await? else { return Ok(None) };
        (notice.subject(), notice.text(), notice.html())
    } else {
        let store = &context.store;
        let told = episodes::told_in(&store.db, waiting.episode, waiting.digest).await?;
        let Some((trouble, items)) = told else { return Ok(None) };
        let url = post.public_url.as_deref();
        let letter = letters::letter(store, &store.db, scan, &trouble, waiting.digest, &items, url).await?;
        (letter.subject(), letter.text(), letter.html())
    };
    Ok(Some(Mail { to: waiting.mail.to.clone(), subject, text, html }))
}
