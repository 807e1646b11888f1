//! The end of a play: everything is healed, then the world runs until it is quiet.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::Permissions;
use renkei_store::connections::ConnectionState;
use renkei_store::employees::{self, RowState};
use renkei_store::{batches, outbox};

use super::{COMPANY, Play, Row};
use crate::scenario::{LINKS, Said, Sent, What, person_of};
use crate::world::mail::MailServer;

/// How long the world may take until it is quiet.
const LONGEST: Duration = Duration::from_secs(12 * 3600);
/// After this long everything that needs a person was told.
const TOLD_BY: Duration = Duration::from_secs(70 * 60);
const ALL: [RowState; 7] = [
    RowState::Baseline,
    RowState::Due,
    RowState::Flying,
    RowState::Synced,
    RowState::Skipped,
    RowState::Parked,
    RowState::Held,
];

impl Play<'_> {
    pub(super) async fn end(&mut self) {
        let end = self.history.start + Duration::from_millis(u64::try_from(self.scenario.length).unwrap());
        if end > self.world.now() {
            self.world.run_until(end).await;
        }
        self.heal().await;
        self.run_until_quiet().await;
        if self.scenario.flavor.faults {
            self.touch().await;
        }
        // What needs a person is told within the hour.
        self.world.run_for(TOLD_BY).await;
        self.note_answers().await;
        self.note_previews().await;
        self.look().await;
        self.note_people().await;
    }

    async fn heal(&mut self) {
        let now = self.world.now();
        if let Some(since) = self.faulty_since.take() {
            self.trouble(since, now);
        }
        let lasting = self.lasting();
        self.world.transport.set_unreachable(false);
        if self.scenario.flavor.access {
            let secret = format!("secret-{COMPANY}");
            self.world.kaonavi.lock().await.reissue(COMPANY, &format!("key-{COMPANY}"), &secret).unwrap();
            self.trouble(now, now);
        }
        self.order(now, lasting).await;
        self.world.company(COMPANY, |company| *company.permissions_mut() = Permissions::for_members()).await;
        self.thaw();
        self.mail_server(MailServer::Up);
        if self.scenario.flavor.crashes {
            // The end of the last one may have been ordered and not have come yet.
            self.start();
        }
        for link in 0..self.scenario.links.len() {
            self.resume(link).await;
        }
    }

    async fn run_until_quiet(&mut self) {
        let until = self.world.now() + LONGEST;
        let mut pause = Duration::from_secs(30);
        loop {
            self.world.run_for(pause).await;
            self.mend().await;
            self.history.unfinished = self.open().await;
            if self.history.unfinished.is_empty() || self.world.now() >= until {
                return;
            }
            pause = (pause * 2).min(Duration::from_secs(300));
        }
    }

    async fn open(&self) -> Vec<String> {
        let mut open = Vec::new();
        let mut account = None;
        for link in &LINKS[..self.scenario.links.len()] {
            for state in [RowState::Due, RowState::Flying] {
                let rows = employees::in_states(&self.world.store, link, &[state], 5).await.unwrap();
                open.extend(rows.iter().map(|row| format!("{} is {state:?}: {:?}", row.key.employee, row.reason)));
            }
            let connection = self.world.connection(link).await;
            if connection.state != ConnectionState::Active {
                open.push(format!("{link} is {} {:?}", connection.state, connection.state_code));
            }
            account = connection.account;
        }
        let account = account.unwrap();
        for batch in batches::open_lightly(&self.world.store.db, &account).await.unwrap() {
            open.push(format!("batch {} is {:?}", batch.id, batch.state));
        }
        for search in batches::repairs(&self.world.store.db, &account).await.unwrap() {
            open.push(format!("search {} goes on", search.id));
        }
        for (state, mails) in outbox::counts(&self.world.store.db).await.unwrap() {
            match state.as_str() {
                "sent" => {}
                "waiting" => open.push(format!("{mails} mails wait")),
                other => open.push(format!("{mails} mails are {other}")),
            }
        }
        open
    }

    /// Who was parked because of faults gets a new change, as a person would give it.
    async fn touch(&mut self) {
        let mut sent = Vec::new();
        let now = self.world.now();
        for link in &LINKS[..self.scenario.links.len()] {
            for row in employees::in_states(&self.world.store, link, &[RowState::Parked], 999).await.unwrap() {
                let person = person_of(&row.key.employee);
                let reason = row.reason.as_deref().unwrap_or_default();
                let ours = matches!(reason, "kaonavi.unavailable" | "kaonavi.task_error")
                    || (reason == "kaonavi.rejected" && self.history.forced_ngs);
                if ours && !self.scenario.bad.contains(&person) {
                    let said = Said { first: "触".to_owned(), ..Said::usual(person) };
                    let version = now.0 - self.history.start.0;
                    let event = 1_000_000 + u64::try_from(person).unwrap();
                    sent.push(Sent { person, event, version, what: What::State(Box::new(said)) });
                }
            }
        }
        if sent.is_empty() {
            return;
        }
        self.history.touched = sent.iter().map(|sent| sent.person).collect();
        self.receive(&sent, false).await;
        self.run_until_quiet().await;
    }

    async fn note_people(&mut self) {
        for link in &LINKS[..self.scenario.links.len()] {
            for row in employees::in_states(&self.world.store, link, &ALL, 9999).await.unwrap() {
                let person = person_of(&row.key.employee);
                self.history.people.insert(person, Row { state: row.state, reason: row.reason });
            }
        }
        for pauses in &mut self.history.paused {
            pauses.retain(|pause| pause.from < pause.to && pause.to < Millis::NEVER);
        }
    }
}
