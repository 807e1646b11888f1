//! Hands one mail to the mail server, and writes down what came of it.

use std::time::Duration;

use async_trait::async_trait;
use renkei_runtime::broken::{self, Broken};
use renkei_runtime::clock::Millis;
use renkei_store::outbox::{self, Mail, Waiting};

use super::Post;
use super::anew::{self, Anew};
use super::open_items::Scan;
use crate::context::{Context, Random};
use crate::error::Result;

/// How long handing over may take (real time).
pub const DEADLINE: Duration = Duration::from_secs(30);
/// The pause after a first failure; it doubles up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);

/// Hands mails to a mail server. In the simulation it is one of memory.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands `mail` over under this Message-ID (without angle brackets), dated `date`. Ends within `deadline`.
    async fn send(
        &self,
        message_id: &str,
        date: jiff::Timestamp,
        mail: &Mail,
        deadline: Duration,
    ) -> std::result::Result<Handed, MailFault>;
}

/// The mail server took the mail, at least for those who are not listed here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handed {
    /// Recipients that it will never take, by their place in the mail, with its reply code (5xx).
    pub refused: Vec<(usize, u16)>,
    /// Recipients that it does not take now (4xx).
    pub later: Vec<usize>,
}

/// The mail server has nothing of the mail, as far as is known. Holds no address and no text of the server's, which may quote
/// one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailFault {
    /// The server will never take this mail (5xx after its content).
    #[error("the mail server refused the mail with {0}")]
    Refused(u16),
    /// The server does not take it now: 4xx, or a 5xx at login or of the sender, which somebody can mend.
    #[error("the mail server answered {0} at {1}")]
    Later(u16, &'static str),
    /// No connection, no TLS, no answer.
    #[error("the mail server can not be reached ({0})")]
    Unreachable(&'static str),
    /// The mail can not be written: the sender's address is none.
    #[error("the mail can not be written: {0}")]
    Unwritable(&'static str),
}

/// Hands one due mail over. Answers whether there was one. Does nothing while mail is off.
///
/// # Errors
/// When the store does not answer; the mail is then tried again under the same Message-ID.
pub async fn one(context: &Context, post: &Post, scan: &Scan, now: Millis) -> Result<bool> {
    let Some(mailer) = &post.mailer else { return Ok(false) };
    let store = &context.store;
    let back = now + context.clock.stretched(DEADLINE * 2);
    let Some(mut waiting) = outbox::take(store, now, back).await? else { return Ok(false) };
    if waiting.mail.is_taken_back() {
        match anew::write(context, post, scan, &waiting, now).await? {
            Anew::Says(mail) => waiting.mail = mail,
            Anew::Nothing => {
                outbox::give_up(&store.db, &waiting.message_id, now).await?;
                tracing::info!(
                    episode.id = waiting.episode,
                    mail.digest = waiting.digest,
                    "a mail that was taken back has nothing to say any more"
                );
                return Ok(true);
            }
            // It comes back by itself, and not in the next moment.
            Anew::Later => return Ok(false),
        }
    }
    let handed = tokio::select! {
        handed = mailer.send(&waiting.message_id, context.clock.wall(), &waiting.mail, DEADLINE) => handed,
        () = context.clock.sleep(DEADLINE) => Err(MailFault::Unreachable("deadline")),
    };
    let now = store.now().await?;
    match handed {
        Ok(handed) => took(context, &mut waiting, &handed, now).await?,
        Err(fault @ MailFault::Refused(_)) => {
            outbox::give_up(&store.db, &waiting.message_id, now).await?;
            given_up(context, &waiting, &fault);
        }
        Err(fault) => {
            tracing::warn!(episode.id = waiting.episode, mail.digest = waiting.digest, mail.attempts = waiting.attempts,
                error = %fault, "a mail could not be sent, it is tried again");
            again(context, &waiting, &fault, now).await?;
        }
    }
    Ok(true)
}

async fn took(context: &Context, waiting: &mut Waiting, handed: &Handed, now: Millis) -> Result<()> {
    for (_, status) in &handed.refused {
        // Which of them it was stands in no log.
        tracing::warn!(
            episode.id = waiting.episode,
            mail.digest = waiting.digest,
            smtp.status = status,
            "the mail server refused one recipient of a mail for good"
        );
        context.metrics.mails.with_label_values(&["recipient_refused"]).inc();
    }
    let all = waiting.mail.to.len();
    if handed.later.is_empty() {
        if handed.refused.len() >= all {
            outbox::give_up(&context.store.db, &waiting.message_id, now).await?;
            given_up(context, waiting, &MailFault::Refused(handed.refused.first().map_or(550, |(_, status)| *status)));
        } else if !broken::is(Broken::DoubleMail) {
            outbox::sent(&context.store.db, &waiting.message_id, now).await?;
            context.metrics.mails.with_label_values(&["sent"]).inc();
            tracing::info!(episode.id = waiting.episode, mail.digest = waiting.digest, "mail sent");
        }
        return Ok(());
    }
    // Those who have it must not get it again.
    let to = std::mem::take(&mut waiting.mail.to);
    waiting.mail.to =
        to.into_iter().enumerate().filter(|(at, _)| handed.later.contains(at)).map(|(_, address)| address).collect();
    again(context, waiting, &MailFault::Later(450, "RCPT"), now).await
}

async fn again(context: &Context, waiting: &Waiting, fault: &MailFault, now: Millis) -> Result<()> {
    let next = now + pause(context.random.as_ref(), waiting.attempts);
    if broken::is(Broken::MailLost) {
        outbox::give_up(&context.store.db, &waiting.message_id, now).await?;
    } else if outbox::failed(&context.store, waiting, next, now).await? {
        context.metrics.mails.with_label_values(&["put_off"]).inc();
    } else {
        given_up(context, waiting, fault);
    }
    Ok(())
}

fn given_up(context: &Context, waiting: &Waiting, fault: &MailFault) {
    context.metrics.mails.with_label_values(&["given_up"]).inc();
    tracing::warn!(episode.id = waiting.episode, mail.digest = waiting.digest, mail.attempts = waiting.attempts,
        error = %fault, "a mail was given up");
}

/// From a minute to an hour, of which the second half is drawn.
fn pause(random: &dyn Random, attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts - 1).unwrap_or(0).min(10);
    let ceiling = SHORTEST.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST);
    SHORTEST.max(ceiling.mul_f64(0.5 + 0.5 * random.unit()))
}
