//! The member list of a large company is tens of megabytes in one answer: it is decoded while it comes in, one member at a
//! time, and never held whole.

use std::collections::BTreeMap;
use std::fmt;

use renkei_events::codes::Code;
use renkei_runtime::http::{Chunk, TransportError};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use tokio::sync::mpsc::Receiver;

use super::ReadFault;
use crate::clients::chunks::Chunks;

/// The largest member list that is read, in bytes.
pub const LARGEST_LIST: usize = 256 * 1024 * 1024;

/// One member of the list: its code and the plain values of its fields (`custom:{id}` for custom fields).
pub struct MemberSeen {
    /// The member's code.
    pub code: String,
    /// Field → value; unset is "".
    pub values: BTreeMap<String, String>,
}

/// Reads lists.
pub(super) struct MemberList;

impl MemberList {
    pub(super) async fn read<T, F>(body: Receiver<Chunk>, keep: F) -> Result<Vec<T>, ReadFault>
    where
        T: Send + 'static,
        F: Fn(MemberSeen) -> T + Send + 'static,
    {
        let decoding = tokio::task::spawn_blocking(move || {
            let mut reader = Chunks::new(body, LARGEST_LIST);
            let mut kept = Vec::new();
            let mut found = false;
            let read = {
                let mut json = serde_json::Deserializer::from_reader(std::io::BufReader::new(&mut reader));
                let seed = Top { found: &mut found, each: &mut |member| kept.push(keep(member)) };
                seed.deserialize(&mut json).and_then(|()| json.end())
            };
            match (reader.fault, read) {
                (Some(TransportError::TooLarge), _) => Err(ReadFault::Wrong(Code::KaonaviMemberListTooLarge)),
                (Some(_), _) | (None, Err(_)) => Err(ReadFault::Later),
                (None, Ok(())) if !found => Err(ReadFault::Later),
                (None, Ok(())) => Ok(kept),
            }
        });
        decoding.await.unwrap_or(Err(ReadFault::Later))
    }
}

struct Top<'a> {
    found: &'a mut bool,
    each: &'a mut dyn FnMut(MemberSeen),
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with member_data")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "member_data" {
                *self.found = true;
                map.next_value_seed(Members { each: &mut *self.each })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Members<'a> {
    each: &'a mut dyn FnMut(MemberSeen),
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of members")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(member) = seq.next_element::<Value>()? {
            if let Some(seen) = seen(&member) {
                (self.each)(seen);
            }
        }
        Ok(())
    }
}

fn seen(member: &Value) -> Option<MemberSeen> {
    let code = member.get("code")?.as_str()?.to_owned();
    let mut values = BTreeMap::new();
    for field in ["name", "name_kana", "gender", "birthday", "entered_date", "retired_date", "mail"] {
        let value = member.get(field).and_then(Value::as_str).unwrap_or_default();
        values.insert(field.to_owned(), value.to_owned());
    }
    let department = member.get("department").and_then(|item| item.get("code")).and_then(Value::as_str);
    values.insert("department".to_owned(), department.unwrap_or_default().to_owned());
    for custom in member.get("custom_fields").and_then(Value::as_array).into_iter().flatten() {
        let Some(id) = custom.get("id").and_then(Value::as_i64) else { continue };
        let texts = custom.get("values").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        values.insert(format!("custom:{id}"), texts.collect::<Vec<_>>().join("\n"));
    }
    Some(MemberSeen { code, values })
}
