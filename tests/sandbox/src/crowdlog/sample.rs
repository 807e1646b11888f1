//! A company to start with.

use super::company::CrowdLog;
use super::member::Member;

/// Two members with codes in letters, one with zeros in front, one who left.
#[must_use]
pub fn company() -> CrowdLog {
    let mut crowdlog = CrowdLog::new();
    let mut left = Member::new("P1001", "退職 済");
    (left.active, left.to) = (false, Some(jiff::civil::date(2026, 3, 31)));
    for member in
        [Member::new("P1004", "見本 花子"), Member::new("P1005", "試験 太郎"), Member::new("00123", "例 次郎")]
    {
        crowdlog.add_member(member);
    }
    crowdlog.add_member(left);
    crowdlog
}
