//! The lists, written item by item: a list of a large company is never held as JSON values.

use jiff::civil::Date;
use renkei_runtime::clock::Millis;
use serde_json::{Value, json};

use super::company::Company;
use super::day::{Day, moment};
use super::employee::{Employee, division_name};
use super::period::Asked;
use super::settings::EmptyDays;

/// Which list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Totals,
    Punches,
}

/// Takes out what is null, at whatever depth (rule 8).
pub(super) fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// Writes a value without its nulls.
pub(super) fn write(body: &mut Vec<u8>, mut value: Value) {
    without_nulls(&mut value);
    body.extend_from_slice(value.to_string().as_bytes());
}

impl Company {
    /// A list of dates (rule 6: an array), or one date (an object).
    pub(super) fn list(&self, now: Millis, list: List, asked: &Asked, one: bool) -> Vec<u8> {
        let mut body = Vec::new();
        if one {
            self.date(&mut body, now, list, asked, asked.dates.first);
            return body;
        }
        body.push(b'[');
        for (number, day) in asked.dates.days().enumerate() {
            if number > 0 {
                body.push(b',');
            }
            self.date(&mut body, now, list, asked, day);
        }
        body.push(b']');
        body
    }

    fn date(&self, body: &mut Vec<u8>, now: Millis, list: List, asked: &Asked, day: Date) {
        body.extend_from_slice(format!(r#"{{"date":"{day}","dailyWorkings":["#).as_bytes());
        let mut first = true;
        for (place, employee) in self.employees.iter().enumerate() {
            let meant = asked.division.as_ref().is_none_or(|division| *division == employee.division)
                && asked.keys.as_ref().is_none_or(|keys| keys.contains(&employee.key));
            if !meant || !employee.works_on(day) {
                continue;
            }
            let record = self.recorded(place, day).map(|record| record.seen(day, now)).filter(|day| !day.is_empty());
            if record.is_none() && self.settings.empty_days == EmptyDays::Missing {
                continue;
            }
            if !std::mem::take(&mut first) {
                body.push(b',');
            }
            let record = record.unwrap_or_default();
            let mut item = match list {
                List::Totals => totals(&record, day, employee),
                List::Punches => json!({
                    "date": day.to_string(), "employeeKey": employee.key,
                    "timeRecord": record.time_record(day, &employee.division),
                }),
            };
            if asked.additional.iter().any(|field| field == "currentDateEmployee") {
                item["currentDateEmployee"] = employee.current();
            }
            write(body, item);
        }
        body.extend_from_slice(b"]}");
    }
}

fn totals(record: &Day, day: Date, employee: &Employee) -> Value {
    let (breaks, work) = record.totals();
    let leave = |name: &str| json!({ "code": 1, "name": name });
    let half = |name: &String| json!({ "typeName": name, "code": 1, "name": "有休" });
    let hours = |(start, end): &(crate::hrmos::Minute, crate::hrmos::Minute)| {
        json!({
            "start": format!("{}+09:00", moment(day, *start)), "end": format!("{}+09:00", moment(day, *end)),
            "minutes": end.get() - start.get(), "code": 1, "name": "有休",
        })
    };
    json!({
        "date": day.to_string(), "employeeKey": employee.key,
        "workPlaceDivisionCode": employee.division, "workPlaceDivisionName": division_name(&employee.division),
        "isClosing": false, "isHelp": false, "isError": record.is_error(), "workdayTypeName": "平日",
        "assigned": work.min(480), "unassigned": 0, "overtime": (work - 480).max(0), "lateNight": 0,
        "lateNightUnassigned": 0, "lateNightOvertime": 0, "breakTime": breaks, "late": 0, "earlyLeave": 0,
        "totalWork": work, "discretionaryVacation": 0,
        "holidaysObtained": {
            "fulltimeHoliday": record.full_day.then(|| leave("有休")),
            "halfdayHolidays": record.half_days.iter().map(half).collect::<Vec<_>>(),
            "hourHolidays": record.hours.iter().map(hours).collect::<Vec<_>>(),
        },
        "autoBreakOff": null,
        "customDailyWorkings": [],
    })
}
