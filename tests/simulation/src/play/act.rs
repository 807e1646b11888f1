//! One action, done.

use std::time::Duration;

use renkei_events::codes::Code;
use renkei_events::event::{Change, EmployeeEvent, Fault, Origin};
use renkei_events::ids::{ConnectionId, EmployeeId, EventId, Version};
use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::{Faults, Permissions};
use renkei_store::accounts::{self, Credentials};
use renkei_store::connections::ConnectionState;
use renkei_store::decisions::{Decision, Verdict, Who, decide};
use renkei_workers::commands;
use secrecy::SecretString;

use super::{COMPANY, Play, Received, TAKEN_OVER, Trouble};
use crate::scenario::{Action, Disturbance, Doubt, LINKS, Sent, What, employee};
use crate::world::BASE_URL;
use crate::world::mail::MailServer;

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
                if tokens > 0 {
                    self.history.outside_tokens.push(now);
                }
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
            Action::More(fault) => self.more(*fault).await,
            Action::Stop(looks) => self.world.workers.last().unwrap().clock.stop_after(*looks),
            Action::Mail(server) => self.mail_server(*server),
            Action::KillMailing(points) => {
                self.trouble(now, now + Duration::from_secs(900));
                self.world.workers.last().unwrap().mail_doom.after(*points);
            }
            Action::Freeze => {
                self.trouble(now, now + Duration::from_secs(120));
                self.history.lame.push(Trouble { from: now, to: now + TAKEN_OVER });
                let last = self.world.workers.len() - 1;
                if self.world.workers[last].alive {
                    self.world.freeze(last, true);
                }
                self.start();
            }
            Action::Thaw => self.thaw(),
            Action::Jump(by) => self.world.workers.last().unwrap().clock.jump(*by),
            Action::Decide(link, release) => self.decide(*link, *release).await,
            Action::DryRun(person) => self.ask(*person).await,
            Action::Preview(link, look) => self.preview(*link, look).await,
            Action::Sync(link, each) => self.sync(*link, *each).await,
            Action::Release(person) => self.release(*person).await,
        }
    }

    pub(super) fn mail_server(&mut self, server: MailServer) {
        let now = self.world.now();
        self.world.mailbox.lock().unwrap().server = server;
        if let Some(last) = self.history.mail_troubles.last_mut().filter(|last| last.to == Millis::NEVER) {
            last.to = now;
        }
        if server != MailServer::Up {
            self.history.mail_troubles.push(Trouble { from: now, to: Millis::NEVER });
        }
    }

    pub(super) fn thaw(&mut self) {
        let now = self.world.now();
        self.history.lame.push(Trouble { from: now, to: now + TAKEN_OVER });
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
        let now = self.world.now();
        self.history.lame.push(Trouble { from: now, to: now + TAKEN_OVER });
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
        }
        self.order(now, faults.clone()).await;
    }

    async fn more(&mut self, fault: Disturbance) {
        let now = self.world.now();
        let mut faults = self.world.company(COMPANY, |company| company.faults().clone()).await;
        match fault {
            Disturbance::Reads500(count) => faults.html_500_reads = count,
            Disturbance::ReadsHtml(count) => faults.html_reads = count,
            Disturbance::ReadsReset(count) => faults.reset_reads = count,
            Disturbance::Tokens500(count) => faults.html_500_tokens = count,
            Disturbance::Unavailable(length) => faults.unavailable_until = Some(Millis(now.0 + length)),
            Disturbance::Unauthorized(count) => faults.unauthorized = count,
            Disturbance::ResetBefore(count) => faults.reset_before_acceptance = count,
            Disturbance::ResetAfter(count) => faults.reset_after_acceptance = count,
            Disturbance::Html500Before(count) => faults.html_500_before_acceptance = count,
            Disturbance::Html500After(count) => faults.html_500_after_acceptance = count,
            Disturbance::NoTaskId(count) => faults.without_task_id = count,
            Disturbance::TaskErrors(count) => faults.task_errors = count,
            Disturbance::TaskNgs(count) => {
                faults.task_ngs = count;
                self.history.forced_ngs = true;
            }
            Disturbance::Conflicts(count) => faults.conflicts = count,
            Disturbance::SlowAnswers(count, ms) => (faults.slow_answers, faults.slow_answer_ms) = (count, ms),
            Disturbance::MembersCut(count) => faults.members_cut = count,
            Disturbance::TasksHang(on) => faults.hold_tasks = on,
            Disturbance::TasksForgotten => {
                self.note_tasks().await;
                self.world.company(COMPANY, |company| company.forget_tasks(now)).await;
                self.count("struck: tasks forgotten");
            }
        }
        self.faulty_since.get_or_insert(now);
        self.trouble(now, now);
        self.order(now, faults).await;
    }

    async fn pause(&mut self, link: usize) {
        let connection = self.world.connection(LINKS[link]).await;
        if connection.state != ConnectionState::Active {
            return;
        }
        let (store, clock) = (self.world.store.clone(), self.world.clock.clone());
        self.world
            .run_with(async { commands::pause(&store, clock.as_ref(), LINKS[link], "test").await.unwrap() })
            .await;
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
        commands::resume(&self.world.store, LINKS[link], "test").await.unwrap();
        self.world.wake_all();
    }

    /// A person looks at what is halted, gives the credentials anew and resumes it.
    pub(super) async fn mend(&mut self) {
        for (at, link) in LINKS[..self.scenario.links.len()].iter().enumerate() {
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
            commands::resume(&self.world.store, link, "test").await.unwrap();
            self.history.acts.push((now, connection.state_code.unwrap_or_default(), at));
            self.world.wake_all();
        }
    }

    /// A person decides about the number of somebody, if it is held by then.
    async fn release(&mut self, person: usize) {
        let Some(doubt) = self.scenario.numbered(person).map(|one| one.doubt) else { return };
        let (reason, decision) = match doubt {
            Doubt::Near => (Code::MemberNearMiss, Decision::Release),
            Doubt::Reused => (Code::MemberNumberReused, Decision::Release),
            Doubt::Changed => (Code::MemberNumberChanged, Decision::RegisterNew),
        };
        let link = self.scenario.link_of(person);
        let connection = self.world.connection(LINKS[link]).await;
        let who = [employee(person)];
        let verdict = Verdict { reason, decision, who: Who::Some(&who), actor: "test" };
        if decide(&self.world.store, &connection, verdict).await.unwrap() == 0 {
            return self.count("nobody held for a number");
        }
        self.count("number released");
        self.world.wake_all();
        let now = self.world.now();
        self.history.released.push((now, person));
        self.history.acts.push((now, reason.as_str().to_owned(), link));
    }

    async fn decide(&mut self, link: usize, release: bool) {
        let connection = self.world.connection(LINKS[link]).await;
        let decision = if release { Decision::Release } else { Decision::Decline };
        let store = &self.world.store;
        decide(store, &connection, Verdict { reason: Code::DeliveryBrake, decision, who: Who::All, actor: "test" })
            .await
            .unwrap();
        self.world.wake_all();
        let now = self.world.now();
        self.history.decisions[link].push((now, release));
        self.history.acts.push((now, Code::DeliveryBrake.as_str().to_owned(), link));
    }
}
