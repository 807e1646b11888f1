//! The buttons of the screens for other processes. The paths are the sandbox's own; クラウドログ has no such calls.
//!
//! `POST /sandbox/import` takes a file and answers what came of it; `GET /sandbox/members.csv` gives the list of members
//! (`inactive=true`, `encoding=shift_jis`, `excel=true`); `GET /sandbox/timesheets` shows what is stored,
//! and `GET /` the same to people.

use jiff::civil::Date;
use renkei_runtime::clock::Millis;
use serde::Serialize;
use serde_json::{Value, json};

use super::company::CrowdLog;
use super::encoding::Encoding;
use super::member::MemberHeaders;
use super::timesheet::Attendance;
use crate::machine::Machine;
use crate::wire::{Answer, SimRequest, SimResponse};

/// The largest file.
const LARGEST: usize = 64 * 1024 * 1024;

#[derive(Serialize)]
struct Shown<'a> {
    code: &'a str,
    date: Date,
    attendance: &'a Attendance,
}

impl Machine for CrowdLog {
    fn handle(&mut self, now: Millis, request: SimRequest) -> SimResponse {
        let answer = match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/sandbox/import") if request.body.len() > LARGEST => refusal(413, "the file is too large"),
            ("POST", "/sandbox/import") => Answer::json(200, &json!(self.import(now, &request.body))),
            ("GET", "/") => self.page(),
            ("GET", "/sandbox/members.csv") => self.list_for(&request),
            ("GET", "/sandbox/timesheets") => {
                let all = self.timesheets().into_iter();
                let all = all.map(|((code, date), attendance)| json!(Shown { code, date, attendance }));
                Answer::json(200, &json!({ "timesheets": all.collect::<Vec<Value>>() }))
            }
            _ => refusal(404, "there is no such button"),
        };
        answer.into()
    }

    fn max_body(&self) -> usize {
        LARGEST
    }
}

impl CrowdLog {
    fn list_for(&self, request: &SimRequest) -> Answer {
        let is = |name: &str| request.parameter(name).as_deref() == Some("true");
        let encoding = match request.parameter("encoding").as_deref() {
            None | Some("utf8_bom") => Encoding::Utf8Bom,
            Some("utf8") => Encoding::Utf8,
            Some("shift_jis") => Encoding::ShiftJis,
            Some(_) => return refusal(400, "encoding is utf8_bom, utf8 or shift_jis"),
        };
        let headers = MemberHeaders::default();
        let list = if is("excel") {
            self.export_members_through_excel(is("inactive"), encoding, &headers)
        } else {
            self.export_members(is("inactive"), encoding, &headers)
        };
        Answer::raw(200, "text/csv", list)
    }
}

fn refusal(status: u16, why: &str) -> Answer {
    Answer::json(status, &json!({ "error": why }))
}
