//! What `Debug` shows of rows that carry personal values: ids, states and lengths, so that a line that is logged by mistake
//! tells nothing of a person.

use std::fmt;

use crate::activity::Entry;
use crate::batches::Batch;
use crate::connections::Connection;
use crate::employees::{ConsumedRow, FullRow, Landing, Values};
use crate::logtable::{LogEntry, LogRow};

/// The fields alone.
fn fields(values: &Values) -> Vec<&str> {
    values.keys().map(String::as_str).collect()
}

fn bytes(text: Option<&String>) -> Option<usize> {
    text.map(String::len)
}

impl fmt::Debug for LogRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, key, headers: _, value } = self;
        let mut shown = f.debug_struct("LogRow");
        shown.field("topic", topic).field("key", key).field("value.bytes", &value.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for LogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, key, headers: _, value, appended } = self;
        let mut shown = f.debug_struct("LogEntry");
        shown.field("offset", offset).field("key", key).field("value.bytes", &value.as_ref().map(Vec::len));
        shown.field("appended", appended).finish_non_exhaustive()
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Batch");
        shown.field("account", &self.account).field("id", &self.id).field("op", &self.op);
        shown.field("repair", &self.repair).field("state", &self.state).field("members", &self.members);
        shown.field("payload", &self.payload.iter().map(fields).collect::<Vec<_>>());
        shown.field("task", &self.task).field("epoch", &self.epoch).field("looks", &self.looks).finish_non_exhaustive()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, connection, employee, kind, code, detail } = self;
        let mut shown = f.debug_struct("Entry");
        shown.field("at", at).field("connection", connection).field("employee", employee).field("kind", kind);
        shown.field("code", code).field("detail.bytes", &bytes(detail.as_ref())).finish()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Connection");
        shown.field("id", &self.id).field("tenant", &self.tenant).field("account", &self.account);
        shown.field("state", &self.state).field("state_code", &self.state_code);
        shown.field("state_detail.bytes", &bytes(self.state_detail.as_ref()));
        shown.field("activated", &self.activated).field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

impl fmt::Debug for ConsumedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ConsumedRow");
        shown.field("slim", &self.slim).field("account", &self.account).field("change", &self.change);
        shown.field("record", &self.record).field("op", &self.op).field("reason", &self.reason);
        shown.field("detail.bytes", &bytes(self.detail.as_ref())).finish_non_exhaustive()
    }
}

impl fmt::Debug for FullRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("FullRow");
        shown.field("key", &self.key).field("number", &self.number).field("version", &self.version);
        shown.field("change", &self.change).field("record", &self.record).field("state", &self.state);
        shown.field("op", &self.op).field("reason", &self.reason);
        shown.field("detail.bytes", &bytes(self.detail.as_ref())).field("batch", &self.batch);
        shown.field("flying_version", &self.flying_version).field("written", &self.written.as_ref().map(fields));
        shown.field("written_number", &self.written_number).finish_non_exhaustive()
    }
}

impl fmt::Debug for Landing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, written, number, due_again } = self;
        let mut shown = f.debug_struct("Landing");
        shown.field("key", key).field("written", &fields(written)).field("number", number);
        shown.field("due_again", due_again).finish()
    }
}
