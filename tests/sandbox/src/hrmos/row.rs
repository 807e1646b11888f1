//! A row of work output as JSON, with what the service computes from the times.

use jiff::civil::Date;
use renkei_runtime::clock::Millis;
use serde::Serialize;

use super::dates::{Iso, kanji};
use super::day::{Break, Day};
use super::segment::Segment;
use super::settings::{ClockForm, Flags, Ratios, Settings};
use super::times::{Clock, Length, Minute};
use super::user::User;

/// What one day of work prescribes, in minutes.
const PRESCRIBED: i32 = 480;
/// The late hours as minutes of the work date, from 22:00 to 05:00, of three nights.
const NIGHTS: [(i32, i32); 4] = [(-1560, -1140), (-120, 300), (1320, 1740), (2760, 3180)];

/// What the row is made of.
pub(crate) struct Source<'a> {
    pub(crate) user: &'a User,
    pub(crate) day: Date,
    pub(crate) record: &'a Day,
    pub(crate) segment: Option<&'a Segment>,
    pub(crate) created_at: Millis,
    pub(crate) updated_at: Millis,
    pub(crate) settings: &'a Settings,
    /// Without `user_id` and flags, as the samples of the monthly list are.
    pub(crate) bare: bool,
}

/// Lengths of a day in minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Lengths {
    pause: i32,
    day: i32,
    night: i32,
    over_day: i32,
    over_night: i32,
}

impl Lengths {
    fn of(record: &Day) -> Self {
        let (Some(start), Some(end)) = (record.start, record.end) else { return Self::default() };
        let (start, end) = (start.get(), end.get());
        let mut pauses: Vec<(i32, i32)> =
            record.breaks.iter().filter_map(|pause| clipped(*pause, start, end)).collect();
        pauses.sort_unstable();
        let mut lengths = Self::default();
        let mut from = start;
        for (pause_start, pause_end) in pauses.into_iter().chain([(end, end)]) {
            lengths.work(from, pause_start);
            lengths.pause += (pause_end - pause_start.max(from)).max(0);
            from = from.max(pause_end);
        }
        lengths
    }

    /// Adds a stretch of work; what comes after the prescribed time is overtime.
    fn work(&mut self, from: i32, to: i32) {
        if to <= from {
            return;
        }
        let turn = (from + PRESCRIBED - self.prescribed()).clamp(from, to);
        let (night, over_night) = (late(from, turn), late(turn, to));
        self.night += night;
        self.day += turn - from - night;
        self.over_night += over_night;
        self.over_day += to - turn - over_night;
    }

    fn prescribed(&self) -> i32 {
        self.day + self.night
    }

    fn over(&self) -> i32 {
        self.over_day + self.over_night
    }
}

/// The part of a whole break that lies inside of work.
fn clipped(pause: Break, start: i32, end: i32) -> Option<(i32, i32)> {
    let (from, to) = (pause.start?.get().max(start), pause.end?.get().min(end));
    (from < to).then_some((from, to))
}

/// How much of a stretch lies in the late hours.
fn late(from: i32, to: i32) -> i32 {
    NIGHTS.iter().map(|(start, end)| (to.min(*end) - from.max(*start)).max(0)).sum()
}

/// A flag that may be a number, null or left out.
type Flag = Option<Option<i8>>;
/// A clock time or null.
type Time = Option<Clock>;

/// The row.
pub(crate) fn row<'a>(source: &Source<'a>) -> impl Serialize + 'a {
    let Source { user, day, record, settings, .. } = *source;
    let clock =
        |minute: Option<Minute>| minute.map(|minute| Clock { minute, extended: settings.clock == ClockForm::Extended });
    let flag = |minute: Option<Minute>| match settings.flags {
        _ if source.bare => None,
        Flags::Numbers => Some(Some(minute.map_or(0, Minute::flag))),
        Flags::Null => Some(None),
        Flags::Missing => None,
    };
    let lengths = Lengths::of(record);
    let holiday = record.title.contains("休出");
    let (work, rest) = if holiday { (Lengths::default(), lengths) } else { (lengths, Lengths::default()) };
    let seconds = |minutes: i32| minutes * 60;
    let standard = source.segment.and_then(|segment| segment.pause).map(|(start, end)| Break::new(start, end));
    let unused = record.start.is_none() && record.end.is_none() && record.breaks.is_empty();
    let standard = standard.filter(|_| unused && settings.default_breaks);
    let first = record.breaks.first().copied().or(standard).unwrap_or_default();
    let second = record.breaks.get(1).copied().unwrap_or_default();
    let punched = |pause: Break, time: Option<Minute>| clock(time.filter(|_| pause.stamped));
    let extra = record.breaks.iter().skip(2).map(|pause| ExtraBreak {
        start_at: clock(pause.start),
        end_at: clock(pause.end),
        stamping_start_at: punched(*pause, pause.start),
        stamping_end_at: punched(*pause, pause.end),
    });
    let ratio = |number: f64| match settings.ratios {
        Ratios::Strings => Ratio::Text(format!("{number:.1}")),
        _ => Ratio::Number(number),
    };
    let optional = !settings.without_optional;
    WorkOutput {
        user_id: (!source.bare).then_some(user.id),
        number: user.number.as_deref(),
        full_name: user.full_name(),
        month: user.closing.name(day),
        day: day.to_string(),
        wday: kanji(day),
        segment_display_title: source.segment.map_or(&*record.title, |segment| segment.display_title.as_str()),
        segment_title: &record.title,
        start_at: clock(record.start),
        next_day_start: flag(record.start),
        stamping_start_at: clock(record.stamped_start),
        end_at: clock(record.end),
        next_day_end: flag(record.end),
        stamping_end_at: clock(record.stamped_end),
        break_1_start_at: clock(first.start),
        next_day_break_1_start: flag(first.start),
        stamping_break_1_start_at: punched(first, first.start),
        break_1_end_at: clock(first.end),
        next_day_break_1_end: flag(first.end),
        stamping_break_1_end_at: punched(first, first.end),
        break_2_start_at: clock(second.start),
        next_day_break_2_start: flag(second.start),
        stamping_break_2_start_at: punched(second, second.start),
        break_2_end_at: clock(second.end),
        next_day_break_2_end: flag(second.end),
        stamping_break_2_end_at: punched(second, second.end),
        procedure_overtime_end_at: None,
        total_break_time: Length(lengths.pause),
        time_paid_holiday: format!("{:02}:{:02}", record.hourly_leave / 60, record.hourly_leave % 60),
        total_over_work_time: Length(work.over()),
        total_over_work_time_36: Length(work.over()),
        total_working_hours: Length(lengths.prescribed() + lengths.over()),
        actual_working_hours: Length(lengths.prescribed() + lengths.over()),
        hours_in_prescribed_working_hours: Length(work.prescribed()),
        hours_in_statutory_working_hours: Length(0),
        excess_of_statutory_working_hours: Length(work.over()),
        excess_of_statutory_working_hours_in_holidays: Length(rest.over()),
        hours_in_statutory_working_hours_in_holidays: Length(rest.prescribed()),
        late_night_overtime_working_hours: Length(lengths.night + lengths.over_night),
        status: record.status,
        expense: 0,
        created_at: Iso(source.created_at),
        updated_at: Iso(source.updated_at),
        daytime_prescribed_work_time: seconds(work.day),
        midnight_prescribed_work_time: seconds(work.night),
        daytime_statutory_work_overtime: 0,
        midnight_statutory_work_overtime: 0,
        daytime_out_statutory_work_time: seconds(work.over_day),
        midnight_out_statutory_work_time: seconds(work.over_night),
        daytime_out_statutory_holiday_work_time: seconds(rest.over_day),
        midnight_out_statutory_holiday_work_time: seconds(rest.over_night),
        daytime_statutory_holiday_work_time: seconds(rest.day),
        midnight_statutory_holiday_work_time: seconds(rest.night),
        extra_breaks: extra.collect(),
        paid_holiday_with_time_paid: f64::from(record.paid_leave) / 100.0,
        notes: record.notes.as_deref().filter(|_| optional),
        image_attachment_ids: optional.then_some([]),
        pdf_attachment_ids: optional.then_some([]),
        work: (optional && settings.ratios != Ratios::Absent).then(|| Work {
            id: user.id * 100_000,
            user_id: user.id,
            day: day.to_string(),
            main_operation_ratio: ratio(1.0),
            sub_operation_ratio: ratio(0.0),
            other_operation_ratio: ratio(0.0),
        }),
        remote_work: settings.unknown_members.then_some(UnknownMember { place: "自宅" }),
    }
}

#[derive(Serialize)]
struct WorkOutput<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<i64>,
    number: Option<&'a str>,
    full_name: String,
    month: String,
    day: String,
    wday: &'static str,
    segment_display_title: &'a str,
    segment_title: &'a str,
    start_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_day_start: Flag,
    stamping_start_at: Time,
    end_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_day_end: Flag,
    stamping_end_at: Time,
    break_1_start_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_day_break_1_start: Flag,
    stamping_break_1_start_at: Time,
    break_1_end_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_day_break_1_end: Flag,
    stamping_break_1_end_at: Time,
    break_2_start_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_day_break_2_start: Flag,
    stamping_break_2_start_at: Time,
    break_2_end_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_day_break_2_end: Flag,
    stamping_break_2_end_at: Time,
    procedure_overtime_end_at: Time,
    total_break_time: Length,
    time_paid_holiday: String,
    total_over_work_time: Length,
    total_over_work_time_36: Length,
    total_working_hours: Length,
    actual_working_hours: Length,
    hours_in_prescribed_working_hours: Length,
    hours_in_statutory_working_hours: Length,
    excess_of_statutory_working_hours: Length,
    excess_of_statutory_working_hours_in_holidays: Length,
    hours_in_statutory_working_hours_in_holidays: Length,
    late_night_overtime_working_hours: Length,
    status: u8,
    expense: i32,
    created_at: Iso,
    updated_at: Iso,
    daytime_prescribed_work_time: i32,
    midnight_prescribed_work_time: i32,
    daytime_statutory_work_overtime: i32,
    midnight_statutory_work_overtime: i32,
    daytime_out_statutory_work_time: i32,
    midnight_out_statutory_work_time: i32,
    daytime_out_statutory_holiday_work_time: i32,
    midnight_out_statutory_holiday_work_time: i32,
    daytime_statutory_holiday_work_time: i32,
    midnight_statutory_holiday_work_time: i32,
    extra_breaks: Vec<ExtraBreak>,
    paid_holiday_with_time_paid: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_attachment_ids: Option<[i64; 0]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pdf_attachment_ids: Option<[i64; 0]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    work: Option<Work>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_work: Option<UnknownMember>,
}

#[derive(Serialize)]
struct ExtraBreak {
    start_at: Time,
    end_at: Time,
    stamping_start_at: Time,
    stamping_end_at: Time,
}

#[derive(Serialize)]
struct Work {
    id: i64,
    user_id: i64,
    day: String,
    main_operation_ratio: Ratio,
    sub_operation_ratio: Ratio,
    other_operation_ratio: Ratio,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Ratio {
    Number(f64),
    Text(String),
}

#[derive(Serialize)]
struct UnknownMember {
    place: &'static str,
}

#[cfg(test)]
mod tests {
    use super::super::times::at;
    use super::*;

    #[test]
    fn lengths_are_split_at_the_prescribed_time_and_at_night() {
        for (what, record, lengths) in [
            (
                "a day",
                Day::work(at(9, 0), at(19, 0)).pause(at(12, 0), at(13, 0)),
                Lengths { pause: 60, day: 480, over_day: 60, ..Lengths::default() },
            ),
            (
                "a night with a normal and an extra break",
                Day::work(at(20, 0), at(29, 30)).pause(at(24, 0), at(25, 0)).pause(at(27, 0), at(27, 15)),
                Lengths { pause: 75, day: 135, night: 345, over_day: 15, over_night: 0 },
            ),
            (
                "overtime into the night",
                Day::work(at(13, 0), at(24, 0)).pause(at(17, 0), at(18, 0)),
                Lengths { pause: 60, day: 480, night: 0, over_day: 0, over_night: 120 },
            ),
            (
                "breaks that overlap, and one outside",
                Day::work(at(9, 0), at(12, 0))
                    .pause(at(10, 0), at(11, 0))
                    .pause(at(10, 30), at(11, 30))
                    .pause(at(13, 0), at(14, 0)),
                Lengths { pause: 90, day: 90, ..Lengths::default() },
            ),
            ("half entered", Day::started(at(9, 0)), Lengths::default()),
            ("from the day before", Day::work(at(-1, 30), at(1, 0)), Lengths { night: 90, ..Lengths::default() }),
        ] {
            assert_eq!(Lengths::of(&record), lengths, "{what}");
        }
    }
}
