//! The page for people: members, calls, tasks and the update budget of one company. No script; it reloads itself.

use std::fmt::Write as _;

use renkei_runtime::clock::Millis;

use super::calls::{Call, Stats};
use super::company::Company;
use super::jst;
use super::limits::MINUTE;
use super::machine::Kaonavi;
use super::member::TextField;
use crate::page::escaped;
use crate::wire::SimRequest;

/// Members on one page.
const MEMBERS: usize = 200;
/// Calls and tasks shown.
const RECENT: usize = 100;

const STYLE: &str = "body{font:15px/1.6 system-ui,sans-serif;margin:1.5rem;color:#1c2733}table{border-collapse:collapse;\
margin:.4rem 0 1.6rem}th,td{border:1px solid #cfd6dd;padding:.15rem .6rem;text-align:left}th{background:#eef2f5}\
.bar{display:inline-block;height:.9rem;background:#2f7dba}.full{background:#d97a1a}.over{background:#c22}\
.bad{color:#b00020}nav a{margin-right:1rem}caption{text-align:left;font-weight:bold}";

fn link_part(text: &str) -> String {
    let mut part = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            part.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            let _ = write!(part, "%{byte:02X}");
        }
    }
    part
}

/// The page for the company that the query names, or for the first.
pub(crate) fn render(kaonavi: &mut Kaonavi, now: Millis, request: &SimRequest) -> String {
    let names: Vec<(String, String)> =
        kaonavi.companies().map(|company| (company.id().to_owned(), company.name().to_owned())).collect();
    let wanted = request.parameter("company").or_else(|| names.first().map(|(id, _)| id.clone()));
    let skip = request.parameter("skip").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut html = format!(
        "<!DOCTYPE html><html lang=\"ja\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"3\">\
         <title>カオナビ シミュレーター</title><style>{STYLE}</style></head><body><h1>カオナビ シミュレーター</h1>\
         <p>公開API v2 の動きを再現しています。シミュレーター内の時刻: {}(3秒ごとに更新されます)</p><nav aria-label=\"会社\">",
        jst::stamp(now)
    );
    for (id, name) in &names {
        html.push_str(&format!("<a href=\"/?company={}\">{}</a>", link_part(id), escaped(name)));
    }
    html.push_str("</nav>");
    match wanted.map(|id| kaonavi.company(now, &id)) {
        Some(Ok(company)) => company_section(&mut html, company, now, skip),
        Some(Err(_)) => html.push_str("<p class=\"bad\">この会社は見つかりません。</p>"),
        None => html.push_str("<p>会社がまだ登録されていません。</p>"),
    }
    html.push_str("</body></html>");
    html
}

fn company_section(html: &mut String, company: &mut Company, now: Millis, skip: usize) {
    let stats = company.stats(now);
    html.push_str(&format!("<h2>{}</h2>", escaped(company.name())));
    figures(html, &stats, company.settings().updates_per_minute);
    gauge(html, company, now);
    members(html, company, skip);
    calls(html, company);
    tasks(html, company);
}

fn figures(html: &mut String, stats: &Stats, limit: usize) {
    html.push_str(&format!(
        "<table><caption>集計</caption><tr><th>直近60秒の更新リクエスト</th><td>{} / {limit}</td></tr>\
         <tr><th>60秒あたりの最大</th><td>{} / {limit}</td></tr><tr><th>直近1時間のリクエスト</th><td>{}(最大 {})</td></tr>\
         <tr><th>発行したトークン</th><td>{}(1時間あたり最大 {})</td></tr><tr><th>429で断った回数</th><td>{}</td></tr></table>",
        stats.update_calls_now,
        stats.peak_update_calls,
        stats.calls_this_hour,
        stats.peak_calls_per_hour,
        stats.tokens,
        stats.peak_tokens_per_hour,
        stats.refused_429
    ));
}

/// One line per recent update call: how many fell into the 60 s that end with it.
fn gauge(html: &mut String, company: &Company, now: Millis) {
    let limit = company.settings().updates_per_minute;
    let mut calls: Vec<Millis> = company.log().update_calls().rev().take(RECENT).map(|call| call.at).collect();
    calls.reverse();
    html.push_str(
        "<table><caption>更新枠(直前60秒間の更新リクエスト数)</caption><tr><th>時刻</th><th>件数</th><th></th></tr>",
    );
    let mut line = |label: &str, count: usize| {
        let class = match count.cmp(&limit) {
            std::cmp::Ordering::Less => "",
            std::cmp::Ordering::Equal => " full",
            std::cmp::Ordering::Greater => " over",
        };
        html.push_str(&format!(
            "<tr><td>{label}</td><td>{count} / {limit}</td><td><span class=\"bar{class}\" style=\"width:{}rem\"></span></td></tr>",
            count.min(20) * 2
        ));
    };
    let in_window = |end: Millis| calls.iter().filter(|at| **at <= end && end.0 - at.0 < MINUTE).count();
    line("現在", in_window(now));
    for at in calls.iter().rev().take(15) {
        line(&jst::stamp(*at), in_window(*at));
    }
    html.push_str("</table>");
}

fn members(html: &mut String, company: &Company, skip: usize) {
    let total = company.members().len();
    html.push_str(&format!("<table><caption>メンバー({total}名)</caption><tr><th>社員番号</th>"));
    for key in TextField::ALL {
        html.push_str(&format!("<th>{}</th>", escaped(&company.layout.text(key).name)));
    }
    html.push_str("<th>最終更新</th></tr>");
    for member in company.members().values().skip(skip).take(MEMBERS) {
        html.push_str(&format!("<tr><td>{}</td>", escaped(&member.code)));
        for key in TextField::ALL {
            html.push_str(&format!("<td>{}</td>", escaped(member.get(key))));
        }
        let changed =
            if member.changed_at == Millis::default() { "開始時".to_owned() } else { jst::stamp(member.changed_at) };
        html.push_str(&format!("<td>{changed}</td></tr>"));
    }
    html.push_str("</table>");
    let id = link_part(company.id());
    let previous = skip.saturating_sub(MEMBERS);
    if skip > 0 {
        html.push_str(&format!("<a href=\"/?company={id}&amp;skip={previous}\">前の{MEMBERS}名</a> "));
    }
    if skip.saturating_add(MEMBERS) < total {
        html.push_str(&format!(
            "<a href=\"/?company={id}&amp;skip={}\">次の{MEMBERS}名</a>",
            skip.saturating_add(MEMBERS)
        ));
    }
}

fn calls(html: &mut String, company: &Company) {
    html.push_str(
        "<table><caption>APIの呼び出し(新しい順)</caption><tr><th>時刻</th><th>呼び出し</th><th>結果</th><th>件数</th>\
         <th>社員番号</th><th>タスク</th></tr>",
    );
    for call in company.log().calls().rev().take(RECENT) {
        let names: Vec<String> = call.codes.iter().take(5).map(|code| escaped(code)).collect();
        let more = if call.codes.len() > names.len() { " ほか" } else { "" };
        html.push_str(&format!(
            "<tr><td>{}</td><td>{} {}{}</td><td{}>{}</td><td>{}</td><td>{}{more}</td><td>{}</td></tr>",
            jst::stamp(call.at),
            escaped(&call.method),
            escaped(&call.path),
            if call.dry_run { "(Dry-Run)" } else { "" },
            if (200..300).contains(&call.status) { "" } else { " class=\"bad\"" },
            result(call),
            if call.codes.is_empty() { String::new() } else { call.codes.len().to_string() },
            names.join(", "),
            call.task_id.map_or_else(String::new, |id| id.to_string()),
        ));
    }
    html.push_str("</table>");
}

fn result(call: &Call) -> String {
    if call.status == 0 { "応答なし(切断)".to_owned() } else { call.status.to_string() }
}

fn tasks(html: &mut String, company: &Company) {
    html.push_str(
        "<table><caption>タスク(新しい順)</caption><tr><th>ID</th><th>受付</th><th>種類</th><th>件数</th><th>状態</th>\
         <th>メッセージ</th></tr>",
    );
    for task in company.tasks().rev().take(RECENT) {
        let messages: Vec<String> = task.messages.iter().take(5).map(|message| escaped(message)).collect();
        html.push_str(&format!(
            "<tr><td>{}</td><td>{}</td><td>{}{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            task.id,
            jst::stamp(task.accepted_at),
            if task.create { "登録" } else { "更新" },
            if task.dry_run { "(Dry-Run)" } else { "" },
            task.size,
            task.status.text(),
            messages.join("<br>"),
        ));
    }
    html.push_str("</table>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kaonavi::sample;
    use serde_json::json;

    #[test]
    fn what_members_carry_is_escaped() {
        let mut kaonavi = Kaonavi::new();
        let mut spec = sample::company("a b");
        spec.members = vec![json!({ "code": "<script>", "name": "\"><b>'&" })];
        kaonavi.add(spec).unwrap();
        let html = render(&mut kaonavi, Millis(0), &SimRequest::new("GET", "/"));
        assert!(html.contains("&lt;script&gt;") && html.contains("&quot;&gt;&lt;b&gt;&#39;&amp;"));
        assert!(!html.contains("<script>") && html.contains("/?company=a%20b"));
    }
}
