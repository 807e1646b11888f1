//! `renkei-sandbox send`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use rand::Rng as _;
use renkei_events::signature::WebhookSecret;
use renkei_runtime::clock::{Clock as _, SystemClock};
use renkei_sandbox::{SandboxError, send};
use serde_json::{Map, Value};

/// Sign a webhook and send it. Give the record by the options below or by a file.
#[derive(Args)]
pub(crate) struct Options {
    /// Where to: http://HOST/webhooks/roumumate/CONNECTION.
    #[arg(long, env = "RENKEI_WEBHOOK_URL")]
    url: String,
    /// The webhook secret (whsec_…). Better given by the environment or by a file.
    #[arg(long, env = "RENKEI_WEBHOOK_SECRET", hide_env_values = true, required_unless_present = "secret_file")]
    secret: Option<String>,
    /// File with the webhook secret.
    #[arg(long, env = "RENKEI_WEBHOOK_SECRET_FILE", conflicts_with = "secret")]
    secret_file: Option<PathBuf>,
    /// employee.created, employee.updated, employee.status_changed or employee.deleted.
    #[arg(long = "type", default_value = "employee.updated")]
    kind: String,
    /// The webhook-id; drawn if left out. The same id again is a resend.
    #[arg(long)]
    webhook_id: Option<String>,
    /// JSON file with one record, a list of records, or a whole body with `type` and `data`.
    #[arg(long, conflicts_with_all = ["employee_number", "employee_id"])]
    file: Option<PathBuf>,
    /// 社員番号
    #[arg(long, required_unless_present_any = ["file", "employee_id"])]
    employee_number: Option<String>,
    /// 従業員ID; made from the number if left out.
    #[arg(long)]
    employee_id: Option<String>,
    /// 従業員ステータス
    #[arg(long, default_value = "active")]
    employee_status: String,
    /// 状況
    #[arg(long, default_value = "completed")]
    data_entry_state: String,
    /// 姓
    #[arg(long)]
    last_name: Option<String>,
    /// 名
    #[arg(long)]
    first_name: Option<String>,
    /// 姓(ヨミガナ)
    #[arg(long)]
    last_name_kana: Option<String>,
    /// 名(ヨミガナ)
    #[arg(long)]
    first_name_kana: Option<String>,
    /// ビジネスネーム
    #[arg(long)]
    business_name: Option<String>,
    /// ビジネスネーム(ヨミガナ)
    #[arg(long)]
    business_name_kana: Option<String>,
    /// 性別
    #[arg(long)]
    gender: Option<String>,
    /// 生年月日 (YYYY-MM-DD)
    #[arg(long)]
    birthday: Option<String>,
    /// 入社日 (YYYY-MM-DD)
    #[arg(long)]
    hire_date: Option<String>,
    /// 雇用形態
    #[arg(long)]
    employment_type: Option<String>,
    /// When the record was changed (RFC 3339); now if left out.
    #[arg(long)]
    updated_at: Option<String>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("kind", &self.kind).finish_non_exhaustive()
    }
}

pub(crate) async fn run(options: Options) -> Result<ExitCode, SandboxError> {
    let now = SystemClock::real().wall();
    let secret = WebhookSecret::parse(secret(&options)?.trim())?;
    let body = body(&options, &now.to_string())?;
    let id = options.webhook_id.clone().unwrap_or_else(|| format!("msg_{:032x}", rand::rng().random::<u128>()));
    let client = send::client()?;
    let answer = send::deliver(&client, &options.url, &secret, &id, now.as_second(), body).await?;
    println!("{}", answer.status);
    println!("webhook-id: {id}");
    if !answer.body.is_empty() {
        println!("{}", answer.body);
    }
    Ok(if (200..300).contains(&answer.status) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn secret(options: &Options) -> Result<String, SandboxError> {
    match (&options.secret, &options.secret_file) {
        (Some(secret), _) => Ok(secret.clone()),
        (None, Some(path)) => {
            std::fs::read_to_string(path).map_err(|error| SandboxError::io(format!("read {}", path.display()), error))
        }
        (None, None) => Err(SandboxError::BadInput("a webhook secret is needed".to_owned())),
    }
}

fn body(options: &Options, now: &str) -> Result<Vec<u8>, SandboxError> {
    let Some(path) = &options.file else {
        return Ok(send::body(&options.kind, now, &[record(options, now)]));
    };
    let text = std::fs::read(path).map_err(|error| SandboxError::io(format!("read {}", path.display()), error))?;
    let given: Value = serde_json::from_slice(&text)
        .map_err(|error| SandboxError::BadInput(format!("{}: {error}", path.display())))?;
    Ok(match given {
        Value::Array(records) => send::body(&options.kind, now, &records),
        // A whole body is sent byte by byte as it stands in the file.
        Value::Object(map) if map.contains_key("data") => text,
        record => send::body(&options.kind, now, &[record]),
    })
}

fn record(options: &Options, now: &str) -> Value {
    let number = options.employee_number.clone();
    let id = options.employee_id.clone().or_else(|| number.as_ref().map(|number| format!("rm_{number}")));
    let items = [
        ("employee_id", id),
        ("employee_number", number),
        ("employee_status", Some(options.employee_status.clone())),
        ("data_entry_state", Some(options.data_entry_state.clone())),
        ("last_name", options.last_name.clone()),
        ("first_name", options.first_name.clone()),
        ("last_name_kana", options.last_name_kana.clone()),
        ("first_name_kana", options.first_name_kana.clone()),
        ("business_name", options.business_name.clone()),
        ("business_name_kana", options.business_name_kana.clone()),
        ("gender", options.gender.clone()),
        ("birthday", options.birthday.clone()),
        ("hire_date", options.hire_date.clone()),
        ("employment_type", options.employment_type.clone()),
        ("updated_at", Some(options.updated_at.clone().unwrap_or_else(|| now.to_owned()))),
    ];
    let given = items.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::String(value?))));
    Value::Object(given.collect::<Map<_, _>>())
}
