//! Fields of a source that may come as a number or a text, empty, null or not at all.
//!
//! Nothing here fails: a value of the wrong kind stays a text that is no time, so that the day is told as unreadable and not
//! taken for an empty one.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// `null`, an empty text and a missing key are the same; a number is its digits.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = match Value::deserialize(deserializer)? {
        Value::Null => return Ok(None),
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// A number, or a text with one in it.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let number = match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    Ok(number.filter(|number| number.is_finite()))
}

/// Whole minutes.
pub(super) fn minutes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
    let minutes = number(deserializer)?.filter(|minutes| (-100_000.0..=100_000.0).contains(minutes));
    // In range, and what is behind the point is no whole minute.
    Ok(minutes.map(|minutes| minutes as i32))
}

/// Yes or no; what is neither is no.
pub(super) fn yes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Bool(yes) => yes,
        Value::String(text) => text.trim().eq_ignore_ascii_case("true"),
        _ => false,
    })
}

/// Whether there is something: not `null`, `false`, or an object that says nothing.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Null | Value::Bool(false) => false,
        Value::Object(object) => !object.is_empty(),
        _ => true,
    })
}

/// A list; `null` is an empty one.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}
