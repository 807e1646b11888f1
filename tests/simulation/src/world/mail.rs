//! The mail server, and what the store says needs a person.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use renkei_runtime::clock::{Clock, Millis};
use renkei_store::db::Sql;
use renkei_store::outbox::Mail;
use renkei_workers::notify::Post;
use renkei_workers::notify::send::{Handed, MailFault, Mailer};

use super::clock::SimClock;
use super::network::Doom;
use super::{Step, World};

/// Who is told when a connection names nobody.
pub const FALLBACK: &str = "everybody@example.test";
/// It is looked this often at what needs a person, and while something is new the role runs this often.
const OFTEN: Duration = Duration::from_secs(8);
/// For so long after something new.
const HOT: Duration = Duration::from_secs(80);
/// Otherwise this often, which is less than the real one: nothing happens in between.
pub const SELDOM: Duration = Duration::from_secs(120);

/// How the mail server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MailServer {
    /// It takes mails.
    #[default]
    Up,
    /// Nobody is there.
    Down,
    /// It takes none for now.
    Busy,
    /// It takes the connection and says nothing.
    Hangs,
    /// It takes mails for the first recipient only, for now.
    Partly,
}

/// A mail that the server took.
#[derive(Debug, Clone)]
pub struct Letter {
    /// When.
    pub at: Millis,
    /// Which worker handed it over.
    pub worker: String,
    /// Its Message-ID.
    pub message_id: String,
    /// For whom it was taken.
    pub to: Vec<String>,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
}

/// The mail server.
#[derive(Debug, Default)]
pub struct Mailbox {
    /// How it is.
    pub server: MailServer,
    /// What it took.
    pub letters: Vec<Letter>,
    /// How often it did not take a mail, by how it was.
    pub refused: BTreeMap<&'static str, u64>,
}

/// The way of one worker to the mail server. The worker may die before the server's 250 and after it.
struct Way {
    mailbox: Arc<Mutex<Mailbox>>,
    clock: Arc<SimClock>,
    doom: Arc<Doom>,
    worker: String,
}

impl Way {
    fn arrive(&self, message_id: &str, mail: &Mail) -> Result<Handed, MailFault> {
        let mut mailbox = self.mailbox.lock().unwrap();
        let server = mailbox.server;
        let mut strike = |kind| *mailbox.refused.entry(kind).or_default() += 1;
        let taken = match server {
            MailServer::Down => {
                strike("mail: server down");
                return Err(MailFault::Unreachable("connect"));
            }
            MailServer::Busy => {
                strike("mail: refused for now");
                return Err(MailFault::Later(451, "DATA"));
            }
            MailServer::Partly if mail.to.len() > 1 => {
                strike("mail: one recipient put off");
                1
            }
            MailServer::Hangs | MailServer::Partly | MailServer::Up => mail.to.len(),
        };
        mailbox.letters.push(Letter {
            at: self.clock.now(),
            worker: self.worker.clone(),
            message_id: message_id.to_owned(),
            to: mail.to[..taken].to_vec(),
            subject: mail.subject.clone(),
            text: mail.text.clone(),
        });
        Ok(Handed { refused: Vec::new(), later: (taken..mail.to.len()).collect() })
    }
}

#[async_trait::async_trait]
impl Mailer for Way {
    async fn send(
        &self,
        message_id: &str,
        _: jiff::Timestamp,
        mail: &Mail,
        deadline: Duration,
    ) -> Result<Handed, MailFault> {
        self.doom.point(&self.clock).await;
        let hangs = self.mailbox.lock().unwrap().server == MailServer::Hangs;
        if hangs {
            *self.mailbox.lock().unwrap().refused.entry("mail: server hangs").or_default() += 1;
            self.clock.sleep(deadline * 2).await;
            return Err(MailFault::Unreachable("deadline"));
        }
        let handed = self.arrive(message_id, mail);
        self.doom.point(&self.clock).await;
        // Whoever waits for this beside a deadline has looked at the clock; what it does next is no sleep.
        self.clock.parked.store(false, Ordering::SeqCst);
        handed
    }
}

/// The role that mails, in one worker.
pub(super) struct Notifier {
    pub(super) post: Arc<Post>,
    pub(super) context: renkei_workers::context::Context,
    pub(super) at: Millis,
    pub(super) running: Option<Step>,
}

/// Something that needs a person, for as long as it was seen without a break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The code.
    pub code: String,
    /// The connection.
    pub connection: String,
    /// 従業員ID; empty for a connection as a whole.
    pub employee: String,
    /// When it was seen first.
    pub first: Millis,
    /// When it was seen to be gone.
    pub gone: Millis,
}

type Key = (String, String, String);

/// Everything that was seen to need a person.
#[derive(Debug, Default)]
pub struct Watch {
    /// When it was looked last.
    looked: Millis,
    /// Whether something happened since then.
    pub(super) stirred: bool,
    hot_until: Millis,
    now: BTreeMap<Key, usize>,
    /// What was seen, in the order in which it was seen first.
    pub seen: Vec<Open>,
}

impl Watch {
    /// When it is to be looked next.
    fn next(&self) -> Millis {
        if self.stirred { self.looked + OFTEN } else { Millis::NEVER }
    }

    /// Notes what is open at `now`. Whether it differs from before.
    fn note(&mut self, now: Millis, open: Vec<Key>) -> bool {
        (self.looked, self.stirred) = (now, false);
        let mut found = BTreeMap::new();
        let mut news = false;
        for key in open {
            let index = self.now.get(&key).copied().unwrap_or_else(|| {
                news = true;
                let (code, connection, employee) = key.clone();
                self.seen.push(Open { code, connection, employee, first: now, gone: Millis::NEVER });
                self.seen.len() - 1
            });
            found.insert(key, index);
        }
        for (_, index) in self.now.iter().filter(|(key, _)| !found.contains_key(*key)) {
            self.seen[*index].gone = now;
        }
        self.now = found;
        if news {
            self.hot_until = now + HOT;
        }
        news
    }
}

impl World {
    /// Lets all workers mail from now on, those to come too. `seed` is for chance in it.
    pub fn with_mail(&mut self, seed: u64) {
        self.mail_seed = Some(seed);
        for index in 0..self.workers.len() {
            self.give_notifier(index);
        }
    }

    pub(super) fn give_notifier(&mut self, index: usize) {
        let Some(seed) = self.mail_seed else { return };
        let worker = &mut self.workers[index];
        let way = Way {
            mailbox: Arc::clone(&self.mailbox),
            clock: Arc::clone(&self.clock),
            doom: Arc::clone(&worker.mail_doom),
            worker: worker.name.clone(),
        };
        let post = Post::new(Some(Arc::new(way)), "mail.example.test".to_owned(), vec![FALLBACK.to_owned()], None);
        let context = renkei_workers::context::Context {
            random: super::seeded(seed.wrapping_add(index as u64)),
            ..worker.context.clone()
        };
        worker.notifier = Some(Notifier { post: Arc::new(post), context, at: self.clock.now(), running: None });
    }

    /// When the watch or a notifier has something to do.
    pub(super) fn next_mail(&self) -> Millis {
        let notifiers = self.workers.iter().filter(|worker| worker.alive && !worker.frozen);
        let notifiers = notifiers.filter_map(|worker| worker.notifier.as_ref());
        let idle = notifiers.filter(|notifier| notifier.running.is_none()).map(|notifier| notifier.at);
        let next = if self.mail_seed.is_some() { self.watch.next() } else { Millis::NEVER };
        idle.chain([next]).min().unwrap_or(Millis::NEVER)
    }

    /// Looks at what needs a person, if something may have changed.
    pub(super) async fn watch(&mut self) {
        let now = self.now();
        if self.mail_seed.is_none() || self.watch.next() > now {
            return;
        }
        let open = self.open_now().await;
        if self.watch.note(now, open) {
            for notifier in self.workers.iter_mut().filter_map(|worker| worker.notifier.as_mut()) {
                notifier.at = notifier.at.min(now);
            }
        }
    }

    /// People who are parked or held, or whom somebody should look at, and connections that are halted.
    async fn open_now(&self) -> Vec<Key> {
        let mut open: Vec<Key> = Vec::new();
        let people =
            "SELECT reason, connection_id, employee_id FROM employees WHERE state = 'parked' OR state = 'held'";
        let halted = "SELECT state_code AS reason, connection_id, '' AS employee_id FROM connections
            WHERE state = 'halted'";
        // These go on being sent.
        let warned = "SELECT warning AS reason, connection_id, employee_id FROM employees
            WHERE warning IS NOT NULL AND state NOT IN ('parked', 'held')";
        for query in [people, halted, warned] {
            for row in self.store.db.rows(query, vec![]).await.unwrap() {
                let Some(reason) = row.get::<Option<String>>("reason").unwrap() else { continue };
                open.push((reason, row.get("connection_id").unwrap(), row.get("employee_id").unwrap()));
            }
        }
        open
    }

    /// Drives the mailing role of one worker. Whether it did something.
    pub(super) async fn notify(&mut self, index: usize) -> bool {
        let now = self.now();
        let hot = now <= self.watch.hot_until;
        let clock = Arc::clone(&self.clock);
        let worker = &mut self.workers[index];
        let Some(notifier) = &mut worker.notifier else { return false };
        if notifier.running.is_none() {
            if notifier.at > now {
                return false;
            }
            let (context, post, name) = (notifier.context.clone(), Arc::clone(&notifier.post), worker.name.clone());
            notifier.running =
                Some(Box::pin(async move { renkei_workers::notify::step(&context, &post, &name).await }));
        }
        let Some(step) = &mut notifier.running else { return false };
        match super::run::drive(&clock, step.as_mut(), &mut None, &mut 0).await {
            super::run::Driven::Ended(result) => {
                notifier.running = None;
                let next = result.unwrap().time(now);
                let pause = if hot { OFTEN } else { SELDOM };
                notifier.at = if next <= now { now } else { next.max(now + pause) };
                true
            }
            super::run::Driven::Parked if !worker.mail_doom.has_struck() => false,
            super::run::Driven::Parked | super::run::Driven::Killed => {
                self.kill(index);
                true
            }
        }
    }
}
