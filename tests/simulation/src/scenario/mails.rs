//! What happens to mails, and who gets them.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::{Action, Flavor, Timed};
use crate::world::mail::MailServer;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;

/// Who is told about a connection: nobody by name, one, or two.
pub(super) fn recipients(random: &mut StdRng, link: usize) -> Vec<String> {
    let names = [format!("first{link}@example.test"), format!("second{link}@example.test")];
    names[..random.random_range(0..=2)].to_vec()
}

/// The mail server's bad hours, and deaths of workers that mail.
pub(super) fn disturb(random: &mut StdRng, flavor: Flavor, length: i64) -> Vec<Timed> {
    let mut actions = Vec::new();
    if random.random_bool(0.4) {
        let mut at = random.random_range(0..60 * MINUTE);
        while at < length {
            let servers = [MailServer::Down, MailServer::Busy, MailServer::Hangs, MailServer::Partly];
            actions.push(Timed { at, what: Action::Mail(*servers.choose(random).unwrap()) });
            at += random.random_range(MINUTE..90 * MINUTE);
            actions.push(Timed { at, what: Action::Mail(MailServer::Up) });
            at += random.random_range(MINUTE..120 * MINUTE);
        }
    }
    if flavor.crashes {
        let mut at = random.random_range(0..30 * MINUTE);
        while at < length {
            actions.push(Timed { at, what: Action::KillMailing(random.random_range(0..3)) });
            at += random.random_range(5 * MINUTE..120 * MINUTE);
            actions.push(Timed { at, what: Action::Start });
            at += random.random_range(MINUTE..60 * MINUTE);
        }
    }
    actions
}
