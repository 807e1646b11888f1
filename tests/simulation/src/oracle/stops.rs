//! I5: who was stopped, and whether there was a reason: halts of connections and parked people.

use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::TaskStatus;

use super::Judge;
use super::rows::carried_by;
use crate::scenario::code;

/// A worker may have been stopped, or waited for a late answer, before it wrote down what it had read.
const LATE: i64 = 180_000;
/// So many failures, the last one alone, before somebody is parked for them.
const FAILURES: usize = 8;
/// A call that was reserved before a halt has left after this time, or never does.
const ON_ITS_WAY: i64 = 4_000;

impl Judge<'_> {
    pub(super) fn stops(&mut self) {
        for (at, why, _) in self.history.halts.clone() {
            if !self.must_halt(at, &why) {
                self.add("I5", at, None, format!("halted by {why} without a reason"));
            }
        }
        for (at, why, person) in self.history.parks.clone() {
            if self.scenario.numbered(person).is_some() {
                continue;
            }
            let reason = match why.as_str() {
                "kaonavi.rejected" => self.refused_alone(at, person),
                "kaonavi.unavailable" | "kaonavi.task_error" => self.failed_again_and_again(at, person),
                _ => continue,
            };
            if !reason {
                self.add("I5", at, Some(person), format!("parked by {why} without a reason"));
            }
        }
        self.off_while_halted();
    }

    fn must_halt(&self, at: Millis, why: &str) -> bool {
        let answered = |status: &[u16], token: bool, since: i64| {
            let calls = self.history.calls.iter().filter(|call| call.at <= at && at.0 - call.at.0 <= since);
            let calls = calls.filter(|call| !token || call.path.contains("/token"));
            calls.filter(|call| status.contains(&call.status)).count()
        };
        match why {
            "kaonavi.credentials_refused" => answered(&[400, 401, 403], true, LATE) > 0,
            // The second one came with a fresh token, however long nobody had to call in between.
            "kaonavi.unauthorized" => answered(&[401], false, LATE) > 0 && answered(&[401], false, i64::MAX) > 1,
            "kaonavi.forbidden" => answered(&[403], false, LATE) > 0,
            // No layout of a play is a bad one.
            _ => false,
        }
    }

    /// Whether カオナビ refused this person's record in a call of its own.
    fn refused_alone(&self, at: Millis, person: usize) -> bool {
        let code = code(person);
        // What カオナビ says to a dry run is only an answer.
        let real = || self.history.calls.iter().filter(|call| !call.dry_run);
        let door = real().any(|call| call.at <= at && call.status == 400 && call.codes == [code.clone()]);
        let task = real().any(|call| {
            let task = call.task_id.and_then(|task| self.history.tasks.get(&task));
            call.codes == [code.clone()]
                && task.is_some_and(|task| task.status == TaskStatus::Ng && task.ended_at.is_some_and(|end| end <= at))
        });
        door || task
    }

    /// Whether this person's calls failed often enough, while others went through.
    fn failed_again_and_again(&self, at: Millis, person: usize) -> bool {
        let code = code(person);
        let ok = |task: &renkei_sandbox::kaonavi::Task| {
            task.status == TaskStatus::Ok && !task.dry_run && task.ended_at.is_some_and(|end| end <= at)
        };
        let went: Vec<i64> = self.history.tasks.values().filter(|task| ok(task)).map(|task| task.id).collect();
        let own = |id: &i64| self.history.rows.iter().any(|row| row.task_id == *id && row.code == code);
        let since = went.iter().filter(|id| own(id)).filter_map(|id| self.history.tasks[id].ended_at).max();
        let calls = self.carried.get(&code).map(Vec::as_slice).unwrap_or_default();
        let calls = calls.iter().map(|call| (&self.history.departures[*call], self.rows[*call].len()));
        let tried: Vec<_> =
            calls.filter(|(call, _)| call.at <= at && since.is_none_or(|since| call.at > since)).collect();
        let first = tried.first().map(|(call, _)| call.at);
        let others = went.iter().any(|id| !own(id) && self.history.tasks[id].ended_at > first);
        tried.len() >= FAILURES && tried.last().is_some_and(|(_, people)| *people == 1) && others
    }

    /// Nothing is written by a connection that has halted, until somebody resumes it.
    fn off_while_halted(&mut self) {
        let mut found = Vec::new();
        for (at, _, link) in &self.history.halts {
            let resumed = self.history.acts.iter().find(|(acted, _, of)| of == link && acted >= at);
            let until = resumed.map_or(Millis::NEVER, |(acted, ..)| *acted);
            for (departure, rows) in self.departures() {
                let left = departure.at.0 > at.0 + ON_ITS_WAY && departure.at < until;
                let of_link = |code: &str| {
                    code.trim_start_matches('E').parse().is_ok_and(|one| self.scenario.link_of(one) == *link)
                };
                let tried = if departure.dry_run { carried_by(departure) } else { Vec::new() };
                if left && rows.iter().chain(&tried).any(|(code, _)| of_link(code)) {
                    found.push(departure.at);
                }
            }
        }
        for at in
            found.into_iter().filter(|at| !super::mails::overlap(&self.history.lame, *at, *at)).collect::<Vec<_>>()
        {
            self.add("I6", at, None, "a write of a halted connection");
        }
    }
}
