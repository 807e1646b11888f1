//! A source with an employee feed, and the sweepers that ask it.

use std::sync::Arc;
use std::time::Duration;

use renkei_log::LogWriter;
use renkei_runtime::clock::{Clock, Millis};
use renkei_sandbox::feed::{self, Company, CompanySpec, Feed, Record};
use renkei_sandbox::transport::{Hosts, no_latency};
use renkei_store::connections::StoredSecret;
use renkei_store::{connections, feeds};
use renkei_workers::context::{Context, NextWake};
use renkei_workers::sweep::{SweepSettings, Sweeper};
use secrecy::SecretString;

use crate::people::person;
use crate::world::World;

const ORIGIN: &str = "http://roumumate.test";
const TOKEN: &str = "feed-token";

/// One process with the sweeper's role.
pub struct Process {
    /// What its steps are handed.
    pub context: Context,
    /// The role.
    pub sweeper: Sweeper,
}

/// A source of employees beside a [`World`], with one company per connection.
pub struct Source {
    /// カオナビ and its workers.
    pub world: World,
    /// The feed.
    pub feed: feed::Shared,
    /// The way to it.
    pub hosts: Arc<Hosts>,
    /// The processes that ask it.
    pub processes: Vec<Process>,
}

impl Source {
    /// A source beside `world`, asked by one process.
    pub fn beside(world: World) -> Self {
        let feed = Feed::new().shared();
        let clock: Arc<dyn Clock> = world.clock.clone();
        let hosts = Arc::new(Hosts::new(clock, no_latency()).with(ORIGIN, feed.clone()));
        let mut source = Self { world, feed, hosts, processes: Vec::new() };
        source.start("s1", Arc::new(source.world.log.clone()));
        source
    }

    /// Starts a process that puts what it finds on `log`.
    pub fn start(&mut self, name: &str, log: Arc<dyn LogWriter>) {
        let context = Context { transport: self.hosts.clone(), ..self.world.workers[0].context.clone() };
        let sweeper = Sweeper::new(&context, log, name.to_owned(), SweepSettings::default());
        self.processes.push(Process { context, sweeper });
    }

    /// Gives a connection of the world a feed, and a webhook secret if it is to have webhooks.
    pub async fn give_feed(&self, connection: &str, webhooks: bool) {
        let spec =
            CompanySpec { id: connection.to_owned(), token: TOKEN.to_owned(), settings: feed::Settings::default() };
        self.feed.lock().await.add(spec).unwrap();
        let store = &self.world.store;
        let (url, token) = (format!("{ORIGIN}{}", Feed::path(connection)), SecretString::from(TOKEN));
        let known = self.world.connection(connection).await;
        let tx = store.begin().await.unwrap();
        let now = store.now_in(&tx).await.unwrap();
        feeds::put(store, &tx, connection, &url, &token, Duration::from_secs(300)).await.unwrap();
        feeds::plan(store, &tx, connection, &token, known.activated.is_none(), now).await.unwrap();
        if webhooks {
            let secret = StoredSecret { id: "1".to_owned(), secret: "whsec_x".to_owned().into(), expires: None };
            connections::replace_secrets(store, &tx, connection, &[secret]).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Looks at the source's side of a connection, or changes it.
    pub async fn company<T>(&self, connection: &str, look: impl FnOnce(&mut Company) -> T) -> T {
        look(self.feed.lock().await.company(connection).unwrap())
    }

    /// Somebody at the source hires or changes person `index`, with some keys replaced; no webhook tells of it.
    pub async fn edit(&self, connection: &str, index: usize, changes: serde_json::Value) {
        let now = self.world.now();
        let mut record = as_feed(index, now);
        for (key, value) in changes.as_object().unwrap() {
            record.insert(key.clone(), value.clone());
        }
        self.company(connection, |company| company.put(now, record).unwrap()).await;
    }

    /// Lets time pass until `until`, with all sweepers at work.
    pub async fn run_until(&mut self, until: Millis) {
        loop {
            let mut next = until;
            for process in &self.processes {
                loop {
                    match process.sweeper.step(&process.context).await {
                        Ok(NextWake::Now) => self.world.look_at_the_log(),
                        Ok(wake) => {
                            next = next.min(wake.time(self.world.now()));
                            break;
                        }
                        // The job rests; what is wrong is in the store.
                        Err(error) if error.is_transient() => {}
                        Err(error) => panic!("a sweep failed: {error}"),
                    }
                }
            }
            let next = no_sooner(next, self.world.now()).min(until);
            self.world.run_until(next).await;
            if next == until {
                return;
            }
        }
    }

    /// Lets a while pass.
    pub async fn run_for(&mut self, length: Duration) {
        self.run_until(self.world.now() + length).await;
    }
}

/// What is due and was not taken is in other hands: it is looked at again as soon as a worker would.
pub(crate) fn no_sooner(next: Millis, now: Millis) -> Millis {
    if next > now { next } else { now + Duration::from_millis(500) }
}

/// A person as the feed tells of them.
pub fn as_feed(index: usize, at: Millis) -> Record {
    let whole = serde_json::to_value(person(index, at)).unwrap();
    whole.as_object().unwrap().clone()
}
