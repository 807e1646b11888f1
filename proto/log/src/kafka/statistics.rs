//! The few numbers that we take from librdkafka's statistics.

use std::collections::HashMap;

use serde::Deserialize;

use super::holdings::Slot;
use super::settings::TopicPrefix;
use renkei_events::topic::Topic;

/// Where partitions stand, as the client last saw them.
pub(super) type Ends = HashMap<Slot, End>;

/// One partition's ends. Negative numbers mean "not known".
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct End {
    lo_offset: i64,
    hi_offset: i64,
    committed_offset: i64,
}

#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    topics: HashMap<String, TopicPart>,
}

#[derive(Deserialize)]
struct TopicPart {
    #[serde(default)]
    partitions: HashMap<i32, End>,
}

/// Reads the client's JSON.
pub(super) fn read(json: &[u8], prefix: &TopicPrefix) -> Option<Ends> {
    let statistics: Statistics = serde_json::from_slice(json).ok()?;
    let topics = statistics.topics.into_iter();
    let ours = topics.filter_map(|(name, part)| Some((Topic::from_name(prefix.strip(&name)?)?, part)));
    Some(ours.flat_map(|(topic, part)| part.partitions.into_iter().map(move |(n, end)| ((topic, n), end))).collect())
}

impl End {
    /// How many records stand behind the group's position, which is the later of what we committed and what the client
    /// found; without either the group starts at the first record.
    pub(super) fn lag(self, last_commit: Option<i64>) -> Option<u64> {
        let known = |offset: i64| (offset >= 0).then_some(offset);
        let end = known(self.hi_offset)?;
        let position = last_commit.into_iter().chain(known(self.committed_offset)).max();
        let position = position.or_else(|| known(self.lo_offset))?;
        u64::try_from(end.saturating_sub(position).max(0)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_counts_from_the_groups_position() {
        let cases = [
            ("never committed", (0, 10, -1001), None, Some(10)),
            ("never committed, old records gone", (4, 10, -1001), None, Some(6)),
            ("committed before", (0, 10, 7), None, Some(3)),
            ("committed since", (0, 10, 7), Some(9), Some(1)),
            ("all read", (0, 10, 10), None, Some(0)),
            ("end older than the commit", (0, 10, 7), Some(12), Some(0)),
            ("end not known yet", (-1001, -1001, 7), None, None),
            ("nothing known", (-1001, -1001, -1001), None, None),
        ];
        for (name, (lo_offset, hi_offset, committed_offset), last_commit, wanted) in cases {
            assert_eq!(End { lo_offset, hi_offset, committed_offset }.lag(last_commit), wanted, "{name}");
        }
    }

    #[test]
    fn only_our_topics_are_taken() {
        let json = br#"{"ts":1,"topics":{"x.renkei.employee.v1":{"topic":"t","partitions":{
            "-1":{"lo_offset":-1001,"hi_offset":-1001,"committed_offset":-1001},
            "3":{"partition":3,"lo_offset":1,"hi_offset":2,"committed_offset":-1001}}},
            "renkei.employee.v1":{"partitions":{"0":{"lo_offset":1,"hi_offset":2,"committed_offset":1}}}}}"#;
        let ends = read(json, &"x.".parse().unwrap()).unwrap();
        assert_eq!(ends[&(Topic::Employee, 3)].hi_offset, 2);
        assert_eq!(ends.len(), 2);
    }
}
