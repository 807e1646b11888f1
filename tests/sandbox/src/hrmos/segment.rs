//! The work types of a company (勤務区分). A row names them by title only.

use serde::Serialize;

use super::times::{Clock, Minute};

/// What a segment's `status` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentKind {
    /// 1: work.
    Work,
    /// 2: a day off or leave.
    Off,
    /// 3: something else.
    Other,
}

/// A work type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its id, which no row carries.
    pub id: i64,
    /// The name.
    pub title: String,
    /// The name that is shown.
    pub display_title: String,
    /// What it is.
    pub kind: SegmentKind,
    /// Usual start and end.
    pub times: Option<(Minute, Minute)>,
    /// Usual break, which also days without work show.
    pub pause: Option<(Minute, Minute)>,
}

impl Segment {
    /// A segment that is shown by its own name and has no times.
    #[must_use]
    pub fn new(id: i64, title: &str, kind: SegmentKind) -> Self {
        Self { id, title: title.to_owned(), display_title: title.to_owned(), kind, times: None, pause: None }
    }

    /// Shown by another name.
    #[must_use]
    pub fn displayed(mut self, title: &str) -> Self {
        title.clone_into(&mut self.display_title);
        self
    }

    /// With the usual start and end.
    #[must_use]
    pub fn hours(mut self, start: Minute, end: Minute) -> Self {
        self.times = Some((start, end));
        self
    }

    /// With the usual break.
    #[must_use]
    pub fn pause(mut self, start: Minute, end: Minute) -> Self {
        self.pause = Some((start, end));
        self
    }

    /// As `GET /segments` shows it; times have three parts here (rule 13).
    pub(crate) fn shown(&self, with_id: bool) -> impl Serialize + '_ {
        let clock = |minute: Option<Minute>| minute.map(|minute| format!("{}:00", Clock { minute, extended: false }));
        let flag = |minute: Option<Minute>| minute.map(Minute::flag);
        let (start, end) = self.times.unzip();
        let (pause_start, pause_end) = self.pause.unzip();
        Shown {
            id: with_id.then_some(self.id),
            title: &self.title,
            display_title: &self.display_title,
            status: match self.kind {
                SegmentKind::Work => 1,
                SegmentKind::Off => 2,
                SegmentKind::Other => 3,
            },
            start_at: clock(start),
            next_day_start: flag(start),
            end_at: clock(end),
            next_day_end: flag(end),
            break_1_start_at: clock(pause_start),
            next_day_break_1_start: flag(pause_start),
            break_1_end_at: clock(pause_end),
            next_day_break_1_end: flag(pause_end),
            break_2_start_at: None,
            next_day_break_2_start: None,
            break_2_end_at: None,
            next_day_break_2_end: None,
            midnight_start_at: Some("22:00:00"),
            next_day_midnight_start: Some(0),
            midnight_end_at: Some("05:00:00"),
            next_day_midnight_end: Some(1),
            predetermined_time: Some(if self.kind == SegmentKind::Work { "08:00:00" } else { "00:00:00" }),
            considered_at: None,
            considered_start_at: None,
            next_day_considered_start: None,
            shift: None,
            shift_color_id: None,
            notes: None,
            sequence: self.id,
        }
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    title: &'a str,
    display_title: &'a str,
    status: u8,
    start_at: Option<String>,
    next_day_start: Option<i8>,
    end_at: Option<String>,
    next_day_end: Option<i8>,
    break_1_start_at: Option<String>,
    next_day_break_1_start: Option<i8>,
    break_1_end_at: Option<String>,
    next_day_break_1_end: Option<i8>,
    break_2_start_at: Option<&'a str>,
    next_day_break_2_start: Option<i8>,
    break_2_end_at: Option<&'a str>,
    next_day_break_2_end: Option<i8>,
    midnight_start_at: Option<&'a str>,
    next_day_midnight_start: Option<i8>,
    midnight_end_at: Option<&'a str>,
    next_day_midnight_end: Option<i8>,
    predetermined_time: Option<&'a str>,
    considered_at: Option<&'a str>,
    considered_start_at: Option<&'a str>,
    next_day_considered_start: Option<i8>,
    shift: Option<i64>,
    shift_color_id: Option<i64>,
    notes: Option<&'a str>,
    sequence: i64,
}
