//! What people ask of Renkei, as the API asks the store.

use renkei_store::dry_runs::{self, AskError, Progress};
use renkei_store::employees::EmployeeKey;

use super::{Asked, Play};
use crate::scenario::{LINKS, employee};

impl Play<'_> {
    /// Somebody asks whether カオナビ would take one person as they are now.
    pub(super) async fn ask(&mut self, person: usize) {
        // A person has one question at a time: the answer to the one before goes with the next.
        self.note_answers().await;
        let connection = self.world.connection(LINKS[self.scenario.link_of(person)]).await;
        match dry_runs::want(&self.world.store, &connection, &employee(person), "test").await {
            Ok(run) => {
                self.history.asked.push(Asked { at: run.made, person, end: None });
                self.world.wake_all();
            }
            Err(AskError::Off(_)) => self.count("dry run refused: switched off"),
            Err(AskError::Nobody) => self.count("dry run refused: nobody"),
            Err(AskError::UnderWay) => self.count("dry run refused: another one"),
            Err(AskError::Store(error)) => panic!("a dry run can not be asked for: {error}"),
        }
    }

    /// Notes what has come of the questions.
    pub(super) async fn note_answers(&mut self) {
        let now = self.world.now();
        for asked in self.history.asked.iter_mut().filter(|asked| asked.end.is_none()) {
            let connection = LINKS[self.scenario.link_of(asked.person)].to_owned();
            let key = EmployeeKey { connection, employee: employee(asked.person) };
            let found = dry_runs::find(&self.world.store, &self.world.store.db, &key, now).await.unwrap();
            let Some(run) = found.filter(|run| run.made == asked.at) else { continue };
            let Progress::Ended { end, code, at, .. } = run.progress else { continue };
            *self.history.done.entry(format!("dry run: {}", end.as_str())).or_default() += 1;
            asked.end = Some((end, code, at));
        }
    }
}
