//! A mail that was taken back because somebody was deleted, written anew for those who have not got it.

use renkei_runtime::clock::Millis;
use renkei_store::outbox::{Mail, Waiting};
use renkei_store::{episodes, links};

use super::open_items::Scan;
use super::{Post, letters, morning};
use crate::context::Context;
use crate::error::Result;

/// What becomes of it.
pub enum Anew<T> {
    /// This is what it says now.
    Says(T),
    /// Nothing is left that it told.
    Nothing,
    /// Somebody may be deleted just now: it is written later.
    Later,
}

/// What the mail says now. Nobody is deleted while it is written.
///
/// # Errors
/// When the store does not answer.
pub async fn write(context: &Context, post: &Post, scan: &Scan, waiting: &Waiting, now: Millis) -> Result<Anew<Mail>> {
    let mail = |subject, text, html| Mail { to: waiting.mail.to.clone(), subject, text, html };
    // Episodes have numbers above zero, mornings below.
    if waiting.episode < 0 {
        return Ok(match morning::anew(context, post, -waiting.episode, now).await? {
            Anew::Says(notice) => Anew::Says(mail(notice.subject(), notice.text(), notice.html())),
            Anew::Nothing => Anew::Nothing,
            Anew::Later => Anew::Later,
        });
    }
    let store = &context.store;
    let tx = store.begin().await?;
    let told = async || episodes::told_in(&tx, waiting.episode, waiting.digest).await;
    let Some((trouble, _)) = told().await? else { return Ok(Anew::Nothing) };
    if !links::try_lock_tenant(&tx, &trouble.tenant).await? {
        return Ok(Anew::Later);
    }
    // Somebody else may have been deleted until then.
    let Some((_, items)) = told().await? else { return Ok(Anew::Nothing) };
    let url = post.public_url.as_deref();
    let letter = letters::letter(store, &tx, scan, &trouble, waiting.digest, &items, url).await?;
    Ok(Anew::Says(mail(letter.subject(), letter.text(), letter.html())))
}
