use proptest::prelude::*;
use renkei_attendance::day::Day;
use renkei_attendance::reading::{Reading, Reason, Settled, hrmos, kingoftime};
use renkei_attendance::segments::SegmentTable;
use serde_json::{Map, Value, json};

use super::hrmos::HRMOS_ROW;
use super::kingoftime::WORK_DATE;
use super::object;

/// What a day must be, whatever it was read from.
fn check(reading: &Reading, settled: Settled) -> Result<(), TestCaseError> {
    match reading {
        Reading::Day(day) => {
            prop_assert!(day.work.is_some() || day.leave.is_some());
            let breaks = &day.breaks;
            prop_assert!(breaks.iter().all(|span| span.length() > 0));
            prop_assert!(breaks.windows(2).all(|pair| pair[0].to < pair[1].from));
            prop_assert!(day.worked() <= 1440);
            match day.work {
                Some(work) => {
                    prop_assert!(work.from.get() >= 0 && work.length() > 0);
                    prop_assert!(breaks.iter().all(|span| work.from <= span.from && span.to <= work.to));
                }
                None => prop_assert!(breaks.is_empty()),
            }
            let stored = serde_json::to_string(day).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Day>(&stored).unwrap(), day);
        }
        Reading::Open => prop_assert_eq!(settled, Settled::NotYet),
        Reading::Skipped(reason) => {
            prop_assert!(settled == Settled::Yes || !matches!(reason, Reason::HalfEntered | Reason::ErrorAtSource));
        }
        Reading::Empty => {}
    }
    Ok(())
}

fn any_settled() -> impl Strategy<Value = Settled> {
    prop::sample::select(vec![Settled::Yes, Settled::NotYet])
}

/// Mostly times, some nearly, some nothing.
fn any_time() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => (0_u32..24, 0_u32..60).prop_map(|(hours, minutes)| json!(format!("{hours:02}:{minutes:02}"))),
        2 => (0_u32..60, 0_u32..70).prop_map(|(hours, minutes)| json!(format!("{hours}:{minutes:02}"))),
        1 => Just(Value::Null),
        1 => "\\PC{0,6}".prop_map(Value::from),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any_time(),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map("start_at|end_at|x", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A row of which some fields are other than in the sample.
fn any_row(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let fields: Vec<String> = object(HRMOS_ROW).into_iter().map(|(field, _)| field).collect();
    let fields: Vec<String> =
        fields.into_iter().filter(|field| field.ends_with("_at") || field.starts_with("next_day")).collect();
    let flags = prop::collection::vec(prop::option::of(-1_i64..3), 6);
    let extra = prop::collection::vec((any_time(), any_time()), 0..3);
    (prop::collection::vec((prop::sample::select(fields), value), 0..12), flags, extra).prop_map(
        |(changed, flags, extra)| {
            let mut row = object(HRMOS_ROW);
            let names = ["start", "end", "break_1_start", "break_1_end", "break_2_start", "break_2_end"];
            for (name, flag) in names.iter().zip(flags) {
                row.insert(format!("next_day_{name}"), json!(flag));
            }
            let extra: Vec<Value> =
                extra.iter().map(|(start, end)| json!({ "start_at": start, "end_at": end })).collect();
            row.insert("extra_breaks".to_owned(), json!(extra));
            row.extend(changed);
            row
        },
    )
}

fn any_hrmos_options() -> impl Strategy<Value = hrmos::Options> {
    (any::<bool>(), any::<bool>()).prop_map(|(stamped, infer_next_day)| hrmos::Options {
        time_source: if stamped { hrmos::TimeSource::Stamped } else { hrmos::TimeSource::Registered },
        infer_next_day,
    })
}

proptest! {
    #[test]
    fn a_row_with_any_times_is_a_sound_day_or_none(
        row in any_row(any_time()), options in any_hrmos_options(), settled in any_settled(),
    ) {
        let found = hrmos::found(&Value::Object(row).to_string()).unwrap();
        let reading = found.row.reading(&SegmentTable::default(), options, settled);
        check(&reading, settled)?;
        let kept: hrmos::Row = serde_json::from_value(serde_json::to_value(&found.row).unwrap()).unwrap();
        prop_assert_eq!(kept.reading(&SegmentTable::default(), options, settled), reading);
    }

    #[test]
    fn a_row_of_anything_is_read_without_a_panic(
        row in any_row(any_value()), options in any_hrmos_options(), settled in any_settled(), text in "\\PC{0,40}",
    ) {
        if let Some(found) = hrmos::found(&Value::Object(row).to_string()) {
            check(&found.row.reading(&SegmentTable::default(), options, settled), settled)?;
            let _ = found.row.shown(options);
        }
        prop_assert_eq!(hrmos::found(&text), None);
    }

    #[test]
    fn a_date_with_any_punches_is_a_sound_day_or_none(
        (start, end, ends) in (-60_i64..1200, 1200_i64..3000, 0_usize..8),
        pairs in prop::collection::vec((0_usize..3, 0_i64..3000, 0_i64..120), 0..4),
        strays in prop::collection::vec((prop::sample::select(vec!["1", "2", "3", "4", "7", "8"]), -200_i64..3200), 0..2),
        (break_minutes, outing_as_break, gap_as_break) in (prop::option::of(-10_i32..2000), any::<bool>(), any::<bool>()),
        hours in prop::option::of((-100_i64..3000, -100_i64..3000)), settled in any_settled(),
    ) {
        let midnight = WORK_DATE.to_datetime(jiff::civil::Time::midnight());
        let at = |minutes: i64, seconds: i64| {
            format!("{}+09:00", midnight + jiff::SignedDuration::from_secs(minutes * 60 + seconds))
        };
        let punch = |code: &str, minutes| kingoftime::Punch { time: Some(at(minutes, 0)), code: Some(code.to_owned()) };
        // One of eight dates lacks its in, another one its out.
        let mut punches: Vec<kingoftime::Punch> = Vec::new();
        punches.extend((ends != 0).then(|| punch("1", start)));
        punches.extend((ends != 1).then(|| punch("2", end)));
        for (kind, from, length) in pairs {
            let (opens, closes) = [("3", "4"), ("7", "8"), ("2", "1")][kind];
            punches.extend([punch(opens, from), punch(closes, from + length)]);
        }
        punches.extend(strays.into_iter().map(|(code, minutes)| punch(code, minutes)));
        let hour_holidays = hours
            .into_iter()
            .map(|(from, to)| kingoftime::HourHoliday { start: Some(at(from, 0)), end: Some(at(to, 0)) })
            .collect();
        let options = kingoftime::Options { outing_as_break, gap_as_break, ..kingoftime::Options::default() };
        let mut row = kingoftime::Row { punches: punches.clone(), break_minutes, hour_holidays, ..kingoftime::Row::default() };
        let reading = row.reading(WORK_DATE, &options, settled);
        check(&reading, settled)?;
        // In whatever order they come; of two in one second nobody knows which was first.
        let mut seconds: Vec<_> = punches.iter().map(|punch| punch.time.clone()).collect();
        seconds.sort();
        seconds.dedup();
        if seconds.len() == punches.len() {
            punches.reverse();
            row.punches = punches;
            prop_assert_eq!(row.reading(WORK_DATE, &options, settled), reading);
        }
    }

    #[test]
    fn a_date_of_anything_is_read_without_a_panic(
        value in any_value(), time in any_value(), text in "\\PC{0,40}", settled in any_settled(),
    ) {
        let mut slice = kingoftime::Slice::default();
        let punches = json!({ "date": WORK_DATE, "employeeKey": "k", "timeRecord": [{ "time": time, "code": value }] });
        let totals = json!({ "date": WORK_DATE, "employeeKey": "k", "breakTime": value, "totalWork": time, "isError": value,
            "holidaysObtained": { "fulltimeHoliday": value, "halfdayHolidays": value, "hourHolidays": [{ "start": time, "end": value }] } });
        for list in [json!([{ "dailyWorkings": [punches] }]).to_string(), text] {
            let _ = kingoftime::each(list.as_bytes(), |item| slice.punched(item));
        }
        let _ = kingoftime::each(json!([{ "dailyWorkings": [totals] }]).to_string().as_bytes(), |item| slice.totals(item));
        for (date, _, row) in slice.rows() {
            check(&row.reading(date, &kingoftime::Options::default(), settled), settled)?;
            let _ = row.shown(date);
        }
    }
}
