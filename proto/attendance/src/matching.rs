//! Who is who: 社員コード of the source and of クラウドログ, equal to the character.

use std::collections::{BTreeMap, BTreeSet};

use crate::codes::{Code, NearKey};
use crate::members::Member;

/// Somebody of whom the source tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AtSource {
    /// 社員コード.
    pub code: Code,
    /// The link that the person comes from.
    pub link: String,
    /// The source's own id of the person.
    pub person: String,
}

impl AtSource {
    /// The people of a link from code and person, as they were kept. Of a code that is none there is nobody.
    #[must_use]
    pub fn from_stored(link: &str, people: Vec<(String, String)>) -> Vec<Self> {
        let one = |(code, person): (String, String)| {
            Some(Self { code: Code::new(&code).ok()?, link: link.to_owned(), person })
        };
        people.into_iter().filter_map(one).collect()
    }
}

/// Why a code of the source belongs to no member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Nobody {
    /// クラウドログ's list does not have it.
    OnlyAtSource,
    /// The list has one that looks alike.
    NearMiss,
    /// Several people of the link have it.
    DoubleAtSource,
    /// Several members have it.
    DoubleAtDestination,
}

/// Whom a code of the source belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match<'m> {
    /// This member and no other.
    Member(&'m Member),
    /// Nobody, and why.
    Nobody(Nobody),
}

/// Codes that differ in width, case, blanks or zeros in front only, and match nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// As the source has them.
    pub source: Vec<Code>,
    /// As クラウドログ has them.
    pub destination: Vec<Code>,
}

/// A code that several people of one link have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoubleAtSource {
    /// The code.
    pub code: Code,
    /// Who has it, in order.
    pub people: Vec<AtSource>,
}

/// A code that several members have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoubleAtDestination {
    /// The code.
    pub code: Code,
    /// The lines of the list where it stands.
    pub lines: Vec<u64>,
}

/// A code that several links bring. It is no double: the later run counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InSeveralLinks {
    /// The code.
    pub code: Code,
    /// The links, in order.
    pub links: Vec<String>,
}

/// What came of comparing the two sides. Lists are in the order of the codes. Of the source's codes, each is matched, in
/// `only_source`, in `near`, or a double of one side or both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matching<'m> {
    matched: BTreeMap<Code, &'m Member>,
    nobody: BTreeMap<Code, Nobody>,
    /// 連携元のみ.
    pub only_source: Vec<Code>,
    /// クラウドログのみ.
    pub only_destination: Vec<Code>,
    /// Codes that look alike.
    pub near: Vec<NearMiss>,
    /// Codes of several people.
    pub doubles_at_source: Vec<DoubleAtSource>,
    /// Codes of several members.
    pub doubles_at_destination: Vec<DoubleAtDestination>,
    /// Codes that come from several links.
    pub in_several_links: Vec<InSeveralLinks>,
}

impl<'m> Matching<'m> {
    /// Compares the people of the source, in any order and any number of times each, with the members.
    #[must_use]
    pub fn new<'s>(source: impl IntoIterator<Item = &'s AtSource>, members: &'m [Member]) -> Self {
        let mut people: BTreeMap<&Code, BTreeSet<&AtSource>> = BTreeMap::new();
        for one in source {
            people.entry(&one.code).or_default().insert(one);
        }
        let mut listed: BTreeMap<&Code, Vec<&'m Member>> = BTreeMap::new();
        for member in members {
            listed.entry(&member.code).or_default().push(member);
        }
        let mut matching = Self::default();
        matching.find_doubles(&people, &listed);
        let (mut lone_sources, mut lone_members) = (BTreeMap::new(), BTreeMap::new());
        for code in people.keys().filter(|code| !matching.nobody.contains_key(**code)) {
            match listed.get(*code).map(Vec::as_slice) {
                Some([member]) => {
                    matching.matched.insert((*code).clone(), member);
                }
                _ => group(&mut lone_sources, code),
            }
        }
        // A code that somebody at the source has, too, is named where it belongs already.
        for (code, _) in listed.iter().filter(|(code, same)| same.len() == 1 && !people.contains_key(**code)) {
            group(&mut lone_members, code);
        }
        matching.tell_near_ones(lone_sources, lone_members);
        matching
    }

    fn find_doubles(
        &mut self,
        people: &BTreeMap<&Code, BTreeSet<&AtSource>>,
        listed: &BTreeMap<&Code, Vec<&'m Member>>,
    ) {
        for (code, same) in listed.iter().filter(|(_, same)| same.len() > 1) {
            let lines = same.iter().map(|member| member.line).collect();
            self.doubles_at_destination.push(DoubleAtDestination { code: (*code).clone(), lines });
            if people.contains_key(*code) {
                self.nobody.insert((*code).clone(), Nobody::DoubleAtDestination);
            }
        }
        for (code, same) in people {
            let links: BTreeSet<&str> = same.iter().map(|one| one.link.as_str()).collect();
            if same.len() > links.len() {
                let people = same.iter().map(|one| (*one).clone()).collect();
                self.doubles_at_source.push(DoubleAtSource { code: (*code).clone(), people });
                self.nobody.insert((*code).clone(), Nobody::DoubleAtSource);
            }
            if links.len() > 1 {
                let links = links.into_iter().map(str::to_owned).collect();
                self.in_several_links.push(InSeveralLinks { code: (*code).clone(), links });
            }
        }
    }

    fn tell_near_ones(&mut self, mut sources: BTreeMap<NearKey, Vec<Code>>, members: BTreeMap<NearKey, Vec<Code>>) {
        for (key, destination) in members {
            match sources.remove(&key) {
                Some(source) => {
                    self.nobody.extend(source.iter().map(|code| (code.clone(), Nobody::NearMiss)));
                    self.near.push(NearMiss { source, destination });
                }
                None => self.only_destination.extend(destination),
            }
        }
        self.only_source = sources.into_values().flatten().collect();
        self.nobody.extend(self.only_source.iter().map(|code| (code.clone(), Nobody::OnlyAtSource)));
        self.only_source.sort_unstable();
        self.only_destination.sort_unstable();
        self.near.sort_unstable_by(|one, other| one.source.cmp(&other.source));
    }

    /// Whom a code belongs to.
    #[must_use]
    pub fn of(&self, code: &Code) -> Match<'m> {
        match self.matched.get(code) {
            Some(member) => Match::Member(member),
            None => Match::Nobody(self.nobody.get(code).copied().unwrap_or(Nobody::OnlyAtSource)),
        }
    }

    /// The codes that are the same on both sides, each with its member.
    pub fn matched(&self) -> impl ExactSizeIterator<Item = (&Code, &'m Member)> {
        self.matched.iter().map(|(code, member)| (code, *member))
    }

    /// The codes of the source that match nobody, each with the reason.
    pub fn unmatched(&self) -> impl ExactSizeIterator<Item = (&Code, Nobody)> {
        self.nobody.iter().map(|(code, why)| (code, *why))
    }
}

/// Puts a code to those that look like it.
fn group(groups: &mut BTreeMap<NearKey, Vec<Code>>, code: &Code) {
    groups.entry(code.near_key()).or_default().push(code.clone());
}
