//! Which dates a call asks for (rule 5).

use jiff::civil::Date;
use jiff::{Span, ToSpan as _};

use crate::hrmos::dates::{Dates, parse_date};
use crate::wire::SimRequest;

/// Most dates of one call.
const MOST_DAYS: i64 = 62;

/// Dates and whose.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) dates: Dates,
    /// Only this division's people.
    pub(super) division: Option<String>,
    /// Only these people.
    pub(super) keys: Option<Vec<String>>,
    pub(super) additional: Vec<String>,
}

/// The fields of `additionalFields`.
pub(super) fn additional(request: &SimRequest) -> Vec<String> {
    let fields = request.parameter("additionalFields").unwrap_or_default();
    fields.split(',').map(|field| field.trim().to_owned()).filter(|field| !field.is_empty()).collect()
}

impl Asked {
    /// Reads the parameters; `day` stands in the path of calls for one date.
    pub(super) fn read(request: &SimRequest, day: Option<&str>, today: Date) -> Result<Self, &'static str> {
        let date = |text: &str| parse_date(text).ok_or("日付の形式が不正です。");
        let (start, end) = (request.parameter("start"), request.parameter("end"));
        let dates = match (day, start, end) {
            (Some(day), ..) => {
                let day = date(day)?;
                Dates { first: day, last: day }
            }
            (None, Some(start), Some(end)) => Dates { first: date(&start)?, last: date(&end)? },
            (None, None, None) => Dates { first: today, last: today },
            _ => return Err("startとendは両方指定してください。"),
        };
        if dates.last < dates.first {
            return Err("endはstart以降の日付を指定してください。");
        }
        let days = dates.last.duration_since(dates.first).as_hours() / 24 + 1;
        let far = |span: Span| today.checked_add(span).unwrap_or(today);
        if days > MOST_DAYS || dates.first < far(-(3.years())) || dates.last > far(1.year()) {
            return Err("取得できる期間を超えています。");
        }
        let division = request.parameter("division");
        if division.is_none() && request.parameter("ondivision").is_some() {
            return Err("ondivisionはdivisionとともに指定してください。");
        }
        let keys = request.parameter("employeeKeys");
        if division.is_some() && keys.is_some() {
            return Err("employeeKeysとdivisionは同時に指定できません。");
        }
        let keys = keys.map(|keys| keys.split(',').map(str::to_owned).collect());
        Ok(Self { dates, division, keys, additional: additional(request) })
    }
}
