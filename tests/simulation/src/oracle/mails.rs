//! I11: what needs a person reaches one, once; what passes by itself reaches nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;

use super::Judge;
use crate::play::Trouble;
use crate::scenario::{LAST, LINKS, employee};
use crate::world::mail::{FALLBACK, Letter, Open};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// An episode gathers for so long before its first mail.
const GATHERING: i64 = MINUTE;
/// What one look at a time, and the simulated role's rests, take.
const SLACK: i64 = 20 * SECOND;
/// The longest rest of the role while nothing new happens, once while gathering and once before.
const RESTS: i64 = 250 * SECOND;
/// A mail that was not taken is tried again within this time.
const TRIED_AGAIN: i64 = HOUR + RESTS;
/// What needs a person is looked at this often, so that it may be seen a little after a mail about it.
const LOOKED: i64 = 10 * SECOND;
/// A mail lists no more people than this.
const LISTED: usize = 50;

/// Codes of an account as a whole.
const OF_THE_ACCOUNT: [&str; 6] = [
    "kaonavi.credentials_refused",
    "kaonavi.unauthorized",
    "kaonavi.forbidden",
    "kaonavi.layout_unreadable",
    "kaonavi.member_list_too_large",
    "kaonavi.answer_too_large",
];

/// A trouble: a code, of one connection or of all.
type Told = (String, String);

fn trouble_of(code: &str, connection: &str) -> Told {
    let of_all = OF_THE_ACCOUNT.contains(&code);
    (code.to_owned(), if of_all { String::new() } else { connection.to_owned() })
}

/// A mail as a reader understands it.
struct Read {
    at: Millis,
    trouble: Told,
    /// 従業員ID of those it lists, or the connections that it names.
    items: BTreeSet<String>,
    /// Whether it lists all.
    whole: bool,
}

impl Judge<'_> {
    pub(super) fn mails(&mut self) {
        self.repeated();
        let mut letters: Vec<&Letter> = Vec::new();
        for letter in &self.history.letters {
            if !letters.iter().any(|known| known.message_id == letter.message_id) {
                letters.push(letter);
            }
        }
        let mut read: BTreeMap<Told, Vec<Read>> = BTreeMap::new();
        for letter in letters {
            let Some(mail) = self.read(letter) else {
                self.add("I11", letter.at, None, "a mail of which nobody can say what it is about");
                continue;
            };
            if letter.text.contains(LAST) || letter.subject.contains(LAST) {
                self.add("I8", letter.at, None, "a mail with a name");
            }
            self.addressed(letter, &mail.trouble);
            read.entry(mail.trouble.clone()).or_default().push(mail);
        }
        let mut open: BTreeMap<Told, Vec<Open>> = BTreeMap::new();
        for one in &self.history.opened {
            open.entry(trouble_of(&one.code, &one.connection)).or_default().push(one.clone());
        }
        for (trouble, mails) in &read {
            let open = open.get(trouble).map(Vec::as_slice).unwrap_or_default();
            for (index, mail) in mails.iter().enumerate() {
                self.asked_for(mail, open);
                if index > 0 {
                    self.one_after_another(&mails[..index], mail, open);
                }
            }
        }
        for (trouble, open) in &open {
            let mails = read.get(trouble).map(Vec::as_slice).unwrap_or_default();
            for one in open {
                self.told(trouble, one, mails);
            }
        }
    }

    /// One Message-ID twice: only if whoever handed it over was gone before it could say so.
    fn repeated(&mut self) {
        let mut taken: BTreeMap<(&str, &str), Millis> = BTreeMap::new();
        let mut again = Vec::new();
        for letter in &self.history.letters {
            for to in &letter.to {
                match taken.insert((&letter.message_id, to), letter.at) {
                    Some(before) if !self.lame(before, letter.at) => again.push(letter.at),
                    _ => {}
                }
            }
        }
        for at in again {
            self.add("I11", at, None, "a mail twice");
        }
    }

    /// Whether a worker was gone, or came, between the two.
    fn lame(&self, from: Millis, to: Millis) -> bool {
        overlap(&self.history.lame, from, to)
    }

    /// Whether a mail that was made between the two may have come late.
    fn late(&self, from: Millis, to: Millis) -> bool {
        self.lame(from, to) || overlap(&self.history.mail_troubles, from, to)
    }

    fn acted(&self, trouble: &Told, from: Millis, to: Millis) -> bool {
        self.last_act(trouble, from, to).is_some()
    }

    fn last_act(&self, trouble: &Told, from: Millis, to: Millis) -> Option<Millis> {
        let acts = self.history.acts.iter();
        let of_it =
            acts.filter(|(at, code, link)| trouble_of(code, LINKS[*link]) == *trouble && *at >= from && *at <= to);
        of_it.map(|(at, ..)| *at).max()
    }

    fn read(&self, letter: &Letter) -> Option<Read> {
        let (names, what) = letter.subject.strip_prefix("【Renkei】")?.split_once('：')?;
        let known = Code::ALL.iter().filter(|code| what.starts_with(code.title_ja()));
        let code = known.max_by_key(|code| code.title_ja().len())?.as_str();
        let connection = names.split(' ').next()?.to_owned();
        let rest = what.strip_prefix(Code::parse(code)?.title_ja())?;
        let total: String = rest.chars().filter(char::is_ascii_digit).collect();
        let mut items = BTreeSet::new();
        if rest.is_empty() {
            items.insert(connection.clone());
        }
        for (number, _) in self.lines.people.iter().filter(|_| !rest.is_empty()) {
            let (id, code) = (employee(*number), crate::scenario::code(*number));
            if letter.text.contains(&id) || letter.text.contains(&code) {
                items.insert(id);
            }
        }
        for one in self.scenario.numbers.iter().filter(|_| !rest.is_empty()) {
            let id = employee(one.person);
            if letter.text.contains(&id) || letter.text.contains(&one.number) {
                items.insert(id);
            }
        }
        let whole = rest.is_empty() || total.parse::<usize>().is_ok_and(|total| total == items.len());
        if !whole && items.len() < LISTED {
            return None;
        }
        Some(Read { at: letter.at, trouble: trouble_of(code, &connection), items, whole })
    }

    /// Whoever gets a mail is named by a connection that it is about; or nobody is.
    fn addressed(&mut self, letter: &Letter, trouble: &Told) {
        let about = |link: &usize| trouble.1.is_empty() || LINKS[*link] == trouble.1;
        let links = (0..self.scenario.links.len()).filter(about);
        let named: Vec<&String> = links.flat_map(|link| &self.scenario.links[link].recipients).collect();
        let right = |to: &String| if named.is_empty() { to == FALLBACK } else { named.contains(&to) || to == FALLBACK };
        if letter.to.is_empty() || !letter.to.iter().all(right) {
            self.add("I11", letter.at, None, "a mail to somebody whom it does not concern");
        }
    }

    /// Everything that a mail tells was so a moment before.
    fn asked_for(&mut self, mail: &Read, open: &[Open]) {
        let (code, late) = (mail.trouble.0.as_str(), self.late(Millis(mail.at.0 - 2 * HOUR), mail.at));
        match code {
            "kaonavi.unavailable" if open.is_empty() => {
                if !self.troubled(Millis(mail.at.0 - 2 * HOUR), mail.at) {
                    self.add("I11", mail.at, None, "カオナビ answered, and a mail says that it did not");
                }
                return;
            }
            "kaonavi.task_stuck" => {
                let long = self.history.tasks.values().any(|task| {
                    let end = task.ended_at.unwrap_or(Millis::NEVER);
                    task.accepted_at < mail.at && end.since(task.accepted_at) > Duration::from_secs(580)
                });
                // Who could not ask does not know that it ended.
                if !long && !self.troubled(Millis(mail.at.0 - 2 * HOUR), mail.at) {
                    self.add("I11", mail.at, None, "all tasks ended soon, and a mail says that one did not");
                }
                return;
            }
            _ => {}
        }
        let before = if late { Millis(0) } else { Millis(mail.at.0 - SLACK) };
        for item in &mail.items {
            let was = |one: &&Open| {
                (one.employee == *item || (one.employee.is_empty() && mail.whole))
                    && one.first.0 <= mail.at.0 + LOOKED
                    && one.gone >= before
            };
            if !open.iter().any(|one| was(&one)) {
                self.add("I11", mail.at, None, format!("a mail about {item}, who is not {code}"));
            }
        }
    }

    /// A later mail of a trouble: an hour after the one before, and with something new.
    fn one_after_another(&mut self, before: &[Read], mail: &Read, open: &[Open]) {
        let Some(last) = before.last() else { return };
        let made = if self.late(Millis(last.at.0 - 2 * HOUR), last.at) { 2 * HOUR } else { SLACK };
        let acted = self.acted(&mail.trouble, Millis(last.at.0 - made - GATHERING), mail.at);
        if mail.at.0 - last.at.0 < HOUR - made && !acted {
            self.add("I11", mail.at, None, format!("a second mail about {} within the hour", mail.trouble.0));
        }
        let all_over = |from: Millis| {
            // Whether at some time nothing had been open for an hour.
            let mut ends: Vec<Millis> = open.iter().map(|one| one.gone).filter(|gone| *gone >= from).collect();
            ends.push(from);
            ends.iter().any(|end| {
                end.0 + HOUR - 2 * MINUTE <= mail.at.0
                    && !open.iter().any(|one| one.first.0 < end.0 + HOUR - 2 * MINUTE && one.gone > *end)
            })
        };
        let news = |item: &String| {
            let Some(told) = before.iter().rfind(|mail| mail.items.contains(item)) else { return true };
            let again = open
                .iter()
                .any(|one| (one.employee == *item || one.employee.is_empty()) && one.first.0 > told.at.0 - made);
            // Whoever is held by a number stays so without a break when a new record comes, and is held by that one then.
            let record = self.history.received.iter().any(|received| {
                let sent = &received.sent;
                self.scenario.numbered(sent.person).is_some()
                    && employee(sent.person) == *item
                    && received.at.0 > told.at.0 - made
                    && received.at <= mail.at
            });
            (again || record)
                && (self.acted(&mail.trouble, Millis(told.at.0 - made), mail.at) || all_over(Millis(told.at.0 - made)))
        };
        let passing =
            ["kaonavi.unavailable", "kaonavi.task_stuck"].contains(&mail.trouble.0.as_str()) && open.is_empty();
        if mail.whole && !passing && !mail.items.iter().any(news) {
            self.add("I11", mail.at, None, format!("a mail about {} without anything new", mail.trouble.0));
        }
    }

    /// What stays open is told in time.
    fn told(&mut self, trouble: &Told, one: &Open, mails: &[Read]) {
        let tells = |mail: &&Read| one.employee.is_empty() || mail.items.contains(&one.employee) || !mail.whole;
        let before = mails.iter().rfind(|mail| mail.at <= one.first && tells(mail));
        if before.is_some_and(|told| !one.employee.is_empty() || !self.acted(trouble, told.at, one.first)) {
            // Told already, in this episode or in one before.
            return;
        }
        let first = one.first.0 + GATHERING;
        let last = mails.iter().rfind(|mail| mail.at.0 <= first && !tells(mail));
        let last = last.filter(|last| !self.acted(trouble, last.at, one.first));
        let due = last.map_or(first, |last| first.max(last.at.0 + HOUR));
        let (mut latest, window) = (due + if last.is_some() { RESTS } else { SLACK }, Millis(one.first.0 - 2 * HOUR));
        if let Some(act) = self.last_act(trouble, one.first, Millis(latest)) {
            // It ended an episode; what goes on is gathered anew.
            latest = latest.max(act.0 + GATHERING + RESTS);
        }
        if let Some(end) = last_of(&self.history.lame, one.first, Millis(latest)) {
            latest = latest.max(end.0) + RESTS;
        }
        // Until the next try after one trouble the next one may have begun.
        while let Some(end) = last_of(&self.history.mail_troubles, window, Millis(latest)) {
            let then = end.0 + TRIED_AGAIN + HOUR;
            if then <= latest {
                break;
            }
            latest = then;
        }
        // A mail of others that was made before and came late.
        let late =
            |mail: &&Read| self.late(window, mail.at) && mail.at.0 > first && mail.at.0 <= latest && !tells(mail);
        if let Some(mail) = mails.iter().rfind(|mail| late(mail)) {
            latest = latest.max(mail.at.0 + HOUR + RESTS);
        }
        if one.gone.0 <= latest || self.history.end.0 <= latest {
            return;
        }
        let in_time = |mail: &&Read| mail.at >= one.first && mail.at.0 <= latest && tells(mail);
        if !mails.iter().any(|mail| in_time(&mail)) {
            let who = if one.employee.is_empty() { &one.connection } else { &one.employee };
            self.add("I11", Millis(latest), None, format!("{who} is {}, and nobody was told", one.code));
        }
    }
}

pub(super) fn overlap(troubles: &[Trouble], from: Millis, to: Millis) -> bool {
    troubles.iter().any(|trouble| trouble.from <= to && trouble.to >= from)
}

/// The end of the last trouble that touches a stretch.
fn last_of(troubles: &[Trouble], from: Millis, to: Millis) -> Option<Millis> {
    troubles.iter().filter(|trouble| trouble.from <= to && trouble.to >= from).map(|trouble| trouble.to).max()
}
