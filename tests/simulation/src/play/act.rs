//! One action, done.

use std::time::Duration;

use renkei_events::codes::Code;
use renkei_events::event::{Change, EmployeeEvent, Fault, Origin};
use renkei_events::ids::{ConnectionId, EmployeeId, EventId, Version};
use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::{Faults, Permissions};
use renkei_store::accounts::{self, Credentials};
use renkei_store::connections::ConnectionState;
use renkei_store::decisions::{Decision, Who, decide};
use renkei_workers::commands;
use secrecy::SecretString;

use super::{COMPANY, Play, Received, Trouble};
use crate::scenario::{Action, LINKS, Sent, What, employee};
use crate::world::BASE_URL;

impl Play<'_> {
    pub(super) async fn act(&mut self, action: &Action) {
        self.count(action.kind());
        let now = self.world.now();
        match action {
            Action::Send(sent) => self.receive(sent, false).await,
            Action::Save(link, settings) => {
                self.world.save_settings(LINKS[*link], (**settings).clone()).await;
                self.history.settings[*link].push((now, (**settings).clone()));
            }
            Action::Pause(link) => self.pause(*link).await,
            Action::Resume(link) => self.resume(*link).await,
            Action::Faults(faults) => self.faults(faults).await,
            Action::Unreachable(on) => {
                self.world.transport.set_unreachable(*on);
                self.trouble(now, now + Duration::from_secs(3600));
            }
            Action::Outside(updates, tokens) => {
                self.history.outside.push(now);
                let (updates, tokens) = (*updates, *tokens);
                self.world.company(COMPANY, |company| company.outside_traffic(now, updates, 0, tokens)).await;
            }
            Action::RevokeTokens => {
                self.trouble(now, now);
                self.world.kaonavi.lock().await.revoke_tokens(COMPANY);
            }
            Action::Permitted(yes) => {
                self.trouble(now, now);
                let permissions = if *yes { Permissions::for_members() } else { Permissions::default() };
                self.world.company(COMPANY, |company| *company.permissions_mut() = permissions).await;
            }
            Action::Secret(same) => {
                self.trouble(now, now);
                let secret = if *same { format!("secret-{COMPANY}") } else { "another".to_owned() };
                let key = format!("key-{COMPANY}");
                self.world.kaonavi.lock().await.reissue(COMPANY, &key, &secret).unwrap();
            }
            Action::Mend => self.mend().await,
            Action::Kill(points) => {
                self.trouble(now, now + Duration::from_secs(900));
                self.world.workers.last().unwrap().doom.after(*points);
            }
            Action::Start => self.start(),
            Action::Freeze => {
                self.trouble(now, now + Duration::from_secs(120));
                let last = self.world.workers.len() - 1;
                if self.world.workers[last].alive {
                    self.world.freeze(last, true);
                }
                self.start();
            }
            Action::Thaw => self.thaw(),
            Action::Jump(by) => self.world.workers.last().unwrap().clock.jump(*by),
            Action::Decide(link, release) => self.decide(*link, *release).await,
        }
    }

    pub(super) fn thaw(&mut self) {
        for index in 0..self.world.workers.len() {
            if self.world.workers[index].frozen {
                self.world.freeze(index, false);
            }
        }
    }

    pub(super) fn trouble(&mut self, from: Millis, to: Millis) {
        // What nobody could say is settled within half an hour.
        self.history.troubles.push(Trouble { from, to: to + Duration::from_secs(2400) });
    }

    pub(super) fn start(&mut self) {
        self.names += 1;
        self.world.start_worker(&format!("w{}", self.names));
    }

    pub(super) async fn receive(&mut self, sent: &[Sent], baseline: bool) {
        let now = self.world.now();
        let mut events = Vec::with_capacity(sent.len());
        for one in sent {
            let updated = Millis(self.history.start.0 + one.version).timestamp();
            let (change, record, faults) = match &one.what {
                What::State(said) => {
                    let json = said.json(one.person, &updated.to_string());
                    let record = renkei_events::parse::record(&json, now.timestamp()).unwrap();
                    (Change::Updated, Some(record), Vec::new())
                }
                What::Deleted => (Change::Deleted, None, Vec::new()),
                What::Invalid => {
                    let fault = renkei_events::parse::fault("/birthday", renkei_events::parse::FaultCode::Type);
                    (Change::Invalid, None, Vec::<Fault>::from([fault]))
                }
            };
            events.push(EmployeeEvent {
                event_id: EventId::new(format!("msg_{}/0", one.event)).unwrap(),
                connection_id: ConnectionId::new(LINKS[self.scenario.link_of(one.person)]).unwrap(),
                employee_id: EmployeeId::new(employee(one.person)).unwrap(),
                origin: Origin::Webhook,
                change,
                received_at: now.timestamp(),
                version: Version::judge(updated, now.timestamp()),
                employee: record,
                faults,
            });
            self.history.received.push(Received { at: now, sent: one.clone(), baseline });
        }
        self.world.append(events).await;
    }

    async fn faults(&mut self, faults: &Faults) {
        let now = self.world.now();
        if let Some(since) = self.faulty_since.take() {
            self.trouble(since, now);
        }
        if *faults != self.lasting() {
            self.faulty_since = Some(now);
            self.trouble(now, now);
            self.history.forced_ngs |= faults.task_ngs > 0;
            for (name, _) in kinds(faults).into_iter().filter(|(_, on)| *on) {
                self.count(name);
            }
        }
        let faults = faults.clone();
        self.world.company(COMPANY, |company| company.set_faults(now, faults)).await;
    }

    async fn pause(&mut self, link: usize) {
        let connection = self.world.connection(LINKS[link]).await;
        if connection.state != ConnectionState::Active {
            return;
        }
        let (store, clock) = (self.world.store.clone(), self.world.clock.clone());
        self.world.run_with(async { commands::pause(&store, clock.as_ref(), LINKS[link]).await.unwrap() }).await;
        self.off[link] = true;
        let now = self.world.now();
        self.history.paused[link].push(Trouble { from: now, to: Millis::NEVER });
    }

    pub(super) async fn resume(&mut self, link: usize) {
        if !std::mem::take(&mut self.off[link]) {
            return;
        }
        if let Some(last) = self.history.paused[link].last_mut() {
            last.to = self.world.now();
        }
        commands::resume(&self.world.store, LINKS[link]).await.unwrap();
        self.world.wake_all();
    }

    /// A person looks at what is halted, gives the credentials anew and resumes it.
    pub(super) async fn mend(&mut self) {
        for link in &LINKS[..self.scenario.links.len()] {
            let connection = self.world.connection(link).await;
            if connection.state != ConnectionState::Halted || connection.wanted.is_some() {
                continue;
            }
            self.count("halted and mended");
            let now = self.world.now();
            self.trouble(now, now);
            let tx = self.world.store.begin().await.unwrap();
            let key = SecretString::from(format!("key-{COMPANY}"));
            let secret = SecretString::from(format!("secret-{COMPANY}"));
            let account = connection.account.unwrap();
            let credentials = Credentials { key, secret };
            accounts::put(&self.world.store, &tx, &account, BASE_URL, &credentials, now).await.unwrap();
            tx.commit().await.unwrap();
            commands::resume(&self.world.store, link).await.unwrap();
            self.world.wake_all();
        }
    }

    async fn decide(&mut self, link: usize, release: bool) {
        let connection = self.world.connection(LINKS[link]).await;
        let decision = if release { Decision::Release } else { Decision::Decline };
        let store = &self.world.store;
        decide(store, &connection, Code::DeliveryBrake, decision, Who::All).await.unwrap();
        self.world.wake_all();
        let now = self.world.now();
        self.history.decisions[link].push((now, release));
    }
}

fn kinds(faults: &Faults) -> [(&'static str, bool); 12] {
    [
        ("fault: reset after acceptance", faults.reset_after_acceptance > 0),
        ("fault: reset before acceptance", faults.reset_before_acceptance > 0),
        ("fault: 500 after acceptance", faults.html_500_after_acceptance > 0),
        ("fault: 500 before acceptance", faults.html_500_before_acceptance > 0),
        ("fault: no task id", faults.without_task_id > 0),
        ("fault: task ERROR", faults.task_errors > 0),
        ("fault: task NG", faults.task_ngs > 0),
        ("fault: 409", faults.conflicts > 0),
        ("fault: slow answer", faults.slow_answers > 0),
        ("fault: read reset", faults.reset_reads > 0),
        ("fault: task hangs", faults.hold_tasks),
        ("fault: list cut", faults.members_cut > 0),
    ]
}
