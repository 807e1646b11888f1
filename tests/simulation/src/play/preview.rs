//! Previews, and sending those whom a person confirmed, as the API does it.

use renkei_store::decisions::Who;
use renkei_store::previews::{self, ConfirmError};

use super::{Confirmed, Looked, Play, Shown};
use crate::scenario::{LINKS, Look, employee, person_of};

impl Play<'_> {
    /// Somebody asks for a preview; nothing is to be sent by it.
    pub(super) async fn preview(&mut self, link: usize, look: &Look) {
        let shown = match look {
            Look::Waiting => previews::Shown::Waiting,
            Look::FirstLoad => previews::Shown::FirstLoad,
            Look::People(people) => previews::Shown::People(people.iter().map(|person| employee(*person)).collect()),
        };
        let connection = self.world.connection(LINKS[link]).await;
        let wanted = previews::want(&self.world.store, &connection, &shown, "test").await.unwrap();
        self.world.wake_all();
        let (id, asked, first_load) = (wanted.id, wanted.made, *look == Look::FirstLoad);
        let looked = Looked { link, id, asked, first_load, seen: None, items: Vec::new(), syncs: Vec::new() };
        self.history.looks.push(looked);
    }

    /// Somebody has looked at the last preview and sends every `each`-th of those whom it shows.
    pub(super) async fn sync(&mut self, link: usize, each: usize) {
        self.note_previews().await;
        let Some(last) = self.history.looks.iter().rposition(|looked| looked.link == link) else { return };
        let (connection, now) = (self.world.connection(LINKS[link]).await, self.world.now());
        let (store, id) = (&self.world.store, &self.history.looks[last].id);
        let preview = previews::find(store, &store.db, LINKS[link], id).await.unwrap().unwrap();
        let items = preview.items.iter().flatten();
        let ids: Vec<String> = items.step_by(each).map(|item| item.employee.clone()).collect();
        if each > 1 && ids.is_empty() {
            // A call names somebody, or all.
            return;
        }
        let who = if each == 1 { Who::All } else { Who::Some(&ids) };
        let answer = match previews::confirm(store, &connection, &preview, who, "test").await {
            Ok(people) => Some(people),
            Err(ConfirmError::SettingsChanged) => None,
            Err(ConfirmError::NotMade) => return self.count("sync refused: not made"),
            Err(ConfirmError::Store(error)) => panic!("nobody can be confirmed: {error}"),
        };
        self.world.wake_all();
        match answer {
            None => self.count("sync refused: other settings"),
            Some(0) => self.count("sync of nobody"),
            Some(_) => self.count("sync of people"),
        }
        let named = ids.iter().map(|id| person_of(id)).collect();
        self.history.looks[last].syncs.push(Confirmed { at: now, named, answer });
    }

    /// Notes the previews that are made by now.
    pub(super) async fn note_previews(&mut self) {
        let now = self.world.now();
        for looked in self.history.looks.iter_mut().filter(|looked| looked.seen.is_none()) {
            let store = &self.world.store;
            let found = previews::find(store, &store.db, LINKS[looked.link], &looked.id).await.unwrap();
            let Some(items) = found.and_then(|preview| preview.items) else { continue };
            let shown = |item: previews::Item| Shown {
                person: person_of(&item.employee),
                action: item.action,
                code: item.code,
                fields: item.fields.into_iter().map(|(field, (_, new))| (field, new)).collect(),
            };
            looked.items = items.into_iter().map(shown).collect();
            looked.seen = Some(now);
        }
    }
}
