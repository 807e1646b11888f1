//! Days that must not be written: closed ones, and those that somebody listed (rules 10 and 17 of the simulator). They are
//! known from Renkei's own settings only, since クラウドログ tells nobody.

use std::collections::BTreeMap;
use std::fmt;

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::codes::Code;

/// A day of the month, 1 to 31. In a shorter month the last day stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i8", into = "i8")]
pub struct DayOfMonth(i8);

/// There is no such day, or a period ends before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtectionFault {
    /// Not from 1 to 31.
    #[error("no month has this day")]
    NoDayOfMonth,
    /// The last day is before the first.
    #[error("the last day is before the first")]
    Reversed,
    /// What was kept can not be read.
    #[error("a stored protection can not be read")]
    Damaged,
}

impl TryFrom<i8> for DayOfMonth {
    type Error = ProtectionFault;
    fn try_from(day: i8) -> Result<Self, ProtectionFault> {
        if (1..=31).contains(&day) { Ok(Self(day)) } else { Err(ProtectionFault::NoDayOfMonth) }
    }
}

impl From<DayOfMonth> for i8 {
    fn from(day: DayOfMonth) -> i8 {
        day.0
    }
}

/// What an administrator said of 締め管理.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Closing {
    /// Nothing yet. No file is made.
    #[default]
    NotStated,
    /// 締め管理は使っていません.
    NotUsed,
    /// All days up to this one, with it.
    On {
        /// The closing date.
        date: Date,
    },
    /// 毎月n日に前月分を締める. The month counts as closed from the beginning of that day.
    Monthly {
        /// The day of the following month.
        day: DayOfMonth,
    },
}

impl Closing {
    /// The last day that is closed, seen from `today`.
    #[must_use]
    pub fn closed(self, today: Date) -> Option<Date> {
        match self {
            Self::NotStated | Self::NotUsed => None,
            Self::On { date } => Some(date),
            Self::Monthly { day } => {
                let end_of_last_month = today.first_of_month().saturating_sub(1.day());
                let is_reached = today.day() >= day.0.min(today.days_in_month());
                Some(if is_reached {
                    end_of_last_month
                } else {
                    end_of_last_month.first_of_month().saturating_sub(1.day())
                })
            }
        }
    }
}

/// Days of one 社員コード that somebody listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    code: Code,
    from: Date,
    to: Date,
}

impl Listed {
    /// From a day to another, both with it.
    ///
    /// # Errors
    /// [`ProtectionFault::Reversed`].
    pub fn new(code: Code, from: Date, to: Date) -> Result<Self, ProtectionFault> {
        if from <= to { Ok(Self { code, from, to }) } else { Err(ProtectionFault::Reversed) }
    }
}

/// What a link's settings say of days that must not be written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Protection {
    /// 締め管理.
    pub closing: Closing,
    /// Single days and periods.
    pub listed: Vec<Listed>,
}

/// Nobody has said yet up to when days are closed, or that 締め管理 is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no closing date was entered")]
pub struct NotStated;

impl Protection {
    /// As it was kept: 社員コード, first and last day of each that somebody listed.
    ///
    /// # Errors
    /// [`ProtectionFault::Damaged`] when one of them can not be read: nothing may be written then, since nobody knows any more
    /// what is protected.
    pub fn from_stored<'s>(
        closing: Closing,
        listed: impl IntoIterator<Item = (&'s str, &'s str, &'s str)>,
    ) -> Result<Self, ProtectionFault> {
        let read = |(code, from, to): (&str, &str, &str)| {
            Listed::new(Code::new(code).ok()?, from.parse().ok()?, to.parse().ok()?).ok()
        };
        let listed: Option<Vec<Listed>> = listed.into_iter().map(read).collect();
        Ok(Self { closing, listed: listed.ok_or(ProtectionFault::Damaged)? })
    }

    /// What is protected as far as is known, seen from `today`.
    #[must_use]
    pub fn in_force(&self, today: Date) -> InForce {
        let closed = self.closing.closed(today);
        let mut listed: BTreeMap<Code, Vec<(Date, Date)>> = BTreeMap::new();
        for one in &self.listed {
            listed.entry(one.code.clone()).or_default().push((one.from, one.to));
        }
        for periods in listed.values_mut() {
            periods.sort_unstable();
            periods.dedup();
        }
        InForce { closed, listed }
    }

    /// Whether a file that was made with this fingerprint may be handed out on `today`.
    #[must_use]
    pub fn allows(&self, made_with: &Fingerprint, today: Date) -> bool {
        self.stated(today).is_ok_and(|stated| stated.check(made_with).is_ok())
    }

    /// The same as [`Self::in_force`], once somebody said what is closed. Only with this a file can be made.
    ///
    /// # Errors
    /// [`NotStated`].
    pub fn stated(&self, today: Date) -> Result<Stated, NotStated> {
        if self.closing == Closing::NotStated { Err(NotStated) } else { Ok(Stated(self.in_force(today))) }
    }
}

/// What is protected on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    closed: Option<Date>,
    listed: BTreeMap<Code, Vec<(Date, Date)>>,
}

impl InForce {
    /// Whether a day of a code must not be written.
    #[must_use]
    pub fn is_protected(&self, code: &Code, day: Date) -> bool {
        let is_listed = |periods: &Vec<(Date, Date)>| periods.iter().any(|(from, to)| (*from..=*to).contains(&day));
        self.closed.is_some_and(|closed| day <= closed) || self.listed.get(code).is_some_and(is_listed)
    }

    /// The last closed day.
    #[must_use]
    pub fn closed(&self) -> Option<Date> {
        self.closed
    }

    /// Changes with everything that changes which days are protected, be it only that a month has become closed.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        let mut put = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        put(&self.closed.map(|day| day.to_string()).unwrap_or_default());
        for (code, periods) in &self.listed {
            for (from, to) in periods {
                put(code.as_str());
                put(&format!("{from}/{to}"));
            }
        }
        Fingerprint(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// What is protected, with a closing date that somebody stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated(InForce);

impl Stated {
    /// What is protected.
    #[must_use]
    pub fn in_force(&self) -> &InForce {
        &self.0
    }

    /// Whether a file that was made with this fingerprint may still be handed out.
    ///
    /// # Errors
    /// [`FileOutdated`] when something else is protected by now.
    pub fn check(&self, made_with: &Fingerprint) -> Result<(), FileOutdated> {
        if self.0.fingerprint() == *made_with { Ok(()) } else { Err(FileOutdated) }
    }
}

/// The file is older than a change of the protected days, and has to be made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the protected days changed after the file was made")]
pub struct FileOutdated;

impl FileOutdated {
    /// The stable code.
    pub const CODE: &'static str = "attendance.file_outdated";
}

/// Names a state of the protected days: 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// One that was kept. One that is damaged is equal to none that is made.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text to keep.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn monthly(day: i8) -> Closing {
        Closing::Monthly { day: DayOfMonth::try_from(day).unwrap() }
    }

    #[test]
    fn the_month_before_is_closed_from_its_day_on() {
        let rows = [
            (monthly(5), date(2026, 4, 4), Some(date(2026, 2, 28))),
            (monthly(5), date(2026, 4, 5), Some(date(2026, 3, 31))),
            (monthly(5), date(2026, 4, 30), Some(date(2026, 3, 31))),
            (monthly(1), date(2026, 1, 1), Some(date(2025, 12, 31))),
            (monthly(31), date(2026, 4, 29), Some(date(2026, 2, 28))),
            (monthly(31), date(2026, 4, 30), Some(date(2026, 3, 31))),
            (monthly(30), date(2028, 2, 28), Some(date(2027, 12, 31))),
            (monthly(30), date(2028, 2, 29), Some(date(2028, 1, 31))),
            (monthly(10), date(2026, 1, 9), Some(date(2025, 11, 30))),
            (Closing::On { date: date(2026, 3, 20) }, date(2026, 4, 1), Some(date(2026, 3, 20))),
            (Closing::NotUsed, date(2026, 4, 1), None),
            (Closing::NotStated, date(2026, 4, 1), None),
        ];
        for (closing, today, closed) in rows {
            assert_eq!(closing.closed(today), closed, "{closing:?} on {today}");
        }
        assert_eq!([0, 32].map(DayOfMonth::try_from), [Err(ProtectionFault::NoDayOfMonth); 2]);
    }

    #[test]
    fn i10_what_was_kept_and_can_not_be_read_protects_nothing_silently() {
        let read = |rows: &[(&'static str, &'static str, &'static str)]| {
            Protection::from_stored(Closing::NotUsed, rows.iter().copied()).map(|protection| protection.listed.len())
        };
        let good = ("P1", "2026-04-01", "2026-04-02");
        assert_eq!(read(&[good]), Ok(1));
        for damaged in [("P1", "2026-04-31", "2026-05-02"), ("P1", "2026-04-02", "2026-04-01"), (" ", good.1, good.2)] {
            assert_eq!(read(&[good, damaged]), Err(ProtectionFault::Damaged), "{damaged:?}");
        }
    }

    #[test]
    fn closed_and_listed_days_are_protected_and_no_others() {
        let (one, other) = (Code::new("P1").unwrap(), Code::new("P2").unwrap());
        let protection = Protection {
            closing: Closing::On { date: date(2026, 3, 31) },
            listed: vec![Listed::new(one.clone(), date(2026, 4, 6), date(2026, 4, 7)).unwrap()],
        };
        let in_force = protection.in_force(date(2026, 4, 10));
        let rows = [
            (&one, date(2026, 3, 31), true),
            (&other, date(2026, 1, 1), true),
            (&one, date(2026, 4, 1), false),
            (&one, date(2026, 4, 5), false),
            (&one, date(2026, 4, 6), true),
            (&one, date(2026, 4, 7), true),
            (&one, date(2026, 4, 8), false),
            (&other, date(2026, 4, 6), false),
        ];
        for (code, day, protected) in rows {
            assert_eq!(in_force.is_protected(code, day), protected, "{code} {day}");
        }
        assert_eq!(Listed::new(one, date(2026, 4, 7), date(2026, 4, 6)), Err(ProtectionFault::Reversed));
    }

    #[test]
    fn nothing_is_stated_until_somebody_says_what_is_closed() {
        let today = date(2026, 4, 10);
        let mut protection = Protection::default();
        assert_eq!(protection.stated(today), Err(NotStated));
        for closing in [Closing::NotUsed, Closing::On { date: today }, monthly(5)] {
            protection.closing = closing;
            assert!(protection.stated(today).is_ok(), "{closing:?}");
        }
    }

    #[test]
    fn a_file_is_outdated_by_any_change_of_what_is_protected() {
        let today = date(2026, 4, 4);
        let listed = |code: &str, day| Listed::new(Code::new(code).unwrap(), day, day).unwrap();
        let base = Protection { closing: monthly(5), listed: vec![listed("P1", today), listed("P2", today)] };
        let made_with = base.in_force(today).fingerprint();
        let check = |protection: &Protection, today| protection.stated(today).unwrap().check(&made_with);
        assert_eq!(check(&base, today), Ok(()));
        let same =
            Protection { listed: base.listed.iter().rev().chain(&base.listed).cloned().collect(), ..base.clone() };
        assert_eq!(check(&same, today), Ok(()), "the order and doubles change nothing");
        assert_eq!(check(&base, date(2026, 4, 5)), Err(FileOutdated), "March is closed since");
        let changes = [
            Protection { closing: monthly(4), ..base.clone() },
            Protection { closing: Closing::NotUsed, ..base.clone() },
            Protection { listed: base.listed[..1].to_vec(), ..base.clone() },
            Protection { listed: vec![listed("P1", today), listed("P3", today)], ..base.clone() },
        ];
        for changed in changes {
            assert_eq!(check(&changed, today), Err(FileOutdated), "{changed:?}");
        }
    }
}
