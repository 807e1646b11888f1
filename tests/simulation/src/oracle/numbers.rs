//! I7 of numbers: what could be another person's number is not sent until a person has decided, and then it is.

use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::TaskStatus;
use renkei_store::employees::RowState;

use super::Judge;
use crate::scenario::{Doubt, LAST, Numbered, STRANGER, Said, What};

impl Judge<'_> {
    pub(super) fn numbers(&mut self) {
        let scenario = self.scenario;
        for one in &scenario.numbers {
            let from = Millis(self.history.start.0 + one.from);
            // Without the number before nothing has changed.
            if one.before.as_ref().is_none_or(|before| self.is_member_by(before, from)) {
                self.number(one, from);
            }
        }
    }

    /// When a person decided about somebody's number.
    pub(super) fn released(&self, person: usize) -> Option<Millis> {
        self.history.released.iter().find(|(_, released)| *released == person).map(|(at, _)| *at)
    }

    fn is_member_by(&self, number: &str, at: Millis) -> bool {
        let rows = self.history.rows.iter().filter(|row| row.code == number);
        let mut tasks = rows.filter_map(|row| self.history.tasks.get(&row.task_id));
        tasks.any(|task| task.status == TaskStatus::Ok && task.ended_at.is_some_and(|end| end <= at))
    }

    fn number(&mut self, one: &Numbered, from: Millis) {
        let (person, history) = (one.person, self.history);
        let left = |number: &str| -> Vec<Millis> {
            let calls = self.carried.get(number).map(Vec::as_slice).unwrap_or_default();
            calls.iter().map(|call| history.departures[*call].at).collect()
        };
        let (of_number, of_before) = (left(&one.number), one.before.as_deref().map(left).unwrap_or_default());
        let released = self.released(person);
        if let Some(early) = of_number.iter().find(|at| released.is_none_or(|released| **at < released)) {
            self.add("I7", *early, Some(person), format!("a number is sent that is {}", one.doubt.reason()));
        }
        // A call for the number before may have been under way.
        if let Some(late) = of_before.iter().find(|at| at.0 > from.0 + 10_000) {
            self.add("I7", *late, Some(person), "the member of the number before is written");
        }
        let pauses = &history.paused[self.scenario.link_of(person)];
        let off = |at: &&Millis| pauses.iter().any(|pause| pause.from <= **at && **at < pause.to);
        if let Some(at) = of_number.iter().chain(&of_before).find(off).copied() {
            self.add("I6", at, Some(person), "a write of a paused connection");
        }
        let row = history.people.get(&person);
        let stands = row.map(|row| (row.state, row.reason.as_deref().unwrap_or_default()));
        let wanted = match released {
            Some(_) => (RowState::Synced, ""),
            None => (RowState::Held, one.doubt.reason()),
        };
        if stands != Some(wanted) {
            self.add("I7", history.end, Some(person), format!("{stands:?}, expected {wanted:?}"));
        }
        let name = |number: &str| history.members.get(number).map(|held| held["name"].clone());
        let wanted = match (released, one.doubt) {
            (Some(_), _) => self.newest_name(person),
            (None, Doubt::Reused) => Some(STRANGER.to_owned()),
            (None, Doubt::Near | Doubt::Changed) => None,
        };
        let usual = format!("{LAST} {}", Said::usual(person).first);
        let before_stays = one.before.as_deref().is_none_or(|before| name(before).as_ref() == Some(&usual));
        if name(&one.number) != wanted || !before_stays {
            let why = one.doubt.reason();
            self.add("I7", history.end, Some(person), format!("{why}: カオナビ does not hold what it should"));
        }
    }

    /// 氏名 as the newest record has it.
    fn newest_name(&self, person: usize) -> Option<String> {
        let of_person = self.history.received.iter().filter(|received| received.sent.person == person);
        match &of_person.max_by_key(|received| received.sent.version)?.sent.what {
            What::State(said) => Some(format!("{LAST} {}", said.first)),
            What::Deleted | What::Invalid => None,
        }
    }
}
