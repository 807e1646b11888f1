//! What Excel makes of a CSV's cell when somebody opens the file and saves it again.

use jiff::civil::Date;

/// More digits than this are shown as a power of ten.
const MOST_DIGITS: usize = 11;

/// The cell as it is after saving. Excel takes what looks like a number or a date for one and writes it its own way.
pub(super) fn resaved(cell: &str) -> String {
    number(cell).or_else(|| power(cell)).or_else(|| day(cell)).unwrap_or_else(|| cell.to_owned())
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `00123` → `123`; `123456789012` → `1.23457E+11`.
fn number(cell: &str) -> Option<String> {
    if !digits(cell) {
        return None;
    }
    let plain = cell.trim_start_matches('0');
    match plain.len() {
        0 => Some("0".to_owned()),
        1..=MOST_DIGITS => Some(plain.to_owned()),
        length => {
            // Six digits are shown, the last one rounded.
            let shown: u64 = plain.get(..7)?.parse().ok()?;
            let mut shown = (shown + 5) / 10;
            let mut power = length - 1;
            if shown == 1_000_000 {
                (shown, power) = (100_000, power + 1);
            }
            let mut fraction = format!("{:05}", shown % 100_000).trim_end_matches('0').to_owned();
            if !fraction.is_empty() {
                fraction.insert(0, '.');
            }
            Some(format!("{}{fraction}E+{power:02}", shown / 100_000))
        }
    }
}

/// `1E5` is a hundred thousand: `1.00E+05`.
fn power(cell: &str) -> Option<String> {
    let (base, power) = cell.split_once(['E', 'e'])?;
    if !digits(base) || !digits(power) {
        return None;
    }
    let base = base.trim_start_matches('0');
    let power = power.parse::<usize>().ok().filter(|power| *power < 300)?;
    let (first, rest) = base.split_at_checked(1)?;
    let rest: String = rest.chars().chain("00".chars()).take(2).collect();
    Some(format!("{first}.{rest}E+{:02}", power + base.len() - 1))
}

/// `4-1` and `4/1` are the first of April: `4月1日`; `2026-04-01` is written `2026/4/1`.
fn day(cell: &str) -> Option<String> {
    let mark = if cell.contains('-') { '-' } else { '/' };
    let parts: Vec<i16> =
        cell.split(mark).map(|part| digits(part).then(|| part.parse().ok())?).collect::<Option<_>>()?;
    let small = |number: i16| i8::try_from(number).ok();
    match parts.as_slice() {
        // Any leap year will do.
        [month, day] => Date::new(2024, small(*month)?, small(*day)?).ok().map(|_| format!("{month}月{day}日")),
        [year, month, day] if *year >= 1_900 => {
            Date::new(*year, small(*month)?, small(*day)?).ok().map(|_| format!("{year}/{month}/{day}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_number_or_a_date_becomes_one() {
        for (cell, saved) in [
            ("00123", "123"),
            ("000", "0"),
            ("12345678901", "12345678901"),
            ("123456789012", "1.23457E+11"),
            ("999999999999", "1E+12"),
            ("1E5", "1.00E+05"),
            ("12e03", "1.20E+04"),
            ("4-1", "4月1日"),
            ("04/01", "4月1日"),
            ("2026-04-01", "2026/4/1"),
            ("P1004", "P1004"),
            ("E0012", "E0012"),
            ("13-1", "13-1"),
            ("1-A", "1-A"),
            ("１２３", "１２３"),
            ("2-30", "2-30"),
            ("", ""),
            ("見本 花子", "見本 花子"),
        ] {
            assert_eq!(resaved(cell), saved, "{cell}");
        }
    }
}
