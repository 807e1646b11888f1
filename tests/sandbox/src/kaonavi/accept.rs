//! What one company answers to a call that carries its token.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};
use serde_json::{Value, json};

use super::calls::{AcceptedRow, Call};
use super::company::Company;
use super::departments::Tree;
use super::jst;
use super::member::Member;
use super::permissions::Operation;
use super::route::Route;
use super::settings::take;
use super::tasks::{Forced, Task, TaskStatus};
use super::validate::Door;
use crate::wire::{Answer, JSON, SimRequest, SimResponse};

/// What an unauthorized caller reads.
pub(crate) fn unauthorized() -> Answer {
    Answer::errors(401, &["認証に失敗しました"])
}

impl Call {
    /// An entry for a call that has just arrived.
    pub(crate) fn arrived(at: Millis, request: &SimRequest) -> Self {
        let mut path: String = request.path.chars().take(200).collect();
        if !request.query.is_empty() {
            path.push('?');
            path.extend(request.query.chars().take(200));
        }
        Self {
            at,
            method: request.method.chars().take(16).collect(),
            path,
            status: 0,
            update: Route::is_update(request),
            accepted: false,
            counted: false,
            codes: Vec::new(),
            dry_run: request.header("Dry-Run") == Some("1"),
            task_id: None,
        }
    }
}

impl Company {
    /// Answers 503 while the window of that fault lasts.
    pub(crate) fn maintenance(&self, now: Millis) -> Option<Answer> {
        let until = self.faults.unavailable_until?;
        (now < until).then(|| Answer::html(503, "Service Unavailable"))
    }

    /// Counts a call for the hourly limit, or refuses it.
    pub(crate) fn hourly(&mut self, now: Millis, call: &mut Call) -> Result<(), Answer> {
        if self.hour.count(now) >= self.settings.calls_per_hour {
            let wait = self.hour.seconds_to_free(now);
            return Err(self.too_many("1時間あたりのリクエスト数の上限を超えました", wait));
        }
        self.hour.add(now);
        call.counted = true;
        Ok(())
    }

    pub(crate) fn too_many(&self, text: &str, wait_seconds: i64) -> Answer {
        let mut answer = Answer::errors(429, &[text]);
        if self.settings.retry_after {
            answer.headers.push(("Retry-After", wait_seconds.to_string()));
        }
        answer
    }

    /// Answers a call of this company. `live` says whether its token is good.
    pub(crate) fn serve(
        &mut self,
        now: Millis,
        route: Route,
        live: bool,
        request: &SimRequest,
        next_task: &mut i64,
        call: &mut Call,
    ) -> SimResponse {
        self.advance(now);
        let response = self.checked(now, route, live, request, next_task, call).unwrap_or_else(SimResponse::from);
        self.slow(response)
    }

    /// Lets an answer come late while that fault is in force.
    pub(crate) fn slow(&mut self, response: SimResponse) -> SimResponse {
        if take(&mut self.faults.slow_answers) {
            return response.later(Duration::from_millis(self.faults.slow_answer_ms));
        }
        response
    }

    fn checked(
        &mut self,
        now: Millis,
        route: Route,
        live: bool,
        request: &SimRequest,
        next_task: &mut i64,
        call: &mut Call,
    ) -> Result<SimResponse, Answer> {
        if let Some(answer) = self.maintenance(now) {
            if live {
                self.hour.add(now);
                call.counted = true;
            }
            return Err(answer);
        }
        match route {
            Route::WrongMethod | Route::Unknown => {
                if live {
                    self.hour.add(now);
                    call.counted = true;
                }
                return Err(if route == Route::WrongMethod {
                    Answer::errors(405, &["許可されていないメソッドです"])
                } else {
                    Answer::errors(404, &["指定されたURLは存在しません"])
                });
            }
            _ => {}
        }
        if !live || take(&mut self.faults.unauthorized) {
            return Err(unauthorized());
        }
        self.hourly(now, call)?;
        if route.is_write() {
            return self.write(now, route == Route::CreateMembers, request, next_task, call);
        }
        if take(&mut self.faults.reset_reads) {
            return Ok(SimResponse::Reset { delay: Duration::ZERO });
        }
        if take(&mut self.faults.html_500_reads) {
            return Err(Answer::html(500, "Internal Server Error"));
        }
        self.permitted(route)?;
        if take(&mut self.faults.html_reads) {
            return Ok(Answer::html(200, "カオナビ").into());
        }
        if take(&mut self.faults.empty_reads) {
            return Ok(Answer::raw(200, JSON, Vec::new()).into());
        }
        if route == Route::Departments && take(&mut self.faults.html_500_departments) {
            return Err(Answer::html(500, "Internal Server Error"));
        }
        if let Some(body) = self.faults.layout_is.as_ref().filter(|_| route == Route::Layout) {
            return Ok(Answer::raw(200, JSON, body.clone().into_bytes()).into());
        }
        let answer = match route {
            Route::ReadMembers => self.read_members(request)?,
            Route::Layout => {
                let mut shown = self.layout.shown(request.parameter("get_calc_type").as_deref() == Some("true"));
                if let Some(layout) = shown.as_object_mut().filter(|_| self.settings.layout_lacks_gender) {
                    layout.remove("gender");
                }
                Answer::json(200, &shown)
            }
            Route::Task(id) => match id.and_then(|id| self.tasks.get(id)) {
                Some(task) => Answer::json(200, &task.shown()),
                None => return Err(Answer::errors(404, &["指定されたタスクは存在しません"])),
            },
            _ => Answer::json(200, &json!({ "department_data": self.departments })),
        };
        Ok(answer.into())
    }

    fn permitted(&self, route: Route) -> Result<(), Answer> {
        let members = |operation| self.permissions.members.contains(&operation);
        let permitted = match route {
            Route::ReadMembers => members(Operation::Read),
            Route::CreateMembers => members(Operation::Create),
            Route::UpdateMembers => members(Operation::Update),
            Route::Layout => !self.settings.layout_needs_target || members(Operation::Read),
            Route::Task(_) => !self.settings.tasks_need_target || members(Operation::Read),
            Route::Departments => self.permissions.departments.contains(&Operation::Read),
            Route::Token | Route::WrongMethod | Route::Unknown => true,
        };
        if permitted {
            return Ok(());
        }
        Err(Answer::errors(self.settings.off_target_status, &["操作対象として許可されていません"]))
    }

    fn read_members(&mut self, request: &SimRequest) -> Result<Answer, Answer> {
        let since = match request.parameter("updated_since") {
            None => None,
            Some(text) => match jst::parse_date(&text) {
                Some(date) => Some(date),
                None => return Err(Answer::errors(400, &["updated_since の値が不正です"])),
            },
        };
        let mut chosen: Vec<&Member> = self
            .members
            .values()
            .filter(|member| since.is_none_or(|since| jst::date(member.changed_at) >= since))
            .collect();
        self.reads = self.reads.wrapping_add(1);
        if self.settings.shuffle_members {
            let round = self.reads;
            chosen.sort_by_cached_key(|member| mix(round, &member.code));
        }
        let tree = Tree::new(&self.departments);
        let list = MemberList { members: &chosen, company: self, tree: &tree };
        let page = Page { updated_at: jst::stamp(self.members_updated_at), padding: self.faults.members_padding, list };
        let mut body = serde_json::to_vec(&page).unwrap_or_default();
        if take(&mut self.faults.members_cut) {
            body.truncate(body.len() / 2);
        }
        let mut answer = Answer::raw(200, JSON, body);
        answer.body_over = Duration::from_millis(self.faults.members_body_ms);
        Ok(answer)
    }

    fn write(
        &mut self,
        now: Millis,
        create: bool,
        request: &SimRequest,
        next_task: &mut i64,
        call: &mut Call,
    ) -> Result<SimResponse, Answer> {
        let nothing = Ok(SimResponse::Reset { delay: Duration::ZERO });
        if take(&mut self.faults.reset_before_acceptance) {
            return nothing;
        }
        if take(&mut self.faults.html_500_before_acceptance) {
            return Err(Answer::html(500, "Internal Server Error"));
        }
        if take(&mut self.faults.html_writes) {
            return Ok(Answer::html(200, "カオナビ").into());
        }
        if take(&mut self.faults.empty_writes) {
            return Ok(Answer::raw(200, JSON, Vec::new()).into());
        }
        self.permitted(if create { Route::CreateMembers } else { Route::UpdateMembers })?;
        let rows = self.door(create, request).inspect_err(|answer| {
            // The names of a refused write matter to whoever reads the log.
            call.codes = named(&request.body);
            if self.settings.client_errors_use_slot && answer.status != 429 {
                self.slots.add(now);
            }
        })?;
        call.codes = rows.iter().map(|row| row.code.clone()).collect();
        if self.slots.count_kind(now, self.settings.update_window) >= self.settings.updates_per_minute {
            let wait = self.slots.seconds_to_free(now);
            return Err(self.too_many("1分あたりの更新リクエスト数の上限を超えました", wait));
        }
        call.accepted = true;
        if !call.dry_run || self.settings.dry_run_uses_slot {
            self.slots.add(now);
        }
        if call.dry_run && !self.settings.dry_run_task_id {
            return Ok(Answer::json(self.settings.accepted_status, &json!({})).into());
        }
        *next_task += 1;
        let id = *next_task;
        call.task_id = Some(id);
        if !call.dry_run {
            for row in &rows {
                let (code, row) = (row.code.clone(), row.json.clone());
                self.log.add_row(AcceptedRow { at: now, create, code, task_id: id, row });
            }
        }
        self.tasks.push(Task {
            id,
            accepted_at: now,
            create,
            dry_run: call.dry_run,
            size: rows.len(),
            status: TaskStatus::Waiting,
            messages: Vec::new(),
            ended_at: None,
            forced: if rows.iter().any(|row| self.faults.error_codes.contains(&row.code))
                || take(&mut self.faults.task_errors)
            {
                Some(Forced::Error)
            } else {
                take(&mut self.faults.task_ngs).then_some(Forced::Ng)
            },
            rows,
        });
        if take(&mut self.faults.reset_after_acceptance) {
            return nothing;
        }
        if take(&mut self.faults.html_500_after_acceptance) {
            return Err(Answer::html(500, "Internal Server Error"));
        }
        let body = if take(&mut self.faults.without_task_id) { json!({}) } else { json!({ "task_id": id }) };
        Ok(Answer::json(self.settings.accepted_status, &body).into())
    }

    /// Content type, size and body of a write.
    fn door(&mut self, create: bool, request: &SimRequest) -> Result<Vec<super::validate::Row>, Answer> {
        let media = request.header("Content-Type").map(|value| value.split(';').next().unwrap_or("").trim());
        if !media.is_some_and(|media| media.eq_ignore_ascii_case("application/json")) {
            return Err(Answer::errors(415, &["Content-Type が不正です"]));
        }
        if request.body.len() > self.settings.max_body {
            return Err(Answer::errors(413, &["リクエストボディが大きすぎます"]));
        }
        let door = Door {
            layout: &self.layout,
            settings: &self.settings,
            bad_codes: &self.faults.bad_codes,
            exists: &|code| self.members.contains_key(code),
            create,
        };
        let rows = door.read(&request.body).map_err(|errors| Answer::errors(400, &errors))?;
        if take(&mut self.faults.conflicts) {
            return Err(Answer::errors(409, &["他の処理が実行中です"]));
        }
        Ok(rows)
    }
}

/// The codes that a refused body names, as far as it can be read.
fn named(body: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let rows = body.get("member_data").and_then(Value::as_array);
    rows.into_iter().flatten().filter_map(|row| row.get("code")?.as_str()).map(str::to_owned).collect()
}

/// An order that changes with `round` and is the same in every run.
fn mix(round: u64, code: &str) -> u64 {
    let start = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xcbf2_9ce4_8422_2325;
    code.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(17))
}

#[derive(Serialize)]
struct Page<'a> {
    updated_at: String,
    #[serde(skip_serializing_if = "is_zero", serialize_with = "spaces")]
    padding: usize,
    #[serde(rename = "member_data")]
    list: MemberList<'a>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn spaces<S: Serializer>(count: &usize, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&" ".repeat(*count))
}

struct MemberList<'a> {
    members: &'a [&'a Member],
    company: &'a Company,
    tree: &'a Tree<'a>,
}

impl Serialize for MemberList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.members.len()))?;
        for member in self.members {
            list.serialize_element(&member.shown(&self.company.layout, self.tree))?;
        }
        list.end()
    }
}
