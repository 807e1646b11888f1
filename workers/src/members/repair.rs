//! The search for the record that makes a call fail.
//!
//! カオナビ takes a call whole or not at all. When it names the bad record, the rest goes first and the named one alone. When
//! it names nobody, one half is tried: if that goes through, the fault is in the other half, otherwise the other half is set
//! aside; what was set aside goes in one call at the end. One bad record in 200 costs at most 11 update calls, the first
//! included; a named one costs 3.

use serde::{Deserialize, Serialize};

use renkei_store::employees::EmployeeKey;

/// A search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// Among these is at least one bad record.
    pub suspects: Vec<EmployeeKey>,
    /// Set aside; goes in one call when the suspects are done.
    pub aside: Vec<EmployeeKey>,
    /// Named ones; each goes alone at the end.
    pub named: Vec<EmployeeKey>,
    /// What is under way now.
    pub testing: Option<Test>,
}

/// One call of the search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Test {
    /// One half of the suspects.
    Half(Vec<EmployeeKey>),
    /// One person alone.
    Alone(EmployeeKey),
    /// All that was set aside.
    Aside(Vec<EmployeeKey>),
}

impl Test {
    /// Who is in the call.
    #[must_use]
    pub fn members(&self) -> Vec<EmployeeKey> {
        match self {
            Test::Half(members) | Test::Aside(members) => members.clone(),
            Test::Alone(member) => vec![member.clone()],
        }
    }
}

impl Search {
    /// A search among the members of a call that failed, of whom `named` were named.
    #[must_use]
    pub fn begin(members: Vec<EmployeeKey>, named: Vec<EmployeeKey>) -> Self {
        if named.is_empty() {
            return Self { suspects: members, aside: Vec::new(), named, testing: None };
        }
        let rest = members.into_iter().filter(|member| !named.contains(member)).collect();
        Self { suspects: Vec::new(), aside: rest, named, testing: None }
    }

    /// The next call, or `None` when the search is over.
    pub fn next_test(&mut self) -> Option<Test> {
        if self.testing.is_none() {
            self.testing = self.choose();
        }
        self.testing.clone()
    }

    fn choose(&self) -> Option<Test> {
        match self.suspects.as_slice() {
            [] => {}
            [only] => return Some(Test::Alone(only.clone())),
            many => return Some(Test::Half(many[..many.len().div_ceil(2)].to_vec())),
        }
        if !self.aside.is_empty() {
            return Some(Test::Aside(self.aside.clone()));
        }
        self.named.first().map(|member| Test::Alone(member.clone()))
    }

    /// The call under way went through.
    pub fn passed(&mut self) {
        match self.testing.take() {
            Some(Test::Half(half)) => self.suspects.retain(|member| !half.contains(member)),
            Some(Test::Alone(member)) => self.drop_person(&member),
            Some(Test::Aside(members)) => self.aside.retain(|member| !members.contains(member)),
            None => {}
        }
    }

    /// The call under way failed and named `named`. Answers who failed alone and is to be parked.
    pub fn failed(&mut self, named: &[EmployeeKey]) -> Option<EmployeeKey> {
        match self.testing.take()? {
            Test::Alone(member) => {
                self.drop_person(&member);
                Some(member)
            }
            Test::Half(half) => {
                let others: Vec<EmployeeKey> =
                    self.suspects.drain(..).filter(|member| !half.contains(member)).collect();
                self.aside.extend(others);
                self.narrow(half, named);
                None
            }
            Test::Aside(members) => {
                self.aside.retain(|member| !members.contains(member));
                self.narrow(members, named);
                None
            }
        }
    }

    /// `members` failed together; `named` of them were named.
    fn narrow(&mut self, members: Vec<EmployeeKey>, named: &[EmployeeKey]) {
        if named.is_empty() {
            self.suspects = members;
            return;
        }
        for member in members {
            if named.contains(&member) {
                self.named.push(member);
            } else {
                self.aside.push(member);
            }
        }
    }

    /// The call under way has no result (it never arrived, say): it is made again.
    pub fn repeat(&mut self) {
        self.testing = None;
    }

    /// Somebody does not belong to the search any more.
    pub fn drop_person(&mut self, member: &EmployeeKey) {
        self.suspects.retain(|known| known != member);
        self.aside.retain(|known| known != member);
        self.named.retain(|known| known != member);
    }

    /// Whether nobody is left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.suspects.is_empty() && self.aside.is_empty() && self.named.is_empty()
    }

    /// Everybody who is still in it.
    #[must_use]
    pub fn members(&self) -> Vec<EmployeeKey> {
        self.suspects.iter().chain(&self.aside).chain(&self.named).cloned().collect()
    }
}
