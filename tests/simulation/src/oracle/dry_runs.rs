//! I3, I6 and I7 of dry runs on demand: each was asked for, is made once at most and only while the switch is on, carries the
//! person's newest state, and its answer is カオナビ's. That it changes nothing shows in what カオナビ holds in the end.

use std::collections::BTreeMap;

use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::{Call, TaskStatus};
use renkei_store::dry_runs::End;

use super::Judge;
use super::rows::{Fields, allowed, carried_by};
use super::rules::{Fate, Wish};
use crate::play::Asked;
use crate::scenario::code;
use crate::world::network::Departure;

/// A pause has answered this long after its switch went off, at the latest.
const PAUSING: i64 = 10_000;
/// Answers that say nothing about a record.
const OF_THE_CALL: [u16; 6] = [401, 403, 408, 409, 425, 429];

impl Judge<'_> {
    pub(super) fn dry_runs(&mut self) {
        let history = self.history;
        let mut made = vec![0; history.asked.len()];
        let people: BTreeMap<String, usize> = (1..3000).map(|person| (code(person), person)).collect();
        for departure in history.departures.iter().filter(|departure| departure.dry_run) {
            let rows = carried_by(departure);
            let (code, fields) = match rows.as_slice() {
                // Of nobody: the verification tries what is permitted.
                [] => continue,
                [row] => row,
                _ => {
                    self.add("I7", departure.at, None, "a dry run of several people");
                    continue;
                }
            };
            let person = people.get(code).copied();
            let asked = history.asked.iter().rposition(|one| Some(one.person) == person && one.at <= departure.at);
            let (Some(person), Some(asked)) = (person, asked) else {
                self.add("I7", departure.at, person, "a dry run for which nobody asked");
                continue;
            };
            made[asked] += 1;
            if made[asked] == 2 {
                self.add("I3", departure.at, Some(person), "a dry run is made a second time");
            }
            self.carried_dry(departure, person, fields);
        }
        for (asked, made) in history.asked.iter().zip(made) {
            self.answered(asked, made);
        }
    }

    /// What a dry run carries, and when.
    fn carried_dry(&mut self, departure: &Departure, person: usize, fields: &Fields) {
        let (at, link) = (departure.at, self.scenario.link_of(person));
        if self.history.paused[link].iter().any(|pause| pause.from <= at && at < pause.to) {
            self.add("I6", at, Some(person), "a dry run of a paused connection");
        }
        let create = departure.method == "POST";
        if create && person <= self.scenario.members {
            self.add("I7", at, Some(person), "a dry run asks for a registration of a member");
        }
        // What was judged leaves when the connection is made.
        let judged = Millis(at.0 - i64::try_from(self.scenario.further.connect).unwrap());
        let fates = self.lines.fates_asked(link, person, judged, at);
        if !fates.iter().any(|fate| allowed(fate, fields, create) && is_whole(fate, fields)) {
            let names: Vec<&String> = fields.keys().collect();
            self.add("I7", at, Some(person), format!("a dry run of {names:?}, not of what the newest state says"));
        }
    }

    /// What a question came to, of which `made` dry runs left.
    fn answered(&mut self, asked: &Asked, made: usize) {
        let Asked { person, at: since, .. } = *asked;
        let link = self.scenario.link_of(person);
        if self.history.paused[link].iter().any(|pause| pause.from <= since && since < pause.to) {
            self.add("I6", since, Some(person), "a dry run is taken on while the connection is paused");
        }
        let Some((end, why, at)) = &asked.end else {
            self.add("quiet", since, Some(person), "a dry run has no end");
            return;
        };
        let (at, why) = (*at, why.as_deref());
        let unsent = *end == End::NotSent || (*end == End::NoAnswer && why.is_none());
        if unsent && made > 0 {
            self.add("I7", at, Some(person), "a dry run is said not to have been made, and was");
        }
        if made == 0 && matches!(end, End::Accepted | End::Rejected) {
            self.add("I7", at, Some(person), "a dry run is said to be answered, and was not made");
        }
        let right = match end {
            End::Accepted => self.heard(person, since, at, |call, task| match task {
                Some(status) => status == TaskStatus::Ok,
                // Where a fault keeps the task's name back, an answer without one looks the same.
                None => call.accepted && (call.task_id.is_none() || self.troubled(since, at)),
            }),
            End::Rejected => self.heard(person, since, at, |call, task| {
                let of_the_record = (400..500).contains(&call.status) && !OF_THE_CALL.contains(&call.status);
                task == Some(TaskStatus::Ng) || of_the_record
            }),
            End::NotSent => self.is_left_out(person, since, at, why),
            // Many things can come between.
            End::NoAnswer => true,
        };
        if !right {
            self.add("I7", at, Some(person), format!("a dry run ended as {} {why:?} without a reason", end.as_str()));
        }
    }

    /// Whether a dry run of a person arrived of which, with the end of its task, this is true.
    fn heard(
        &self,
        person: usize,
        since: Millis,
        until: Millis,
        is: impl Fn(&Call, Option<TaskStatus>) -> bool,
    ) -> bool {
        let code = code(person);
        let calls = self.history.calls.iter().filter(|call| call.dry_run && call.codes == [code.clone()]);
        calls.filter(|call| since <= call.at && call.at <= until).any(|call| {
            let task = call.task_id.and_then(|id| self.history.tasks.get(&id));
            let ended = task.filter(|task| task.ended_at.is_some_and(|end| end <= until));
            is(call, ended.map(|task| task.status))
        })
    }

    /// Whether Renkei would not have sent somebody, or the switch was off.
    fn is_left_out(&self, person: usize, since: Millis, at: Millis, why: Option<&str>) -> bool {
        let link = self.scenario.link_of(person);
        let Some(why) = why else {
            let off = |from: Millis, to: Millis| from.0 - PAUSING <= at.0 && at <= to;
            return self.history.paused[link].iter().any(|pause| off(pause.from, pause.to));
        };
        let halted = |(when, code, of): &(Millis, String, usize)| *of == link && code == why && *when <= at;
        self.history.halts.iter().any(halted)
            || self.lines.fates_asked(link, person, since, at).iter().any(|fate| match fate {
                Fate::Skip(reason) | Fate::Park(reason) => *reason == why,
                // Nor of somebody who is no member, or had left before anything was to be sent.
                Fate::Leaver(_) => why == "status_excluded",
                Fate::Send(_) => false,
            })
    }
}

/// Whether a row has all that a person is to be sent with, not only what differs.
fn is_whole(fate: &Fate, fields: &Fields) -> bool {
    match fate {
        Fate::Send(wishes) => {
            wishes.iter().all(|(field, wish)| !matches!(wish, Wish::Be(_)) || fields.contains_key(*field))
        }
        Fate::Leaver(_) | Fate::Skip(_) | Fate::Park(_) => true,
    }
}
