//! Lists of KING OF TIME, item by item: a list has no pages, so that of a large company it is never held as a whole.

use std::fmt;
use std::io::Read;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Hands out the items of a list, of several dates (an array) or of one (an object). Answers how many items could not be read;
/// they stop no other.
///
/// # Errors
/// When it is no such list. The items before the fault were handed out by then.
pub fn each<T: DeserializeOwned>(json: impl Read, each: impl FnMut(T)) -> Result<u64, serde_json::Error> {
    let mut sink = Sink { each, unreadable: 0, item: PhantomData };
    let mut json = serde_json::Deserializer::from_reader(json);
    Dates(&mut sink).deserialize(&mut json)?;
    json.end()?;
    Ok(sink.unreadable)
}

struct Sink<T, F> {
    each: F,
    unreadable: u64,
    item: PhantomData<T>,
}

impl<T: DeserializeOwned, F: FnMut(T)> Sink<T, F> {
    fn take(&mut self, item: &RawValue) {
        match serde_json::from_str(item.get()) {
            Ok(item) => (self.each)(item),
            Err(_) => self.unreadable += 1,
        }
    }
}

/// An array of dates, or one date.
struct Dates<'a, T, F>(&'a mut Sink<T, F>);

impl<'de, T: DeserializeOwned, F: FnMut(T)> DeserializeSeed<'de> for Dates<'_, T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: DeserializeOwned, F: FnMut(T)> Visitor<'de> for Dates<'_, T, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a date with its items, or an array of them")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut dates: A) -> Result<(), A::Error> {
        while dates.next_element_seed(OneDate(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, date: A) -> Result<(), A::Error> {
        OneDate(self.0).visit_map(date)
    }
}

/// An object with the items under `dailyWorkings`; each item says its date again.
struct OneDate<'a, T, F>(&'a mut Sink<T, F>);

impl<'de, T: DeserializeOwned, F: FnMut(T)> DeserializeSeed<'de> for OneDate<'_, T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: DeserializeOwned, F: FnMut(T)> Visitor<'de> for OneDate<'_, T, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a date with its items")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut date: A) -> Result<(), A::Error> {
        let mut listed = false;
        while let Some(key) = date.next_key::<Key>()? {
            match key {
                Key::DailyWorkings => {
                    listed = true;
                    date.next_value_seed(Items(self.0))?;
                }
                Key::Date => {
                    listed = true;
                    date.next_value::<IgnoredAny>()?;
                }
                Key::Other => {
                    date.next_value::<IgnoredAny>()?;
                }
            }
        }
        // An error in the shape of an object is no date without people.
        if listed { Ok(()) } else { Err(serde::de::Error::missing_field("dailyWorkings")) }
    }
}

#[derive(Deserialize)]
enum Key {
    #[serde(rename = "dailyWorkings")]
    DailyWorkings,
    #[serde(rename = "date")]
    Date,
    #[serde(other)]
    Other,
}

/// The items of one date; `null` is none.
struct Items<'a, T, F>(&'a mut Sink<T, F>);

impl<'de, T: DeserializeOwned, F: FnMut(T)> DeserializeSeed<'de> for Items<'_, T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: DeserializeOwned, F: FnMut(T)> Visitor<'de> for Items<'_, T, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an array of items")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<Box<RawValue>>()? {
            self.0.take(&item);
        }
        Ok(())
    }
}
