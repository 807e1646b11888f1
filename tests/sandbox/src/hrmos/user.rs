//! The people of a company.

use jiff::civil::{Date, date};
use renkei_runtime::clock::Millis;
use serde::Serialize;

use super::dates::{Dates, Iso, instant};

/// The day on which a month is closed: 31 is the end of the month (rule 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosingDay(i8);

impl ClosingDay {
    /// The end of the month.
    pub const END: Self = Self(31);

    /// A day of the month; what is none becomes the nearest one.
    #[must_use]
    pub const fn on(day: i8) -> Self {
        Self(if day < 1 {
            1
        } else if day > 31 {
            31
        } else {
            day
        })
    }

    /// The last day of the closing month that is named after the month of `any`.
    fn end(self, any: Date) -> Date {
        any.with().day(self.0.min(any.days_in_month())).build().unwrap_or_else(|_| any.last_of_month())
    }

    /// The days of the closing month `first` (the first day of the calendar month it is named after).
    pub(crate) fn month(self, first: Date) -> Dates {
        let before = first.yesterday().unwrap_or(first);
        Dates { first: self.end(before).tomorrow().unwrap_or(first), last: self.end(first) }
    }

    /// The closing month that `day` is in, as `YYYYMM`.
    pub(crate) fn name(self, day: Date) -> String {
        let named = if day <= self.end(day) { day } else { day.last_of_month().tomorrow().unwrap_or(day) };
        format!("{:04}{:02}", named.year(), named.month())
    }
}

/// A person. The id is what rows and punches name; the number is what others match on, and nothing makes it present or
/// unique (rule 15).
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Internal id.
    pub id: i64,
    /// 社員番号.
    pub number: Option<String>,
    /// Family name and its reading.
    pub last_name: (String, String),
    /// Given name and its reading.
    pub first_name: (String, String),
    /// When the person joined.
    pub start_date: Date,
    /// When the person left; that day is the last one with a row.
    pub end_date: Option<Date>,
    /// When the person's months are closed.
    pub closing: ClosingDay,
    /// Mail address.
    pub email: Option<String>,
    /// The segment of days that nobody touched.
    pub default_segment: i64,
    /// When the record was made.
    pub created_at: Millis,
    /// When it was changed last.
    pub updated_at: Millis,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("id", &self.id).finish_non_exhaustive()
    }
}

impl User {
    /// Somebody who has been there since 2019-04-01, with months that are closed at their end.
    #[must_use]
    pub fn new(id: i64, number: Option<&str>, last_name: &str, first_name: &str) -> Self {
        let joined = date(2019, 4, 1);
        Self {
            id,
            number: number.map(str::to_owned),
            last_name: (last_name.to_owned(), String::new()),
            first_name: (first_name.to_owned(), String::new()),
            start_date: joined,
            end_date: None,
            closing: ClosingDay::END,
            email: None,
            default_segment: 1,
            created_at: instant(joined, -7 * 1440 + 540),
            updated_at: instant(joined, -7 * 1440 + 540),
        }
    }

    /// With the names' readings.
    #[must_use]
    pub fn read(mut self, last_name: &str, first_name: &str) -> Self {
        last_name.clone_into(&mut self.last_name.1);
        first_name.clone_into(&mut self.first_name.1);
        self
    }

    /// Joined on `day`.
    #[must_use]
    pub fn joined(mut self, day: Date) -> Self {
        self.start_date = day;
        self
    }

    /// Left on `day`.
    #[must_use]
    pub fn left(mut self, day: Date) -> Self {
        self.end_date = Some(day);
        self
    }

    /// With months that are closed on a day.
    #[must_use]
    pub fn closing(mut self, day: i8) -> Self {
        self.closing = ClosingDay::on(day);
        self
    }

    /// With a mail address.
    #[must_use]
    pub fn mail(mut self, address: &str) -> Self {
        self.email = Some(address.to_owned());
        self
    }

    /// Whether the person has rows on `day`: there are none after `end_date`.
    #[must_use]
    pub fn works_on(&self, day: Date) -> bool {
        self.start_date <= day && self.end_date.is_none_or(|end| day <= end)
    }

    /// Family name and given name.
    pub(crate) fn full_name(&self) -> String {
        format!("{} {}", self.last_name.0, self.first_name.0)
    }

    /// As `GET /users` shows it.
    pub(crate) fn shown(&self) -> impl Serialize + '_ {
        let reading = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Shown {
            id: self.id,
            number: self.number.as_deref(),
            last_name: &self.last_name.0,
            first_name: &self.first_name.0,
            last_name_kana: reading(&self.last_name.1),
            first_name_kana: reading(&self.first_name.1),
            start_date: self.start_date.to_string(),
            end_date: self.end_date.map(|day| day.to_string()),
            comment: None,
            cutoff_date: self.closing.0,
            nfc_tag_pc: None,
            email: self.email.as_deref(),
            lodgment_id: 2,
            agreement36_id: 1,
            department_id: 5,
            employment_id: 1,
            segment: Some("1,2,7"),
            default_segment_id: self.default_segment,
            created_at: Iso(self.created_at),
            updated_at: Iso(self.updated_at),
        }
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    id: i64,
    number: Option<&'a str>,
    last_name: &'a str,
    first_name: &'a str,
    last_name_kana: Option<String>,
    first_name_kana: Option<String>,
    start_date: String,
    end_date: Option<String>,
    comment: Option<&'a str>,
    cutoff_date: i8,
    nfc_tag_pc: Option<&'a str>,
    email: Option<&'a str>,
    lodgment_id: i64,
    agreement36_id: i64,
    department_id: i64,
    employment_id: i64,
    segment: Option<&'a str>,
    default_segment_id: i64,
    created_at: Iso,
    updated_at: Iso,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closing_month_runs_from_the_day_after_the_last_closing() {
        for (closing, month, first, last) in [
            (31, date(2026, 4, 1), date(2026, 4, 1), date(2026, 4, 30)),
            (20, date(2026, 4, 1), date(2026, 3, 21), date(2026, 4, 20)),
            (30, date(2026, 2, 1), date(2026, 1, 31), date(2026, 2, 28)),
            (30, date(2026, 3, 1), date(2026, 3, 1), date(2026, 3, 30)),
            (31, date(2026, 1, 1), date(2026, 1, 1), date(2026, 1, 31)),
        ] {
            let closing = ClosingDay::on(closing);
            assert_eq!(closing.month(month), Dates { first, last }, "{closing:?}");
            let name = format!("{:04}{:02}", month.year(), month.month());
            for day in closing.month(month).days() {
                assert_eq!(closing.name(day), name, "{day}");
            }
        }
        assert_eq!(ClosingDay::on(20).name(date(2026, 12, 21)), "202701");
    }
}
