//! Any text that claims to be an employee record is read or refused, and what was read can be read again.

#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use renkei_events::json::{is_too_deep, value};
use renkei_events::parse::{Reading, reading};

fuzz_target!(|bytes: &[u8]| {
    // ingest looks at the depth first, and nothing deeper ever reaches the reader.
    if is_too_deep(bytes) {
        return;
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let received_at = Timestamp::UNIX_EPOCH;
    match reading(text, received_at) {
        Reading::Record(_) => assert!(value(text).is_ok()),
        Reading::Faulty { faults, .. } => assert!(!faults.is_empty()),
    }
});
